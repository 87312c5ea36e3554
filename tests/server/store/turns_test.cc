// Whose turn it is in the queue: priorities, fair shares, deadlines; and what becomes of tasks that
// cannot be done.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using v1::Evaluation;

class TurnsTest : public JobStoreTest {
 protected:
  void CreateUrgent(const std::string& id, v1::Priority priority, int tasks = 1,
                    const std::string& model = "models/m") {
    Evaluation evaluation = MakeEvaluation(id, Evaluation::QUEUED, model);
    evaluation.mutable_spec()->set_priority(priority);
    EXPECT_THAT(store_->CreateEvaluation(evaluation, MakeTasks(tasks), ""), IsOk());
  }
  void CreateOf(const std::string& owner, const std::string& id, int tasks,
                v1::Priority priority = v1::PRIORITY_NORMAL) {
    Evaluation evaluation = MakeEvaluation(id);
    evaluation.mutable_spec()->set_priority(priority);
    if (!owner.empty()) (*evaluation.mutable_spec()->mutable_labels())["owner"] = owner;
    EXPECT_THAT(store_->CreateEvaluation(evaluation, MakeTasks(tasks), ""), IsOk());
  }
  void CreateUntil(const std::string& id, int64_t seconds, int tasks = 1) {
    Evaluation evaluation = MakeEvaluation(id);
    evaluation.mutable_spec()->mutable_deadline()->set_seconds(seconds);
    EXPECT_THAT(store_->CreateEvaluation(evaluation, MakeTasks(tasks), ""), IsOk());
  }
  // Claims one task after the other, each of which takes as many seconds as `seconds` says of its
  // evaluation; their evaluations, in order.
  std::vector<std::string> Work(int tasks, const std::map<std::string, double>& seconds = {}) {
    std::vector<std::string> order;
    for (int i = 0; i < tasks; ++i) {
      const ClaimedTask claim = Claim();
      TaskEffort effort;
      const auto found = seconds.find(claim.task.evaluation);
      effort.model_seconds = found == seconds.end() ? 1 : found->second;
      EXPECT_THAT(store_->CommitTask(claim, MakeOutcomes(claim.task), MakeNumerics(), effort),
                  IsOk());
      order.push_back(claim.task.evaluation.substr(12));
    }
    return order;
  }
  int64_t Open() { return store_->CountTasks()->at("OPEN"); }
  v1::Failure Died() {
    v1::Failure failure;
    failure.set_reason("ENGINE_LOST");
    failure.set_message("it died");
    return failure;
  }
};

TEST_F(TurnsTest, HigherPriorityComesFirstWhateverItsAgeAndModel) {
  CreateUrgent("low", v1::PRIORITY_LOW);
  CreateUrgent("unspecified", v1::PRIORITY_UNSPECIFIED);
  CreateUrgent("normal", v1::PRIORITY_NORMAL);
  CreateUrgent("high", v1::PRIORITY_HIGH, 1, "models/other");
  EXPECT_EQ(Claim("w", "models/m").task.evaluation, "evaluations/high");
  EXPECT_EQ(Claim("w", "models/m").task.evaluation, "evaluations/unspecified");
  EXPECT_EQ(Claim("w", "models/other").task.evaluation, "evaluations/normal");
  EXPECT_EQ(Claim().task.evaluation, "evaluations/low");
  EXPECT_TRUE(QueueIsEmpty());
}

TEST_F(TurnsTest, LowerPriorityGetsWhatAHigherOneCannotUse) {
  CreateUrgent("low", v1::PRIORITY_LOW);
  CreateUrgent("high", v1::PRIORITY_HIGH, 2);
  const ClaimedTask first = Claim();
  ASSERT_THAT(store_->ReleaseTask(first, true, 60'000'000), IsOk());
  EXPECT_EQ(Claim().task.evaluation, "evaluations/high");
  EXPECT_EQ(Claim().task.evaluation, "evaluations/low") << "the released task has to wait";
}

TEST_F(TurnsTest, WithoutALabelToShareByTheOldestIsFirst) {
  CreateOf("ann", "a", 2);
  CreateOf("bob", "b", 2);
  EXPECT_THAT(Work(4), ElementsAre("a", "a", "b", "b"));
}

TEST_F(TurnsTest, OwnersTakeTurns) {
  store_->ShareBy("owner");
  CreateOf("ann", "a1", 3);
  CreateOf("ann", "a2", 1);
  CreateOf("bob", "b", 2);
  EXPECT_THAT(Work(6), ElementsAre("a1", "b", "a1", "b", "a1", "a2"));
}

TEST_F(TurnsTest, TurnsAreSecondsAndNotTasks) {
  store_->ShareBy("owner");
  CreateOf("ann", "long", 10);
  CreateOf("bob", "short", 40);
  const auto order = Work(20, {{"evaluations/long", 4}, {"evaluations/short", 1}});
  EXPECT_EQ(std::count(order.begin(), order.end(), "long"), 4);
  EXPECT_EQ(std::count(order.begin(), order.end(), "short"), 16);
}

TEST_F(TurnsTest, WhoComesBackBringsNoClaimsFromThePast) {
  store_->ShareBy("owner");
  CreateOf("ann", "a", 60);
  CreateOf("bob", "b1", 1);
  Work(2);
  // Bob has nothing to do while Ann is served 40 times beside Carl.
  CreateOf("carl", "c", 60);
  Work(40);
  CreateOf("bob", "b2", 30);
  const auto order = Work(9);
  EXPECT_EQ(std::count(order.begin(), order.end(), "b2"), 3);
}

TEST_F(TurnsTest, WhoeverHasNothingRunningComesFirst) {
  store_->ShareBy("owner");
  CreateOf("ann", "a", 4);
  CreateOf("bob", "b", 4);
  std::vector<std::string> order;
  for (int i = 0; i < 4; ++i) order.push_back(Claim().task.evaluation);
  EXPECT_EQ(std::count(order.begin(), order.end(), "evaluations/a"), 2);
  EXPECT_EQ(std::count(order.begin(), order.end(), "evaluations/b"), 2);
}

TEST_F(TurnsTest, PriorityGoesBeforeTurns) {
  store_->ShareBy("owner");
  CreateOf("ann", "a", 2);
  CreateOf("bob", "b", 2, v1::PRIORITY_HIGH);
  EXPECT_THAT(Work(4), ElementsAre("b", "b", "a", "a"));
}

TEST_F(TurnsTest, DeadlineEndsAnEvaluationWithWhatIsThereAndARetryHasTheTimeAgain) {
  CreateUntil("e", 7200, 2);
  CreateUntil("later", 7201);
  Create("patient", MakeTasks(1));
  Commit(Claim());
  const ClaimedTask running = Claim();
  clock_.AdvanceSeconds(7199.9);
  EXPECT_THAT(*store_->EndOverdue(), IsEmpty());
  clock_.AdvanceSeconds(0.1);
  EXPECT_THAT(*store_->EndOverdue(), ElementsAre("evaluations/e"));
  EXPECT_THAT(*store_->EndOverdue(), IsEmpty());
  const Evaluation ended = Get("e").proto;
  EXPECT_EQ(ended.state(), Evaluation::FAILED);
  EXPECT_EQ(ended.failure().reason(), "DEADLINE_REACHED");
  EXPECT_EQ(ended.failure().message(),
            "did not end within 2h; 1 of 2 tasks are done, and a retry goes on with the rest");
  EXPECT_EQ(ReadAllOutcomes(*store_, "evaluations/e")->size(), 1u);
  EXPECT_THAT(store_->RenewLease(running, kLease), HasReason(Reason::kCancelled));

  ASSERT_THAT(store_->RetryEvaluation("evaluations/e"), IsOk());
  clock_.AdvanceSeconds(3600);
  EXPECT_THAT(*store_->EndOverdue(), ElementsAre("evaluations/later"));
  Commit(Claim());
  EXPECT_EQ(StateOf("e"), Evaluation::SUCCEEDED);
  clock_.AdvanceSeconds(100'000);
  EXPECT_THAT(*store_->EndOverdue(), IsEmpty()) << "what has ended has no deadline";
}

TEST_F(TurnsTest, ConditionThatIsGivenUpLetsTheOthersFinish) {
  std::vector<Task> tasks = MakeTasks(2, 0);
  for (const Task& task : MakeTasks(3, 1)) tasks.push_back(task);
  Create("e", tasks);
  Commit(Claim());
  const ClaimedTask clean = Claim();
  const ClaimedTask other = Claim();
  const ClaimedTask poisoned = Claim();
  ASSERT_EQ(poisoned.task.condition, 1);
  ASSERT_THAT(store_->GiveUpCondition(poisoned, Died()), IsOk());
  EXPECT_EQ(StateOf("e"), Evaluation::RUNNING);
  EXPECT_THAT(store_->RenewLease(other, kLease), HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->CommitTask(other, MakeOutcomes(other.task), MakeNumerics(), {}),
              HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->GiveUpCondition(other, Died()), HasReason(Reason::kCancelled));
  EXPECT_EQ(Open(), 0);
  EXPECT_TRUE(QueueIsEmpty());
  clock_.AdvanceSeconds(1e9);
  const ClaimedTask again = Claim();
  EXPECT_EQ(again.task.id, clean.task.id) << "of the other condition no lease runs out";
  EXPECT_TRUE(QueueIsEmpty());
}

TEST_F(TurnsTest, EvaluationWithAConditionGivenUpEndsAsFailedAndSaysWhich) {
  std::vector<Task> tasks = MakeTasks(1, 0);
  for (const Task& task : MakeTasks(2, 1)) tasks.push_back(task);
  Create("e", tasks);
  const ClaimedTask clean = Claim();
  ASSERT_THAT(store_->GiveUpCondition(Claim(), Died()), IsOk());
  EXPECT_EQ(StateOf("e"), Evaluation::RUNNING);
  Commit(clean);
  const Evaluation ended = Get("e").proto;
  EXPECT_EQ(ended.state(), Evaluation::FAILED);
  EXPECT_EQ(ended.failure().reason(), "ENGINE_LOST");
  EXPECT_EQ(ended.failure().message(), "1 of 2 conditions failed: attack/pgd/linf/8-255: it died");
  ASSERT_EQ(ended.failed_conditions_size(), 1);
  EXPECT_EQ(ended.failed_conditions(0).condition(), "attack/pgd/linf/8-255");
  EXPECT_EQ(ended.failed_conditions(0).failure().message(), "it died");
  const auto listing = store_->ListEvaluations({}, {});
  ASSERT_EQ(listing->records.size(), 1u);
  EXPECT_EQ(listing->records[0].proto.failed_conditions_size(), 1);

  ASSERT_THAT(store_->RetryEvaluation("evaluations/e"), IsOk());
  EXPECT_EQ(Get("e").proto.failed_conditions_size(), 0);
  EXPECT_EQ(Open(), 2);
  Commit(Claim());
  Commit(Claim());
  EXPECT_EQ(StateOf("e"), Evaluation::SUCCEEDED);
}

TEST_F(TurnsTest, BatchesOfAStreamThatComeAfterAConditionWasGivenUpAreNotTriedUnderIt) {
  ASSERT_THAT(store_->CreateStream(MakeEvaluation("s", Evaluation::RECEIVING),
                                   MakeDataset("d", {}).manifest()),
              IsOk());
  v1::DatasetManifest::Chunk chunk = MakeDataset("d", {"one"}).manifest().chunks(0);
  const auto append = [&](int64_t index) {
    std::vector<Task> tasks = MakeTasks(1, 0, 10 * index);
    tasks.push_back(MakeTasks(1, 1, 10 * index)[0]);
    chunk.set_digest(Sha256Hex(std::to_string(index)));
    EXPECT_THAT(store_->AppendStreamChunk("evaluations/s", index, chunk, tasks), IsOk());
  };
  append(0);
  Commit(Claim());
  ASSERT_THAT(store_->GiveUpCondition(Claim(), Died()), IsOk());
  append(1);
  Commit(Claim());
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_EQ(StateOf("s"), Evaluation::RECEIVING);
  ASSERT_THAT(store_->FinishStream("evaluations/s", "datasets/d", {}), IsOk());
  EXPECT_EQ(StateOf("s"), Evaluation::FAILED);
  EXPECT_EQ(Get("s").proto.progress().tasks(), 4);
}

TEST_F(TurnsTest, SplitTaskIsTwoThatCoverIt) {
  std::vector<Task> tasks = MakeTasks(1, 0, 100);
  tasks[0].samples = 7;
  Create("e", tasks);
  const ClaimedTask whole = Claim();
  ASSERT_THAT(store_->SplitTask(whole, 2), IsOk());
  EXPECT_THAT(store_->CommitTask(whole, MakeOutcomes(whole.task), MakeNumerics(), {}),
              HasReason(Reason::kLeaseLost));
  const ClaimedTask first = Claim();
  const ClaimedTask second = Claim();
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_EQ(first.task.first_sample, 100);
  EXPECT_EQ(first.task.samples, 3);
  EXPECT_EQ(second.task.first_sample, 103);
  EXPECT_EQ(second.task.samples, 4);
  EXPECT_EQ(first.attempt, 3);
  EXPECT_EQ(second.attempt, 3);
  EXPECT_DOUBLE_EQ(first.task.work + second.task.work, 2.5);
  EXPECT_THAT(store_->SplitTask(whole, 2), IsOk()) << "without effect";
  Commit(first);
  EXPECT_EQ(StateOf("e"), Evaluation::RUNNING);
  Commit(second);
  const Evaluation ended = Get("e").proto;
  EXPECT_EQ(ended.state(), Evaluation::SUCCEEDED);
  EXPECT_EQ(ended.progress().samples_done(), 7);
  EXPECT_EQ(ended.progress().tasks(), 2);
  EXPECT_DOUBLE_EQ(ended.progress().work_done(), 2.5);
}

}  // namespace
}  // namespace assay::store
