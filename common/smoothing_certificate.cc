#include "common/smoothing_certificate.h"

#include <cmath>

#include "boost/math/distributions/normal.hpp"
#include "boost/math/special_functions/beta.hpp"

namespace assay {
double ClopperPearsonLower(int64_t k, int64_t n, double alpha) {
  // These two have closed forms, which keep every digit.
  if (k <= 0) return 0;
  if (k >= n) return std::pow(alpha, 1.0 / static_cast<double>(n));
  return boost::math::ibeta_inv(
      static_cast<double>(k), static_cast<double>(n - k + 1), alpha,
      // Plain doubles: 1e-14 is plenty, and long double is slow.
      boost::math::policies::policy<boost::math::policies::promote_double<false>>());
}

Certificate Certify(const v1::SmoothingOutcome& outcome, double sigma, int64_t n, double alpha) {
  Certificate certificate;
  int64_t best = 0;
  for (const v1::ClassCount& count : outcome.selection()) {
    const bool wins =
        count.count() > best || (count.count() == best && count.index() < certificate.top_class);
    if (count.count() > 0 && wins) {
      best = count.count();
      certificate.top_class = count.index();
    }
  }
  if (certificate.top_class < 0) return certificate;
  int64_t k = 0;
  for (const v1::ClassCount& count : outcome.estimation()) {
    if (count.index() == certificate.top_class) k += count.count();
  }
  certificate.pa_lower = ClopperPearsonLower(k, n, alpha);
  if (certificate.pa_lower < 0.5) return certificate;
  certificate.prediction = certificate.top_class;
  certificate.radius = sigma * boost::math::quantile(boost::math::normal_distribution<double>(),
                                                     certificate.pa_lower);
  return certificate;
}

}  // namespace assay
