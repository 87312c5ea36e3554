// Tries passes of batches of several sizes: which of them give the same bits, and how long they
// take.
#ifndef ASSAY_SERVER_ENGINE_TORCH_BATCH_TRIALS_H_
#define ASSAY_SERVER_ENGINE_TORCH_BATCH_TRIALS_H_

#include <algorithm>
#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/base/classifier.h"
#include "server/engine/torch/torch_passes.h"
#include "server/engine/validation/batch_size_probe.h"

namespace assay::engine {

// Sizes of batches that are tried on a CPU for images of `shape`. Beyond them a pass gains nothing
// for one thread.
const std::vector<int>& CpuBatchSizes(const Shape& shape);

// What was found for forward and for gradient passes.
struct ProbedBatches {
  ProbedSizes forward, gradients;

  size_t sizes() const { return std::min(forward.sizes.size(), gradients.sizes.size()); }
  // Whether few survivors fill their batches, and many fill good ones, of those that were tried.
  bool Serve(const std::vector<int>& candidates) const;
};

// Errors are those of the passes, which must know their number of classes.
class BatchTrials {
 public:
  BatchTrials(TorchPasses& passes, const Shape& shape) : passes_(passes), shape_(shape) {}

  // A model without gradients gets the sizes of its forward passes for both.
  absl::StatusOr<ProbedBatches> Probe(const std::vector<int>& candidates);

  // Seconds of one pass, after a warm-up.
  absl::StatusOr<double> ForwardSeconds(int batch);
  absl::StatusOr<double> GradientSeconds(int batch);

  // For a GPU: of a few sizes the fastest of those for which its memory is enough, over a forward
  // pass and, of a model that is differentiable, a gradient pass. 1 where none is.
  int Fastest(bool differentiable);

 private:
  // Logits and gradient of each image, one after the other.
  absl::Status Gradient(const float* images, int rows, std::vector<float>* results);
  absl::Status Forward(const float* images, int rows, std::vector<float>* results);
  size_t LogitCount(int rows) const;

  TorchPasses& passes_;
  const Shape shape_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_BATCH_TRIALS_H_
