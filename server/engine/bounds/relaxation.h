// Straight lines below and above an activation over an interval (Zhang et al., "Efficient neural
// network robustness certification with general activation functions", NeurIPS 2018, arXiv
// 1811.00866).
#ifndef ASSAY_SERVER_ENGINE_BOUNDS_RELAXATION_H_
#define ASSAY_SERVER_ENGINE_BOUNDS_RELAXATION_H_

#include "server/engine/bounds/network.h"

namespace assay::engine::bounds {

// lower.slope x + lower.intercept <= f(x) <= upper.slope x + upper.intercept for all real x in the
// interval; the numbers here are exact, rounding has moved the intercepts outwards.
struct Lines {
  struct Line {
    double slope = 0, intercept = 0;
  };
  Line lower, upper;
};

// Around a kink the upper line of ReLU is the chord and the lower one y = x or y = 0, whichever
// leaves the smaller area; leaky ReLU and clamp likewise. Sigmoid and tanh get two parallel lines
// through the ends of the graph with the smaller of the slopes there: as their slope rises and then
// falls, it is nowhere smaller in between.
Lines Relax(const Activation& activation, double lower, double upper);

}  // namespace assay::engine::bounds

#endif  // ASSAY_SERVER_ENGINE_BOUNDS_RELAXATION_H_
