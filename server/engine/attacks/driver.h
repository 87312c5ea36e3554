// Runs an attack over the samples of a task. Samples do not wait for each other: a lane (lanes.h)
// takes those that are ready for the same kind of pass, runs it, moves them on and puts them back,
// so that batches are full as long as enough samples are left.
//
// The driver does the bookkeeping for every method: the clean pass (samples that are wrong clean
// are never attacked), verification of each adversarial point by a plain forward pass, the check of
// the budget and of [0, 1], counting of passes, and whether the adversarial example survives
// rounding to 8 bits.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_DRIVER_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_DRIVER_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/base/task.h"

namespace assay::engine {

struct DriveOptions {
  // Gradients come from it (same shapes as the task's classifier), and the task's classifier is
  // shown only the points of forward passes: transfer.
  Classifier* surrogate = nullptr;
  // Whether a plain pass must confirm what a gradient pass misclassifies.
  bool verify = true;
};

// Outcomes in the order of the samples. Errors: those of the classifier, kCancelled,
// kInvalidCondition when the attack does not fit the model, and kInternal when a method leaves its
// budget.
absl::StatusOr<std::vector<v1::Outcome>> Drive(const TaskContext& task, const Attack& attack,
                                               const DriveOptions& options = {});

// For methods with a driver of their own. The outcome of sample i of the task after its clean pass,
// which is counted; it is to be attacked if that was right.
v1::Outcome CleanOutcome(const TaskContext& task, size_t i, const Prediction& clean);
// The nearest pixel value that 8 bits can hold.
float RoundToByte(float pixel);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_DRIVER_H_
