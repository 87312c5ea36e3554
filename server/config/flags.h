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
  // Empty: a file in the data directory.
  std::string store;
  // Empty: a folder of the data directory.
  std::string blobs;
  std::string role = "all";
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
  bool insecure = false;
  // Of `assay --local`, which owns it.
  std::string owned_directory;
};

// Reads the command line into `flags`. A value: the process has nothing more to do (--help, a
// mistake, which has been printed) and ends with it.
std::optional<int> ParseFlags(int argc, char** argv, Flags& flags);

}  // namespace assay

#endif  // ASSAY_SERVER_CONFIG_FLAGS_H_
