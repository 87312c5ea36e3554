#include "core/base/errors.h"

#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "net/grpc_status.h"

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

TEST(Errors, DetailsSurviveTheWayOverGrpc) {
  const absl::Status sent = Error(Reason::kQuotaExceeded, "too many")
                                .With("limit", "3")
                                .Violations({{"spec.limit", "must be 1"}})
                                .Resource("model", "models/m")
                                .RetryAfterSeconds(1.5);
  const absl::Status received = FromGrpcStatus(ToGrpcStatus(sent));
  EXPECT_EQ(received, sent);
  EXPECT_EQ(ReasonOf(received), Reason::kQuotaExceeded);
  ASSERT_EQ(ViolationsOf(received).size(), 1u);
  EXPECT_EQ(ViolationsOf(received)[0].field, "spec.limit");
}

TEST(Errors, InternalTextStaysInTheServer) {
  const grpc::Status status = ToGrpcStatus(Error(Reason::kStorageFailed, "/secret/path is broken"));
  EXPECT_THAT(status.error_message(), ::testing::Not(HasSubstr("secret")));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(status)), Reason::kStorageFailed);
}

TEST(Errors, ManyViolationsStaySmallEnoughForTrailers) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 500; ++i) {
    violations.push_back({absl::StrCat("field[", i, "]"), std::string(200, 'x')});
  }
  const grpc::Status status = ToGrpcStatus(InvalidFields(violations));
  EXPECT_LT(status.error_message().size() + status.error_details().size(), 8192u);
}

TEST(Errors, NearestFindsTypingErrorsAndNothingFarFetched) {
  const std::vector<std::string> words = {"contrast", "gaussian_noise", "clean"};
  EXPECT_EQ(Nearest("contrats", words), "contrast");
  EXPECT_EQ(Nearest("gausian_noise", words), "gaussian_noise");
  EXPECT_EQ(Nearest("zzzzzzzzzzzzzzz", words), "");
}

}  // namespace
}  // namespace assay
