// A private assayd for one call of `assay --local`: started for it, stopped with it.
#ifndef ASSAY_CLIENT_CLI_BASE_LOCAL_SERVER_H_
#define ASSAY_CLIENT_CLI_BASE_LOCAL_SERVER_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/lib/interrupt.h"
#include "core/base/owned_directory.h"

namespace assay::cli {

struct LocalServerOptions {
  // The program; empty: `assayd` beside this one.
  std::string binary;
  // Kept; empty: a temporary directory, removed at the end.
  std::string data_dir;
  // Of the published frost photographs; empty: none.
  std::string frost_directory;
  // 0: what the server chooses.
  int batch_size = 0;
  int threads = 0;
  double start_seconds = 60;
  double stop_seconds = 10;
};

class LocalServer {
 public:
  // Starts it and waits until it serves. kUnavailable with the end of its log when it does not.
  static absl::StatusOr<std::unique_ptr<LocalServer>> Start(const LocalServerOptions& options,
                                                            client::Interrupt& interrupt);
  // SIGINT, and SIGKILL when that does not help in time. However this process ends, the server
  // ends with it and removes the temporary directory; the next Start removes what is left when both
  // were killed.
  ~LocalServer();

  // host:port
  const std::string& address() const { return address_; }
  bool Running();
  // The last lines of its log.
  std::string LogTail() const;

 private:
  explicit LocalServer(LocalServerOptions options) : options_(std::move(options)) {}
  absl::Status Prepare();
  absl::Status Spawn();
  absl::Status AwaitPort(client::Interrupt& interrupt);
  void Stop();

  LocalServerOptions options_;
  // Holds the log, the port file and, unless one was given, the data.
  std::unique_ptr<OwnedDirectory> directory_;
  std::string address_;
  pid_t pid_ = -1;  // -1: not running
};

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_LOCAL_SERVER_H_
