#include <cmath>
#include <map>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{1, 4, 4};

std::vector<v1::Outcome> Smooth(const std::string& expression, Classifier& model,
                                const SampleSource& samples, int64_t seed = 1) {
  QuietObserver observer;
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  const auto outcomes = RunTask({conditions->at(0), seed, samples, model, observer});
  EXPECT_TRUE(outcomes.ok()) << outcomes.status();
  EXPECT_EQ(observer.last_samples, static_cast<int64_t>(samples.size()));
  EXPECT_DOUBLE_EQ(observer.last_fraction, 1);
  return *outcomes;
}

int64_t Total(const google::protobuf::RepeatedPtrField<v1::ClassCount>& counts) {
  int64_t total = 0;
  for (const auto& entry : counts) total += entry.count();
  return total;
}

TEST(RandomizedSmoothing, MakesExactlyTheDrawsAskedForOfEverySample) {
  LinearClassifier model(kShape, 3, 8);
  VectorSource samples(model, 7);
  // 13 + 50 draws: batches of 8 span samples.
  for (const auto& outcome : Smooth("smoothing/gaussian:sigma=0.5,n0=13,n=50", model, samples)) {
    EXPECT_EQ(Total(outcome.smoothing().selection()), 13);
    EXPECT_EQ(Total(outcome.smoothing().estimation()), 50);
  }
  EXPECT_EQ(model.usage().forward_batches, (7 * 63 + 7) / 8);
}

// Two classes, linear: p_A = Phi(margin / (sigma ||w_0 - w_1||)) exactly.
TEST(RandomizedSmoothing, CountsFollowTheClosedFormOfALinearModel) {
  LinearClassifier model(kShape, 2, 16);
  VectorSource samples(model, 5);
  const double sigma = 0.1;
  const int n = 20000;
  const auto outcomes = Smooth("smoothing/gaussian:sigma=0.1,n0=10,n=20000", model, samples);
  for (size_t i = 0; i < samples.size(); ++i) {
    const double margin = model.MinimalEps(Norm::kL2, samples.images[i].data(), samples.labels[i]);
    const double p = 0.5 * std::erfc(-margin / sigma / std::sqrt(2.0));
    int64_t count = 0;
    for (const auto& entry : outcomes[i].smoothing().estimation()) {
      if (entry.index() == samples.labels[i]) count = entry.count();
    }
    // Five standard deviations.
    EXPECT_NEAR(static_cast<double>(count) / n, p, 5 * std::sqrt(p * (1 - p) / n) + 1e-4);
  }
}

TEST(RandomizedSmoothing, DoesNotDependOnGroupingBatchOrLanes) {
  const std::string expression = "smoothing/gaussian:sigma=0.3,n0=10,n=100";
  LinearClassifier model(kShape, 4, 16);
  VectorSource all(model, 9);
  std::map<int64_t, std::string> expected;
  for (const auto& outcome : Smooth(expression, model, all)) {
    expected[outcome.sample()] = outcome.SerializeAsString();
  }
  LinearClassifier other(kShape, 4, 5, /*lanes=*/1);
  for (const int64_t first : {6, 0, 3}) {
    VectorSource part(other, 3, first);
    for (const auto& outcome : Smooth(expression, other, part)) {
      EXPECT_EQ(outcome.SerializeAsString(), expected[outcome.sample()]);
    }
  }
}

TEST(RandomizedSmoothing, SelectionAndEstimationUseFreshDraws) {
  LinearClassifier model(kShape, 4, 16);
  VectorSource samples(model, 20);
  int different = 0;
  for (const auto& outcome : Smooth("smoothing/gaussian:sigma=1,n0=50,n=50", model, samples)) {
    std::map<int, int64_t> selection, estimation;
    for (const auto& e : outcome.smoothing().selection()) selection[e.index()] = e.count();
    for (const auto& e : outcome.smoothing().estimation()) estimation[e.index()] = e.count();
    different += selection != estimation ? 1 : 0;
  }
  EXPECT_GT(different, 10);
}

TEST(RandomizedSmoothing, NonFiniteAndTiedDrawsAreCountedApart) {
  LinearClassifier model(kShape, 3, 8);
  VectorSource samples(model, 4);
  model.on_forward = [](int slot, float* z) {
    if (slot == 1) z[0] = NAN;
    if (slot == 2) z[0] = z[1] = z[2] = 4;
  };
  for (const auto& outcome : Smooth("smoothing/gaussian:n0=8,n=80", model, samples)) {
    EXPECT_EQ(outcome.smoothing().undecided_draws(), 11);
    EXPECT_EQ(outcome.smoothing().tied_draws(), 11);
    EXPECT_EQ(Total(outcome.smoothing().estimation()) + Total(outcome.smoothing().selection()),
              88 - 22);
  }
}

TEST(CleanAndCorruption, PredictEverySampleInOrder) {
  LinearClassifier model({3, 8, 8}, 4, 8);
  VectorSource samples(model, 19, 100);
  QuietObserver observer;
  for (const char* expression : {"clean", "corruption/contrast:severity=1"}) {
    const auto conditions = ParseConditions({expression});
    const auto outcomes = RunTask({conditions->at(0), 1, samples, model, observer});
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    ASSERT_EQ(outcomes->size(), 19u);
    for (size_t i = 0; i < 19; ++i) {
      EXPECT_EQ((*outcomes)[i].sample(), 100 + static_cast<int64_t>(i));
      EXPECT_EQ((*outcomes)[i].label(), samples.labels[i]);
      if (std::string(expression) == "clean") {
        EXPECT_EQ((*outcomes)[i].prediction(), samples.labels[i]);
      }
    }
  }
}

TEST(Predict, ReadsLogits) {
  const float plain[] = {0.F, 2.F, 1.F};
  EXPECT_EQ(Predict(plain, 3).label, 1);
  EXPECT_NEAR(Predict(plain, 3).confidence, 1 / (1 + std::exp(-2.0) + std::exp(-1.0)), 1e-6);
  EXPECT_TRUE(Predict(plain, 3).Is(1));
  const float tied[] = {2.F, 2.F, 1.F};
  EXPECT_TRUE(Predict(tied, 3).tie);
  EXPECT_FALSE(Predict(tied, 3).Is(0));
  const float broken[] = {2.F, NAN, 1.F};
  EXPECT_TRUE(Predict(broken, 3).undecided);
  EXPECT_EQ(Predict(broken, 3).label, -1);
}

}  // namespace
}  // namespace assay::engine
