#include "core/similarity/divergence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay {

double JensenShannonBits(const float* p, size_t p_size, const float* q, size_t q_size) {
  const double p_sum = std::accumulate(p, p + p_size, 0.0);
  const double q_sum = std::accumulate(q, q + q_size, 0.0);
  double bits = 0;
  for (size_t i = 0; i < std::max(p_size, q_size); ++i) {
    const double a = i < p_size ? static_cast<double>(p[i]) / p_sum : 0;
    const double b = i < q_size ? static_cast<double>(q[i]) / q_sum : 0;
    // a log(a / m) with m = (a + b) / 2: the terms of each class, which are at least 0 together.
    if (a > 0) bits += a * std::log2(2 * a / (a + b));
    if (b > 0) bits += b * std::log2(2 * b / (a + b));
  }
  // Rounding of equal vectors.
  return std::clamp(bits / 2, 0.0, 1.0);
}

}  // namespace assay
