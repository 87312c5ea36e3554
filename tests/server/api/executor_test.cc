#include "server/api/executor.h"

#include <atomic>
#include <condition_variable>
#include <memory>

#include "gtest/gtest.h"

namespace assay::api {
namespace {

// A gate that jobs wait at.
class Gate {
 public:
  void Wait() {
    MutexLock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    lock.Wait(changed_, [this] { return open_; });
  }
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void AwaitWaiting(int count) {
    MutexLock lock(mutex_);
    lock.Wait(changed_, [&] { return waiting_ == count; });
  }

 private:
  Mutex mutex_;
  std::condition_variable changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(ExecutorTest, AFullQueueRefusesNewCallsButNotTheStepsOfOthers) {
  Gate gate;
  std::atomic<int> done = 0;
  {
    Executor executor(2, 3);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(executor.Submit([&] { gate.Wait(); }));
    gate.AwaitWaiting(2);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(executor.Submit([&] { ++done; }));
    EXPECT_FALSE(executor.Submit([&] { ++done; }));
    executor.Continue([&] { ++done; });
    EXPECT_EQ(done, 0);
    gate.Open();
  }
  EXPECT_EQ(done, 4) << "what was queued is run before the executor is gone";
}

TEST(ExecutorTest, AStepMaySubmitTheNextEvenWhenTheExecutorEnds) {
  Gate gate;
  std::atomic<int> steps = 0;
  {
    Executor executor(1, 10);
    executor.Submit([&] {
      gate.Wait();
      ++steps;
      executor.Continue([&] { ++steps; });
    });
    gate.AwaitWaiting(1);
    gate.Open();
  }
  EXPECT_EQ(steps, 2);
}

}  // namespace
}  // namespace assay::api
