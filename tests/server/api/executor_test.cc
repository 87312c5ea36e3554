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

TEST(ExecutorTest, StepsThatWaitForSomethingLeaveAThreadForCalls) {
  Gate gate;
  std::atomic<int> done = 0;
  {
    Executor executor(4, 1);
    for (int i = 0; i < 10; ++i) {
      executor.Continue([&] {
        gate.Wait();
        ++done;
      });
    }
    gate.AwaitWaiting(3);
    for (int i = 0; i < 5; ++i) {
      Gate one;
      EXPECT_TRUE(executor.Submit([&] { one.Open(); })) << "steps that wait are no calls";
      one.Wait();
    }
    EXPECT_EQ(done, 0);
    gate.Open();
  }
  EXPECT_EQ(done, 10);
}

TEST(ExecutorTest, CallsAndStepsTakeTurns) {
  Gate gate;
  std::string order;
  {
    Executor executor(1, 10);
    EXPECT_TRUE(executor.Submit([&] { gate.Wait(); }));
    gate.AwaitWaiting(1);
    for (int i = 0; i < 5; ++i) executor.Continue([&] { order += 's'; });
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(executor.Submit([&] { order += 'c'; }));
    gate.Open();
  }
  EXPECT_EQ(order, "scscscss");
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

TEST(LongCallsTest, OthersGoOnWhileTheyRunAndTheRestFollow) {
  Gate gate, other;
  std::atomic<int> done = 0;
  {
    auto executor = std::make_unique<Executor>(3, 10);
    LongCalls calls(*executor, 2, 3);
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(calls.Submit([&] {
        gate.Wait();
        ++done;
      }));
    }
    EXPECT_FALSE(calls.Submit([&] { ++done; })) << "two run and three wait";
    gate.AwaitWaiting(2);
    // The third thread is free for others, all of them.
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(executor->Submit([&] { other.Open(); }));
    other.Wait();
    EXPECT_EQ(done, 0);
    gate.Open();
    executor.reset();
  }
  EXPECT_EQ(done, 5) << "what waits is run before the executor is gone";
}

TEST(LongCallsTest, AFullExecutorRefusesThem) {
  Gate gate;
  std::atomic<int> done = 0;
  auto executor = std::make_unique<Executor>(1, 1);
  LongCalls calls(*executor, 1, 1);
  executor->Submit([&] { gate.Wait(); });
  gate.AwaitWaiting(1);
  executor->Submit([&] { ++done; });
  EXPECT_FALSE(calls.Submit([&] { ++done; }));
  gate.Open();
  // Refused calls hold no place.
  while (!calls.Submit([&] { ++done; })) {
  }
  executor.reset();
  EXPECT_EQ(done, 2);
}

}  // namespace
}  // namespace assay::api
