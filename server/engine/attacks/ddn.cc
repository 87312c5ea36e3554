// Decoupled direction and norm (Rony et al., "Decoupling direction and norm for efficient
// gradient-based L2 adversarial attacks and defenses", CVPR 2019): climbs the cross-entropy by
// normalised steps, and after each brings the perturbation to a length that shrinks by a share
// where the last point was adversarial and grows by it where it was not. Steps go from 1 to .01
// along a cosine. Points are not rounded to 8 bits on the way.
#include <utility>

#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/minimum_norm.h"
#include "server/engine/attacks/schedules.h"

namespace assay::engine {
namespace {

// The published settings.
constexpr double kGamma = 0.05;
constexpr double kFirstStep = 1;
constexpr double kLastStep = 0.01;
constexpr double kFirstLength = 1;

class DdnState final : public MinimumNormState {
 public:
  struct Parameters : MinimumNormParameters {
    int64_t steps = 0;
  };

  DdnState(const Parameters& parameters, const AttackTarget& target, const RandomKey& random)
      : MinimumNormState(parameters, target, random), steps_(parameters.steps) {}

 private:
  void MethodGradient(const float* logits, float* derivative) const override {
    CrossEntropy(logits, target().num_classes, target().label, derivative);
  }

  bool Move(const float* /*logits*/, double margin, const float* gradient) override {
    // The last point is only looked at.
    if (iteration_ >= steps_) return false;
    const double step = CosineStep(kFirstStep, kLastStep, iteration_, steps_);
    ++iteration_;
    length_ *= margin <= 0 ? 1 - kGamma : 1 + kGamma;
    const size_t n = target().size;
    const double slope = Length(Norm::kL2, gradient, n);
    const auto along = static_cast<float>(slope > 0 ? step / slope : 0);
    for (size_t i = 0; i < n; ++i) {
      delta_[i] = (point()[i] - target().image[i]) + along * gradient[i];
    }
    const double length = Length(Norm::kL2, delta_.data(), n);
    // At the image, without a gradient, it would stand still for good.
    if (length == 0) return false;
    const auto scale = static_cast<float>(length_ / length);
    for (float& d : delta_) d *= scale;
    return true;
  }

  void StartAgain() override {
    iteration_ = 0;
    length_ = best_distance();
  }

  const int64_t steps_;
  int64_t iteration_ = 0;
  double length_ = kFirstLength;
};

}  // namespace

NewAttack MakeDdn(Params& params) {
  DdnState::Parameters parameters;
  ReadMinimumNorm(params, parameters);
  parameters.steps = params.Integer("steps");
  return std::make_unique<AttackOf<DdnState>>(parameters);
}

}  // namespace assay::engine
