// How a step size falls over a run.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_SCHEDULES_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_SCHEDULES_H_

#include <cmath>
#include <cstdint>

namespace assay::engine {

// Cosine annealing from `first` at step 0 to `last` at step `steps` (Loshchilov and Hutter, "SGDR",
// ICLR 2017, without restarts).
inline double CosineStep(double first, double last, int64_t step, int64_t steps) {
  constexpr double kPi = 3.14159265358979323846;
  const double share = static_cast<double>(step) / static_cast<double>(steps);
  return last + (first - last) * (1 + std::cos(kPi * share)) / 2;
}

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_SCHEDULES_H_
