// HTTP for Prometheus and for probes: /metrics, /healthz (the process lives), /readyz (it takes
// work).
//
// Every connection is for one request; a client that is slow, silent or hostile holds nobody up.
// The HTTP is GNU libmicrohttpd's, on sockets of our own (net/listen.h), so on IPv6 too. Its TLS is
// GnuTLS's, 1.2 at least.
#ifndef ASSAY_SERVER_MONITORING_HTTP_SERVER_H_
#define ASSAY_SERVER_MONITORING_HTTP_SERVER_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "net/address.h"
#include "net/certificates.h"
#include "server/monitoring/metrics.h"

namespace assay::monitoring {

class HttpServer {
 public:
  // Listens on the address (port 0: any free one). `ready` is asked for /readyz; both must outlive
  // the server. `certificate` null: no TLS. kUnavailable when the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Address& address,
                                                           const Metrics& metrics,
                                                           std::function<bool()> ready,
                                                           CertificateSource certificate = nullptr);
  virtual ~HttpServer() = default;
  // Takes what the certificate's source has now; requests that are open are cut off.
  virtual void TakeNewCertificate() = 0;
  virtual int port() const = 0;
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_HTTP_SERVER_H_
