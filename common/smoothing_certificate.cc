#include "common/smoothing_certificate.h"

#include <cmath>

#include "boost/math/distributions/beta.hpp"
#include "boost/math/distributions/normal.hpp"

namespace assay {
namespace {

// Largest p such that at least k of n successes has probability at most alpha.
double LowerBound(int64_t k, int64_t n, double alpha) {
  if (k <= 0) return 0;
  // The beta quantile has this closed form at k = n, which keeps every digit.
  if (k >= n) return std::pow(alpha, 1.0 / static_cast<double>(n));
  const boost::math::beta_distribution<double> beta(static_cast<double>(k),
                                                    static_cast<double>(n - k + 1));
  return boost::math::quantile(beta, alpha);
}

}  // namespace

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
  certificate.pa_lower = LowerBound(k, n, alpha);
  if (certificate.pa_lower < 0.5) return certificate;
  certificate.prediction = certificate.top_class;
  certificate.radius = sigma * boost::math::quantile(boost::math::normal_distribution<double>(),
                                                     certificate.pa_lower);
  return certificate;
}

}  // namespace assay
