// A linear model that remembers what it is shown.
#ifndef ASSAY_TESTS_SERVER_ENGINE_BASE_RECORDER_H_
#define ASSAY_TESTS_SERVER_ENGINE_BASE_RECORDER_H_

#include <set>
#include <vector>

#include "core/base/mutex.h"
#include "tests/server/engine/base/fake_models.h"

namespace assay::engine {

// Remembers every image of a plain pass.
class Recorder : public LinearClassifier {
 public:
  using LinearClassifier::LinearClassifier;
  absl::Status RunForward(const float* images, int rows, float* logits) override {
    {
      MutexLock lock(mutex_);
      for (int row = 0; row < rows; ++row) {
        const float* image = &images[static_cast<size_t>(row) * shape().size()];
        seen_.insert(std::vector<float>(image, image + shape().size()));
      }
    }
    return LinearClassifier::RunForward(images, rows, logits);
  }
  // Each image once; padding of batches is black, or an image that was shown before.
  std::set<std::vector<float>> Images() const {
    MutexLock lock(mutex_);
    std::set<std::vector<float>> images = seen_;
    images.erase(std::vector<float>(shape().size(), 0.0F));
    return images;
  }
  void Forget() {
    MutexLock lock(mutex_);
    seen_.clear();
  }

 private:
  mutable Mutex mutex_;
  std::set<std::vector<float>> seen_;
};

}  // namespace assay::engine

#endif  // ASSAY_TESTS_SERVER_ENGINE_BASE_RECORDER_H_
