#include "core/statistics/binomial_ends.h"

#include <boost/math/special_functions/beta.hpp>
#include <cmath>

#include "core/statistics/double_policy.h"

namespace assay {

// None and all have closed forms, which keep every digit.
double BinomialLower(double k, double n, double alpha) {
  if (k <= 0) return 0;
  if (k >= n) return std::pow(alpha, 1 / n);
  return boost::math::ibeta_inv(k, n - k + 1, alpha, DoublePolicy());
}

double BinomialUpper(double k, double n, double alpha) {
  if (k >= n) return 1;
  if (k <= 0) return -std::expm1(std::log(alpha) / n);
  return boost::math::ibetac_inv(k + 1, n - k, alpha, DoublePolicy());
}

}  // namespace assay
