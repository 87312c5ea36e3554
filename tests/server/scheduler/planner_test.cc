#include "server/scheduler/planner.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::scheduler {
namespace {

std::vector<v1::Condition> Conditions(const std::vector<std::string>& expressions) {
  auto conditions = ParseConditions(expressions);
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return *std::move(conditions);
}

const std::vector<std::string>& Mixed() {
  static const auto* const mixed = new std::vector<std::string>{
      "clean", "attack/pgd:norm=linf,eps=8/255,steps=20", "corruption/gaussian_noise:severity=1-2",
      "smoothing/gaussian:sigma=0.25,n0=100,n=10000"};
  return *mixed;
}

TEST(PlannerTest, EverySampleOfEveryConditionIsInExactlyOneTask) {
  const auto conditions = Conditions(Mixed());
  for (const int64_t first : {0, 37}) {
    for (const int64_t count : {1, 2, 511, 512, 513, 2500}) {
      for (const int32_t task_samples : {0, 1, 7, 512, 100000}) {
        std::map<std::pair<int, int64_t>, int> seen;
        for (const store::Task& task : PlanTasks(conditions, first, count, task_samples)) {
          ASSERT_GE(task.samples, 1);
          for (int64_t s = task.first_sample; s < task.first_sample + task.samples; ++s) {
            ++seen[{task.condition, s}];
          }
        }
        ASSERT_EQ(seen.size(), conditions.size() * static_cast<size_t>(count));
        for (const auto& [where, times] : seen) {
          ASSERT_EQ(times, 1) << "condition " << where.first << ", sample " << where.second;
          ASSERT_GE(where.second, first);
          ASSERT_LT(where.second, first + count);
        }
      }
    }
  }
}

TEST(PlannerTest, TasksComeConditionByConditionAndSampleBySample) {
  const auto tasks = PlanTasks(Conditions(Mixed()), 5, 1000, 100);
  ASSERT_FALSE(tasks.empty());
  for (size_t i = 1; i < tasks.size(); ++i) {
    const store::Task& before = tasks[i - 1];
    if (tasks[i].condition == before.condition) {
      EXPECT_EQ(tasks[i].first_sample, before.first_sample + before.samples);
    } else {
      EXPECT_EQ(tasks[i].condition, before.condition + 1);
      EXPECT_EQ(tasks[i].first_sample, 5);
    }
  }
}

TEST(PlannerTest, AWantedTaskSizeIsKeptButForTheLastTask) {
  const auto tasks = PlanTasks(Conditions({"clean"}), 0, 250, 100);
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[0].samples, 100);
  EXPECT_EQ(tasks[1].samples, 100);
  EXPECT_EQ(tasks[2].samples, 50);
}

TEST(PlannerTest, WorkAddsUpToThatOfTheSamplesWhateverTheCut) {
  const auto conditions = Conditions(Mixed());
  double expected = 0;
  for (const auto& condition : conditions) expected += 1234 * WorkPerSample(condition);
  for (const int32_t task_samples : {0, 1, 100, 5000}) {
    double work = 0;
    for (const auto& task : PlanTasks(conditions, 0, 1234, task_samples)) work += task.work;
    EXPECT_NEAR(work, expected, 1e-9 * expected) << task_samples;
  }
}

TEST(PlannerTest, CheapConditionsGetLongTasksAndDearOnesShortTasks) {
  const auto conditions = Conditions(Mixed());
  const auto tasks = PlanTasks(conditions, 0, 100'000, 0);
  std::map<int, int> largest;
  for (const auto& task : tasks) {
    largest[task.condition] = std::max(largest[task.condition], task.samples);
  }
  EXPECT_EQ(largest[0], 10'000) << "clean: one pass a sample";
  EXPECT_LT(largest[1], largest[0]) << "an attack";
  EXPECT_GE(largest[1], 512) << "attacks need a full batch in flight";
  EXPECT_LT(largest[4], 100) << "smoothing: ten thousand passes a sample";
  EXPECT_GE(largest[4], 1);
}

TEST(PlannerTest, TasksAreOfOneSizeWithoutARemainder) {
  const auto conditions = Conditions({"attack/pgd:norm=linf,eps=8/255,steps=20"});
  std::vector<int> sizes;
  for (const auto& task : PlanTasks(conditions, 0, 5001, 0)) sizes.push_back(task.samples);
  EXPECT_THAT(sizes, ::testing::ElementsAre(2501, 2500));
}

TEST(PlannerTest, AttacksOfLargeBatchesHaveEnoughOfThem) {
  const auto conditions = Conditions({"attack/autoattack:norm=linf,eps=8/255"});
  const auto largest = [&](int batch) {
    return PlanTasks(conditions, 0, 10'000, 0, Moment::kComplete, batch).front().samples;
  };
  EXPECT_EQ(largest(32), 715);
  EXPECT_EQ(largest(128), 2500);
  EXPECT_EQ(largest(1024), 10'000);
}

TEST(PlannerTest, WhatIsKeptOfATaskBoundsItsSamples) {
  for (const int32_t task_samples : {0, 5000}) {
    for (const store::Task& task : PlanTasks(Conditions(Mixed()), 0, 50'000, task_samples,
                                             Moment::kComplete, 512, kMaxTaskSamplesWithFeatures)) {
      EXPECT_LE(task.samples, kMaxTaskSamplesWithFeatures);
    }
  }
}

TEST(PlannerTest, NothingToDoMakesNoTasks) {
  EXPECT_TRUE(PlanTasks(Conditions(Mixed()), 0, 0, 0).empty());
  EXPECT_TRUE(PlanTasks({}, 0, 100, 0).empty());
}

TEST(PlannerTest, RoundsCoverEverySampleOfEveryConditionOnce) {
  const auto conditions = Conditions(Mixed());
  for (const int64_t count : {1, 63, 64, 65, 1000, 10'000}) {
    for (const int32_t task_samples : {0, 7}) {
      std::vector<int64_t> next(conditions.size());
      for (const store::Task& task : PlanRounds(conditions, count, task_samples, 32)) {
        int64_t& expected = next[static_cast<size_t>(task.condition)];
        ASSERT_EQ(task.first_sample, expected);
        ASSERT_GE(task.samples, 1);
        expected += task.samples;
      }
      for (const int64_t end : next) ASSERT_EQ(end, count);
    }
  }
}

TEST(PlannerTest, ConditionsTakeTurnsInRoundsThatGrowWithWhatThereIs) {
  const auto conditions = Conditions({"attack/pgd", "clean"});
  int64_t end = 0;
  int rounds = 0;
  std::vector<int64_t> done(2);
  for (const store::Task& task : PlanRounds(conditions, 10'000, 0, 32)) {
    if (task.first_sample == end) {
      // A new round: all have the samples of those before, and clean images come first.
      ASSERT_THAT(done, ::testing::Each(end));
      ASSERT_EQ(task.condition, 1);
      ++rounds;
      end += task.samples;
      EXPECT_LE(task.samples, std::max<int64_t>(64, task.first_sample / 8));
      EXPECT_TRUE(task.samples % 32 == 0 || end == 10'000) << task.samples;
    }
    done[static_cast<size_t>(task.condition)] += task.samples;
    ASSERT_LE(task.first_sample + task.samples, end);
  }
  EXPECT_EQ(end, 10'000);
  EXPECT_GT(rounds, 20);
  EXPECT_LT(rounds, 50);
}

}  // namespace
}  // namespace assay::scheduler
