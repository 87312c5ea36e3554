#include "server/monitoring/http_server.h"

#include <microhttpd.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "net/listen.h"

namespace assay::monitoring {
namespace {

constexpr unsigned kMaxConnections = 100;
// Without a byte of a request, or of its answer taken.
constexpr unsigned kTimeoutSeconds = 10;

constexpr char kTlsPriorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

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
  MicroHttpServer(std::vector<ListeningSocket> sockets, const Metrics& metrics,
                  std::function<bool()> ready, CertificateSource certificate)
      : sockets_(std::move(sockets)),
        metrics_(metrics),
        ready_(std::move(ready)),
        certificate_(std::move(certificate)) {}
  ~MicroHttpServer() override { Stop(std::move(daemons_)); }
  int port() const override { return sockets_.front().port(); }

  absl::Status Serve() {
    ASSAY_ASSIGN_OR_RETURN(daemons_, StartDaemons());
    return absl::OkStatus();
  }

  void TakeNewCertificate() override {
    // The new ones first: at no time does nobody accept.
    absl::StatusOr<Daemons> started = StartDaemons();
    if (!started.ok()) {
      LogError(absl::StrCat(started.status().message(),
                            " with the new certificate: the metrics keep the old one"));
      return;
    }
    Stop(std::exchange(daemons_, *std::move(started)));
  }

 private:
  // One for each address.
  using Daemons = std::vector<MHD_Daemon*>;

  absl::StatusOr<Daemons> StartDaemons() {
    const auto certificate = certificate_ ? certificate_() : nullptr;
    Daemons daemons;
    for (const ListeningSocket& socket : sockets_) {
      // The daemon closes what it is given.
      const int own = dup(socket.fd());
      std::vector<MHD_OptionItem> options = {
          {MHD_OPTION_LISTEN_SOCKET, own, nullptr},
          {MHD_OPTION_CONNECTION_LIMIT, kMaxConnections, nullptr},
          {MHD_OPTION_CONNECTION_TIMEOUT, kTimeoutSeconds, nullptr}};
      unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC;
      if (certificate != nullptr) {
        flags |= MHD_USE_TLS;
        const auto text = [&](MHD_OPTION option, const char* value) {
          options.push_back({option, 0, const_cast<char*>(value)});
        };
        text(MHD_OPTION_HTTPS_MEM_CERT, certificate->chain.c_str());
        text(MHD_OPTION_HTTPS_MEM_KEY, certificate->key.c_str());
        text(MHD_OPTION_HTTPS_PRIORITIES, kTlsPriorities);
      }
      options.push_back({MHD_OPTION_END, 0, nullptr});
      MHD_Daemon* const daemon =
          MHD_start_daemon(flags, 0, nullptr, nullptr, &MicroHttpServer::Handle, this,
                           MHD_OPTION_ARRAY, options.data(), MHD_OPTION_END);
      if (daemon == nullptr) {
        if (own >= 0) close(own);
        Stop(std::move(daemons));
        return Error(Reason::kInternal, "the HTTP server for metrics does not start");
      }
      daemons.push_back(daemon);
    }
    return daemons;
  }

  // Without an end of the socket itself, which others go on to listen on.
  static void Stop(Daemons daemons) {
    for (MHD_Daemon* daemon : daemons) {
      const int own = MHD_quiesce_daemon(daemon);
      MHD_stop_daemon(daemon);
      if (own >= 0) close(own);
    }
  }

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

  const std::vector<ListeningSocket> sockets_;
  const Metrics& metrics_;
  const std::function<bool()> ready_;
  const CertificateSource certificate_;
  Daemons daemons_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Address& address,
                                                              const Metrics& metrics,
                                                              std::function<bool()> ready,
                                                              CertificateSource certificate) {
  if (certificate && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
    return InvalidFields({{"--metrics-tls", "this machine's libmicrohttpd was built without TLS"}});
  }
  ASSAY_ASSIGN_OR_RETURN(auto sockets, Listen(address, "--metrics-port", " for metrics"));
  auto server = std::make_unique<MicroHttpServer>(std::move(sockets), metrics, std::move(ready),
                                                  std::move(certificate));
  ASSAY_RETURN_IF_ERROR(server->Serve());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace assay::monitoring
