// Runs a condition, written as users write it, over samples.
#ifndef ASSAY_TESTS_SERVER_ENGINE_RUN_CONDITION_H_
#define ASSAY_TESTS_SERVER_ENGINE_RUN_CONDITION_H_

#include <string>
#include <utility>
#include <vector>

#include "common/condition.h"
#include "gtest/gtest.h"
#include "server/engine/task.h"
#include "tests/server/engine/fake_models.h"

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

}  // namespace assay::engine

#endif  // ASSAY_TESTS_SERVER_ENGINE_RUN_CONDITION_H_
