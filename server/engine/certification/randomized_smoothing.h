// Randomized smoothing: noisy copies of the samples through the model, and how often each class
// came out. Cohen, Rosenfeld and Kolter, "Certified adversarial robustness via randomized
// smoothing" (ICML 2019): n0 draws that select a class, and fresh draws that bound its probability;
// n of them, or in anytime mode until the wanted radii are decided (stopping.h). Outcomes keep the
// counts; radii and abstentions are derived from them (core/statistics/smoothing_certificate.h).
#ifndef ASSAY_SERVER_ENGINE_CERTIFICATION_RANDOMIZED_SMOOTHING_H_
#define ASSAY_SERVER_ENGINE_CERTIFICATION_RANDOMIZED_SMOOTHING_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// Draws of different samples share batches, so that the device is full whatever n is and however
// few samples are left. The noisy image is not clipped. Draw d of a sample depends on (seed,
// condition, sample, d) only, a sample's draws are judged in their order, and those past the moment
// at which it stops (made ahead to fill the last batches) are ignored: no outcome depends on the
// batch.
absl::StatusOr<std::vector<v1::Outcome>> RunRandomizedSmoothing(const TaskContext& task);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CERTIFICATION_RANDOMIZED_SMOOTHING_H_
