// Deterministic bounds on small networks, against random points, corners, closed forms and a worked
// example from the literature.
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "server/engine/bounds/interval.h"
#include "server/engine/bounds/propagation.h"
#include "server/engine/bounds/relaxation.h"
#include "server/engine/bounds/run.h"
#include "server/engine/bounds/tightness.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/fake_models.h"
#include "tests/server/engine/bounds/bounds_networks.h"

namespace assay::engine::bounds {
namespace {

using ::testing::HasSubstr;

const Activation kRelu{Activation::kRelu};
const Activation kLeaky{Activation::kLeakyRelu, 0.2};
const Activation kClamped{Activation::kClamp, 0, -0.4, 0.7};
const Activation kSigmoid{Activation::kSigmoid};
const Activation kTanh{Activation::kTanh};

std::vector<float> RandomImage(std::mt19937& random, size_t size) {
  std::uniform_real_distribution<float> uniform;
  std::vector<float> image(size);
  for (float& pixel : image) pixel = uniform(random);
  return image;
}

// Corners, edges and inner points of a box.
std::vector<double> RandomPoint(std::mt19937& random, const Box& box) {
  const int kind = std::uniform_int_distribution<int>(0, 2)(random);
  std::uniform_real_distribution<double> uniform;
  std::vector<double> point(box.size());
  for (size_t i = 0; i < point.size(); ++i) {
    double t = uniform(random);
    if (kind == 0 || (kind == 1 && t < 0.7)) t = uniform(random) < 0.5 ? 0 : 1;
    point[i] = t == 1 ? box.upper[i] : box.lower[i] + t * (box.upper[i] - box.lower[i]);
  }
  return point;
}

std::vector<Row> AllPairs(size_t classes) {
  std::vector<Row> rows;
  for (int a = 0; a < static_cast<int>(classes); ++a) {
    for (int b = 0; b < static_cast<int>(classes); ++b) {
      if (a != b) rows.push_back({a, b});
    }
  }
  return rows;
}

std::vector<Network> Zoo() {
  std::vector<Network> networks;
  unsigned seed = 1;
  for (const Activation& activation : {kRelu, kLeaky, kClamped, kSigmoid, kTanh}) {
    networks.push_back(RandomDense(seed++, activation, 1));
    networks.push_back(RandomDense(seed++, activation, 2));
    networks.push_back(RandomResidual(seed++, activation));
    networks.push_back(RandomResidual(seed++, activation));
  }
  return networks;
}

TEST(Bounds, AHundredThousandPointsNeverLeaveThem) {
  std::mt19937 random(1);
  int points = 0;
  for (const Network& network : Zoo()) {
    for (const double eps : {0.01, 0.1, 0.4}) {
      const std::vector<float> image = RandomImage(random, network.input_size());
      const Box box = InputBox(image.data(), image.size(), eps);
      const Propagation interval(network, box, Intermediate::kInterval);
      const Propagation crown(network, box, Intermediate::kCrown);
      const std::vector<Row> rows = AllPairs(network.num_classes());
      std::vector<std::vector<double>> bounds;
      for (const Propagation* propagation : {&interval, &crown}) {
        for (const Reach reach : {Reach::kActivation, Reach::kImage}) {
          bounds.push_back(propagation->LowerBounds(network.output(), rows, reach));
        }
      }
      for (int trial = 0; trial < 1'700; ++trial, ++points) {
        const auto values = network.Evaluate(RandomPoint(random, box).data());
        for (size_t n = 0; n < values.size(); ++n) {
          for (const Propagation* propagation : {&interval, &crown}) {
            const Box& own = propagation->box(static_cast<int>(n));
            for (size_t i = 0; i < values[n].size(); ++i) {
              ASSERT_GE(values[n][i], own.lower[i]) << "node " << n;
              ASSERT_LE(values[n][i], own.upper[i]) << "node " << n;
            }
          }
        }
        for (const std::vector<double>& lower : bounds) {
          for (size_t r = 0; r < rows.size(); ++r) {
            const double margin = values.back()[static_cast<size_t>(rows[r].plus)] -
                                  values.back()[static_cast<size_t>(rows[r].minus)];
            ASSERT_GE(margin, lower[r]);
          }
        }
      }
    }
  }
  EXPECT_GE(points, 100'000);
}

// Descends a margin over the corners and inside, so that a bound that is only nearly sound is
// caught: on a box of five pixels the corners are all tried.
TEST(Bounds, TheWorstCornerOfASmallNetworkIsNotMissedByMuch) {
  std::mt19937 random(2);
  double worst_gap_crown = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    const Network network = RandomDense(seed, kRelu, 2);
    const std::vector<float> image = RandomImage(random, 5);
    const Box box = InputBox(image.data(), 5, 0.03);
    const Propagation crown(network, box, Intermediate::kCrown);
    const double bound = crown.LowerBounds(network.output(), {{0, 1}}, Reach::kImage)[0];
    double smallest = std::numeric_limits<double>::infinity();
    for (int corner = 0; corner < 32; ++corner) {
      std::vector<double> point(5);
      for (size_t i = 0; i < 5; ++i) {
        point[i] = (corner >> i & 1) != 0 ? box.upper[i] : box.lower[i];
      }
      const std::vector<double> z = network.Evaluate(point.data()).back();
      smallest = std::min(smallest, z[0] - z[1]);
    }
    ASSERT_LE(bound, smallest) << seed;
    worst_gap_crown = std::max(worst_gap_crown, smallest - bound);
  }
  EXPECT_LT(worst_gap_crown, 0.6);
}

TEST(Bounds, CrownIsNeverLooserThanIntervalsAndMuchTighterOnAverage) {
  std::mt19937 random(3);
  double interval_sum = 0, crown_ibp_sum = 0, crown_sum = 0;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    const Network network = RandomResidual(seed, kRelu);
    const std::vector<float> image = RandomImage(random, network.input_size());
    const auto margin = [&](Method method) {
      return Certify(network, image.data(), 0.05, 0, 0, method).margin;
    };
    const double interval = margin(Method::kIbp), crown_ibp = margin(Method::kCrownIbp),
                 crown = margin(Method::kCrown);
    EXPECT_LE(interval, crown_ibp);
    interval_sum += interval;
    crown_ibp_sum += crown_ibp;
    crown_sum += crown;
  }
  EXPECT_LT(interval_sum, crown_ibp_sum - 60 * 0.5);
  EXPECT_LT(crown_ibp_sum, crown_sum - 60 * 0.05);
}

// The example of Singh et al., "An abstract domain for certifying neural networks" (POPL 2019),
// figure 2 and section 2, whose relaxation is CROWN's: x7 in [0, 3] where intervals give [0, 4],
// and x11 at most 5.5.
TEST(Bounds, TheWorkedExampleOfDeepPoly) {
  Network network(2);
  int node = network.Append(Linear({{1, 1}, {1, -1}}, {0, 0}), {0});
  node = network.Append(kRelu, {node});
  const int second = network.Append(Linear({{1, 1}, {1, -1}}, {0, 0}), {node});
  node = network.Append(kRelu, {second});
  const int out = network.Append(Linear({{1, 1}, {0, 1}}, {1, 0}), {node});
  const Box box{{-1, -1}, {1, 1}};
  const Propagation interval(network, box, Intermediate::kInterval);
  const Propagation crown(network, box, Intermediate::kCrown);
  EXPECT_NEAR(interval.box(second).lower[0], 0, 1e-12);
  EXPECT_NEAR(interval.box(second).upper[0], 4, 1e-12);
  EXPECT_NEAR(crown.box(second).lower[0], 0, 1e-12);
  EXPECT_NEAR(crown.box(second).upper[0], 3, 1e-12);
  EXPECT_NEAR(crown.box(second).lower[1], -2, 1e-12);
  EXPECT_NEAR(crown.box(second).upper[1], 2, 1e-12);
  const auto bound = [&](Row row) { return crown.LowerBounds(out, {row}, Reach::kImage)[0]; };
  EXPECT_NEAR(-bound({-1, 0}), 5.5, 1e-12);
  EXPECT_NEAR(bound({0, -1}), 1, 1e-12);
  EXPECT_NEAR(bound({0, 1}), 1, 1e-12);
  EXPECT_NEAR(-bound({-1, 1}), 2, 1e-12);
  // With the last layer elided intervals prove x11 - x12 = x9 + 1 >= 1; the boxes alone give -1.
  EXPECT_NEAR(interval.LowerBounds(out, {{0, 1}}, Reach::kActivation)[0], 1, 1e-12);
}

// x - x before the first activation: intervals forget that it is the same x.
TEST(Bounds, CrownSeesThatBranchesOfTheImageAreOne) {
  Network network(1);
  const int left = network.Append(Linear({{1}}, {0.25}), {0});
  const int right = network.Append(Linear({{-1}}, {0.25}), {0});
  const int sum = network.Append(Add{}, {left, right});
  const int node = network.Append(kRelu, {sum});
  network.Append(Linear({{1}, {-1}}, {0, 0}), {node});
  const Box box{{0}, {1}};
  EXPECT_NEAR(Propagation(network, box, Intermediate::kInterval).box(sum).lower[0], -0.5, 1e-12);
  const Propagation crown(network, box, Intermediate::kCrown);
  EXPECT_NEAR(crown.box(sum).lower[0], 0.5, 1e-12);
  EXPECT_NEAR(crown.box(sum).upper[0], 0.5, 1e-12);
}

// Without an activation every method gives z_a - z_b - eps |w_a - w_b|_1, cut to [0, 1].
TEST(Bounds, AreExactOnLinearNetworks) {
  std::mt19937 random(4);
  for (int trial = 0; trial < 20; ++trial) {
    Network network(6);
    int node = network.Append(Scale{Normals(random, 6, 1), Normals(random, 6, 1)}, {0});
    const int left = network.Append(RandomLinear(random, 6, 4), {node});
    const int right = network.Append(RandomLinear(random, 6, 4), {node});
    node = network.Append(Add{}, {left, right});
    const int out = network.Append(RandomLinear(random, 4, 2), {node});
    const std::vector<float> image = RandomImage(random, 6);
    const Box box = InputBox(image.data(), 6, 0.125);
    const auto margin = [&](const std::vector<double>& x) {
      const std::vector<double> z = network.Evaluate(x.data()).back();
      return z[0] - z[1];
    };
    const std::vector<double> zero(6, 0);
    std::vector<double> worst(6);
    for (size_t i = 0; i < 6; ++i) {
      std::vector<double> unit = zero;
      unit[i] = 1;
      const bool rises = margin(unit) > margin(zero);
      worst[i] = rises ? std::max(0.0, image[i] - 0.125) : std::min(1.0, image[i] + 0.125);
    }
    for (const Reach reach : {Reach::kActivation, Reach::kImage}) {
      const double bound =
          Propagation(network, box, Intermediate::kInterval).LowerBounds(out, {{0, 1}}, reach)[0];
      EXPECT_LE(bound, margin(worst) + 1e-14);
      EXPECT_NEAR(bound, margin(worst), 1e-9);
    }
  }
}

// Sums that cancel, in quadruple precision: without the allowance for rounding about half of the
// bounds would be above the truth.
TEST(Bounds, HoldForExactArithmeticWhereDoublesRound) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> exponent(-8, 8);
  for (int trial = 0; trial < 3'000; ++trial) {
    constexpr size_t kSize = 40;
    std::vector<double> w = Normals(random, kSize, 1), x(kSize);
    for (size_t i = 0; i < kSize; ++i) {
      w[i] *= std::pow(10, exponent(random));
      x[i] = std::uniform_real_distribution<double>()(random);
    }
    Network network(kSize);
    int node = network.Append(Scale{x, std::vector<double>(kSize, 0.1)}, {0});
    node = network.Append(Linear({w}, {0.3}), {node});
    node = network.Append(kRelu, {node});
    const int out = network.Append(Linear({{3}}, {-1e8}), {node});
    // A box of one point.
    const Box box{x, x};
    __float128 exact = 0.3;
    for (size_t i = 0; i < kSize; ++i) {
      exact += static_cast<__float128>(w[i]) *
               (static_cast<__float128>(x[i]) * static_cast<__float128>(x[i]) + 0.1);
    }
    if (exact < 0) exact = 0;
    exact = 3 * exact - 1e8;
    for (const Intermediate intermediate : {Intermediate::kInterval, Intermediate::kCrown}) {
      const Propagation propagation(network, box, intermediate);
      ASSERT_LE(static_cast<__float128>(propagation.box(out).lower[0]), exact) << trial;
      ASSERT_GE(static_cast<__float128>(propagation.box(out).upper[0]), exact) << trial;
      for (const Reach reach : {Reach::kActivation, Reach::kImage}) {
        ASSERT_LE(static_cast<__float128>(propagation.LowerBounds(out, {{0, -1}}, reach)[0]), exact)
            << trial;
        ASSERT_GE(static_cast<__float128>(-propagation.LowerBounds(out, {{-1, 0}}, reach)[0]),
                  exact)
            << trial;
      }
    }
  }
}

// The hidden unit is huge, so that the prediction is class 1; its bounds are infinity minus
// infinity, and a ReLU would make a harmless 0 of that.
TEST(Bounds, AnOverflowProvesNothing) {
  Network network(1);
  int node = network.Append(Linear({{1e300}, {0.5e300}}, {0, 0}), {0});
  node = network.Append(kRelu, {node});
  node = network.Append(Linear({{1e300, -1e300}}, {0}), {node});
  node = network.Append(kRelu, {node});
  network.Append(Linear({{-1}, {0}}, {1, 0}), {node});
  const float image = 0.5F;
  for (const Method method : {Method::kIbp, Method::kCrownIbp, Method::kCrown}) {
    EXPECT_FALSE(Certify(network, &image, 0.1, 0, 0, method).certified);
  }
}

TEST(Relaxation, LinesEncloseTheActivationOverEveryInterval) {
  std::mt19937 random(6);
  for (const Activation& activation : {kRelu, kLeaky, kClamped, kSigmoid, kTanh}) {
    for (int trial = 0; trial < 2'000; ++trial) {
      const double scale = trial % 3 == 0 ? 0.1 : trial % 3 == 1 ? 2 : 20;
      std::normal_distribution<double> normal(0, scale);
      double lower = normal(random), upper = normal(random);
      if (lower > upper) std::swap(lower, upper);
      const Lines lines = Relax(activation, lower, upper);
      for (int i = 0; i <= 40; ++i) {
        const double x = lower + (upper - lower) * i / 40;
        const double y = activation(x), slack = 1e-15 * (1 + std::abs(x));
        ASSERT_LE(lines.lower.slope * x + lines.lower.intercept, y + slack)
            << activation.kind << " [" << lower << ", " << upper << "] at " << x;
        ASSERT_GE(lines.upper.slope * x + lines.upper.intercept, y - slack)
            << activation.kind << " [" << lower << ", " << upper << "] at " << x;
      }
    }
  }
}

TEST(Relaxation, OfReluIsTheChordAndTheNearerLowerLine) {
  const Lines mostly_on = Relax(kRelu, -1, 3);
  EXPECT_EQ(mostly_on.lower.slope, 1);
  EXPECT_DOUBLE_EQ(mostly_on.upper.slope, 0.75);
  EXPECT_NEAR(mostly_on.upper.intercept, 0.75, 1e-12);
  EXPECT_EQ(Relax(kRelu, -3, 1).lower.slope, 0);
  EXPECT_EQ(Relax(kRelu, 0.5, 1).upper.slope, 1);
  EXPECT_EQ(Relax(kRelu, -2, -1).upper.slope, 0);
}

// W2 D W1 with D = diag(1, 0) by hand: J = [[2, -2]], its row sum 4; |W2| D |W1| 1 = 2 (1 + 1) = 4,
// so the first logit loses nothing. The second one adds both hidden units.
TEST(Tightness, IsTheRatioOfTheExactBoxToTheIntervalBox) {
  Network network(2);
  int node = network.Append(Linear({{1, -1}, {1, 1}}, {0, 0}), {0});
  node = network.Append(kRelu, {node});
  network.Append(Linear({{2, 0}, {1, 1}}, {5, -7}), {node});
  const double one_on[] = {1, -2};  // hidden 3 and -1
  EXPECT_NEAR(*Tightness(network, network.Evaluate(one_on)), 1, 1e-12);
  const double both_on[] = {2, 1};  // hidden 1 and 3; J = [[2, -2], [2, 0]]: ratios 1 and 2/4
  EXPECT_NEAR(*Tightness(network, network.Evaluate(both_on)), 0.75, 1e-12);
  const double none_on[] = {-1, 0};  // the logits do not move
  EXPECT_FALSE(Tightness(network, network.Evaluate(none_on)).has_value());
}

// --- RunBounds

v1::Condition BoundsCondition(const std::string& expression) {
  const auto parsed = ParseConditions({expression});
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed->at(0);
}

class Images : public SampleSource {
 public:
  Images(const Network& network, size_t count, size_t first) : first_(first) {
    for (size_t i = 0; i < count; ++i) {
      std::mt19937 random(static_cast<unsigned>(first + i));
      images_.push_back(RandomImage(random, network.input_size()));
      const std::vector<double> pixels(images_[i].begin(), images_[i].end());
      const std::vector<double> z = network.Evaluate(pixels.data()).back();
      const auto best = std::max_element(z.begin(), z.end()) - z.begin();
      // Every fifth label is wrong.
      labels_.push_back(static_cast<int>((best + ((first + i) % 5 == 0 ? 1 : 0)) %
                                         static_cast<ptrdiff_t>(z.size())));
    }
  }
  size_t size() const override { return images_.size(); }
  int64_t index(size_t i) const override { return static_cast<int64_t>(first_ + i); }
  int label(size_t i) const override { return labels_[i]; }
  void ReadImage(size_t i, float* pixels) const override {
    std::copy(images_[i].begin(), images_[i].end(), pixels);
  }
  const std::vector<float>& image(size_t i) const { return images_[i]; }

 private:
  const size_t first_;
  std::vector<std::vector<float>> images_;
  std::vector<int> labels_;
};

class Quiet : public TaskObserver {
 public:
  void OnProgress(int64_t, double) override {}
  bool Cancelled() override { return false; }
};

template <typename Model>
absl::StatusOr<std::vector<v1::Outcome>> RunOn(Model& classifier, const SampleSource& samples,
                                               const std::string& expression) {
  Quiet observer;
  TaskResources resources;
  if constexpr (!std::is_same_v<Model, LinearClassifier>) {
    resources.network = [&] { return classifier.network(); };
  }
  const v1::Condition condition = BoundsCondition(expression);
  const TaskContext task{condition, 1, samples, classifier, observer};
  return RunTask(task, resources);
}

TEST(RunBounds, CertifiedIsAboutThePredictionAndTheMarginAboutTheLabel) {
  const auto network = std::make_shared<const Network>(RandomResidual(7, kLeaky));
  NetworkClassifier classifier(network, {2, 5, 5}, 4, 2);
  const Images images(*network, 40, 0);
  for (const char* expression : {"bounds/ibp:eps=1/500", "bounds/crown:eps=1/500",
                                 "bounds/crown:eps=1/500,intermediate=ibp"}) {
    const auto outcomes = RunOn(classifier, images, expression);
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    int certified = 0, certified_mistakes = 0;
    for (size_t i = 0; i < outcomes->size(); ++i) {
      const v1::Outcome& outcome = (*outcomes)[i];
      ASSERT_TRUE(outcome.has_bounds());
      const bool right = outcome.prediction() == outcome.label();
      EXPECT_EQ(right, i % 5 != 0);
      if (right) {
        EXPECT_EQ(outcome.bounds().certified(), outcome.bounds().margin() > 0);
      } else {
        EXPECT_LT(outcome.bounds().margin(), 0);
      }
      certified += outcome.bounds().certified() ? 1 : 0;
      certified_mistakes += outcome.bounds().certified() && !right ? 1 : 0;
      EXPECT_TRUE(outcome.bounds().has_tightness());
      EXPECT_GT(outcome.bounds().tightness(), 0);
      EXPECT_LE(outcome.bounds().tightness(), 1);
    }
    EXPECT_GT(certified, 5) << expression;
    EXPECT_GT(certified_mistakes, 0) << expression;
  }
}

TEST(RunBounds, OutcomesDoNotDependOnGroupsBatchesOrThreads) {
  const auto network = std::make_shared<const Network>(RandomResidual(8, kRelu));
  NetworkClassifier one(network, {2, 5, 5}, 1, 1), many(network, {2, 5, 5}, 16, 8);
  const auto first = RunOn(one, Images(*network, 30, 0), "bounds/crown:eps=0.02");
  const auto second = RunOn(many, Images(*network, 12, 18), "bounds/crown:eps=0.02");
  ASSERT_TRUE(first.ok() && second.ok());
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_EQ((*first)[18 + i].SerializeAsString(), (*second)[i].SerializeAsString());
  }
}

TEST(RunBounds, AModelThatDoesMoreThanItsNetworkIsRefused) {
  const auto network = std::make_shared<const Network>(RandomResidual(9, kRelu));
  NetworkClassifier classifier(network, {2, 5, 5}, 4, 2);
  classifier.added = 0.1F;
  const auto outcomes = RunOn(classifier, Images(*network, 3, 0), "bounds/ibp");
  EXPECT_EQ(ReasonOf(outcomes.status()), Reason::kInvalidCondition);
  EXPECT_THAT(std::string(outcomes.status().message()), HasSubstr("does more than its graph"));
}

TEST(RunBounds, AModelWithoutANetworkIsRefused) {
  LinearClassifier classifier({1, 2, 2}, 3, 4);
  const VectorSource samples(classifier, 3);
  EXPECT_EQ(ReasonOf(RunOn(classifier, samples, "bounds/ibp").status()), Reason::kInvalidCondition);
}

// A network of two wide layers would take hours.
TEST(RunBounds, CrownOnAHugeNetworkIsRefusedAtOnce) {
  Network wide(3 * 64 * 64);
  std::mt19937 random(1);
  const auto axis = [] { return MakeAxis(64, 3, 1, 1, 1); };
  int node = wide.Append(RandomConv(random, 3, 64, 1, axis(), axis()), {0});
  node = wide.Append(kRelu, {node});
  node = wide.Append(RandomConv(random, 64, 64, 1, axis(), axis()), {node});
  node = wide.Append(kRelu, {node});
  node = wide.Append(
      RandomConv(random, 64, 2, 1, MakeAxis(64, 64, 1, 0, 1), MakeAxis(64, 64, 1, 0, 1)), {node});
  const auto network = std::make_shared<const Network>(std::move(wide));
  NetworkClassifier classifier(network, {3, 64, 64}, 1, 1);
  LinearClassifier labels({3, 64, 64}, 2, 1);
  const auto outcomes = RunOn(classifier, VectorSource(labels, 1), "bounds/crown");
  EXPECT_THAT(std::string(outcomes.status().message()), HasSubstr("intermediate=ibp"));
}

}  // namespace
}  // namespace assay::engine::bounds
