// Noise, blur and less contrast: inside the budget, as large as it allows, and by their definition.
#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/rational.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/registry.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{3, 8, 8};

// All points that a baseline tries on one image.
std::vector<std::vector<float>> Points(const std::string& expression, const Shape& shape,
                                       const std::vector<float>& image, int64_t index = 5) {
  const v1::Condition condition = ParseOne(expression);
  const auto attack = MakeAttack(condition);
  EXPECT_TRUE(attack.ok()) << attack.status();
  const std::vector<float> logits = {1, 0};
  const RandomKey key(1, condition.id());
  const auto state = (*attack)->Start({image.data(), shape, 0, logits.data(), 2, index}, key);
  std::vector<std::vector<float>> points;
  while (state->need() != Need::kDone) {
    EXPECT_EQ(state->need(), Need::kForward);
    points.push_back(state->point());
    state->Step(logits.data(), nullptr);
  }
  return points;
}

std::vector<float> Image(const Shape& shape, float low = 0, float high = 1) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> image(shape.size());
  for (float& pixel : image) pixel = uniform(random);
  return image;
}

struct Row {
  std::string expression;  // without eps
  Norm norm;
  std::string points;  // the parameter that counts them
  // Largest distance of a point, at least this share of the budget.
  double used;
  friend std::ostream& operator<<(std::ostream& out, const Row& row) {
    return out << row.expression;
  }
};

// A budget that is large in every norm.
std::string LargeBudget(Norm norm) {
  if (norm == Norm::kLinf) return "0.5";
  return norm == Norm::kL2 ? "5" : "60";
}

class EveryBaseline : public ::testing::TestWithParam<Row> {};

TEST_P(EveryBaseline, UsesTheBudgetAndNeverExceedsIt) {
  const Row& row = GetParam();
  const std::vector<std::string> budgets =
      row.norm == Norm::kL0 ? std::vector<std::string>{"3", "24", "60"}
                            : std::vector<std::string>{"1/255", "8/255", "0.5", "1"};
  for (const std::string& eps : budgets) {
    for (const auto& image : {Image(kShape), Image(kShape, 0, 0.01F), Image(kShape, 0.99F, 1)}) {
      const std::string expression =
          absl::StrCat(row.expression, ",eps=", eps, ",", row.points, "=12");
      const double bound = Rational::Parse(eps)->ToDouble();
      double largest = 0;
      const auto points = Points(expression, kShape, image);
      EXPECT_FALSE(points.empty());
      EXPECT_LE(points.size(), 12u);
      for (const std::vector<float>& point : points) {
        const double distance = Distance(row.norm, point.data(), image.data(), image.size());
        EXPECT_LE(distance, bound * (1 + 1e-9)) << eps;
        EXPECT_GE(*std::min_element(point.begin(), point.end()), 0.0F);
        EXPECT_LE(*std::max_element(point.begin(), point.end()), 1.0F);
        largest = std::max(largest, distance);
      }
      // Where nothing is clipped, and the method can go so far at all.
      if (image[0] > 0.02 && image[0] < 0.98 && bound < 0.2) {
        EXPECT_GE(largest, row.used * bound) << eps;
      }
    }
  }
}

TEST_P(EveryBaseline, DoesNotDependOnBatchGroupingOrOrder) {
  const Row& row = GetParam();
  const std::string expression =
      absl::StrCat(row.expression, ",eps=", LargeBudget(row.norm), ",", row.points, "=10");
  LinearClassifier model(kShape, 5, 8);
  VectorSource all(model, 24);
  const auto outcomes = RunCondition(expression, model, all);
  int fooled = 0;
  for (const auto& outcome : outcomes) {
    fooled += outcome.attack().success() ? 1 : 0;
    EXPECT_EQ(outcome.attack().backwards(), 0);
    EXPECT_LE(outcome.attack().forwards(), 1 + 10);
  }
  EXPECT_GT(fooled, 0);
  ExpectSameInParts(expression, kShape, outcomes, 3);
}

// A linear model has nothing nearer than its closed form. A value that changes by at most 1 counts
// for 1 in L0, so the form of L1 bounds that too.
TEST_P(EveryBaseline, NeverFoolsALinearModelBelowTheClosedForm) {
  const Row& row = GetParam();
  const Norm bound = row.norm == Norm::kL0 ? Norm::kL1 : row.norm;
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 60);
  int fooled = 0;
  for (const auto& outcome :
       RunCondition(absl::StrCat(row.expression, ",eps=", LargeBudget(row.norm)), model, samples)) {
    if (!outcome.attack().success()) continue;
    ++fooled;
    const auto i = static_cast<size_t>(outcome.sample());
    EXPECT_GE(outcome.attack().distance(),
              model.MinimalEps(bound, samples.images[i].data(), samples.labels[i]) * (1 - 1e-3));
  }
  EXPECT_GT(fooled, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Table, EveryBaseline,
    ::testing::Values(Row{"attack/uniform-noise:norm=linf", Norm::kLinf, "draws", 0.9},
                      Row{"attack/uniform-noise:norm=l2", Norm::kL2, "draws", 0.9},
                      Row{"attack/uniform-noise:norm=l1", Norm::kL1, "draws", 0.9},
                      Row{"attack/gaussian-noise:norm=linf", Norm::kLinf, "draws", 0.9},
                      Row{"attack/gaussian-noise:norm=l2", Norm::kL2, "draws", 0.9},
                      Row{"attack/gaussian-noise:norm=l1", Norm::kL1, "draws", 0.9},
                      // At random some pixel that fits is found, but no budget is met exactly.
                      Row{"attack/salt-and-pepper:norm=l0", Norm::kL0, "draws", 0},
                      Row{"attack/salt-and-pepper:norm=l2", Norm::kL2, "draws", 0},
                      Row{"attack/salt-and-pepper:norm=l1", Norm::kL1, "draws", 0},
                      Row{"attack/gaussian-blur:norm=linf", Norm::kLinf, "strengths", 0.995},
                      Row{"attack/gaussian-blur:norm=l2", Norm::kL2, "strengths", 0.995},
                      Row{"attack/gaussian-blur:norm=l1", Norm::kL1, "strengths", 0.995},
                      Row{"attack/contrast-reduction:norm=linf", Norm::kLinf, "strengths", 0.995},
                      Row{"attack/contrast-reduction:norm=l2", Norm::kL2, "strengths", 0.995},
                      Row{"attack/contrast-reduction:norm=l1", Norm::kL1, "strengths", 0.995}));

TEST(ContrastReduction, BlendsEvenlyWithGreyUpToTheBudget) {
  const std::vector<float> image = {0, 0.25F, 0.5F, 1};
  // The farthest value is 0.5 away from grey, so eps 0.1 is a fifth of the way.
  const auto points = Points("attack/contrast-reduction:eps=0.1,strengths=4", {1, 2, 2}, image);
  ASSERT_EQ(points.size(), 4u);
  for (size_t k = 0; k < 4; ++k) {
    const double share = 0.05 * static_cast<double>(k + 1);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(points[k][i], image[i] + share * (0.5 - image[i]), 1e-4);
    }
  }
  // A budget beyond grey ends at grey.
  const auto whole =
      Points("attack/contrast-reduction:norm=l2,eps=5,strengths=2", {1, 2, 2}, image);
  EXPECT_EQ(whole[1], std::vector<float>(4, 0.5F));
}

// The image of one bright pixel becomes the kernel itself.
TEST(GaussianBlur, IsTheNormalDensityOverPixels) {
  const Shape shape{1, 33, 33};
  std::vector<float> image(shape.size(), 0.0F);
  image[16 * 33 + 16] = 1;
  const auto points = Points("attack/gaussian-blur:norm=linf,eps=0.96,strengths=1", shape, image);
  ASSERT_EQ(points.size(), 1u);
  const std::vector<float>& blurred = points[0];
  const auto at = [&](int y, int x) {
    return static_cast<double>(blurred[static_cast<size_t>(y * 33 + x)]);
  };
  // The centre keeps 1 - eps: the largest blur that fits.
  EXPECT_NEAR(at(16, 16), 0.04, 1e-4);
  // ln(centre / neighbour at distance r) = r^2 / (2 sigma^2), in both directions.
  const double unit = std::log(at(16, 16) / at(16, 17));
  EXPECT_NEAR(std::log(at(16, 16) / at(18, 16)), 4 * unit, 1e-3);
  EXPECT_NEAR(std::log(at(16, 16) / at(19, 18)), 13 * unit, 1e-3);
  // sigma from the shape and from the centre, 1 / (2 pi sigma^2), agree.
  EXPECT_NEAR(1 / (2 * unit), 1 / (2 * M_PI * 0.04), 0.05);
  double sum = 0;
  for (const float value : blurred) sum += value;
  EXPECT_NEAR(sum, 1, 1e-4);
}

TEST(GaussianBlur, OfAHugeBudgetStaysInOneImage) {
  const auto points =
      Points("attack/gaussian-blur:norm=l2,eps=1000,strengths=3", kShape, Image(kShape));
  ASSERT_EQ(points.size(), 3u);
  for (const float value : points[2]) EXPECT_NEAR(value, 0.5, 0.15);
}

// A dark pixel among bright ones, in a dark image, first gets bright and then dark again. Of a
// budget between, only the strengths around the peak are left out.
TEST(GaussianBlur, LeavesOutStrengthsThatDoNotFitBelowOneThatDoes) {
  const Shape shape{1, 1, 32};
  std::vector<float> image(32, 0.0F);
  std::fill(image.begin() + 8, image.begin() + 24, 1.0F);
  image[16] = 0;
  constexpr size_t kStrengths = 2000;
  const auto at = [&](const std::string& eps) {
    std::vector<double> distances;
    for (const auto& point :
         Points(absl::StrCat("attack/gaussian-blur:eps=", eps, ",strengths=", kStrengths), shape,
                image)) {
      distances.push_back(Distance(Norm::kLinf, point.data(), image.data(), image.size()));
    }
    return distances;
  };
  const std::vector<double> all = at("1");
  ASSERT_EQ(all.size(), kStrengths);
  const double peak = *std::max_element(all.begin(), all.end());
  ASSERT_GT(peak, all.back() + 0.01);
  const double eps = peak - 1e-5;
  const std::vector<double> fitting = at(absl::StrFormat("%.9f", eps));
  EXPECT_LT(fitting.size(), kStrengths);
  EXPECT_GT(fitting.size(), kStrengths - 50);
  EXPECT_EQ(fitting.back(), all.back());
  for (const double distance : fitting) EXPECT_LE(distance, eps + 1e-9);
}

TEST(SaltAndPepper, MakesWholePixelsBlackOrWhite) {
  const std::vector<float> image = Image(kShape, 0.2F, 0.8F);
  const auto points = Points("attack/salt-and-pepper:norm=l0,eps=24,draws=50", kShape, image);
  ASSERT_EQ(points.size(), 50u);
  int white = 0, black = 0;
  for (const std::vector<float>& point : points) {
    int changed = 0;
    for (size_t pixel = 0; pixel < 64; ++pixel) {
      const bool whole = point[pixel] != image[pixel];
      for (size_t channel = 0; channel < 3; ++channel) {
        const size_t at = channel * 64 + pixel;
        EXPECT_EQ(point[at] != image[at], whole);
        if (whole) {
          EXPECT_EQ(point[at], point[pixel]);
        }
      }
      if (!whole) continue;
      ++changed;
      EXPECT_TRUE(point[pixel] == 0 || point[pixel] == 1);
      (point[pixel] == 1 ? white : black) += 1;
    }
    // 24 values are 8 pixels of three channels.
    EXPECT_EQ(changed, 8);
  }
  EXPECT_NEAR(white, 200, 50);
  EXPECT_NEAR(black, 200, 50);
}

TEST(SaltAndPepper, SkipsPixelsThatDoNotFit) {
  // One dark pixel among grey ones: only making it black fits.
  std::vector<float> image(16, 0.5F);
  image[11] = 0.05F;
  int changed = 0;
  for (const std::vector<float>& point :
       Points("attack/salt-and-pepper:norm=l2,eps=0.1,draws=40", {1, 4, 4}, image)) {
    for (size_t i = 0; i < 16; ++i) {
      if (point[i] == image[i]) continue;
      EXPECT_EQ(i, 11u);
      EXPECT_EQ(point[i], 0.0F);
      ++changed;
    }
  }
  EXPECT_NEAR(changed, 20, 16);
}

TEST(GaussianNoise, IsNormalInEveryDirection) {
  const std::vector<float> image(192, 0.5F);
  double sum = 0, squares = 0, fourth = 0;
  int n = 0;
  for (const std::vector<float>& point :
       Points("attack/gaussian-noise:norm=l2,eps=0.5,draws=200", kShape, image)) {
    EXPECT_NEAR(Distance(Norm::kL2, point.data(), image.data(), 192), 0.5, 1e-5);
    for (const float value : point) {
      const double unit = (value - 0.5) / 0.5 * std::sqrt(192);
      sum += unit;
      squares += unit * unit;
      fourth += unit * unit * unit * unit;
      ++n;
    }
  }
  EXPECT_NEAR(sum / n, 0, 0.03);
  EXPECT_NEAR(squares / n, 1, 1e-3);
  EXPECT_NEAR(fourth / n, 3 * 192.0 / 194, 0.15);
}

TEST(NoiseBaselines, DrawAnewForEverySampleAndDraw) {
  for (const char* name : {"uniform-noise", "gaussian-noise", "salt-and-pepper"}) {
    const std::string expression = absl::StrCat("attack/", name, ":norm=l1,eps=20,draws=5");
    const std::vector<float> image = Image(kShape, 0.2F, 0.8F);
    auto all = Points(expression, kShape, image, 1);
    for (auto& point : Points(expression, kShape, image, 2)) all.push_back(std::move(point));
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::unique(all.begin(), all.end()) - all.begin(), 10) << name;
  }
}

TEST(BaselineConditions, CostOnePassAPoint) {
  EXPECT_EQ(WorkPerSample(ParseOne("attack/uniform-noise:draws=30")), 31);
  EXPECT_EQ(WorkPerSample(ParseOne("attack/gaussian-blur")), 21);
  EXPECT_EQ(ParseOne("attack/salt-and-pepper").id(), "attack/salt-and-pepper/l0/24");
  EXPECT_FALSE(ParseConditions({"attack/salt-and-pepper:norm=linf"}).ok());
}

}  // namespace
}  // namespace assay::engine
