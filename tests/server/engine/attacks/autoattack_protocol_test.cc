// AutoAttack against its published protocol: which parts run with which settings, what a run costs,
// the schedules, and what is done for models that draw random numbers or have few classes.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/apgd_schedule.h"
#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/hyperplane.h"
#include "server/engine/attacks/registry.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Shape kShape{3, 4, 4};

v1::Condition Parse(const std::string& expression) {
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return conditions->at(0);
}

std::vector<v1::Outcome> RunCondition(const std::string& expression, Classifier& model,
                                      const SampleSource& samples) {
  QuietObserver observer;
  const v1::Condition condition = Parse(expression);
  const auto outcomes = RunTask({condition, 1, samples, model, observer});
  EXPECT_TRUE(outcomes.ok()) << outcomes.status();
  return outcomes.ok() ? *outcomes : std::vector<v1::Outcome>();
}

// --- versions

std::vector<std::string> StageIds(const std::string& parameters) {
  std::vector<std::string> ids;
  for (const v1::Condition& stage : Stages(Parse("attack/autoattack:" + parameters))) {
    ids.push_back(stage.id().substr(std::string("attack/").size()));
  }
  return ids;
}

// Specification, table of B1.1.
TEST(AutoAttackVersions, HaveThePublishedPartsAndSettings) {
  EXPECT_THAT(StageIds("norm=linf,eps=8/255"),
              ElementsAre("apgd-ce/linf/8-255", "apgd-t/linf/8-255", "fab-t/linf/8-255",
                          "square/linf/8-255"));
  EXPECT_THAT(
      StageIds("norm=l2,eps=0.5,version=plus"),
      ElementsAre("apgd-ce/l2/0.5/restarts=5", "apgd-dlr/l2/0.5/restarts=5",
                  "fab/l2/0.5/restarts=5", "square/l2/0.5", "apgd-t/l2/0.5", "fab-t/l2/0.5"));
  EXPECT_THAT(StageIds("norm=linf,version=rand"),
              ElementsAre("apgd-ce/linf/8-255/eot=20", "apgd-dlr/linf/8-255/eot=20"));
  EXPECT_THAT(StageIds("norm=linf,version=custom,parts=square+apgd-ce"),
              ElementsAre("square/linf/8-255", "apgd-ce/linf/8-255/restarts=5"));
}

// A parameter of one part.
std::string Setting(const std::string& parameters, const std::string& part,
                    const std::string& name) {
  for (const v1::Condition& stage : Stages(Parse("attack/autoattack:" + parameters))) {
    if (stage.method() == part) return stage.parameters().at(name);
  }
  return "no such part";
}

TEST(AutoAttackVersions, OfL1HaveThePublishedSettings) {
  EXPECT_EQ(Setting("norm=l1", "apgd-ce", "eps"), "12");
  EXPECT_EQ(Setting("norm=l1", "apgd-ce", "restarts"), "5");
  EXPECT_EQ(Setting("norm=l1", "apgd-ce", "larger_eps"), "yes");
  EXPECT_EQ(Setting("norm=l1", "apgd-t", "targets"), "5");
  EXPECT_EQ(Setting("norm=l1", "apgd-t", "larger_eps"), "yes");
  EXPECT_EQ(Setting("norm=l1", "fab-t", "targets"), "9");
  EXPECT_EQ(Setting("norm=l1", "square", "queries"), "5000");
  // The schedule of growing eps belongs to the standard version only.
  EXPECT_EQ(Setting("norm=l1,version=plus", "apgd-dlr", "restarts"), "5");
  EXPECT_EQ(Setting("norm=l1,version=plus", "apgd-dlr", "larger_eps"), "no");
  EXPECT_EQ(Setting("norm=l1,version=plus", "apgd-t", "targets"), "9");
  EXPECT_EQ(Setting("norm=l1,version=plus", "apgd-t", "larger_eps"), "no");
  EXPECT_EQ(Setting("norm=l1,version=rand", "apgd-ce", "restarts"), "1");
  EXPECT_EQ(Setting("norm=l1,version=rand", "apgd-ce", "larger_eps"), "no");
}

TEST(AutoAttackVersions, PartsAndTheCustomVersionNeedEachOther) {
  const auto problem = [](const std::string& parameters) {
    return std::string(ParseConditions({"attack/autoattack:" + parameters}).status().message());
  };
  EXPECT_THAT(problem("version=custom"), HasSubstr("needs parts"));
  EXPECT_THAT(problem("parts=square"), HasSubstr("version=custom only"));
  EXPECT_THAT(problem("version=plus,parts=square"), HasSubstr("version=custom only"));
  EXPECT_THAT(problem("version=custom,parts=square+square"), HasSubstr("twice"));
  EXPECT_THAT(problem("version=custom,parts=pgd"), HasSubstr("must be one of"));
  EXPECT_THAT(problem("version=custom,parts="), HasSubstr("needs parts"));
  EXPECT_THAT(std::string(ParseConditions({"attack/apgd-ce:larger_eps=yes"}).status().message()),
              HasSubstr("norm=l1 only"));
}

// --- cost

int64_t Forwards(const std::string& expression, LinearClassifier& model, int64_t* backwards) {
  VectorSource samples(model, 3);
  int64_t forwards = 0;
  *backwards = 0;
  for (const auto& outcome : RunCondition(expression, model, samples)) {
    EXPECT_FALSE(outcome.attack().success());
    forwards = std::max(forwards, outcome.attack().forwards());
    *backwards = std::max(*backwards, outcome.attack().backwards());
  }
  return forwards;
}

// A budget that fools nobody.
TEST(AutoAttackCost, OfASurvivorIsThatOfTheProtocol) {
  LinearClassifier model(kShape, 10, 8);
  int64_t backwards = 0;
  EXPECT_EQ(Forwards("attack/apgd-ce:eps=0.000001,restarts=3", model, &backwards), 1 + 3 * 101);
  EXPECT_EQ(backwards, 3 * 100);
  // Averaged gradients cost as many passes; the last point needs a plain one.
  EXPECT_EQ(Forwards("attack/apgd-dlr:eps=0.000001,eot=20", model, &backwards), 1 + 100 * 20 + 1);
  EXPECT_EQ(backwards, 100 * 20);
  // 30, 30 and 40 iterations, each part with a start.
  EXPECT_EQ(Forwards("attack/apgd-t:norm=l1,eps=0.00001", model, &backwards), 1 + 5 * 103);
  EXPECT_EQ(backwards, 5 * 100);
  EXPECT_EQ(Forwards("attack/autoattack:eps=0.000001,version=rand", model, &backwards),
            1 + 2 * 2001);
  // Untargeted FAB takes the gradient of every other class, and looks where it stepped.
  EXPECT_LE(Forwards("attack/fab:eps=0.000001,restarts=2", model, &backwards),
            1 + 2 * (100 * 9 + 101));
  // The first step of a run that crosses the boundary is seen by a gradient pass.
  EXPECT_LE(backwards, 2 * 901);
  EXPECT_GE(backwards, 2 * 800);
}

// --- models that draw random numbers

// Each gradient pass is wrong, each plain one right: after a run, the last misclassified point gets
// one more chance, and that ends the attack.
TEST(ApgdEot, JudgesTheLastMisclassifiedPointOnceByAPlainPass) {
  LinearClassifier model(kShape, 5, 4);
  VectorSource samples(model, 8);
  model.on_gradient_logits = [](int, float* z) { std::reverse(z, z + 5); };
  const auto outcomes =
      RunCondition("attack/apgd-ce:eps=0.00001,steps=6,eot=4,restarts=3", model, samples);
  int wrong = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_FALSE(outcomes[i].attack().success());
    if (samples.labels[i] == 2) continue;  // the middle stays where it is
    ++wrong;
    EXPECT_EQ(outcomes[i].attack().forwards(), 1 + 6 * 4 + 1 + 1);
    EXPECT_EQ(outcomes[i].attack().backwards(), 6 * 4);
  }
  EXPECT_GT(wrong, 3);
  // The same in the protocol's version for such models, part by part.
  for (const auto& outcome :
       RunCondition("attack/autoattack:eps=0.00001,version=rand", model, samples)) {
    EXPECT_FALSE(outcome.attack().success());
    EXPECT_EQ(outcome.attack().unconfirmed_candidates(), 0);
    EXPECT_LE(outcome.attack().forwards(), 1 + 2 * (100 * 20 + 2));
  }
}

// A model that is wrong in a fifth of its passes, at random, is wrong in about a fifth of the
// samples, not in all of them for having been asked a hundred times.
TEST(ApgdEot, DoesNotTakeChanceForSuccess) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 200);
  std::mt19937 random(3);
  int64_t clean_passes = 25;  // the clean passes of 200 samples in batches of 8 are right
  const auto sometimes = [&](int slot, float* z) {
    if (clean_passes > 0) {
      clean_passes -= slot == 7 ? 1 : 0;
      return;
    }
    if (random() % 5 == 0) std::rotate(z, z + 1, z + 5);
  };
  model.on_forward = sometimes;
  model.on_gradient_logits = sometimes;
  int fooled = 0;
  for (const auto& outcome :
       RunCondition("attack/apgd-ce:eps=0.000001,steps=20,eot=3,restarts=5", model, samples)) {
    fooled += outcome.attack().success() ? 1 : 0;
  }
  // 200 draws with probability 1/5: mean 40, standard deviation 5.7.
  EXPECT_GT(fooled, 15);
  EXPECT_LT(fooled, 65);
}

// Every second gradient points the wrong way, half as strongly.
class MoodyClassifier : public LinearClassifier {
 public:
  using LinearClassifier::LinearClassifier;
  absl::Status RunForwardBackward(const float* images, int rows,
                                  const LogitGradient& logit_gradient, float* logits,
                                  float* gradient) override {
    gradient_scale = gradient_scale == 2 ? -1.0F : 2.0F;
    return LinearClassifier::RunForwardBackward(images, rows, logit_gradient, logits, gradient);
  }
};

TEST(ApgdEot, ClimbsTheMeanOfTheGradients) {
  for (const char* eot : {"1", "2"}) {
    MoodyClassifier model(kShape, 2, 8, /*lanes=*/1);
    VectorSource samples(model, 8);
    std::vector<double> minima;
    for (size_t i = 0; i < samples.size(); ++i) {
      minima.push_back(model.MinimalEps(Norm::kL2, samples.images[i].data(), samples.labels[i]));
    }
    const double eps = 1.02 * *std::max_element(minima.begin(), minima.end());
    int fooled = 0;
    for (const auto& outcome :
         RunCondition(absl::StrFormat("attack/apgd-ce:norm=l2,steps=20,eps=%.6f,eot=%s", eps, eot),
                      model, samples)) {
      fooled += outcome.attack().success() ? 1 : 0;
    }
    if (eot[0] == '2') {
      EXPECT_EQ(fooled, 8);
    } else {
      EXPECT_LT(fooled, 8) << "the gradients of this model do not mislead";
    }
  }
}

// --- few classes

TEST(AutoAttack, RunsOnModelsOfFewClassesInEveryVersionAndNorm) {
  for (const int classes : {2, 3, 4}) {
    for (const char* norm : {"linf", "l2", "l1"}) {
      for (const char* version :
           {"standard", "plus", "rand", "custom,parts=fab+apgd-t+fab-t+apgd-dlr+square"}) {
        LinearClassifier model(kShape, classes, 8);
        VectorSource samples(model, 6);
        const std::string expression =
            absl::StrCat("attack/autoattack:norm=", norm, ",eps=0.9,version=", version);
        for (const auto& outcome : RunCondition(expression, model, samples)) {
          EXPECT_TRUE(outcome.attack().success()) << expression << ", " << classes << " classes";
        }
      }
    }
  }
}

TEST(AutoAttack, LeavesAModelOfOneClassAlone) {
  LinearClassifier model(kShape, 1, 4);
  VectorSource samples(model, 3);
  for (const char* version : {"plus", "standard", "rand"}) {
    for (const auto& outcome : RunCondition(
             absl::StrCat("attack/autoattack:eps=0.5,version=", version), model, samples)) {
      EXPECT_FALSE(outcome.attack().success());
    }
  }
}

TEST(AutoAttack, NamesThePartOfEveryVersionThatFoundTheExample) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 10);
  for (const auto& outcome :
       RunCondition("attack/autoattack:eps=0.3,version=custom,parts=fab+square", model, samples)) {
    EXPECT_TRUE(outcome.attack().success());
    EXPECT_EQ(outcome.attack().stage(), "fab");
  }
}

// --- APGD's schedules

// Every tenth of a published run against the rule written out: checkpoints at int(.22 N), then at
// distances that shrink by int(.03 N) down to int(.06 N), each at least 1.
TEST(ApgdSchedules, CheckpointsFollowTheRuleForEveryLength) {
  for (const int steps : {1, 2, 5, 10, 20, 33, 40, 50, 64, 100, 250, 1000}) {
    ApgdSchedule schedule(steps, 1);
    schedule.Start(0);
    int distance = std::max(22 * steps / 100, 1), next = distance;
    for (int i = 1; i <= steps; ++i) {
      const bool checkpoint = schedule.Record(0).checkpoint;
      EXPECT_EQ(checkpoint, i == next) << steps << " steps, iteration " << i;
      if (i != next) continue;
      distance = std::max(distance - std::max(3 * steps / 100, 1), std::max(6 * steps / 100, 1));
      next += distance;
    }
  }
}

TEST(ApgdSchedules, TheLengthsOfThePublishedTableEndWhereItEnds) {
  for (const auto& [steps, last] : {std::pair{10, 10}, {20, 20}, {40, 39}, {50, 45}, {100, 99}}) {
    ApgdSchedule schedule(steps, 1);
    schedule.Start(0);
    int found = 0;
    for (int i = 1; i <= steps; ++i) {
      if (schedule.Record(0).checkpoint) found = i;
    }
    EXPECT_EQ(found, last) << steps;
  }
}

// Three of four steps must rise, and a plateau of the best loss halves once more.
TEST(ApgdSchedules, HalvesAtThreeQuartersAndOnPlateaus) {
  ApgdSchedule schedule(100, 1);
  schedule.Start(0);
  // 16 of 22 steps rise: 16 <= 16.5.
  for (int i = 1; i <= 22; ++i) schedule.Record(i <= 16 ? i : 16);
  EXPECT_EQ(schedule.step_size(), 0.5);
  schedule.Start(0);
  // 17 of 22.
  for (int i = 1; i <= 22; ++i) schedule.Record(i <= 17 ? i : 17);
  EXPECT_EQ(schedule.step_size(), 1);
  // The next 19 all rise, but never above the best: not reduced before, so reduced now.
  for (int i = 1; i <= 19; ++i) schedule.Record(-100 + i);
  EXPECT_EQ(schedule.step_size(), 0.5);
}

// Specification, B1.3.
TEST(SparseSchedules, CheckEveryTwentyFifthOfTheRunAndFollowTheSparsity) {
  SparseSchedule schedule(100, 6, 3000);
  schedule.StartAtRandom(1);
  EXPECT_EQ(schedule.step_size(), 6);
  // A fifth of the values: the upper end of 3,000 in ascending order.
  EXPECT_EQ(schedule.first_changed(), 2400u);
  for (int i = 1; i <= 12; ++i) EXPECT_EQ(schedule.Record(0).checkpoint, i % 4 == 0) << i;
  // Sparser than the 3,000 of the start by more than a twentieth: start again from the best.
  EXPECT_TRUE(schedule.AtCheckpoint(900));
  EXPECT_EQ(schedule.step_size(), 6);
  EXPECT_EQ(schedule.first_changed(), 2400u);  // 900 / (1.5 * 3000) is a fifth
  EXPECT_FALSE(schedule.AtCheckpoint(870));
  EXPECT_DOUBLE_EQ(schedule.step_size(), 4);
  EXPECT_EQ(schedule.first_changed(), 2420u);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(schedule.AtCheckpoint(870));
  EXPECT_DOUBLE_EQ(schedule.step_size(), 0.6);
  EXPECT_TRUE(schedule.AtCheckpoint(600));
  EXPECT_DOUBLE_EQ(schedule.step_size(), 6);
  // Given a start, its sparsity counts from the beginning.
  schedule.StartAt(1, 450);
  EXPECT_EQ(schedule.first_changed(), 2700u);
  EXPECT_FALSE(schedule.AtCheckpoint(440));
  // Never beyond the last value.
  EXPECT_TRUE(schedule.AtCheckpoint(0));
  EXPECT_EQ(schedule.first_changed(), 2999u);
}

// The points that the method asks for, without a driver, on a model that it never fools.
std::vector<std::vector<float>> Points(const std::string& expression, const LinearClassifier& model,
                                       const std::vector<float>& image, int label) {
  const auto attack = MakeAttack(Parse(expression));
  EXPECT_TRUE(attack.ok()) << attack.status();
  std::vector<float> logits(static_cast<size_t>(model.num_classes()));
  model.Logits(image.data(), logits.data());
  const std::vector<float> clean_logits = logits;
  const RandomKey key(1, "test");
  const auto state = (*attack)->Start(
      {image.data(), kShape, label, clean_logits.data(), model.num_classes(), 0}, key);
  std::vector<std::vector<float>> points;
  while (state->need() != Need::kDone) {
    points.push_back(state->point());
    model.Logits(state->point().data(), logits.data());
    if (state->need() == Need::kForward) {
      state->Step(logits.data(), nullptr);
      continue;
    }
    std::vector<float> derivative(logits.size()), gradient(image.size());
    state->LogitGradient(logits.data(), derivative.data());
    for (size_t i = 0; i < image.size(); ++i) {
      for (int k = 0; k < model.num_classes(); ++k) {
        gradient[i] += derivative[static_cast<size_t>(k)] * model.row(k)[i];
      }
    }
    state->Step(logits.data(), gradient.data());
  }
  return points;
}

TEST(ApgdL1, BeginsInThreeTimesTheBudgetAndEndsInside) {
  LinearClassifier model(kShape, 4, 8);
  VectorSource samples(model, 1);
  const std::vector<float>& image = samples.images[0];
  const double eps = 0.05;
  const auto points =
      Points("attack/apgd-ce:norm=l1,eps=0.05,restarts=1", model, image, samples.labels[0]);
  ASSERT_EQ(points.size(), 31u + 31u + 41u);
  std::vector<double> farthest(3);
  for (size_t i = 0; i < points.size(); ++i) {
    const size_t stage = i < 31 ? 0 : i < 62 ? 1 : 2;
    const double distance = Distance(Norm::kL1, points[i].data(), image.data(), image.size());
    farthest[stage] = std::max(farthest[stage], distance);
  }
  EXPECT_LE(farthest[0], 3 * eps);
  EXPECT_GT(farthest[0], 2.9 * eps);
  EXPECT_LE(farthest[1], 2 * eps);
  EXPECT_GT(farthest[1], 1.9 * eps);
  EXPECT_LE(farthest[2], eps);
  EXPECT_GT(farthest[2], 0.9 * eps);
}

TEST(ApgdL1, HasNoStageTooManyWhenTheStepsAreFew) {
  LinearClassifier model(kShape, 4, 8);
  VectorSource samples(model, 1);
  for (const int steps : {1, 2, 3, 4, 5, 7, 10}) {
    const auto points =
        Points(absl::StrCat("attack/apgd-ce:norm=l1,eps=0.001,restarts=2,steps=", steps), model,
               samples.images[0], samples.labels[0]);
    // Each run has its steps, and the start of each of its three parts.
    EXPECT_EQ(points.size(), 2u * static_cast<size_t>(steps + 3)) << steps;
    EXPECT_LE(Distance(Norm::kL1, points.back().data(), samples.images[0].data(), kShape.size()),
              0.001);
  }
}

// --- FAB

TEST(Fab, WalksToTheNearestOfAllBoundaries) {
  // Ten classes: that of the second largest logit is often not the nearest.
  for (const auto& [norm, name] : {std::pair{Norm::kLinf, "linf"}, {Norm::kL2, "l2"}}) {
    LinearClassifier model(kShape, 10, 8);
    VectorSource samples(model, 60);
    for (const char* eps : {"0.02", "0.1"}) {
      const double value = std::stod(eps);
      const auto outcomes = RunCondition(
          absl::StrCat("attack/fab:steps=10,norm=", name, ",eps=", eps), model, samples);
      for (size_t i = 0; i < outcomes.size(); ++i) {
        const double minimal = model.MinimalEps(norm, samples.images[i].data(), samples.labels[i]);
        if (value > 1.06 * minimal) {
          EXPECT_TRUE(outcomes[i].attack().success()) << name << " " << i;
        } else if (value < minimal) {
          EXPECT_FALSE(outcomes[i].attack().success()) << name << " " << i;
        }
      }
    }
  }
}

TEST(Fab, RestartsBeginHalfABudgetAway) {
  LinearClassifier model(kShape, 4, 8);
  VectorSource samples(model, 1);
  const std::vector<float>& image = samples.images[0];
  for (const auto& [norm, name] :
       {std::pair{Norm::kLinf, "linf"}, {Norm::kL2, "l2"}, {Norm::kL1, "l1"}}) {
    const auto points =
        Points(absl::StrCat("attack/fab-t:steps=1,targets=1,restarts=3,eps=0.0001,norm=", name),
               model, image, samples.labels[0]);
    // Of each run: where it starts, and where its step led.
    ASSERT_EQ(points.size(), 6u);
    EXPECT_EQ(points[0], image);
    EXPECT_NE(points[2], points[4]);
    for (const size_t start : {2, 4}) {
      EXPECT_NEAR(Distance(norm, points[start].data(), image.data(), image.size()), 0.00005,
                  norm == Norm::kL1 ? 2e-6 : 2e-7)
          << name;
    }
  }
}

// --- the hyperplane in L1, where the answer is a fractional knapsack

TEST(HyperplaneL1, StepIsThatOfTheSortedGreedyChoice) {
  std::mt19937 random(21);
  std::uniform_real_distribution<float> unit(0, 1);
  std::normal_distribution<float> normal;
  for (int trial = 0; trial < 100; ++trial) {
    const size_t n = 200;
    std::vector<float> x(n), w(n), step(n);
    for (float& value : x) value = unit(random);
    for (float& value : w) value = normal(random);
    if (trial % 3 == 0) {
      // Ties, and values without weight.
      for (float& value : w) value = std::round(2 * value) / 2;
    }
    const double offset = 0.5 * normal(random) * trial;
    const double length = StepToHyperplane(Norm::kL1, x.data(), w.data(), offset, n, step.data());
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return std::abs(w[a]) > std::abs(w[b]); });
    double left = std::abs(offset), shortest = 0;
    for (const size_t i : order) {
      const double weight = std::abs(w[i]);
      if (weight == 0 || left <= 0) break;
      const double room = (w[i] > 0) == (offset > 0) ? x[i] : 1.0 - x[i];
      const double move = std::min(room, left / weight);
      shortest += move;
      left -= move * weight;
    }
    EXPECT_NEAR(length, shortest, 1e-4) << trial;
    double along = 0;
    for (size_t i = 0; i < n; ++i) {
      along += static_cast<double>(w[i]) * step[i];
      EXPECT_GE(x[i] + step[i], -1e-6);
      EXPECT_LE(x[i] + step[i], 1 + 1e-6);
    }
    EXPECT_NEAR(std::abs(along), std::abs(offset) - std::max(left, 0.0), 1e-3) << trial;
  }
}

// --- the kernels

// All instruction sets give the same bits; and the right ones, by the plainest loops.
TEST(ArrayKernels, AgreeToTheBitOnEveryInstructionSetAndWithPlainLoops) {
  std::mt19937 random(22);
  std::uniform_real_distribution<float> unit(0, 1);
  std::normal_distribution<float> normal;
  for (const size_t n : {size_t{0}, size_t{1}, size_t{31}, size_t{32}, size_t{100}, size_t{3073}}) {
    std::vector<float> x(n), w(n);
    for (float& value : x) value = unit(random);
    for (float& value : w) value = normal(random);
    double absolute = 0, squared = 0, largest = 0, along = 0, even = 0, even_slope = 0,
           weighted = 0, full = 0, shrunk = 0, shrunk_slope = 0;
    constexpr double kT = 0.3;
    for (size_t i = 0; i < n; ++i) {
      const double weight = std::abs(w[i]), room = w[i] > 0 ? x[i] : 1.0F - x[i];
      const double difference = static_cast<double>(w[i]) - x[i];
      absolute += std::abs(difference);
      squared += difference * difference;
      largest = std::max(largest, std::abs(difference));
      along += x[i] * difference;
      even += weight * std::min(room, kT);
      even_slope += kT < room ? weight : 0;
      weighted += weight * std::min(room, kT * weight);
      full += weight >= 0.5 ? weight * room : 0;
      shrunk += std::min(std::max(weight - kT, 0.0), room);
      shrunk_slope += weight > kT && weight - kT < room ? 1 : 0;
    }
    std::vector<float> magnitude(n), room(n);
    for (size_t i = 0; i < n; ++i) {
      magnitude[i] = std::abs(w[i]);
      room[i] = w[i] > 0 ? x[i] : 1.0F - x[i];
    }
    std::vector<std::vector<double>> results;
    for (const internal::ArrayKernels& kernels : internal::SupportedArrayKernels()) {
      if (kernels.name == nullptr) continue;
      const Ramp evenly = kernels.even_steps(x.data(), w.data(), 1, kT, n);
      const Ramp by_weight = kernels.weighted_steps(x.data(), w.data(), 1, kT, n);
      const Ramp falling = kernels.shrunk(magnitude.data(), room.data(), kT, n);
      results.push_back({kernels.absolute_difference(w.data(), x.data(), n),
                         kernels.squared_difference(w.data(), x.data(), n),
                         kernels.largest_difference(w.data(), x.data(), n),
                         kernels.along(x.data(), w.data(), x.data(), n), evenly.value, evenly.slope,
                         by_weight.value, kernels.full_steps(x.data(), w.data(), 1, 0.5F, n),
                         falling.value, falling.slope, by_weight.slope,
                         kernels.absolute_sum(w.data(), n), kernels.squared_sum(w.data(), n),
                         kernels.largest(w.data(), n)});
      // Arrays follow the sums.
      const auto add = [&](const std::vector<float>& values) {
        results.back().insert(results.back().end(), values.begin(), values.end());
      };
      std::vector<float> step(n), blended = x, shrunken(n), mean = x, square = magnitude, moved = w;
      kernels.write_even_steps(x.data(), w.data(), 1, 0.3F, n, step.data());
      add(step);
      kernels.write_weighted_steps(x.data(), w.data(), -1, 0.3F, n, step.data());
      add(step);
      kernels.blend(0.1F, 1.05F, w.data(), room.data(), step.data(), n, blended.data());
      add(blended);
      kernels.shrink(x.data(), w.data(), magnitude.data(), room.data(), kT, n, shrunken.data());
      add(shrunken);
      results.back().push_back(static_cast<double>(kernels.count_up_to(w.data(), 0.3F, n)));
      kernels.step_adam({0.9F, 0.999F, 2, 3, 0.01F, 1e-8F}, w.data(), n, mean.data(), square.data(),
                        moved.data());
      add(mean);
      add(square);
      add(moved);
      kernels.from_tanh_space(w.data(), n, moved.data());
      add(moved);
      EXPECT_EQ(results.back(), results.front()) << kernels.name << " " << n;
    }
    const std::vector<double> expected = {absolute,   squared,  largest, along,  even,
                                          even_slope, weighted, full,    shrunk, shrunk_slope};
    for (size_t k = 0; k < expected.size(); ++k) {
      EXPECT_NEAR(results[0][k], expected[k], 1e-6 * (1 + std::abs(expected[k]))) << k << " " << n;
    }
  }
}

TEST(ArrayKernels, ComeFromTanhSpaceToSinglePrecision) {
  std::vector<float> w, x;
  for (int at = -120000; at <= 120000; ++at) w.push_back(static_cast<float>(at) * 1e-4F);
  x.resize(w.size());
  FromTanhSpace(w.data(), w.size(), x.data());
  for (size_t i = 0; i < w.size(); ++i) {
    EXPECT_NEAR(x[i], (std::tanh(static_cast<double>(w[i])) + 1) / 2, 1e-7) << w[i];
  }
  const std::vector<float> ends = {-1e30F, -INFINITY, 0, 1e30F, INFINITY};
  FromTanhSpace(ends.data(), ends.size(), x.data());
  x.resize(ends.size());
  EXPECT_EQ(x, (std::vector<float>{0, 0, 0.5F, 1, 1}));
}

TEST(ArrayKernels, FindTheSmallestOfEveryRank) {
  std::mt19937 random(5);
  std::vector<float> values(97);
  for (float& value : values) value = static_cast<float>(random() % 40) * 1e-3F;
  values[3] = 1e-45F;
  std::vector<float> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  for (size_t rank = 0; rank < values.size(); ++rank) {
    EXPECT_EQ(Smallest(values.data(), rank, values.size()), sorted[rank]) << rank;
  }
}

}  // namespace
}  // namespace assay::engine
