// Certificates and private keys in PEM, looked at by OpenSSL before gRPC or an HTTP server gets
// them: gRPC says nothing of what it does not like.
#ifndef ASSAY_NET_CERTIFICATES_H_
#define ASSAY_NET_CERTIFICATES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assay {

// Of the first certificate of a chain.
struct CertificateFacts {
  std::string subject;  // "CN=gpu-3"
  int64_t not_before_micros = 0;
  int64_t not_after_micros = 0;
};

// What a server shows, in PEM; checked before it is used.
struct ServerCertificate {
  std::string chain;
  std::string key;
  // Those who sign certificates of clients, which then must have one; empty: none is asked for.
  std::string client_authorities;
};

// The one of now. Must be cheap: it is asked at every handshake.
using CertificateSource = std::function<std::shared_ptr<const ServerCertificate>()>;

// Where a text came from, for errors: the flag and the file. "--tls-cert server.crt".
struct FlagFile {
  std::string flag;
  std::string path;
  std::string ToString() const { return flag + " " + path; }
};

// The text of a regular file of at most 1 MiB. kInvalidArgument naming flag and path.
absl::StatusOr<std::string> ReadSmallFile(const FlagFile& source);

// A chain, its owner first, and the key of that. kInvalidArgument, naming the flag and what would
// be right, for what is no PEM, a key that is encrypted, weak or of another certificate, and a
// certificate that is not valid at `now_micros`.
absl::StatusOr<CertificateFacts> CheckCertificate(const std::string& chain,
                                                  const FlagFile& chain_source,
                                                  const std::string& key,
                                                  const FlagFile& key_source, int64_t now_micros);

// One or more certificates of authorities. Likewise.
absl::Status CheckAuthorities(const std::string& pem, const FlagFile& source);

// A client of TLS: whom it trusts (empty: those of the system), and what it shows (empty: nothing),
// in PEM.
struct ClientTls {
  std::string authorities;
  std::string chain;
  std::string key;
};

// Why a connection by TLS fails.
struct TlsFailure {
  enum class Kind {
    kUnknown,
    kNoTls,             // the server speaks something else
    kServerNotTrusted,  // its certificate is of somebody else
    kClientRefused,     // it does not like ours, or that there is none
  };
  Kind kind = Kind::kUnknown;
  std::string why;
};

// Tries once more, for at most `seconds`, to learn why a connection to the server at `host`:`port`,
// whose certificate should have `name`, has failed: gRPC tells little of that.
TlsFailure FindTlsFailure(const std::string& host, int port, const std::string& name,
                          const ClientTls& client, int seconds);

}  // namespace assay

#endif  // ASSAY_NET_CERTIFICATES_H_
