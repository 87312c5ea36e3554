// Transport security of a gRPC server whose certificate may change while it runs: each new
// connection gets the one of that moment, and open ones go on.
//
// gRPC's core asks for certificates at each handshake (the "config fetcher"), which its C++ library
// does not offer; its file watcher for TLS (1.51) drops the old pair before it has looked at the
// new one.
#ifndef ASSAY_NET_SERVER_CREDENTIALS_H_
#define ASSAY_NET_SERVER_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "net/certificates.h"

namespace assay {

// What is known of a call before any message of it is read.
struct IncomingCall {
  std::string path;  // "/package.Service/Method"
  // Values of "authorization".
  std::vector<std::string> authorization;
  // Common name and alternative names of the certificate that the client has shown.
  std::vector<std::string> certificate_names;
};

// Whether a call may be made at all. What is refused here gets code and text, but no details.
using CallGate = std::function<absl::Status(const IncomingCall&)>;

// `source` null: no transport security. At least TLS 1.2, and of that only suites with forward
// secrecy and authenticated encryption. Whether clients need a certificate is that of the first
// one from `source`. `gate` may be null.
std::shared_ptr<grpc::ServerCredentials> NewServerCredentials(CertificateSource source,
                                                              CallGate gate);

}  // namespace assay

#endif  // ASSAY_NET_SERVER_CREDENTIALS_H_
