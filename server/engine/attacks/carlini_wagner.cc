// The L2 attack of Carlini and Wagner ("Towards evaluating the robustness of neural networks", IEEE
// S&P 2017), untargeted, confidence 0: minimises
//
//   ||x - x0||^2 + c max(z_y - max_{i != y} z_i, 0)
//
// by Adam over w with x = (tanh(w) + 1) / 2, which keeps x in [0, 1], and searches for the smallest
// weight c that still finds adversarial examples: ten times larger until one does, then by
// bisection. A search ends early when the loss stops falling, as in the authors' code.
#include <algorithm>
#include <cmath>
#include <utility>

#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/minimum_norm.h"
#include "server/engine/attacks/pixels.h"

namespace assay::engine {
namespace {

// The published settings.
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr float kAdamGuard = 1e-8F;
constexpr double kEnoughProgress = 0.9999;
// Pixels of exactly 0 or 1 lie at infinity in w.
constexpr float kInside = 0.999999F;

class CarliniWagnerState final : public MinimumNormState {
 public:
  struct Parameters : MinimumNormParameters {
    int64_t steps = 0;
    int64_t searches = 0;
    double step = 0;
    double weight = 0;
  };

  CarliniWagnerState(const Parameters& parameters, const AttackTarget& target,
                     const RandomKey& random)
      : MinimumNormState(parameters, target, random),
        parameters_(parameters),
        weight_(parameters.weight),
        start_(target.image, target.image + target.size),
        w_(target.size),
        mean_(target.size),
        square_(target.size),
        slope_(target.size) {
    Restart();
    for (size_t i = 0; i < target.size; ++i) {
      origin_.push_back(Clip(target.image[i] + delta_[i]));
    }
  }

 private:
  bool Move(const float* /*logits*/, double margin, const float* gradient) override {
    const size_t n = target().size;
    succeeded_ = succeeded_ || margin <= 0;
    const double distance = SquaredSum(point().data(), origin_.data(), n);
    const double loss = distance + weight_ * std::max(margin, 0.0);
    // No weight moves a point that has no gradient.
    if (searches_ == 0 && iteration_ == 0 && margin > 0 && SquaredSum(gradient, n) == 0) {
      return false;
    }
    if (iteration_ >= parameters_.steps || Stalled(loss)) return NextSearch();

    ++iteration_;
    // The hinge: across the boundary the margin counts no more.
    const auto pull = static_cast<float>(margin > 0 ? weight_ : 0);
    const double age = static_cast<double>(iteration_);
    const auto correct1 = static_cast<float>(1 / (1 - std::pow(kBeta1, age)));
    const auto correct2 = static_cast<float>(1 / (1 - std::pow(kBeta2, age)));
    const auto rate = static_cast<float>(parameters_.step);
    const float* const x = point().data();
    const float* const origin = origin_.data();
    float* const slope = slope_.data();
    // dx/dw = (1 - tanh(w)^2) / 2.
    for (size_t i = 0; i < n; ++i) {
      slope[i] = (2 * (x[i] - origin[i]) + pull * gradient[i]) * 2 * x[i] * (1 - x[i]);
    }
    StepAdam({static_cast<float>(kBeta1), static_cast<float>(kBeta2), correct1, correct2, rate,
              kAdamGuard},
             slope, n, mean_.data(), square_.data(), w_.data());
    Express();
    return true;
  }

  void StartAgain() override {
    for (size_t i = 0; i < target().size; ++i) start_[i] = target().image[i] + delta_[i];
    weight_ = parameters_.weight;
    lowest_ = 0;
    highest_ = INFINITY;
    searches_ = 0;
    Restart();
  }

  // Ten times in a search: has the loss fallen since the last time?
  bool Stalled(double loss) {
    const int64_t period = std::max<int64_t>(1, parameters_.steps / 10);
    if (iteration_ % period != 0) return false;
    if (loss > last_loss_ * kEnoughProgress) return true;
    last_loss_ = loss;
    return false;
  }

  bool NextSearch() {
    ++searches_;
    if (searches_ >= parameters_.searches) return false;
    (succeeded_ ? highest_ : lowest_) = weight_;
    weight_ = std::isfinite(highest_) ? (lowest_ + highest_) / 2 : weight_ * 10;
    Restart();
    return true;
  }

  // Sets delta_ to what w_ means.
  void Express() {
    FromTanhSpace(w_.data(), target().size, delta_.data());
    for (size_t i = 0; i < target().size; ++i) delta_[i] -= target().image[i];
  }

  void Restart() {
    for (size_t i = 0; i < target().size; ++i) {
      const float x = Clip(start_[i]);
      w_[i] = std::atanh((2 * x - 1) * kInside);
    }
    Express();
    std::fill(mean_.begin(), mean_.end(), 0.0F);
    std::fill(square_.begin(), square_.end(), 0.0F);
    iteration_ = 0;
    last_loss_ = INFINITY;
    succeeded_ = false;
  }

  const Parameters& parameters_;
  double weight_, lowest_ = 0, highest_ = INFINITY;
  int64_t searches_ = 0, iteration_ = 0;
  double last_loss_ = INFINITY;
  bool succeeded_ = false;  // in this search
  std::vector<float> start_, w_, mean_, square_, slope_;
  // The image as w expresses it, which distances are taken from, as in the authors' code: to the
  // image itself they would be 1e-7 in every value already, more than a small weight pulls, and
  // Adam would step by them.
  std::vector<float> origin_;
};

}  // namespace

NewAttack MakeCarliniWagner(Params& params) {
  CarliniWagnerState::Parameters parameters;
  ReadMinimumNorm(params, parameters);
  parameters.steps = params.Integer("steps");
  parameters.searches = params.Integer("searches");
  parameters.step = params.Number("step");
  parameters.weight = params.Number("weight");
  return std::make_unique<AttackOf<CarliniWagnerState>>(parameters);
}

}  // namespace assay::engine
