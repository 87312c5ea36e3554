#include "client/lib/retry.h"

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "net/grpc_status.h"
#include "tests/client/lib/client_fixture.h"

namespace assay::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kEvaluation[] = "evaluations/e";
const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "away");

class RetryTest : public ClientFixture {
 protected:
  void SetUp() override {
    ClientFixture::SetUp();
    for (const char* name : {"models/a", "models/b", "models/c", "models/d", "models/e"}) {
      state()->models[name].set_name(name);
    }
  }
};

TEST_F(RetryTest, IdempotentCallsAreRepeated) {
  state()->failures["GetModel"] = {kUnavailable, kUnavailable};
  EXPECT_TRUE(client_->GetModel("models/a").ok());
  EXPECT_EQ(state()->calls["GetModel"], 3);
  EXPECT_THAT(waits_, SizeIs(2));
}

TEST_F(RetryTest, AComparisonIsAskedForAgain) {
  state()->failures["CompareEvaluations"] = {kUnavailable};
  state()->comparison.set_dataset("datasets/d");
  v1::CompareEvaluationsRequest request;
  request.add_names(kEvaluation);
  const auto comparison = client_->CompareEvaluations(request);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->dataset(), "datasets/d");
  EXPECT_EQ(state()->calls["CompareEvaluations"], 2);
}

TEST_F(RetryTest, EveryCallHasAnIdThatErrorsOfTheServerName) {
  const auto id_of = [](const absl::Status& status) {
    google::rpc::RequestInfo info;
    const auto payload = status.GetPayload("type.googleapis.com/google.rpc.RequestInfo");
    if (payload.has_value()) info.ParseFromString(std::string(*payload));
    return info.request_id();
  };
  state()->failures["GetModel"] = {grpc::Status(grpc::StatusCode::INTERNAL, "internal error"),
                                   grpc::Status(grpc::StatusCode::NOT_FOUND, "nothing there")};
  const absl::Status internal = client_->GetModel("models/a").status();
  const absl::Status missing = client_->GetModel("models/a").status();
  // Whoever looks at the state locks it.
  const auto ids = state()->call_ids;
  ASSERT_THAT(ids, SizeIs(2));
  EXPECT_THAT(ids[0], SizeIs(36));
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_EQ(id_of(internal), ids[0]);
  EXPECT_EQ(id_of(missing), "");
}

TEST_F(RetryTest, TheServersDelayIsHonoured) {
  state()->failures["GetModel"] = {
      ToGrpcStatus(Error(Reason::kShuttingDown, "stopping").RetryAfterSeconds(7.5))};
  EXPECT_TRUE(client_->GetModel("models/a").ok());
  EXPECT_THAT(waits_, ElementsAre(7.5));
}

TEST_F(RetryTest, DelayBeyondPatienceIsNotWaitedFor) {
  state()->failures["GetModel"] = {
      ToGrpcStatus(Error(Reason::kShuttingDown, "stopping").RetryAfterSeconds(3600))};
  const auto model = client_->GetModel("models/a");
  EXPECT_EQ(ReasonOf(model.status()), Reason::kShuttingDown);
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("stopping"));
  EXPECT_THAT(waits_, SizeIs(0));
}

TEST_F(RetryTest, DeathOfTheModelsEngineIsFinal) {
  state()->failures["GetModel"] = {ToGrpcStatus(Error(Reason::kEngineLost, "the engine died"))};
  EXPECT_EQ(ReasonOf(client_->GetModel("models/a").status()), Reason::kEngineLost);
  EXPECT_THAT(waits_, SizeIs(0));
}

TEST_F(RetryTest, DeletionIsNotRepeated) {
  state()->failures["DeleteModel"] = {kUnavailable};
  EXPECT_EQ(client_->DeleteModel("models/a").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(state()->calls["DeleteModel"], 1);
}

TEST_F(RetryTest, ACancelWhoseAnswerIsLostIsACancel) {
  state()->evaluations[kEvaluation].set_name(kEvaluation);
  state()->failures["CancelEvaluation"] = {kUnavailable, kUnavailable};
  const auto repeated = client_->CancelEvaluation(kEvaluation);
  ASSERT_TRUE(repeated.ok()) << repeated.status();
  EXPECT_EQ(repeated->state(), v1::Evaluation::CANCELLED);
  EXPECT_EQ(state()->calls["CancelEvaluation"], 3);

  const grpc::Status ended(grpc::StatusCode::FAILED_PRECONDITION, "has ended");
  state()->failures["CancelEvaluation"] = {kUnavailable, ended};
  EXPECT_TRUE(client_->CancelEvaluation(kEvaluation).ok());
  // But not where nothing was lost, nor where it ended otherwise.
  state()->failures["CancelEvaluation"] = {ended};
  EXPECT_EQ(client_->CancelEvaluation(kEvaluation).status().message(), "has ended");
  state()->evaluations[kEvaluation].set_state(v1::Evaluation::SUCCEEDED);
  state()->failures["CancelEvaluation"] = {kUnavailable, ended};
  EXPECT_EQ(client_->CancelEvaluation(kEvaluation).status().message(), "has ended");
}

TEST_F(RetryTest, AllPagesAreListed) {
  state()->failures["ListModels"] = {grpc::Status::OK, kUnavailable};
  const auto models = client_->ListModels();
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_THAT(*models, SizeIs(5));
  EXPECT_EQ(models->back().name(), "models/e");
}

TEST_F(RetryTest, DetailsSurviveTheNetwork) {
  state()->failures["GetModel"] = {
      ToGrpcStatus(InvalidFields({{"name", "must be a name"}, {"shape", "must be a shape"}}))};
  const auto model = client_->GetModel("models/a");
  const auto violations = ViolationsOf(model.status());
  ASSERT_THAT(violations, SizeIs(2));
  EXPECT_EQ(violations[1].field, "shape");
}

TEST(InterruptTest, ActionOfAScopeRunsOnceAndOnlyWithinIt) {
  Interrupt interrupt;
  int runs = 0;
  {
    Interrupt::Scope ended(interrupt, [&] { runs += 100; });
  }
  Interrupt::Scope scope(interrupt, [&] { ++runs; });
  interrupt.Trigger();
  interrupt.Trigger();
  EXPECT_EQ(runs, 1);
  Interrupt::Scope late(interrupt, [&] { runs += 10; });
  EXPECT_EQ(runs, 11);
  EXPECT_FALSE(interrupt.SleepFor(std::chrono::hours(1)));
}

}  // namespace
}  // namespace assay::client
