#include "net/grpc_status.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

TEST(GrpcStatus, DetailsSurviveTheWayOverGrpc) {
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

TEST(GrpcStatus, InternalTextStaysInTheServer) {
  const grpc::Status status = ToGrpcStatus(Error(Reason::kStorageFailed, "/secret/path is broken"));
  EXPECT_THAT(status.error_message(), ::testing::Not(HasSubstr("secret")));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(status)), Reason::kStorageFailed);
}

TEST(GrpcStatus, ManyViolationsStaySmallEnoughForTrailers) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 500; ++i) {
    violations.push_back({absl::StrCat("field[", i, "]"), std::string(200, 'x')});
  }
  const grpc::Status status = ToGrpcStatus(InvalidFields(violations));
  EXPECT_LT(status.error_message().size() + status.error_details().size(), 8192u);
}

}  // namespace
}  // namespace assay
