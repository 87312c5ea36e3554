#include "tests/client/lib/slow_link.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"

namespace assay {
namespace {

using SteadyClock = std::chrono::steady_clock;

// How often a relay looks whether it is to end.
constexpr int kPollMillis = 20;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// What is on its way in one direction.
struct Direction {
  int from;
  int to;
  std::deque<std::pair<SteadyClock::time_point, std::string>> pieces;
  bool ended = false;

  // False when the connection is over.
  bool Move(std::chrono::milliseconds delay) {
    char buffer[1 << 16];
    ssize_t size;
    while (!ended && (size = recv(from, buffer, sizeof(buffer), MSG_DONTWAIT)) >= 0) {
      ended = size == 0;
      pieces.emplace_back(SteadyClock::now() + delay,
                          std::string(buffer, static_cast<size_t>(size)));
    }
    while (!pieces.empty() && pieces.front().first <= SteadyClock::now()) {
      const std::string& piece = pieces.front().second;
      if (piece.empty()) return false;
      for (size_t sent = 0; sent < piece.size();) {
        const ssize_t n = send(to, piece.data() + sent, piece.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) return false;
        sent += static_cast<size_t>(n);
      }
      pieces.pop_front();
    }
    return true;
  }
};

}  // namespace

SlowLink::SlowLink(const std::string& address, std::chrono::milliseconds delay)
    : target_port_(std::stoi(address.substr(address.rfind(':') + 1))),
      delay_(delay),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in own = Loopback(0);
  bind(listener_, reinterpret_cast<sockaddr*>(&own), sizeof(own));
  listen(listener_, SOMAXCONN);
  socklen_t size = sizeof(own);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&own), &size);
  port_ = ntohs(own.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

SlowLink::~SlowLink() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& relay : relays_) relay.join();
  close(listener_);
}

std::string SlowLink::address() const { return absl::StrCat("127.0.0.1:", port_); }

void SlowLink::CloseNext(int connections) {
  MutexLock lock(mutex_);
  close_next_ = connections;
}

void SlowLink::Break() {
  MutexLock lock(mutex_);
  ++generation_;
}

void SlowLink::Accept() {
  while (true) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    MutexLock lock(mutex_);
    if (close_next_ > 0) {
      --close_next_;
      close(client);
      continue;
    }
    relays_.emplace_back([this, client] { Relay(client); });
  }
}

void SlowLink::Relay(int client) {
  int generation;
  {
    MutexLock lock(mutex_);
    generation = generation_;
  }
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in target = Loopback(target_port_);
  bool open = connect(server, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) == 0;
  Direction up{client, server, {}}, down{server, client, {}};
  while (open) {
    open = up.Move(delay_) && down.Move(delay_);
    pollfd sockets[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    auto wait = std::chrono::milliseconds(kPollMillis);
    for (const Direction* direction : {&up, &down}) {
      if (direction->ended) sockets[direction == &up ? 0 : 1].fd = -1;
      if (direction->pieces.empty()) continue;
      const auto due = std::chrono::duration_cast<std::chrono::milliseconds>(
          direction->pieces.front().first - SteadyClock::now());
      wait = std::clamp(due, std::chrono::milliseconds(1), wait);
    }
    poll(sockets, 2, static_cast<int>(wait.count()));
    MutexLock lock(mutex_);
    if (stopping_ || generation_ != generation) open = false;
  }
  close(client);
  close(server);
}

}  // namespace assay
