// Rows of numbers that Python makes in the same way: the upper 24 bits of a linear congruential
// generator (1664525 x + 1013904223 mod 2^32) over 2^24, row after row.
#ifndef ASSAY_TESTS_CORE_SIMILARITY_MADE_UP_ROWS_H_
#define ASSAY_TESTS_CORE_SIMILARITY_MADE_UP_ROWS_H_

#include <cstdint>

#include "core/base/random.h"
#include "core/similarity/rows.h"

namespace assay {

inline Rows MadeUpRows(uint32_t seed, Eigen::Index samples, Eigen::Index size) {
  Rows rows(samples, size);
  for (Eigen::Index i = 0; i < rows.size(); ++i) {
    seed = seed * 1664525u + 1013904223u;
    rows.data()[i] = static_cast<float>(seed >> 8) * 0x1p-24f;
  }
  return rows;
}

inline Rows NormalRows(int64_t seed, Eigen::Index samples, Eigen::Index size) {
  const RandomKey key(seed, "test");
  Rows rows(samples, size);
  RandomStream(key, 0, 0).FillNormal(1, rows.data(), static_cast<size_t>(rows.size()));
  return rows;
}

}  // namespace assay

#endif  // ASSAY_TESTS_CORE_SIMILARITY_MADE_UP_ROWS_H_
