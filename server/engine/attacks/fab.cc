// Targeted FAB (Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive
// boundary attack", ICML 2020): for each of the classes that the clean image comes nearest to,
// steps onto the linearised decision boundary, pulled back towards the image. A minimum-norm
// method: its points leave the budget, and count inside it only.
#include <algorithm>
#include <cmath>
#include <utility>

#include "common/errors.h"
#include "common/params.h"
#include "server/engine/attacks/hyperplane.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/registry.h"

namespace assay::engine {
namespace {

// The published settings.
constexpr double kAlphaMax = 0.1;
constexpr double kEta = 1.05;
constexpr double kBeta = 0.9;

struct FabParameters {
  Norm norm = Norm::kLinf;
  double eps = 0;
  int64_t steps = 0;
  int64_t targets = 0;
};

class FabState final : public AttackState {
 public:
  FabState(const FabParameters& parameters, const AttackTarget& target)
      : parameters_(parameters),
        target_(target),
        targets_(std::min<int64_t>(parameters.targets, target.num_classes - 1)),
        from_here_(target.size),
        from_image_(target.size) {
    BeginTarget();
  }

  Need need() const override {
    if (run_ >= targets_) return Need::kDone;
    // A gradient across the boundary is of no use, so where the last step crossed it a forward pass
    // looks first. The last point of all is only looked at.
    return iteration_ >= parameters_.steps || (stepped_ && crossing_) ? Need::kForward
                                                                      : Need::kGradient;
  }

  const std::vector<float>& point() const override { return x_; }

  // The gradient of z_t - z_y.
  void LogitGradient(const float* /*logits*/, float* derivative) const override {
    derivative[class_] = 1;
    derivative[target_.label] = -1;
  }

  void Step(const float* logits, const float* gradient) override {
    if (iteration_ >= parameters_.steps) {
      ++run_;
      if (run_ < targets_) BeginTarget();
      return;
    }
    const size_t n = target_.size;
    if (stepped_) {
      crossing_ = Margin(logits, target_.num_classes, target_.label) <= 0;
      if (crossing_) {
        // Outside the budget, or the driver would have ended this: go back towards the image.
        for (size_t i = 0; i < n; ++i) {
          x_[i] = target_.image[i] + static_cast<float>(kBeta) * (x_[i] - target_.image[i]);
        }
        stepped_ = false;
        return;
      }
    }
    if (gradient == nullptr) return;  // looked, and still on this side: now the gradient is wanted
    // The linearised boundary: <w, x + step> = <w, x> - d.
    const double d = static_cast<double>(logits[class_]) - logits[target_.label];
    double along = 0;
    for (size_t i = 0; i < n; ++i) {
      along += static_cast<double>(gradient[i]) *
               (static_cast<double>(target_.image[i]) - static_cast<double>(x_[i]));
    }
    const double here = std::max(
        StepToHyperplane(parameters_.norm, x_.data(), gradient, d, n, from_here_.data()), 1e-8);
    const double image = std::max(StepToHyperplane(parameters_.norm, target_.image, gradient,
                                                   d + along, n, from_image_.data()),
                                  1e-8);
    const auto alpha = static_cast<float>(std::min(here / (here + image), kAlphaMax));
    const auto eta = static_cast<float>(kEta);
    for (size_t i = 0; i < n; ++i) {
      const float moved = (x_[i] + eta * from_here_[i]) * (1.0F - alpha) +
                          (target_.image[i] + eta * from_image_[i]) * alpha;
      x_[i] = std::min(std::max(moved, 0.0F), 1.0F);
    }
    stepped_ = true;
    ++iteration_;
  }

 private:
  void BeginTarget() {
    class_ = RankedTarget(target_.clean_logits, target_.num_classes, target_.label,
                          static_cast<int>(run_) + 1);
    x_.assign(target_.image, target_.image + target_.size);
    iteration_ = 0;
    stepped_ = crossing_ = false;
  }

  const FabParameters& parameters_;
  const AttackTarget target_;
  const int64_t targets_;
  int64_t run_ = 0;
  int64_t iteration_ = 0;
  bool stepped_ = false;   // the point came from a step, not from going back
  bool crossing_ = false;  // the last step whose end is known crossed the boundary
  int class_ = 0;
  std::vector<float> x_, from_here_, from_image_;
};

class Fab final : public Attack {
 public:
  explicit Fab(const FabParameters& parameters) : parameters_(parameters) {}
  Norm norm() const override { return parameters_.norm; }
  double eps() const override { return parameters_.eps; }
  bool leaves_budget() const override { return true; }
  std::unique_ptr<AttackState> Start(const AttackTarget& target,
                                     const RandomKey& /*random*/) const override {
    return std::make_unique<FabState>(parameters_, target);
  }
  double work() const override {
    return static_cast<double>(parameters_.targets * (3 * parameters_.steps + 1));
  }

 private:
  const FabParameters parameters_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Attack>> MakeFabT(Params& params) {
  FabParameters parameters;
  parameters.norm = NormNamed(params.Text("norm"));
  parameters.eps = params.Number("eps");
  parameters.steps = params.Integer("steps");
  parameters.targets = params.Integer("targets");
  ASSAY_RETURN_IF_ERROR(params.status());
  return std::unique_ptr<Attack>(std::make_unique<Fab>(parameters));
}

}  // namespace assay::engine
