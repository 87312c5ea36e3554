// Who calls, and whether they may: by a bearer token of the tokens file, or by the certificate that
// a client showed. Knows nothing of gRPC's calls (calls.h does).
#ifndef ASSAY_SERVER_ACCESS_ACCESS_H_
#define ASSAY_SERVER_ACCESS_ACCESS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "net/tokens.h"
#include "server/access/attempts.h"
#include "server/access/rpc_scopes.h"
#include "server/monitoring/metrics.h"

namespace assay::access {

struct AccessOptions {
  // Empty: nobody needs a token.
  std::string tokens_path;
  // Connections are encrypted.
  bool encrypted = false;
  // Every connection has shown a certificate of --tls-client-ca.
  bool client_certificates = false;
  AttemptLimits attempts;
};

inline constexpr char kByNobody[] = "nobody";

// Who makes a call. Immutable.
struct Caller {
  std::string name = "anonymous";
  std::string by = kByNobody;  // or "token", "certificate"
  Scopes scopes = kScopeNone;
  std::optional<int64_t> max_unfinished_evaluations;
  std::optional<int64_t> max_uploads;
  std::optional<int64_t> max_stored_bytes;
};

// What is known of a call before it is read.
struct CallFacts {
  std::string method;  // "/assay.v1.ModelService/GetModel"
  std::string peer;    // as gRPC names it
  // Values of "authorization".
  std::vector<std::string> authorization;
  // Names in the certificate of the client: common name, alternative names.
  std::vector<std::string> certificate_names;
};

// Secrets that are shorter could be guessed.
inline constexpr size_t kMinSecretBytes = 20;

// Thread-safe.
class Access {
 public:
  // kInvalidArgument naming line and reason when the tokens file cannot be used. `clock` and
  // `metrics` must outlive it.
  static absl::StatusOr<std::unique_ptr<Access>> Open(AccessOptions options, const Clock& clock,
                                                      monitoring::Metrics& metrics);

  // Whether calls need a token or a certificate.
  bool required() const { return !options_.tokens_path.empty() || options_.client_certificates; }

  // Who calls: kUnauthenticated, or kQuotaExceeded after too many of those from one address.
  absl::StatusOr<std::shared_ptr<const Caller>> Authenticate(const CallFacts& facts);
  // Whether `caller` may make this call: kPermissionDenied.
  absl::Status Authorize(const Caller& caller, absl::string_view method) const;

  // Reads the tokens file anew. What is wrong with it is said in the log, once, and the old tokens
  // stay.
  void Reload();

 private:
  struct Identity {
    std::string sha256;  // 64 lower-case hexadecimal digits; empty: by `certificate`
    std::string certificate;
    std::optional<int64_t> expires_micros;
    std::shared_ptr<const Caller> caller;
  };
  using Identities = std::vector<Identity>;

  Access(AccessOptions options, const Clock& clock, monitoring::Metrics& metrics)
      : options_(std::move(options)),
        clock_(clock),
        metrics_(metrics),
        attempts_(options_.attempts) {}

  absl::StatusOr<std::string> ReadFile() const;
  absl::Status Use(const std::string& text);
  std::shared_ptr<const Identities> Current() const;
  static const Identity* FindToken(const Identities& identities, absl::string_view secret);
  absl::StatusOr<std::shared_ptr<const Caller>> ByToken(const CallFacts& facts);
  absl::StatusOr<std::shared_ptr<const Caller>> ByCertificate(const CallFacts& facts);
  absl::StatusOr<std::shared_ptr<const Caller>> Valid(const Identity& identity,
                                                      const CallFacts& facts);
  // A refusal; another one where there have been too many.
  absl::Status Refuse(const CallFacts& facts, const char* reason, const std::string& text);

  const AccessOptions options_;
  const Clock& clock_;
  monitoring::Metrics& metrics_;
  Attempts attempts_;
  mutable Mutex mutex_;
  std::shared_ptr<const Identities> identities_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<Identities>();
  // Of the thread that reloads: the text in use, and what was wrong the last time.
  std::string text_;
  std::string problem_;
};

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_ACCESS_H_
