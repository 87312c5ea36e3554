// In which sizes of batches a model can be run so that the results of an image are the same bits.
#ifndef ASSAY_SERVER_ENGINE_VALIDATION_BATCH_SIZE_PROBE_H_
#define ASSAY_SERVER_ENGINE_VALIDATION_BATCH_SIZE_PROBE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/base/classifier.h"

namespace assay::engine {

struct ProbedSizes {
  // Ascending; empty where the results differ between any two sizes.
  std::vector<int> sizes;
  // SHA-256 over the results at these sizes; empty without.
  std::string digest;
};

// A pass over `rows` images: appends the results of each, as many numbers for every image.
using ProbedPass =
    std::function<absl::Status(const float* images, int rows, std::vector<float>* results)>;

// Runs a pass of each of the candidates, in which the same few images stand at changing places, and
// picks the largest set of sizes that agree with each other in every bit; of several, the one with
// the largest size. A size at which the results depend on the place, or that is kOutOfMemory, is in
// no set. Errors: what the passes raise but that.
absl::StatusOr<ProbedSizes> ProbeBatchSizes(const Shape& shape, const std::vector<int>& candidates,
                                            const ProbedPass& pass);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_VALIDATION_BATCH_SIZE_PROBE_H_
