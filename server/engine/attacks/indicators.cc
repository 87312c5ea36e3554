#include "server/engine/attacks/indicators.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "server/engine/attacks/registry.h"

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

absl::StatusOr<std::unique_ptr<Attack>> MakeUnconstrained(const Shape& shape) {
  ASSAY_ASSIGN_OR_RETURN(
      const std::vector<v1::Condition> parts,
      ParseConditions({absl::StrCat("attack/", kFromImage, ":eps=1,start=none,step=1/8,steps=20"),
                       "attack/apgd-ce:eps=1,steps=50,restarts=2",
                       "attack/apgd-dlr:eps=1,steps=50,restarts=2"}));
  return MakeSequence(parts, shape);
}

}  // namespace assay::engine
