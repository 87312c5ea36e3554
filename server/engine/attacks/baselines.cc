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

#include "core/corruptions/gaussian_filter.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/pixels.h"

namespace assay::engine {
namespace {

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
  const double length = Length(budget.norm(), noise.data(), n);
  const double scale = length > 0 ? budget.eps() / length : 0;
  x->resize(n);
  for (size_t i = 0; i < n; ++i) {
    const double value = image[i] + scale * noise[i];
    (*x)[i] = static_cast<float>(Clip(value));
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
  struct Parameters : AttackParameters {
    Noise noise = nullptr;
    int64_t draws = 0;
  };

  NoiseState(const Parameters& parameters, const AttackTarget& target, const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random),
        budget_(parameters.norm, parameters.eps, target.image, target.size) {
    Draw();
  }
  Need need() const override { return draw_ < parameters_.draws ? Need::kForward : Need::kDone; }
  const std::vector<float>& point() const override { return point_; }
  void Step(const float* /*logits*/, const float* /*gradient*/) override {
    if (++draw_ < parameters_.draws) Draw();
  }

 private:
  void Draw() {
    RandomStream stream(random_, target_.index, target_.stream + static_cast<uint32_t>(draw_));
    parameters_.noise(budget_, target_.image, target_.shape, stream, &point_);
  }

  const Parameters& parameters_;
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
  for (float& value : *x) value = Clip(value);
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
  struct Parameters : AttackParameters {
    Change change = nullptr;
    double (*full_strength)(const Shape& shape) = nullptr;  // the largest that is tried
    int64_t strengths = 0;
  };

  StrengthState(const Parameters& parameters, const AttackTarget& target,
                const RandomKey& /*random*/)
      : parameters_(parameters), target_(target) {
    largest_ = LargestThatFits(parameters.full_strength(target.shape));
    Next();
  }
  Need need() const override { return done_ ? Need::kDone : Need::kForward; }
  const std::vector<float>& point() const override { return point_; }
  void Step(const float* /*logits*/, const float* /*gradient*/) override { Next(); }

 private:
  bool Fits(double strength) {
    parameters_.change(target_.image, target_.shape, strength, &point_);
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
    while (tried_ < parameters_.strengths) {
      ++tried_;
      const double strength =
          largest_ * static_cast<double>(tried_) / static_cast<double>(parameters_.strengths);
      if (strength > 0 && Fits(strength)) return;
    }
    done_ = true;
  }

  const Parameters& parameters_;
  const AttackTarget target_;
  double largest_ = 0;
  int64_t tried_ = 0;
  bool done_ = false;
  std::vector<float> point_;
};

// ---

NewAttack MakeNoise(Params& params, Noise noise) {
  NoiseState::Parameters parameters;
  ReadBudget(params, parameters);
  parameters.noise = noise;
  parameters.draws = params.Integer("draws");
  return std::make_unique<AttackOf<NoiseState>>(parameters);
}

NewAttack MakeChange(Params& params, Change change, double (*full_strength)(const Shape&)) {
  StrengthState::Parameters parameters;
  ReadBudget(params, parameters);
  parameters.change = change;
  parameters.full_strength = full_strength;
  parameters.strengths = params.Integer("strengths");
  return std::make_unique<AttackOf<StrengthState>>(parameters);
}

}  // namespace

NewAttack MakeUniformNoise(Params& params) { return MakeNoise(params, UniformNoise); }
NewAttack MakeGaussianNoise(Params& params) { return MakeNoise(params, GaussianNoise); }
NewAttack MakeSaltAndPepper(Params& params) { return MakeNoise(params, SaltAndPepper); }
NewAttack MakeGaussianBlur(Params& params) {
  return MakeChange(params, Blur, [](const Shape& shape) -> double {
    return std::max(shape.height, shape.width);
  });
}
NewAttack MakeContrastReduction(Params& params) {
  return MakeChange(params, LessContrast, [](const Shape& /*shape*/) { return 1.0; });
}

}  // namespace assay::engine
