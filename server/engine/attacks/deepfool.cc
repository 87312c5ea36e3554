// DeepFool (Moosavi-Dezfooli, Fawzi and Frossard, "DeepFool: a simple and accurate method to fool
// deep neural networks", CVPR 2016): takes the model for linear, steps onto the nearest of its
// decision boundaries, and does so again until the point, a little overshot, is misclassified.
// Each step needs the gradient of every candidate class.
//
// The published steps know no bounds of the pixels; the point is cut to [0, 1] afterwards. Next to
// 0 and 1 that leaves them short of the boundary, a damping that serves where the model is far from
// linear: the shortest step inside [0, 1] can be ten times as long there. But steps that are cut
// may never cross, and the boundary that is nearest without bounds need not be so with them. So a
// second path goes by the shortest steps inside [0, 1], those of FAB, where the published one finds
// nothing, or steps onto another boundary than the one nearest to the image inside [0, 1].
#include <algorithm>
#include <cmath>
#include <utility>

#include "server/engine/attacks/hyperplane.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/minimum_norm.h"
#include "server/engine/attacks/pixels.h"

namespace assay::engine {
namespace {

class DeepFoolState final : public MinimumNormState {
 public:
  struct Parameters : MinimumNormParameters {
    int64_t steps = 0;
    int64_t candidates = 0;
    double overshoot = 0;
  };

  DeepFoolState(const Parameters& parameters, const AttackTarget& target, const RandomKey& random)
      : MinimumNormState(parameters, target, random),
        parameters_(parameters),
        total_(target.size),
        step_(target.size),
        best_step_(target.size) {
    const auto count = std::min<int64_t>(parameters.candidates, target.num_classes - 1);
    for (int rank = 1; rank <= count; ++rank) {
      candidates_.push_back(
          RankedTarget(target.clean_logits, target.num_classes, target.label, rank));
    }
  }

 private:
  // The gradient of z_k - z_y.
  void MethodGradient(const float* /*logits*/, float* derivative) const override {
    derivative[candidates_[candidate_]] = 1;
    derivative[target().label] = -1;
  }

  bool Move(const float* logits, double margin, const float* gradient) override {
    if (margin <= 0) return another_inside_ && NextPath();
    // The end of the last step was looked at.
    if (iteration_ >= parameters_.steps) return NextPath();
    Consider(logits, gradient);
    ++candidate_;
    if (candidate_ < candidates_.size()) return true;

    if (!inside_ && nearest_ != nearest_inside_) another_inside_ = true;
    return Advance() || NextPath();
  }

  // By the shortest step; false when that moves nothing.
  bool Advance() {
    candidate_ = 0;
    shortest_length_ = INFINITY;
    ++iteration_;
    bool moved = false;
    // On the second path no farther than needed, or its end would seem farther than that of the
    // first by what it overshoots more.
    constexpr double kLittle = 1e-3;
    const auto reach = static_cast<float>(
        1 + (inside_ ? std::min(parameters_.overshoot, kLittle) : parameters_.overshoot));
    for (size_t i = 0; i < target().size; ++i) {
      total_[i] += best_step_[i];
      delta_[i] = reach * total_[i];
      moved = moved || Clip(target().image[i] + delta_[i]) != point()[i];
    }
    return moved;
  }

  // Nothing to do: it starts again behind the boundary, where it ends.
  void StartAgain() override { total_ = delta_; }

  // From the image again, by steps inside [0, 1]; false if that was done.
  bool NextPath() {
    if (inside_) return false;
    inside_ = true;
    iteration_ = 0;
    candidate_ = 0;
    shortest_length_ = INFINITY;
    std::fill(total_.begin(), total_.end(), 0.0F);
    std::fill(delta_.begin(), delta_.end(), 0.0F);
    if (!target().deterministic) return true;
    // The gradients at the image are those that the first path began with.
    best_step_ = first_inside_;
    return Advance();
  }

  // Keeps the step onto this candidate's boundary if it is the shortest so far.
  void Consider(const float* logits, const float* gradient) {
    const double gap =
        static_cast<double>(logits[candidates_[candidate_]]) - logits[target().label];
    if (!inside_ && iteration_ == 0) {
      const double length = StepInside(gap, gradient);
      if (length < nearest_inside_length_) {
        nearest_inside_length_ = length;
        nearest_inside_ = candidate_;
        first_inside_ = step_;
      }
    }
    const double length = inside_ ? StepInside(gap, gradient) : PublishedStep(gap, gradient);
    if (length >= shortest_length_) return;
    shortest_length_ = length;
    nearest_ = candidate_;
    std::swap(best_step_, step_);
  }

  // Both set step_ to the step onto the linearised boundary, and return its length.
  double PublishedStep(double gap, const float* gradient) {
    const size_t n = target().size;
    // As in the published code. Where the gradient is smaller than this, there is none.
    constexpr double kGuard = 1e-8;
    const bool linf = norm() == Norm::kLinf;
    const double slope = DualLength(norm(), gradient, n) + kGuard;
    // Beyond the boundary by what the published code adds, so that steps that are cut do not
    // approach it for ever; the first is left exact.
    constexpr double kBeyond = 1e-4;
    const double length = -gap / slope + (iteration_ > 0 ? kBeyond : 0);
    for (size_t i = 0; i < n; ++i) {
      step_[i] =
          static_cast<float>(linf ? length * Sign(gradient[i]) : length * (gradient[i] / slope));
    }
    return -gap / slope;
  }

  double StepInside(double gap, const float* gradient) {
    const size_t n = target().size;
    const double length = StepToHyperplane(norm(), point().data(), gradient, gap, n, step_.data());
    double gained = 0;
    for (size_t i = 0; i < n; ++i) gained += static_cast<double>(gradient[i]) * step_[i];
    // A boundary outside [0, 1] is farther than any inside.
    constexpr double kFar = 1e6;
    return gained < -gap * (1 - 1e-4) ? length + kFar : length;
  }

  const Parameters& parameters_;
  std::vector<int> candidates_;
  size_t candidate_ = 0;
  int64_t iteration_ = 0;
  bool inside_ = false;  // the second path
  size_t nearest_ = 0;
  double shortest_length_ = INFINITY;
  // At the image.
  size_t nearest_inside_ = 0;
  double nearest_inside_length_ = INFINITY;
  bool another_inside_ = false;
  std::vector<float> first_inside_;
  std::vector<float> total_, step_, best_step_;
};

}  // namespace

NewAttack MakeDeepFool(Params& params) {
  DeepFoolState::Parameters parameters;
  ReadMinimumNorm(params, parameters);
  parameters.steps = params.Integer("steps");
  parameters.candidates = params.Integer("candidates");
  parameters.overshoot = params.Number("overshoot");
  return std::make_unique<AttackOf<DeepFoolState>>(parameters);
}

}  // namespace assay::engine
