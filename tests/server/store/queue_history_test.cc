// Workers that claim, renew, commit, give back, fall silent and come back late, all at once on one
// queue: their history is one that the model of queue_history.h allows. Queues with a bug are found
// out by it.
#include "tests/server/store/queue_history.h"

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Commits whatever claim it is shown as if it were the current one.
class NoFence final : public TaskQueue {
 public:
  // `fences`: of the latest claims, for all workers.
  NoFence(TaskQueue& queue, Mutex& mutex, std::map<int64_t, int64_t>& fences)
      : queue_(queue), mutex_(mutex), fences_(fences) {}
  absl::StatusOr<std::optional<ClaimedTask>> ClaimTask(const std::string& owner,
                                                       int64_t lease_micros,
                                                       const std::string& model,
                                                       const std::string& kind) override {
    auto claim = queue_.ClaimTask(owner, lease_micros, model, kind);
    MutexLock lock(mutex_);
    if (claim.ok() && claim->has_value()) fences_[(*claim)->task.id] = (*claim)->fence;
    return claim;
  }
  absl::Status CommitTask(const ClaimedTask& claim, const v1::OutcomeBatch& outcomes,
                          const v1::NumericsFingerprint& numerics,
                          const TaskEffort& effort) override {
    ClaimedTask latest = claim;
    {
      MutexLock lock(mutex_);
      latest.fence = fences_[claim.task.id];
    }
    return queue_.CommitTask(latest, outcomes, numerics, effort);
  }
  absl::Status RenewLease(const ClaimedTask& claim, int64_t lease_micros,
                          const std::optional<TaskProgress>& progress) override {
    return queue_.RenewLease(claim, lease_micros, progress);
  }
  absl::Status AddToCheckpoint(const ClaimedTask& claim, const TaskCheckpoint& part) override {
    return queue_.AddToCheckpoint(claim, part);
  }
  absl::StatusOr<std::optional<TaskCheckpoint>> ReadCheckpoint(const ClaimedTask& claim) override {
    return queue_.ReadCheckpoint(claim);
  }
  absl::Status ReleaseTask(const ClaimedTask& claim, bool count, int64_t wait) override {
    return queue_.ReleaseTask(claim, count, wait);
  }
  absl::Status SplitTask(const ClaimedTask& claim, int attempts) override {
    return queue_.SplitTask(claim, attempts);
  }
  absl::Status GiveUpCondition(const ClaimedTask& claim, const v1::Failure& failure) override {
    return queue_.GiveUpCondition(claim, failure);
  }
  void ShareBy(const std::string& label) override { queue_.ShareBy(label); }
  absl::StatusOr<std::map<std::string, int64_t>> CountTasks() override {
    return queue_.CountTasks();
  }
  absl::StatusOr<std::optional<int64_t>> OldestOpenTaskMicros() override {
    return queue_.OldestOpenTaskMicros();
  }

 private:
  TaskQueue& queue_;
  Mutex& mutex_;
  std::map<int64_t, int64_t>& fences_;
};

class QueueHistoryTest : public JobStoreTest {
 protected:
  static constexpr int kWorkers = 4, kTasks = 60;

  void CreateAll() {
    Create("a", MakeTasks(kTasks));
    Create("b", MakeTasks(kTasks));
    Create("cancelled", MakeTasks(kTasks));
  }

  struct Worker {
    TaskQueue* queue = nullptr;
    std::mt19937 random;
    // Claims in whose work it fell silent.
    std::vector<ClaimedTask> late = {};
    int idle = 0;
  };

  // One claim, and what becomes of it. False when there has been nothing to do for long.
  bool Step(Worker& worker) {
    TaskQueue& queue = *worker.queue;
    const auto roll = [&](uint32_t sides) { return static_cast<int>(worker.random() % sides); };
    const auto claim = Claim(queue);
    if (!claim.ok()) {
      ++failures_;
      return false;
    }
    if (!claim->has_value()) {
      // What the silent hold comes back in the end.
      Advance(31);
      if (++worker.idle < 3) return true;
      for (const ClaimedTask& late : worker.late) Commit(queue, late);
      return false;
    }
    worker.idle = 0;
    if (++claims_ == kTasks) Cancel();
    if (roll(4) == 0) Advance(10);
    switch (roll(8)) {
      case 0:
      case 1:
      case 2:
        // Falls silent, and comes back when it may be another's.
        worker.late.push_back(**claim);
        break;
      case 3:
        Do(QueueEvent::kRelease, **claim, [&] { return queue.ReleaseTask(**claim, true, 0); });
        break;
      case 4:
        Do(QueueEvent::kRenew, **claim, [&] { return queue.RenewLease(**claim, kLease); });
        Commit(queue, **claim);
        break;
      default:
        Commit(queue, **claim);
    }
    if (!worker.late.empty() && roll(3) == 0) {
      Commit(queue, worker.late.front());
      worker.late.erase(worker.late.begin());
    }
    return true;
  }

  // Step by step, each time of a worker that `seed` chooses.
  void Interleave(uint32_t seed, const std::vector<TaskQueue*>& queues) {
    CreateAll();
    std::mt19937 random(seed);
    std::vector<Worker> workers;
    for (TaskQueue* queue : queues) workers.push_back({queue, std::mt19937(random())});
    while (!workers.empty()) {
      const auto chosen = workers.begin() + static_cast<std::ptrdiff_t>(random() % workers.size());
      if (!Step(*chosen)) workers.erase(chosen);
    }
  }

  void Advance(double seconds) {
    clock_.AdvanceSeconds(seconds);
    skewed_.AdvanceSeconds(seconds);
  }

  absl::StatusOr<std::optional<ClaimedTask>> Claim(TaskQueue& queue) {
    QueueEvent event = Begin(QueueEvent::kClaim);
    auto claim = queue.ClaimTask("w", kLease, "");
    if (claim.ok() && claim->has_value()) {
      event.evaluation = (*claim)->task.evaluation;
      event.task = (*claim)->task.id;
      event.fence = (*claim)->fence;
      End(std::move(event), true);
    }
    return claim;
  }
  void Commit(TaskQueue& queue, const ClaimedTask& claim) {
    Do(QueueEvent::kCommit, claim,
       [&] { return queue.CommitTask(claim, MakeOutcomes(claim.task), MakeNumerics(), {}); });
  }
  void Do(QueueEvent::Kind kind, const ClaimedTask& claim,
          const std::function<absl::Status()>& act) {
    QueueEvent event = Begin(kind);
    event.evaluation = claim.task.evaluation;
    event.task = claim.task.id;
    event.fence = claim.fence;
    const absl::Status status = act();
    const auto reason = ReasonOf(status);
    if (!status.ok() && reason != Reason::kLeaseLost && reason != Reason::kCancelled) ++failures_;
    // A release of a claim that is not current is accepted and does nothing.
    End(std::move(event), status.ok());
  }
  void Cancel() {
    QueueEvent event = Begin(QueueEvent::kCancel);
    event.evaluation = "evaluations/cancelled";
    cancelled_ = store_->CancelEvaluation("evaluations/cancelled").ok();
    End(std::move(event), cancelled_);
  }

  QueueEvent Begin(QueueEvent::Kind kind) {
    QueueEvent event;
    event.kind = kind;
    event.lease_micros = kLease;
    event.begin = history_.Tick();
    event.begin_micros = clock_.NowMicros();
    return event;
  }
  void End(QueueEvent event, bool ok) {
    event.ok = ok;
    event.end_micros = clock_.NowMicros();
    event.end = history_.Tick();
    history_.Add(std::move(event));
  }

  QueueHistory history_;
  // Of a worker that goes by a clock of its own.
  ManualClock skewed_{clock_.NowMicros() + 2 * kLease};
  std::atomic<int> claims_{0}, failures_{0};
  std::atomic<bool> cancelled_{false};
};

TEST_F(QueueHistoryTest, IsOneThatTheModelAllows) {
  for (const uint32_t seed : {1u, 2u, 3u}) {
    SCOPED_TRACE(seed);
    history_.Clear();
    claims_ = 0;
    CreateAll();
    // SQLite's locks are not fair: of several connections one would do nearly all.
    std::vector<std::unique_ptr<JobStore>> own;
#ifdef ASSAY_TEST_POSTGRES
    for (int i = 0; i < kWorkers; ++i) own.push_back(Open());
#endif
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kWorkers; ++i) {
      threads.emplace_back([&, i] {
        Worker worker{own.empty() ? store_.get() : own[i].get(),
                      std::mt19937(100 * seed + static_cast<uint32_t>(i))};
        while (Step(worker)) {
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(failures_, 0);
    EXPECT_THAT(Violations(history_.Events()), IsEmpty());
    for (const char* id : {"a", "b"}) {
      EXPECT_EQ(StateOf(id), v1::Evaluation::SUCCEEDED);
      const auto outcomes = ReadAllOutcomes(*store_, absl::StrCat("evaluations/", id));
      ASSERT_THAT(outcomes, IsOk());
      EXPECT_EQ(outcomes->size(), static_cast<size_t>(kTasks));
    }
    EXPECT_EQ(StateOf("cancelled") == v1::Evaluation::CANCELLED, cancelled_);
    for (const char* id : {"a", "b", "cancelled"}) {
      ASSERT_THAT(store_->DeleteEvaluation(absl::StrCat("evaluations/", id)), IsOk());
    }
  }
}

TEST_F(QueueHistoryTest, ThatIsInterleavedIsOneThatTheModelAllows) {
  std::vector<std::unique_ptr<JobStore>> own;
  std::vector<TaskQueue*> queues;
  for (int i = 0; i < kWorkers; ++i) queues.push_back(own.emplace_back(Open()).get());
  Interleave(1, queues);
  EXPECT_EQ(failures_, 0);
  EXPECT_TRUE(cancelled_);
  EXPECT_GT(history_.Events().size(), 200u);
  EXPECT_THAT(Violations(history_.Events()), IsEmpty());
}

TEST_F(QueueHistoryTest, ACommitWithoutAFenceIsFound) {
  Mutex mutex;
  std::map<int64_t, int64_t> fences;
  NoFence queue(*store_, mutex, fences);
  Interleave(1, {&queue, &queue, &queue});
  EXPECT_THAT(Violations(history_.Events()), Contains(HasSubstr("was committed after claim")));
}

TEST_F(QueueHistoryTest, ALeaseByTheWorkersOwnClockIsFound) {
  const std::unique_ptr<JobStore> skewed = Open(skewed_);
  Interleave(1, {store_.get(), store_.get(), skewed.get()});
  EXPECT_THAT(Violations(history_.Events()), Contains(HasSubstr("before the lease of claim")));
}

}  // namespace
}  // namespace assay::store
