#include "net/tokens.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "nlohmann/json.hpp"

namespace assay {
namespace {

using nlohmann::json;

constexpr size_t kMaxNameBytes = 63;
constexpr size_t kMaxCertificateBytes = 255;
constexpr size_t kMaxLineBytes = 4096;
constexpr size_t kMaxSecretBytes = 1024;
constexpr int kSecretBytes = 32;
constexpr int64_t kMostStoredBytes = 1'000'000'000'000'000;

constexpr std::pair<const char*, Scope> kScopeNames[] = {{"read", kScopeRead},
                                                         {"upload", kScopeUpload},
                                                         {"submit", kScopeSubmit},
                                                         {"admin", kScopeAdmin}};

constexpr const char* kKeys[] = {"name",        "scopes",          "sha256",
                                 "certificate", "expires",         "max_unfinished_evaluations",
                                 "max_uploads", "max_stored_bytes"};

absl::Status Wrong(absl::string_view where, absl::string_view what) {
  return InvalidFields({{std::string(where), std::string(what)}});
}

// The object of a line: flat but for one list, and no key twice, which JSON libraries let pass.
absl::StatusOr<json> ParseObject(absl::string_view line, absl::string_view where) {
  std::set<std::string> keys;
  std::string repeated;
  bool deep = false;
  const auto look = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > 2) deep = true;
    if (event == json::parse_event_t::key && depth == 1) {
      if (!keys.insert(value.get<std::string>()).second) repeated = value.get<std::string>();
    }
    return !deep;
  };
  json object = json::parse(line.begin(), line.end(), look, /*allow_exceptions=*/false);
  if (object.is_discarded() || deep || !object.is_object()) {
    return Wrong(where,
                 "must be a JSON object, for example {\"name\": \"ci\", \"scopes\": "
                 "[\"read\"], \"sha256\": \"...\"}, as `assay token new` prints it");
  }
  if (!repeated.empty()) return Wrong(where, absl::StrCat("has \"", repeated, "\" twice"));
  for (const std::string& key : keys) {
    if (std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys)) continue;
    const std::string nearest =
        Nearest(key, std::vector<std::string>(std::begin(kKeys), std::end(kKeys)));
    return Wrong(
        where, absl::StrCat("has an unknown key \"", absl::Utf8SafeCEscape(key), "\"; ",
                            nearest.empty() ? absl::StrCat("keys are ", absl::StrJoin(kKeys, ", "))
                                            : absl::StrCat("did you mean ", nearest, "?")));
  }
  return object;
}

absl::StatusOr<std::string> TextOf(const json& object, const char* key, absl::string_view where) {
  const auto found = object.find(key);
  if (found == object.end()) return std::string();
  if (!found->is_string()) return Wrong(where, absl::StrCat("\"", key, "\" must be a text"));
  return found->get<std::string>();
}

absl::StatusOr<std::optional<int64_t>> LimitOf(const json& object, const char* key,
                                               absl::string_view where,
                                               int64_t most = 1'000'000'000) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  if (!found->is_number_integer() || found->get<int64_t>() < 0 || found->get<int64_t>() > most) {
    return Wrong(where, absl::StrCat("\"", key, "\" must be a whole number from 0 to ", most));
  }
  return found->get<int64_t>();
}

absl::StatusOr<Scopes> ScopesOf(const json& object, absl::string_view where) {
  const auto found = object.find("scopes");
  Scopes scopes = kScopeNone;
  if (found != object.end() && found->is_array()) {
    for (const json& element : *found) {
      const Scopes scope =
          element.is_string() ? ScopeNamed(element.get<std::string>()) : kScopeNone;
      if (scope == kScopeNone) {
        scopes = kScopeNone;
        break;
      }
      scopes |= scope;
    }
  }
  if (scopes != kScopeNone) return scopes;
  return Wrong(
      where, absl::StrCat("\"scopes\" must be a list of one or more of ", ScopesText(kAllScopes)));
}

absl::StatusOr<TokenEntry> ParseEntry(absl::string_view line, absl::string_view where) {
  if (line.size() > kMaxLineBytes) {
    return Wrong(where, absl::StrCat("is longer than ", kMaxLineBytes, " bytes"));
  }
  ASSAY_ASSIGN_OR_RETURN(const json object, ParseObject(line, where));
  TokenEntry entry;
  ASSAY_ASSIGN_OR_RETURN(entry.name, TextOf(object, "name", where));
  if (!IsTokenName(entry.name)) {
    return Wrong(where, absl::StrCat("\"name\" must be ", kTokenNameRule));
  }
  ASSAY_ASSIGN_OR_RETURN(entry.scopes, ScopesOf(object, where));
  ASSAY_ASSIGN_OR_RETURN(entry.sha256, TextOf(object, "sha256", where));
  absl::AsciiStrToLower(&entry.sha256);
  ASSAY_ASSIGN_OR_RETURN(entry.certificate, TextOf(object, "certificate", where));
  if (entry.sha256.empty() == entry.certificate.empty()) {
    return Wrong(where, "needs \"sha256\" or \"certificate\", and not both");
  }
  if (!entry.sha256.empty() && !IsDigest(entry.sha256)) {
    return Wrong(where, "\"sha256\" must be 64 hexadecimal digits, the digest of the secret");
  }
  if (entry.certificate.size() > kMaxCertificateBytes) {
    return Wrong(where, absl::StrCat("\"certificate\" must be a name of at most ",
                                     kMaxCertificateBytes, " bytes"));
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string expires, TextOf(object, "expires", where));
  if (object.contains("expires")) {
    ASSAY_ASSIGN_OR_RETURN(entry.expires_micros,
                           ParseTimeMicros(expires, absl::StrCat(where, ": \"expires\"")));
  }
  ASSAY_ASSIGN_OR_RETURN(entry.max_unfinished_evaluations,
                         LimitOf(object, "max_unfinished_evaluations", where));
  ASSAY_ASSIGN_OR_RETURN(entry.max_uploads, LimitOf(object, "max_uploads", where));
  ASSAY_ASSIGN_OR_RETURN(entry.max_stored_bytes,
                         LimitOf(object, "max_stored_bytes", where, kMostStoredBytes));
  return entry;
}

}  // namespace

bool Allows(Scopes granted, Scopes needed) {
  return (granted & kScopeAdmin) != 0 || (granted & needed) == needed;
}

std::string ScopesText(Scopes scopes) {
  std::vector<std::string> names;
  for (const auto& [name, scope] : kScopeNames) {
    if ((scopes & scope) != 0) names.push_back(name);
  }
  return absl::StrJoin(names, ", ");
}

Scopes ScopeNamed(absl::string_view name) {
  for (const auto& [known, scope] : kScopeNames) {
    if (name == known) return scope;
  }
  return kScopeNone;
}

absl::StatusOr<Scopes> ParseScopes(absl::string_view text, absl::string_view field) {
  Scopes scopes = kScopeNone;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const Scopes scope = ScopeNamed(absl::StripAsciiWhitespace(part));
    if (scope == kScopeNone) {
      return Wrong(
          field, absl::StrCat("must be a list of ", ScopesText(kAllScopes), "; got '", text, "'"));
    }
    scopes |= scope;
  }
  return scopes;
}

bool IsTokenName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '-' || c == '@';
         });
}

absl::StatusOr<std::vector<TokenEntry>> ParseTokens(absl::string_view text,
                                                    const std::string& path) {
  std::vector<TokenEntry> entries;
  std::set<std::string> names, identities;
  int number = 0;
  for (const absl::string_view full : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(full);
    if (line.empty() || line[0] == '#') continue;
    const std::string where = absl::StrCat(path, ":", number);
    ASSAY_ASSIGN_OR_RETURN(TokenEntry entry, ParseEntry(line, where));
    if (!names.insert(entry.name).second) {
      return Wrong(where, absl::StrCat("is the second token with the name ", entry.name));
    }
    const std::string identity =
        entry.certificate.empty() ? "sha256 " + entry.sha256 : "certificate " + entry.certificate;
    if (!identities.insert(identity).second) {
      return Wrong(where, absl::StrCat("has the same ", identity, " as a line before it"));
    }
    entries.push_back(std::move(entry));
    if (entries.size() > kMaxTokens) {
      return Wrong(where, absl::StrCat("is one too many: at most ", kMaxTokens, " tokens"));
    }
  }
  return entries;
}

std::string TokenLine(const TokenEntry& entry) {
  nlohmann::ordered_json object;
  object["name"] = entry.name;
  object["scopes"] = json::array();
  for (const auto& [name, scope] : kScopeNames) {
    if ((entry.scopes & scope) != 0) object["scopes"].push_back(name);
  }
  if (!entry.sha256.empty()) object["sha256"] = entry.sha256;
  if (!entry.certificate.empty()) object["certificate"] = entry.certificate;
  if (entry.expires_micros.has_value()) object["expires"] = TimeText(*entry.expires_micros);
  if (entry.max_unfinished_evaluations.has_value()) {
    object["max_unfinished_evaluations"] = *entry.max_unfinished_evaluations;
  }
  if (entry.max_uploads.has_value()) object["max_uploads"] = *entry.max_uploads;
  if (entry.max_stored_bytes.has_value()) object["max_stored_bytes"] = *entry.max_stored_bytes;
  return object.dump();
}

std::string NewTokenSecret() {
  unsigned char bytes[kSecretBytes];
  // Without randomness there is no secret, and nothing that could be done about it.
  if (RAND_bytes(bytes, kSecretBytes) != 1) std::abort();
  return absl::StrCat("assay_", absl::WebSafeBase64Escape(absl::string_view(
                                    reinterpret_cast<const char*>(bytes), kSecretBytes)));
}

absl::StatusOr<std::string> TokenOfText(absl::string_view text, const std::string& path) {
  const absl::string_view token = absl::StripAsciiWhitespace(text);
  if (token.empty()) return Wrong(path, "has no token: it is empty");
  if (token.size() > kMaxSecretBytes || !std::all_of(token.begin(), token.end(), [](char c) {
        return absl::ascii_isgraph(static_cast<unsigned char>(c));
      })) {
    return Wrong(path, "must have one token and nothing else, as `assay token new` printed it");
  }
  return std::string(token);
}

absl::StatusOr<int64_t> ParseTimeMicros(absl::string_view text, absl::string_view field) {
  absl::Time time;
  std::string error;
  // Beyond what JSON and certificates can say, arithmetic with it is of no use either.
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error) &&
      time > absl::FromUnixSeconds(-62135596800) && time < absl::FromUnixSeconds(253402300800)) {
    return absl::ToUnixMicros(time);
  }
  return Wrong(field, absl::StrCat("must be a time such as 2027-03-01T00:00:00Z; got '",
                                   absl::Utf8SafeCEscape(text), "'"));
}

std::string TimeText(int64_t micros) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMicros(micros), absl::UTCTimeZone());
}

}  // namespace assay
