#include "server/monitoring/http_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <list>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/errors.h"
#include "server/listen.h"

namespace assay::monitoring {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kMaxConnections = 100;
constexpr size_t kMaxRequestBytes = 16 << 10;
// From the first byte of a request to the last of its answer.
constexpr std::chrono::seconds kRequestLimit{10};
// When no file descriptor is left for a connection.
constexpr std::chrono::milliseconds kPause{100};

constexpr char kText[] = "text/plain";
constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

std::string Answer(absl::string_view status, absl::string_view type, absl::string_view body,
                   bool with_body = true) {
  return absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Type: ", type,
                      "\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n\r\n",
                      with_body ? body : "");
}

// One request and its answer.
class Connection {
 public:
  using Handler = std::function<std::string(absl::string_view request)>;

  explicit Connection(int fd) : fd_(fd) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(fd_); }

  int fd() const { return fd_; }
  short events() const { return state_ == State::kWriting ? POLLOUT : POLLIN; }
  SteadyClock::time_point deadline() const { return deadline_; }

  // Goes on as far as it can without waiting; false when the connection is done.
  bool Move(const Handler& handler) {
    if (state_ == State::kReading && !Read(handler)) return false;
    if (state_ == State::kWriting && !Write()) return false;
    return state_ != State::kDraining || Drain();
  }

 private:
  enum class State { kReading, kWriting, kDraining };

  bool Read(const Handler& handler) {
    char buffer[4096];
    ssize_t size;
    while ((size = recv(fd_, buffer, sizeof(buffer), 0)) > 0) {
      request_.append(buffer, static_cast<size_t>(size));
      const bool complete =
          absl::StrContains(request_, "\r\n\r\n") || absl::StrContains(request_, "\n\n");
      if (!complete && request_.size() <= kMaxRequestBytes) continue;
      answer_ = complete ? handler(request_)
                         : Answer("431 Request Header Fields Too Large", kText, "too large\n");
      state_ = State::kWriting;
      return true;
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR);
  }

  bool Write() {
    while (written_ < answer_.size()) {
      const ssize_t size =
          send(fd_, answer_.data() + written_, answer_.size() - written_, MSG_NOSIGNAL);
      if (size < 0) return errno == EAGAIN || errno == EINTR;
      written_ += static_cast<size_t>(size);
    }
    state_ = State::kDraining;
    return shutdown(fd_, SHUT_WR) == 0;
  }

  // Closing with input unread would reset the connection, and could lose the answer with it.
  bool Drain() {
    char buffer[4096];
    ssize_t size;
    while ((size = recv(fd_, buffer, sizeof(buffer), 0)) > 0) {
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR);
  }

  const int fd_;
  const SteadyClock::time_point deadline_ = SteadyClock::now() + kRequestLimit;
  State state_ = State::kReading;
  std::string request_;
  std::string answer_;
  size_t written_ = 0;
};

class PollingServer final : public HttpServer {
 public:
  PollingServer(std::vector<ListeningSocket> sockets, const Metrics& metrics,
                std::function<bool()> ready)
      : sockets_(std::move(sockets)),
        metrics_(metrics),
        ready_(std::move(ready)),
        stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        thread_([this] { Serve(); }) {}
  ~PollingServer() override {
    eventfd_write(stop_, 1);
    thread_.join();
    close(stop_);
  }
  int port() const override { return sockets_.front().port(); }

 private:
  void Serve() {
    std::list<Connection> connections;
    while (true) {
      const bool accepting =
          connections.size() < kMaxConnections && SteadyClock::now() >= paused_until_;
      std::vector<pollfd> fds = {{stop_, POLLIN, 0}};
      for (const ListeningSocket& socket : sockets_) {
        fds.push_back({accepting ? socket.fd() : -1, POLLIN, 0});
      }
      for (const Connection& connection : connections) {
        fds.push_back({connection.fd(), connection.events(), 0});
      }
      poll(fds.data(), fds.size(), PollMillis(connections));
      if (fds[0].revents != 0) return;
      size_t index = 1 + sockets_.size();
      const auto now = SteadyClock::now();
      for (auto connection = connections.begin(); connection != connections.end(); ++index) {
        const bool open =
            now < connection->deadline() &&
            (fds[index].revents == 0 ||
             connection->Move([this](absl::string_view request) { return Respond(request); }));
        connection = open ? std::next(connection) : connections.erase(connection);
      }
      for (size_t i = 0; i < sockets_.size(); ++i) {
        if (fds[1 + i].revents != 0) Accept(sockets_[i].fd(), connections);
      }
    }
  }

  void Accept(int listener, std::list<Connection>& connections) {
    while (connections.size() < kMaxConnections) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        connections.emplace_back(fd);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        paused_until_ = SteadyClock::now() + kPause;
        return;
      } else if (errno != EINTR && errno != ECONNABORTED) {
        return;
      }
    }
  }

  // Until the next deadline; -1: for ever.
  int PollMillis(const std::list<Connection>& connections) const {
    auto next = SteadyClock::time_point::max();
    const auto now = SteadyClock::now();
    if (paused_until_ > now) next = paused_until_;
    for (const Connection& connection : connections) {
      next = std::min(next, connection.deadline());
    }
    if (next == SteadyClock::time_point::max()) return -1;
    return 1 + static_cast<int>(std::max<int64_t>(
                   0, std::chrono::duration_cast<std::chrono::milliseconds>(next - now).count()));
  }

  std::string Respond(absl::string_view request) const {
    const std::vector<absl::string_view> words =
        absl::StrSplit(request.substr(0, request.find_first_of("\r\n")), ' ');
    if (words.size() != 3 || !absl::StartsWith(words[2], "HTTP/1.")) {
      return Answer("400 Bad Request", kText, "not HTTP/1.1\n");
    }
    const bool head = words[0] == "HEAD";
    if (words[0] != "GET" && !head) {
      return Answer("405 Method Not Allowed", kText, "only GET and HEAD\n");
    }
    const absl::string_view path = words[1].substr(0, words[1].find('?'));
    if (path == "/metrics") return Answer("200 OK", kPrometheusText, metrics_.Render(), !head);
    if (path == "/healthz") return Answer("200 OK", kText, "ok\n", !head);
    if (path == "/readyz") {
      return ready_() ? Answer("200 OK", kText, "ready\n", !head)
                      : Answer("503 Service Unavailable", kText, "not ready\n", !head);
    }
    return Answer("404 Not Found", kText, "there are /metrics, /healthz and /readyz\n", !head);
  }

  const std::vector<ListeningSocket> sockets_;
  const Metrics& metrics_;
  const std::function<bool()> ready_;
  const int stop_;
  // Of the thread alone.
  SteadyClock::time_point paused_until_{};
  // Last, so that it starts when everything is there.
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Address& address,
                                                              const Metrics& metrics,
                                                              std::function<bool()> ready) {
  ASSAY_ASSIGN_OR_RETURN(auto sockets, Listen(address, "--metrics-port", " for metrics"));
  return std::unique_ptr<HttpServer>(
      std::make_unique<PollingServer>(std::move(sockets), metrics, std::move(ready)));
}

}  // namespace assay::monitoring
