// FAB (Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
// attack", ICML 2020): steps onto a linearised decision boundary, pulled back towards the image. A
// minimum-norm method: its points leave the budget, and count inside it only. Targeted (fab-t), run
// after run at the boundary of one of the classes that the clean image comes nearest to; untargeted
// (fab), each step at the boundary that is nearest to first order, for which every class's gradient
// is needed: one gradient pass for each.
#include <algorithm>
#include <cmath>
#include <utility>

#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/hyperplane.h"
#include "server/engine/attacks/losses.h"

namespace assay::engine {
namespace {

// The published settings.
constexpr double kAlphaMax = 0.1;
constexpr double kEta = 1.05;
constexpr double kBeta = 0.9;
// Of eps: how far from the image restarts begin.
constexpr double kStartRadius = 0.5;

struct FabParameters : AttackParameters {
  int64_t steps = 0;
  int64_t restarts = 0;
  // 0: untargeted.
  int64_t targets = 0;
};

class FabState final : public AttackState {
 public:
  using Parameters = FabParameters;

  FabState(const FabParameters& parameters, const AttackTarget& target, const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random, target.index, target.stream),
        runs_(parameters.restarts * (parameters.targets > 0
                                         ? std::min<int64_t>(parameters.targets, others())
                                         : std::min(1, others()))),
        from_here_(target.size),
        from_image_(target.size) {
    if (run_ < runs_) BeginRun();
  }

  Need need() const override {
    if (run_ >= runs_) return Need::kDone;
    // The last point of all is only looked at.
    return iteration_ >= parameters_.steps || (fresh_ && LooksFirst()) ? Need::kForward
                                                                       : Need::kGradient;
  }

  const std::vector<float>& point() const override { return x_; }

  // The gradient of z_k - z_y.
  void LogitGradient(const float* /*logits*/, float* derivative) const override {
    derivative[class_] = 1;
    derivative[target_.label] = -1;
  }

  void Step(const float* logits, const float* gradient) override {
    if (iteration_ >= parameters_.steps) {
      ++run_;
      if (run_ < runs_) BeginRun();
      return;
    }
    if (fresh_) {
      fresh_ = false;
      if (crossed_ && !crossed_before_) stays_ = Crossing(logits) ? 0 : stays_ + 1;
      crossed_before_ = std::exchange(crossed_, Crossing(logits));
      if (crossed_) {
        met_boundary_ = true;
        // Outside the budget, or the driver would have ended this: go back towards the image.
        for (size_t i = 0; i < target_.size; ++i) {
          x_[i] = target_.image[i] + static_cast<float>(kBeta) * (x_[i] - target_.image[i]);
        }
        return;
      }
      if (gradient == nullptr) return;  // still on this side: now the gradient is wanted
    }
    const double d = static_cast<double>(logits[class_]) - logits[target_.label];
    if (parameters_.targets > 0) {
      Move(d, gradient);
      return;
    }
    const double distance =
        std::abs(d) / (DualLength(parameters_.norm, gradient, target_.size) + kGuard);
    if (distance < nearest_) {
      nearest_ = distance;
      nearest_d_ = d;
      nearest_gradient_.assign(gradient, gradient + target_.size);
    }
    class_ = Next(class_);
    if (class_ < target_.num_classes) return;
    Move(nearest_d_, nearest_gradient_.data());
    BeginClasses();
  }

 private:
  static constexpr double kGuard = 1e-12;

  int others() const { return target_.num_classes - 1; }

  bool Crossing(const float* logits) const {
    return Margin(logits, target_.num_classes, target_.label) <= 0;
  }

  // Whether a forward pass is to tell on which side a step has ended. A gradient across the
  // boundary is of no use, but on this side the forward pass is of none. Once it was met, most
  // steps cross it, five in six and more. Those do not that follow the first crossing after a step
  // that stayed on this side, if that has been so the last two times.
  bool LooksFirst() const { return met_boundary_ && (stays_ < 2 || !crossed_ || crossed_before_); }

  void BeginRun() {
    if (run_ % parameters_.restarts == 0) {
      x_.assign(target_.image, target_.image + target_.size);
    } else {
      RandomSpherePoint(parameters_.norm, kStartRadius * parameters_.eps, target_.image,
                        target_.size, random_, x_.data());
    }
    iteration_ = 0;
    fresh_ = crossed_ = crossed_before_ = false;
    stays_ = 0;
    if (parameters_.targets > 0) {
      class_ = RankedTarget(target_.clean_logits, target_.num_classes, target_.label,
                            static_cast<int>(run_ / parameters_.restarts) + 1);
    } else {
      BeginClasses();
    }
  }

  // Untargeted: all classes but the label, one after the other.
  int Next(int k) const { return k + 1 == target_.label ? k + 2 : k + 1; }
  void BeginClasses() {
    class_ = Next(-1);
    nearest_ = INFINITY;
  }

  // A step to the boundary where, to first order, the difference of logits `d` becomes 0.
  void Move(double d, const float* gradient) {
    const size_t n = target_.size;
    // The linearised boundary: <w, x + step> = <w, x> - d.
    const double along = Along(gradient, target_.image, x_.data(), n);
    const double here = std::max(
        StepToHyperplane(parameters_.norm, x_.data(), gradient, d, n, from_here_.data()), 1e-8);
    const double image = std::max(StepToHyperplane(parameters_.norm, target_.image, gradient,
                                                   d + along, n, from_image_.data()),
                                  1e-8);
    const auto alpha = static_cast<float>(std::min(here / (here + image), kAlphaMax));
    const auto eta = static_cast<float>(kEta);
    Blend(alpha, eta, from_here_.data(), target_.image, from_image_.data(), n, x_.data());
    fresh_ = true;
    ++iteration_;
  }

  const FabParameters& parameters_;
  const AttackTarget target_;
  RandomStream random_;
  const int64_t runs_;
  int64_t run_ = 0;
  int64_t iteration_ = 0;
  bool met_boundary_ = false;  // in any run
  bool fresh_ = false;         // the point came from a step, and nothing is known of it yet
  // Whether the last step whose end is known crossed the boundary, and the one before.
  bool crossed_ = false, crossed_before_ = false;
  int stays_ = 0;  // see LooksFirst
  int class_ = 0;  // whose boundary the gradient is for
  // Untargeted: the nearest boundary of those whose gradients are known.
  double nearest_ = 0, nearest_d_ = 0;
  std::vector<float> x_, from_here_, from_image_, nearest_gradient_;
};

class Fab final : public AttackOf<FabState> {
 public:
  using AttackOf::AttackOf;
  // Of two classes there is one boundary, so that from the image both forms walk one path.
  bool Repeats(const Attack& earlier, int num_classes) const override {
    const auto* other = dynamic_cast<const Fab*>(&earlier);
    return other != nullptr && num_classes == 2 && parameters().restarts == 1 &&
           parameters().steps <= other->parameters().steps;
  }
};

FabParameters ReadCommon(Params& params) {
  FabParameters parameters;
  ReadBudget(params, parameters);
  parameters.leaves_budget = true;
  parameters.steps = params.Integer("steps");
  parameters.restarts = params.Integer("restarts");
  return parameters;
}

}  // namespace

NewAttack MakeFab(Params& params) { return std::make_unique<Fab>(ReadCommon(params)); }

NewAttack MakeFabT(Params& params) {
  FabParameters parameters = ReadCommon(params);
  parameters.targets = params.Integer("targets");
  return std::make_unique<Fab>(parameters);
}

}  // namespace assay::engine
