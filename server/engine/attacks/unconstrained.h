// An attack without a budget on what an attack left robust: nothing is robust to that, since it can
// turn the image into any other, so where it fails the other had no chance. docs/checks.md says how
// to read it.
//
// It works in the whole of [0, 1] (linf, eps 1): PGD on the cross-entropy from the image itself,
// whose 20 steps of 1/8 take every pixel across its range twice; then APGD on the cross-entropy and
// on the ratio of logits, each from two random starts. At most 220 gradients.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_UNCONSTRAINED_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_UNCONSTRAINED_H_

#include <vector>

#include "absl/status/status.h"
#include "assay/v1/outcomes.pb.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// Tries the first survivors in the order of probes (core/base/probe_order.h) and writes what came
// of it into their outcomes, which are those of the task's samples; no other count changes. Only
// gradient attacks can fail for want of gradients: where no gradient was taken, none is tried.
absl::Status TryWithoutABudget(const TaskContext& task, std::vector<v1::Outcome>& outcomes);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_UNCONSTRAINED_H_
