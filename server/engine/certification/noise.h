// The noises of randomized smoothing. Draw d of a sample depends on (key, sample, d) only.
#ifndef ASSAY_SERVER_ENGINE_CERTIFICATION_NOISE_H_
#define ASSAY_SERVER_ENGINE_CERTIFICATION_NOISE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "core/base/random.h"
#include "core/statistics/smoothing_certificate.h"

namespace assay::engine {

// Immutable, so thread-safe.
class Noise {
 public:
  virtual ~Noise() = default;
  // Writes image plus noise, not clipped to [0, 1]; n pixel values.
  virtual void Draw(const RandomKey& key, int64_t sample, uint32_t draw, const float* image,
                    float* out, size_t n) const = 0;
  // kInvalidDataset for an image that this noise cannot be added to.
  virtual absl::Status Check(const float* image, size_t n) const;
};

// The noise of the setting: Gaussian (sound or not), uniform or Laplace.
std::unique_ptr<Noise> MakeNoise(const SmoothingSetting& setting);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CERTIFICATION_NOISE_H_
