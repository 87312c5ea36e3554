// A model as methods see it: logits of some images, and logits with the input gradient of a
// per-image function of the logits.
//
// A pass takes any number of images up to the largest batch and is padded to one of the model's
// batch sizes, at all of which an image's results are the same, bit for bit, whatever else is in
// the batch. Several passes may run at once, on one set of weights: one for each lane (lanes.h).
#ifndef ASSAY_SERVER_ENGINE_BASE_CLASSIFIER_H_
#define ASSAY_SERVER_ENGINE_BASE_CLASSIFIER_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "server/engine/base/batch_sizes.h"

namespace assay::engine {

struct Shape {
  int channels = 0;
  int height = 0;
  int width = 0;
  size_t size() const {
    return static_cast<size_t>(channels) * static_cast<size_t>(height) * static_cast<size_t>(width);
  }
};

// Thread-safe.
class Classifier {
 public:
  virtual ~Classifier() = default;

  virtual Shape shape() const = 0;
  virtual int num_classes() const = 0;
  virtual const BatchSizes& forward_sizes() const = 0;
  virtual const BatchSizes& gradient_sizes() const = 0;
  // How many passes run side by side.
  virtual int lanes() const = 0;
  // Whether an image always gets the same results.
  virtual bool deterministic() const { return true; }
  // Prepares the calling thread for passes, as lane `lane` of lanes(). Lanes (lanes.h) are
  // prepared.
  virtual void BindThread(int /*lane*/) {}

  // images: `count` x channels x height x width, pixels in [0, 1] (noise may leave it), with room
  // for forward_sizes().Holding(count) of them, whose contents must be finite. logits: num_classes
  // for each image, with as much room. kOutOfMemory, kModelFailed, kModelOutputInvalid.
  absl::Status Forward(const float* images, int count, float* logits);

  // Given the logits (num_classes for each image), writes the derivative of each image's scalar by
  // its logits, which comes as zeros.
  using LogitGradient = std::function<void(const float* logits, float* derivative)>;

  // As Forward with gradient_sizes(), and the gradient of each image's scalar by the image, of the
  // shape of `images`.
  absl::Status ForwardBackward(const float* images, int count, const LogitGradient& logit_gradient,
                               float* logits, float* gradient);

  // Totals since construction, over all lanes. A backward pass is a forward pass, too.
  struct Usage {
    int64_t forward_batches = 0, backward_batches = 0;
    // Images that went through the model, padding included.
    int64_t forward_images = 0, backward_images = 0;
    // Of these, images that the methods had use for.
    int64_t needed_forwards = 0, needed_backwards = 0;
    // Inside passes, summed over lanes.
    double seconds = 0;

    Usage operator-(const Usage& other) const;
    Usage operator+(const Usage& other) const;
  };
  Usage usage() const;
  // Forward passes of images that turned out not to be needed.
  void CountUnneeded(int64_t images);

 protected:
  // Passes of a whole batch of `rows` images, one of the sizes. Called on several threads at once.
  virtual absl::Status RunForward(const float* images, int rows, float* logits) = 0;
  virtual absl::Status RunForwardBackward(const float* images, int rows,
                                          const LogitGradient& logit_gradient, float* logits,
                                          float* gradient) = 0;

 private:
  void Count(const Usage& pass);

  mutable Mutex mutex_;
  Usage usage_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_BASE_CLASSIFIER_H_
