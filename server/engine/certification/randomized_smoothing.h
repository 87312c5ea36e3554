// Randomized smoothing with Gaussian noise (Cohen, Rosenfeld and Kolter, "Certified adversarial
// robustness via randomized smoothing", ICML 2019), fixed mode: n0 draws that select a class and n
// fresh draws that bound its probability. Outcomes keep the class counts; radii and abstentions are
// derived from them by the report.
#ifndef ASSAY_SERVER_ENGINE_CERTIFICATION_RANDOMIZED_SMOOTHING_H_
#define ASSAY_SERVER_ENGINE_CERTIFICATION_RANDOMIZED_SMOOTHING_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/task.h"

namespace assay::engine {

// Draws of different samples share batches, so that the device is full whatever n is. The noisy
// image is not clipped. Draw d of a sample depends on (seed, condition, sample, d) only.
absl::StatusOr<std::vector<v1::Outcome>> RunRandomizedSmoothing(const TaskContext& task);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CERTIFICATION_RANDOMIZED_SMOOTHING_H_
