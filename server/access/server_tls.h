// The certificate, key and client authorities of assayd: read and checked at start, and again when
// the files change, while connections stay open.
#ifndef ASSAY_SERVER_ACCESS_SERVER_TLS_H_
#define ASSAY_SERVER_ACCESS_SERVER_TLS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "net/certificates.h"
#include "server/monitoring/metrics.h"

namespace assay::access {

struct TlsFiles {
  std::string certificate;
  std::string key;
  // Empty: clients need no certificate.
  std::string client_ca;
};

// Thread-safe.
class ServerTls {
 public:
  // kInvalidArgument, naming the flag, unless the files are there, fit and are valid now. `clock`
  // and `metrics` must outlive it.
  static absl::StatusOr<std::unique_ptr<ServerTls>> Open(TlsFiles files, const Clock& clock,
                                                         monitoring::Metrics& metrics);

  // The certificate in force.
  std::shared_ptr<const ServerCertificate> Current() const;
  // Takes what is in the files now, if it is right. What is wrong with it is said in the log, once,
  // and the old one stays in force.
  void Reload();
  // Called after each change, by the thread that calls Reload. Once this returns, the listener
  // before is not called any more.
  void OnChange(std::function<void()> listener);

 private:
  ServerTls(TlsFiles files, const Clock& clock, monitoring::Metrics& metrics)
      : files_(std::move(files)), clock_(clock), metrics_(metrics) {}

  struct Loaded {
    std::shared_ptr<const ServerCertificate> certificate;
    int64_t expires_micros = 0;
    std::string subject;
  };
  absl::StatusOr<Loaded> Load() const;
  void Use(const Loaded& loaded, const char* how);

  const TlsFiles files_;
  const Clock& clock_;
  monitoring::Metrics& metrics_;
  mutable Mutex mutex_;
  std::shared_ptr<const ServerCertificate> current_ ABSL_GUARDED_BY(mutex_);
  // Held while the listener runs.
  Mutex listener_mutex_;
  std::function<void()> listener_ ABSL_GUARDED_BY(listener_mutex_);
  // Of the thread that reloads: what was wrong the last time.
  std::string problem_;
};

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_SERVER_TLS_H_
