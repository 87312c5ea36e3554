#include "server/engine/bounds/relaxation.h"

#include <algorithm>
#include <cmath>

#include "server/engine/bounds/interval.h"
#include "server/engine/bounds/rounding.h"

namespace assay::engine::bounds {
namespace {

using Line = Lines::Line;

struct Point {
  double x, y;
};

// The line through two points of a graph, moved by what rounding can have done to it: up (sign 1),
// so that it is nowhere below both, or down (-1).
Line Chord(Point a, Point b, double sign) {
  Line line;
  line.slope = (b.y - a.y) / (b.x - a.x);
  const double at_a = a.y - line.slope * a.x, at_b = b.y - line.slope * b.x;
  const double error = SumError(2) * (std::abs(a.y) + std::abs(b.y) +
                                      std::abs(line.slope) * (std::abs(a.x) + std::abs(b.x))) +
                       kTiny;
  line.intercept = sign > 0 ? std::max(at_a, at_b) + error : std::min(at_a, at_b) - error;
  return line;
}

// ReLU and leaky ReLU: convex.
Lines RelaxKink(double slope, double lower, double upper) {
  if (lower >= 0) return {{1, 0}, {1, 0}};
  if (upper <= 0) return {{slope, 0}, {slope, 0}};
  // slope * lower, at least its exact value.
  const double left = slope == 0 ? 0 : Up(slope * lower);
  return {{upper > -lower ? 1 : slope, 0}, Chord({lower, left}, {upper, upper}, 1)};
}

Lines RelaxClamp(double low, double high, double lower, double upper) {
  if (upper <= low) return {{0, low}, {0, low}};
  if (lower >= high) return {{0, high}, {0, high}};
  const Line identity{1, 0};
  const bool bends_low = lower<low, bends_high = upper> high;
  if (!bends_low && !bends_high) return {identity, identity};
  Lines lines;
  // Below: what a bend at the lower end leaves is convex, so y = x or y = low; one at the upper end
  // is concave, so the chord of the part above it.
  if (bends_high) {
    lines.lower = Chord({std::max(lower, low), std::max(lower, low)}, {upper, high}, -1);
  } else {
    lines.lower = upper - low > low - lower ? identity : Line{0, low};
  }
  if (bends_low) {
    lines.upper = Chord({lower, low}, {std::min(upper, high), std::min(upper, high)}, 1);
  } else {
    lines.upper = upper - high > high - lower ? Line{0, high} : identity;
  }
  return lines;
}

Lines RelaxSigmoid(const Activation& activation, double lower, double upper) {
  const auto slope_at = [&](double x) {
    const double y = activation(x);
    return activation.kind == Activation::kTanh ? 1 - y * y : y * (1 - y);
  };
  const double slope = std::max(0.0, std::min(slope_at(lower), slope_at(upper)));
  // The slope is right up to some 2^-52, which moves the line by that times the width.
  const double error = 4 * kFunctionError * (1 + std::abs(lower) + std::abs(upper));
  return {{slope, activation(lower) - slope * lower - error},
          {slope, activation(upper) - slope * upper + error}};
}

}  // namespace

Lines Relax(const Activation& activation, double lower, double upper) {
  if (!std::isfinite(lower) || !std::isfinite(upper)) {
    return {{0, LowerValue(activation, lower)}, {0, UpperValue(activation, upper)}};
  }
  switch (activation.kind) {
    case Activation::kRelu:
      return RelaxKink(0, lower, upper);
    case Activation::kLeakyRelu:
      return RelaxKink(activation.slope, lower, upper);
    case Activation::kClamp:
      return RelaxClamp(activation.lower, activation.upper, lower, upper);
    case Activation::kSigmoid:
    case Activation::kTanh:
      return RelaxSigmoid(activation, lower, upper);
  }
  return {};
}

}  // namespace assay::engine::bounds
