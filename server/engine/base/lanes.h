// Work of several threads side by side, each with a batch of its own.
//
// A lane is one thread. It takes the work that is ready, runs the pass and does its own arithmetic
// around it, so that nothing waits for the slowest and a busy neighbour costs its share of the
// machine and no more (docs/decisions/0010-lanes.md).
#ifndef ASSAY_SERVER_ENGINE_BASE_LANES_H_
#define ASSAY_SERVER_ENGINE_BASE_LANES_H_

#include <cstddef>
#include <functional>

#include "absl/status/status.h"
#include "server/engine/base/classifier.h"

namespace assay::engine {

// Calls `body` on every lane of the classifier at once, the calling thread being one of them, and
// returns when all have returned: the error of one that had one.
absl::Status OnLanes(Classifier& classifier, const std::function<absl::Status()>& body);

// Calls body(i) for every i in [0, n), each on one of the lanes; after an error no more are begun.
absl::Status ForEachOnLanes(Classifier& classifier, size_t n,
                            const std::function<absl::Status(size_t i)>& body);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_LANES_H_
