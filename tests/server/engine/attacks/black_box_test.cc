// Attacks by queries and by transfer against linear models, where the nearest adversarial example
// is known in closed form.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/params.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/registry.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{3, 4, 4};

Norm NormOf(const std::string& expression) {
  return expression.find("linf") != std::string::npos ? Norm::kLinf : Norm::kL2;
}

int Successes(const std::vector<v1::Outcome>& outcomes) {
  return static_cast<int>(
      std::count_if(outcomes.begin(), outcomes.end(),
                    [](const v1::Outcome& outcome) { return outcome.attack().success(); }));
}

// --- estimated gradients

TEST(EstimatedGradient, CostsTheQueriesThatItsParametersSayAndNoGradient) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 10);
  for (const char* name : {"spsa", "nes"}) {
    // A budget too small for anybody.
    for (const auto& outcome : RunCondition(
             absl::StrCat("attack/", name, ":eps=0.000001,steps=7,samples=6"), model, samples)) {
      EXPECT_EQ(outcome.attack().forwards(), 1 + 7 * (6 + 1)) << name;
      EXPECT_EQ(outcome.attack().backwards(), 0) << name;
    }
  }
  EXPECT_EQ(model.usage().backward_batches, 0);
}

TEST(EstimatedGradient, FoolsAModelThatHidesItsGradient) {
  LinearClassifier model(kShape, 2, 8);
  model.gradient_scale = 0;
  VectorSource samples(model, 20);
  EXPECT_LT(Successes(RunCondition("attack/pgd:eps=0.15", model, samples)), 20);
  for (const char* name : {"spsa", "nes"}) {
    EXPECT_EQ(Successes(RunCondition(absl::StrCat("attack/", name, ":eps=0.15"), model, samples)),
              20)
        << name;
  }
}

TEST(EstimatedGradient, QueriesComeInPairsOnBothSidesOfTheImage) {
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 1);
  const std::vector<float>& image = samples.images[0];
  std::vector<float> logits(2);
  model.Logits(image.data(), logits.data());
  for (const char* name : {"spsa", "nes"}) {
    const v1::Condition condition = ParseOne(absl::StrCat("attack/", name, ":delta=0.01"));
    const auto attack = MakeAttack(condition);
    ASSERT_TRUE(attack.ok()) << attack.status();
    const RandomKey key(1, condition.id());
    const auto state =
        (*attack)->Start({image.data(), kShape, samples.labels[0], logits.data(), 2, 0}, key);
    double squared = 0;
    std::vector<float> last;
    for (int pair = 0; pair < 20; ++pair) {
      const std::vector<float> ahead = state->point();
      state->Step(logits.data(), nullptr);
      const std::vector<float> behind = state->point();
      state->Step(logits.data(), nullptr);
      EXPECT_NE(ahead, last) << "every pair has a direction of its own";
      last = ahead;
      for (size_t i = 0; i < image.size(); ++i) {
        EXPECT_NEAR(ahead[i] - image[i], image[i] - behind[i], 1e-6);
        squared += std::pow(ahead[i] - image[i], 2);
        if (name == std::string("spsa")) {
          EXPECT_NEAR(std::abs(ahead[i] - image[i]), 0.01, 1e-6);
        }
      }
    }
    // 20 * 48 values of variance delta^2; their mean square is within 20 % at 4 standard
    // deviations.
    EXPECT_NEAR(squared / (20 * 48), 1e-4, 2e-5) << name;
  }
}

// More queries for each gradient, a better gradient: with one pair the step is along one random
// direction.
TEST(EstimatedGradient, MoreSamplesMakeABetterStep) {
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 60);
  for (const char* name : {"spsa", "nes"}) {
    const std::string start = absl::StrCat("attack/", name, ":eps=0.05,step=0.05,steps=1,samples=");
    EXPECT_GT(Successes(RunCondition(start + "2000", model, samples)),
              Successes(RunCondition(start + "2", model, samples)) + 10)
        << name;
  }
}

// --- HopSkipJump

class EveryDecisionNorm : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryDecisionNorm, ComesCloseToTheNearestAdversarialExampleOfALinearModel) {
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 20);
  const std::string expression = absl::StrCat("attack/hopskipjump:queries=10000,norm=", GetParam());
  const auto outcomes = RunCondition(expression, model, samples);
  double worst = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const double minimal =
        model.MinimalEps(NormOf(expression), samples.images[i].data(), samples.labels[i]);
    ASSERT_TRUE(outcomes[i].attack().success()) << i;
    EXPECT_GE(outcomes[i].attack().distance(), minimal * (1 - 1e-3)) << i;
    EXPECT_LE(outcomes[i].attack().forwards(), 1 + 10000 + 1);
    EXPECT_EQ(outcomes[i].attack().backwards(), 0);
    worst = std::max(worst, outcomes[i].attack().distance() / minimal);
  }

  EXPECT_LT(worst, 1.05);
}

TEST_P(EveryDecisionNorm, SeesNothingButThePredictedClass) {
  LinearClassifier model(kShape, 3, 8), decisions(kShape, 3, 8);
  VectorSource samples(model, 10);
  decisions.on_forward = [](int, float* z) {
    const auto top = std::max_element(z, z + 3) - z;
    std::fill(z, z + 3, 0.0F);
    z[top] = 5.0F;
  };
  const std::string expression = absl::StrCat("attack/hopskipjump:queries=600,norm=", GetParam());
  const auto with_logits = RunCondition(expression, model, samples);
  const auto without = RunCondition(expression, decisions, samples);
  for (size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(with_logits[i].attack().SerializeAsString(), without[i].attack().SerializeAsString());
  }
}

TEST_P(EveryDecisionNorm, MoreQueriesComeNoLessClose) {
  LinearClassifier model(kShape, 3, 8);
  VectorSource samples(model, 10);
  double last = INFINITY;
  for (const int queries : {100, 300, 1000, 3000}) {
    double sum = 0;
    for (const auto& outcome :
         RunCondition(absl::StrCat("attack/hopskipjump:norm=", GetParam(), ",queries=", queries),
                      model, samples)) {
      sum += outcome.attack().distance();
      EXPECT_LE(outcome.attack().forwards(), 1 + queries + 1);
    }
    EXPECT_LT(sum, last) << queries;
    last = sum;
  }
}

TEST_P(EveryDecisionNorm, DoesNotDependOnBatchGroupingOrOrder) {
  const std::string expression = absl::StrCat("attack/hopskipjump:queries=400,norm=", GetParam());
  LinearClassifier model(kShape, 5, 8);
  VectorSource all(model, 12);
  const auto outcomes = RunCondition(expression, model, all);
  ExpectSameInParts(expression, kShape, outcomes, 4);
}

INSTANTIATE_TEST_SUITE_P(Norms, EveryDecisionNorm, ::testing::Values("l2", "linf"));

TEST(HopSkipJump, GivesUpWhereNoNoiseIsMisclassified) {
  LinearClassifier model(kShape, 3, 8);
  VectorSource samples(model, 5);
  std::fill(samples.labels.begin(), samples.labels.end(), 1);
  model.on_forward = [](int, float* z) {
    z[0] = z[2] = 0;
    z[1] = 1;
  };
  for (const auto& outcome : RunCondition("attack/hopskipjump", model, samples)) {
    EXPECT_FALSE(outcome.attack().success());
    EXPECT_EQ(outcome.prediction(), 1);
    EXPECT_EQ(outcome.attack().forwards(), 1 + 100);
  }
}

// Fine noise is all of one class, and coarse noise is not.
TEST(HopSkipJump, StartsFromCoarseNoiseToo) {
  const Shape shape{1, 16, 16};
  LinearClassifier model(shape, 2, 8);
  model.SetRow(1, [](int, int) { return 1.0F; });
  VectorSource samples(model, 4);
  // Class 1 where the mean is above .8, which 256 independent values never are.
  const double threshold = 0.3 * static_cast<double>(shape.size());
  model.on_forward = [&](int, float* z) { z[1] -= static_cast<float>(threshold); };
  std::fill(samples.labels.begin(), samples.labels.end(), 0);
  for (const auto& outcome : RunCondition("attack/hopskipjump:queries=2000", model, samples)) {
    EXPECT_TRUE(outcome.attack().success());
  }
}

// --- transfer

TEST(Transfer, FromTheSameModelIsTheLastPointOfWhiteBoxPgd) {
  LinearClassifier model(kShape, 4, 8), surrogate(kShape, 4, 8);
  VectorSource samples(model, 30);
  const std::string expression =
      "attack/transfer:surrogates=twin,eps=0.015,steps=6,step=0.004,restarts=1";
  const auto outcomes = RunCondition(expression, model, samples, 1, {&surrogate});
  const v1::Condition condition = ParseOne(expression);
  const RandomKey key(1, condition.id());
  v1::Condition of_pgd = condition;
  of_pgd.set_method("pgd");
  const auto pgd = MakeAttack(of_pgd);
  ASSERT_TRUE(pgd.ok()) << pgd.status();
  LinearClassifier one(kShape, 4, 1);
  int successes = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const float* image = samples.images[i].data();
    std::vector<float> logits(4), gradient(kShape.size());
    one.Logits(image, logits.data());
    const auto state = (*pgd)->Start(
        {image, kShape, samples.labels[i], logits.data(), 4, samples.indices[i]}, key);
    int passes = 0;
    while (state->need() == Need::kGradient) {
      ASSERT_TRUE(one.ForwardBackward(
                         state->point().data(), 1,
                         [&](const float* z, float* derivative) {
                           std::fill(derivative, derivative + 4, 0.0F);
                           state->LogitGradient(z, derivative);
                         },
                         logits.data(), gradient.data())
                      .ok());
      state->Step(logits.data(), gradient.data());
      ++passes;
    }
    EXPECT_EQ(passes, 6);
    one.Logits(state->point().data(), logits.data());
    const Prediction last = Predict(logits.data(), 4);
    const v1::AttackOutcome& attack = outcomes[i].attack();
    EXPECT_EQ(attack.success(), !last.Is(samples.labels[i])) << i;
    if (attack.success()) {
      ++successes;
      EXPECT_EQ(outcomes[i].prediction(), last.label);
      EXPECT_EQ(outcomes[i].confidence(), last.confidence);
      EXPECT_EQ(attack.distance(),
                Distance(Norm::kLinf, state->point().data(), image, kShape.size()));
    }
    // Of the model the clean pass and the last point; of the surrogate the steps.
    EXPECT_EQ(attack.forwards(), 1 + 6 + 1);
    EXPECT_EQ(attack.backwards(), 6);
  }
  EXPECT_GT(successes, 5);
  EXPECT_LT(successes, 25);
}

TEST(Transfer, ShowsTheModelNothingButTheLastPointsOfTheRuns) {
  LinearClassifier model(kShape, 4, 8, /*lanes=*/1), surrogate(kShape, 4, 8);
  VectorSource samples(model, 16);
  RunCondition("attack/transfer:surrogates=twin,eps=0.00001,steps=9,restarts=3", model, samples, 1,
               {&surrogate});
  // Two batches of samples: clean, and once for each restart.
  EXPECT_EQ(model.usage().forward_batches, 2 + 2 * 3);
  EXPECT_EQ(model.usage().backward_batches, 0);
  EXPECT_EQ(surrogate.usage().backward_batches, 2 * 9 * 3);
  EXPECT_EQ(surrogate.usage().forward_batches, 2 * 9 * 3);
}

// A surrogate whose weights are the model's over three quarters of the image, and one that has the
// rest: together they know all of it.
TEST(Transfer, SeveralSurrogatesAreAttackedByTheirMean) {
  LinearClassifier model({1, 4, 4}, 2, 8), most({1, 4, 4}, 2, 8), rest({1, 4, 4}, 2, 8);
  const auto weight = [](int row, int column) { return (row + column) % 2 == 0 ? 1.0F : -0.5F; };
  model.SetRow(1, weight);
  most.SetRow(1, [&](int row, int column) { return row > 0 ? 2 * weight(row, column) : 0.0F; });
  rest.SetRow(1, [&](int row, int column) { return row == 0 ? 2 * weight(row, column) : 0.0F; });
  VectorSource samples(model, 40);
  std::vector<double> minima;
  for (size_t i = 0; i < samples.size(); ++i) {
    minima.push_back(model.MinimalEps(Norm::kLinf, samples.images[i].data(), samples.labels[i]));
  }
  std::vector<double> sorted = minima;
  std::sort(sorted.begin(), sorted.end());
  // From the image, with steps of eps, the last point is the corner that the gradient names.
  const std::string start =
      absl::StrCat("attack/transfer:eps=", sorted[20], ",start=none,steps=2,step=1,surrogates=");
  const double eps = std::stod(absl::StrCat(sorted[20]));
  const auto both = RunCondition(start + "most+rest", model, samples, 1, {&most, &rest});
  for (size_t i = 0; i < samples.size(); ++i) {
    if (std::abs(minima[i] - eps) > 1e-4) {
      EXPECT_EQ(both[i].attack().success(), minima[i] < eps) << i;
    }
  }
  EXPECT_LT(Successes(RunCondition(start + "most", model, samples, 1, {&most})), Successes(both));
}

TEST(Transfer, RefusesSurrogatesThatDoNotFitTheModel) {
  LinearClassifier model(kShape, 4, 8), more_classes(kShape, 5, 8);
  VectorSource samples(model, 4);
  const auto outcomes =
      TryCondition("attack/transfer:surrogates=other", model, samples, 1, {&more_classes});
  EXPECT_EQ(ReasonOf(outcomes.status()), Reason::kInvalidCondition);
  EXPECT_THAT(outcomes.status().message(), ::testing::HasSubstr("a surrogate has"));
}

// --- what a user can write

TEST(BlackBoxConditions, AreRefusedWithTheReason) {
  const std::map<std::string, std::string> bad = {
      {"attack/spsa:samples=7", "samples must be even"},
      {"attack/transfer", "surrogates"},
      {"attack/transfer:surrogates=a+b+a", "names a model twice"},
      {"attack/hopskipjump:norm=linf,eps=1/255+2", "at most 1 for norm=linf"},
  };
  for (const auto& [expression, reason] : bad) {
    const auto conditions = ParseConditions({expression});
    EXPECT_EQ(ReasonOf(conditions.status()), Reason::kInvalidCondition) << expression;
    EXPECT_THAT(std::string(conditions.status().message()), ::testing::HasSubstr(reason))
        << expression;
  }
}

TEST(BlackBoxConditions, HopSkipJumpIsOneRunForAllBudgets) {
  const auto conditions =
      ParseConditions({"attack/hopskipjump:eps=0.5", "attack/hopskipjump:eps=0.25+1"});
  ASSERT_TRUE(conditions.ok()) << conditions.status();
  ASSERT_EQ(conditions->size(), 1u);
  EXPECT_TRUE(IsMinimumNorm(conditions->at(0)));
  EXPECT_EQ(conditions->at(0).id(), "attack/hopskipjump/l2/0.25+0.5+1");
}

TEST(BlackBoxConditions, TransferNamesItsSurrogates) {
  const v1::Condition condition = ParseOne("attack/transfer:surrogates=models/b+a,eps=2/255");
  EXPECT_EQ(OtherModels(condition), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(condition.id(), "attack/transfer/linf/2-255/surrogates=b+a");
}

}  // namespace
}  // namespace assay::engine
