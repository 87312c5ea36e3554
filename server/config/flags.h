// The flags of assayd. What they mean is in docs/operations.md.
#ifndef ASSAY_SERVER_CONFIG_FLAGS_H_
#define ASSAY_SERVER_CONFIG_FLAGS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "server/monitoring/metrics.h"

namespace assay {

struct Flags {
  std::string listen = "127.0.0.1:8001";
  int metrics_port = 8002;
  int metrics_classes = monitoring::Metrics::kMaxClasses;
  std::string data_dir = "assay-data";
  std::string devices = "auto";
  int threads = 0;
  int batch_size = 0;
  int max_engines = 3;
  int64_t max_evaluations = 1000;
  double lease_seconds = 30;
  double stall_seconds = 600;
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
  bool insecure = false;
  // Of `assay --local`, which owns it.
  std::string owned_directory;
};

// Reads the command line into `flags`. A value: the process has nothing more to do (--help, a
// mistake, which has been printed) and ends with it.
std::optional<int> ParseFlags(int argc, char** argv, Flags& flags);

}  // namespace assay

#endif  // ASSAY_SERVER_CONFIG_FLAGS_H_
