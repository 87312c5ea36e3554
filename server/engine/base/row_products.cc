#include "server/engine/base/row_products.h"

#include <algorithm>
#include <cstring>

namespace assay::engine {
namespace {

// Rows at a time; with two vectors of columns they are the eight sums that keep two fused
// multiply-adds of four cycles busy.
constexpr int kRows = 4;

// A kernel computes kRows rows of one panel, a block of columns that lie side by side for each k.
using Kernel = void (*)(const float* const* rows, const float* panel, int64_t depth, float* sums);

// Written once, compiled for each instruction set: templates and lambdas do not inherit a target.
#define ASSAY_ROW_KERNEL(Name, Bytes, Target)                                                  \
  typedef float Name##Vector __attribute__((vector_size(Bytes), aligned(4)));                  \
  Target void Name(const float* const* rows, const float* panel, int64_t depth, float* sums) { \
    constexpr int kLanes = (Bytes) / 4;                                                        \
    Name##Vector a0 = {}, a1 = {}, b0 = {}, b1 = {}, c0 = {}, c1 = {}, d0 = {}, d1 = {};       \
    const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];                        \
    for (int64_t k = 0; k < depth; ++k, panel += 2 * kLanes) {                                 \
      const auto x0 = *reinterpret_cast<const Name##Vector*>(panel);                           \
      const auto x1 = *reinterpret_cast<const Name##Vector*>(panel + kLanes);                  \
      a0 += a[k] * x0;                                                                         \
      a1 += a[k] * x1;                                                                         \
      b0 += b[k] * x0;                                                                         \
      b1 += b[k] * x1;                                                                         \
      c0 += c[k] * x0;                                                                         \
      c1 += c[k] * x1;                                                                         \
      d0 += d[k] * x0;                                                                         \
      d1 += d[k] * x1;                                                                         \
    }                                                                                          \
    auto* const out = reinterpret_cast<Name##Vector*>(sums);                                   \
    out[0] = a0;                                                                               \
    out[1] = a1;                                                                               \
    out[2] = b0;                                                                               \
    out[3] = b1;                                                                               \
    out[4] = c0;                                                                               \
    out[5] = c1;                                                                               \
    out[6] = d0;                                                                               \
    out[7] = d1;                                                                               \
  }

ASSAY_ROW_KERNEL(Plain, 16, )
#if defined(__x86_64__)
ASSAY_ROW_KERNEL(Avx2, 32, __attribute__((target("avx2,fma"))))
ASSAY_ROW_KERNEL(Avx512, 64, __attribute__((target("avx512f,fma"))))
#endif
#undef ASSAY_ROW_KERNEL

struct Chosen {
  Kernel kernel;
  // Columns of a panel.
  int64_t panel;
};
constexpr int64_t kWidestPanel = 32;

Chosen Choose() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {Avx512, 32};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {Avx2, 16};
#endif
  return {Plain, 8};
}

const Chosen& ForThisProcessor() {
  static const Chosen chosen = Choose();
  return chosen;
}

}  // namespace

int64_t PackedSize(int64_t depth, int64_t width) {
  const int64_t panel = ForThisProcessor().panel;
  return (width + panel - 1) / panel * panel * depth;
}

void PackMatrix(const float* matrix, int64_t depth, int64_t width, int64_t row_step,
                int64_t column_step, float* packed) {
  const int64_t panel = ForThisProcessor().panel;
  for (int64_t first = 0; first < width; first += panel) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t j = first; j < first + panel; ++j) {
        *packed++ = j < width ? matrix[k * row_step + j * column_step] : 0.0f;
      }
    }
  }
}

void MultiplyRows(const float* rows, int64_t count, const float* packed, int64_t depth,
                  int64_t width, const float* bias, float* out) {
  const auto [kernel, panel] = ForThisProcessor();
  alignas(64) float sums[kRows * kWidestPanel];
  for (int64_t first = 0; first < width; first += panel, packed += panel * depth) {
    const int64_t columns = std::min(panel, width - first);
    for (int64_t row = 0; row < count; row += kRows) {
      // Rows that are missing from the last block are the last row again.
      const float* block[kRows];
      for (int r = 0; r < kRows; ++r) block[r] = rows + std::min(row + r, count - 1) * depth;
      kernel(block, packed, depth, sums);
      for (int r = 0; r < kRows && row + r < count; ++r) {
        float* const to = out + (row + r) * width + first;
        const float* const from = sums + r * panel;
        if (bias == nullptr) {
          std::memcpy(to, from, static_cast<size_t>(columns) * sizeof(float));
        } else {
          for (int64_t j = 0; j < columns; ++j) to[j] = from[j] + bias[first + j];
        }
      }
    }
  }
}

}  // namespace assay::engine
