#include "core/statistics/conformal_sets.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"

namespace assay {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSinglePrecision = 0x1p-24;

double NormalQuantile(double p) {
  if (p <= 0) return -kInfinity;
  if (p >= 1) return kInfinity;
  return boost::math::quantile(boost::math::normal(), p);
}

}  // namespace

double ConformalThreshold(std::vector<double> scores, double alpha) {
  const double wanted = (static_cast<double>(scores.size()) + 1) * (1 - alpha);
  // Of a product like 10 x 0.9 that is a little above the integer that it means.
  const auto rank = static_cast<size_t>(std::ceil(wanted - 1e-9));
  if (rank > scores.size()) return kInfinity;
  if (rank == 0) return -kInfinity;
  const auto nth = scores.begin() + static_cast<ptrdiff_t>(rank - 1);
  std::nth_element(scores.begin(), nth, scores.end());
  return *nth;
}

double HoeffdingError(int64_t n, double beta) {
  return std::sqrt(-std::log(beta) / (2 * static_cast<double>(n))) + kSinglePrecision;
}

double BernsteinError(double variance, int64_t n, double beta) {
  const auto draws = static_cast<double>(n);
  const double log_term = std::log(2 / beta);
  // The variance too was rounded to single precision.
  const double rounded = variance * (1 + 2 * kSinglePrecision);
  return std::sqrt(2 * rounded * log_term / draws) + 7 * log_term / (3 * (draws - 1)) +
         kSinglePrecision;
}

bool InRobustSet(double score, double threshold, double delta_over_sigma) {
  return NormalQuantile(score) - delta_over_sigma <= NormalQuantile(threshold);
}

bool Calibrates(int64_t seed, int64_t sample, double share) {
  const std::string digest = Sha256Hex(absl::StrCat(seed, "/conformal/", sample));
  const auto bits = std::stoull(digest.substr(0, 16), nullptr, 16);
  return static_cast<double>(bits) * 0x1p-64 < share;
}

}  // namespace assay
