#include "client/cli/base/exit_codes.h"

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "tests/all_reasons.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(ExitCodesTest, EveryReasonHasItsCode) {
  for (const Reason reason : AllReasons()) {
    int expected = kExitFailed;
    switch (ReasonCode(reason)) {
      case absl::StatusCode::kInvalidArgument:
        expected = kExitUsage;
        break;
      case absl::StatusCode::kCancelled:
        expected = kExitCancelled;
        break;
      case absl::StatusCode::kNotFound:
      case absl::StatusCode::kAlreadyExists:
      case absl::StatusCode::kFailedPrecondition:
        expected = kExitPrecondition;
        break;
      case absl::StatusCode::kUnavailable:
      case absl::StatusCode::kResourceExhausted:
        expected = kExitUnavailable;
        break;
      default:
        break;
    }
    if (reason == Reason::kEngineLost || reason == Reason::kOutOfMemory) expected = kExitFailed;
    if (reason == Reason::kGateFailed) expected = kExitGate;
    if (reason == Reason::kUnauthenticated || reason == Reason::kPermissionDenied ||
        reason == Reason::kServerNotTrusted) {
      expected = kExitAuthentication;
    }
    EXPECT_EQ(ExitCodeOf(Error(reason, "text").ToStatus()), expected) << ReasonName(reason);
  }
}

TEST(ExitCodesTest, NumbersAreThoseOfTheManual) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(Error(Reason::kGateFailed, "")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(Error(Reason::kUnreadableInput, "")), 2);
  EXPECT_EQ(ExitCodeOf(Error(Reason::kEvaluationFailed, "")), 3);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::CancelledError("")), 4);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 5);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), 5);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("")), 6);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), 6);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 7);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), 7);
}

TEST(ErrorTextTest, OneViolationIsSaidOnce) {
  const std::string text = ErrorText(InvalidFields({{"spec.limit", "must be at least 0"}}));
  EXPECT_THAT(text, StartsWith("error: spec.limit: must be at least 0\nhint: "));
}

TEST(ErrorTextTest, SeveralViolationsHaveALineEach) {
  EXPECT_THAT(ErrorText(InvalidFields({{"a", "must be b"}, {"c", "must be d"}})),
              StartsWith("error: 2 things are not valid\n  a: must be b\n  c: must be d\nhint: "));
}

TEST(ErrorTextTest, ViolationsFollowATextOfItsOwn) {
  const absl::Status status = Error(Reason::kInvalidCondition, "nothing fits")
                                  .Violations({{"conditions[0]", "no such attack"}});
  EXPECT_THAT(ErrorText(status),
              StartsWith("error: nothing fits\n  conditions[0]: no such attack\n"));
}

TEST(ErrorTextTest, WhatTheServerLoggedHasItsId) {
  absl::Status status = Error(Reason::kInternal, "internal error").ToStatus();
  EXPECT_THAT(ErrorText(status), Not(HasSubstr("request:")));
  google::rpc::RequestInfo info;
  info.set_request_id("5b0c-1");
  status.SetPayload("type.googleapis.com/google.rpc.RequestInfo",
                    absl::Cord(info.SerializeAsString()));
  EXPECT_THAT(ErrorText(status),
              HasSubstr("\nrequest: 5b0c-1 is what the server's log calls it\nhint: "));
}

TEST(ErrorTextTest, ServersCannotMoveTheCursor) {
  EXPECT_THAT(ErrorText(absl::NotFoundError("x\x1b[2J")), Not(HasSubstr("\x1b")));
}

TEST(ErrorTextTest, LinesAfterTheFirstAreIndented) {
  EXPECT_EQ(ErrorText(absl::DataLossError("first\nsecond")), "error: first\n  second\n");
}

TEST(HintTest, EveryReasonButCancellationHasAdvice) {
  for (const Reason reason : AllReasons()) {
    EXPECT_EQ(HintOf(Error(reason, "text").ToStatus()).empty(), reason == Reason::kCancelled)
        << ReasonName(reason);
  }
}

TEST(HintTest, FailedEvaluationGetsTheAdviceOfItsCause) {
  const absl::Status status =
      Error(Reason::kEvaluationFailed, "failed").With("failure_reason", "MODEL_NOT_FINITE");
  EXPECT_EQ(HintOf(status), HintOf(Error(Reason::kModelNotFinite, "")));
}

}  // namespace
}  // namespace assay::cli
