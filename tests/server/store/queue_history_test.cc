// Workers that claim, renew, commit, give back, fall silent and come back late, all at once on one
// queue: their history is one that the model of queue_history.h allows. Queues with a bug are found
// out by it.
#include "tests/server/store/queue_history.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>

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
                                                       const std::string& model) override {
    auto claim = queue_.ClaimTask(owner, lease_micros, model);
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
  absl::Status RenewLease(const ClaimedTask& claim, int64_t lease_micros) override {
    return queue_.RenewLease(claim, lease_micros);
  }
  absl::Status ReleaseTask(const ClaimedTask& claim, bool count, int64_t wait) override {
    return queue_.ReleaseTask(claim, count, wait);
  }
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
  using Maker = std::function<std::unique_ptr<TaskQueue>(int worker)>;

  // Runs workers until there is nothing to claim any more; `make` gives each its queue.
  void Run(uint32_t seed, const Maker& make) {
    Create("a", MakeTasks(kTasks));
    Create("b", MakeTasks(kTasks));
    Create("cancelled", MakeTasks(kTasks));
    std::vector<std::thread> threads;
    for (int worker = 0; worker < kWorkers; ++worker) {
      threads.emplace_back([this, seed, worker, &make] {
        const std::unique_ptr<TaskQueue> queue = make(worker);
        Work(*queue, std::mt19937(seed * 100 + static_cast<uint32_t>(worker)));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void Work(TaskQueue& queue, std::mt19937 random) {
    const auto roll = [&](uint32_t sides) { return static_cast<int>(random() % sides); };
    std::vector<ClaimedTask> late;
    for (int idle = 0; idle < 3;) {
      const auto claim = Claim(queue);
      if (!claim.ok()) {
        ++failures_;
        return;
      }
      if (!claim->has_value()) {
        // What the silent hold comes back in the end.
        clock_.AdvanceSeconds(31);
        skewed_.AdvanceSeconds(31);
        ++idle;
        continue;
      }
      idle = 0;
      if (++claims_ == kTasks) Cancel();
      if (roll(4) == 0) {
        clock_.AdvanceSeconds(10);
        skewed_.AdvanceSeconds(10);
      }
      switch (roll(8)) {
        case 0:
        case 1:
        case 2:
          // Falls silent, and comes back when it may be another's.
          late.push_back(**claim);
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
      if (!late.empty() && roll(3) == 0) {
        Commit(queue, late.front());
        late.erase(late.begin());
      }
    }
    for (const ClaimedTask& claim : late) Commit(queue, claim);
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
    const absl::Status cancelled = Open()->CancelEvaluation("evaluations/cancelled").status();
    EXPECT_THAT(cancelled, IsOk());
    End(std::move(event), cancelled.ok());
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
};

TEST_F(QueueHistoryTest, IsOneThatTheModelAllows) {
  for (const uint32_t seed : {1u, 2u, 3u}) {
    SCOPED_TRACE(seed);
    history_.Clear();
    claims_ = 0;
    Run(seed, [this](int) { return std::unique_ptr<TaskQueue>(Open()); });
    EXPECT_EQ(failures_, 0);
    EXPECT_THAT(Violations(history_.Events()), IsEmpty());
    for (const char* id : {"a", "b"}) {
      EXPECT_EQ(StateOf(id), v1::Evaluation::SUCCEEDED);
      const auto outcomes = ReadAllOutcomes(*store_, absl::StrCat("evaluations/", id));
      ASSERT_THAT(outcomes, IsOk());
      EXPECT_EQ(outcomes->size(), static_cast<size_t>(kTasks));
    }
    EXPECT_EQ(StateOf("cancelled"), v1::Evaluation::CANCELLED);
    for (const char* id : {"a", "b", "cancelled"}) {
      ASSERT_THAT(store_->DeleteEvaluation(absl::StrCat("evaluations/", id)), IsOk());
    }
  }
}

TEST_F(QueueHistoryTest, ACommitWithoutAFenceIsFound) {
  Mutex mutex;
  std::map<int64_t, int64_t> fences;
  std::vector<std::unique_ptr<JobStore>> stores;
  for (int worker = 0; worker < kWorkers; ++worker) stores.push_back(Open());
  Run(1, [&](int worker) {
    return std::make_unique<NoFence>(*stores[static_cast<size_t>(worker)], mutex, fences);
  });
  EXPECT_THAT(Violations(history_.Events()), Contains(HasSubstr("was committed after claim")));
}

TEST_F(QueueHistoryTest, ALeaseByTheWorkersOwnClockIsFound) {
  Run(1, [this](int worker) {
    return std::unique_ptr<TaskQueue>(worker == 0 ? Open(skewed_) : Open());
  });
  EXPECT_THAT(Violations(history_.Events()), Contains(HasSubstr("before the lease of claim")));
}

}  // namespace
}  // namespace assay::store
