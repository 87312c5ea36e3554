// Streams: evaluations whose manifest grows while they are worked on.
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using ::testing::HasSubstr;
using v1::Evaluation;

constexpr char kStream[] = "evaluations/s";

class StreamStoreTest : public JobStoreTest {
 protected:
  void Begin() {
    const auto created = store_->CreateStream(MakeEvaluation("s", Evaluation::RECEIVING),
                                              MakeDataset("x", {"not yet there"}).manifest());
    ASSERT_THAT(created, IsOk());
    EXPECT_EQ(created->proto.state(), Evaluation::RECEIVING);
    EXPECT_EQ(store_->GetStreamManifest(kStream)->chunks_size(), 0);
  }
  absl::Status Append(int64_t index, const std::string& content) {
    v1::DatasetManifest::Chunk chunk;
    chunk.set_digest(Sha256Hex(content));
    chunk.set_samples(10);
    return store_->AppendStreamChunk(kStream, index, chunk, MakeTasks(1, 0, 10 * index));
  }
};

TEST_F(StreamStoreTest, ManifestGrowsAndSurvivesARestart) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  ASSERT_THAT(Append(1, "b"), IsOk());
  Reopen();
  const auto manifest = store_->GetStreamManifest(kStream);
  ASSERT_THAT(manifest, IsOk());
  EXPECT_EQ(manifest->SerializeAsString(),
            MakeDataset("x", {"a", "b"}).manifest().SerializeAsString());
  EXPECT_EQ(Get("s").proto.progress().tasks(), 2);
  EXPECT_EQ(Get("s").proto.progress().samples(), 20);
  EXPECT_EQ(StateOf("s"), Evaluation::RECEIVING);
}

TEST_F(StreamStoreTest, ItsImagesAreItsOwnersUntilTheyAreADataset) {
  Evaluation evaluation = MakeEvaluation("s", Evaluation::RECEIVING);
  (*evaluation.mutable_spec()->mutable_labels())["assay/owner"] = "ci";
  ASSERT_THAT(store_->CreateStream(evaluation, MakeDataset("x", {}).manifest()), IsOk());
  EXPECT_EQ(*store_->BytesOf("ci"), 0);
  ASSERT_THAT(Append(0, "a"), IsOk());
  ASSERT_THAT(Append(1, "b"), IsOk());
  // 20 images of 3 x 32 x 32, with their labels.
  EXPECT_EQ(*store_->BytesOf("ci"), 20 * (3 * 32 * 32 + 4));
  EXPECT_EQ(*store_->BytesOf("me"), 0);
  v1::Dataset dataset = MakeDataset("d", {"a", "b"});
  dataset.set_size_bytes(20 * (3 * 32 * 32 + 4));
  ASSERT_THAT(store_->CreateDataset(dataset, "", {"ci", "token", std::nullopt}), IsOk());
  ASSERT_THAT(store_->FinishStream(kStream, "datasets/d", {}), IsOk());
  EXPECT_EQ(*store_->BytesOf("ci"), 20 * (3 * 32 * 32 + 4));
}

TEST_F(StreamStoreTest, AppendIsVisibleToWatchers) {
  Begin();
  const int64_t before = Get("s").revision;
  ASSERT_THAT(Append(0, "a"), IsOk());
  EXPECT_GT(Get("s").revision, before);
}

TEST_F(StreamStoreTest, BatchThatIsThereIsAcknowledgedAgainWithoutEffect) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  ASSERT_THAT(Append(1, "b"), IsOk());
  const EvaluationRecord before = Get("s");
  EXPECT_THAT(Append(0, "a"), IsOk());
  EXPECT_THAT(Append(1, "b"), IsOk());
  EXPECT_EQ(Get("s").revision, before.revision);
  EXPECT_EQ(Get("s").proto.progress().tasks(), 2);
}

TEST_F(StreamStoreTest, GapsAndOtherContentAreRefused) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  EXPECT_THAT(Append(0, "other"), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(Append(-1, "a"), HasReason(Reason::kInvalidArgument));
  const absl::Status gap = Append(2, "c");
  EXPECT_THAT(gap, HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(std::string(gap.message()), HasSubstr("next batch is 1"));
  EXPECT_EQ(Get("s").proto.progress().tasks(), 1);
  EXPECT_EQ(store_->GetStreamManifest(kStream)->chunks_size(), 1);
}

TEST_F(StreamStoreTest, TasksAreWorkedOnWhileBatchesArrive) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  Commit(Claim());
  Evaluation evaluation = Get("s").proto;
  EXPECT_EQ(evaluation.state(), Evaluation::RECEIVING);
  EXPECT_TRUE(evaluation.has_start_time());
  EXPECT_EQ(evaluation.progress().tasks_done(), 1);
  EXPECT_TRUE(QueueIsEmpty());
  ASSERT_THAT(Append(1, "b"), IsOk());
  ASSERT_THAT(store_->FinishStream(kStream, "datasets/s", {}), IsOk());
  evaluation = Get("s").proto;
  EXPECT_EQ(evaluation.state(), Evaluation::QUEUED);
  EXPECT_EQ(evaluation.spec().dataset(), "datasets/s");
  Commit(Claim());
  EXPECT_EQ(StateOf("s"), Evaluation::SUCCEEDED);
  EXPECT_EQ(store_->GetStreamManifest(kStream)->chunks_size(), 2);
}

TEST_F(StreamStoreTest, TaskClaimedBeforeTheEndOfTheStreamCanEndTheEvaluation) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  const ClaimedTask claim = Claim();
  ASSERT_THAT(store_->FinishStream(kStream, "datasets/s", {}), IsOk());
  EXPECT_THAT(store_->RenewLease(claim, kLease), IsOk());
  Commit(claim);
  EXPECT_EQ(StateOf("s"), Evaluation::SUCCEEDED);
}

TEST_F(StreamStoreTest, FinishedStreamWithNothingLeftToDoHasSucceeded) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  Commit(Claim());
  const int64_t before = Get("s").revision;
  ASSERT_THAT(store_->FinishStream(kStream, "datasets/s", {}), IsOk());
  const EvaluationRecord ended = Get("s");
  EXPECT_EQ(ended.proto.state(), Evaluation::SUCCEEDED);
  EXPECT_TRUE(ended.proto.has_end_time());
  EXPECT_EQ(ended.proto.spec().dataset(), "datasets/s");
  EXPECT_GT(ended.revision, before);
}

TEST_F(StreamStoreTest, DatasetOfAFinishedStreamIsInUse) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  ASSERT_THAT(store_->CreateDataset(MakeDataset("s", {"a"}), ""), IsOk());
  ASSERT_THAT(store_->FinishStream(kStream, "datasets/s", {}), IsOk());
  EXPECT_THAT(store_->DeleteDataset("datasets/s"), HasReason(Reason::kInUse));
}

TEST_F(StreamStoreTest, OnlyAReceivingEvaluationTakesBatches) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  ASSERT_THAT(store_->CancelEvaluation(kStream), IsOk());
  EXPECT_THAT(Append(1, "b"), HasReason(Reason::kWrongState));
  EXPECT_THAT(store_->FinishStream(kStream, "datasets/s", {}), HasReason(Reason::kWrongState));
  EXPECT_EQ(store_->GetStreamManifest(kStream)->chunks_size(), 1);
  EXPECT_TRUE(QueueIsEmpty());

  Create("e", MakeTasks(1));
  EXPECT_THAT(store_->GetStreamManifest("evaluations/e"), HasReason(Reason::kWrongState));
  EXPECT_THAT(store_->AppendStreamChunk("evaluations/e", 0, {}, {}),
              HasReason(Reason::kWrongState));
  EXPECT_THAT(store_->FinishStream("evaluations/e", "datasets/d", {}),
              HasReason(Reason::kWrongState));
}

TEST_F(StreamStoreTest, AStreamCannotTakeTheNameOfAnother) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  Create("e", MakeTasks(1));
  for (const char* id : {"s", "e"}) {
    EXPECT_THAT(store_->CreateStream(MakeEvaluation(id, Evaluation::RECEIVING),
                                     MakeDataset("x", {}).manifest()),
                HasReason(Reason::kAlreadyExists));
  }
  EXPECT_EQ(store_->GetStreamManifest(kStream)->chunks_size(), 1);
  EXPECT_THAT(store_->GetStreamManifest("evaluations/e"), HasReason(Reason::kWrongState));
}

TEST_F(StreamStoreTest, UnknownStreamIsNotFound) {
  EXPECT_THAT(store_->GetStreamManifest(kStream), HasReason(Reason::kNotFound));
  EXPECT_THAT(Append(0, "a"), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->FinishStream(kStream, "datasets/s", {}), HasReason(Reason::kNotFound));
}

TEST_F(StreamStoreTest, RetryOfACancelledStreamFinishesWhatHasLanded) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  ASSERT_THAT(Append(1, "b"), IsOk());
  Commit(Claim());
  ASSERT_THAT(store_->CancelEvaluation(kStream), IsOk());
  ASSERT_THAT(store_->RetryEvaluation(kStream), IsOk());
  EXPECT_EQ(StateOf("s"), Evaluation::QUEUED);
  Commit(Claim());
  EXPECT_EQ(StateOf("s"), Evaluation::SUCCEEDED);
}

TEST_F(StreamStoreTest, RetryOfACancelledStreamWithNothingLeftToDoSucceedsAtOnce) {
  Begin();
  ASSERT_THAT(Append(0, "a"), IsOk());
  Commit(Claim());
  ASSERT_THAT(store_->CancelEvaluation(kStream), IsOk());
  const auto retried = store_->RetryEvaluation(kStream);
  ASSERT_THAT(retried, IsOk());
  EXPECT_EQ(retried->proto.state(), Evaluation::SUCCEEDED);
}

}  // namespace
}  // namespace assay::store
