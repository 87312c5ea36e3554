#include "server/store/aws_credentials.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/errors.h"

namespace assay::store {
namespace {

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string UsualFile() {
  std::string file = Variable("AWS_SHARED_CREDENTIALS_FILE");
  if (!file.empty()) return file;
  const std::string home = Variable("HOME");
  return home.empty() ? "" : absl::StrCat(home, "/.aws/credentials");
}

AwsKeys OfEnvironment() {
  return {Variable("AWS_ACCESS_KEY_ID"), Variable("AWS_SECRET_ACCESS_KEY"),
          Variable("AWS_SESSION_TOKEN")};
}

bool IsComplete(const AwsKeys& keys) { return !keys.id.empty() && !keys.secret.empty(); }

}  // namespace

absl::StatusOr<AwsKeys> ParseAwsCredentials(absl::string_view text, const std::string& profile) {
  AwsKeys keys;
  bool here = false;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line.front() == '[' && line.back() == ']') {
      here = absl::StripAsciiWhitespace(line.substr(1, line.size() - 2)) == profile;
      continue;
    }
    if (!here) continue;
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    const absl::string_view name = absl::StripAsciiWhitespace(pair.first);
    const std::string value(absl::StripAsciiWhitespace(pair.second));
    if (name == "aws_access_key_id") keys.id = value;
    if (name == "aws_secret_access_key") keys.secret = value;
    if (name == "aws_session_token") keys.session_token = value;
  }
  if (IsComplete(keys)) return keys;
  return Error(
             Reason::kInvalidArgument,
             absl::StrCat("has no aws_access_key_id and aws_secret_access_key in [", profile, "]"))
      .ToStatus();
}

AwsCredentials::AwsCredentials(const std::string& file)
    : of_environment_(file.empty() ? OfEnvironment() : AwsKeys()),
      file_(file.empty() ? UsualFile() : file),
      profile_(Variable("AWS_PROFILE").empty() ? "default" : Variable("AWS_PROFILE")) {}

absl::StatusOr<AwsKeys> AwsCredentials::Get() {
  if (IsComplete(of_environment_)) return of_environment_;
  MutexLock lock(mutex_);
  struct stat status;
  if (file_.empty() || ::stat(file_.c_str(), &status) != 0) {
    // One that is being replaced is there again in a moment.
    if (read_nanos_ >= 0) return read_;
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("object storage needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in "
                              "the environment, or a file with them",
                              file_.empty() ? "" : absl::StrCat("; there is no ", file_)))
        .ToStatus();
  }
  const int64_t modified =
      int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + int64_t{status.st_mtim.tv_nsec};
  if (modified == read_nanos_) return read_;
  std::ifstream file(file_);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  auto keys = ParseAwsCredentials(text, profile_);
  if (!keys.ok()) {
    if (read_nanos_ >= 0) return read_;  // half written
    return WithMessage(keys.status(), absl::StrCat(file_, " ", keys.status().message()));
  }
  read_nanos_ = modified;
  read_ = *std::move(keys);
  return read_;
}

}  // namespace assay::store
