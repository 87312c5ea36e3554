#include "server/monitoring/http_server.h"

#include <microhttpd.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/errors.h"
#include "net/listen.h"

namespace assay::monitoring {
namespace {

constexpr unsigned kMaxConnections = 100;
// Without a byte of a request, or of its answer taken.
constexpr unsigned kTimeoutSeconds = 10;

constexpr char kText[] = "text/plain";
constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

MHD_Result Answer(MHD_Connection* connection, unsigned status, const char* type,
                  absl::string_view body) {
  MHD_Response* const response = MHD_create_response_from_buffer(
      body.size(), const_cast<char*>(body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  const MHD_Result queued = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return queued;
}

class MicroHttpServer final : public HttpServer {
 public:
  MicroHttpServer(int port, const Metrics& metrics, std::function<bool()> ready)
      : port_(port), metrics_(metrics), ready_(std::move(ready)) {}
  ~MicroHttpServer() override {
    for (MHD_Daemon* daemon : daemons_) MHD_stop_daemon(daemon);
  }
  int port() const override { return port_; }

  absl::Status Serve(const ListeningSocket& socket) {
    // The daemon closes what it is given.
    const int own = dup(socket.fd());
    MHD_Daemon* const daemon = MHD_start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD, 0, nullptr, nullptr, &MicroHttpServer::Handle, this,
        MHD_OPTION_LISTEN_SOCKET, own, MHD_OPTION_CONNECTION_LIMIT, kMaxConnections,
        MHD_OPTION_CONNECTION_TIMEOUT, kTimeoutSeconds, MHD_OPTION_END);
    if (daemon == nullptr) {
      if (own >= 0) close(own);
      return Error(Reason::kInternal, "the HTTP server for metrics does not start");
    }
    daemons_.push_back(daemon);
    return absl::OkStatus();
  }

 private:
  static MHD_Result Handle(void* server, MHD_Connection* connection, const char* path,
                           const char* method, const char* /*version*/, const char* /*data*/,
                           size_t* data_size, void** /*state*/) {
    // A body that nobody wants.
    *data_size = 0;
    return static_cast<const MicroHttpServer*>(server)->Respond(connection, path, method);
  }

  // The body of the answer to HEAD is left out by the library.
  MHD_Result Respond(MHD_Connection* connection, absl::string_view path,
                     absl::string_view method) const {
    if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD) {
      return Answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, kText, "only GET and HEAD\n");
    }
    if (path == "/metrics") {
      return Answer(connection, MHD_HTTP_OK, kPrometheusText, metrics_.Render());
    }
    if (path == "/healthz") return Answer(connection, MHD_HTTP_OK, kText, "ok\n");
    if (path == "/readyz") {
      return ready_() ? Answer(connection, MHD_HTTP_OK, kText, "ready\n")
                      : Answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, kText, "not ready\n");
    }
    return Answer(connection, MHD_HTTP_NOT_FOUND, kText,
                  "there are /metrics, /healthz and /readyz\n");
  }

  const int port_;
  const Metrics& metrics_;
  const std::function<bool()> ready_;
  // One for each address.
  std::vector<MHD_Daemon*> daemons_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Address& address,
                                                              const Metrics& metrics,
                                                              std::function<bool()> ready) {
  ASSAY_ASSIGN_OR_RETURN(const auto sockets, Listen(address, "--metrics-port", " for metrics"));
  auto server =
      std::make_unique<MicroHttpServer>(sockets.front().port(), metrics, std::move(ready));
  for (const ListeningSocket& socket : sockets) ASSAY_RETURN_IF_ERROR(server->Serve(socket));
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace assay::monitoring
