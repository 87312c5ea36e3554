// Counter-based randomness: every draw is a function of (evaluation seed, condition id, sample,
// stream, draw number), never of the batch, the order or the thread that makes it. Philox4x32-10
// (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
//   const RandomKey key(seed, "attack/pgd/linf/8-255");
//   RandomStream random(key, sample_index, /*stream=*/restart);
//   float u = random.Uniform();
//
// The 128-bit counter of a block: word 0 is the number of the block within its stream, word 1 the
// stream, words 2 and 3 the sample. Everything below starts at block 0, so a RandomStream and
// FillNormal with the same three names share their blocks: give them different streams.
#ifndef ASSAY_CORE_BASE_RANDOM_H_
#define ASSAY_CORE_BASE_RANDOM_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace assay {

// Ten rounds of Philox on one 128-bit counter.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// The key of one (seed, condition): the first 8 bytes of SHA-256("<seed>\0<condition id>"),
// little-endian.
class RandomKey {
 public:
  RandomKey(int64_t seed, absl::string_view condition_id);
  const std::array<uint32_t, 2>& words() const { return words_; }

 private:
  std::array<uint32_t, 2> words_;
};

// One stream of draws, owned by one sample. `stream` tells apart what one sample needs several of
// (restarts, noise draws). Copyable; not thread-safe.
class RandomStream {
 public:
  RandomStream(const RandomKey& key, int64_t sample, uint32_t stream);

  uint32_t Bits();
  // Uniform in [0, 1), 24 bits.
  float Uniform();
  // Uniform in [lower, upper).
  double Uniform(double lower, double upper);
  // Uniform integer in [0, n), n > 0; unbiased (Lemire's rejection).
  uint32_t Below(uint32_t n);
  // Standard normal, double precision (Box-Muller).
  double Normal();

  // Bulk draws, vectorised. They begin at a fresh block and use up whole groups of blocks, so the
  // first m of n values do not depend on n, and later single draws do not overlap them.
  void FillBits(uint32_t* out, size_t n);
  // Standard normals times `scale`, single precision: radius from 32 bits, so at most 6.76 standard
  // deviations.
  void FillNormal(float scale, float* out, size_t n);

 private:
  std::array<uint32_t, 2> key_;
  // Of the next block to be made.
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  size_t used_ = 4;
  bool has_spare_normal_ = false;
  double spare_normal_ = 0;
};

// Fills out[0, n) with standard normals times `scale`; fast (vectorised), and the same on every
// machine. Draw number d of a sample's stream starts at its own counter, so any draw can be made by
// itself.
void FillNormal(const RandomKey& key, int64_t sample, uint32_t stream, float scale, float* out,
                size_t n);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_RANDOM_H_
