// The bulk half of random.h: many Philox blocks at once, and standard normals from them by
// Box-Muller, written so that the compiler vectorises them. The arithmetic is fixed to the bit: the
// same operations in the same order on every instruction set (no fused multiply-add, no library
// logarithm or sine), so a draw is the same on every machine.
//
// Used through RandomStream and FillNormal; the kernels are named here so that a test can compare
// them with each other.
#ifndef ASSAY_CORE_BASE_FAST_NORMAL_H_
#define ASSAY_CORE_BASE_FAST_NORMAL_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace assay::internal {

// Blocks are made in groups of this many. Word w of the group's block b is number w * kGroupBlocks
// + b of the group, so that whole vectors are stored.
inline constexpr size_t kGroupBlocks = 64;
inline constexpr size_t kGroupWords = 4 * kGroupBlocks;

// Where groups start: the key, and the counter of the first block.
struct GroupStart {
  std::array<uint32_t, 2> key;
  std::array<uint32_t, 4> counter;
};

// One instruction set's kernels. Each writes `groups` * kGroupWords values.
struct BulkKernels {
  const char* name;
  void (*bits)(const GroupStart& start, size_t groups, uint32_t* out);
  // Words 0 and 1 of a block make its normals 0 and 1, words 2 and 3 its normals 2 and 3:
  // radius sqrt(-2 ln u) with u = (word 0 + 1/2) / 2^32, angle 2 pi (word 1) / 2^32, cosine first.
  void (*normals)(const GroupStart& start, float scale, size_t groups, float* out);
};

inline constexpr size_t kMaxKernels = 3;

// The kernels that this machine can run, the fastest first; unused entries have no name.
const std::array<BulkKernels, kMaxKernels>& SupportedKernels();

}  // namespace assay::internal

#endif  // ASSAY_CORE_BASE_FAST_NORMAL_H_
