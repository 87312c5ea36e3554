// A real assayd (with its engines) for integration tests: started on free ports over a directory of
// its own, killed and restarted at will.
#ifndef ASSAY_TESTS_INTEGRATION_SERVER_PROCESS_H_
#define ASSAY_TESTS_INTEGRATION_SERVER_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/lib/client.h"

namespace assay::testing {

// A directory that goes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class ServerProcess {
 public:
  // Fails the test when the server does not serve within a minute.
  ServerProcess(const std::string& data_dir, const std::vector<std::string>& flags = {});
  // Terminates it in an orderly way.
  ~ServerProcess();

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int metrics_port() const { return metrics_port_; }
  std::unique_ptr<client::Client> Connect() const;
  // SIGKILL, and waits for the end.
  void Kill();
  // Stops it and its engines for so long, as a frozen container.
  void Freeze(double seconds);
  // SIGTERM, and the exit status.
  int Terminate();
  // Process ids of its engines.
  std::vector<pid_t> Engines() const;
  // From now on no file of the server grows beyond `bytes` (-1: no limit), as on a full disk.
  bool LimitFileSize(int64_t bytes) const;
  // GET on the metrics port; the body.
  std::string Http(const std::string& path) const;

 private:
  void Start(const std::string& data_dir, const std::vector<std::string>& flags,
             const std::string& port_file, const std::string& log);
  int Wait();
  pid_t pid_ = -1;
  int port_ = 0;
  int metrics_port_ = 0;
};

// Waits until the condition holds, for at most a minute; false when it never did.
bool Eventually(const std::function<bool()>& condition);

}  // namespace assay::testing

#endif  // ASSAY_TESTS_INTEGRATION_SERVER_PROCESS_H_
