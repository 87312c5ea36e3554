// Attacks whose budget is no ball: rotations and translations against brute force, patches and
// universal perturbations against closed forms of linear models.
#include <algorithm>
#include <cmath>
#include <complex>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "server/engine/attacks/registry.h"
#include "server/engine/run_task.h"
#include "tests/server/engine/base/run_condition.h"

namespace assay::engine {
namespace {

constexpr Shape kShape{3, 4, 4};

int Successes(const std::vector<v1::Outcome>& outcomes) {
  return static_cast<int>(
      std::count_if(outcomes.begin(), outcomes.end(),
                    [](const v1::Outcome& outcome) { return outcome.attack().success(); }));
}

// --- rotations and translations

// All points that the attack shows to a model that never errs.
std::vector<std::vector<float>> SpatialPoints(const std::string& expression, Shape shape,
                                              const std::vector<float>& image) {
  const v1::Condition condition = ParseOne(expression);
  const auto attack = MakeAttack(condition);
  EXPECT_TRUE(attack.ok()) << attack.status();
  const RandomKey key(1, condition.id());
  const std::vector<float> logits = {1, 0};
  const auto state = (*attack)->Start({image.data(), shape, 0, logits.data(), 2, 0}, key);
  std::vector<std::vector<float>> points;
  while (state->need() == Need::kForward) {
    points.push_back(state->point());
    state->Step(logits.data(), nullptr);
  }
  return points;
}

std::vector<float> SomeImage(const Shape& shape) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> unit(0, 1);
  std::vector<float> image(shape.size());
  for (float& value : image) value = unit(random);
  return image;
}

// Turns by the definition: every pixel of the image is a hat of width one, at the place where the
// transform puts it in the plane of complex numbers (imaginary axis upwards).
std::vector<float> BruteForce(const Shape& shape, const std::vector<float>& image, double degrees,
                              double right, double down) {
  const double pi = std::acos(-1.0);
  const std::complex<double> turn = std::polar(1.0, degrees * pi / 180);
  const std::complex<double> shift(right, -down);
  const auto place = [&](int row, int column) {
    return std::complex<double>(column - 0.5 * (shape.width - 1), 0.5 * (shape.height - 1) - row);
  };
  std::vector<float> result(image.size());
  const int plane = shape.height * shape.width;
  for (int c = 0; c < shape.channels; ++c) {
    for (int r = 0; r < shape.height; ++r) {
      for (int k = 0; k < shape.width; ++k) {
        const std::complex<double> source = (place(r, k) - shift) / turn;
        double sum = 0;
        for (int from = 0; from < plane; ++from) {
          const std::complex<double> apart = source - place(from / shape.width, from % shape.width);
          sum += std::max(0.0, 1 - std::abs(apart.real())) *
                 std::max(0.0, 1 - std::abs(apart.imag())) *
                 static_cast<double>(image[static_cast<size_t>(c * plane + from)]);
        }
        result[static_cast<size_t>(c * plane + r * shape.width + k)] = static_cast<float>(sum);
      }
    }
  }
  return result;
}

double Farthest(const std::vector<float>& a, const std::vector<float>& b) {
  return Distance(Norm::kLinf, a.data(), b.data(), a.size());
}

TEST(Spatial, PointsAreTheGridOfRotationsAndTranslationsMildOnesFirst) {
  const Shape shape{2, 6, 8};
  const std::vector<float> image = SomeImage(shape);
  const auto points = SpatialPoints(
      "attack/spatial:max_rotation=40,max_translation=25,rotations=5,translations=5", shape, image);
  ASSERT_EQ(points.size(), 5u * 5 * 5 - 1);
  struct Candidate {
    std::vector<float> image;
    double strength;
    bool seen = false;
  };
  std::vector<Candidate> candidates;
  for (const double degrees : {-40, -20, 0, 20, 40}) {
    for (const double right : {-2, -1, 0, 1, 2}) {  // a quarter of 8 pixels
      for (const double down : {-1.5, -0.75, 0.0, 0.75, 1.5}) {
        candidates.push_back(
            {BruteForce(shape, image, degrees, right, down),
             std::max({std::abs(degrees) / 40, std::abs(right) / 2, std::abs(down) / 1.5})});
      }
    }
  }
  double last = 0;
  for (const std::vector<float>& point : points) {
    const auto match = std::find_if(
        candidates.begin(), candidates.end(),
        [&](const Candidate& candidate) { return Farthest(candidate.image, point) < 1e-5; });
    ASSERT_NE(match, candidates.end());
    EXPECT_FALSE(match->seen);
    match->seen = true;
    EXPECT_GE(match->strength, last);
    last = match->strength;
  }
  for (const Candidate& candidate : candidates) {
    EXPECT_EQ(candidate.seen, candidate.strength > 0) << "all but the image itself";
  }
}

TEST(Spatial, AQuarterTurnMovesPixelsCounterclockwise) {
  const Shape shape{1, 3, 3};
  const std::vector<float> image = {.1F, .2F, .3F, .4F, .5F, .6F, .7F, .8F, .9F};
  const auto points =
      SpatialPoints("attack/spatial:max_rotation=90,rotations=2,translations=1", shape, image);
  ASSERT_EQ(points.size(), 2u);
  const std::vector<float> clockwise = {.7F, .4F, .1F, .8F, .5F, .2F, .9F, .6F, .3F};
  const std::vector<float> counterclockwise = {.3F, .6F, .9F, .2F, .5F, .8F, .1F, .4F, .7F};
  EXPECT_LT(Farthest(points[0], clockwise), 1e-6);
  EXPECT_LT(Farthest(points[1], counterclockwise), 1e-6);
}

TEST(Spatial, DefaultsAreThePublishedGridForImagesOf32Pixels) {
  const Shape shape{1, 32, 32};
  std::vector<float> image(shape.size(), 1.0F);
  const auto points = SpatialPoints("attack/spatial", shape, image);
  EXPECT_EQ(points.size(), 31u * 5 * 5 - 1);
  // Translated by three pixels and not turned: three columns are black.
  const auto shifted = BruteForce(shape, image, 0, 3, 0);
  EXPECT_EQ(std::count(shifted.begin(), shifted.end(), 0.0F), 3 * 32);
  EXPECT_TRUE(std::any_of(points.begin(), points.end(), [&](const std::vector<float>& point) {
    return Farthest(point, shifted) < 1e-6;
  }));
}

TEST(Spatial, SucceedsWhereATransformIsMisclassifiedAndCountsItsPasses) {
  const Shape shape{1, 5, 5};
  // The model asks whether the left half is brighter than the right.
  LinearClassifier model(shape, 2, 4);
  model.SetRow(1, [](int, int column) { return static_cast<float>(column - 2); });
  VectorSource samples(model, 20);
  const std::string expression =
      "attack/spatial:max_rotation=10,max_translation=1,rotations=7,translations=3";
  const auto outcomes = RunCondition(expression, model, samples);
  int successes = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    int64_t first = 0, number = 0;
    std::vector<float> logits(2);
    for (const auto& point : SpatialPoints(expression, shape, samples.images[i])) {
      ++number;
      model.Logits(point.data(), logits.data());
      if (first == 0 && !Predict(logits.data(), 2).Is(samples.labels[i])) first = number;
    }
    EXPECT_EQ(outcomes[i].attack().success(), first > 0) << i;
    EXPECT_EQ(outcomes[i].attack().forwards(), 1 + (first > 0 ? first : number)) << i;
    EXPECT_EQ(outcomes[i].attack().backwards(), 0);
    EXPECT_EQ(outcomes[i].attack().distance(), 0);
    successes += first > 0 ? 1 : 0;
  }
  EXPECT_GT(successes, 3);
  EXPECT_LT(successes, 20);
}

TEST(Spatial, DoesNotDependOnBatchGroupingOrOrder) {
  const std::string expression = "attack/spatial:rotations=5,max_translation=25";
  LinearClassifier model(kShape, 5, 8);
  const VectorSource all(model, 12);
  ExpectSameInParts(expression, kShape, RunCondition(expression, model, all), 4);
}

// --- patches

// The most by which a square of that side can lower z_y - z_other of a linear model.
double BestPatch(const LinearClassifier& model, const std::vector<float>& image, int label,
                 int side) {
  const Shape shape = model.shape();
  double best = 0;
  for (int top = 0; top + side <= shape.height; ++top) {
    for (int left = 0; left + side <= shape.width; ++left) {
      double gain = 0;
      for (int c = 0; c < shape.channels; ++c) {
        for (int r = top; r < top + side; ++r) {
          for (int k = left; k < left + side; ++k) {
            const auto i = static_cast<size_t>((c * shape.height + r) * shape.width + k);
            const double weight =
                static_cast<double>(model.row(1 - label)[i]) - model.row(label)[i];
            gain += std::max(weight * (1 - image[i]), -weight * image[i]);
          }
        }
      }
      best = std::max(best, gain);
    }
  }
  return best;
}

TEST(Patch, FoolsALinearModelExactlyWhenTheBestSquareDoes) {
  LinearClassifier model({1, 12, 12}, 2, 8);
  VectorSource samples(model, 120);
  int above = 0, below = 0;
  const auto outcomes = RunCondition("attack/patch:size=1,places=2000,steps=2", model, samples);
  for (size_t i = 0; i < samples.size(); ++i) {
    std::vector<float> logits(2);
    model.Logits(samples.images[i].data(), logits.data());
    const int label = samples.labels[i];
    const double margin = static_cast<double>(logits[static_cast<size_t>(label)]) -
                          logits[static_cast<size_t>(1 - label)];
    const double gain = BestPatch(model, samples.images[i], label, 1);
    if (std::abs(gain - margin) < 1e-4) continue;
    // 2000 draws of 144 places miss the best with a probability of 1e-6.
    EXPECT_EQ(outcomes[i].attack().success(), gain > margin) << i;
    (gain > margin ? above : below) += 1;
    if (outcomes[i].attack().success()) {
      EXPECT_EQ(outcomes[i].attack().distance(), 1);
    }
  }
  EXPECT_GT(above, 10);
  EXPECT_GT(below, 10);
}

TEST(Patch, ChangesNothingOutsideOneSquare) {
  const Shape shape{3, 9, 7};
  LinearClassifier model(shape, 4, 8);
  VectorSource samples(model, 40);
  std::vector<KeptExample> kept;
  const auto outcomes = RunCondition("attack/patch:size=3,places=2", model, samples, 1, {}, &kept);
  EXPECT_GT(kept.size(), 10u);
  std::vector<char> rows(static_cast<size_t>(shape.height)), columns(rows);
  for (const KeptExample& example : kept) {
    int top = 99, bottom = -1, left = 99, right = -1, changed = 0;
    for (int r = 0; r < shape.height; ++r) {
      for (int k = 0; k < shape.width; ++k) {
        bool differs = false;
        for (int c = 0; c < shape.channels; ++c) {
          const auto i = static_cast<size_t>((c * shape.height + r) * shape.width + k);
          differs |= example.pixels[i] != samples.images[static_cast<size_t>(example.sample)][i];
        }
        if (!differs) continue;
        ++changed;
        top = std::min(top, r), bottom = std::max(bottom, r);
        left = std::min(left, k), right = std::max(right, k);
      }
    }
    EXPECT_LT(bottom - top, 3);
    EXPECT_LT(right - left, 3);
    EXPECT_EQ(outcomes[static_cast<size_t>(example.sample)].attack().distance(), changed);
    rows[static_cast<size_t>(top)] = columns[static_cast<size_t>(left)] = 1;
  }
  // The places reach both ends of both sides.
  EXPECT_TRUE(rows[0] && rows[6] && columns[0] && columns[4]);
}

// A model that is not linear: what the first gradient says about the content is wrong, so only the
// steps can find it.
TEST(Patch, ClimbsWhereTheFirstGradientMisleads) {
  LinearClassifier model({1, 4, 4}, 2, 8);
  class Curved final : public LinearClassifier {
   public:
    using LinearClassifier::LinearClassifier;
    // z1 - z0 = sum of .04 - (x - .6)^2 over the first two rows and columns: white is better than
    // .1, and not good enough.
    static double Value(const float* x) {
      double sum = 0;
      for (const size_t i : {0, 1, 4, 5}) sum += 0.04 - std::pow(x[i] - 0.6, 2);
      return sum;
    }
    absl::Status RunForward(const float* images, int rows, float* logits) override {
      for (int slot = 0; slot < rows; ++slot) {
        logits[2 * slot] = 0;
        logits[2 * slot + 1] = static_cast<float>(Value(images + 16 * slot));
      }
      return absl::OkStatus();
    }
    absl::Status RunForwardBackward(const float* images, int rows,
                                    const LogitGradient& logit_gradient, float* logits,
                                    float* gradient) override {
      ASSAY_RETURN_IF_ERROR(RunForward(images, rows, logits));
      std::vector<float> derivative(static_cast<size_t>(2 * rows));
      logit_gradient(logits, derivative.data());
      std::fill(gradient, gradient + 16 * rows, 0.0F);
      for (int slot = 0; slot < rows; ++slot) {
        for (const int i : {0, 1, 4, 5}) {
          gradient[16 * slot + i] =
              derivative[static_cast<size_t>(2 * slot + 1)] * -2 * (images[16 * slot + i] - 0.6F);
        }
      }
      return absl::OkStatus();
    }
  };
  Curved curved({1, 4, 4}, 2, 8);
  VectorSource samples(model, 4);
  for (size_t i = 0; i < samples.size(); ++i) {
    std::fill(samples.images[i].begin(), samples.images[i].end(), 0.1F);
    samples.labels[i] = 0;
  }
  for (const auto& outcome :
       RunCondition("attack/patch:size=2,places=200,steps=20,step=0.05", curved, samples)) {
    EXPECT_TRUE(outcome.attack().success());
    EXPECT_GT(outcome.attack().backwards(), 2);
  }
}

TEST(Patch, CountsThePassesOfASurvivor) {
  // So many places that none is drawn twice.
  LinearClassifier model({3, 100, 100}, 5, 8);
  model.on_forward = model.on_gradient_logits = [](int, float* z) {
    std::fill(z, z + 5, 0.0F);
    z[2] = 1;
  };
  VectorSource samples(model, 6);
  std::fill(samples.labels.begin(), samples.labels.end(), 2);
  for (const auto& outcome :
       RunCondition("attack/patch:size=2,places=7,steps=4,restarts=3", model, samples)) {
    // Clean; the first gradient; and in each restart places, one step, as the gradient leads no
    // further, and the last point.
    EXPECT_EQ(outcome.attack().forwards(), 1 + 1 + 3 * (7 + 1 + 1));
    EXPECT_EQ(outcome.attack().backwards(), 1 + 3 * 1);
  }
}

TEST(Patch, LargerThanTheImageIsRefused) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 2);
  const auto outcomes = TryCondition("attack/patch:size=5", model, samples);
  EXPECT_EQ(ReasonOf(outcomes.status()), Reason::kInvalidCondition);
  EXPECT_THAT(std::string(outcomes.status().message()),
              ::testing::HasSubstr("does not fit into images of 4 x 4"));
}

TEST(Patch, DoesNotDependOnBatchGroupingOrOrder) {
  const std::string expression = "attack/patch:size=1,places=3,steps=3,restarts=2";
  LinearClassifier model(kShape, 5, 8);
  const VectorSource all(model, 12);
  ExpectSameInParts(expression, kShape, RunCondition(expression, model, all), 4);
}

// --- universal perturbations

class EveryUniversalNorm : public ::testing::TestWithParam<Norm> {
 protected:
  static std::string Name() { return GetParam() == Norm::kLinf ? "linf" : "l2"; }
};

// With two classes and samples of one of them, the best v is the same for all samples: the step of
// length eps straight to the boundary.
TEST_P(EveryUniversalNorm, OfOneClassIsTheClosedForm) {
  LinearClassifier model(kShape, 2, 8);
  VectorSource drawn(model, 120), samples(model, 0);
  for (size_t i = 0; i < drawn.size(); ++i) {
    if (drawn.labels[i] != 1) continue;
    samples.images.push_back(drawn.images[i]);
    samples.labels.push_back(1);
    samples.indices.push_back(drawn.indices[i]);
  }
  ASSERT_GT(samples.size(), 30u);
  std::vector<double> minima;
  for (const auto& image : samples.images) {
    minima.push_back(model.MinimalEps(GetParam(), image.data(), 1));
  }
  std::vector<double> sorted = minima;
  std::sort(sorted.begin(), sorted.end());
  const std::string eps = absl::StrCat(0.5 * (sorted[20] + sorted[21]));
  std::vector<KeptExample> kept;
  const auto outcomes = RunCondition(
      absl::StrCat("attack/universal:epochs=20,minibatch=7,norm=", Name(), ",eps=", eps), model,
      samples, 1, {}, &kept);
  for (size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(outcomes[i].attack().success(), minima[i] < std::stod(eps)) << i;
    EXPECT_LE(outcomes[i].attack().distance(), std::stod(eps) * (1 + 1e-6));
  }
  // And it is one perturbation: sign(w_0 - w_1) eps, or w_0 - w_1 brought to length eps.
  ASSERT_EQ(kept.size(), 21u);
  std::vector<double> direction(kShape.size());
  double squared = 0;
  for (size_t i = 0; i < direction.size(); ++i) {
    direction[i] = static_cast<double>(model.row(0)[i]) - model.row(1)[i];
    squared += direction[i] * direction[i];
  }
  for (const KeptExample& example : kept) {
    const auto at = std::find(samples.indices.begin(), samples.indices.end(), example.sample) -
                    samples.indices.begin();
    const std::vector<float>& image = samples.images[static_cast<size_t>(at)];
    for (size_t i = 0; i < direction.size(); ++i) {
      const double unit = GetParam() == Norm::kLinf ? (direction[i] > 0 ? 1.0 : -1.0)
                                                    : direction[i] / std::sqrt(squared);
      EXPECT_NEAR(example.pixels[i] - image[i], std::stod(eps) * unit, 1e-5);
    }
  }
}

TEST_P(EveryUniversalNorm, DependsOnTheSamplesAndTheSeedOnly) {
  const std::string expression =
      absl::StrCat("attack/universal:epochs=3,minibatch=11,fit=0.7,norm=", Name(),
                   ",eps=", GetParam() == Norm::kLinf ? "0.03" : "0.15");
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 60);
  const auto outcomes = RunCondition(expression, model, samples);
  EXPECT_GT(Successes(outcomes), 5);
  EXPECT_LT(Successes(outcomes), 55);
  std::map<int64_t, std::string> expected;
  for (const auto& outcome : outcomes) expected[outcome.sample()] = outcome.SerializeAsString();
  LinearClassifier other(kShape, 5, 3, /*lanes=*/1);
  VectorSource backwards(other, 60);
  std::reverse(backwards.images.begin(), backwards.images.end());
  std::reverse(backwards.labels.begin(), backwards.labels.end());
  std::reverse(backwards.indices.begin(), backwards.indices.end());
  for (const auto& outcome : RunCondition(expression, other, backwards)) {
    EXPECT_EQ(outcome.SerializeAsString(), expected[outcome.sample()]) << outcome.sample();
  }
  int different = 0;
  for (const auto& outcome : RunCondition(expression, model, samples, /*seed=*/2)) {
    different += outcome.SerializeAsString() == expected[outcome.sample()] ? 0 : 1;
  }
  EXPECT_GT(different, 0);
}

INSTANTIATE_TEST_SUITE_P(Norms, EveryUniversalNorm, ::testing::Values(Norm::kLinf, Norm::kL2));

// For 50 steps the gradient points to the other class, then back: the perturbation was kept inside
// the budget all the time, so 25 steps of eps/10 undo it.
TEST_P(EveryUniversalNorm, EveryStepIsProjected) {
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 1);
  const double eps = 2 * model.MinimalEps(GetParam(), samples.images[0].data(), samples.labels[0]);
  const std::string expression =
      absl::StrCat("attack/universal:epochs=75,norm=", Name(), ",eps=", eps);
  EXPECT_EQ(Successes(RunCondition(expression, model, samples)), 1);
  const int64_t before = model.usage().backward_batches;
  model.on_gradient_logits = [&](int, float*) {
    model.gradient_scale = model.usage().backward_batches - before >= 50 ? -1 : 1;
  };
  EXPECT_EQ(Successes(RunCondition(expression, model, samples)), 0);
}

TEST_P(EveryUniversalNorm, GradientsThatAreNotFiniteHaveNoSay) {
  LinearClassifier model(kShape, 5, 8);
  model.gradient_scale = INFINITY;
  VectorSource samples(model, 10);
  for (const auto& outcome : RunCondition(
           absl::StrCat("attack/universal:epochs=4,eps=0.9,norm=", Name()), model, samples)) {
    EXPECT_EQ(outcome.attack().nonfinite_gradients(), 4);
    EXPECT_FALSE(outcome.undecided());
    EXPECT_FALSE(outcome.attack().success());
  }
}

// A gradient of zero is a sign of a model that hides it; the cap on the loss is not.
TEST_P(EveryUniversalNorm, ZeroGradientsAreTheModelsNotTheCaps) {
  LinearClassifier model(kShape, 2, 8);
  VectorSource samples(model, 1);
  const std::string expression = absl::StrCat("attack/universal:epochs=30,norm=", Name(),
                                              ",eps=", GetParam() == Norm::kL2 ? 5 : 1);
  const auto outcomes = RunCondition(expression, model, samples);
  EXPECT_TRUE(outcomes[0].attack().success());
  EXPECT_EQ(outcomes[0].attack().zero_gradients(), 0);
  model.gradient_scale = 0;
  EXPECT_EQ(RunCondition(expression, model, samples)[0].attack().zero_gradients(), 30);
}

TEST(Universal, IsMadeFromTheShareAndTriedOnAll) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 40);
  samples.labels[7] = (samples.labels[7] + 1) % 5;
  const auto outcomes = RunCondition("attack/universal:fit=0.25,epochs=6,eps=0.01", model, samples);
  std::map<int64_t, int> by_backwards;
  for (size_t i = 0; i < samples.size(); ++i) {
    const v1::AttackOutcome& attack = outcomes[i].attack();
    if (i == 7) {
      // Wrong before: not attacked.
      EXPECT_FALSE(attack.attacked());
      EXPECT_EQ(attack.forwards(), 1);
      continue;
    }
    EXPECT_EQ(attack.forwards(), 1 + attack.backwards() + 1);
    ++by_backwards[attack.backwards()];
  }
  // A quarter of 39, rounded up.
  EXPECT_EQ(by_backwards, (std::map<int64_t, int>{{0, 29}, {6, 10}}));
}

// Remembers which sample each slot of a gradient pass held.
class RecordingClassifier final : public LinearClassifier {
 public:
  using LinearClassifier::LinearClassifier;
  absl::Status RunForwardBackward(const float* images, int rows,
                                  const LogitGradient& logit_gradient, float* logits,
                                  float* gradient) override {
    for (int slot = 0; slot < rows; ++slot) {
      first_pixels.push_back(images[static_cast<size_t>(slot) * shape().size()]);
    }
    return LinearClassifier::RunForwardBackward(images, rows, logit_gradient, logits, gradient);
  }
  std::vector<float> first_pixels;
};

TEST(Universal, EveryEpochTakesAllSamplesInAnOrderOfItsOwn) {
  RecordingClassifier model(kShape, 5, 8);
  VectorSource samples(model, 16);
  RunCondition("attack/universal:eps=0.000001,epochs=3,minibatch=8", model, samples);
  ASSERT_EQ(model.first_pixels.size(), 3u * 16);
  std::vector<std::vector<size_t>> orders(3);
  for (size_t pass = 0; pass < 3 * 16; ++pass) {
    for (size_t i = 0; i < 16; ++i) {
      if (std::abs(samples.images[i][0] - model.first_pixels[pass]) < 1e-5F) {
        orders[pass / 16].push_back(i);
      }
    }
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_NE(orders[1], orders[2]);
  for (const auto& order : orders) {
    EXPECT_EQ(std::set<size_t>(order.begin(), order.end()).size(), 16u);
  }
}

TEST(Universal, SaysWhichExamplesSurviveRounding) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 400);
  std::vector<KeptExample> kept;
  // Less than half a grey level.
  const auto outcomes = RunCondition("attack/universal:eps=0.0015", model, samples, 1, {}, &kept);
  std::map<int64_t, const v1::Outcome*> by_sample;
  for (const auto& outcome : outcomes) by_sample[outcome.sample()] = &outcome;
  int survivors = 0;
  for (const KeptExample& example : kept) {
    std::vector<float> rounded = example.pixels, logits(5);
    for (float& value : rounded) value = std::round(value * 255) / 255;
    model.Logits(rounded.data(), logits.data());
    const v1::Outcome& outcome = *by_sample.at(example.sample);
    EXPECT_EQ(outcome.attack().survives_rounding(), !Predict(logits.data(), 5).Is(outcome.label()));
    survivors += outcome.attack().survives_rounding() ? 1 : 0;
  }
  EXPECT_GT(survivors, 0);
  EXPECT_LT(survivors, static_cast<int>(kept.size()));
}

TEST(Universal, ASampleHasNoSayOverAPixelThatCannotMoveThatWay) {
  LinearClassifier model({1, 1, 2}, 2, 4);
  // z_1 - z_0 = (left - .5) - 3 (right - .5).
  model.SetRow(1, [](int, int column) { return column == 0 ? 1.0F : -3.0F; });
  VectorSource samples(model, 0);
  // The first two want left up, where it is at its end already, and right down; the third, with
  // less weight than both, the opposite.
  samples.images = {{1.0F, 0.9F}, {1.0F, 0.9F}, {0.6F, 0.4F}};
  samples.labels = {0, 0, 1};
  samples.indices = {0, 1, 2};
  std::vector<KeptExample> kept;
  RunCondition("attack/universal:eps=0.4,step=0.4,epochs=1", model, samples, 1, {}, &kept);
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_NEAR(kept[0].pixels[0], 0.6, 1e-6);
  EXPECT_NEAR(kept[0].pixels[1], 0.5, 1e-6);
}

TEST(Universal, NonFiniteLogitsMakeASampleUndecidedAndSpoilNothing) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 30);
  const std::string expression = "attack/universal:eps=0.05,minibatch=30,epochs=5";
  model.on_gradient_logits = [](int slot, float* z) {
    if (slot == 0) z[1] = NAN;
  };
  const auto outcomes = RunCondition(expression, model, samples);
  EXPECT_GT(Successes(outcomes), 5);
  for (const auto& outcome : outcomes) EXPECT_FALSE(outcome.undecided());
  model.on_gradient_logits = nullptr;
  int clean_passes = 4;
  model.on_forward = [&](int slot, float* z) {
    if (clean_passes <= 0 && slot == 3) z[0] = INFINITY;
    if (slot == 7) --clean_passes;
  };
  int undecided = 0;
  for (const auto& outcome : RunCondition(expression, model, samples)) {
    undecided += outcome.undecided() ? 1 : 0;
    if (!outcome.undecided()) continue;
    EXPECT_FALSE(outcome.attack().success());
    EXPECT_EQ(outcome.prediction(), -1);
  }
  EXPECT_EQ(undecided, 4);
}

TEST(Universal, StopsWhenCancelled) {
  LinearClassifier model(kShape, 5, 8);
  VectorSource samples(model, 40);
  QuietObserver observer;
  observer.cancel_after = 12;
  const v1::Condition condition = ParseOne("attack/universal:epochs=1000");
  const auto outcomes = RunTask({condition, 1, samples, model, observer});
  EXPECT_EQ(ReasonOf(outcomes.status()), Reason::kCancelled);
  EXPECT_LE(model.usage().forward_batches, 12);
}

TEST(LocalConditions, AreRefusedWithTheReasonAndPlannedAsOneTaskWhereNeeded) {
  const auto nothing = ParseConditions({"attack/spatial:rotations=1,translations=1"});
  EXPECT_EQ(ReasonOf(nothing.status()), Reason::kInvalidCondition);
  EXPECT_TRUE(NeedsWholeDataset(ParseOne("attack/universal")));
  EXPECT_FALSE(NeedsWholeDataset(ParseOne("attack/patch")));
  const auto sizes = ParseConditions({"attack/patch:size=3+5"});
  ASSERT_TRUE(sizes.ok()) << sizes.status();
  EXPECT_EQ(sizes->at(1).id(), "attack/patch/5");
}

}  // namespace
}  // namespace assay::engine
