// Products with a matrix in which every row is computed by itself: its bits depend neither on how
// many rows there are nor on where it stands among them. A BLAS promises neither; it picks a kernel
// by the number of rows.
#ifndef ASSAY_SERVER_ENGINE_BASE_ROW_PRODUCTS_H_
#define ASSAY_SERVER_ENGINE_BASE_ROW_PRODUCTS_H_

#include <cstdint>

namespace assay::engine {

// Floats that a packed matrix of `depth` rows and `width` columns takes.
int64_t PackedSize(int64_t depth, int64_t width);

// Packs the matrix whose element (k, j) is at matrix[k * row_step + j * column_step], for this
// processor.
void PackMatrix(const float* matrix, int64_t depth, int64_t width, int64_t row_step,
                int64_t column_step, float* packed);

// out[i, j] = bias[j] + sum over k, in order, of rows[i, k] * matrix[k, j], in float32, for `count`
// rows of `depth` values. `bias` may be null.
void MultiplyRows(const float* rows, int64_t count, const float* packed, int64_t depth,
                  int64_t width, const float* bias, float* out);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_ROW_PRODUCTS_H_
