// Passes that attacks leave out because their results are known: fewer of them, and the outcome is
// that of the long way, which is the one for models that draw random numbers.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "server/engine/attacks/indicators.h"
#include "server/engine/attacks/registry.h"
#include "server/engine/attacks/visited_points.h"
#include "server/engine/base/task.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

// logits z_k = w_k x + x' D_k x with diagonal D: curved, so that steps of one length go to and fro.
// That of classes of even number is positive. Class 0 has `lead` more.
class CurvedModel {
 public:
  CurvedModel(Shape shape, int classes, double lead = 0, float curvature = 30)
      : shape_(shape), classes_(classes), lead_(lead) {
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    slopes_.resize(static_cast<size_t>(classes) * shape.size());
    curves_.resize(slopes_.size());
    for (float& w : slopes_) w = normal(random);
    for (int k = 0; k < classes; ++k) {
      for (size_t i = 0; i < shape.size(); ++i) {
        curves_[At(k, i)] = (k % 2 == 0 ? curvature : -curvature) * std::abs(normal(random));
      }
    }
  }
  Shape shape() const { return shape_; }
  int classes() const { return classes_; }

  std::vector<float> Logits(const std::vector<float>& x) const {
    std::vector<float> logits;
    for (int k = 0; k < classes_; ++k) {
      double sum = k == 0 ? lead_ : 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double from_middle = x[i] - 0.5;
        sum += slope(k, i) * from_middle + curve(k, i) * from_middle * from_middle;
      }
      logits.push_back(static_cast<float>(sum));
    }
    return logits;
  }

  std::vector<float> Gradient(const std::vector<float>& x,
                              const std::vector<float>& derivative) const {
    std::vector<float> gradient(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      double sum = 0;
      for (int k = 0; k < classes_; ++k) {
        sum += derivative[static_cast<size_t>(k)] * (slope(k, i) + 2 * curve(k, i) * (x[i] - 0.5));
      }
      gradient[i] = static_cast<float>(sum);
    }
    return gradient;
  }

 private:
  size_t At(int k, size_t i) const { return static_cast<size_t>(k) * shape_.size() + i; }
  double slope(int k, size_t i) const { return slopes_[At(k, i)]; }
  double curve(int k, size_t i) const { return curves_[At(k, i)]; }

  const Shape shape_;
  const int classes_;
  const double lead_;
  std::vector<float> slopes_, curves_;
};

struct Pass {
  bool gradient = false;
  std::vector<float> point;
};

// What came of a sample, as the driver would record it.
struct Walk {
  std::vector<std::pair<int, std::vector<float>>> found;  // class and point
  std::string stage;
  int64_t unconfirmed = 0;
  v1::AttackOutcome curve;
  std::vector<Pass> passes;

  int64_t Count(bool gradient) const {
    return std::count_if(passes.begin(), passes.end(),
                         [&](const Pass& pass) { return pass.gradient == gradient; });
  }
  // Each once.
  std::set<std::pair<bool, std::vector<float>>> Distinct() const {
    std::set<std::pair<bool, std::vector<float>>> distinct;
    for (const Pass& pass : passes) distinct.insert({pass.gradient, pass.point});
    return distinct;
  }
  // Where the method asked for plain passes.
  std::vector<std::vector<float>> Looks() const {
    std::vector<std::vector<float>> looks;
    for (const Pass& pass : passes) {
      if (!pass.gradient) looks.push_back(pass.point);
    }
    return looks;
  }
};

// Image number `index` of the model, labelled by it, without the driver. In gradient passes
// `bias` is added to the largest logit but that of the label: the other form of a model.
Walk Go(const std::string& expression, const CurvedModel& model, int64_t index, bool deterministic,
        float bias = 0) {
  std::mt19937 random(static_cast<unsigned>(index) + 50);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  std::vector<float> image(model.shape().size());
  for (float& pixel : image) pixel = uniform(random);
  const std::vector<float> clean = model.Logits(image);
  const int classes = model.classes();
  AttackTarget target{image.data(), model.shape(), Predict(clean.data(), classes).label,
                      clean.data(), classes,       index};
  target.deterministic = deterministic;
  const v1::Condition condition = ParseOne(expression);
  const auto attack = MakeAttack(condition);
  EXPECT_TRUE(attack.ok()) << attack.status();
  const RandomKey key(1, condition.id());
  const auto state = (*attack)->Start(target, key);

  Walk walk;
  LossCurve curve;
  const auto adversarial = [&](const std::vector<float>& logits) {
    const Prediction prediction = Predict(logits.data(), classes);
    const bool fooled = state->wanted() == AttackState::kAnyButLabel
                            ? !prediction.Is(target.label)
                            : prediction.Is(state->wanted());
    return fooled && state->counts() &&
           (!(*attack)->parameters().leaves_budget ||
            (*attack)->Measure(state->point().data(), target) <= (*attack)->parameters().eps);
  };
  while (state->need() != Need::kDone) {
    const bool gradient = state->need() == Need::kGradient;
    const std::vector<float> point = state->point();
    walk.passes.push_back({gradient, point});
    const std::vector<float> plain = model.Logits(point);
    // Minimum-norm methods look for distances.
    const bool may_end = !(*attack)->minimum_norm();
    if (may_end && adversarial(plain)) {
      walk.found.push_back({Predict(plain.data(), classes).label, point});
      walk.stage = state->stage();
      if (!state->NextTarget()) break;
      continue;
    }
    if (!gradient) {
      curve.EndRun();
      state->Step(plain.data(), nullptr);
      continue;
    }
    std::vector<float> logits = plain;
    float* other = nullptr;
    for (int k = 0; k < classes; ++k) {
      float* const z = &logits[static_cast<size_t>(k)];
      if (k != target.label && (other == nullptr || *z > *other)) other = z;
    }
    *other += bias;
    curve.Add(logits.data(), classes, target.label, state->wanted());
    if (may_end && adversarial(logits)) ++walk.unconfirmed;
    std::vector<float> derivative(logits.size());
    state->LogitGradient(logits.data(), derivative.data());
    state->Step(logits.data(), model.Gradient(point, derivative).data());
    curve.Add(state->repetition());
  }
  curve.Describe(walk.curve);
  return walk;
}

// Both ways over some images; how many gradient and plain passes the short one saves in all.
struct Saved {
  int64_t gradients = 0, looks = 0, survivors = 0, unconfirmed = 0;
};
Saved ExpectSameOutcomes(const std::string& expression, const CurvedModel& model, float bias = 0) {
  Saved saved;
  for (int64_t index = 0; index < 12; ++index) {
    const Walk whole = Go(expression, model, index, false, bias);
    const Walk less = Go(expression, model, index, true, bias);
    EXPECT_EQ(less.found, whole.found) << expression << " " << index;
    EXPECT_EQ(less.stage, whole.stage);
    // Nothing is left out that was not made before.
    EXPECT_TRUE(less.Distinct() == whole.Distinct()) << expression << " " << index;
    EXPECT_EQ(less.unconfirmed, whole.unconfirmed);
    EXPECT_EQ(less.curve.SerializeAsString(), whole.curve.SerializeAsString());
    saved.gradients += whole.Count(true) - less.Count(true);
    saved.looks += whole.Count(false) - less.Count(false);
    saved.survivors += whole.found.empty() ? 1 : 0;
    saved.unconfirmed += whole.unconfirmed;
  }
  return saved;
}

// --- cycles

TEST(SignedSteps, LeaveOutTheWholePeriodsOfACycle) {
  const CurvedModel model({1, 6, 6}, 5);
  for (const std::string expression :
       {"attack/pgd:eps=0.01,steps=60,restarts=2", "attack/bim:eps=0.01,steps=50",
        "attack/pgd:eps=0.01,steps=61,loss=margin", "attack/pgd:eps=0.01,steps=60,loss=dlr",
        "attack/pgd:eps=0.02,steps=40,target=every",
        "attack/pgd:eps=0.01,steps=40,target=random"}) {
    const Saved saved = ExpectSameOutcomes(expression, model);
    EXPECT_GT(saved.gradients, 150) << expression;
    // The last point of every run is looked at.
    EXPECT_EQ(saved.looks, 0) << expression;
    EXPECT_GT(saved.survivors, 3) << expression;
    for (int64_t index = 0; index < 12; ++index) {
      EXPECT_EQ(Go(expression, model, index, true).Looks(),
                Go(expression, model, index, false).Looks());
    }
  }
}

TEST(SignedSteps, ThatAreNoFunctionOfThePointAreAllTaken) {
  const CurvedModel model({1, 6, 6}, 5);
  for (const std::string expression :
       {"attack/mi-fgsm:eps=0.01,steps=50", "attack/pgd:eps=0.01,steps=50,momentum=0.5",
        "attack/pgd:eps=0.01,steps=30,eot=2"}) {
    EXPECT_EQ(ExpectSameOutcomes(expression, model).gradients, 0) << expression;
  }
}

// As often as they are met, also in a cycle.
TEST(SignedSteps, CountWhatIsMisclassifiedInGradientPassesOnly) {
  const CurvedModel model({1, 6, 6}, 5);
  const Saved saved =
      ExpectSameOutcomes("attack/pgd:eps=0.01,steps=60,restarts=2", model, /*bias=*/10);
  EXPECT_GT(saved.unconfirmed, 60);
  EXPECT_GT(saved.gradients, 0);
}

TEST(SignedSteps, OfAClimbInAPatchLeaveOutCyclesToo) {
  const Saved saved =
      ExpectSameOutcomes("attack/patch:size=2,steps=40", CurvedModel({1, 6, 6}, 5, 60));
  EXPECT_EQ(saved.survivors, 12);
  EXPECT_GT(saved.gradients, 12 * 20);
}

std::vector<float> Point(float value) { return std::vector<float>(7, value); }
const float* Uphill() {
  static const std::vector<float> gradient(7, 1.0F);
  return gradient.data();
}

// After `tail` other points: how many steps of the cycle are made until it is noticed.
int64_t StepsUntilNoticed(int tail, int period) {
  VisitedPoints visited(true);
  visited.Start(Point(-1));
  for (int i = 1; i < tail; ++i) visited.Step(Uphill(), Point(-1 - static_cast<float>(i)), 1000);
  for (int i = 0; i < 1000; ++i) {
    const Repetition again = visited.Step(Uphill(), Point(static_cast<float>(i % period)), 1001);
    if (again.passes == 0) continue;
    EXPECT_EQ(again.passes, static_cast<size_t>(period));
    EXPECT_EQ(again.times, 1001 / period);
    return i + 1;
  }
  return -1;
}

TEST(VisitedPoints, AreNoticedWithThePeriodOfTheirCycle) {
  for (const int tail : {1, 2, 3, 9, 16, 25}) {
    for (const int period : {1, 2}) EXPECT_EQ(StepsUntilNoticed(tail, period), period + 1);
    for (const int period : {3, 4, 7, 30, 100}) {
      const int64_t steps = StepsUntilNoticed(tail, period);
      EXPECT_GT(steps, period);
      // The first power of two that is in the cycle and not below its period, and a period.
      EXPECT_LE(steps + tail, 2 * std::max(tail + 1, period) + period) << tail << " " << period;
    }
  }
}

TEST(VisitedPoints, DifferInTheLastBitOfAnyValue) {
  const std::vector<float> still = Point(0.5F);
  for (size_t i = 0; i < still.size(); ++i) {
    VisitedPoints visited(true);
    visited.Start(still);
    std::vector<float> other = still;
    other[i] = std::nextafter(0.5F, 1.0F);
    EXPECT_EQ(visited.Step(Uphill(), other, 100).passes, 0u) << i;
    EXPECT_EQ(visited.Step(Uphill(), still, 100).passes, 2u) << i;
  }
}

TEST(VisitedPoints, LeaveNothingOutWhereNoWholePeriodIsLeft) {
  VisitedPoints visited(true);
  visited.Start(Point(0));
  visited.Step(Uphill(), Point(1), 2);
  EXPECT_EQ(visited.Step(Uphill(), Point(0), 1).times, 0);
  visited.Start(Point(0));
  EXPECT_EQ(visited.Step(Uphill(), Point(1), 100).times, 0);
  visited.Clear();
  EXPECT_EQ(visited.Step(Uphill(), Point(0), 100).times, 0);
}

// Users are told how many gradients were zero.
TEST(VisitedPoints, LeaveNothingOutForWantOfAGradient) {
  VisitedPoints visited(true);
  visited.Start(Point(0));
  EXPECT_EQ(visited.Step(Point(0).data(), Point(0), 10).times, 0);
  EXPECT_EQ(visited.Step(Uphill(), Point(0), 10).times, 10);
}

TEST(VisitedPoints, ThatAreNotWantedAreNeverNoticed) {
  VisitedPoints visited(false);
  visited.Start(Point(0));
  EXPECT_EQ(visited.Step(Uphill(), Point(0), 10).times, 0);
}

// --- points that are known

// On one channel half of the windows of one pixel have its value already.
TEST(Square, DoesNotAskForTheBestPointAgain) {
  const CurvedModel model({1, 6, 6}, 5);
  const Saved saved = ExpectSameOutcomes("attack/square:eps=0.01,queries=400,p_init=0.1", model);
  EXPECT_GT(saved.survivors, 3);
  EXPECT_GT(saved.looks, saved.survivors * 100);
  EXPECT_EQ(
      ExpectSameOutcomes("attack/square:norm=l2,eps=0.02,queries=100", CurvedModel({1, 9, 9}, 5))
          .looks,
      0);
}

TEST(Patch, AsksOnceForAPlaceAndClimbsOnceFromIt) {
  const CurvedModel model({1, 6, 6}, 5, 60);
  // One place in all: two climbs and all looks but one are left out.
  Saved saved = ExpectSameOutcomes("attack/patch:size=6,places=5,steps=1,restarts=3", model);
  EXPECT_EQ(saved.survivors, 12);
  EXPECT_EQ(saved.looks, 12 * (3 * 5 - 1 + 2));
  EXPECT_EQ(saved.gradients, 12 * 2);
  // 25 places.
  saved = ExpectSameOutcomes("attack/patch:size=2,places=100,steps=1,restarts=3", model);
  EXPECT_GE(saved.looks, 12 * (3 * 100 - 25));
  // Of two places a climb takes the better, though one be known.
  saved = ExpectSameOutcomes("attack/patch:size=2,places=2,steps=1,restarts=20", model);
  EXPECT_GE(saved.looks, 12 * (20 * 2 - 25));
}

// The second path begins with the gradients of the first, one for each class.
TEST(DeepFool, TakesTheGradientsAtTheImageOnce) {
  const CurvedModel model({1, 6, 6}, 5, 20, 3);
  // Far from boundaries, so that steps meet 0 and 1.
  int64_t second_paths = 0;
  for (const std::string expression : {"attack/deepfool", "attack/deepfool:norm=linf"}) {
    for (int64_t index = 0; index < 60; ++index) {
      const Walk whole = Go(expression, model, index, false);
      const Walk less = Go(expression, model, index, true);
      const int64_t saved = whole.Count(true) - less.Count(true);
      EXPECT_TRUE(saved == 0 || saved == 4) << saved;
      second_paths += saved / 4;
      // All points but those passes at the image are the same.
      const auto without = [&](const Walk& walk) {
        std::vector<std::vector<float>> points;
        const std::vector<float>& image = walk.passes[0].point;
        for (const Pass& pass : walk.passes) {
          if (pass.point != image) points.push_back(pass.point);
        }
        return points;
      };
      EXPECT_EQ(without(less), without(whole));
    }
  }
  EXPECT_GT(second_paths, 5);
}

// Of two classes there is one boundary, and no part walks to it from the image again.
TEST(AutoAttack, OfTwoClassesWalksToTheirBoundaryOnce) {
  const CurvedModel model({1, 6, 6}, 2);
  const std::string both = "attack/autoattack:eps=0.001,version=custom,parts=fab+fab-t";
  const Saved saved = ExpectSameOutcomes(both, model);
  EXPECT_GT(saved.survivors, 3);
  // 100 steps from the image.
  EXPECT_GE(saved.gradients, saved.survivors * 100);
  // The restarts of fab are other paths.
  EXPECT_EQ(ExpectSameOutcomes("attack/autoattack:eps=0.001,version=custom,parts=fab-t+fab", model)
                .gradients,
            0);
  // So are those of more classes.
  EXPECT_EQ(ExpectSameOutcomes(both, CurvedModel({1, 6, 6}, 3)).gradients, 0);
}

// --- FAB

// Where a step ends, by a pass of either kind; a point beyond the boundary is left for one nearer
// to the image, and one on this side is gone on from.
TEST(Fab, TakesAGradientOnThisSideOfTheBoundaryAndLooksBeforeMostSteps) {
  const CurvedModel model({1, 6, 6}, 5, 30, 10);
  int64_t looks = 0, ends = 0, both = 0, wasted = 0;
  for (int64_t index = 0; index < 12; ++index) {
    const Walk walk = Go("attack/fab-t:eps=0.0001,targets=1", model, index, true);
    ASSERT_TRUE(walk.found.empty());
    const std::vector<float>& image = walk.passes[0].point;
    const int label = Predict(model.Logits(image).data(), 5).label;
    ends += 100;
    looks += walk.Count(false);
    for (size_t i = 0; i + 1 < walk.passes.size(); ++i) {
      const Pass& pass = walk.passes[i];
      const Pass& next = walk.passes[i + 1];
      const bool beyond = !Predict(model.Logits(pass.point).data(), 5).Is(label);
      if (beyond) {
        wasted += pass.gradient ? 1 : 0;
        EXPECT_TRUE(next.gradient);
        for (size_t k = 0; k < image.size(); ++k) {
          EXPECT_EQ(next.point[k], image[k] + 0.9F * (pass.point[k] - image[k]));
        }
      } else if (!pass.gradient) {
        ++both;
        EXPECT_TRUE(next.gradient);
        EXPECT_EQ(next.point, pass.point);
      }
    }
  }
  // Units: a forward pass. Looking always costs one for each end.
  EXPECT_LT(looks + 3 * wasted, ends);
  EXPECT_LT(both, looks);
}

}  // namespace
}  // namespace assay::engine
