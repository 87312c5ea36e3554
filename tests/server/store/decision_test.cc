// Evaluations that end by a decision.
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using v1::Evaluation;

class DecisionTest : public JobStoreTest {
 protected:
  // Two conditions of `rounds` rounds of ten samples, which take turns.
  void CreateStopping(const std::string& id, int rounds) {
    std::vector<Task> tasks;
    for (int round = 0; round < rounds; ++round) {
      for (int condition = 0; condition < 2; ++condition) {
        tasks.push_back(MakeTasks(1, condition, 10 * round)[0]);
      }
    }
    Evaluation evaluation = MakeEvaluation(id);
    evaluation.mutable_spec()->mutable_stop_when_decided()->add_gates("accuracy(clean) >= 0.5");
    ASSERT_THAT(store_->CreateEvaluation(evaluation, tasks, ""), IsOk());
  }
  static v1::Decision Of(int64_t samples, bool early = false) {
    v1::Decision decision;
    decision.set_samples(samples);
    decision.set_stopped_early(early);
    return decision;
  }
  std::optional<int64_t> Missing(const std::string& id) {
    const auto missing = store_->FirstMissingSample("evaluations/" + id);
    EXPECT_THAT(missing, IsOk());
    return missing.ok() ? *missing : std::nullopt;
  }
};

TEST_F(DecisionTest, TheFirstMissingSampleIsThatOfTheSlowestCondition) {
  CreateStopping("e", 3);
  EXPECT_EQ(Missing("e"), 0);
  const ClaimedTask clean = Claim(), attack = Claim(), next_clean = Claim();
  Commit(clean);
  Commit(next_clean);
  EXPECT_EQ(Missing("e"), 0);
  Commit(attack);
  EXPECT_EQ(Missing("e"), 10);
  for (int i = 0; i < 3; ++i) Commit(Claim());
  EXPECT_EQ(Missing("e"), std::nullopt);
  EXPECT_THAT(store_->FirstMissingSample("evaluations/none"), HasReason(Reason::kNotFound));
}

TEST_F(DecisionTest, EndsWithWhatIsDoneAndDropsTheRest) {
  CreateStopping("e", 3);
  Commit(Claim());
  Commit(Claim());
  const ClaimedTask late = Claim();
  const int64_t revision = Get("e").revision;
  ASSERT_THAT(store_->SetDecision("evaluations/e", Of(10, true), true), IsOk());
  const EvaluationRecord record = Get("e");
  EXPECT_GT(record.revision, revision);
  EXPECT_EQ(record.proto.state(), Evaluation::SUCCEEDED);
  EXPECT_TRUE(record.proto.has_end_time());
  EXPECT_TRUE(record.proto.decision().stopped_early());
  EXPECT_EQ(record.proto.decision().samples(), 10);
  EXPECT_EQ(record.proto.progress().tasks(), 2);
  EXPECT_EQ(record.proto.progress().tasks_done(), 2);
  EXPECT_EQ(record.proto.progress().samples(), 20);
  EXPECT_DOUBLE_EQ(record.proto.progress().work(), record.proto.progress().work_done());
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_EQ((*store_->CountTasks())["OPEN"], 0);
  // Whoever is at work hears of it, and changes nothing.
  EXPECT_THAT(store_->RenewLease(late, kLease), HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->CommitTask(late, MakeOutcomes(late.task), MakeNumerics(), {}),
              HasReason(Reason::kCancelled));
  EXPECT_THAT(ReadAllOutcomes(*store_, "evaluations/e"), IsOk());
  EXPECT_EQ(ReadAllOutcomes(*store_, "evaluations/e")->size(), 2u);
  // Nor does another look.
  ASSERT_THAT(store_->SetDecision("evaluations/e", Of(20), false), IsOk());
  EXPECT_EQ(Get("e").proto.decision().samples(), 10);
}

TEST_F(DecisionTest, TheLastCommitLeavesTheEndToTheDecision) {
  CreateStopping("e", 1);
  Commit(Claim());
  Commit(Claim());
  EXPECT_EQ(StateOf("e"), Evaluation::RUNNING);
  Reopen();
  EXPECT_EQ(StateOf("e"), Evaluation::RUNNING);
  ASSERT_THAT(store_->SetDecision("evaluations/e", Of(10), true), IsOk());
  EXPECT_EQ(StateOf("e"), Evaluation::SUCCEEDED);
}

TEST_F(DecisionTest, AnOlderLookChangesNothing) {
  CreateStopping("e", 3);
  ASSERT_THAT(store_->SetDecision("evaluations/e", Of(20), false), IsOk());
  ASSERT_THAT(store_->SetDecision("evaluations/e", Of(10), false), IsOk());
  EXPECT_EQ(Get("e").proto.decision().samples(), 20);
  EXPECT_EQ(StateOf("e"), Evaluation::QUEUED);
  EXPECT_THAT(store_->SetDecision("evaluations/none", Of(10), false), HasReason(Reason::kNotFound));
}

TEST_F(DecisionTest, ARetryWithEverythingDoneWaitsForTheDecision) {
  CreateStopping("e", 1);
  Commit(Claim());
  Commit(Claim());
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  ASSERT_THAT(store_->RetryEvaluation("evaluations/e"), IsOk());
  EXPECT_EQ(StateOf("e"), Evaluation::QUEUED);
  ASSERT_THAT(store_->SetDecision("evaluations/e", Of(10), true), IsOk());
  EXPECT_EQ(StateOf("e"), Evaluation::SUCCEEDED);
}

}  // namespace
}  // namespace assay::store
