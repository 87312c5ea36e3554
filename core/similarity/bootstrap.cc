#include "core/similarity/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace assay {
namespace {

// Of ascending numbers.
double Quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(std::floor(place));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Interval BootstrapInterval(const std::vector<std::vector<double>>& columns,
                           const std::function<double(const std::vector<double>&)>& function,
                           double confidence_level, const RandomKey& key) {
  const size_t n = columns[0].size();
  std::vector<double> results;
  std::vector<double> means(columns.size());
  for (int draw = 0; draw < kBootstrapDraws; ++draw) {
    RandomStream random(key, draw, /*stream=*/0);
    std::fill(means.begin(), means.end(), 0);
    for (size_t i = 0; i < n; ++i) {
      const size_t sample = random.Below(static_cast<uint32_t>(n));
      for (size_t c = 0; c < columns.size(); ++c) means[c] += columns[c][sample];
    }
    for (double& mean : means) mean /= static_cast<double>(n);
    results.push_back(function(means));
  }
  std::sort(results.begin(), results.end());
  return {Quantile(results, (1 - confidence_level) / 2),
          Quantile(results, (1 + confidence_level) / 2)};
}

Interval BootstrapMeanInterval(const std::vector<double>& values, double confidence_level,
                               const RandomKey& key) {
  return BootstrapInterval(
      {values}, [](const std::vector<double>& means) { return means[0]; }, confidence_level, key);
}

}  // namespace assay
