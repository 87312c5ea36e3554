#include "server/monitoring/http_server.h"

#include <CivetServer.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace assay::monitoring {
namespace {

void Answer(mg_connection* connection, const char* status, const char* type,
            const std::string& body) {
  mg_printf(connection,
            "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
            status, type, body.size());
  mg_write(connection, body.data(), body.size());
}

// Connects and hangs up.
void Connect(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string name =
      host.size() > 2 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
  if (getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) {
    // Not even this needs to succeed: without it the end just takes longer.
    static_cast<void>(connect(fd, found->ai_addr, found->ai_addrlen));
    close(fd);
  }
  freeaddrinfo(found);
}

// Answers GET with what `body` returns; an empty string is 503.
class PageHandler final : public CivetHandler {
 public:
  PageHandler(const char* type, std::function<std::string()> body)
      : type_(type), body_(std::move(body)) {}
  bool handleGet(CivetServer* /*server*/, mg_connection* connection) override {
    const std::string body = body_();
    if (body.empty()) {
      Answer(connection, "503 Service Unavailable", "text/plain", "not ready\n");
    } else {
      Answer(connection, "200 OK", type_, body);
    }
    return true;
  }

 private:
  const char* const type_;
  const std::function<std::string()> body_;
};

class CivetHttpServer final : public HttpServer {
 public:
  CivetHttpServer(std::string host, const std::string& address, const Metrics& metrics,
                  std::function<bool()> ready)
      : host_(std::move(host)),
        metrics_("text/plain; version=0.0.4; charset=utf-8",
                 [&metrics] { return metrics.Render(); }),
        health_("text/plain", [] { return std::string("ok\n"); }),
        ready_("text/plain",
               [ready = std::move(ready)] { return std::string(ready() ? "ready\n" : ""); }),
        server_(std::vector<std::string>{"listening_ports", address, "num_threads", "2",
                                         "request_timeout_ms", "10000"}) {
    server_.addHandler("/metrics", &metrics_);
    server_.addHandler("/healthz", &health_);
    server_.addHandler("/readyz", &ready_);
  }
  ~CivetHttpServer() override {
    // Its threads look every two seconds whether they are to end, and whenever somebody connects.
    // So somebody does.
    const int listening = port();
    std::atomic<bool> closed = false;
    std::thread knocker([&] {
      while (!closed) {
        Connect(host_, listening);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    });
    server_.close();
    closed = true;
    knocker.join();
  }
  int port() const override { return const_cast<CivetServer&>(server_).getListeningPorts().at(0); }

 private:
  const std::string host_;
  PageHandler metrics_, health_, ready_;
  CivetServer server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host, int port,
                                                              const Metrics& metrics,
                                                              std::function<bool()> ready) {
  const std::string address = absl::StrCat(host, ":", port);
  try {
    return std::unique_ptr<HttpServer>(
        std::make_unique<CivetHttpServer>(host, address, metrics, std::move(ready)));
  } catch (const CivetException& error) {
    return Error(Reason::kUnavailable,
                 absl::StrCat("cannot listen on ", address, " for metrics: ", error.what()));
  }
}

}  // namespace assay::monitoring
