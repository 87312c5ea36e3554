// Bearer tokens: what may be done with one (scopes), and the file in which a server keeps them,
// which has digests and no secrets. Read by assayd, written line by line by `assay token new`.
//
// One JSON object a line; empty lines, and lines that begin with '#', are passed over:
//   {"name": "ci", "scopes": ["read", "submit"], "sha256": "9f86...", "expires":
//    "2027-03-01T00:00:00Z", "max_uploads": 4, "max_unfinished_evaluations": 10,
//    "max_stored_bytes": 50000000000}
// `certificate` in place of `sha256` is the name (common name or alternative name) in a client
// certificate.
#ifndef ASSAY_NET_TOKENS_H_
#define ASSAY_NET_TOKENS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay {

// A set of what a caller may do, or of what a call needs. kAdmin in the former stands for all.
enum Scope : unsigned {
  kScopeNone = 0,
  kScopeRead = 1,    // look at models, datasets, evaluations and results
  kScopeUpload = 2,  // bring models and datasets
  kScopeSubmit = 4,  // make the server compute, and stop that
  kScopeAdmin = 8,   // delete, run the server, and all of the above
};
using Scopes = unsigned;
inline constexpr Scopes kAllScopes = kScopeRead | kScopeUpload | kScopeSubmit | kScopeAdmin;

// Whether a caller with `granted` may make a call that needs `needed`.
bool Allows(Scopes granted, Scopes needed);
// "read, submit".
std::string ScopesText(Scopes scopes);
// "read" and so on; kScopeNone for no scope's name.
Scopes ScopeNamed(absl::string_view name);
// "read,submit". kInvalidArgument naming `field`.
absl::StatusOr<Scopes> ParseScopes(absl::string_view text, absl::string_view field);

struct TokenEntry {
  std::string name;
  Scopes scopes = kScopeNone;
  // One of the two: 64 hexadecimal digits of the secret's digest, or a name in certificates.
  std::string sha256;
  std::string certificate;
  // Microseconds since the Unix epoch.
  std::optional<int64_t> expires_micros;
  // Unlimited where not set.
  std::optional<int64_t> max_unfinished_evaluations;
  std::optional<int64_t> max_uploads;
  std::optional<int64_t> max_stored_bytes;
};

inline constexpr size_t kMaxTokens = 10'000;
inline constexpr char kTokenNameRule[] = "1 to 63 of letters, digits, '.', '_', '-' and '@'";
bool IsTokenName(absl::string_view name);

// kInvalidArgument naming `path` and the line for the first thing that is wrong: what is no such
// object, unknown or repeated keys, repeated names, digests or certificates, bad values.
absl::StatusOr<std::vector<TokenEntry>> ParseTokens(absl::string_view text,
                                                    const std::string& path);
// A line for the file, without a line feed.
std::string TokenLine(const TokenEntry& entry);

// A new secret: "assay_" and 256 random bits of the system in base 64.
std::string NewTokenSecret();

// A secret as a file has it: without the white space around it. kInvalidArgument, naming `path`,
// for what cannot be a token: nothing, several lines, blanks or control characters within.
absl::StatusOr<std::string> TokenOfText(absl::string_view text, const std::string& path);

// A time of RFC 3339, for the file and for people. kInvalidArgument naming `field`.
absl::StatusOr<int64_t> ParseTimeMicros(absl::string_view text, absl::string_view field);
std::string TimeText(int64_t micros);

}  // namespace assay

#endif  // ASSAY_NET_TOKENS_H_
