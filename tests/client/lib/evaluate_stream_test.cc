#include "gmock/gmock.h"
#include "net/grpc_status.h"
#include "tests/client/lib/client_fixture.h"

namespace assay::client {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

class EvaluateStreamTest : public ClientFixture {
 protected:
  void SetUp() override {
    ClientFixture::SetUp();
    start_.set_model("models/m");
    start_.add_conditions("clean");
    state()->events = {FakeEvent("", v1::Evaluation::SUCCEEDED, 10)};
    listener_.on_accepted = [this](const v1::Evaluation& evaluation) {
      names_.push_back(evaluation.name());
    };
    listener_.on_acknowledged = [this](int64_t done, int64_t total) {
      EXPECT_EQ(total, 10);
      EXPECT_GE(done, acknowledged_);
      acknowledged_ = done;
    };
  }

  // Every sample arrived once, in order.
  void ExpectAllSamples(int64_t samples) {
    int64_t next = 0;
    const std::vector<v1::EvaluateRequest::Batch> batches = state()->batches;
    for (size_t i = 0; i < batches.size(); ++i) {
      EXPECT_EQ(batches[i].index(), static_cast<int64_t>(i));
      EXPECT_EQ(batches[i].images().size(),
                static_cast<size_t>(batches[i].labels_size()) * 1'000'000);
      for (const int32_t label : batches[i].labels()) EXPECT_EQ(label, next++ % 10);
    }
    EXPECT_EQ(next, samples);
  }

  // Three batches of 4, 4 and 2 samples.
  CountingReader reader_{10, 1000};
  v1::EvaluateRequest::Start start_;
  StreamListener listener_;
  std::vector<std::string> names_;
  int64_t acknowledged_ = 0;
};

TEST_F(EvaluateStreamTest, SamplesGoOutAndTheEndComesBack) {
  const auto end = client_->Evaluate(start_, reader_, 0, listener_);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->evaluation().state(), v1::Evaluation::SUCCEEDED);
  ExpectAllSamples(10);
  EXPECT_EQ(acknowledged_, 10);
  ASSERT_THAT(state()->starts, SizeIs(1));
  EXPECT_EQ(state()->starts[0].shape().height(), 1000);
  EXPECT_EQ(state()->starts[0].class_names_size(), 2);
  EXPECT_THAT(names_, ::testing::ElementsAre(MatchesRegex("evaluations/m-[0-9a-f]+")));
}

TEST_F(EvaluateStreamTest, LimitCutsTheData) {
  listener_.on_acknowledged = nullptr;
  ASSERT_TRUE(client_->Evaluate(start_, reader_, 5, listener_).ok());
  ExpectAllSamples(5);
}

TEST_F(EvaluateStreamTest, BrokenStreamGoesOnAfterTheLastBatch) {
  state()->evaluate_breaks_after = 1;
  const auto end = client_->Evaluate(start_, reader_, 0, listener_);
  ASSERT_TRUE(end.ok()) << end.status();
  ExpectAllSamples(10);
  ASSERT_THAT(state()->starts, SizeIs(2));
  EXPECT_EQ(state()->starts[1].resume(), names_[0]);
  EXPECT_THAT(names_, SizeIs(1));
}

TEST_F(EvaluateStreamTest, LostAcceptanceLeavesOneEvaluation) {
  state()->evaluate_breaks_unaccepted = true;
  ASSERT_TRUE(client_->Evaluate(start_, reader_, 0, listener_).ok());
  EXPECT_THAT(state()->evaluations, SizeIs(1));
  ExpectAllSamples(10);
}

TEST_F(EvaluateStreamTest, RequestThatNeverArrivedIsMadeAgain) {
  state()->failures["Evaluate"] = {grpc::Status(grpc::StatusCode::UNAVAILABLE, "away")};
  ASSERT_TRUE(client_->Evaluate(start_, reader_, 0, listener_).ok());
  ExpectAllSamples(10);
  EXPECT_TRUE(state()->starts.back().resume().empty());
}

TEST_F(EvaluateStreamTest, StreamThatBreaksAfterAllDataIsWatchedInstead) {
  state()->evaluate_breaks_after = 3;
  const auto end = client_->Evaluate(start_, reader_, 0, listener_);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->evaluation().state(), v1::Evaluation::SUCCEEDED);
  EXPECT_EQ(state()->calls["WatchEvaluation"], 1);
  ExpectAllSamples(10);
}

TEST_F(EvaluateStreamTest, UnreadableDataCancelsTheEvaluation) {
  reader_.fails_at_ = 6;
  const auto end = client_->Evaluate(start_, reader_, 0, listener_);
  EXPECT_EQ(ReasonOf(end.status()), Reason::kUnreadableInput);
  EXPECT_EQ(state()->evaluations[names_[0]].state(), v1::Evaluation::CANCELLED);
}

TEST_F(EvaluateStreamTest, RefusalIsReported) {
  state()->failures["Evaluate"] = {ToGrpcStatus(NotFound("model", "models/m"))};
  const auto end = client_->Evaluate(start_, reader_, 0, listener_);
  EXPECT_EQ(ReasonOf(end.status()), Reason::kNotFound);
  EXPECT_THAT(std::string(end.status().message()), HasSubstr("models/m"));
  EXPECT_THAT(names_, SizeIs(0));
}

}  // namespace
}  // namespace assay::client
