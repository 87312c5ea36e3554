// Shot noise as a table: for each value of a pixel, the exact distribution of what becomes of it,
// drawn from by Walker's alias method ("An efficient method for generating discrete random
// variables with general distributions", ACM TOMS 3, 1977). A draw is one look-up without a branch
// on anything random, and takes as long for 500 photons as for 3.
#ifndef ASSAY_CORE_CORRUPTIONS_SHOT_NOISE_H_
#define ASSAY_CORE_CORRUPTIONS_SHOT_NOISE_H_

#include <cstdint>
#include <vector>

#include "core/base/random.h"
#include "core/corruptions/corruption.h"

namespace assay::corruptions {

// P(K = k), k = 0, 1, ..., for a Poisson variable of this mean (finite, >= 0), as far as they are
// not negligible, below 1e-30 of the largest. Only additions, multiplications and divisions: the
// same on every machine.
std::vector<double> PoissonProbabilities(double mean);

// Immutable, so safe from many threads.
class ShotNoiseTable {
 public:
  // `photons` >= 1: the mean count of a white pixel.
  explicit ShotNoiseTable(double photons);

  // What becomes of a pixel: clip(K / photons), K Poisson of mean `pixel` / 255 * `photons`, when u
  // is uniform. Each byte has its probability to the precision of a double, and in units of 2^-64.
  uint8_t Draw(uint8_t pixel, uint64_t u) const;

  // Draw for every pixel. The upper halves of the u are bulk draws, in runs. A lower half is only
  // made where the upper one cannot be told from a limit in the table, once in 2^24 times: a single
  // draw after those of its run.
  void Apply(RandomStream& random, Image& image) const;

 private:
  // Of each pixel value (8 bits), each column (8 bits, the top ones of u). A column stands for one
  // byte, its own number, if the rest of u is below a limit of 56 bits, and for another one
  // otherwise. An entry is the upper 24 bits of the limit and the other byte; the lower 32 bits,
  // seldom needed, are apart to keep the entries small.
  std::vector<uint32_t> entries_;
  std::vector<uint32_t> lower_limits_;
};

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_SHOT_NOISE_H_
