// FGSM, BIM, PGD and MI-FGSM: against the closed forms of linear models, untargeted and towards a
// class; their steps against sums by hand; and what becomes of every target.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "core/report/report.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/registry.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Shape kShape{3, 4, 4};

std::vector<double> Logits(const LinearClassifier& model, const std::vector<float>& image) {
  std::vector<float> z(static_cast<size_t>(model.num_classes()));
  model.Logits(image.data(), z.data());
  return {z.begin(), z.end()};
}

// w_a - w_b.
std::vector<double> RowDifference(const LinearClassifier& model, int a, int b) {
  std::vector<double> d(model.shape().size());
  for (size_t i = 0; i < d.size(); ++i) {
    d[i] = static_cast<double>(model.row(a)[i]) - model.row(b)[i];
  }
  return d;
}

double DualNorm(Norm norm, const std::vector<double>& d) {
  double sum = 0, largest = 0, squares = 0;
  for (const double value : d) {
    sum += std::abs(value);
    squares += value * value;
    largest = std::max(largest, std::abs(value));
  }
  if (norm == Norm::kL2) return std::sqrt(squares);
  return norm == Norm::kL1 ? largest : sum;
}

// The smallest budget that lifts class `to` above `from`. In L1 the box binds: the values with the
// largest weights go all their way first.
double PairwiseEps(const LinearClassifier& model, Norm norm, const std::vector<float>& image,
                   int from, int to) {
  const std::vector<double> z = Logits(model, image), d = RowDifference(model, to, from);
  double missing = z[static_cast<size_t>(from)] - z[static_cast<size_t>(to)];
  if (norm != Norm::kL1) return missing / DualNorm(norm, d);
  std::vector<std::pair<double, double>> gains;  // weight, room
  for (size_t i = 0; i < d.size(); ++i) {
    gains.emplace_back(std::abs(d[i]), d[i] > 0 ? 1 - image[i] : image[i]);
  }
  std::sort(gains.rbegin(), gains.rend());
  double eps = 0;
  for (const auto& [weight, room] : gains) {
    if (weight * room >= missing) return eps + missing / weight;
    missing -= weight * room;
    eps += room;
  }
  return INFINITY;
}

// The smallest budget that lifts class `to` above both others of three, away from the box. By the
// minimax theorem it is the largest, over mixtures of the two, of the mixture's missing margin
// divided by the dual norm of its weights.
double TargetEps(const LinearClassifier& model, Norm norm, const std::vector<float>& image,
                 int to) {
  const std::vector<double> z = Logits(model, image);
  const int a = to == 0 ? 1 : 0, b = to == 2 ? 1 : 2;
  const std::vector<double> over_a = RowDifference(model, to, a),
                            over_b = RowDifference(model, to, b);
  const double missing_a = z[static_cast<size_t>(a)] - z[static_cast<size_t>(to)];
  const double missing_b = z[static_cast<size_t>(b)] - z[static_cast<size_t>(to)];
  double eps = 0;
  constexpr int kGrid = 2000;
  for (int i = 0; i <= kGrid; ++i) {
    const double share = static_cast<double>(i) / kGrid;
    std::vector<double> mixture(over_a.size());
    for (size_t k = 0; k < mixture.size(); ++k) {
      mixture[k] = share * over_a[k] + (1 - share) * over_b[k];
    }
    eps = std::max(eps, (share * missing_a + (1 - share) * missing_b) / DualNorm(norm, mixture));
  }
  return eps;
}

// --- oracles

struct Row {
  std::string expression;  // without eps and step
  Norm norm;
  // Succeeds on a linear model whenever eps exceeds the closed form by this factor.
  double factor;
  // Of eps; 0 where the method has no such parameter.
  double step = 0;

  std::string At(double eps) const {
    std::string text = absl::StrFormat("%s,eps=%.6f", expression, eps);
    if (step > 0) absl::StrAppendFormat(&text, ",step=%.9f", step * eps);
    return text;
  }
  friend std::ostream& operator<<(std::ostream& out, const Row& row) {
    return out << row.expression;
  }
};

class EveryGradientAttack : public ::testing::TestWithParam<Row> {};

// With two classes the other one is the target, and the gradient of every loss points straight at
// the boundary.
TEST_P(EveryGradientAttack, FoolsALinearModelExactlyAboveTheClosedForm) {
  const Row& row = GetParam();
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 40);
  std::vector<double> minima;
  for (size_t i = 0; i < samples.size(); ++i) {
    const int y = samples.labels[i];
    minima.push_back(PairwiseEps(model, row.norm, samples.images[i], y, 1 - y));
  }
  std::vector<double> sorted = minima;
  std::sort(sorted.begin(), sorted.end());
  const double eps = std::stod(absl::StrFormat("%.6f", sorted[20]));
  int above = 0, below = 0;
  const auto outcomes = RunCondition(row.At(eps), model, samples);
  ASSERT_EQ(outcomes.size(), samples.size());
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const v1::AttackOutcome& attack = outcomes[i].attack();
    if (eps > minima[i] * row.factor) {
      ++above;
      EXPECT_TRUE(attack.success()) << i << " minimal " << minima[i] << " of " << eps;
      EXPECT_GE(attack.distance(), minima[i] * (1 - 1e-3));
    } else if (eps < minima[i]) {
      ++below;
      EXPECT_FALSE(attack.success()) << i << " minimal " << minima[i] << " of " << eps;
    }
    EXPECT_LE(attack.distance(), eps * (1 + 1e-6));
  }
  EXPECT_GT(above, 5);
  EXPECT_GT(below, 5);
}

TEST_P(EveryGradientAttack, DoesNotDependOnBatchGroupingOrOrder) {
  const Row& row = GetParam();
  const std::string expression = row.At(row.norm == Norm::kLinf ? 0.02 : 0.1);
  LinearClassifier model(kShape, 5, 8);
  VectorSource all(model, 24);
  const auto outcomes = RunCondition(expression, model, all);
  int fooled = 0;
  for (const auto& outcome : outcomes) {
    fooled += outcome.attack().success() ? 1 : 0;
  }
  EXPECT_GT(fooled, 0);
  ExpectSameInParts(expression, kShape, outcomes, 3);
}

// In L1 the optimum is on few values, and steps along a dense gradient find them only when they are
// long.
INSTANTIATE_TEST_SUITE_P(
    Table, EveryGradientAttack,
    ::testing::Values(Row{"attack/fgsm:norm=linf", Norm::kLinf, 1.001},
                      Row{"attack/fgsm:norm=l2,loss=margin", Norm::kL2, 1.001},
                      Row{"attack/fgsm:norm=linf,target=every", Norm::kLinf, 1.001},
                      Row{"attack/bim:norm=linf,loss=dlr", Norm::kLinf, 1.001},
                      Row{"attack/bim:norm=l2,target=least-likely", Norm::kL2, 1.01},
                      Row{"attack/mi-fgsm:norm=linf", Norm::kLinf, 1.001},
                      Row{"attack/mi-fgsm:norm=l2,steps=20", Norm::kL2, 1.01},
                      Row{"attack/mi-fgsm:norm=l1,steps=100", Norm::kL1, 1.02, 20},
                      Row{"attack/pgd:norm=linf,start=none", Norm::kLinf, 1.001},
                      Row{"attack/pgd:norm=linf,loss=margin,target=every", Norm::kLinf, 1.001},
                      Row{"attack/pgd:norm=linf,loss=dlr,target=random", Norm::kLinf, 1.001},
                      Row{"attack/pgd:norm=l2,steps=40,target=every,restarts=2", Norm::kL2, 1.01,
                          0.1},
                      Row{"attack/pgd:norm=l2,steps=40,momentum=0.5,eot=2", Norm::kL2, 1.01, 0.1},
                      Row{"attack/pgd:norm=l1,steps=100", Norm::kL1, 1.02, 20},
                      Row{"attack/pgd:norm=l1,steps=100,target=every", Norm::kL1, 1.02, 20}));

// --- the matrix

struct MatrixRow {
  std::string expression;
  Norm norm;
  friend std::ostream& operator<<(std::ostream& out, const MatrixRow& row) {
    return out << row.expression;
  }
};
class TargetMatrix : public ::testing::TestWithParam<MatrixRow> {};

// Three classes: one pass of the attack, its report, and the closed form of every sample and
// target. Samples whose closed form is near the budget are left out, as only those may differ.
TEST_P(TargetMatrix, OfALinearModelIsThatOfTheClosedForms) {
  const auto& [expression, norm] = GetParam();
  LinearClassifier model(kShape, 3, 8);
  VectorSource samples(model, 120);
  std::vector<double> all;
  for (size_t i = 0; i < samples.size(); ++i) {
    for (int t = 0; t < 3; ++t) {
      if (t != samples.labels[i]) all.push_back(TargetEps(model, norm, samples.images[i], t));
    }
  }
  std::sort(all.begin(), all.end());
  const double eps = std::stod(absl::StrFormat("%.6f", all[all.size() / 2]));
  constexpr double kFactor = 1.06;
  int reached[3][3] = {}, aimed[3][3] = {};
  size_t kept = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const int s = samples.labels[i];
    int successes[3] = {};
    bool clear = true;
    for (int t = 0; t < 3; ++t) {
      if (t == s) continue;
      const double minimal = TargetEps(model, norm, samples.images[i], t);
      clear &= eps < minimal || eps > minimal * kFactor;
      successes[t] = eps > minimal ? 1 : 0;
    }
    if (!clear) continue;
    for (int t = 0; t < 3; ++t) {
      if (t == s) continue;
      ++aimed[s][t];
      reached[s][t] += successes[t];
    }
    samples.images[kept] = samples.images[i];
    samples.labels[kept] = s;
    ++kept;
  }
  ASSERT_GT(kept, 80u);
  samples.images.resize(kept);
  samples.labels.resize(kept);
  samples.indices.resize(kept);

  report::ReportInput input;
  input.num_classes = 3;
  input.expected_samples = static_cast<int64_t>(kept);
  const std::string whole = absl::StrFormat("%s,eps=%.6f,step=%.9f", expression, eps, eps / 100);
  input.conditions.resize(1);
  input.conditions[0].condition = ParseOne(whole);
  input.conditions[0].outcomes = RunCondition(whole, model, samples);
  const auto report = report::BuildReport(input);
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::TargetedReport& targeted = report->conditions(0).attack().targeted();
  ASSERT_EQ(targeted.success_size(), 3);
  int successes = 0, failures = 0;
  for (int s = 0; s < 3; ++s) {
    for (int t = 0; t < 3; ++t) {
      EXPECT_EQ(targeted.success(s).targets(t).numerator(), reached[s][t]) << s << " to " << t;
      EXPECT_EQ(targeted.success(s).targets(t).denominator(), aimed[s][t]) << s << " to " << t;
      successes += reached[s][t];
      failures += aimed[s][t] - reached[s][t];
    }
  }
  EXPECT_GT(successes, 30);
  EXPECT_GT(failures, 30);
}

// Signs of single gradients do not add up to the best point between two classes; signs of
// accumulated ones do.
INSTANTIATE_TEST_SUITE_P(
    Norms, TargetMatrix,
    ::testing::Values(
        MatrixRow{"attack/pgd:norm=linf,target=every,loss=margin,momentum=0.95,steps=500",
                  Norm::kLinf},
        MatrixRow{"attack/pgd:norm=l2,target=every,loss=margin,steps=500", Norm::kL2}));

// --- targets

TEST(Targets, OfEveryAreAllOthersNearestFirstAndRecordedOnce) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 30);
  const auto outcomes = RunCondition("attack/pgd:eps=0.03,target=every,restarts=2", model, samples);
  int reached = 0, missed = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const std::vector<double> z = Logits(model, samples.images[i]);
    std::vector<int> nearest = {0, 1, 2, 3, 4};
    nearest.erase(nearest.begin() + samples.labels[i]);
    std::sort(nearest.begin(), nearest.end(),
              [&](int a, int b) { return z[static_cast<size_t>(a)] > z[static_cast<size_t>(b)]; });
    std::vector<int> recorded;
    int first = samples.labels[i];
    bool any = false;
    for (const v1::TargetOutcome& target : outcomes[i].attack().targets()) {
      recorded.push_back(target.target());
      (target.success() ? reached : missed) += 1;
      EXPECT_EQ(target.distance() > 0, target.success());
      EXPECT_LE(target.distance(), 0.03 * (1 + 1e-6));
      if (target.success() && !any) first = target.target();
      any |= target.success();
    }
    EXPECT_EQ(recorded, nearest);
    // The outcome as a whole is that of the first target reached.
    EXPECT_EQ(outcomes[i].attack().success(), any);
    EXPECT_EQ(outcomes[i].prediction(), first);
  }
  EXPECT_GT(reached, 20);
  EXPECT_GT(missed, 20);
}

// Rounding is checked against the target that was reached, though the attack goes on to others.
TEST(Targets, WhatSurvivesRoundingIsStillTakenForTheTargetReached) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 30);
  int fooled = 0, surviving = 0;
  for (const auto& outcome : RunCondition("attack/pgd:eps=0.2,target=every", model, samples)) {
    fooled += outcome.attack().success() ? 1 : 0;
    surviving += outcome.attack().survives_rounding() ? 1 : 0;
  }
  EXPECT_GT(fooled, 25);
  EXPECT_GE(surviving, fooled - 3);
}

TEST(Targets, AClassThatTheSampleHasAlreadyIsNotAttacked) {
  LinearClassifier model(kShape, 3, 8);
  VectorSource samples(model, 40);
  const auto outcomes = RunCondition("attack/pgd:eps=0.3,target=1", model, samples);
  int own = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const v1::AttackOutcome& attack = outcomes[i].attack();
    if (samples.labels[i] == 1) {
      ++own;
      EXPECT_FALSE(attack.success());
      EXPECT_EQ(outcomes[i].prediction(), 1);
      EXPECT_EQ(attack.forwards(), 1);
      EXPECT_EQ(attack.backwards(), 0);
      EXPECT_THAT(attack.targets(), IsEmpty());
    } else {
      EXPECT_TRUE(attack.success());
      EXPECT_EQ(outcomes[i].prediction(), 1);
      ASSERT_EQ(attack.targets_size(), 1);
      EXPECT_EQ(attack.targets(0).target(), 1);
    }
  }
  EXPECT_GT(own, 3);
}

TEST(Targets, AnotherWrongClassIsNoSuccess) {
  LinearClassifier model(kShape, 3, 8);
  VectorSource samples(model, 30);
  // The model says 2 to every point but the clean ones.
  int forwards = 0;
  model.on_forward = [&](int, float* z) {
    if (++forwards > 32) z[2] = 1e6F;
  };
  model.on_gradient_logits = [](int, float* z) { z[2] = 1e6F; };
  for (const auto& outcome : RunCondition("attack/pgd:eps=0.001,target=every", model, samples)) {
    for (const v1::TargetOutcome& target : outcome.attack().targets()) {
      EXPECT_EQ(target.success(), target.target() == 2);
    }
    EXPECT_EQ(outcome.attack().success(), outcome.label() != 2);
  }
}

TEST(Targets, LeastLikelyIsTheSmallestCleanLogit) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 20);
  const auto outcomes = RunCondition("attack/pgd:eps=0.01,target=least-likely", model, samples);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const std::vector<double> z = Logits(model, samples.images[i]);
    ASSERT_EQ(outcomes[i].attack().targets_size(), 1);
    EXPECT_EQ(outcomes[i].attack().targets(0).target(),
              std::min_element(z.begin(), z.end()) - z.begin());
  }
}

TEST(Targets, RandomOnesAreUniformOverTheOtherClasses) {
  LinearClassifier model({1, 2, 2}, 4, 64);
  VectorSource samples(model, 600);
  std::map<int, int> counts, expected;
  int same = 0;
  const auto first = RunCondition("attack/fgsm:eps=0.001,target=random", model, samples, 1);
  const auto second = RunCondition("attack/fgsm:eps=0.001,target=random", model, samples, 2);
  for (size_t i = 0; i < first.size(); ++i) {
    ASSERT_EQ(first[i].attack().targets_size(), 1);
    const int target = first[i].attack().targets(0).target();
    EXPECT_NE(target, samples.labels[i]);
    // Rank among the classes but the label.
    ++counts[target < samples.labels[i] ? target : target - 1];
    same += target == second[i].attack().targets(0).target() ? 1 : 0;
  }
  // 200 are expected of each, and 200 of 600 to agree between seeds; 5 standard deviations are 58.
  for (int rank = 0; rank < 3; ++rank) EXPECT_NEAR(counts[rank], 200, 58);
  EXPECT_NEAR(same, 200, 58);
}

TEST(Targets, ThatTheModelDoesNotHaveAreRefused) {
  LinearClassifier model(kShape, 3, 8);
  VectorSource samples(model, 4);
  const auto outside = TryCondition("attack/pgd:target=3", model, samples);
  EXPECT_EQ(ReasonOf(outside.status()), Reason::kInvalidCondition);
  EXPECT_THAT(outside.status().message(), HasSubstr("target=3, but the model has 3 classes"));
  EXPECT_TRUE(TryCondition("attack/pgd:target=2", model, samples).ok());
  // More runs than a sample has random streams.
  LinearClassifier wide({1, 1, 1}, 70, 8);
  VectorSource few(wide, 1);
  const auto many = TryCondition("attack/pgd:target=every,restarts=1000", wide, few);
  EXPECT_EQ(ReasonOf(many.status()), Reason::kInvalidCondition);
}

TEST(Targets, OfTwoAndThreeClassesWorkWithEveryLoss) {
  for (const int classes : {2, 3, 4}) {
    for (const char* loss : {"ce", "dlr", "margin"}) {
      LinearClassifier model(kShape, classes, 8);
      VectorSource samples(model, 10);
      for (const auto& outcome : RunCondition(
               absl::StrCat("attack/pgd:eps=0.3,target=every,loss=", loss), model, samples)) {
        EXPECT_EQ(outcome.attack().targets_size(), classes - 1);
        for (const v1::TargetOutcome& target : outcome.attack().targets()) {
          EXPECT_TRUE(target.success()) << classes << " classes, " << loss;
        }
      }
    }
  }
}

TEST(GradientAttacks, OfOneClassHaveNothingToDo) {
  LinearClassifier model(kShape, 1, 8);
  VectorSource samples(model, 3);
  for (const char* target : {"none", "random", "least-likely", "every", "0"}) {
    for (const auto& outcome :
         RunCondition(absl::StrCat("attack/pgd:loss=margin,target=", target), model, samples)) {
      EXPECT_FALSE(outcome.attack().success());
      EXPECT_EQ(outcome.attack().backwards(), 0);
    }
  }
}

// --- steps, by hand

// A state of one grey image, driven without a model.
class ByHand {
 public:
  ByHand(const std::string& expression, size_t size, int classes = 4)
      : image_(size, 0.5F), clean_logits_(static_cast<size_t>(classes)) {
    for (int k = 0; k < classes; ++k)
      clean_logits_[static_cast<size_t>(k)] = static_cast<float>(-k);
    const v1::Condition condition = ParseOne(expression);
    auto attack = MakeAttack(condition);
    EXPECT_TRUE(attack.ok()) << attack.status();
    attack_ = *std::move(attack);
    key_ = std::make_unique<RandomKey>(1, condition.id());
    AttackTarget target{
        image_.data(), {1, 1, static_cast<int>(size)}, 0, clean_logits_.data(), classes, 5};
    // Gradients by hand need not be those of the point.
    target.deterministic = false;
    state_ = attack_->Start(target, *key_);
  }
  AttackState& state() { return *state_; }
  void Gradient(const std::vector<float>& gradient) {
    EXPECT_EQ(state_->need(), Need::kGradient);
    state_->Step(clean_logits_.data(), gradient.data());
  }
  void Forward() {
    EXPECT_EQ(state_->need(), Need::kForward);
    state_->Step(clean_logits_.data(), nullptr);
  }
  // How far the point is from the image, value by value.
  std::vector<double> Moved() const {
    std::vector<double> moved;
    for (const float value : state_->point()) moved.push_back(value - 0.5);
    return moved;
  }
  std::vector<float> LogitGradient(const std::vector<float>& logits) const {
    std::vector<float> derivative(logits.size());
    state_->LogitGradient(logits.data(), derivative.data());
    return derivative;
  }

 private:
  const std::vector<float> image_;
  std::vector<float> clean_logits_;
  std::unique_ptr<Attack> attack_;
  std::unique_ptr<RandomKey> key_;
  std::unique_ptr<AttackState> state_;
};

void ExpectNear(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-6) << i;
}

TEST(Fgsm, GoesTheWholeBudgetAlongTheSign) {
  ByHand linf("attack/fgsm:eps=0.1", 3);
  ExpectNear(linf.Moved(), {0, 0, 0});
  linf.Gradient({2, -0.001F, 0});
  ExpectNear(linf.Moved(), {0.1, -0.1, 0});
  linf.Forward();
  EXPECT_EQ(linf.state().need(), Need::kDone);
  ByHand l2("attack/fgsm:norm=l2,eps=0.1", 3);
  l2.Gradient({3, -4, 0});
  ExpectNear(l2.Moved(), {0.06, -0.08, 0});
  ByHand l1("attack/fgsm:norm=l1,eps=0.1", 3);
  l1.Gradient({3, -1, 0});
  ExpectNear(l1.Moved(), {0.075, -0.025, 0});
}

TEST(Bim, TakesTenStepsOfAFifthOfTheBudgetFromTheImage) {
  ByHand bim("attack/bim:eps=0.1", 2);
  ExpectNear(bim.Moved(), {0, 0});
  for (int i = 1; i <= 10; ++i) {
    bim.Gradient({1, i == 1 ? -1.0F : 1.0F});
    ExpectNear(bim.Moved(), {std::min(0.1, 0.02 * i), std::min(0.1, 0.02 * (i - 2))});
  }
  bim.Forward();
  EXPECT_EQ(bim.state().need(), Need::kDone);
}

// Dong et al., equations 6 and 7: g' = mu g + gradient / ||gradient||_1; x' = x + alpha sign(g').
TEST(MiFgsm, AccumulatesGradientsOfUnitL1Norm) {
  ByHand whole("attack/mi-fgsm:eps=0.1", 3);
  whole.Gradient({1, -1, 2});  // g = (.25, -.25, .5)
  ExpectNear(whole.Moved(), {0.01, -0.01, 0.01});
  whole.Gradient({-3, 1, 0});  // g = (-.5, 0, .5)
  ExpectNear(whole.Moved(), {0, -0.01, 0.02});
  ByHand half("attack/pgd:start=none,eps=0.1,step=0.01,momentum=0.5", 3);
  half.Gradient({1, -1, 2});
  half.Gradient({-3, 1, 0});  // g = (-.625, .125, .25)
  ExpectNear(half.Moved(), {0, 0, 0.02});
  ByHand none("attack/pgd:start=none,eps=0.1,step=0.01", 3);
  none.Gradient({1, -1, 2});
  none.Gradient({-3, 1, 0});
  ExpectNear(none.Moved(), {0, 0, 0.01});
  // L2: along g itself.
  ByHand l2("attack/mi-fgsm:norm=l2,eps=0.5,step=0.1", 2);
  l2.Gradient({1, 0});
  l2.Gradient({0, 5});  // g = (1, 1)
  ExpectNear(l2.Moved(), {0.1 + 0.1 / std::sqrt(2), 0.1 / std::sqrt(2)});
}

TEST(MiFgsm, OfGradientsNearTheSmallestFloatStillMoves) {
  ByHand tiny("attack/mi-fgsm:eps=0.1", 2);
  tiny.Gradient({1e-42F, -3e-42F});
  ExpectNear(tiny.Moved(), {0.01, -0.01});
  tiny.Gradient({0, 0});
  ExpectNear(tiny.Moved(), {0.02, -0.02});
}

TEST(Eot, StepsAlongTheMeanOfItsPasses) {
  ByHand eot("attack/pgd:norm=l2,start=none,eps=0.5,step=0.1,eot=3", 2);
  eot.Gradient({3, 0});
  eot.Gradient({0, 5});
  ExpectNear(eot.Moved(), {0, 0});
  eot.Gradient({0, -1});  // the mean is (1, 4/3)
  ExpectNear(eot.Moved(), {0.06, 0.08});
  eot.Gradient({0, 1});
  eot.Gradient({0, 1});
  eot.Gradient({0, 1});
  ExpectNear(eot.Moved(), {0.06, 0.18});
}

TEST(Eot, CostsAsManyPasses) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 10);
  for (const auto& outcome : RunCondition("attack/bim:eps=0.00001,steps=7,eot=4", model, samples)) {
    EXPECT_EQ(outcome.attack().backwards(), 7 * 4);
    EXPECT_EQ(outcome.attack().forwards(), 1 + 7 * 4 + 1);
  }
}

TEST(Losses, TowardsAClassAreThoseOfTheClassMadeSmall) {
  const std::vector<float> z = {1, 3, 0, 2};
  // Of class 2: onehot - softmax.
  const double sum = std::exp(1) + std::exp(3) + std::exp(0) + std::exp(2);
  const std::vector<float> ce = ByHand("attack/fgsm:target=2", 2).LogitGradient(z);
  for (size_t k = 0; k < 4; ++k) {
    EXPECT_NEAR(ce[k], (k == 2 ? 1 : 0) - std::exp(static_cast<double>(z[k])) / sum, 1e-6);
  }
  EXPECT_THAT(ByHand("attack/fgsm:target=2,loss=margin", 2).LogitGradient(z),
              ElementsAre(0, -1, 1, 0));
  EXPECT_THAT(ByHand("attack/fgsm:loss=margin", 2).LogitGradient(z), ElementsAre(-1, 1, 0, 0));
  // The label is 0. -(z_0 - z_2) / (z_1 - (z_0 + z_2) / 2) = -1 / 2.5: by z_2, with the denominator
  // D = 2.5, it grows by 1 / D - (1 / 2) / D^2.
  const std::vector<float> dlr = ByHand("attack/fgsm:target=2,loss=dlr", 2).LogitGradient(z);
  EXPECT_NEAR(dlr[2], 1 / 2.5 - 0.5 / 6.25, 1e-6);
}

// Every run begins elsewhere: restarts, targets, and samples.
TEST(Pgd, RunsOfAllTargetsAndRestartsStartAtDifferentPoints) {
  ByHand pgd("attack/pgd:eps=0.1,steps=1,restarts=3,target=every", 4);
  std::set<std::vector<float>> starts;
  std::vector<int> wanted;
  while (pgd.state().need() != Need::kDone) {
    starts.insert(pgd.state().point());
    wanted.push_back(pgd.state().wanted());
    pgd.Gradient({0, 0, 0, 0});
    pgd.Forward();
  }
  EXPECT_EQ(starts.size(), 9u);
  EXPECT_THAT(wanted, ElementsAre(1, 1, 1, 2, 2, 2, 3, 3, 3));
}

TEST(Pgd, ASuccessMovesOnToTheNextTargetAtItsFirstRestart) {
  ByHand pgd("attack/pgd:eps=0.1,steps=2,restarts=2,target=every,eot=2,momentum=1", 2);
  pgd.Gradient({1, 1});
  pgd.Gradient({1, 1});
  pgd.Gradient({1, 1});
  EXPECT_EQ(pgd.state().wanted(), 1);
  EXPECT_TRUE(pgd.state().NextTarget());
  EXPECT_EQ(pgd.state().wanted(), 2);
  // Nothing is left of the steps before: two steps of two passes, twice.
  for (int restart = 0; restart < 2; ++restart) {
    const std::vector<double> start = pgd.Moved();
    pgd.Gradient({-1, -1});
    pgd.Gradient({-1, -1});
    ExpectNear(pgd.Moved(), {std::max(start[0] - 0.025, -0.1), std::max(start[1] - 0.025, -0.1)});
    pgd.Gradient({-1, -1});
    pgd.Gradient({-1, -1});
    pgd.Forward();
  }
  EXPECT_EQ(pgd.state().wanted(), 3);
  EXPECT_FALSE(pgd.state().NextTarget());
  EXPECT_EQ(pgd.state().need(), Need::kDone);
}

// --- conditions

TEST(GradientConditions, HaveIdsThatOldOnesKeep) {
  EXPECT_EQ(ParseOne("attack/pgd:target=none,loss=ce,eot=1,momentum=0,start=random").id(),
            "attack/pgd/linf/8-255");
  EXPECT_EQ(ParseOne("attack/pgd:target=every,steps=10").id(),
            "attack/pgd/linf/8-255/steps=10,target=every");
  EXPECT_EQ(ParseOne("attack/pgd:norm=l1").id(), "attack/pgd/l1/12");
  EXPECT_EQ(ParseOne("attack/fgsm:target=3").id(), "attack/fgsm/linf/8-255/target=3");
  EXPECT_EQ(ParseOne("attack/bim").parameters().at("step"), "8/1275");
  EXPECT_EQ(ParseOne("attack/pgd:norm=l1,eps=3").parameters().at("step"), "6");
  EXPECT_EQ(ParseOne("attack/pgd:norm=l1,eps=3,step=6").id(), "attack/pgd/l1/3");
  EXPECT_EQ(ParseOne("attack/mi-fgsm:eps=16/255,steps=20").parameters().at("step"), "4/1275");
}

TEST(GradientConditions, RefuseWhatMeansNothing) {
  for (const char* expression :
       {"attack/pgd:start=none,restarts=2", "attack/pgd:target=-1", "attack/pgd:target=nearest",
        "attack/pgd:eot=0", "attack/fgsm:steps=2", "attack/mi-fgsm:momentum=-1"}) {
    EXPECT_FALSE(ParseConditions({expression}).ok()) << expression;
  }
}

TEST(GradientConditions, CostWhatTheyRun) {
  EXPECT_EQ(WorkPerSample(ParseOne("attack/fgsm")), 1 + 1 + 3);
  EXPECT_EQ(WorkPerSample(ParseOne("attack/bim:eot=5")), 1 + 1 + 3 * 10 * 5);
  EXPECT_EQ(WorkPerSample(ParseOne("attack/pgd:target=every,steps=10")), 1 + 9 * 31);
}

}  // namespace
}  // namespace assay::engine
