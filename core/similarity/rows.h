// What the statistics of this folder take: a row of numbers for each sample.
#ifndef ASSAY_CORE_SIMILARITY_ROWS_H_
#define ASSAY_CORE_SIMILARITY_ROWS_H_

#include <Eigen/Dense>
#include <cstdint>
#include <vector>

namespace assay {

// samples x numbers, row after row; finite.
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
// The same of somebody else's memory.
using RowsView = Eigen::Map<const Rows>;

// The rows with these positions, in their order.
inline Rows Picked(const RowsView& rows, const std::vector<int64_t>& positions) {
  Rows picked(static_cast<Eigen::Index>(positions.size()), rows.cols());
  for (size_t i = 0; i < positions.size(); ++i) {
    picked.row(static_cast<Eigen::Index>(i)) = rows.row(positions[i]);
  }
  return picked;
}

}  // namespace assay

#endif  // ASSAY_CORE_SIMILARITY_ROWS_H_
