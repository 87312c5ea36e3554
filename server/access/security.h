// Everything that makes assayd safe on a network that is not friendly, put together from its flags:
// certificate, tokens, audit log, and the thread that sees when their files change.
#ifndef ASSAY_SERVER_ACCESS_SECURITY_H_
#define ASSAY_SERVER_ACCESS_SECURITY_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "net/server_credentials.h"
#include "server/access/access.h"
#include "server/access/audit_log.h"
#include "server/access/calls.h"
#include "server/access/server_tls.h"
#include "server/access/watched_files.h"
#include "server/monitoring/metrics.h"

namespace assay::access {

// Paths; empty: none.
struct SecurityOptions {
  TlsFiles tls;
  std::string tokens;
  std::string audit_log;
  bool audit_reads = false;
  // The operator trusts the network.
  bool insecure = false;
  std::chrono::milliseconds look_every{1000};
  AttemptLimits attempts;
};

// Thread-safe. Must outlive the servers.
class Security {
 public:
  // kInvalidArgument, naming the flag, for files that cannot be used, flags that do not go
  // together, and a `host` that other machines reach without TLS or without tokens.
  static absl::StatusOr<std::unique_ptr<Security>> Open(SecurityOptions options,
                                                        const std::string& host, const Clock& clock,
                                                        monitoring::Metrics& metrics);

  // Null without transport security.
  ServerTls* tls() { return tls_.get(); }
  CertificateSource certificate();
  Calls& calls() { return *calls_; }
  // Whether there is something that Reload reads.
  bool reloads() const { return watched_ != nullptr; }
  // Reads files anew that have changed, and opens the audit log anew.
  void Reload();

 private:
  Security() = default;

  std::unique_ptr<ServerTls> tls_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<Calls> calls_;
  std::unique_ptr<WatchedFiles> watched_;
};

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_SECURITY_H_
