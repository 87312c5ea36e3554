// Runs a condition, written as users write it, over samples.
#ifndef ASSAY_TESTS_SERVER_ENGINE_BASE_RUN_CONDITION_H_
#define ASSAY_TESTS_SERVER_ENGINE_BASE_RUN_CONDITION_H_

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/conditions/condition.h"
#include "gtest/gtest.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {

// The only condition that the expression makes.
inline v1::Condition ParseOne(const std::string& expression) {
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return conditions.ok() ? conditions->at(0) : v1::Condition();
}

// `others`: the models that the condition names; `kept`: where adversarial examples go.
inline absl::StatusOr<std::vector<v1::Outcome>> TryCondition(
    const std::string& expression, Classifier& model, const SampleSource& samples, int64_t seed = 1,
    std::vector<Classifier*> others = {}, std::vector<KeptExample>* kept = nullptr) {
  QuietObserver observer;
  const v1::Condition condition = ParseOne(expression);
  return RunTask({condition, seed, samples, model, observer, std::move(others), kept});
}

inline std::vector<v1::Outcome> RunCondition(const std::string& expression, Classifier& model,
                                             const SampleSource& samples, int64_t seed = 1,
                                             std::vector<Classifier*> others = {},
                                             std::vector<KeptExample>* kept = nullptr) {
  const auto outcomes = TryCondition(expression, model, samples, seed, std::move(others), kept);
  EXPECT_TRUE(outcomes.ok()) << outcomes.status();
  return outcomes.ok() ? *outcomes : std::vector<v1::Outcome>();
}

// Whether the outcomes of samples 0 to n - 1 of a linear model with 5 classes come out again, bit
// for bit, when they are run in parts of `part`, backwards, with another batch size and on one
// thread. (The linear model's arithmetic does not depend on the batch.)
inline void ExpectSameInParts(const std::string& expression, Shape shape,
                              const std::vector<v1::Outcome>& outcomes, size_t part) {
  std::map<int64_t, std::string> expected;
  for (const auto& outcome : outcomes) expected[outcome.sample()] = outcome.SerializeAsString();
  ASSERT_EQ(outcomes.size() % part, 0u);
  LinearClassifier model(shape, 5, 3, /*lanes=*/1);
  for (size_t end = outcomes.size(); end > 0; end -= part) {
    VectorSource samples(model, part, static_cast<int64_t>(end - part));
    std::reverse(samples.images.begin(), samples.images.end());
    std::reverse(samples.labels.begin(), samples.labels.end());
    std::reverse(samples.indices.begin(), samples.indices.end());
    for (const auto& outcome : RunCondition(expression, model, samples)) {
      EXPECT_EQ(outcome.SerializeAsString(), expected[outcome.sample()]) << outcome.sample();
    }
  }
}

}  // namespace assay::engine

#endif  // ASSAY_TESTS_SERVER_ENGINE_BASE_RUN_CONDITION_H_
