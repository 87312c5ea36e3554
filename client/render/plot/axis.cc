#include "client/render/plot/axis.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace assay::plot {
namespace {

// The smallest of 1, 2, 5 times a power of ten that is at least `step`.
double RoundStep(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  // Rounding must not make 2 of what is 1.
  constexpr double kSlack = 1 - 1e-9;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= step * kSlack) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::vector<double> RoundTicks(const Range& range, int wanted) {
  const double width = range.high - range.low;
  if (!(width > 0) || !std::isfinite(width) || wanted < 2) return {};
  const double step = RoundStep(width / wanted);
  // Ends that are a tick but for rounding count.
  const double slack = step * 1e-6;
  const double first = std::ceil((range.low - slack) / step);
  const double last = std::floor((range.high + slack) / step);
  std::vector<double> ticks;
  for (double i = first; i <= last; ++i) ticks.push_back(i * step);
  return ticks;
}

std::vector<std::string> TickLabels(const std::vector<double>& ticks) {
  std::vector<std::string> labels;
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  for (const double tick : ticks) {
    // No "-0".
    labels.push_back(absl::StrFormat("%.*f", digits, std::abs(tick) < step / 2 ? 0 : tick));
  }
  return labels;
}

double Scale::operator()(double number) const {
  const double share =
      std::clamp((number - numbers_.low) / (numbers_.high - numbers_.low), 0.0, 1.0);
  return positions_.low + share * (positions_.high - positions_.low);
}

}  // namespace assay::plot
