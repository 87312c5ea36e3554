// Smallest steps onto a hyperplane inside the box [0, 1], the projections of the FAB attack (Croce
// and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", ICML
// 2020).
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_HYPERPLANE_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_HYPERPLANE_H_

#include <cstddef>

#include "server/engine/attacks/attack.h"

namespace assay::engine {

// Writes the step of minimal norm from x with <w, x + step> = <w, x> - offset and x + step in [0,
// 1], and returns its norm. Where the hyperplane misses the box, the step to the corner nearest to
// it. x must lie in [0, 1]. Exact up to rounding: Newton's method on a piecewise linear function,
// in as many passes over the pixels as it takes to find the piece (a handful).
double StepToHyperplane(Norm norm, const float* x, const float* w, double offset, size_t n,
                        float* step);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_HYPERPLANE_H_
