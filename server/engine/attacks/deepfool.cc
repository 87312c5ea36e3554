// DeepFool (Moosavi-Dezfooli, Fawzi and Frossard, "DeepFool: a simple and accurate method to fool
// deep neural networks", CVPR 2016): takes the model for linear, steps onto the nearest of its
// decision boundaries, and does so again until the point, a little overshot, is misclassified.
// Each step needs the gradient of every candidate class.
//
// The published steps know no bounds of the pixels. These are the shortest inside [0, 1], as those
// of FAB; where no bound is met they are the published ones.
#include <algorithm>
#include <cmath>
#include <utility>

#include "common/errors.h"
#include "common/params.h"
#include "server/engine/attacks/hyperplane.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/minimum_norm.h"
#include "server/engine/attacks/registry.h"

namespace assay::engine {
namespace {

class DeepFoolState final : public MinimumNormState {
 public:
  struct Parameters : MinimumNormParameters {
    int64_t steps = 0;
    int64_t candidates = 0;
    double overshoot = 0;
    double work() const {
      // Most samples are across after a few steps.
      return 3 * static_cast<double>(std::min<int64_t>(steps, 5) * candidates);
    }
  };

  DeepFoolState(const Parameters& parameters, const AttackTarget& target)
      : MinimumNormState(parameters, target),
        parameters_(parameters),
        total_(target.size),
        step_(target.size),
        shortest_(target.size) {
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
    if (margin <= 0) return false;
    Consider(logits, gradient);
    ++candidate_;
    if (candidate_ < candidates_.size()) return true;

    candidate_ = 0;
    shortest_length_ = INFINITY;
    ++iteration_;
    bool moved = false;
    const auto reach = static_cast<float>(1 + parameters_.overshoot);
    for (size_t i = 0; i < target().size; ++i) {
      moved = moved || shortest_[i] != 0;
      total_[i] += shortest_[i];
      delta_[i] = reach * total_[i];
    }
    // The end of the last step is looked at by one more gradient pass.
    return moved && iteration_ <= parameters_.steps;
  }

  // Keeps the step onto this candidate's boundary if it is the shortest so far.
  void Consider(const float* logits, const float* gradient) {
    const size_t n = target().size;
    const double gap =
        static_cast<double>(logits[candidates_[candidate_]]) - logits[target().label];
    double length = StepToHyperplane(norm(), point().data(), gradient, gap, n, step_.data());
    double gained = 0;
    for (size_t i = 0; i < n; ++i) gained += static_cast<double>(gradient[i]) * step_[i];
    // A boundary outside [0, 1] is farther than any inside.
    constexpr double kFar = 1e6;
    if (gained < -gap * (1 - 1e-4)) length += kFar;
    if (length >= shortest_length_) return;
    shortest_length_ = length;
    std::swap(shortest_, step_);
  }

  const Parameters& parameters_;
  std::vector<int> candidates_;
  size_t candidate_ = 0;
  int64_t iteration_ = 0;
  double shortest_length_ = INFINITY;
  std::vector<float> total_, step_, shortest_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Attack>> MakeDeepFool(Params& params) {
  DeepFoolState::Parameters parameters;
  ReadMinimumNorm(params, parameters);
  parameters.steps = params.Integer("steps");
  parameters.candidates = params.Integer("candidates");
  parameters.overshoot = params.Number("overshoot");
  ASSAY_RETURN_IF_ERROR(params.status());
  return std::unique_ptr<Attack>(std::make_unique<MinimumNormAttack<DeepFoolState>>(parameters));
}

}  // namespace assay::engine
