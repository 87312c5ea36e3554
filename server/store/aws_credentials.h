// Who asks the object storage: keys as the programs of AWS take them, from the environment or from
// a file, never from a flag.
#ifndef ASSAY_SERVER_STORE_AWS_CREDENTIALS_H_
#define ASSAY_SERVER_STORE_AWS_CREDENTIALS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/mutex.h"

namespace assay::store {

struct AwsKeys {
  std::string id;
  std::string secret;
  std::string session_token;  // empty: none
};

// Of [profile] in a file such as ~/.aws/credentials. kInvalidArgument: no keys are there.
absl::StatusOr<AwsKeys> ParseAwsCredentials(absl::string_view text, const std::string& profile);

// Thread-safe.
class AwsCredentials {
 public:
  // `file` empty: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, if they are set,
  // else the file of AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials. In a file the profile is
  // that of AWS_PROFILE, or "default".
  explicit AwsCredentials(const std::string& file = "");
  // As they are now: a file is read again when it has changed, so that keys can be renewed.
  // kInvalidArgument without any; the text names files and variables, never a key.
  absl::StatusOr<AwsKeys> Get();

 private:
  const AwsKeys of_environment_;
  const std::string file_;
  const std::string profile_;
  Mutex mutex_;
  int64_t read_nanos_ ABSL_GUARDED_BY(mutex_) = -1;  // modification of the file as it was read
  AwsKeys read_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_AWS_CREDENTIALS_H_
