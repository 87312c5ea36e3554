#include "server/scheduler/hub.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/server/scheduler/fake_engine_models.h"

namespace assay::scheduler {
namespace {

using std::chrono::milliseconds;
constexpr auto kLong = std::chrono::minutes(5);

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

TEST(HubTest, WorkNotifiedBeforeTheWaitEndsItAtOnce) {
  Hub hub;
  int64_t seen = 0;
  hub.NotifyWork();
  const auto start = std::chrono::steady_clock::now();
  hub.WaitForWork(kLong, &seen);
  EXPECT_LT(Seconds(start), 60);
}

TEST(HubTest, WithoutWorkTheWaitLastsUntilItsTimeIsUp) {
  Hub hub;
  int64_t seen = 0;
  hub.NotifyWork();
  hub.WaitForWork(kLong, &seen);
  const auto start = std::chrono::steady_clock::now();
  hub.WaitForWork(milliseconds(60), &seen);
  EXPECT_GE(Seconds(start), 0.059);
}

TEST(HubTest, OneNotificationWakesEveryWorker) {
  Hub hub;
  std::atomic<int> woken = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      int64_t seen = 0;
      hub.WaitForWork(kLong, &seen);
      ++woken;
    });
  }
  hub.NotifyWork();
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(woken, 4);
}

TEST(HubTest, RunningProgressOfTheTasksOfAnEvaluationIsAddedUp) {
  Hub hub;
  EXPECT_EQ(hub.GetRunning("evaluations/e").samples_done, 0);
  hub.SetRunning("evaluations/e", 1, {10, 100.0, "clean"});
  hub.SetRunning("evaluations/e", 2, {5, 7.5, "clean"});
  hub.SetRunning("evaluations/other", 3, {1000, 1000, "clean"});
  hub.SetRunning("evaluations/e", 1, {12, 120.0, "clean"});
  EXPECT_EQ(hub.GetRunning("evaluations/e").samples_done, 17);
  EXPECT_DOUBLE_EQ(hub.GetRunning("evaluations/e").work_done, 127.5);
  EXPECT_EQ(hub.GetRunning("evaluations/e").condition, "clean");
  EXPECT_EQ(hub.GetAllRunning().size(), 2u);
  EXPECT_DOUBLE_EQ(hub.GetAllRunning()["evaluations/e"].work_done, 127.5);
  EXPECT_EQ(hub.GetAllRunning()["evaluations/other"].samples_done, 1000);
  hub.ClearRunning("evaluations/e", 1);
  EXPECT_EQ(hub.GetRunning("evaluations/e").samples_done, 5);
  hub.ClearRunning("evaluations/e", 2);
  hub.ClearRunning("evaluations/e", 2);
  EXPECT_EQ(hub.GetRunning("evaluations/e").samples_done, 0);
  EXPECT_EQ(hub.GetRunning("evaluations/e").condition, "");
}

TEST(HubTest, ASubscriberHearsOfTheStateItFindsAndOfChanges) {
  Hub hub;
  std::atomic<int> pokes = 0;
  const int64_t subscription = hub.Subscribe("evaluations/e", [&] { ++pokes; });
  ASSERT_TRUE(Eventually([&] { return pokes >= 1; }));
  const int before = pokes;
  hub.NotifyChanged("evaluations/e");
  EXPECT_TRUE(Eventually([&] { return pokes > before; }));
  hub.Unsubscribe(subscription);
}

TEST(HubTest, ASubscriberIsPokedNowAndThenForChangesByOtherProcesses) {
  Hub hub;
  std::atomic<int> pokes = 0;
  const int64_t subscription = hub.Subscribe("evaluations/e", [&] { ++pokes; });
  EXPECT_TRUE(Eventually([&] { return pokes >= 2; }));
  hub.Unsubscribe(subscription);
}

TEST(HubTest, ManyChangesAreMergedToAtMostTenPokesASecond) {
  Hub hub;
  std::atomic<int> pokes = 0;
  const int64_t subscription = hub.Subscribe("evaluations/e", [&] { ++pokes; });
  const auto start = std::chrono::steady_clock::now();
  int64_t changes = 0;
  while (Seconds(start) < 0.5) {
    hub.SetRunning("evaluations/e", 1, {++changes, 0, ""});
  }
  const double seconds = Seconds(start);
  EXPECT_GT(changes, 100);
  EXPECT_LE(pokes, static_cast<int>(seconds * 10) + 2);
  EXPECT_TRUE(Eventually([&] { return pokes >= 2; }));
  hub.Unsubscribe(subscription);
}

TEST(HubTest, UnsubscribeWaitsForARunningPokeAndThereIsNoneAfterwards) {
  Hub hub;
  Mutex mutex;
  std::condition_variable changed;
  bool entered = false, release = false;
  std::atomic<int> pokes = 0;
  const int64_t subscription = hub.Subscribe("evaluations/e", [&] {
    ++pokes;
    MutexLock lock(mutex);
    entered = true;
    changed.notify_all();
    lock.Wait(changed, [&] { return release; });
  });
  {
    MutexLock lock(mutex);
    lock.Wait(changed, [&] { return entered; });
  }
  std::atomic<bool> unsubscribed = false;
  std::thread other([&] {
    hub.Unsubscribe(subscription);
    unsubscribed = true;
  });
  // Changes that come while the poke runs must not reach the subscriber once it is gone.
  hub.NotifyChanged("evaluations/e");
  EXPECT_FALSE(unsubscribed);
  {
    MutexLock lock(mutex);
    release = true;
  }
  changed.notify_all();
  other.join();
  const int pokes_at_the_end = pokes;

  // Another subscriber's second poke shows that the hub has gone on.
  std::atomic<int> others = 0;
  const int64_t second = hub.Subscribe("evaluations/e", [&] { ++others; });
  ASSERT_TRUE(Eventually([&] { return others >= 1; }));
  hub.NotifyChanged("evaluations/e");
  ASSERT_TRUE(Eventually([&] { return others >= 2; }));
  hub.Unsubscribe(second);
  EXPECT_EQ(pokes, pokes_at_the_end);
}

}  // namespace
}  // namespace assay::scheduler
