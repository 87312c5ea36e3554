#include "core/statistics/binomial_ends.h"

#include <boost/math/special_functions/beta.hpp>
#include <cmath>

namespace assay {
namespace {

// No exceptions, and plain doubles: long double is emulated on some processors, and 1e-14 is plenty
// here.
using Policy = boost::math::policies::policy<
    boost::math::policies::promote_double<false>,
    boost::math::policies::domain_error<boost::math::policies::ignore_error>,
    boost::math::policies::pole_error<boost::math::policies::ignore_error>,
    boost::math::policies::overflow_error<boost::math::policies::ignore_error>,
    boost::math::policies::underflow_error<boost::math::policies::ignore_error>,
    boost::math::policies::evaluation_error<boost::math::policies::ignore_error>>;

}  // namespace

// None and all have closed forms, which keep every digit.
double BinomialLower(double k, double n, double alpha) {
  if (k <= 0) return 0;
  if (k >= n) return std::pow(alpha, 1 / n);
  return boost::math::ibeta_inv(k, n - k + 1, alpha, Policy());
}

double BinomialUpper(double k, double n, double alpha) {
  if (k >= n) return 1;
  if (k <= 0) return -std::expm1(std::log(alpha) / n);
  return boost::math::ibetac_inv(k + 1, n - k, alpha, Policy());
}

}  // namespace assay
