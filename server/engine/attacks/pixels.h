// What attacks do to one value of an image or of a gradient.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_PIXELS_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_PIXELS_H_

#include <algorithm>

namespace assay::engine {

// Cuts to [0, 1].
template <typename T>
T Clip(T x) {
  return std::min(std::max(x, T{0}), T{1});
}

// -1, 0 or 1.
template <typename T>
T Sign(T x) {
  return static_cast<T>((x > 0) - (x < 0));
}

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_PIXELS_H_
