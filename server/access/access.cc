#include "server/access/access.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "net/certificates.h"

namespace assay::access {
namespace {

constexpr char kFlag[] = "--tokens";

// The rest of "Bearer SECRET"; nullopt: it is nothing of that form.
std::optional<absl::string_view> SecretOf(absl::string_view authorization) {
  constexpr absl::string_view kBearer = "bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kBearer)) return std::nullopt;
  return absl::StripAsciiWhitespace(authorization.substr(kBearer.size()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Access>> Access::Open(AccessOptions options, const Clock& clock,
                                                     monitoring::Metrics& metrics) {
  std::unique_ptr<Access> access(new Access(std::move(options), clock, metrics));
  if (access->options_.tokens_path.empty()) return access;
  ASSAY_ASSIGN_OR_RETURN(const std::string text, access->ReadFile());
  ASSAY_RETURN_IF_ERROR(access->Use(text));
  return access;
}

absl::StatusOr<std::string> Access::ReadFile() const {
  return ReadSmallFile({kFlag, options_.tokens_path});
}

absl::Status Access::Use(const std::string& text) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<TokenEntry> entries,
                         ParseTokens(text, absl::StrCat(kFlag, " ", options_.tokens_path)));
  auto identities = std::make_shared<Identities>();
  for (const TokenEntry& entry : entries) {
    auto caller = std::make_shared<Caller>();
    caller->name = entry.name;
    caller->by = entry.certificate.empty() ? "token" : "certificate";
    caller->scopes = entry.scopes;
    caller->max_unfinished_evaluations = entry.max_unfinished_evaluations;
    caller->max_uploads = entry.max_uploads;
    caller->max_stored_bytes = entry.max_stored_bytes;
    identities->push_back({absl::AsciiStrToLower(entry.sha256), entry.certificate,
                           entry.expires_micros, std::move(caller)});
  }
  LogInfo(absl::StrCat(kFlag, " ", options_.tokens_path, ": ", identities->size(), " in force"));
  if (identities->empty()) {
    LogWarning(absl::StrCat(kFlag, " ", options_.tokens_path,
                            " is empty: every call is refused; `assay token new` makes a line"));
  }
  text_ = text;
  MutexLock lock(mutex_);
  identities_ = std::move(identities);
  return absl::OkStatus();
}

void Access::Reload() {
  if (options_.tokens_path.empty()) return;
  const absl::StatusOr<std::string> text = ReadFile();
  absl::Status used = text.status();
  if (text.ok() && *text != text_) used = Use(*text);
  if (used.ok()) {
    problem_.clear();
    return;
  }
  if (problem_ == used.message()) return;
  problem_ = std::string(used.message());
  metrics_.CountReloadFailure("tokens");
  LogError(absl::StrCat("the old tokens stay in force: ", problem_));
}

std::shared_ptr<const Access::Identities> Access::Current() const {
  MutexLock lock(mutex_);
  return identities_;
}

// In a time that does not depend on which one it is, or on how much of one is right.
const Access::Identity* Access::FindToken(const Identities& identities, absl::string_view secret) {
  const std::string digest = Sha256Hex(secret);
  const Identity* found = nullptr;
  for (const Identity& identity : identities) {
    if (identity.sha256.size() == digest.size() &&
        CRYPTO_memcmp(identity.sha256.data(), digest.data(), digest.size()) == 0) {
      found = &identity;
    }
  }
  return found;
}

absl::Status Access::Refuse(const CallFacts& facts, const char* reason, const std::string& text) {
  const double wait = attempts_.Failed(AddressOfPeer(facts.peer), clock_.NowMicros());
  if (wait > 0) {
    metrics_.CountAuthenticationFailure("rate_limited");
    return Error(Reason::kQuotaExceeded,
                 "too many calls without a valid token from this address; try again later, with "
                 "one")
        .With("failure", "rate_limited")
        .RetryAfterSeconds(wait);
  }
  metrics_.CountAuthenticationFailure(reason);
  return Error(Reason::kUnauthenticated, text).With("failure", reason);
}

absl::StatusOr<std::shared_ptr<const Caller>> Access::Valid(const Identity& identity,
                                                            const CallFacts& facts) {
  if (!identity.expires_micros.has_value() || clock_.NowMicros() < *identity.expires_micros) {
    return identity.caller;
  }
  return Refuse(facts, "expired",
                absl::StrCat("the ", identity.caller->by, " ", identity.caller->name,
                             " has expired at ", TimeText(*identity.expires_micros)));
}

absl::StatusOr<std::shared_ptr<const Caller>> Access::ByToken(const CallFacts& facts) {
  const auto identities = Current();
  if (facts.authorization.size() > 1) {
    return Refuse(facts, "malformed", "authorization is there more than once; send one token");
  }
  const std::optional<absl::string_view> secret = SecretOf(facts.authorization[0]);
  if (!secret.has_value() || secret->empty()) {
    return Refuse(facts, "malformed", "authorization must be 'Bearer TOKEN'");
  }
  const Identity* const identity =
      secret->size() < kMinSecretBytes ? nullptr : FindToken(*identities, *secret);
  if (!options_.encrypted && !IsLoopbackPeer(facts.peer)) {
    if (identity != nullptr) {
      LogWarning(absl::StrCat("token ", identity->caller->name, " came unencrypted from ",
                              facts.peer, ": replace it"));
    }
    return Refuse(facts, "unencrypted",
                  "a token came over an unencrypted connection from another machine: it is not "
                  "taken, and anybody on the way may have read it. It is burnt: ask for a new one, "
                  "and use TLS (grpcs://)");
  }
  if (identity == nullptr) return Refuse(facts, "unknown", "the token is not one of this server");
  return Valid(*identity, facts);
}

absl::StatusOr<std::shared_ptr<const Caller>> Access::ByCertificate(const CallFacts& facts) {
  const auto identities = Current();
  for (const Identity& identity : *identities) {
    if (!identity.certificate.empty() &&
        std::find(facts.certificate_names.begin(), facts.certificate_names.end(),
                  identity.certificate) != facts.certificate_names.end()) {
      return Valid(identity, facts);
    }
  }
  if (options_.tokens_path.empty()) {
    // Whoever the authority has signed for.
    auto caller = std::make_shared<Caller>();
    if (!facts.certificate_names.empty()) caller->name = facts.certificate_names[0];
    caller->by = "certificate";
    caller->scopes = kAllScopes;
    return caller;
  }
  return Refuse(facts, "no_credentials",
                "the call has no token: send 'authorization: Bearer TOKEN'");
}

absl::StatusOr<std::shared_ptr<const Caller>> Access::Authenticate(const CallFacts& facts) {
  const RpcRule* const rule = RuleOf(facts.method);
  if (!required() || (rule != nullptr && rule->scopes == kScopeNone)) {
    static const auto* const anybody = new std::shared_ptr<const Caller>([] {
      auto caller = std::make_shared<Caller>();
      caller->scopes = kAllScopes;
      return caller;
    }());
    return *anybody;
  }
  // Without a tokens file a token means nothing.
  if (!facts.authorization.empty() && !options_.tokens_path.empty()) return ByToken(facts);
  return ByCertificate(facts);
}

absl::Status Access::Authorize(const Caller& caller, absl::string_view method) const {
  const RpcRule* const rule = RuleOf(method);
  const Scopes needed = rule == nullptr ? Scopes{kScopeAdmin} : rule->scopes;
  if (Allows(caller.scopes, needed)) return absl::OkStatus();
  metrics_.CountAuthenticationFailure("scope");
  return Error(Reason::kPermissionDenied,
               absl::StrCat("the ", caller.by, " ", caller.name, " may ", ScopesText(caller.scopes),
                            "; ", absl::StripPrefix(method, "/assay.v1."), " needs ",
                            ScopesText(needed)))
      .With("failure", "scope")
      .With("needed_scopes", ScopesText(needed));
}

}  // namespace assay::access
