// Modes of randomized smoothing beside the fixed number of draws, on a linear model, whose p_A and
// certified radii are known in closed form.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"
#include "core/statistics/confidence_sequence.h"
#include "core/statistics/smoothing_certificate.h"
#include "gmock/gmock.h"
#include "server/engine/certification/stopping.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{1, 4, 4};
constexpr char kAnytime[] =
    "smoothing/gaussian:sigma=0.25,alpha=0.001,mode=anytime,radii=0.125+0.25,n0=20,n=5000";

std::vector<v1::Outcome> Smooth(const std::string& expression, Classifier& model,
                                const SampleSource& samples,
                                const std::vector<Classifier*>& others = {}) {
  QuietObserver observer;
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  const auto outcomes = RunTask({conditions->at(0), 1, samples, model, observer, others});
  EXPECT_TRUE(outcomes.ok()) << outcomes.status();
  EXPECT_DOUBLE_EQ(observer.last_fraction, 1);
  return outcomes.ok() ? *outcomes : std::vector<v1::Outcome>();
}

SmoothingSetting Setting(const std::string& expression) {
  const auto setting = ParseSmoothingSetting(ParseConditions({expression})->at(0));
  EXPECT_TRUE(setting.ok()) << setting.status();
  return *setting;
}

TEST(StoppingRule, LooksEveryTenDrawsAndThenEveryHundredthMore) {
  const StoppingRule rule(Setting(kAnytime));
  std::vector<int64_t> looks;
  for (int64_t n = 0; n < 5000; n = looks.back()) looks.push_back(rule.NextLook(n));
  EXPECT_EQ(looks[0], 10);
  EXPECT_EQ(looks[99], 1000);
  EXPECT_EQ(looks[110], 1111);
  EXPECT_EQ(looks.back(), 5000);
  EXPECT_EQ(StoppingRule(Setting("smoothing/gaussian:n=700")).NextLook(0), 700);
}

TEST(StoppingRule, StopsWhenEveryRadiusIsDecided) {
  const SmoothingSetting setting = Setting(kAnytime);
  const StoppingRule rule(setting);
  // The first radius needs p_A of .69, the second of .84.
  StoppingRule::State state = rule.Start();
  EXPECT_FALSE(rule.Look(90, 100, &state));
  EXPECT_EQ(state.certified, 1u);
  EXPECT_EQ(state.given_up, 2u);
  EXPECT_EQ(state.best_lower, AnytimeLower(90, 100, 0.001));
  // A worse moment certifies nothing new and takes nothing back.
  EXPECT_FALSE(rule.Look(97, 110, &state));
  EXPECT_EQ(state.best_draws, 100);
  StoppingRule::State other = state;
  EXPECT_TRUE(rule.Look(950, 1000, &state));
  EXPECT_EQ(state.certified, 2u);
  EXPECT_EQ(state.best_count, 950);
  EXPECT_TRUE(rule.Look(700, 1000, &other));
  EXPECT_EQ(other.given_up, 1u);
  EXPECT_EQ(other.certified, 1u);
  EXPECT_EQ(other.best_count, 90);
  // Undecided to the end: .8413 is needed, and 4,300 of 5,000 would just do.
  StoppingRule::State undecided = rule.Start();
  EXPECT_FALSE(rule.Look(3455, 4000, &undecided));
  EXPECT_TRUE(rule.Look(4290, 5000, &undecided));
  EXPECT_EQ(undecided.certified, 1u);
}

TEST(StoppingRule, GivesUpWhatTheBudgetCanHardlyCertify) {
  const SmoothingSetting setting = Setting(kAnytime);
  const StoppingRule rule(setting);
  // Above the needed .8413, so nothing refutes it, but far below what certifies after 5,000 draws.
  StoppingRule::State state = rule.Start();
  EXPECT_TRUE(rule.Look(4205, 4990, &state));
  EXPECT_EQ(state.certified, 1u);
  EXPECT_EQ(state.given_up, 1u);
  // What certifies at the last draw is not given up before.
  int64_t enough = 4206;
  while (AnytimeLower(enough, 5000, 0.001) < ProbabilityFor(setting, 0.25)) ++enough;
  const double border = static_cast<double>(enough) / 5000;
  StoppingRule::State steady = rule.Start();
  for (int64_t n = rule.NextLook(0); n < 5000; n = rule.NextLook(n)) {
    const auto count = static_cast<int64_t>(std::ceil(border * static_cast<double>(n)));
    ASSERT_FALSE(rule.Look(count, n, &steady) && steady.certified < 2) << n;
  }
}

// A sample that just fails, and one that is clearly above, on simulated draws: giving up saves most
// of the draws of the first and takes the certificate from next to none of the second.
TEST(StoppingRule, GivingUpSavesDrawsAndCostsFewCertificates) {
  const SmoothingSetting setting = Setting(kAnytime);
  const StoppingRule rule(setting);
  std::mt19937_64 random(11);
  const auto simulate = [&](double pa, int* certified) {
    int64_t draws = 0;
    *certified = 0;
    for (int sample = 0; sample < 400; ++sample) {
      StoppingRule::State state = rule.Start();
      int64_t k = 0, n = 0;
      do {
        const int64_t next = rule.NextLook(n);
        k += std::binomial_distribution<int64_t>(next - n, pa)(random);
        n = next;
      } while (!rule.Look(k, n, &state));
      draws += n;
      *certified += state.certified == 2 ? 1 : 0;
    }
    return draws / 400;
  };
  // Radius 0.25 needs .8413.
  int certified = 0;
  EXPECT_LT(simulate(0.8413, &certified), 1400);
  EXPECT_LE(certified, 3);
  EXPECT_LT(simulate(0.9, &certified), 1100);
  EXPECT_GT(certified, 380);
}

TEST(AnytimeSmoothing, DecidesRadiiAsTheClosedFormOfALinearModelDoes) {
  LinearClassifier model(kShape, 2, 64);
  VectorSource samples(model, 60);
  const SmoothingSetting setting = Setting(kAnytime);
  const auto outcomes = Smooth(kAnytime, model, samples);
  int64_t draws = 0;
  int certified = 0, refuted = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    // Samples are labelled by the model, so the selected class can only be another one close to the
    // boundary.
    const double truth = model.MinimalEps(Norm::kL2, samples.images[i].data(), samples.labels[i]);
    const Certificate certificate = Certify(outcomes[i].smoothing(), setting);
    if (certificate.prediction == samples.labels[i]) {
      EXPECT_LE(certificate.radius, truth) << i;
    } else {
      EXPECT_LT(truth, 1.3 * 0.125) << i;
    }
    const int64_t spent = EstimationDraws(outcomes[i].smoothing(), setting);
    draws += spent;
    for (const double radius : setting.radii) {
      if (truth > 1.3 * radius) {
        EXPECT_GE(certificate.radius, radius) << i;
        ++certified;
      } else if (truth < 0.7 * radius) {
        EXPECT_LT(certificate.radius, radius) << i;
        ++refuted;
      }
    }
    // The best moment is one of the looks, not after the last draw.
    EXPECT_GE(spent, outcomes[i].smoothing().best_draws());
  }
  EXPECT_GT(certified, 10);
  EXPECT_GT(refuted, 15);
  EXPECT_LT(draws, 60 * 2500) << "of 60 x 5000";
}

TEST(AnytimeSmoothing, DoesNotDependOnGroupingBatchOrThreads) {
  for (const std::string& expression :
       {std::string(kAnytime), std::string("smoothing/uniform:mode=anytime,radii=0.1,n=2000,n0=7"),
        std::string("smoothing/laplace:mode=predict,n=55"),
        std::string("smoothing/gaussian:mode=anytime,n=333")}) {
    LinearClassifier model(kShape, 4, 256);
    VectorSource all(model, 12);
    std::map<int64_t, std::string> expected;
    for (const auto& outcome : Smooth(expression, model, all)) {
      expected[outcome.sample()] = outcome.SerializeAsString();
    }
    for (const int batch : {1, 7, 100}) {
      LinearClassifier other(kShape, 4, batch, /*lanes=*/batch == 7 ? 1 : 4);
      for (const int64_t first : {8, 0, 4}) {
        VectorSource part(other, 4, first);
        for (const auto& outcome : Smooth(expression, other, part)) {
          EXPECT_EQ(outcome.SerializeAsString(), expected[outcome.sample()])
              << expression << " batch " << batch;
        }
      }
    }
  }
}

// The first draws of an anytime run are those of a fixed run with the same key; so its counts are
// reproduced by judging those one by one.
TEST(AnytimeSmoothing, JudgesDrawsInTheirOrder) {
  LinearClassifier model(kShape, 2, 128);
  VectorSource samples(model, 10);
  const auto condition = ParseConditions({kAnytime})->at(0);
  const auto outcomes = Smooth(kAnytime, model, samples);
  const SmoothingSetting setting = Setting(kAnytime);
  const StoppingRule rule(setting);
  const RandomKey key(1, condition.id());
  for (size_t i = 0; i < samples.size(); ++i) {
    StoppingRule::State state = rule.Start();
    std::vector<int64_t> selection(2), estimation(2);
    std::vector<float> noisy(kShape.size());
    float logits[2];
    int64_t next = rule.NextLook(0);
    for (uint32_t draw = 0;; ++draw) {
      FillNormal(key, samples.index(i), draw, 0.25F, noisy.data(), noisy.size());
      for (size_t j = 0; j < noisy.size(); ++j) noisy[j] += samples.images[i][j];
      model.Logits(noisy.data(), logits);
      ++(draw < 20 ? selection : estimation)[logits[1] > logits[0] ? 1 : 0];
      const int64_t done = int64_t{draw} + 1 - 20;
      if (done < next) continue;
      const size_t selected = selection[1] > selection[0] ? 1 : 0;
      if (rule.Look(estimation[selected], done, &state)) break;
      next = rule.NextLook(done);
    }
    std::vector<int64_t> counts(2);
    for (const auto& entry : outcomes[i].smoothing().estimation()) {
      counts[static_cast<size_t>(entry.index())] = entry.count();
    }
    EXPECT_EQ(counts, estimation) << i;
    EXPECT_EQ(outcomes[i].smoothing().best_count(), state.best_count);
    EXPECT_EQ(outcomes[i].smoothing().best_draws(), state.best_draws);
  }
}

TEST(AnytimeSmoothing, FillsTheBatchWithDrawsAheadWhenFewSamplesAreLeft) {
  LinearClassifier model(kShape, 2, 500);
  VectorSource samples(model, 1);
  Smooth("smoothing/gaussian:mode=anytime,n0=20,n=2000", model, samples);
  // 2,020 draws in batches of 500; ten at a time would take 200 batches.
  EXPECT_EQ(model.usage().forward_batches, 5);
}

TEST(AnytimeSmoothing, ASampleWithoutASelectedClassStops) {
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 2);
  model.on_forward = [](int, float* z) { z[0] = NAN; };
  for (const auto& outcome : Smooth(kAnytime, model, samples)) {
    EXPECT_LT(outcome.smoothing().undecided_draws(), 100);
    EXPECT_EQ(Certify(outcome.smoothing(), Setting(kAnytime)).prediction, -1);
  }
}

TEST(PredictSmoothing, MakesNoSelectionDraws) {
  LinearClassifier model(kShape, 2, 16);
  VectorSource samples(model, 3);
  const std::string expression = "smoothing/gaussian:mode=predict,n=100";
  for (const auto& outcome : Smooth(expression, model, samples)) {
    EXPECT_EQ(outcome.smoothing().selection_size(), 0);
    int64_t total = 0;
    for (const auto& entry : outcome.smoothing().estimation()) total += entry.count();
    EXPECT_EQ(total, 100);
  }
}

// Two linear models are one linear model with the mean weights.
TEST(SmoothedEnsemble, CountsAreThoseOfTheMeanLogits) {
  LinearClassifier first(kShape, 2, 16), second(kShape, 2, 16), mean(kShape, 2, 16);
  first.SetRow(1, [](int row, int) { return row < 2 ? 4.0F : -4.0F; });
  second.SetRow(1, [](int, int column) { return column < 2 ? 4.0F : -4.0F; });
  mean.SetRow(1, [](int row, int column) {
    return (row < 2 ? 2.0F : -2.0F) + (column < 2 ? 2.0F : -2.0F);
  });
  VectorSource samples(mean, 6);
  const std::string expression = "smoothing/gaussian:n0=20,n=500,ensemble=other";
  const auto ensemble = Smooth(expression, first, samples, {&second});
  const auto expected = Smooth(expression, mean, samples);
  const auto alone = Smooth(expression, first, samples);
  int like_the_first = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(ensemble[i].SerializeAsString(), expected[i].SerializeAsString());
    like_the_first += ensemble[i].SerializeAsString() == alone[i].SerializeAsString() ? 1 : 0;
  }
  EXPECT_LT(like_the_first, 3);
}

}  // namespace
}  // namespace assay::engine
