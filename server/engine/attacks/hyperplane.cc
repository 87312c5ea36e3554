#include "server/engine/attacks/hyperplane.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "server/engine/attacks/array_kernels.h"

namespace assay::engine {
namespace {

// How far pixel i can go against the sign of w (`sign` = 1) or along it (-1).
float Room(float x, float w, float sign) { return sign * w > 0.0F ? x : 1.0F - x; }

// In Linf and L2, pixel i moves by min(room_i, t) or min(room_i, t |w_i|) for one common t. What
// that brings along w is concave and piecewise linear in t, so Newton's method from t = 0 climbs to
// the solution without passing it.
double EvenStep(Norm norm, const float* x, const float* w, float sign, double wanted, size_t n,
                float* step) {
  const bool linf = norm == Norm::kLinf;
  double t = 0;
  Ramp reached;
  constexpr int kMaxPasses = 200;
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    reached = linf ? EvenSteps(x, w, sign, t, n) : WeightedSteps(x, w, sign, t, n);
    // A slope of zero: every pixel is at its bound, and the hyperplane misses the box.
    if (reached.value >= wanted * (1 - 1e-9) || reached.slope <= 0) break;
    t += (wanted - reached.value) / reached.slope;
  }
  (linf ? WriteEvenSteps : WriteWeightedSteps)(x, w, sign, static_cast<float>(t), n, step);
  return Length(norm, step, n);
}

// In L1 the pixels with the largest weights go all the way, and those that weigh as much as the
// last one needed go as far as is left.
double SparseStep(const float* x, const float* w, float sign, double wanted, size_t n,
                  float* step) {
  // The largest threshold at which the pixels from it on reach far enough, by bisection on the bits
  // of positive floats, whose order is that of their values.
  const auto value = [](uint32_t bits) {
    float result;
    std::memcpy(&result, &bits, sizeof(result));
    return result;
  };
  const auto bits = [](float of) {
    uint32_t result;
    std::memcpy(&result, &of, sizeof(result));
    return result;
  };
  uint32_t enough = 1;  // the smallest positive float: every pixel that has a weight
  uint32_t too_few = bits(static_cast<float>(Largest(w, n))) + 1;
  while (too_few - enough > 1) {
    const uint32_t middle = enough + (too_few - enough) / 2;
    (FullSteps(x, w, sign, value(middle), n) >= wanted ? enough : too_few) = middle;
  }
  const float threshold = value(enough);
  double left = wanted - FullSteps(x, w, sign, value(too_few), n);
  for (size_t i = 0; i < n; ++i) {
    const float weight = std::abs(w[i]);
    float size = 0.0F;
    if (weight >= threshold) {
      size = Room(x[i], w[i], sign);
      if (weight == threshold) {
        size = std::min(size, static_cast<float>(std::max(left, 0.0) / weight));
        left -= static_cast<double>(size) * weight;
      }
    }
    step[i] = sign * w[i] > 0.0F ? -size : size;
  }
  return AbsoluteSum(step, n);
}

}  // namespace

double StepToHyperplane(Norm norm, const float* x, const float* w, double offset, size_t n,
                        float* step) {
  const float sign = offset > 0 ? 1.0F : -1.0F;
  const double wanted = std::abs(offset);
  return norm == Norm::kL1 ? SparseStep(x, w, sign, wanted, n, step)
                           : EvenStep(norm, x, w, sign, wanted, n, step);
}

}  // namespace assay::engine
