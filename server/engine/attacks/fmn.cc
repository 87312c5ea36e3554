// Fast minimum-norm attack (Pintor, Roli, Brendel and Biggio, "Fast minimum-norm adversarial
// attacks through adaptive norm constraints", NeurIPS 2021): descends the difference of logits
// inside a ball around the image whose radius adapts. Until an adversarial example is known, the
// radius is that of the linearised boundary; then it shrinks by a share gamma where the point is
// adversarial and grows by it where it is not. gamma goes from .05 to .001 and the length of the
// steps from 1 to .01, both along a cosine.
//
// Unlike the published one, the radius grows by the share gamma before the first adversarial
// example too: where pixels meet 0 or 1 the boundary would otherwise be approached for ever and not
// crossed.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/minimum_norm.h"
#include "server/engine/attacks/schedules.h"

namespace assay::engine {
namespace {

// The published settings.
constexpr double kFirstGamma = 0.05;
constexpr double kLastGamma = 0.001;
constexpr double kFirstStep = 1;
constexpr double kLastStep = 0.01;

class FmnState final : public MinimumNormState {
 public:
  struct Parameters : MinimumNormParameters {
    int64_t steps = 0;
  };

  FmnState(const Parameters& parameters, const AttackTarget& target, const RandomKey& random)
      : MinimumNormState(parameters, target, random), steps_(parameters.steps) {}

 private:
  bool Move(const float* /*logits*/, double margin, const float* gradient) override {
    // The last point is only looked at.
    if (iteration_ >= steps_) return false;
    const size_t n = target().size;
    const double length = Length(Norm::kL2, gradient, n);
    // It would stand still for good.
    if (length == 0 && margin > 0) return false;
    const double gamma = CosineStep(kFirstGamma, kLastGamma, iteration_, steps_);
    const double step = CosineStep(kFirstStep, kLastStep, iteration_, steps_);
    ++iteration_;
    Resize(margin, gamma, gradient);

    const auto scale = static_cast<float>(length > 0 ? step / length : 0);
    for (size_t i = 0; i < n; ++i) {
      delta_[i] = (point()[i] - target().image[i]) - scale * gradient[i];
    }
    if (norm() == Norm::kL0) {
      // A value that cannot move further must not take one of the few places.
      for (size_t i = 0; i < n; ++i) {
        delta_[i] = std::min(std::max(delta_[i], -target().image[i]), 1.0F - target().image[i]);
      }
    }
    Project();
    return true;
  }

  void StartAgain() override {
    iteration_ = 0;
    radius_ = best_distance();
  }

  // Chooses the radius for the next point.
  void Resize(double margin, double gamma, const float* gradient) {
    const bool adversarial = margin <= 0;
    if (norm() == Norm::kL0) {
      // At least by one value.
      radius_ = adversarial
                    ? std::min({radius_ - 1, std::floor(radius_ * (1 - gamma)), best_distance()})
                    : std::max(radius_ + 1, std::floor(radius_ * (1 + gamma)));
      radius_ = std::max(radius_, 0.0);
      return;
    }
    if (adversarial) {
      radius_ = std::min(radius_ * (1 - gamma), best_distance());
    } else if (std::isfinite(best_distance())) {
      radius_ *= 1 + gamma;
    } else {
      const double slope = DualLength(norm(), gradient, target().size);
      const double boundary = Distance(norm(), point().data(), target().image, target().size) +
                              (slope > 0 ? margin / slope : 0);
      radius_ = std::max(radius_, boundary) * (1 + gamma);
    }
  }

  // delta_ onto the ball.
  void Project() {
    switch (norm()) {
      case Norm::kLinf: {
        const auto bound = static_cast<float>(std::min(radius_, 1.0));
        for (float& d : delta_) d = std::min(std::max(d, -bound), bound);
        return;
      }
      case Norm::kL2: {
        const double length = Length(Norm::kL2, delta_.data(), delta_.size());
        if (length <= radius_) return;
        const auto scale = static_cast<float>(radius_ / length);
        for (float& d : delta_) d *= scale;
        return;
      }
      case Norm::kL1:
        ProjectL1();
        return;
      case Norm::kL0:
        KeepLargest(static_cast<size_t>(std::min(radius_, static_cast<double>(delta_.size()))));
        return;
      case Norm::kNone:
        return;
    }
  }

  // Every value towards zero by the same amount. What is left falls with that amount and is convex
  // and piecewise linear in it, so Newton's method from 0 climbs to the solution without passing
  // it.
  void ProjectL1() {
    TakeSizes();
    // No value is stopped by its room.
    room_.assign(sizes_.size(), std::numeric_limits<float>::max());
    double amount = 0;
    constexpr int kMaxPasses = 100;
    for (int pass = 0; pass < kMaxPasses; ++pass) {
      const Ramp left = Shrunk(sizes_.data(), room_.data(), amount, sizes_.size());
      if (left.slope == 0 || left.value <= radius_ * (1 + 1e-9)) break;
      amount += (left.value - radius_) / left.slope;
    }
    if (amount == 0) return;
    const auto less = static_cast<float>(amount);
    for (float& d : delta_) {
      d = std::copysign(std::max(std::abs(d) - less, 0.0F), d);
    }
  }

  void TakeSizes() {
    sizes_.resize(delta_.size());
    for (size_t i = 0; i < delta_.size(); ++i) sizes_[i] = std::abs(delta_[i]);
  }

  // The `count` largest values, of equal ones the first.
  void KeepLargest(size_t count) {
    if (count >= delta_.size()) return;
    if (count == 0) {
      std::fill(delta_.begin(), delta_.end(), 0.0F);
      return;
    }
    TakeSizes();
    const float least = Smallest(sizes_.data(), sizes_.size() - count, sizes_.size());
    const size_t larger = sizes_.size() - CountUpTo(sizes_.data(), least, sizes_.size());
    size_t equal = count - larger;
    for (float& d : delta_) {
      const float size = std::abs(d);
      if (size > least) continue;
      if (size == least && equal > 0) {
        --equal;
      } else {
        d = 0;
      }
    }
  }

  const int64_t steps_;
  int64_t iteration_ = 0;
  double radius_ = 0;
  std::vector<float> sizes_, room_;
};

}  // namespace

NewAttack MakeFmn(Params& params) {
  FmnState::Parameters parameters;
  ReadMinimumNorm(params, parameters);
  parameters.steps = params.Integer("steps");
  return std::make_unique<AttackOf<FmnState>>(parameters);
}

}  // namespace assay::engine
