#include "core/base/errors.h"

#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "tests/all_reasons.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

TEST(Errors, EveryReasonHasANameOfItsOwnThatReadsBack) {
  std::set<std::string> names;
  for (const Reason reason : AllReasons()) {
    const std::string name(ReasonName(reason));
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(ReasonFromName(name), reason);
    EXPECT_NE(ReasonCode(reason), absl::StatusCode::kOk);
  }
  EXPECT_EQ(ReasonFromName("NO_SUCH_REASON"), std::nullopt);
}

TEST(Errors, EveryReasonIsDocumentedWithItsCodeAndNothingElseIs) {
  std::ifstream file(ASSAY_SOURCE_DIR "/docs/errors.md");
  std::stringstream text;
  text << file.rdbuf();
  size_t rows = 0;
  std::string line;
  while (std::getline(text, line)) rows += line.rfind("| `", 0) == 0 ? 1 : 0;
  EXPECT_EQ(rows, AllReasons().size());
  for (const Reason reason : AllReasons()) {
    EXPECT_THAT(text.str(), HasSubstr(absl::StrCat("| `", ReasonName(reason), "` | ",
                                                   absl::StatusCodeToString(ReasonCode(reason)))));
  }
}

TEST(Errors, AQuotaSaysWhoseItIsAndWhatItIs) {
  const absl::Status status = Error(Reason::kQuotaExceeded, "too many")
                                  .Quota("token:ci", "max_uploads = 2")
                                  .RetryAfterSeconds(5);
  google::rpc::QuotaFailure quota;
  const auto payload = status.GetPayload("type.googleapis.com/google.rpc.QuotaFailure");
  ASSERT_TRUE(payload.has_value());
  ASSERT_TRUE(quota.ParseFromString(std::string(*payload)));
  ASSERT_EQ(quota.violations_size(), 1);
  EXPECT_EQ(quota.violations(0).subject(), "token:ci");
  EXPECT_EQ(quota.violations(0).description(), "max_uploads = 2");
  EXPECT_EQ(ReasonOf(status), Reason::kQuotaExceeded);
}

TEST(Errors, NearestFindsTypingErrorsAndNothingFarFetched) {
  const std::vector<std::string> words = {"contrast", "gaussian_noise", "clean"};
  EXPECT_EQ(Nearest("contrats", words), "contrast");
  EXPECT_EQ(Nearest("gausian_noise", words), "gaussian_noise");
  EXPECT_EQ(Nearest("zzzzzzzzzzzzzzz", words), "");
}

}  // namespace
}  // namespace assay
