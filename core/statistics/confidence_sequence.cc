#include "core/statistics/confidence_sequence.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "boost/math/special_functions/beta.hpp"
#include "boost/math/special_functions/gamma.hpp"
#include "boost/math/tools/roots.hpp"
#include "core/statistics/double_policy.h"

namespace assay {
namespace {

constexpr double kTwoOverPi = 0.6366197723675814;

// What Beta(1/2, 1/2) gives to each side.
double MassAbove(double p0) { return kTwoOverPi * std::asin(std::sqrt(1 - p0)); }
double MassBelow(double p0) { return kTwoOverPi * std::asin(std::sqrt(p0)); }

// One moment; what does not depend on p0 is computed once.
class Moment {
 public:
  Moment(int64_t k, int64_t n)
      : k_(static_cast<double>(k)),
        misses_(static_cast<double>(n - k)),
        log_mixture_(boost::math::lgamma(k_ + 0.5, DoublePolicy()) +
                     boost::math::lgamma(misses_ + 0.5, DoublePolicy()) -
                     boost::math::lgamma(k_ + misses_ + 1, DoublePolicy()) - std::log(M_PI)) {}

  double LogAbove(double p0) const {
    const double posterior = boost::math::ibetac(k_ + 0.5, misses_ + 0.5, p0, DoublePolicy());
    return LogUncut(p0) + std::log(posterior / MassAbove(p0));
  }

  double LogBelow(double p0) const {
    const double posterior = boost::math::ibeta(k_ + 0.5, misses_ + 0.5, p0, DoublePolicy());
    return LogUncut(p0) + std::log(posterior / MassBelow(p0));
  }

 private:
  // The mean of L(q) / L(p0) over all q.
  double LogUncut(double p0) const {
    return log_mixture_ - k_ * std::log(p0) - misses_ * std::log1p(-p0);
  }

  const double k_, misses_, log_mixture_;
};

// Beyond k/n no q > p0 is likelier than p0; and n of n are never likelier than p0^-n.
double LargestLower(int64_t k, int64_t n, double alpha) {
  return k == n ? std::pow(alpha, 1 / static_cast<double>(n))
                : static_cast<double>(k) / static_cast<double>(n);
}

// The p0 in [low, high] up to which the evidence for "above p0" is at least 1/alpha; it is that at
// `low`.
double LastAbove(const Moment& moment, double alpha, double low, double high) {
  const double wanted = -std::log(alpha);
  const auto excess = [&](double p0) { return moment.LogAbove(p0) - wanted; };
  const double at_low = excess(low), at_high = excess(high);
  if (at_high >= 0 || at_low == 0 || high <= low) return low;
  std::uintmax_t evaluations = 100;
  const auto bracket =
      boost::math::tools::toms748_solve(excess, low, high, at_low, at_high,
                                        boost::math::tools::eps_tolerance<double>(48), evaluations);
  return bracket.first;
}

}  // namespace

double LogEvidenceAbove(int64_t k, int64_t n, double p0) { return Moment(k, n).LogAbove(p0); }

double LogEvidenceBelow(int64_t k, int64_t n, double p0) { return Moment(k, n).LogBelow(p0); }

double LogPredictiveOdds(int64_t k, int64_t n, int64_t budget, double p0) {
  const double repeat = static_cast<double>(budget) / static_cast<double>(budget - n);
  const double a = static_cast<double>(k) * repeat + 0.5;
  const double b = static_cast<double>(n - k) * repeat + 0.5;
  return std::log(boost::math::ibetac(a, b, p0, DoublePolicy()) / MassAbove(p0)) -
         std::log(boost::math::ibeta(a, b, p0, DoublePolicy()) / MassBelow(p0));
}

double AnytimeLower(int64_t k, int64_t n, double alpha) {
  if (2 * k <= n) return 0;
  const Moment moment(k, n);
  if (!(moment.LogAbove(0.5) >= -std::log(alpha))) return 0;
  return LastAbove(moment, alpha, 0.5, LargestLower(k, n, alpha));
}

double SequenceLower(int64_t k, int64_t n, double alpha) {
  if (k == 0) return 0;
  const Moment moment(k, n);
  const double high = LargestLower(k, n, alpha);
  double low = high;
  do {
    low /= 2;
    if (low < std::numeric_limits<double>::min()) return 0;
  } while (!(moment.LogAbove(low) >= -std::log(alpha)));
  return LastAbove(moment, alpha, low, high);
}

double SequenceUpper(int64_t k, int64_t n, double alpha) {
  return 1 - SequenceLower(n - k, n, alpha);
}

int64_t AnytimeSmallestN(double p0, double alpha) {
  const double wanted = -std::log(alpha);
  int64_t high = 1;
  while (LogEvidenceAbove(high, high, p0) < wanted) high *= 2;
  int64_t low = high / 2;
  // `low` is too few (or 0), `high` is enough.
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (LogEvidenceAbove(middle, middle, p0) < wanted ? low : high) = middle;
  }
  return high;
}

}  // namespace assay
