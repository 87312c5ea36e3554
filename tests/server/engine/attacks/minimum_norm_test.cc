// Attacks that look for the nearest adversarial example, against models where it is known: linear
// ones, and a tiny ReLU network whose inputs can be searched one by one. And what the driver does
// for them.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/driver.h"
#include "tests/server/engine/base/fake_models.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{3, 4, 4};

// --- linear models

// The smallest change inside [0, 1] that brings <w, x> down by `gap`, computed apart from the
// engine: by bisection over what all values share (Linf, L2), and by spending on the values with
// the largest effect first (L1, L0: each is worth taking up to its bound before the next is
// touched). Infinite where the box does not allow it.
double Cheapest(Norm norm, const std::vector<double>& w, double gap, const float* image) {
  const size_t n = w.size();
  std::vector<double> room(n);
  for (size_t i = 0; i < n; ++i) room[i] = w[i] > 0 ? image[i] : 1.0 - image[i];
  if (norm == Norm::kLinf || norm == Norm::kL2) {
    double length = 0;
    const auto gain = [&](double t) {
      double total = 0, squared = 0;
      for (size_t i = 0; i < n; ++i) {
        const double move = std::min(room[i], norm == Norm::kLinf ? t : t * std::abs(w[i]));
        total += move * std::abs(w[i]);
        squared += move * move;
      }
      length = norm == Norm::kLinf ? t : std::sqrt(squared);
      return total;
    };
    double low = 0, high = 1e6;
    if (gain(high) < gap) return INFINITY;
    for (int i = 0; i < 200; ++i) {
      const double middle = (low + high) / 2;
      (gain(middle) < gap ? low : high) = middle;
    }
    gain(high);
    return length;
  }
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  const auto worth = [&](size_t i) { return std::abs(w[i]) * (norm == Norm::kL0 ? room[i] : 1.0); };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return worth(a) > worth(b); });
  double spent = 0;
  for (const size_t i : order) {
    const double most = std::abs(w[i]) * room[i];
    if (norm == Norm::kL0) {
      spent += 1;
      if (most >= gap) return spent;
    } else {
      if (most >= gap) return spent + gap / std::abs(w[i]);
      spent += room[i];
    }
    gap -= most;
  }
  return INFINITY;
}

// Towards each class; infinite for the label.
std::vector<double> Optima(const LinearClassifier& model, Norm norm,
                           const std::vector<float>& image, int label) {
  const size_t n = image.size();
  std::vector<float> z(static_cast<size_t>(model.num_classes()));
  model.Logits(image.data(), z.data());
  std::vector<double> optima;
  for (int k = 0; k < model.num_classes(); ++k) {
    std::vector<double> w(n);
    for (size_t i = 0; i < n; ++i) {
      w[i] = static_cast<double>(model.row(label)[i]) - model.row(k)[i];
    }
    const double gap =
        static_cast<double>(z[static_cast<size_t>(label)]) - z[static_cast<size_t>(k)];
    optima.push_back(k == label ? INFINITY : Cheapest(norm, w, gap, image.data()));
  }
  return optima;
}

// Stretches the images away from grey, so that many values reach 0 or 1, and labels them anew.
void MeetTheBox(const LinearClassifier& model, float contrast, VectorSource* samples) {
  std::vector<float> z(static_cast<size_t>(model.num_classes()));
  for (size_t i = 0; i < samples->size(); ++i) {
    for (float& x : samples->images[i]) {
      x = std::min(std::max(0.5F + contrast * (x - 0.5F), 0.0F), 1.0F);
    }
    model.Logits(samples->images[i].data(), z.data());
    samples->labels[i] = Predict(z.data(), model.num_classes()).label;
  }
}

// --- the table: one row for each method and norm

// How far above the optimum a distance may be, as a share of it: for two classes, and for five
// towards the class that was found.
constexpr double kTolerance = 1e-3;

struct Row {
  std::string expression;
  Norm norm;
  // Of five classes, how many of 40 samples must come within kTolerance of the optimum over all:
  // a method that follows the largest other logit need not find the nearest class.
  int nearest = 40;
  friend std::ostream& operator<<(std::ostream& out, const Row& row) {
    return out << row.expression;
  }
};

class EveryMinimumNormAttack : public ::testing::TestWithParam<Row> {
 protected:
  // The distance of every sample over its optimum, minus 1, with checks that hold for all.
  void Run(int classes, float contrast, std::vector<double>* excess,
           std::vector<double>* class_excess) {
    const Row& row = GetParam();
    LinearClassifier model(kShape, classes, 8);
    VectorSource samples(model, 40);
    MeetTheBox(model, contrast, &samples);
    const auto outcomes = RunCondition(row.expression, model, samples);
    ASSERT_EQ(outcomes.size(), samples.size());
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const auto optima = Optima(model, row.norm, samples.images[i], samples.labels[i]);
      const double optimum = *std::min_element(optima.begin(), optima.end());
      ASSERT_TRUE(std::isfinite(optimum));
      const v1::Outcome& outcome = outcomes[i];
      ASSERT_TRUE(outcome.attack().success()) << i;
      // Logits are rounded to float32.
      EXPECT_GE(outcome.attack().distance(), optimum * (1 - 1e-5)) << i;
      EXPECT_TRUE(outcome.tie() || outcome.prediction() != samples.labels[i]) << i;
      excess->push_back(outcome.attack().distance() / optimum - 1);
      class_excess->push_back(
          outcome.attack().distance() / optima[static_cast<size_t>(outcome.prediction())] - 1);
    }
  }
};

double Largest(const std::vector<double>& values) {
  return *std::max_element(values.begin(), values.end());
}

TEST_P(EveryMinimumNormAttack, FindsTheOptimumOfALinearModelWithTwoClasses) {
  std::vector<double> excess, class_excess;
  Run(2, 1, &excess, &class_excess);
  EXPECT_LE(Largest(excess), kTolerance);
  // Half of the pixels at 0 or 1.
  Run(2, 4, &excess, &class_excess);
  EXPECT_LE(Largest(excess), kTolerance);
  EXPECT_GE(excess.size(), 40u);
}

TEST_P(EveryMinimumNormAttack, FindsTheOptimumTowardsAClassOfALinearModelWithFive) {
  for (const float contrast : {1.0F, 4.0F}) {
    std::vector<double> excess, class_excess;
    Run(5, contrast, &excess, &class_excess);
    EXPECT_LE(Largest(class_excess), kTolerance);
    EXPECT_GE(std::count_if(excess.begin(), excess.end(), [](double e) { return e < kTolerance; }),
              GetParam().nearest);
  }
}

TEST_P(EveryMinimumNormAttack, DoesNotDependOnBatchGroupingOrOrderNorOnTheBudgets) {
  const Row& row = GetParam();
  LinearClassifier model(kShape, 5, 8);
  VectorSource all(model, 30);
  const auto outcomes = RunCondition(row.expression, model, all);
  const std::string expression = absl::StrCat(
      row.expression, row.expression.find(':') == std::string::npos ? ":" : ",", "eps=1");
  ExpectSameInParts(expression, kShape, outcomes, 3);
}

INSTANTIATE_TEST_SUITE_P(
    Table, EveryMinimumNormAttack,
    ::testing::Values(
        Row{"attack/fmn:norm=linf", Norm::kLinf, 35}, Row{"attack/fmn:norm=l2", Norm::kL2, 35},
        Row{"attack/fmn:norm=l1", Norm::kL1, 35}, Row{"attack/fmn:norm=l0", Norm::kL0, 40},
        Row{"attack/ddn", Norm::kL2, 35}, Row{"attack/deepfool:norm=l2", Norm::kL2, 40},
        Row{"attack/deepfool:norm=linf", Norm::kLinf, 40}, Row{"attack/cw", Norm::kL2, 35},
        // What the methods reach by themselves, where that is as much.
        Row{"attack/fmn:norm=linf,polish=0", Norm::kLinf, 35},
        Row{"attack/fmn:norm=l2,polish=0", Norm::kL2, 35},
        Row{"attack/fmn:norm=l1,polish=0,steps=400", Norm::kL1, 35},
        Row{"attack/deepfool:norm=l2,polish=0", Norm::kL2, 40},
        Row{"attack/deepfool:norm=linf,polish=0", Norm::kLinf, 40}));

TEST(MinimumNormAttacks, WithTwoClassesAndNoBoundMetTheOptimumIsTheClosedForm) {
  // The reference of this file against the one of the other attacks' tests.
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 40);
  for (size_t i = 0; i < samples.size(); ++i) {
    for (const Norm norm : {Norm::kLinf, Norm::kL2}) {
      const auto optima = Optima(model, norm, samples.images[i], samples.labels[i]);
      EXPECT_NEAR(*std::min_element(optima.begin(), optima.end()),
                  model.MinimalEps(norm, samples.images[i].data(), samples.labels[i]), 1e-6);
    }
  }
}

TEST(MinimumNormAttacks, CountTheirPasses) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 10);
  // Clean, 30 steps, a look at the last point, 4 steps of polishing from the nearest one, 12 of the
  // search, the confirmation.
  for (const char* method : {"attack/fmn:steps=30", "attack/ddn:steps=30"}) {
    for (const auto& outcome : RunCondition(method, model, samples)) {
      EXPECT_EQ(outcome.attack().forwards(), 1 + 31 + 5 + 12 + 1) << method;
      EXPECT_EQ(outcome.attack().backwards(), 31 + 5) << method;
    }
  }
  // The gradients of three classes, and one pass that sees the point across the boundary.
  for (const auto& outcome :
       RunCondition("attack/deepfool:candidates=3,polish=0,refine=5", model, samples)) {
    EXPECT_EQ(outcome.attack().forwards(), 1 + 4 + 5 + 1);
    EXPECT_EQ(outcome.attack().backwards(), 4);
  }
  for (const auto& outcome :
       RunCondition("attack/cw:steps=20,searches=3,polish=0", model, samples)) {
    EXPECT_LE(outcome.attack().backwards(), 3 * 21);
    EXPECT_GE(outcome.attack().backwards(), 3);
  }
}

TEST(MinimumNormAttacks, WithoutAnEndTheDistanceIsThatOfTheMethod) {
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 20);
  const auto outcomes =
      RunCondition("attack/deepfool:overshoot=0.1,polish=0,refine=0", model, samples);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const double minimal = model.MinimalEps(Norm::kL2, samples.images[i].data(), samples.labels[i]);
    EXPECT_NEAR(outcomes[i].attack().distance() / minimal, 1.1, 1e-3) << i;
  }
}

TEST(MinimumNormAttacks, WithoutRestartsAModelWithoutAGradientLeavesEverySampleRobust) {
  LinearClassifier model(kShape, 5, 8);
  model.gradient_scale = 0;
  VectorSource samples(model, 10);
  for (const char* method :
       {"attack/fmn:steps=5,restarts=0", "attack/fmn:norm=l1,steps=5,restarts=0",
        "attack/ddn:steps=5,restarts=0", "attack/deepfool:restarts=0",
        "attack/cw:steps=5,restarts=0"}) {
    const auto outcomes = RunCondition(method, model, samples);
    for (size_t i = 0; i < outcomes.size(); ++i) {
      EXPECT_FALSE(outcomes[i].attack().success()) << method;
      EXPECT_EQ(outcomes[i].prediction(), samples.labels[i]) << method;
      EXPECT_EQ(outcomes[i].attack().zero_gradients(), outcomes[i].attack().backwards()) << method;
    }
  }
}

// --- models whose gradient vanishes around the images

// Two classes: the second outside a sphere around the grey image, of radius kBoundary. Within kFlat
// of its centre the logits are constant. So for an image there the gradient is zero, and the
// nearest adversarial example lies straight outwards, kBoundary minus its own distance away.
class Plateau : public Classifier {
 public:
  static constexpr int kBatch = 8;
  static constexpr double kFlat = 1, kBoundary = 1.5;

  Shape shape() const override { return kShape; }
  int num_classes() const override { return 2; }
  const BatchSizes& forward_sizes() const override { return sizes_; }
  const BatchSizes& gradient_sizes() const override { return sizes_; }
  int lanes() const override { return 2; }

  static double FromCentre(const float* x) {
    const std::vector<float> grey(kShape.size(), 0.5F);
    return Distance(Norm::kL2, x, grey.data(), kShape.size());
  }

  absl::Status RunForward(const float* images, int /*rows*/, float* logits) override {
    for (size_t slot = 0; slot < kBatch; ++slot) {
      const double beyond = FromCentre(images + slot * kShape.size()) - kFlat;
      logits[2 * slot] = static_cast<float>(kBoundary - kFlat);
      logits[2 * slot + 1] = static_cast<float>(std::max(beyond, 0.0));
    }
    return absl::OkStatus();
  }

  absl::Status RunForwardBackward(const float* images, int rows,
                                  const LogitGradient& logit_gradient, float* logits,
                                  float* gradient) override {
    EXPECT_TRUE(RunForward(images, rows, logits).ok());
    std::vector<float> derivative(2 * kBatch);
    logit_gradient(logits, derivative.data());
    for (size_t slot = 0; slot < kBatch; ++slot) {
      const float* x = images + slot * kShape.size();
      const double distance = FromCentre(x);
      const double pull = distance > kFlat ? derivative[2 * slot + 1] / distance : 0;
      for (size_t i = 0; i < kShape.size(); ++i) {
        gradient[slot * kShape.size() + i] = static_cast<float>(pull * (x[i] - 0.5));
      }
    }
    return absl::OkStatus();
  }

 private:
  const BatchSizes sizes_{{kBatch}};
};

// All of class 0, on the plateau.
VectorSource OnPlateau(size_t count) {
  VectorSource samples(LinearClassifier(kShape, 2, 8), count);
  std::fill(samples.labels.begin(), samples.labels.end(), 0);
  for (const auto& image : samples.images) {
    EXPECT_LT(Plateau::FromCentre(image.data()), Plateau::kFlat);
  }
  return samples;
}

struct PlateauRow {
  const char* expression;
  double tolerance;  // of the distance, as a share
  friend std::ostream& operator<<(std::ostream& out, const PlateauRow& row) {
    return out << row.expression;
  }
};

class VanishingGradient : public ::testing::TestWithParam<PlateauRow> {};

TEST_P(VanishingGradient, DoesNotHideTheNearestAdversarialExample) {
  Plateau model;
  const VectorSource samples = OnPlateau(20);
  const auto outcomes = RunCondition(GetParam().expression, model, samples);
  ASSERT_EQ(outcomes.size(), samples.size());
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const v1::AttackOutcome& attack = outcomes[i].attack();
    const double optimum = Plateau::kBoundary - Plateau::FromCentre(samples.images[i].data());
    ASSERT_TRUE(attack.success()) << i;
    EXPECT_GE(attack.distance(), optimum * (1 - 1e-5)) << i;
    EXPECT_LE(attack.distance(), optimum * (1 + GetParam().tolerance)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(L2, VanishingGradient,
                         ::testing::Values(PlateauRow{"attack/fmn:norm=l2", 1e-3},
                                           PlateauRow{"attack/ddn", 1e-3},
                                           PlateauRow{"attack/deepfool:norm=l2", 0.1},
                                           PlateauRow{"attack/cw", 0.1}));

TEST(MinimumNormAttacks, FindAnExampleInEveryNormWhereTheGradientVanishes) {
  Plateau model;
  const VectorSource samples = OnPlateau(20);
  for (const char* expression : {"attack/fmn:norm=linf", "attack/fmn:norm=l1", "attack/fmn:norm=l0",
                                 "attack/deepfool:norm=linf"}) {
    for (const auto& outcome : RunCondition(expression, model, samples)) {
      EXPECT_TRUE(outcome.attack().success()) << expression << " " << outcome.sample();
    }
  }
}

TEST(MinimumNormAttacks, WithoutRestartsNothingIsFoundWhereTheGradientVanishes) {
  Plateau model;
  const VectorSource samples = OnPlateau(10);
  for (const auto& outcome : RunCondition("attack/fmn:norm=l2,restarts=0", model, samples)) {
    EXPECT_FALSE(outcome.attack().success());
    // It leaves a point that it cannot move.
    EXPECT_EQ(outcome.attack().backwards(), 1);
  }
}

TEST(MinimumNormAttacks, RandomStartsDependOnTheSampleOnly) {
  Plateau model;
  const VectorSource all = OnPlateau(12);
  const auto together = RunCondition("attack/fmn:norm=linf,eps=0.1", model, all);
  for (size_t i = 0; i < together.size(); ++i) {
    VectorSource one = all;
    one.images = {all.images[i]};
    one.labels = {0};
    one.indices = {all.indices[i]};
    const auto alone = RunCondition("attack/fmn:norm=linf,eps=0.2", model, one);
    ASSERT_EQ(alone.size(), 1u);
    EXPECT_EQ(alone[0].SerializeAsString(), together[i].SerializeAsString());
  }
  const auto other_seed = RunCondition("attack/fmn:norm=linf", model, all, /*seed=*/2);
  EXPECT_NE(other_seed[0].attack().distance(), together[0].attack().distance());
}

// --- a network that is not linear, small enough to try every image

// Two inputs, one hidden layer of rectified units, three classes; weights from a fixed seed.
class TinyRelu : public Classifier {
 public:
  static constexpr int kHidden = 6, kClasses = 3, kBatch = 8;

  TinyRelu() {
    std::mt19937 random(21);
    std::normal_distribution<float> normal;
    for (auto& unit : in_) {
      for (float& w : unit) w = 4 * normal(random);
      // The kink passes through the middle part of the square.
      unit[2] = -0.5F * (unit[0] + unit[1]) + 0.5F * normal(random);
    }
    for (auto& row : out_) {
      for (float& w : row) w = normal(random);
    }
  }

  Shape shape() const override { return {1, 1, 2}; }
  int num_classes() const override { return kClasses; }
  const BatchSizes& forward_sizes() const override { return sizes_; }
  const BatchSizes& gradient_sizes() const override { return sizes_; }
  int lanes() const override { return 1; }

  void Logits(const float* x, float* z) const {
    std::fill(z, z + kClasses, 0.0F);
    for (size_t h = 0; h < kHidden; ++h) {
      const float unit = std::max(0.0F, in_[h][0] * x[0] + in_[h][1] * x[1] + in_[h][2]);
      for (size_t k = 0; k < kClasses; ++k) z[k] += out_[k][h] * unit;
    }
  }

  absl::Status RunForward(const float* images, int /*rows*/, float* logits) override {
    for (int slot = 0; slot < kBatch; ++slot) Logits(images + 2 * slot, logits + kClasses * slot);
    return absl::OkStatus();
  }

  absl::Status RunForwardBackward(const float* images, int rows,
                                  const LogitGradient& logit_gradient, float* logits,
                                  float* gradient) override {
    EXPECT_TRUE(RunForward(images, rows, logits).ok());
    std::vector<float> derivative(kBatch * kClasses);
    logit_gradient(logits, derivative.data());
    std::fill(gradient, gradient + 2 * kBatch, 0.0F);
    for (size_t slot = 0; slot < kBatch; ++slot) {
      const float* x = images + 2 * slot;
      for (size_t h = 0; h < kHidden; ++h) {
        if (in_[h][0] * x[0] + in_[h][1] * x[1] + in_[h][2] <= 0) continue;
        for (size_t k = 0; k < kClasses; ++k) {
          const float pull = derivative[slot * kClasses + k] * out_[k][h];
          gradient[2 * slot] += pull * in_[h][0];
          gradient[2 * slot + 1] += pull * in_[h][1];
        }
      }
    }
    return absl::OkStatus();
  }

  int Class(const float* x) const {
    float z[kClasses];
    Logits(x, z);
    return Predict(z, kClasses).label;
  }

 private:
  const BatchSizes sizes_{{kBatch}};
  float in_[kHidden][3];
  float out_[kClasses][kHidden];
};

class Points : public SampleSource {
 public:
  Points(const TinyRelu& model, size_t count) {
    std::mt19937 random(4);
    std::uniform_real_distribution<float> uniform(0, 1);
    for (size_t i = 0; i < count; ++i) {
      images.push_back({uniform(random), uniform(random)});
      labels.push_back(model.Class(images.back().data()));
    }
  }
  size_t size() const override { return images.size(); }
  int64_t index(size_t i) const override { return static_cast<int64_t>(i); }
  int label(size_t i) const override { return labels[i]; }
  void ReadImage(size_t i, float* pixels) const override {
    std::copy(images[i].begin(), images[i].end(), pixels);
  }
  std::vector<std::vector<float>> images;
  std::vector<int> labels;
};

// Against the nearest of 160,000 images of another class. No distance may be below it, and most
// must reach it; not all, as descent can end in another region of the network than the nearest.
TEST(MinimumNormAttacks, OnATinyReluNetworkMostReachWhatExhaustiveSearchFinds) {
  TinyRelu model;
  Points samples(model, 40);
  constexpr int kGrid = 400;
  // The true optimum is at most this nearer than the search says, in any norm.
  constexpr double kCell = 2.0 / kGrid;
  const std::vector<Norm> norms = {Norm::kLinf, Norm::kL2, Norm::kL1};
  std::map<Norm, std::vector<double>> nearest;
  for (const Norm norm : norms) nearest[norm].assign(samples.size(), INFINITY);
  for (int a = 0; a <= kGrid; ++a) {
    for (int b = 0; b <= kGrid; ++b) {
      const float x[] = {static_cast<float>(a) / kGrid, static_cast<float>(b) / kGrid};
      const int found = model.Class(x);
      for (size_t i = 0; i < samples.size(); ++i) {
        if (found == samples.labels[i]) continue;
        for (const Norm norm : norms) {
          nearest[norm][i] =
              std::min(nearest[norm][i], Distance(norm, x, samples.images[i].data(), 2));
        }
      }
    }
  }
  struct Method {
    const char* expression;
    Norm norm;
    int reach;  // how many of the 40 must reach what the search found
  };
  for (const Method& method :
       {Method{"attack/fmn:norm=linf", Norm::kLinf, 31},
        Method{"attack/fmn:norm=l2", Norm::kL2, 31}, Method{"attack/fmn:norm=l1", Norm::kL1, 31},
        Method{"attack/ddn", Norm::kL2, 25}, Method{"attack/deepfool:norm=l2", Norm::kL2, 24},
        Method{"attack/deepfool:norm=linf", Norm::kLinf, 31}, Method{"attack/cw", Norm::kL2, 35}}) {
    const auto outcomes = RunCondition(method.expression, model, samples);
    int reached = 0, found = 0;
    for (size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].attack().success()) continue;
      ++found;
      const double distance = outcomes[i].attack().distance();
      EXPECT_GE(distance, nearest[method.norm][i] - kCell) << method.expression << " " << i;
      reached += distance <= nearest[method.norm][i] * 1.01 ? 1 : 0;
    }
    EXPECT_GE(reached, method.reach) << method.expression << " of " << found;
  }
}

// --- the driver, of an attack that finds distances

// Asks for the points x0 + t (x1 - x0) in this order, `gradient` for the kind of pass.
struct Scripted {
  double t;
  bool gradient;
};

class ScriptedState : public AttackState {
 public:
  struct Parameters : AttackParameters {
    std::vector<Scripted> script;
    const LinearClassifier* model = nullptr;
  };

  ScriptedState(const Parameters& parameters, const AttackTarget& target, const RandomKey&)
      : script_(parameters.script), target_(target), model_(*parameters.model) {
    Place();
  }
  Need need() const override {
    if (next_ >= script_.size()) return Need::kDone;
    return script_[next_].gradient ? Need::kGradient : Need::kForward;
  }
  const std::vector<float>& point() const override { return point_; }
  void LogitGradient(const float*, float* derivative) const override { derivative[0] = 1; }
  void Step(const float*, const float*) override {
    ++next_;
    Place();
  }

 private:
  // In units of the distance to the boundary of two classes.
  void Place() {
    if (next_ >= script_.size()) return;
    const size_t n = target_.size;
    const double gap = static_cast<double>(target_.clean_logits[target_.label]) -
                       target_.clean_logits[1 - target_.label];
    double squared = 0;
    std::vector<double> w(n);
    for (size_t i = 0; i < n; ++i) {
      w[i] = static_cast<double>(model_.row(target_.label)[i]) - model_.row(1 - target_.label)[i];
      squared += w[i] * w[i];
    }
    point_.resize(n);
    for (size_t i = 0; i < n; ++i) {
      point_[i] = static_cast<float>(target_.image[i] - script_[next_].t * gap / squared * w[i]);
    }
  }

  const std::vector<Scripted>& script_;
  const AttackTarget target_;
  const LinearClassifier& model_;
  size_t next_ = 0;
  std::vector<float> point_;
};

class MinimumNormDriver : public ::testing::Test {
 protected:
  // Runs the script on every sample; distances come back in units of that of the boundary.
  void Run(const std::vector<Scripted>& script) {
    const auto conditions = ParseConditions({"attack/fmn:norm=l2"});
    ASSERT_TRUE(conditions.ok());
    QuietObserver observer;
    const AttackOf<ScriptedState> attack({{Norm::kL2, INFINITY}, script, &model_});
    const auto outcomes =
        Drive({conditions->at(0), /*seed=*/1, samples_, model_, observer}, attack);
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    outcomes_ = *outcomes;
    for (size_t i = 0; i < outcomes_.size(); ++i) {
      outcomes_[i].mutable_attack()->set_distance(
          outcomes_[i].attack().distance() /
          model_.MinimalEps(Norm::kL2, samples_.images[i].data(), samples_.labels[i]));
    }
  }

  // Gradient passes show everything as misclassified (a tie).
  void MakeGradientPassesLie() {
    model_.on_gradient_logits = [](int, float* z) { z[0] = z[1] = 0; };
  }

  LinearClassifier model_{kShape, 2, 4};
  VectorSource samples_{model_, 10};
  std::vector<v1::Outcome> outcomes_;
};

TEST_F(MinimumNormDriver, TakesTheNearestMisclassifiedPointOfAll) {
  Run({{3, false}, {1.5, false}, {0.5, false}, {2, true}, {1.2, true}, {5, false}});
  ASSERT_EQ(outcomes_.size(), 10u);
  for (size_t i = 0; i < outcomes_.size(); ++i) {
    const v1::AttackOutcome& attack = outcomes_[i].attack();
    EXPECT_TRUE(attack.success());
    EXPECT_NEAR(attack.distance(), 1.2, 1e-3);
    EXPECT_EQ(outcomes_[i].prediction(), 1 - samples_.labels[i]);
    // The clean pass, the script, the confirmation.
    EXPECT_EQ(attack.forwards(), 1 + 6 + 1);
    EXPECT_EQ(attack.backwards(), 2);
    EXPECT_EQ(attack.unconfirmed_candidates(), 0);
  }
}

TEST_F(MinimumNormDriver, WithoutAMisclassifiedPointTheSampleIsRobust) {
  Run({{0.9, true}, {0.5, false}});
  ASSERT_EQ(outcomes_.size(), 10u);
  for (size_t i = 0; i < outcomes_.size(); ++i) {
    EXPECT_FALSE(outcomes_[i].attack().success());
    EXPECT_TRUE(outcomes_[i].attack().attacked());
    EXPECT_EQ(outcomes_[i].prediction(), samples_.labels[i]);
    EXPECT_EQ(outcomes_[i].attack().distance(), 0);
  }
}

TEST_F(MinimumNormDriver, PointsThatAPlainPassDoesNotConfirmGiveWayToFartherOnes) {
  MakeGradientPassesLie();
  Run({{0.5, true}, {1.5, true}});
  ASSERT_EQ(outcomes_.size(), 10u);
  for (const v1::Outcome& outcome : outcomes_) {
    EXPECT_TRUE(outcome.attack().success());
    EXPECT_NEAR(outcome.attack().distance(), 1.5, 1e-3);
    EXPECT_EQ(outcome.attack().unconfirmed_candidates(), 1);
    EXPECT_EQ(outcome.attack().forwards(), 1 + 2 + 2);
  }
}

TEST_F(MinimumNormDriver, ManyPointsThatAreNotConfirmedDoNotHideOneThatIs) {
  MakeGradientPassesLie();
  for (const bool verified : {false, true}) {
    std::vector<Scripted> script = {{1.5, !verified}};
    for (int i = 9; i >= 0; --i) script.push_back({0.05 * i, true});
    Run(script);
    ASSERT_EQ(outcomes_.size(), 10u);
    for (const v1::Outcome& outcome : outcomes_) {
      EXPECT_TRUE(outcome.attack().success()) << verified;
      EXPECT_NEAR(outcome.attack().distance(), 1.5, 1e-3);
      EXPECT_EQ(outcome.attack().unconfirmed_candidates(), 3);
    }
  }
}

}  // namespace
}  // namespace assay::engine
