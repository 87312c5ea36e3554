// Baselines: what no attack needs to know the model for, inside the same budgets. A model that
// these fool has little to lose to an attack, and an attack that they beat is broken.
//
// Noise is drawn again and again; a deterministic change is tried at growing strengths, the largest
// of which is the largest that fits the budget. One forward pass for each point.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>

#include "core/base/errors.h"
#include "core/conditions/params.h"
#include "core/corruptions/gaussian_filter.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/registry.h"

namespace assay::engine {
namespace {

struct BaselineParameters {
  Norm norm = Norm::kLinf;
  double eps = 0;
  int64_t points = 0;
  Shape shape;
};

// --- noise

// Writes one random point of the budget.
using Noise = void (*)(const Budget& budget, const float* image, const Shape& shape,
                       RandomStream& random, std::vector<float>* x);

void UniformNoise(const Budget& budget, const float* /*image*/, const Shape& /*shape*/,
                  RandomStream& random, std::vector<float>* x) {
  budget.RandomPoint(random, x);
}

// Normal noise, scaled so that its norm is eps; clipping to [0, 1] then makes it smaller.
void GaussianNoise(const Budget& budget, const float* image, const Shape& shape,
                   RandomStream& random, std::vector<float>* x) {
  const size_t n = shape.size();
  std::vector<float> noise(n);
  for (float& value : noise) value = static_cast<float>(random.Normal());
  const std::vector<float> zero(n, 0.0F);
  const double length = Distance(budget.norm(), noise.data(), zero.data(), n);
  const double scale = length > 0 ? budget.eps() / length : 0;
  x->resize(n);
  for (size_t i = 0; i < n; ++i) {
    const double value = image[i] + scale * noise[i];
    (*x)[i] = static_cast<float>(std::min(std::max(value, 0.0), 1.0));
  }
  budget.Project(x);
}

// Visits the pixels in random order, and makes each black or white, in all channels, that still
// fits.
void SaltAndPepper(const Budget& budget, const float* image, const Shape& shape,
                   RandomStream& random, std::vector<float>* x) {
  const size_t plane = static_cast<size_t>(shape.height) * static_cast<size_t>(shape.width);
  x->assign(image, image + shape.size());
  std::vector<uint32_t> order(plane);
  std::iota(order.begin(), order.end(), 0U);
  // Of the norm: the sum that stays below a bound.
  const auto part = [&](double change) {
    if (budget.norm() == Norm::kL0) return change > 0 ? 1.0 : 0.0;
    return budget.norm() == Norm::kL2 ? change * change : change;
  };
  const double bound = budget.norm() == Norm::kL2 ? budget.eps() * budget.eps() : budget.eps();
  double spent = 0;
  for (size_t i = 0; i < plane; ++i) {
    std::swap(order[i], order[i + random.Below(static_cast<uint32_t>(plane - i))]);
    const float colour = (random.Bits() & 1U) != 0 ? 1.0F : 0.0F;
    double cost = 0;
    for (size_t at = order[i]; at < x->size(); at += plane) {
      cost += part(std::abs(static_cast<double>(colour) - image[at]));
    }
    if (spent + cost > bound) continue;
    spent += cost;
    for (size_t at = order[i]; at < x->size(); at += plane) (*x)[at] = colour;
  }
}

class NoiseState final : public AttackState {
 public:
  NoiseState(const BaselineParameters& parameters, Noise noise, const AttackTarget& target,
             const RandomKey& random)
      : parameters_(parameters),
        noise_(noise),
        target_(target),
        random_(random),
        budget_(parameters.norm, parameters.eps, target.image, target.size) {
    Draw();
  }
  Need need() const override { return draw_ < parameters_.points ? Need::kForward : Need::kDone; }
  const std::vector<float>& point() const override { return point_; }
  void LogitGradient(const float* /*logits*/, float* /*derivative*/) const override {}
  void Step(const float* /*logits*/, const float* /*gradient*/) override {
    if (++draw_ < parameters_.points) Draw();
  }

 private:
  void Draw() {
    RandomStream stream(random_, target_.index, target_.stream + static_cast<uint32_t>(draw_));
    noise_(budget_, target_.image, parameters_.shape, stream, &point_);
  }

  const BaselineParameters& parameters_;
  const Noise noise_;
  const AttackTarget target_;
  const RandomKey& random_;
  const Budget budget_;
  int64_t draw_ = 0;
  std::vector<float> point_;
};

// --- changes of a strength

// Writes the image changed by a strength above 0.
using Change = void (*)(const float* image, const Shape& shape, double strength,
                        std::vector<float>* x);

// `strength` is the standard deviation in pixels.
void Blur(const float* image, const Shape& shape, double strength, std::vector<float>* x) {
  constexpr double kTruncate = 4;
  const size_t plane = static_cast<size_t>(shape.height) * static_cast<size_t>(shape.width);
  x->resize(shape.size());
  for (size_t first = 0; first < x->size(); first += plane) {
    corruptions::GaussianFilter(image + first, shape.height, shape.width, 1, strength, kTruncate,
                                corruptions::Border::kReflect, x->data() + first);
  }
  // A mean of pixels can leave [0, 1] by a rounding only.
  for (float& value : *x) value = std::min(std::max(value, 0.0F), 1.0F);
}

// Blends with grey 1/2, of which `strength` is the share.
void LessContrast(const float* image, const Shape& shape, double strength, std::vector<float>* x) {
  x->resize(shape.size());
  for (size_t i = 0; i < x->size(); ++i) {
    (*x)[i] = static_cast<float>(image[i] + strength * (0.5 - image[i]));
  }
}

class StrengthState final : public AttackState {
 public:
  StrengthState(const BaselineParameters& parameters, Change change, double full_strength,
                const AttackTarget& target)
      : parameters_(parameters), change_(change), target_(target) {
    largest_ = LargestThatFits(full_strength);
    Next();
  }
  Need need() const override { return done_ ? Need::kDone : Need::kForward; }
  const std::vector<float>& point() const override { return point_; }
  void LogitGradient(const float* /*logits*/, float* /*derivative*/) const override {}
  void Step(const float* /*logits*/, const float* /*gradient*/) override { Next(); }

 private:
  bool Fits(double strength) {
    change_(target_.image, parameters_.shape, strength, &point_);
    return Distance(parameters_.norm, point_.data(), target_.image, target_.size) <=
           parameters_.eps;
  }

  // By doubling, so that a small budget never costs a wide blur, and then bisection.
  double LargestThatFits(double full) {
    double low = 0, high = full / 1024;
    while (high < full && Fits(high)) {
      low = high;
      high *= 2;
    }
    high = std::min(high, full);
    if (high == full && Fits(full)) return full;
    constexpr int kBisections = 16;
    for (int i = 0; i < kBisections; ++i) {
      const double middle = 0.5 * (low + high);
      (Fits(middle) ? low : high) = middle;
    }
    return low;
  }

  // Makes the next point that fits. Blur moves a pixel back and forth as it grows, so a smaller
  // strength may not fit where a larger one does.
  void Next() {
    while (tried_ < parameters_.points) {
      ++tried_;
      const double strength =
          largest_ * static_cast<double>(tried_) / static_cast<double>(parameters_.points);
      if (strength > 0 && Fits(strength)) return;
    }
    done_ = true;
  }

  const BaselineParameters& parameters_;
  const Change change_;
  const AttackTarget target_;
  double largest_ = 0;
  int64_t tried_ = 0;
  bool done_ = false;
  std::vector<float> point_;
};

// ---

// One of the two, noise or a change.
class Baseline final : public Attack {
 public:
  Baseline(const BaselineParameters& parameters, Noise noise)
      : parameters_(parameters), noise_(noise) {}
  Baseline(const BaselineParameters& parameters, Change change, double full_strength)
      : parameters_(parameters), change_(change), full_strength_(full_strength) {}
  Norm norm() const override { return parameters_.norm; }
  double eps() const override { return parameters_.eps; }
  std::unique_ptr<AttackState> Start(const AttackTarget& target,
                                     const RandomKey& random) const override {
    if (noise_ != nullptr) {
      return std::make_unique<NoiseState>(parameters_, noise_, target, random);
    }
    return std::make_unique<StrengthState>(parameters_, change_, full_strength_, target);
  }
  double work() const override { return static_cast<double>(parameters_.points); }

 private:
  const BaselineParameters parameters_;
  const Noise noise_ = nullptr;
  const Change change_ = nullptr;
  const double full_strength_ = 0;
};

BaselineParameters Read(Params& params, const Shape& shape, const char* points) {
  BaselineParameters parameters;
  parameters.norm = NormNamed(params.Text("norm"));
  parameters.eps = params.Number("eps");
  parameters.points = params.Integer(points);
  parameters.shape = shape;
  return parameters;
}

absl::StatusOr<std::unique_ptr<Attack>> MakeNoise(Params& params, const Shape& shape, Noise noise) {
  const BaselineParameters parameters = Read(params, shape, "draws");
  ASSAY_RETURN_IF_ERROR(params.status());
  return std::unique_ptr<Attack>(std::make_unique<Baseline>(parameters, noise));
}

absl::StatusOr<std::unique_ptr<Attack>> MakeChange(Params& params, const Shape& shape,
                                                   Change change, double full_strength) {
  const BaselineParameters parameters = Read(params, shape, "strengths");
  ASSAY_RETURN_IF_ERROR(params.status());
  return std::unique_ptr<Attack>(std::make_unique<Baseline>(parameters, change, full_strength));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Attack>> MakeUniformNoise(Params& params, const Shape& shape) {
  return MakeNoise(params, shape, UniformNoise);
}
absl::StatusOr<std::unique_ptr<Attack>> MakeGaussianNoise(Params& params, const Shape& shape) {
  return MakeNoise(params, shape, GaussianNoise);
}
absl::StatusOr<std::unique_ptr<Attack>> MakeSaltAndPepper(Params& params, const Shape& shape) {
  return MakeNoise(params, shape, SaltAndPepper);
}
absl::StatusOr<std::unique_ptr<Attack>> MakeGaussianBlur(Params& params, const Shape& shape) {
  return MakeChange(params, shape, Blur, std::max(shape.height, shape.width));
}
absl::StatusOr<std::unique_ptr<Attack>> MakeContrastReduction(Params& params, const Shape& shape) {
  return MakeChange(params, shape, LessContrast, 1);
}

}  // namespace assay::engine
