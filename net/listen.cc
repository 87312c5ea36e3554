#include "net/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

void SetPort(sockaddr* address, int port) {
  const auto number = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = number;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = number;
  }
}

// The socket, or -1 and errno.
int ListenOn(const addrinfo& info) {
  const int fd =
      socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, info.ai_protocol);
  if (fd < 0) return -1;
  const int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // [::] is for IPv4, too.
  if (info.ai_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (bind(fd, info.ai_addr, info.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

std::string Problem(int error) {
  switch (error) {
    case EADDRINUSE:
      return "another program uses the port";
    case EACCES:
      return "this user may not use the port; those below 1024 are for root";
    case EADDRNOTAVAIL:
      return "no interface of this machine has the address";
    case EAFNOSUPPORT:
      return "this machine has no IPv6";
    default:
      return std::strerror(error);
  }
}

}  // namespace

ListeningSocket::~ListeningSocket() {
  if (fd_ >= 0) close(fd_);
}

int ListeningSocket::port() const {
  sockaddr_in6 address{};
  socklen_t size = sizeof(address);
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  // At the same place in an IPv4 address.
  return ntohs(address.sin6_port);
}

absl::StatusOr<std::vector<ListeningSocket>> Listen(const Address& address, const std::string& flag,
                                                    const std::string& purpose) {
  const auto failure = [&](const std::string& problem) {
    return Error(Reason::kUnavailable,
                 absl::StrCat("cannot listen on ", address.ToString(), purpose, ": ", problem,
                              "; choose another with ", flag))
        .ToStatus();
  };
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int unknown = getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  if (unknown != 0) {
    return failure(absl::StrCat("'", address.host, "' is no host (", gai_strerror(unknown), ")"));
  }
  const AddressList list(found, &freeaddrinfo);
  std::vector<ListeningSocket> sockets;
  int port = address.port;
  int missing = 0;
  for (addrinfo* info = list.get(); info != nullptr; info = info->ai_next) {
    SetPort(info->ai_addr, port);
    const int fd = ListenOn(*info);
    if (fd >= 0) {
      sockets.emplace_back(fd);
      port = sockets.back().port();
      continue;
    }
    // localhost is ::1 by name even where there is no IPv6.
    if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) return failure(Problem(errno));
    missing = errno;
  }
  if (sockets.empty()) return failure(Problem(missing));
  return sockets;
}

}  // namespace assay
