#include "core/statistics/statistics.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "core/statistics/binomial_ends.h"
#include "core/statistics/double_policy.h"

namespace assay {
namespace {

// Tables whose probabilities differ by less than this factor count as equally likely, as rounding
// would split them otherwise.
constexpr double kLogTieTolerance = 1e-7;
// A tail is summed until its terms no longer show in a double.
constexpr double kNegligible = 1e-18;

}  // namespace

Interval ClopperPearson(int64_t k, int64_t n, double confidence_level) {
  const double alpha = (1 - confidence_level) / 2;
  const auto successes = static_cast<double>(k), trials = static_cast<double>(n);
  return {BinomialLower(successes, trials, alpha), BinomialUpper(successes, trials, alpha)};
}

FisherExact::FisherExact(int64_t max_total) {
  log_factorials_.reserve(static_cast<size_t>(max_total) + 1);
  for (int64_t i = 0; i <= max_total; ++i) {
    log_factorials_.push_back(boost::math::lgamma(static_cast<double>(i) + 1, DoublePolicy()));
  }
}

double FisherExact::LogChoose(int64_t n, int64_t k) const {
  return log_factorials_[static_cast<size_t>(n)] - log_factorials_[static_cast<size_t>(k)] -
         log_factorials_[static_cast<size_t>(n - k)];
}

double FisherExact::TwoSidedPValue(int64_t k1, int64_t n1, int64_t k2, int64_t n2) const {
  if (n1 == 0 || n2 == 0) return 1;
  const int64_t successes = k1 + k2;
  // Given the margins, the successes x of the first group are hypergeometric. Look from the side on
  // which x is at most its most likely value, so that the near tail is the lower one.
  const auto mode_of = [&](int64_t n) { return (n + 1) * (successes + 1) / (n1 + n2 + 2); };
  if (k1 > mode_of(n1)) {
    std::swap(k1, k2);
    std::swap(n1, n2);
  }
  const int64_t low = std::max<int64_t>(0, successes - n2);
  const int64_t high = std::min(n1, successes);
  const auto log_weight = [&](int64_t x) {
    return LogChoose(n1, x) + LogChoose(n2, successes - x);
  };
  // P(x + 1) / P(x).
  const auto step_up = [&](int64_t x) {
    return static_cast<double>(n1 - x) * static_cast<double>(successes - x) /
           (static_cast<double>(x + 1) * static_cast<double>(n2 - successes + x + 1));
  };
  const double observed = log_weight(k1);

  // Both tails, in units of the observed table's probability.
  double sum = 0;
  double term = 1;
  for (int64_t x = k1;; --x) {
    sum += term;
    if (x == low) break;
    term /= step_up(x - 1);
    if (term < kNegligible * sum) break;
  }
  // Beyond the mode probabilities only fall: find the first table there that is no likelier than
  // the observed one.
  int64_t first = std::max(mode_of(n1), k1 + 1);
  int64_t beyond = high + 1;
  while (first < beyond) {
    const int64_t middle = first + (beyond - first) / 2;
    if (log_weight(middle) <= observed + kLogTieTolerance) {
      beyond = middle;
    } else {
      first = middle + 1;
    }
  }
  if (first <= high) {
    term = std::exp(log_weight(first) - observed);
    for (int64_t x = first;; ++x) {
      sum += term;
      if (x == high) break;
      term *= step_up(x);
      if (term < kNegligible * sum) break;
    }
  }
  return std::min(1.0, sum * std::exp(observed - LogChoose(n1 + n2, successes)));
}

double McNemarExactTwoSided(int64_t only_first, int64_t only_second) {
  const int64_t fewer = std::min(only_first, only_second);
  const int64_t more = std::max(only_first, only_second);
  if (fewer == more) return 1;
  // P(X <= fewer) for X binomial with fewer + more trials at one half.
  const double tail = boost::math::ibetac(static_cast<double>(fewer + 1), static_cast<double>(more),
                                          0.5, DoublePolicy());
  return std::min(1.0, 2 * tail);
}

std::vector<double> HolmAdjusted(const std::vector<double>& p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = static_cast<double>(order.size() - rank) * p_values[order[rank]];
    largest = std::max(largest, std::min(1.0, scaled));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

double DkwHalfWidth(int64_t n, double alpha) {
  return std::sqrt(std::log(2 / alpha) / (2 * static_cast<double>(n)));
}

double DkwOneSidedWidth(int64_t n, double alpha) {
  return std::sqrt(std::log(1 / alpha) / (2 * static_cast<double>(n)));
}

double BernsteinUpperShare(int64_t n, double alpha, double rho) {
  const double log_per_sample = std::log(1 / rho) / static_cast<double>(n);
  return alpha + std::sqrt(2 * alpha * (1 - alpha) * log_per_sample) + log_per_sample / 3;
}

double StandardDeviation(const std::vector<double>& values) {
  if (values.empty()) return 0;
  const double mean = Mean(values);
  double squares = 0;
  for (double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size()));
}

double Mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

}  // namespace assay
