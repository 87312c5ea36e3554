// Smallest steps onto a hyperplane inside the box [0, 1], the projections of the FAB attack (Croce
// and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", ICML
// 2020).
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_HYPERPLANE_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_HYPERPLANE_H_

#include <cstddef>

#include "server/engine/attacks/norms.h"

namespace assay::engine {

// Writes the step of minimal norm (linf, l2 or l1) with <w, x + step> = <w, x> - offset and with
// x + step in [0, 1], and returns its norm. Where the hyperplane misses the box, the step to the
// corner nearest to it. x must lie in [0, 1]. Exact up to rounding, in a number of passes over the
// pixels that does not grow with them: for linf and l2 Newton's method on a piecewise linear
// function (a handful), for l1 bisection for the smallest weight that moves (at most 32).
double StepToHyperplane(Norm norm, const float* x, const float* w, double offset, size_t n,
                        float* step);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_HYPERPLANE_H_
