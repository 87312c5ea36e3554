#include "server/monitoring/dependencies.h"

#include <atomic>
#include <future>
#include <thread>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace assay::monitoring {
namespace {

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

using Milliseconds = std::chrono::milliseconds;

TEST(DependenciesTest, OneThatFailsIsNamedUntilItAnswersAgain) {
  std::atomic<bool> fails = false;
  std::atomic<int> changes = 0;
  const Dependencies dependencies(
      {{"blobs", [] { return absl::OkStatus(); }},
       {"database", [&] { return fails ? absl::InternalError("away") : absl::OkStatus(); }}},
      [&](bool) { ++changes; }, {Milliseconds(1), Milliseconds(60'000)});
  EXPECT_TRUE(dependencies.All());
  fails = true;
  EXPECT_TRUE(Eventually([&] { return !dependencies.All(); }));
  EXPECT_FALSE(dependencies.Has("database"));
  EXPECT_TRUE(dependencies.Has("blobs"));
  EXPECT_EQ(dependencies.Snapshot(),
            (std::map<std::string, int64_t>{{"blobs", 1}, {"database", 0}}));
  EXPECT_TRUE(Eventually([&] { return changes == 1; }));
  fails = false;
  EXPECT_TRUE(Eventually([&] { return dependencies.All() && changes == 2; }));
}

TEST(DependenciesTest, OneThatHangsIsNoticedAndHidesNothingOfTheOthers) {
  std::promise<void> answer;
  const std::shared_future<void> answered = answer.get_future().share();
  std::atomic<bool> fails = false;
  const Dependencies dependencies(
      {{"blobs", [&] { return fails ? absl::InternalError("away") : absl::OkStatus(); }},
       {"database",
        [&] {
          answered.wait();
          return absl::OkStatus();
        }}},
      [](bool) {}, {Milliseconds(1), Milliseconds(20)});
  EXPECT_TRUE(Eventually([&] { return !dependencies.Has("database"); }));
  EXPECT_TRUE(dependencies.Has("blobs"));
  fails = true;
  EXPECT_TRUE(Eventually([&] { return !dependencies.Has("blobs"); }));
  answer.set_value();
  EXPECT_TRUE(Eventually([&] { return dependencies.Has("database"); }));
}

}  // namespace
}  // namespace assay::monitoring
