#include "server/access/server_tls.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "net/tokens.h"

namespace assay::access {

absl::StatusOr<std::unique_ptr<ServerTls>> ServerTls::Open(TlsFiles files, const Clock& clock,
                                                           monitoring::Metrics& metrics) {
  std::unique_ptr<ServerTls> tls(new ServerTls(std::move(files), clock, metrics));
  ASSAY_ASSIGN_OR_RETURN(const Loaded loaded, tls->Load());
  struct stat facts {};
  if (stat(tls->files_.key.c_str(), &facts) == 0 && (facts.st_mode & S_IROTH) != 0) {
    LogWarning(absl::StrCat("--tls-key ", tls->files_.key,
                            " can be read by every user of this machine: chmod o-r"));
  }
  tls->Use(loaded, "TLS with");
  return tls;
}

std::shared_ptr<const ServerCertificate> ServerTls::Current() const {
  MutexLock lock(mutex_);
  return current_;
}

void ServerTls::OnChange(std::function<void()> listener) {
  MutexLock lock(listener_mutex_);
  listener_ = std::move(listener);
}

absl::StatusOr<ServerTls::Loaded> ServerTls::Load() const {
  const FlagFile certificate{"--tls-cert", files_.certificate};
  const FlagFile key{"--tls-key", files_.key};
  const FlagFile authorities{"--tls-client-ca", files_.client_ca};
  auto read = std::make_shared<ServerCertificate>();
  ASSAY_ASSIGN_OR_RETURN(read->chain, ReadSmallFile(certificate));
  ASSAY_ASSIGN_OR_RETURN(read->key, ReadSmallFile(key));
  ASSAY_ASSIGN_OR_RETURN(
      const CertificateFacts facts,
      CheckCertificate(read->chain, certificate, read->key, key, clock_.NowMicros()));
  if (!files_.client_ca.empty()) {
    ASSAY_ASSIGN_OR_RETURN(read->client_authorities, ReadSmallFile(authorities));
    ASSAY_RETURN_IF_ERROR(CheckAuthorities(read->client_authorities, authorities));
  }
  return Loaded{std::move(read), facts.not_after_micros, facts.subject};
}

void ServerTls::Use(const Loaded& loaded, const char* how) {
  metrics_.SetCertificateExpiry(loaded.expires_micros);
  LogInfo(absl::StrCat(how, " the certificate of ", loaded.subject, ", valid until ",
                       TimeText(loaded.expires_micros)));
  MutexLock lock(mutex_);
  current_ = loaded.certificate;
}

void ServerTls::Reload() {
  const absl::StatusOr<Loaded> loaded = Load();
  if (!loaded.ok()) {
    if (problem_ == loaded.status().message()) return;
    problem_ = std::string(loaded.status().message());
    metrics_.CountReloadFailure("certificate");
    LogError(absl::StrCat("the old certificate stays in force: ", problem_));
    return;
  }
  problem_.clear();
  const auto current = Current();
  const ServerCertificate& now = *loaded->certificate;
  if (now.chain == current->chain && now.key == current->key &&
      now.client_authorities == current->client_authorities) {
    return;
  }
  Use(*loaded, "new connections get");
  MutexLock lock(listener_mutex_);
  if (listener_) listener_();
}

}  // namespace assay::access
