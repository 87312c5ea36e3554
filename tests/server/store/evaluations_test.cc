// Evaluations and their outcomes: what is stored, what is refused, how they end and are listed.
#include "server/store/evaluations.h"

#include "google/protobuf/util/time_util.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using google::protobuf::util::TimeUtil;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using v1::Evaluation;

using EvaluationsTest = JobStoreTest;

TEST_F(EvaluationsTest, EvaluationStartsQueuedWithTheTotalsOfItsTasks) {
  Evaluation evaluation = MakeEvaluation("e", Evaluation::STATE_UNSPECIFIED);
  const auto created = store_->CreateEvaluation(evaluation, MakeTasks(3), "");
  ASSERT_THAT(created, IsOk());
  Reopen();
  const EvaluationRecord read = Get("e");
  EXPECT_EQ(read.proto.SerializeAsString(), created->proto.SerializeAsString());
  EXPECT_EQ(read.revision, created->revision);
  EXPECT_EQ(read.proto.state(), Evaluation::QUEUED);
  EXPECT_EQ(read.proto.spec().seed(), 7);
  EXPECT_EQ(read.proto.spec().dataset(), "datasets/d");
  EXPECT_EQ(read.proto.conditions_size(), 2);
  EXPECT_EQ(read.proto.progress().tasks(), 3);
  EXPECT_EQ(read.proto.progress().samples(), 30);
  EXPECT_EQ(read.proto.progress().work(), 7.5);
  EXPECT_EQ(read.proto.progress().tasks_done(), 0);
  EXPECT_EQ(read.proto.progress().current_condition(), "");
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(read.proto.create_time()), clock_.NowMicros());
  EXPECT_FALSE(read.proto.has_start_time());
  EXPECT_FALSE(read.proto.has_end_time());
  EXPECT_FALSE(read.proto.has_failure());
}

TEST_F(EvaluationsTest, TakenEvaluationNameIsRefusedAndLeavesNoTasks) {
  Create("e", MakeTasks(1));
  EXPECT_THAT(store_->CreateEvaluation(MakeEvaluation("e"), MakeTasks(5), ""),
              HasReason(Reason::kAlreadyExists));
  EXPECT_EQ((*store_->CountTasks())["OPEN"], 1);
}

TEST_F(EvaluationsTest, UnknownEvaluationIsNotFoundEverywhere) {
  const std::string name = "evaluations/none";
  EXPECT_THAT(store_->GetEvaluation(name), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->CancelEvaluation(name), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->RetryEvaluation(name), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->FailEvaluation(name, v1::Failure()), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->DeleteEvaluation(name), HasReason(Reason::kNotFound));
  EXPECT_THAT(ReadAllOutcomes(*store_, name), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->GetModel("models/none"), HasReason(Reason::kNotFound));
  EXPECT_THAT(store_->GetDataset("datasets/none"), HasReason(Reason::kNotFound));
}

TEST_F(EvaluationsTest, EvaluationsAreListedNewestFirst) {
  for (const char* id : {"b", "a", "d", "c", "e"}) Create(id, MakeTasks(1));
  std::vector<std::string> names;
  Page page{2, ""};
  do {
    const auto listing = store_->ListEvaluations(page, {});
    ASSERT_THAT(listing, IsOk());
    for (const EvaluationRecord& record : listing->records) {
      names.push_back(record.proto.name());
      EXPECT_EQ(record.proto.progress().tasks(), 1);
      EXPECT_GT(record.revision, 0);
    }
    page.token = listing->next_token;
    // One that comes in between belongs to no later page.
    if (names.size() == 2) Create("late", MakeTasks(1));
  } while (!page.token.empty());
  EXPECT_THAT(names, ElementsAre("evaluations/e", "evaluations/c", "evaluations/d", "evaluations/a",
                                 "evaluations/b"));
}

TEST_F(EvaluationsTest, ProgressFollowsTheTasks) {
  std::vector<Task> tasks = MakeTasks(1, 0);
  const std::vector<Task> attack = MakeTasks(2, 1);
  tasks.insert(tasks.end(), attack.begin(), attack.end());
  // In binary, 0.3 + 0.1 + 0.2 is more than 0.3 + 0.2 + 0.1.
  tasks[0].work = 0.3;
  tasks[1].work = 0.1;
  tasks[2].work = 0.2;
  Create("e", tasks);
  const ClaimedTask first = Claim();
  const ClaimedTask second = Claim();
  const ClaimedTask third = Claim();
  EXPECT_EQ(Get("e").proto.progress().current_condition(), "clean");
  Commit(first);
  Commit(third);
  v1::Progress progress = Get("e").proto.progress();
  EXPECT_EQ(progress.tasks_done(), 2);
  EXPECT_EQ(progress.samples_done(), 20);
  EXPECT_DOUBLE_EQ(progress.work_done(), 0.5);
  EXPECT_EQ(progress.current_condition(), "attack/pgd/linf/8-255");
  Commit(second);
  progress = Get("e").proto.progress();
  EXPECT_EQ(progress.tasks_done(), progress.tasks());
  EXPECT_EQ(progress.samples_done(), progress.samples());
  EXPECT_EQ(progress.work_done(), progress.work());
  EXPECT_EQ(progress.current_condition(), "");
}

TEST_F(EvaluationsTest, RevisionGrowsWithEveryVisibleChange) {
  std::vector<int64_t> revisions;
  const auto note = [&] { revisions.push_back(Get("e").revision); };
  Create("e", MakeTasks(2));
  note();
  ClaimedTask claim = Claim();
  note();
  Commit(claim);
  note();
  // What running tasks are at is told beside it.
  claim = Claim();
  EXPECT_EQ(Get("e").revision, revisions.back());
  ASSERT_THAT(store_->ReleaseTask(claim, true, 0), IsOk());
  note();
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  note();
  ASSERT_THAT(store_->RetryEvaluation("evaluations/e"), IsOk());
  note();
  ASSERT_THAT(store_->FailEvaluation("evaluations/e", v1::Failure()), IsOk());
  note();
  EXPECT_EQ(revisions.size(), 7u);
  EXPECT_TRUE(std::is_sorted(revisions.begin(), revisions.end(), std::less_equal<int64_t>()));
  const int64_t last = revisions.back();
  EXPECT_EQ(Get("e").revision, last);
}

TEST_F(EvaluationsTest, CancelStopsTheWorkAndKeepsTheOutcomes) {
  Create("e", MakeTasks(3));
  Commit(Claim());
  const ClaimedTask running = Claim();
  clock_.AdvanceSeconds(1);
  const auto cancelled = store_->CancelEvaluation("evaluations/e");
  ASSERT_THAT(cancelled, IsOk());
  EXPECT_EQ(cancelled->proto.state(), Evaluation::CANCELLED);
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(cancelled->proto.end_time()), clock_.NowMicros());
  EXPECT_EQ(cancelled->proto.progress().tasks_done(), 1);
  EXPECT_EQ(cancelled->proto.progress().current_condition(), "");
  EXPECT_THAT(store_->RenewLease(running, kLease), HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->CommitTask(running, MakeOutcomes(running.task), MakeNumerics(), {}),
              HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->ReleaseTask(running, true, 0), IsOk());
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_EQ(ReadAllOutcomes(*store_, "evaluations/e")->size(), 1u);
  EXPECT_THAT(store_->CancelEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
}

TEST_F(EvaluationsTest, FailureIsKeptAndEndsTheWork) {
  Create("e", MakeTasks(2));
  const ClaimedTask running = Claim();
  v1::Failure failure;
  failure.set_reason("MODEL_FAILED");
  failure.set_message("size mismatch");
  ASSERT_THAT(store_->FailEvaluation("evaluations/e", failure), IsOk());
  Reopen();
  const Evaluation failed = Get("e").proto;
  EXPECT_EQ(failed.state(), Evaluation::FAILED);
  EXPECT_EQ(failed.failure().reason(), "MODEL_FAILED");
  EXPECT_EQ(failed.failure().message(), "size mismatch");
  EXPECT_TRUE(failed.has_end_time());
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_THAT(store_->RenewLease(running, kLease), HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->FailEvaluation("evaluations/e", failure), HasReason(Reason::kWrongState));
  EXPECT_THAT(store_->CancelEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
}

TEST_F(EvaluationsTest, RetryQueuesTheUnfinishedTasksOnly) {
  Create("e", MakeTasks(3));
  Commit(Claim());
  const ClaimedTask running = Claim();
  ASSERT_THAT(store_->FailEvaluation("evaluations/e", v1::Failure()), IsOk());
  const auto retried = store_->RetryEvaluation("evaluations/e");
  ASSERT_THAT(retried, IsOk());
  EXPECT_EQ(retried->proto.state(), Evaluation::QUEUED);
  EXPECT_FALSE(retried->proto.has_failure());
  EXPECT_FALSE(retried->proto.has_end_time());
  EXPECT_FALSE(retried->proto.has_start_time());
  // The worker of before has lost its claim, although nobody has taken the task over yet.
  EXPECT_THAT(store_->RenewLease(running, kLease), HasReason(Reason::kLeaseLost));

  const ClaimedTask again = Claim();
  EXPECT_EQ(again.task.id, running.task.id);
  EXPECT_GT(again.fence, running.fence);
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(StateOf("e"), Evaluation::RUNNING);
  EXPECT_TRUE(Get("e").proto.has_start_time());
  Commit(again);
  Commit(Claim());
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_EQ(StateOf("e"), Evaluation::SUCCEEDED);
  EXPECT_EQ(ReadAllOutcomes(*store_, "evaluations/e")->size(), 3u);
}

TEST_F(EvaluationsTest, RetryNeedsAFailedOrCancelledEvaluation) {
  Create("e", MakeTasks(1));
  EXPECT_THAT(store_->RetryEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
  const ClaimedTask claim = Claim();
  EXPECT_THAT(store_->RetryEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
  Commit(claim);
  EXPECT_THAT(store_->RetryEvaluation("evaluations/e"), HasReason(Reason::kWrongState));
}

TEST_F(EvaluationsTest, DeleteTakesTasksAndOutcomesAlong) {
  Create("e", MakeTasks(2));
  Create("other", MakeTasks(1));
  EXPECT_THAT(store_->DeleteEvaluation("evaluations/e"), HasReason(Reason::kInUse));
  Commit(Claim());
  const ClaimedTask running = Claim();
  EXPECT_THAT(store_->DeleteEvaluation("evaluations/e"), HasReason(Reason::kInUse));
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  EXPECT_THAT(store_->GetEvaluation("evaluations/e"), HasReason(Reason::kNotFound));
  EXPECT_THAT(ReadAllOutcomes(*store_, "evaluations/e"), HasReason(Reason::kNotFound));
  EXPECT_THAT(*store_->CountTasks(),
              UnorderedElementsAre(Pair("OPEN", 1), Pair("LEASED", 0), Pair("DONE", 0)));
  EXPECT_THAT(store_->CommitTask(running, MakeOutcomes(running.task), MakeNumerics(), {}),
              HasReason(Reason::kCancelled));
  // A new evaluation of the same name has nothing to do with the old claim.
  Create("e", MakeTasks(2));
  EXPECT_THAT(store_->RenewLease(running, kLease), HasReason(Reason::kCancelled));
  EXPECT_EQ(ReadAllOutcomes(*store_, "evaluations/e")->size(), 0u);
}

TEST_F(EvaluationsTest, OutcomesComeByConditionThenSampleWithTheirNumerics) {
  std::vector<Task> tasks = MakeTasks(2, 1);
  const std::vector<Task> clean = MakeTasks(2, 0);
  tasks.insert(tasks.end(), clean.rbegin(), clean.rend());
  Create("e", tasks);
  for (int i = 0; i < 4; ++i) {
    const ClaimedTask claim = Claim();
    ASSERT_THAT(store_->CommitTask(claim, MakeOutcomes(claim.task),
                                   MakeNumerics(i == 0 ? "gpu" : "cpu"), {}),
                IsOk());
  }
  Reopen();
  const auto outcomes = ReadAllOutcomes(*store_, "evaluations/e");
  ASSERT_THAT(outcomes, IsOk());
  std::vector<std::string> seen;
  for (const TaskOutcomes& task : *outcomes) {
    seen.push_back(
        absl::StrCat(task.condition, " ", task.first_sample, " ", task.numerics.device()));
    Task expected;
    expected.condition = task.condition;
    expected.first_sample = task.first_sample;
    expected.samples = 10;
    EXPECT_EQ(task.outcomes.SerializeAsString(), MakeOutcomes(expected).SerializeAsString());
  }
  EXPECT_THAT(seen, ElementsAre("0 0 cpu", "0 10 cpu", "1 0 gpu", "1 10 cpu"));
}

TEST_F(EvaluationsTest, OnlyTheOutcomesOfWantedConditionsAreRead) {
  std::vector<Task> tasks;
  for (const int condition : {2, 0, 1}) {
    for (const Task& task : MakeTasks(2, condition)) tasks.push_back(task);
  }
  Create("e", tasks);
  for (int i = 0; i < 6; ++i) Commit(Claim());
  Create("other", MakeTasks(1));
  Commit(Claim());
  const auto read = [&](const std::set<int>& conditions) {
    const auto outcomes = ReadAllOutcomes(*store_, "evaluations/e", conditions);
    EXPECT_THAT(outcomes, IsOk());
    std::vector<std::string> seen;
    for (const TaskOutcomes& task : *outcomes) {
      seen.push_back(absl::StrCat(task.condition, " ", task.first_sample));
    }
    return seen;
  };
  EXPECT_THAT(read({1}), ElementsAre("1 0", "1 10"));
  EXPECT_THAT(read({2, 0}), ElementsAre("0 0", "0 10", "2 0", "2 10"));
  EXPECT_THAT(read({3}), IsEmpty());
  EXPECT_THAT(read({}), ElementsAre("0 0", "0 10", "1 0", "1 10", "2 0", "2 10"));
}

TEST_F(EvaluationsTest, WhatIsCommittedWhileOutcomesAreReadIsNotAmongThem) {
  Create("e", MakeTasks(3));
  Commit(Claim());
  const ClaimedTask second = Claim();
  Commit(Claim());
  const auto next = store_->ReadOutcomes("evaluations/e", {});
  ASSERT_THAT(next, IsOk());
  EXPECT_EQ((*(*next)())->first_sample, 0);
  Commit(second);
  EXPECT_EQ((*(*next)())->first_sample, 20);
  EXPECT_EQ(*(*next)(), std::nullopt);
  EXPECT_EQ(*(*next)(), std::nullopt) << "the end stays the end";
}

TEST_F(EvaluationsTest, OutcomesOfAnEvaluationThatIsDeletedMeanwhileAreNotTakenForTheEnd) {
  Create("e", MakeTasks(2));
  Commit(Claim());
  Commit(Claim());
  const auto next = store_->ReadOutcomes("evaluations/e", {});
  ASSERT_THAT(next, IsOk());
  EXPECT_THAT((*next)(), IsOk());
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  EXPECT_THAT((*next)(), HasReason(Reason::kNotFound));
}

TEST_F(EvaluationsTest, EvaluationsAndTasksAreCountedByState) {
  EXPECT_THAT(*store_->CountEvaluations(),
              UnorderedElementsAre(Pair("RECEIVING", 0), Pair("QUEUED", 0), Pair("RUNNING", 0),
                                   Pair("SUCCEEDED", 0), Pair("FAILED", 0), Pair("CANCELLED", 0)));
  EXPECT_THAT(*store_->CountTasks(),
              UnorderedElementsAre(Pair("OPEN", 0), Pair("LEASED", 0), Pair("DONE", 0)));
  Create("done", MakeTasks(1));
  Commit(Claim());
  Create("cancelled", MakeTasks(4));
  Claim();
  ASSERT_THAT(store_->CancelEvaluation("evaluations/cancelled"), IsOk());
  Create("failed", MakeTasks(1));
  ASSERT_THAT(store_->FailEvaluation("evaluations/failed", v1::Failure()), IsOk());
  Create("running", MakeTasks(4));
  Commit(Claim());
  Claim();
  Create("queued", MakeTasks(3));
  ASSERT_THAT(store_->CreateStream(MakeEvaluation("s", Evaluation::RECEIVING), {}), IsOk());
  EXPECT_THAT(*store_->CountEvaluations(),
              UnorderedElementsAre(Pair("RECEIVING", 1), Pair("QUEUED", 1), Pair("RUNNING", 1),
                                   Pair("SUCCEEDED", 1), Pair("FAILED", 1), Pair("CANCELLED", 1)));
  // What the cancelled and the failed one left undone is nobody's work.
  EXPECT_THAT(*store_->CountTasks(),
              UnorderedElementsAre(Pair("OPEN", 5), Pair("LEASED", 1), Pair("DONE", 2)));
}

}  // namespace
}  // namespace assay::store
