// A TCP relay between a client and a server on this machine that behaves like a bad network: bytes
// arrive late, connections break.
#ifndef ASSAY_TESTS_CLIENT_LIB_SLOW_LINK_H_
#define ASSAY_TESTS_CLIENT_LIB_SLOW_LINK_H_

#include <chrono>
#include <list>
#include <string>
#include <thread>

#include "core/base/mutex.h"

namespace assay {

class SlowLink {
 public:
  // To `address` (127.0.0.1:PORT); every byte is `delay` late in each direction.
  SlowLink(const std::string& address, std::chrono::milliseconds delay);
  ~SlowLink();

  // host:port
  std::string address() const;
  // Closes the next so many connections as soon as they are made.
  void CloseNext(int connections);
  // Breaks all connections that there are.
  void Break();

 private:
  void Accept();
  void Relay(int client);

  const int target_port_;
  const std::chrono::milliseconds delay_;
  int listener_ = -1;
  int port_ = 0;
  Mutex mutex_;
  int close_next_ ABSL_GUARDED_BY(mutex_) = 0;
  // Moves on when all connections are to break.
  int generation_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<std::thread> relays_;
  std::thread acceptor_;
};

}  // namespace assay

#endif  // ASSAY_TESTS_CLIENT_LIB_SLOW_LINK_H_
