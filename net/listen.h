// Listening on an address, for every server of assayd: one way to resolve and bind it, one set of
// errors.
#ifndef ASSAY_NET_LISTEN_H_
#define ASSAY_NET_LISTEN_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "net/address.h"

namespace assay {

// A non-blocking socket that listens; closed at the end.
class ListeningSocket {
 public:
  explicit ListeningSocket(int fd) : fd_(fd) {}
  ListeningSocket(ListeningSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();
  int fd() const { return fd_; }
  int port() const;

 private:
  int fd_;
};

// Sockets on every address of the host (a name may have several), all on one port; port 0: any free
// one. kUnavailable says what is in the way and that `flag` chooses another; `purpose` follows the
// address in it (" for metrics").
absl::StatusOr<std::vector<ListeningSocket>> Listen(const Address& address, const std::string& flag,
                                                    const std::string& purpose = "");

}  // namespace assay

#endif  // ASSAY_NET_LISTEN_H_
