// Checkpoints: what is kept of tasks that are not done.
#include <optional>
#include <string>

#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

class CheckpointTest : public JobStoreTest {
 protected:
  // Of samples [first, first + count) of the claimed task; two passes each.
  static TaskCheckpoint Part(const ClaimedTask& claim, int first, int count,
                             const std::string& device = "cpu",
                             const std::string& version = "1.0.0") {
    TaskCheckpoint part;
    const v1::OutcomeBatch all = MakeOutcomes(claim.task);
    for (int i = first; i < first + count; ++i) {
      *part.outcomes.add_outcomes() = all.outcomes(i);
    }
    part.outcomes.mutable_passes()->set_forwards(2 * count);
    part.outcomes.mutable_passes()->set_needed_backwards(count);
    part.numerics = MakeNumerics(device);
    part.effort = {version, 0.5, 0.25, 1.5};
    return part;
  }
  std::optional<TaskCheckpoint> Read(const ClaimedTask& claim) {
    auto read = store_->ReadCheckpoint(claim);
    EXPECT_THAT(read, IsOk());
    return read.ok() ? *std::move(read) : std::nullopt;
  }
  static std::string Samples(const TaskCheckpoint& checkpoint) {
    std::string samples;
    for (const auto& outcome : checkpoint.outcomes.outcomes()) {
      absl::StrAppend(&samples, samples.empty() ? "" : " ", outcome.sample());
    }
    return samples;
  }
};

TEST_F(CheckpointTest, PartsAddUpAndSurviveARestartAndTheNextClaim) {
  Create("e", MakeTasks(2));
  ClaimedTask claim = Claim();
  const ClaimedTask other = Claim();
  EXPECT_FALSE(Read(claim).has_value());
  ASSERT_THAT(store_->AddToCheckpoint(claim, Part(claim, 0, 3)), IsOk());
  ASSERT_THAT(store_->AddToCheckpoint(claim, Part(claim, 7, 2)), IsOk());
  ASSERT_THAT(store_->ReleaseTask(claim, true, 0), IsOk());
  Reopen();
  claim = Claim();
  const auto read = Read(claim);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(Samples(*read), "0 1 2 7 8");
  EXPECT_EQ(read->outcomes.passes().forwards(), 10);
  EXPECT_EQ(read->outcomes.passes().needed_backwards(), 5);
  EXPECT_EQ(read->numerics.device(), "cpu");
  EXPECT_EQ(read->effort.assay_version, "1.0.0");
  EXPECT_EQ(read->effort.model_seconds, 1);
  EXPECT_EQ(read->effort.other_seconds, 0.5);
  EXPECT_EQ(read->effort.energy_joules, 3);
  EXPECT_FALSE(Read(other).has_value()) << "of its own task only";
}

TEST_F(CheckpointTest, EnergyIsKnownWhereThatOfEveryPartIs) {
  Create("e", MakeTasks(1));
  const ClaimedTask claim = Claim();
  TaskCheckpoint part = Part(claim, 0, 1);
  part.effort.energy_joules = std::nullopt;
  ASSERT_THAT(store_->AddToCheckpoint(claim, part), IsOk());
  ASSERT_THAT(store_->AddToCheckpoint(claim, Part(claim, 1, 1)), IsOk());
  EXPECT_EQ(Read(claim)->effort.energy_joules, std::nullopt);
}

TEST_F(CheckpointTest, OutcomesAreOfOneNumericsAndOneVersion) {
  Create("e", MakeTasks(1));
  const ClaimedTask claim = Claim();
  ASSERT_THAT(store_->AddToCheckpoint(claim, Part(claim, 0, 3)), IsOk());
  ASSERT_THAT(store_->AddToCheckpoint(claim, Part(claim, 3, 1, "GPU")), IsOk());
  EXPECT_EQ(Samples(*Read(claim)), "3");
  EXPECT_EQ(Read(claim)->numerics.device(), "GPU");
  ASSERT_THAT(store_->AddToCheckpoint(claim, Part(claim, 4, 1, "GPU", "1.0.1")), IsOk());
  EXPECT_EQ(Samples(*Read(claim)), "4");
  EXPECT_EQ(Read(claim)->effort.assay_version, "1.0.1");
}

TEST_F(CheckpointTest, ACommitDropsIt) {
  Create("e", MakeTasks(2));
  const ClaimedTask claim = Claim();
  ASSERT_THAT(store_->AddToCheckpoint(claim, Part(claim, 0, 3)), IsOk());
  Commit(claim);
  EXPECT_FALSE(Read(claim).has_value());
  EXPECT_THAT(store_->AddToCheckpoint(claim, Part(claim, 3, 1)), HasReason(Reason::kLeaseLost));
  EXPECT_FALSE(Read(claim).has_value());
}

TEST_F(CheckpointTest, AStaleFenceCannotWriteOne) {
  Create("e", MakeTasks(1));
  const ClaimedTask late = Claim("slow");
  clock_.AdvanceSeconds(31);
  const ClaimedTask claim = Claim("other");
  ASSERT_EQ(claim.task.id, late.task.id);
  EXPECT_THAT(store_->AddToCheckpoint(late, Part(late, 0, 3)), HasReason(Reason::kLeaseLost));
  EXPECT_FALSE(Read(claim).has_value());
  ASSERT_THAT(store_->AddToCheckpoint(claim, Part(claim, 5, 1)), IsOk());
  EXPECT_THAT(store_->AddToCheckpoint(late, Part(late, 0, 3, "GPU")),
              HasReason(Reason::kLeaseLost));
  EXPECT_EQ(Samples(*Read(claim)), "5") << "nor drop another's";
}

TEST_F(CheckpointTest, OfAnEndedEvaluationItStaysForARetryAndGoesWithIt) {
  Create("e", MakeTasks(1));
  ClaimedTask claim = Claim();
  ASSERT_THAT(store_->AddToCheckpoint(claim, Part(claim, 0, 3)), IsOk());
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  EXPECT_THAT(store_->AddToCheckpoint(claim, Part(claim, 3, 1)), HasReason(Reason::kCancelled));
  ASSERT_THAT(store_->RetryEvaluation("evaluations/e"), IsOk());
  claim = Claim();
  EXPECT_EQ(Samples(*Read(claim)), "0 1 2");
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  EXPECT_FALSE(Read(claim).has_value());
}

}  // namespace
}  // namespace assay::store
