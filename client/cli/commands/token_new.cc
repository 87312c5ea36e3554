// `assay token new`: a secret, which is shown once, and what the server is to know of it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/base/command.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "net/tokens.h"

namespace assay::cli {
namespace {

constexpr int kMostOfALimit = 1'000'000;
constexpr int64_t kMostStoredBytes = 1'000'000'000'000'000;

struct TokenNewOptions {
  std::string name;
  std::string scopes;
  std::string expires;
  std::string certificate;
  std::string secret_file;
  // Below 0: no limit.
  int64_t max_uploads = -1;
  int64_t max_unfinished_evaluations = -1;
  // Empty: no limit.
  std::string max_stored_bytes;
};

// "90d", "12h", or a time.
absl::StatusOr<int64_t> ExpiryMicros(const std::string& text, int64_t now_micros) {
  constexpr int64_t kHour = 3'600'000'000;
  constexpr int64_t kMostDays = 36'500;
  int64_t count = 0;
  const char unit = text.empty() ? '\0' : text.back();
  const std::string digits = text.substr(0, text.size() - (text.empty() ? 0 : 1));
  if ((unit == 'd' || unit == 'h') && !digits.empty() &&
      std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) &&
      absl::SimpleAtoi(digits, &count) && count > 0 &&
      count <= (unit == 'd' ? kMostDays : kMostDays * 24)) {
    return now_micros + count * (unit == 'd' ? 24 * kHour : kHour);
  }
  const auto time = ParseTimeMicros(text, "--expires");
  if (!time.ok()) {
    return InvalidFields(
        {{"--expires",
          absl::StrCat("must be like 90d, 12h or 2027-03-01T00:00:00Z; got '", text, "'")}});
  }
  if (*time <= now_micros) {
    return InvalidFields({{"--expires", absl::StrCat(text, " is over already")}});
  }
  return time;
}

// For its owner alone from the beginning, and never over another secret.
absl::Status WriteSecret(const std::string& path, const std::string& secret) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const std::string line = secret + "\n";
  const bool written =
      fd >= 0 && write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const int error = errno;
  if (fd >= 0 && close(fd) == 0 && written) return absl::OkStatus();
  return InvalidFields(
      {{"--secret", absl::StrCat(path, " cannot be written: ", std::strerror(error))}});
}

absl::Status MakeToken(const TokenNewOptions& options, Session& session) {
  TokenEntry entry;
  entry.name = options.name;
  if (!IsTokenName(entry.name)) {
    return InvalidFields({{"name", absl::StrCat("must be ", kTokenNameRule)}});
  }
  ASSAY_ASSIGN_OR_RETURN(entry.scopes, ParseScopes(options.scopes, "--scopes"));
  if (!options.expires.empty()) {
    ASSAY_ASSIGN_OR_RETURN(entry.expires_micros,
                           ExpiryMicros(options.expires, SystemClock().NowMicros()));
  }
  if (options.max_uploads >= 0) entry.max_uploads = options.max_uploads;
  if (options.max_unfinished_evaluations >= 0) {
    entry.max_unfinished_evaluations = options.max_unfinished_evaluations;
  }
  if (!options.max_stored_bytes.empty()) {
    int64_t bytes = 0;
    if (!absl::SimpleAtoi(options.max_stored_bytes, &bytes) || bytes < 0 ||
        bytes > kMostStoredBytes) {
      return InvalidFields({{"--max-stored-bytes", absl::StrCat("must be a number of bytes from 0 "
                                                                "to ",
                                                                kMostStoredBytes)}});
    }
    entry.max_stored_bytes = bytes;
  }
  entry.certificate = options.certificate;
  if (!entry.certificate.empty()) return session.Print(TokenLine(entry) + "\n");
  const std::string secret = NewTokenSecret();
  entry.sha256 = Sha256Hex(secret);
  if (!options.secret_file.empty()) {
    ASSAY_RETURN_IF_ERROR(WriteSecret(options.secret_file, secret));
    session.Say(absl::StrCat("the secret is in ", options.secret_file));
    return session.Print(TokenLine(entry) + "\n");
  }
  session.Say("the secret, which is shown this once, then the line for the server's --tokens file");
  return session.Print(absl::StrCat(secret, "\n", TokenLine(entry), "\n"));
}

}  // namespace

CommandRun TokenNew(Leaf& leaf) {
  const auto options = std::make_shared<TokenNewOptions>();
  leaf.Add("name", &options->name, "Who will have it: for the audit log").Required();
  leaf.Add("--scopes", &options->scopes, "What it may do: of read, upload, submit, admin")
      .Required()
      .TypeName("LIST");
  leaf.Add("--expires", &options->expires, "After so long (90d, 12h), or at a time (RFC 3339)")
      .TypeName("WHEN");
  const Option secret = leaf.Add("--secret", &options->secret_file,
                                 "Write the secret to this new file, for you alone, and print only "
                                 "the line");
  leaf.Add("--certificate", &options->certificate,
           "No secret: who shows a client certificate of this name")
      .Excludes(secret)
      .TypeName("NAME");
  leaf.Add("--max-uploads", &options->max_uploads, "Uploads at a time").From(0, kMostOfALimit);
  leaf.Add("--max-unfinished-evaluations", &options->max_unfinished_evaluations,
           "Unfinished evaluations at a time")
      .From(0, kMostOfALimit);
  leaf.Add("--max-stored-bytes", &options->max_stored_bytes,
           "Bytes of the models and datasets that it has made")
      .TypeName("BYTES");
  leaf.Footer(
      "Example:\n  assay token new ci --scopes read,upload,submit --expires 90d --secret ci.token "
      ">> tokens");
  return [options](Session& session) { return MakeToken(*options, session); };
}

}  // namespace assay::cli
