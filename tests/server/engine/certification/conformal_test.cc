// Smoothed conformity scores, on a linear model.
#include "server/engine/certification/conformal.h"

#include <cmath>
#include <vector>

#include "core/base/random.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

std::vector<double> Scores(ConformalScore score, const std::vector<float>& logits, double u) {
  std::vector<double> scores(logits.size());
  ConformalScores(score, logits.data(), static_cast<int>(logits.size()), u, scores.data());
  return scores;
}

// Probabilities 1/2, 1/3, 1/6.
TEST(ConformalScores, ByHand) {
  const std::vector<float> logits = {std::log(3.0F), std::log(2.0F), 0};
  EXPECT_THAT(
      Scores(ConformalScore::kHps, logits, 0.5),
      ElementsAre(DoubleNear(1.0 / 2, 1e-7), DoubleNear(2.0 / 3, 1e-7), DoubleNear(5.0 / 6, 1e-7)));
  EXPECT_THAT(Scores(ConformalScore::kAps, logits, 0.25),
              ElementsAre(DoubleNear(1.0 / 8, 1e-7), DoubleNear(1.0 / 2 + 1.0 / 12, 1e-7),
                          DoubleNear(5.0 / 6 + 1.0 / 24, 1e-7)));
  EXPECT_THAT(Scores(ConformalScore::kHps, {0, NAN}, 0.5), ElementsAre(1, 1));
}

class Quiet : public TaskObserver {
 public:
  void OnProgress(int64_t done, double fraction) override {
    EXPECT_GE(fraction, last_);
    last_ = fraction;
    done_ = done;
  }
  bool Cancelled() override { return false; }
  double last_ = 0;
  int64_t done_ = 0;
};

std::vector<v1::Outcome> RunOn(LinearClassifier& model, const SampleSource& samples,
                               const std::string& expression) {
  const auto parsed = ParseConditions({expression});
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  Quiet observer;
  const TaskContext task{parsed->at(0), 3, samples, model, observer};
  auto outcomes = RunTask(task);
  EXPECT_TRUE(outcomes.ok()) << outcomes.status();
  EXPECT_EQ(observer.done_, static_cast<int64_t>(samples.size()));
  return *std::move(outcomes);
}

TEST(Conformal, ScoresAreTheMeanOverDrawsAndTheSmallestOnePredicts) {
  const Shape shape{1, 3, 3};
  LinearClassifier model(shape, 4, 8);
  const VectorSource samples(model, 5);
  const std::vector<v1::Outcome> outcomes = RunOn(model, samples, "conformal/rscp:sigma=0.5,n=30");
  const RandomKey key(3, "conformal/rscp/0.5/0.25/n=30");
  for (size_t i = 0; i < 5; ++i) {
    std::vector<float> image(9), noisy(9), logits(4);
    std::vector<double> sums(4);
    std::vector<std::vector<double>> draws(4);
    samples.ReadImage(i, image.data());
    for (uint32_t draw = 0; draw < 30; ++draw) {
      FillNormal(key, samples.index(i), draw, 0.5F, noisy.data(), 9);
      for (size_t j = 0; j < 9; ++j) noisy[j] += image[j];
      model.Logits(noisy.data(), logits.data());
      const std::vector<double> scores = Scores(ConformalScore::kHps, logits, 0);
      for (size_t k = 0; k < 4; ++k) {
        sums[k] += scores[k] / 30;
        draws[k].push_back(scores[k]);
      }
    }
    ASSERT_EQ(outcomes[i].conformal().variances_size(), 4);
    for (size_t k = 0; k < 4; ++k) {
      double deviations = 0;
      for (const double score : draws[k]) deviations += std::pow(score - sums[k], 2);
      EXPECT_NEAR(outcomes[i].conformal().variances(static_cast<int>(k)), deviations / 29, 1e-6);
      EXPECT_GT(deviations, 1e-4);
    }
    ASSERT_EQ(outcomes[i].conformal().scores_size(), 4);
    int best = 0;
    for (int k = 0; k < 4; ++k) {
      EXPECT_NEAR(outcomes[i].conformal().scores(k), sums[static_cast<size_t>(k)], 1e-5);
      if (sums[static_cast<size_t>(k)] < sums[static_cast<size_t>(best)]) best = k;
    }
    EXPECT_EQ(outcomes[i].prediction(), best);
    EXPECT_NEAR(outcomes[i].confidence(), 1 - sums[static_cast<size_t>(best)], 1e-5);
  }
}

TEST(Conformal, OutcomesDoNotDependOnBatchesThreadsOrNeighbours) {
  const Shape shape{1, 3, 3};
  LinearClassifier small(shape, 4, 3, 1), large(shape, 4, 64, 8);
  for (const char* expression :
       {"conformal/rscp:n=20", "conformal/rscp:n=20,score=aps", "conformal/rscp:n=2,score=aps"}) {
    const auto all = RunOn(small, VectorSource(small, 12), expression);
    const auto some = RunOn(large, VectorSource(large, 5, 7), expression);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(all[7 + i].SerializeAsString(), some[i].SerializeAsString());
    }
  }
}

// The uniform number of APS belongs to the sample: with hardly any noise all draws score alike, so
// that the mean over many draws is the score at one u.
TEST(Conformal, ApsDrawsOneUniformNumberForEachSample) {
  const Shape shape{1, 3, 3};
  LinearClassifier model(shape, 4, 16);
  const VectorSource samples(model, 60);
  const auto outcomes = RunOn(model, samples, "conformal/rscp:sigma=1/1000000,n=50,score=aps");
  double lowest = 1, highest = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    std::vector<float> image(9), logits(4);
    samples.ReadImage(i, image.data());
    model.Logits(image.data(), logits.data());
    const std::vector<double> hps = Scores(ConformalScore::kHps, logits, 0);
    const int top = outcomes[i].prediction();
    const double u = outcomes[i].conformal().scores(top) / (1 - hps[static_cast<size_t>(top)]);
    lowest = std::min(lowest, u);
    highest = std::max(highest, u);
  }
  EXPECT_LT(lowest, 0.15);
  EXPECT_GT(highest, 0.85);
}

TEST(Conformal, DrawsThatAreNotFiniteSupportNoClass) {
  LinearClassifier model({1, 3, 3}, 4, 16);
  model.on_forward = [](int, float* logits) { logits[1] = NAN; };
  const auto outcomes = RunOn(model, VectorSource(model, 2), "conformal/rscp:n=5");
  EXPECT_TRUE(outcomes[0].undecided());
  EXPECT_THAT(outcomes[0].conformal().scores(), ElementsAre(1, 1, 1, 1));
}

}  // namespace
}  // namespace assay::engine
