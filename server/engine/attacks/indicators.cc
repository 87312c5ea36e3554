#include "server/engine/attacks/indicators.h"

#include <algorithm>
#include <cmath>

#include "server/engine/attacks/losses.h"

namespace assay::engine {
namespace {

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

void LossCurve::Add(const float* logits, int num_classes, int label, int wanted) {
  if (ended_) return;
  losses_.push_back(static_cast<float>(wanted == AttackState::kAnyButLabel
                                           ? Margin(logits, num_classes, label)
                                           : -Margin(logits, num_classes, wanted)));
}

void LossCurve::Add(const Repetition& repetition) {
  if (ended_) return;
  for (int64_t i = 0; i < repetition.times; ++i) {
    for (size_t pass = 0; pass < repetition.passes; ++pass) {
      losses_.push_back(losses_[losses_.size() - repetition.passes]);
    }
  }
}

void LossCurve::Describe(v1::AttackOutcome& outcome) const {
  const auto angle = BreakPointAngle(losses_);
  const auto increasing = IncreasingLoss(losses_);
  if (angle.has_value()) outcome.set_break_point_angle(*angle);
  if (increasing.has_value()) outcome.set_increasing_loss(*increasing);
}

}  // namespace assay::engine
