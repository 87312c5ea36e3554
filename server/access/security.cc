#include "server/access/security.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "net/address.h"

namespace assay::access {
namespace {

absl::Status CheckTogether(const SecurityOptions& options, const std::string& host) {
  const TlsFiles& tls = options.tls;
  if (tls.certificate.empty() != tls.key.empty()) {
    return InvalidFields({{tls.key.empty() ? "--tls-key" : "--tls-cert",
                           "is missing: --tls-cert and --tls-key belong together"}});
  }
  if (!tls.client_ca.empty() && tls.certificate.empty()) {
    return InvalidFields({{"--tls-client-ca", "needs --tls-cert and --tls-key, too"}});
  }
  if (options.audit_reads && options.audit_log.empty()) {
    return InvalidFields({{"--audit-reads", "needs --audit-log FILE"}});
  }
  if (IsLoopback(host) || options.insecure) return absl::OkStatus();
  std::string missing;
  if (tls.certificate.empty()) missing = "--tls-cert FILE and --tls-key FILE";
  if (options.tokens.empty() && tls.client_ca.empty()) {
    absl::StrAppend(&missing, missing.empty() ? "" : ", and ",
                    "--tokens FILE (or --tls-client-ca FILE)");
  }
  if (missing.empty()) return absl::OkStatus();
  return InvalidFields(
      {{"--listen", absl::StrCat(host, " is reachable from other machines: add ", missing,
                                 "; or --insecure if everybody on the network is trusted")}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Security>> Security::Open(SecurityOptions options,
                                                         const std::string& host,
                                                         const Clock& clock,
                                                         monitoring::Metrics& metrics) {
  ASSAY_RETURN_IF_ERROR(CheckTogether(options, host));
  std::unique_ptr<Security> security(new Security);
  std::vector<std::function<void()>> looks;
  if (!options.tls.certificate.empty()) {
    ASSAY_ASSIGN_OR_RETURN(security->tls_, ServerTls::Open(options.tls, clock, metrics));
    looks.push_back([tls = security->tls_.get()] { tls->Reload(); });
  }
  AccessOptions access;
  access.tokens_path = options.tokens;
  access.encrypted = security->tls_ != nullptr;
  access.attempts = options.attempts;
  access.client_certificates = !options.tls.client_ca.empty();
  ASSAY_ASSIGN_OR_RETURN(security->access_, Access::Open(std::move(access), clock, metrics));
  if (!options.tokens.empty()) {
    looks.push_back([tokens = security->access_.get()] { tokens->Reload(); });
  }
  if (!options.audit_log.empty()) {
    ASSAY_ASSIGN_OR_RETURN(security->audit_, AuditLog::Open(options.audit_log, metrics));
  }
  CallOptions calls;
  calls.audit_reads = options.audit_reads;
  calls.loopback_only = IsLoopback(host);
  security->calls_ =
      std::make_unique<Calls>(calls, *security->access_, security->audit_.get(), clock);
  if (!looks.empty() || security->audit_ != nullptr) {
    security->watched_ = std::make_unique<WatchedFiles>(options.look_every, std::move(looks));
  }
  return security;
}

CertificateSource Security::certificate() {
  if (tls_ == nullptr) return nullptr;
  return [tls = tls_.get()] { return tls->Current(); };
}

void Security::Reload() {
  if (audit_ != nullptr) audit_->Reopen();
  if (watched_ != nullptr) watched_->LookNow();
}

}  // namespace assay::access
