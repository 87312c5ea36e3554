// The queue: order, leases, fences, exactly-once commits.
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "core/base/mutex.h"
#include "google/protobuf/util/time_util.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using google::protobuf::util::TimeUtil;
using v1::Evaluation;

using TaskQueueTest = JobStoreTest;

TEST_F(TaskQueueTest, EmptyQueueHasNothingToClaim) {
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_EQ(*store_->OldestOpenTaskMicros(), std::nullopt);
}

TEST_F(TaskQueueTest, ClaimTellsTheWholeTaskAndStartsTheEvaluation) {
  Create("e", MakeTasks(2, 1, 100));
  clock_.AdvanceSeconds(3);
  const ClaimedTask claim = Claim();
  EXPECT_EQ(claim.task.evaluation, "evaluations/e");
  EXPECT_EQ(claim.task.condition, 1);
  EXPECT_EQ(claim.task.first_sample, 100);
  EXPECT_EQ(claim.task.samples, 10);
  EXPECT_EQ(claim.task.work, 2.5);
  EXPECT_EQ(claim.attempt, 1);
  const Evaluation evaluation = Get("e").proto;
  EXPECT_EQ(evaluation.state(), Evaluation::RUNNING);
  const int64_t started = clock_.NowMicros();
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(evaluation.start_time()), started);
  clock_.AdvanceSeconds(3);
  Claim();
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(Get("e").proto.start_time()), started);
}

TEST_F(TaskQueueTest, OldestEvaluationComesFirstThenTaskOrder) {
  Create("z", MakeTasks(2));
  Create("a", MakeTasks(1));
  EXPECT_EQ(Claim().task.first_sample, 0);
  const ClaimedTask second = Claim();
  EXPECT_EQ(second.task.evaluation, "evaluations/z");
  EXPECT_EQ(second.task.first_sample, 10);
  EXPECT_EQ(Claim().task.evaluation, "evaluations/a");
  EXPECT_TRUE(QueueIsEmpty());
}

TEST_F(TaskQueueTest, PreferredModelComesFirstButIsNoCondition) {
  Create("old", MakeTasks(1), "models/other");
  Create("mine", MakeTasks(1), "models/loaded");
  Create("mine-too", MakeTasks(1), "models/loaded");
  EXPECT_EQ(Claim("w", "models/loaded").task.evaluation, "evaluations/mine");
  EXPECT_EQ(Claim("w", "models/loaded").task.evaluation, "evaluations/mine-too");
  EXPECT_EQ(Claim("w", "models/loaded").task.evaluation, "evaluations/old");
}

TEST_F(TaskQueueTest, LastCommitEndsTheEvaluation) {
  Create("e", MakeTasks(2));
  Commit(Claim());
  EXPECT_EQ(StateOf("e"), Evaluation::RUNNING);
  clock_.AdvanceSeconds(9);
  Commit(Claim());
  const Evaluation ended = Get("e").proto;
  EXPECT_EQ(ended.state(), Evaluation::SUCCEEDED);
  EXPECT_EQ(TimeUtil::TimestampToMicroseconds(ended.end_time()), clock_.NowMicros());
}

TEST_F(TaskQueueTest, LeaseProtectsUntilItRunsOut) {
  Create("e", MakeTasks(1));
  const ClaimedTask first = Claim("first");
  clock_.AdvanceSeconds(29.999);
  EXPECT_TRUE(QueueIsEmpty());
  EXPECT_EQ(*store_->OldestOpenTaskMicros(), std::nullopt);
  clock_.AdvanceSeconds(0.001);
  EXPECT_NE(*store_->OldestOpenTaskMicros(), std::nullopt);
  const ClaimedTask second = Claim("second");
  EXPECT_EQ(second.task.id, first.task.id);
  EXPECT_GT(second.fence, first.fence);
  EXPECT_EQ(second.attempt, 2);
}

TEST_F(TaskQueueTest, RenewedLeaseProtectsLonger) {
  Create("e", MakeTasks(1));
  const ClaimedTask claim = Claim();
  clock_.AdvanceSeconds(20);
  ASSERT_THAT(store_->RenewLease(claim, kLease), IsOk());
  clock_.AdvanceSeconds(20);
  EXPECT_TRUE(QueueIsEmpty());
  Commit(claim);
}

TEST_F(TaskQueueTest, LateWorkerIsRefusedAndTheTakerCounts) {
  Create("e", MakeTasks(1));
  const ClaimedTask late = Claim("late");
  clock_.AdvanceSeconds(31);
  const ClaimedTask taker = Claim("taker");
  EXPECT_THAT(store_->RenewLease(late, kLease), HasReason(Reason::kLeaseLost));
  EXPECT_THAT(store_->CommitTask(late, MakeOutcomes(late.task), MakeNumerics("late"), {}),
              HasReason(Reason::kLeaseLost));
  EXPECT_THAT(store_->ReleaseTask(late, true, 0), IsOk());
  EXPECT_TRUE(QueueIsEmpty());
  ASSERT_THAT(store_->CommitTask(taker, MakeOutcomes(taker.task), MakeNumerics("taker"), {}),
              IsOk());
  EXPECT_THAT(store_->CommitTask(late, MakeOutcomes(late.task), MakeNumerics("late"), {}),
              HasReason(Reason::kLeaseLost));
  const auto outcomes = ReadAllOutcomes(*store_, "evaluations/e");
  ASSERT_EQ(outcomes->size(), 1u);
  EXPECT_EQ((*outcomes)[0].numerics.device(), "taker");
}

TEST_F(TaskQueueTest, ExpiredLeaseThatNobodyTookMayStillBeRenewedAndCommitted) {
  Create("e", MakeTasks(2));
  const ClaimedTask renewed = Claim();
  const ClaimedTask committed = Claim();
  clock_.AdvanceSeconds(100);
  EXPECT_THAT(store_->RenewLease(renewed, kLease), IsOk());
  Commit(committed);
  EXPECT_TRUE(QueueIsEmpty());
}

TEST_F(TaskQueueTest, SecondCommitOfOneClaimIsRefusedAndCountsNothing) {
  Create("e", MakeTasks(2));
  const ClaimedTask claim = Claim();
  Commit(claim);
  EXPECT_THAT(store_->CommitTask(claim, MakeOutcomes(claim.task), MakeNumerics(), {}),
              HasReason(Reason::kLeaseLost));
  EXPECT_EQ(Get("e").proto.progress().tasks_done(), 1);
  EXPECT_EQ(ReadAllOutcomes(*store_, "evaluations/e")->size(), 1u);
}

TEST_F(TaskQueueTest, ReleasedTaskIsOpenAtOnceAndRemembersItsAttempts) {
  Create("e", MakeTasks(1));
  ClaimedTask claim = Claim();
  ASSERT_THAT(store_->ReleaseTask(claim, true, 0), IsOk());
  EXPECT_THAT(store_->RenewLease(claim, kLease), HasReason(Reason::kLeaseLost));
  EXPECT_THAT(store_->CommitTask(claim, MakeOutcomes(claim.task), MakeNumerics(), {}),
              HasReason(Reason::kLeaseLost));
  claim = Claim();
  EXPECT_EQ(claim.attempt, 2);
  ASSERT_THAT(store_->ReleaseTask(claim, false, 0), IsOk());
  // Giving back twice gives back once.
  ASSERT_THAT(store_->ReleaseTask(claim, false, 0), IsOk());
  const ClaimedTask last = Claim();
  EXPECT_EQ(last.attempt, 2);
  EXPECT_GT(last.fence, claim.fence);
}

TEST_F(TaskQueueTest, ClaimOfADeletedEvaluationMeetsNoNewTask) {
  Create("e", MakeTasks(1));
  const ClaimedTask old = Claim();
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  Create("e", MakeTasks(1));
  const ClaimedTask current = Claim();
  EXPECT_THAT(store_->RenewLease(old, kLease), HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->CommitTask(old, MakeOutcomes(old.task), MakeNumerics(), {}),
              HasReason(Reason::kCancelled));
  Commit(current);
}

TEST_F(TaskQueueTest, UnknownClaimIsRefused) {
  ClaimedTask claim;
  claim.task.id = 12345;
  claim.fence = 1;
  EXPECT_THAT(store_->RenewLease(claim, kLease), HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->CommitTask(claim, {}, {}, {}), HasReason(Reason::kCancelled));
  EXPECT_THAT(store_->ReleaseTask(claim, true, 0), IsOk());
}

TEST_F(TaskQueueTest, OldestOpenTaskIsTheOldestThatCanBeClaimed) {
  const int64_t start = clock_.NowMicros();
  Create("cancelled", MakeTasks(1));
  ASSERT_THAT(store_->CancelEvaluation("evaluations/cancelled"), IsOk());
  EXPECT_EQ(*store_->OldestOpenTaskMicros(), std::nullopt);
  clock_.AdvanceSeconds(1);
  Create("a", MakeTasks(1));
  clock_.AdvanceSeconds(1);
  Create("b", MakeTasks(1));
  EXPECT_EQ(*store_->OldestOpenTaskMicros(), start + 1'000'000);
  const ClaimedTask claim = Claim();
  EXPECT_EQ(*store_->OldestOpenTaskMicros(), start + 2'000'000);
  ASSERT_THAT(store_->ReleaseTask(claim, true, 0), IsOk());
  EXPECT_EQ(*store_->OldestOpenTaskMicros(), start + 1'000'000);
}

TEST_F(TaskQueueTest, EvaluationsWithoutClaimableTasksDoNotHideLaterOnes) {
  Create("leased", MakeTasks(2));
  Claim();
  Claim();
  Create("done", MakeTasks(1));
  Commit(Claim());
  ASSERT_THAT(store_->CreateStream(MakeEvaluation("waiting", Evaluation::RECEIVING), {}), IsOk());
  Create("e", MakeTasks(1));
  EXPECT_EQ(Claim().task.evaluation, "evaluations/e");
}

// The store's clock is that of the machine of the database, which somebody may set.
TEST_F(TaskQueueTest, AClockThatJumpsCostsNoTaskAndCountsNoneTwice) {
  Create("e", MakeTasks(2));
  const ClaimedTask first = Claim();
  // Ahead: every lease is over, but as long as nobody has claimed the task it is who had it that
  // goes on.
  clock_.AdvanceSeconds(10 * 86'400);
  EXPECT_THAT(store_->RenewLease(first, kLease), IsOk());
  Commit(first);
  const ClaimedTask second = Claim();
  clock_.AdvanceSeconds(10 * 86'400);
  const ClaimedTask again = Claim();
  EXPECT_EQ(again.task.id, second.task.id);
  EXPECT_THAT(store_->CommitTask(second, MakeOutcomes(second.task), MakeNumerics(), {}),
              HasReason(Reason::kLeaseLost));
  // Back: renewed leases are of the time that it is now, and what waits for its next attempt does
  // not wait for a time that is days ahead.
  clock_.AdvanceSeconds(-20 * 86'400);
  EXPECT_THAT(store_->RenewLease(again, kLease), IsOk());
  clock_.AdvanceSeconds(31);
  const ClaimedTask third = Claim();
  ASSERT_THAT(store_->ReleaseTask(third, /*count_attempt=*/true, 20'000'000), IsOk());
  EXPECT_TRUE(QueueIsEmpty()) << "20 s are waited for";
  clock_.AdvanceSeconds(-86'400);
  EXPECT_TRUE(QueueIsEmpty());
  Commit(Claim());
  EXPECT_EQ(StateOf("e"), Evaluation::SUCCEEDED);
}

TEST_F(TaskQueueTest, TwoStoresOfOneDatabaseShareTheQueue) {
  const std::unique_ptr<JobStore> other = Open();
  Create("e", MakeTasks(2));
  const auto theirs = other->ClaimTask("other", kLease, "");
  ASSERT_THAT(theirs, IsOk());
  ASSERT_TRUE(theirs->has_value());
  const ClaimedTask mine = Claim();
  EXPECT_NE(mine.task.id, (*theirs)->task.id);
  Commit(mine);
  EXPECT_EQ(other->GetEvaluation("evaluations/e")->proto.progress().tasks_done(), 1);
  clock_.AdvanceSeconds(31);
  const ClaimedTask taken = Claim();
  EXPECT_EQ(taken.task.id, (*theirs)->task.id);
  EXPECT_THAT(other->CommitTask(**theirs, {}, {}, {}), HasReason(Reason::kLeaseLost));
  ASSERT_THAT(other->CancelEvaluation("evaluations/e"), IsOk());
  EXPECT_THAT(store_->RenewLease(taken, kLease), HasReason(Reason::kCancelled));
}

TEST_F(TaskQueueTest, ThreadsOfTwoStoresDoEveryTaskExactlyOnce) {
  constexpr int kTasks = 200;
  Create("a", MakeTasks(kTasks / 2));
  Create("b", MakeTasks(kTasks / 2));
  const std::unique_ptr<JobStore> other = Open();
  Mutex mutex;
  std::map<int64_t, int> commits;
  std::set<std::pair<int64_t, int64_t>> fences;
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      JobStore& store = t % 2 == 0 ? *store_ : *other;
      const std::string owner = absl::StrCat("w", t);
      for (int round = 0;; ++round) {
        const auto claim = store.ClaimTask(owner, kLease, "");
        if (!claim.ok()) {
          ++failures;
          return;
        }
        if (!claim->has_value()) return;
        {
          MutexLock lock(mutex);
          if (!fences.emplace((*claim)->task.id, (*claim)->fence).second) ++failures;
        }
        // Now and then a worker gives up; somebody does the task later.
        if (round % 7 == t) {
          if (!store.ReleaseTask(**claim, true, 0).ok()) ++failures;
          continue;
        }
        if (!store.RenewLease(**claim, kLease).ok()) ++failures;
        if (!store.CommitTask(**claim, MakeOutcomes((*claim)->task), MakeNumerics(), {}).ok()) {
          ++failures;
        }
        MutexLock lock(mutex);
        ++commits[(*claim)->task.id];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(commits.size(), static_cast<size_t>(kTasks));
  for (const auto& [task, count] : commits) EXPECT_EQ(count, 1) << task;
  for (const char* id : {"a", "b"}) {
    EXPECT_EQ(StateOf(id), Evaluation::SUCCEEDED);
    std::set<int64_t> samples;
    const auto outcomes = ReadAllOutcomes(*store_, absl::StrCat("evaluations/", id));
    ASSERT_THAT(outcomes, IsOk());
    for (const TaskOutcomes& task : *outcomes) {
      for (const v1::Outcome& outcome : task.outcomes.outcomes()) {
        EXPECT_TRUE(samples.insert(outcome.sample()).second);
      }
    }
    EXPECT_EQ(samples.size(), static_cast<size_t>(kTasks / 2 * 10));
  }
}

}  // namespace
}  // namespace assay::store
