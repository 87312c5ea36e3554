// A model as methods see it: logits of a batch, and logits with the input gradient of a per-sample
// function of the logits.
//
// The batch shape is constant: a caller with fewer samples leaves the other slots as they are
// (their contents must be finite) and ignores their results. At a constant batch shape the results
// of a slot do not depend on the other slots.
#ifndef ASSAY_SERVER_ENGINE_BASE_CLASSIFIER_H_
#define ASSAY_SERVER_ENGINE_BASE_CLASSIFIER_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"

namespace assay::engine {

struct Shape {
  int channels = 0;
  int height = 0;
  int width = 0;
  size_t size() const {
    return static_cast<size_t>(channels) * static_cast<size_t>(height) * static_cast<size_t>(width);
  }
};

// Not thread-safe: one batch at a time.
class Classifier {
 public:
  virtual ~Classifier() = default;

  virtual Shape shape() const = 0;
  virtual int num_classes() const = 0;
  virtual int batch_size() const = 0;
  // Threads that work around the model should use.
  virtual int threads() const = 0;

  // images: batch_size x channels x height x width, pixels in [0, 1] (noise may leave it). logits:
  // batch_size x num_classes. kOutOfMemory, kModelFailed, kModelOutputInvalid.
  virtual absl::Status Forward(const float* images, float* logits) = 0;

  // Given the logits (batch_size x num_classes), writes the derivative of each slot's scalar by its
  // logits.
  using LogitGradient = std::function<void(const float* logits, float* derivative)>;

  // As Forward, and the gradient of each slot's scalar by its image, of the shape of `images`.
  virtual absl::Status ForwardBackward(const float* images, const LogitGradient& logit_gradient,
                                       float* logits, float* gradient) = 0;

  // Totals since construction: passes of whole batches, and seconds inside them.
  struct Usage {
    int64_t forward_batches = 0;
    int64_t backward_batches = 0;
    double seconds = 0;
  };
  virtual Usage usage() const = 0;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_CLASSIFIER_H_
