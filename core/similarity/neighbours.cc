#include "core/similarity/neighbours.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>

namespace assay {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

// Samples whose similarities to all others are in memory at a time.
constexpr Index kBlock = 256;

// Of unit length, but for rows of zeros.
MatrixXd Normalised(const Rows& rows) {
  MatrixXd result = rows.cast<double>();
  for (Index i = 0; i < result.rows(); ++i) {
    const double norm = result.row(i).norm();
    if (norm > 0) result.row(i) /= norm;
  }
  return result;
}

}  // namespace

std::vector<int32_t> NearestNeighbours(const Rows& rows, int k) {
  const MatrixXd unit = Normalised(rows);
  const Index n = rows.rows();
  std::vector<int32_t> neighbours;
  neighbours.reserve(static_cast<size_t>(n) * static_cast<size_t>(k));
  std::vector<int32_t> order(static_cast<size_t>(n) - 1);
  for (Index first = 0; first < n; first += kBlock) {
    const Index count = std::min(kBlock, n - first);
    // Products of equal vectors can differ in their last bits by where they are in the matrix; in
    // single precision they are ties.
    const Eigen::MatrixXf similarity =
        (unit * unit.middleRows(first, count).transpose()).cast<float>();
    for (Index i = 0; i < count; ++i) {
      const auto own = static_cast<int32_t>(first + i);
      std::iota(order.begin(), order.begin() + own, 0);
      std::iota(order.begin() + own, order.end(), own + 1);
      const auto closer = [&](int32_t a, int32_t b) {
        const float x = similarity(a, i), y = similarity(b, i);
        return x != y ? x > y : a < b;
      };
      std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), closer);
      std::sort(order.begin(), order.begin() + k);
      neighbours.insert(neighbours.end(), order.begin(), order.begin() + k);
    }
  }
  return neighbours;
}

std::vector<double> NeighbourJaccard(const std::vector<int32_t>& first,
                                     const std::vector<int32_t>& second, int k) {
  std::vector<double> indices;
  std::vector<int32_t> common;
  for (size_t i = 0; i < first.size(); i += static_cast<size_t>(k)) {
    const auto a = first.begin() + static_cast<std::ptrdiff_t>(i);
    const auto b = second.begin() + static_cast<std::ptrdiff_t>(i);
    common.clear();
    std::set_intersection(a, a + k, b, b + k, std::back_inserter(common));
    const double both = static_cast<double>(common.size());
    indices.push_back(both / (2 * k - both));
  }
  return indices;
}

}  // namespace assay
