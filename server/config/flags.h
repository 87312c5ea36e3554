// The flags of assayd. What they mean is in docs/operations.md. One that is declared here is a key
// of the configuration file and a variable of the environment, too (configuration.h); what can be
// wrong with its value belongs into check.h.
#ifndef ASSAY_SERVER_CONFIG_FLAGS_H_
#define ASSAY_SERVER_CONFIG_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/monitoring/metrics.h"

namespace CLI {
class App;
}  // namespace CLI

namespace assay {

struct Flags {
  std::string listen = "127.0.0.1:8001";
  int metrics_port = 8002;
  int metrics_classes = monitoring::Metrics::kMaxClasses;
  std::string data_dir = "assay-data";
  // Empty: a file in the data directory.
  std::string store;
  // A directory, or s3://BUCKET/PREFIX. Empty: a folder of the data directory.
  std::string blobs;
  // Of object storage. Empty: that of AWS in the region; the keys of the environment or of the
  // usual file; a folder of the data directory.
  std::string s3_endpoint;
  std::string s3_region = "us-east-1";
  std::string s3_credentials;
  std::string blob_cache;
  int64_t blob_cache_bytes = 20'000'000'000;
  std::string role = "all";
  std::string devices = "auto";
  int threads = 0;
  int batch_size = 0;
  int max_engines = 3;
  int64_t max_evaluations = 1000;
  // What the server sets to the name of the token or certificate.
  std::string fair_share_label = "assay/owner";
  double lease_seconds = 30;
  double stall_seconds = 600;
  double checkpoint_seconds = 30;
  double exit_timeout = 30;
  std::string engine_binary;
  std::string port_file;
  std::string frost_directory;
  std::string numerics_directory;
  // The model repository: its directory (empty: none), how often it is looked through (0: when
  // somebody asks), and the file that says how new versions are evaluated (empty: they are not).
  std::string model_repository;
  double repository_poll_seconds = 15;
  std::string on_new_version;
  bool evaluate_existing = false;
  std::string log_format = "text";
  std::string log_level = "info";
  // Security: docs/security.md.
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;
  std::string tokens;
  std::string audit_log;
  bool audit_reads = false;
  std::string metrics_host;
  bool metrics_tls = false;
  bool insecure = false;
  // What clients can take.
  int max_message_mib = 68;
  int max_streams = 1000;
  int max_buffer_mib = 0;
  double handshake_seconds = 10;
  double idle_seconds = 3600;
  double write_seconds = 300;
  // Seconds and bytes; 0: no limit.
  int64_t keep_evaluations = 0;
  int64_t disk_quota = 0;
  // KEY=VALUE, or KEY for any value.
  std::vector<std::string> keep_labels;
  // Of `assay --local`, which owns it.
  std::string owned_directory;
};

// Declares them on `app`, which then parses into `flags`.
void DeclareFlags(CLI::App& app, Flags& flags);

}  // namespace assay

#endif  // ASSAY_SERVER_CONFIG_FLAGS_H_
