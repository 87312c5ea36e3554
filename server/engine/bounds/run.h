// The family "bounds": which samples provably keep their prediction within an Linf budget.
#ifndef ASSAY_SERVER_ENGINE_BOUNDS_RUN_H_
#define ASSAY_SERVER_ENGINE_BOUNDS_RUN_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/base/task.h"
#include "server/engine/bounds/network.h"

namespace assay::engine {

// `network` is that of the task's classifier: checks on every sample that it gives the classifier's
// logits. Samples are worked on in parallel; what is computed of one depends on its pixels and the
// condition only.
absl::StatusOr<std::vector<v1::Outcome>> RunBounds(const TaskContext& task,
                                                   const bounds::Network& network);

namespace bounds {

enum class Method { kIbp, kCrown, kCrownIbp };

struct Certificate {
  // No image of the budget has another prediction.
  bool certified = false;
  // Lower bound over the budget of the label's logit minus the largest other one.
  double margin = 0;
};

// `image`: network.input_size() pixels. `prediction`: of the clean image.
Certificate Certify(const Network& network, const float* image, double eps, int label,
                    int prediction, Method method);

}  // namespace bounds
}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BOUNDS_RUN_H_
