// For models that draw random numbers: the gradients of several passes at one point as one
// (Athalye et al., "Obfuscated gradients give a false sense of security", ICML 2018).
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_GRADIENT_SUM_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_GRADIENT_SUM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace assay::engine {

class GradientSum {
 public:
  // The sum of `passes` gradients, times `scale`.
  explicit GradientSum(int64_t passes, float scale = 1) : passes_(passes), scale_(scale) {}

  // Forgets what was added.
  void Restart() { pass_ = 0; }

  // Adds a gradient of n values. nullptr until it is the last of the passes; then the sum, and the
  // next gradient begins another. Of one pass, its gradient as it is.
  const float* Add(const float* gradient, size_t n) {
    if (passes_ == 1) return gradient;
    if (pass_ == 0) sum_.assign(n, 0.0F);
    for (size_t i = 0; i < n; ++i) sum_[i] += gradient[i];
    if (++pass_ < passes_) return nullptr;
    pass_ = 0;
    for (float& value : sum_) value *= scale_;
    return sum_.data();
  }

 private:
  const int64_t passes_;
  const float scale_;
  int64_t pass_ = 0;
  std::vector<float> sum_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_GRADIENT_SUM_H_
