// Interval bound propagation (Gowal et al., "On the effectiveness of interval bound propagation for
// training verifiably robust models", arXiv 1810.12715): a box around what every node can be, from
// the boxes of its inputs.
#ifndef ASSAY_SERVER_ENGINE_BOUNDS_INTERVAL_H_
#define ASSAY_SERVER_ENGINE_BOUNDS_INTERVAL_H_

#include <cstddef>
#include <vector>

#include "server/engine/bounds/network.h"

namespace assay::engine::bounds {

// Contains the exact values, whatever was rounded on the way (rounding.h).
struct Box {
  std::vector<double> lower, upper;

  size_t size() const { return lower.size(); }
  // Largest magnitude in it.
  double Magnitude() const;
};

// The images within Linf distance eps of `image` with pixels in [0, 1].
Box InputBox(const float* image, size_t size, double eps);

// The box of node `n` from those of the nodes before it; boxes[0] is that of the input.
Box Propagate(const Network& network, int n, const std::vector<Box>& boxes);

// Bounds of an activation over [lower, upper].
double LowerValue(const Activation& activation, double lower);
double UpperValue(const Activation& activation, double upper);

}  // namespace assay::engine::bounds

#endif  // ASSAY_SERVER_ENGINE_BOUNDS_INTERVAL_H_
