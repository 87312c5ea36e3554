#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "net/grpc_status.h"
#include "tests/client/lib/client_fixture.h"

namespace assay::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kName[] = "evaluations/e";
const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "away");

class WatchTest : public ClientFixture {
 protected:
  void SetUp() override {
    ClientFixture::SetUp();
    request_.set_name(kName);
    state()->events = {FakeEvent(kName, v1::Evaluation::QUEUED, 0),
                       FakeEvent(kName, v1::Evaluation::RUNNING, 3),
                       FakeEvent(kName, v1::Evaluation::RUNNING, 6),
                       FakeEvent(kName, v1::Evaluation::SUCCEEDED, 10)};
    listener_.on_event = [this](const v1::EvaluationEvent& event) {
      seen_.push_back(event.sequence());
    };
    listener_.on_interruption = [this](const absl::Status&) { ++interruptions_; };
  }

  v1::WatchEvaluationRequest request_;
  WatchListener listener_;
  std::vector<int64_t> seen_;
  int interruptions_ = 0;
  std::thread helper_;
};

TEST_F(WatchTest, EventsArriveUntilTheEnd) {
  const auto end = client_->Watch(request_, listener_);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->evaluation().state(), v1::Evaluation::SUCCEEDED);
  EXPECT_THAT(seen_, ElementsAre(0, 1, 2, 3));
}

TEST_F(WatchTest, BrokenWatchResumesWithItsTokenAndMissesNothing) {
  state()->watch_breaks_after = {2, 0, 1};
  const auto end = client_->Watch(request_, listener_);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_THAT(seen_, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(state()->watch_tokens, ElementsAre("", "1", "1", "2"));
  EXPECT_EQ(interruptions_, 3);
}

TEST_F(WatchTest, GivenTokenIsUsed) {
  request_.set_resume_token("2");
  ASSERT_TRUE(client_->Watch(request_, listener_).ok());
  EXPECT_THAT(seen_, ElementsAre(3));
}

TEST_F(WatchTest, ServerThatStaysAwayIsGivenUpAfterAMinute) {
  state()->failures["WatchEvaluation"] = std::vector<grpc::Status>(1000, kUnavailable);
  const int64_t begin = clock_.NowMicros();
  const auto end = client_->Watch(request_, listener_);
  EXPECT_EQ(end.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(end.status().message()), HasSubstr("gave up after"));
  const double seconds = static_cast<double>(clock_.NowMicros() - begin) * 1e-6;
  EXPECT_GT(seconds, 45);
  EXPECT_LE(seconds, 60);
  // The waits grow.
  EXPECT_LT(waits_.front(), 0.5);
  EXPECT_GT(waits_.back(), 5);
}

TEST_F(WatchTest, EventsRestorePatience) {
  // 200 breaks with an event between each two take far more than a minute in all.
  state()->events.clear();
  for (int i = 0; i < 200; ++i) {
    state()->events.push_back(FakeEvent(kName, v1::Evaluation::RUNNING, 1));
    state()->watch_breaks_after.push_back(1);
    state()->failures["WatchEvaluation"].push_back(grpc::Status::OK);
    state()->failures["WatchEvaluation"].push_back(kUnavailable);
  }
  state()->events.push_back(FakeEvent(kName, v1::Evaluation::SUCCEEDED, 10));
  const int64_t begin = clock_.NowMicros();
  const auto end = client_->Watch(request_, listener_);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_GT(clock_.NowMicros() - begin, 60'000'000);
  EXPECT_THAT(seen_, SizeIs(201));
}

TEST_F(WatchTest, OtherErrorsAreFinal) {
  state()->failures["WatchEvaluation"] = {ToGrpcStatus(NotFound("evaluation", kName))};
  const auto end = client_->Watch(request_, listener_);
  EXPECT_EQ(ReasonOf(end.status()), Reason::kNotFound);
  EXPECT_THAT(waits_, SizeIs(0));
}

TEST_F(WatchTest, InterruptEndsAWatchThatWaits) {
  state()->events.resize(2);
  listener_.on_event = [this](const v1::EvaluationEvent& event) {
    seen_.push_back(event.sequence());
    if (event.sequence() == 1) {
      // From another thread, while this one reads again.
      helper_ = std::thread([this] { interrupt_.Trigger(); });
    }
  };
  const auto end = client_->Watch(request_, listener_);
  helper_.join();
  EXPECT_EQ(ReasonOf(end.status()), Reason::kCancelled);
  EXPECT_EQ(end.status().message(), "interrupted");
}

TEST_F(WatchTest, EndsBecomeErrorsOfTheirKind) {
  v1::Evaluation evaluation;
  evaluation.set_name(kName);
  evaluation.set_state(v1::Evaluation::SUCCEEDED);
  EXPECT_TRUE(EndStatus(evaluation).ok());
  evaluation.set_state(v1::Evaluation::CANCELLED);
  EXPECT_EQ(ReasonOf(EndStatus(evaluation)), Reason::kCancelled);
  evaluation.set_state(v1::Evaluation::FAILED);
  evaluation.mutable_failure()->set_reason("MODEL_FAILED");
  evaluation.mutable_failure()->set_message("it divided by zero");
  EXPECT_EQ(ReasonOf(EndStatus(evaluation)), Reason::kEvaluationFailed);
  EXPECT_THAT(std::string(EndStatus(evaluation).message()), HasSubstr("divided by zero"));
}

class OutcomesTest : public ClientFixture {};

TEST_F(OutcomesTest, EveryBatchIsHandedOn) {
  state()->outcomes.resize(3);
  for (int i = 0; i < 3; ++i)
    state()->outcomes[static_cast<size_t>(i)].set_condition(absl::StrCat(i));
  state()->failures["StreamOutcomes"] = {kUnavailable};
  std::string seen;
  const auto status = client_->StreamOutcomes(kName, {}, [&](const auto& batch) {
    seen += batch.condition();
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen, "012");
}

TEST_F(OutcomesTest, ReceiverCanStop) {
  state()->outcomes.resize(3);
  int seen = 0;
  const auto status = client_->StreamOutcomes(kName, {}, [&](const auto&) {
    ++seen;
    return absl::DataLossError("disk full");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(seen, 1);
}

}  // namespace
}  // namespace assay::client
