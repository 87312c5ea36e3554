// Projected descent of the margin with a gradient estimated from logits alone: finite differences
// along random directions, in antithetic pairs.
//
//   spsa  Uesato et al., "Adversarial risk and the dangers of evaluating against weak attacks",
//         ICML 2018: directions of random signs, and Adam's step.
//   nes   Ilyas et al., "Black-box adversarial attacks with limited queries and information",
//         ICML 2018: Gaussian directions, and the step of steepest ascent.
//
// Both start at the image. The points at which differences are taken are clipped to [0, 1], so
// along a pixel at the end of its range the difference is one-sided; they may leave the budget, and
// count inside it only.
#include <algorithm>
#include <cmath>
#include <utility>

#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/pixels.h"

namespace assay::engine {
namespace {

enum class Estimator { kSpsa, kNes };

struct EstimateParameters : AttackParameters {
  Estimator estimator = Estimator::kSpsa;
  double step = 0;
  double delta = 0;
  int64_t steps = 0;
  int64_t pairs = 0;
};

// Adam (Kingma and Ba, ICLR 2015) with its usual decay rates.
class Adam {
 public:
  explicit Adam(size_t size) : mean_(size), square_(size) {}

  // Replaces the gradient by the direction of the step: about one in size where the sign of the
  // gradient lasts.
  void Direct(std::vector<float>* gradient) {
    constexpr double kMeanDecay = 0.9, kSquareDecay = 0.999, kGuard = 1e-8;
    mean_left_ *= kMeanDecay;
    square_left_ *= kSquareDecay;
    for (size_t i = 0; i < gradient->size(); ++i) {
      const double g = (*gradient)[i];
      mean_[i] = kMeanDecay * mean_[i] + (1 - kMeanDecay) * g;
      square_[i] = kSquareDecay * square_[i] + (1 - kSquareDecay) * g * g;
      (*gradient)[i] = static_cast<float>(mean_[i] / (1 - mean_left_) /
                                          (std::sqrt(square_[i] / (1 - square_left_)) + kGuard));
    }
  }

 private:
  std::vector<double> mean_, square_;
  double mean_left_ = 1, square_left_ = 1;
};

class EstimateState final : public AttackState {
 public:
  using Parameters = EstimateParameters;

  EstimateState(const EstimateParameters& parameters, const AttackTarget& target,
                const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random, target.index, target.stream),
        budget_(parameters.norm, parameters.eps, target.image, target.size),
        adam_(parameters.estimator == Estimator::kSpsa ? target.size : 0),
        x_(target.image, target.image + target.size),
        direction_(target.size),
        gradient_(target.size),
        bits_((target.size + 31) / 32) {
    Probe();
  }

  Need need() const override {
    return iteration_ < parameters_.steps ? Need::kForward : Need::kDone;
  }
  const std::vector<float>& point() const override { return point_; }

  void Step(const float* logits, const float* /*gradient*/) override {
    const bool was_iterate = probe_ == 2 * parameters_.pairs;
    if (was_iterate) {
      ++iteration_;
      probe_ = 0;
      std::fill(gradient_.begin(), gradient_.end(), 0.0F);
    } else {
      const double margin = Margin(logits, target_.num_classes, target_.label);
      if (probe_ % 2 == 0) {
        ahead_ = margin;
      } else {
        // The margin is to fall.
        const auto rise = static_cast<float>((margin - ahead_) / (2 * parameters_.delta));
        for (size_t i = 0; i < gradient_.size(); ++i) gradient_[i] += rise * direction_[i];
      }
      ++probe_;
    }
    if (probe_ == 2 * parameters_.pairs) {
      Move();
      point_ = x_;
    } else {
      Probe();
    }
  }

 private:
  // The next point of a difference: ahead along a new direction, or behind along the last one.
  void Probe() {
    const bool ahead = probe_ % 2 == 0;
    if (ahead && parameters_.estimator == Estimator::kNes) {
      random_.FillNormal(1.0F, direction_.data(), direction_.size());
    } else if (ahead) {
      random_.FillBits(bits_.data(), bits_.size());
      for (size_t i = 0; i < direction_.size(); ++i) {
        direction_[i] = ((bits_[i / 32] >> (i % 32)) & 1U) != 0 ? 1.0F : -1.0F;
      }
    }
    const auto length = static_cast<float>(ahead ? parameters_.delta : -parameters_.delta);
    point_.resize(x_.size());
    for (size_t i = 0; i < x_.size(); ++i) {
      point_[i] = Clip(x_[i] + length * direction_[i]);
    }
  }

  void Move() {
    if (parameters_.estimator == Estimator::kSpsa) {
      const auto scale = 1.0F / static_cast<float>(parameters_.pairs);
      for (float& value : gradient_) value *= scale;
      adam_.Direct(&gradient_);
      if (parameters_.norm == Norm::kLinf) {
        const auto step = static_cast<float>(parameters_.step);
        for (size_t i = 0; i < x_.size(); ++i) x_[i] += step * gradient_[i];
        budget_.Project(&x_);
        return;
      }
    }
    budget_.Ascend(gradient_.data(), parameters_.step, &x_);
  }

  const EstimateParameters& parameters_;
  const AttackTarget target_;
  RandomStream random_;
  const Budget budget_;
  Adam adam_;
  std::vector<float> x_, point_, direction_, gradient_;
  std::vector<uint32_t> bits_;
  double ahead_ = 0;
  int64_t probe_ = 0;  // 2 * pairs: the iterate itself is looked at
  int64_t iteration_ = 0;
};

NewAttack Make(Params& params, Estimator estimator) {
  EstimateParameters parameters;
  parameters.estimator = estimator;
  ReadBudget(params, parameters);
  parameters.leaves_budget = true;
  parameters.step = params.Number("step");
  parameters.delta = params.Number("delta");
  parameters.steps = params.Integer("steps");
  parameters.pairs = params.Integer("samples") / 2;
  return std::make_unique<AttackOf<EstimateState>>(parameters);
}

}  // namespace

NewAttack MakeSpsa(Params& params) { return Make(params, Estimator::kSpsa); }

NewAttack MakeNes(Params& params) { return Make(params, Estimator::kNes); }

}  // namespace assay::engine
