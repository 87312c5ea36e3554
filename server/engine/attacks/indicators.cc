#include "server/engine/attacks/indicators.h"

#include <algorithm>
#include <cmath>

#include "server/engine/attacks/losses.h"

namespace assay::engine {
namespace {

constexpr int kProbeSteps = 20;
constexpr double kProbeStep = 0.125;

// The losses scaled to [0, 1]; empty where that says nothing.
std::vector<double> Scaled(const std::vector<float>& losses) {
  if (losses.size() < kMinLosses) return {};
  const auto finite = [](float loss) { return std::isfinite(loss); };
  if (!std::all_of(losses.begin(), losses.end(), finite)) return {};
  const auto [low, high] = std::minmax_element(losses.begin(), losses.end());
  const double range = static_cast<double>(*high) - *low;
  if (range == 0) return {};
  std::vector<double> scaled;
  for (const float loss : losses) scaled.push_back((static_cast<double>(loss) - *low) / range);
  return scaled;
}

}  // namespace

std::optional<double> BreakPointAngle(const std::vector<float>& losses) {
  const std::vector<double> y = Scaled(losses);
  if (y.empty()) return std::nullopt;
  const double last = static_cast<double>(y.size() - 1);
  const double rise = y.back() - y.front();
  // The distance from the line through the ends, up to a constant factor.
  double farthest = 0;
  size_t at = 0;
  for (size_t i = 1; i + 1 < y.size(); ++i) {
    const double distance = std::abs(y[i] - y.front() - rise * static_cast<double>(i) / last);
    if (distance > farthest) {
      farthest = distance;
      at = i;
    }
  }
  if (at == 0) return 1;  // a straight line
  const double x = static_cast<double>(at) / last;
  const double to_first = y.front() - y[at], to_last = y.back() - y[at];
  const double dot = -x * (1 - x) + to_first * to_last;
  return std::abs(dot) / (std::hypot(x, to_first) * std::hypot(1 - x, to_last));
}

std::optional<double> IncreasingLoss(const std::vector<float>& losses) {
  const std::vector<double> y = Scaled(losses);
  if (y.empty()) return std::nullopt;
  double area = 0;
  for (size_t i = 1; i < y.size(); ++i) {
    if (y[i] > y[i - 1]) area += (y[i] + y[i - 1]) / 2;
  }
  return area / static_cast<double>(y.size() - 1);
}

UnconstrainedProbe::UnconstrainedProbe(const AttackTarget& target)
    : num_classes_(target.num_classes),
      label_(target.label),
      budget_(Norm::kLinf, 1, target.image, target.size),
      point_(target.image, target.image + target.size) {}

Need UnconstrainedProbe::need() const {
  if (over_) return Need::kDone;
  // Nothing follows the last point, so its gradient is not needed.
  return iteration_ < kProbeSteps ? Need::kGradient : Need::kForward;
}

void UnconstrainedProbe::LogitGradient(const float* logits, float* derivative) const {
  CrossEntropy(logits, num_classes_, label_, derivative);
}

void UnconstrainedProbe::Step(const float* /*logits*/, const float* gradient) {
  if (gradient == nullptr) {
    over_ = true;
    return;
  }
  const std::vector<float> before = point_;
  budget_.Ascend(gradient, kProbeStep, &point_);
  ++iteration_;
  // Without a direction it would stand still for good.
  over_ = point_ == before;
}

}  // namespace assay::engine
