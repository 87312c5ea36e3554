#include "server/engine/base/task.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "core/base/errors.h"
#include "core/base/mutex.h"
#include "server/engine/base/lanes.h"

namespace assay::engine {

Prediction Predict(const float* logits, int num_classes) {
  Prediction prediction;
  float largest = logits[0];
  int label = 0;
  for (int k = 0; k < num_classes; ++k) {
    if (!std::isfinite(logits[k])) {
      prediction.undecided = true;
      return prediction;
    }
    if (logits[k] > largest) {
      largest = logits[k];
      label = k;
    }
  }
  double sum = 0;
  int holders = 0;
  for (int k = 0; k < num_classes; ++k) {
    sum += std::exp(static_cast<double>(logits[k]) - static_cast<double>(largest));
    holders += logits[k] == largest ? 1 : 0;
  }
  prediction.label = label;
  prediction.confidence = static_cast<float>(1 / sum);
  prediction.tie = holders > 1;
  return prediction;
}

v1::Outcome MakeOutcome(int64_t sample, int label, const Prediction& prediction) {
  v1::Outcome outcome;
  outcome.set_sample(sample);
  outcome.set_label(label);
  outcome.set_prediction(prediction.label);
  outcome.set_confidence(prediction.confidence);
  outcome.set_tie(prediction.tie);
  outcome.set_undecided(prediction.undecided);
  return outcome;
}

namespace {

// The lanes of RunItems.
class ItemLanes {
 public:
  ItemLanes(Classifier& classifier, TaskObserver& observer, size_t items, const ItemPasses& passes)
      : classifier_(classifier),
        observer_(observer),
        items_(items),
        passes_(passes),
        sizes_(passes.logit_gradient ? classifier.gradient_sizes() : classifier.forward_sizes()),
        lanes_(static_cast<size_t>(classifier.lanes())),
        image_size_(classifier.shape().size()),
        classes_(static_cast<size_t>(classifier.num_classes())) {}

  absl::Status Run() {
    return OnLanes(classifier_, [this] { return Lane(); });
  }

 private:
  // Consecutive items, with what came of them.
  struct Batch {
    size_t first = 0, count = 0;
    std::vector<float> images, logits, gradients;
  };

  absl::Status Lane() {
    while (true) {
      Batch batch;
      ASSAY_RETURN_IF_ERROR(Take(batch));
      if (batch.count == 0) return absl::OkStatus();
      const absl::Status status = Pass(batch);
      if (!status.ok()) return Fail(status);
      Deliver(std::move(batch));
    }
  }

  absl::Status Take(Batch& batch) {
    {
      MutexLock lock(mutex_);
      if (next_ < items_ && observer_.Cancelled()) {
        next_ = items_;
        return Error(Reason::kCancelled, "the task was cancelled");
      }
      const size_t left = items_ - next_;
      if (left == 0) return absl::OkStatus();
      const auto most = static_cast<size_t>(sizes_.largest());
      batch.first = next_;
      batch.count = static_cast<size_t>(
          sizes_.Take(static_cast<int>(std::min(left, most)),
                      static_cast<int>(std::min((left + lanes_ - 1) / lanes_, most))));
      next_ += batch.count;
      if (!spare_.empty()) {
        std::swap(batch.images, spare_.back().images);
        std::swap(batch.logits, spare_.back().logits);
        std::swap(batch.gradients, spare_.back().gradients);
        spare_.pop_back();
      }
    }
    const auto rows = static_cast<size_t>(sizes_.Holding(static_cast<int>(batch.count)));
    batch.images.resize(rows * image_size_);
    batch.logits.resize(rows * classes_);
    if (passes_.logit_gradient) batch.gradients.resize(rows * image_size_);
    return absl::OkStatus();
  }

  absl::Status Pass(Batch& batch) const {
    for (size_t slot = 0; slot < batch.count; ++slot) {
      passes_.read(batch.first + slot, &batch.images[slot * image_size_]);
    }
    const int count = static_cast<int>(batch.count);
    if (!passes_.logit_gradient) {
      return classifier_.Forward(batch.images.data(), count, batch.logits.data());
    }
    return classifier_.ForwardBackward(
        batch.images.data(), count,
        [&](const float* logits, float* derivative) {
          for (size_t slot = 0; slot < batch.count; ++slot) {
            passes_.logit_gradient(batch.first + slot, &logits[slot * classes_],
                                   &derivative[slot * classes_]);
          }
        },
        batch.logits.data(), batch.gradients.data());
  }

  // Hands out what is next in order, if need be with what others have left here.
  void Deliver(Batch batch) {
    MutexLock lock(mutex_);
    const size_t first = batch.first;
    finished_.emplace(first, std::move(batch));
    while (!finished_.empty() && finished_.begin()->first == delivered_) {
      Batch& next = finished_.begin()->second;
      for (size_t slot = 0; slot < next.count; ++slot) {
        passes_.done(next.first + slot,
                     {&next.images[slot * image_size_], &next.logits[slot * classes_],
                      passes_.logit_gradient ? &next.gradients[slot * image_size_] : nullptr});
      }
      delivered_ += next.count;
      spare_.push_back(std::move(next));
      finished_.erase(finished_.begin());
    }
  }

  absl::Status Fail(const absl::Status& status) {
    MutexLock lock(mutex_);
    next_ = items_;
    return status;
  }

  Classifier& classifier_;
  TaskObserver& observer_;
  const size_t items_;
  const ItemPasses& passes_;
  const BatchSizes& sizes_;
  const size_t lanes_, image_size_, classes_;
  Mutex mutex_;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t delivered_ ABSL_GUARDED_BY(mutex_) = 0;
  // By their first items.
  std::map<size_t, Batch> finished_ ABSL_GUARDED_BY(mutex_);
  // Whose memory can be used again.
  std::vector<Batch> spare_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status RunItems(Classifier& classifier, TaskObserver& observer, size_t items,
                      const ItemPasses& passes) {
  return ItemLanes(classifier, observer, items, passes).Run();
}

absl::Status ForwardAll(const TaskContext& task,
                        const std::function<void(size_t i, float* pixels)>& read,
                        const std::function<void(size_t i, const float* logits)>& done) {
  return ForwardItems(task, task.samples.size(), read, done);
}

absl::Status ForwardItems(const TaskContext& task, size_t items,
                          const std::function<void(size_t item, float* pixels)>& read,
                          const std::function<void(size_t item, const float* logits)>& done) {
  ItemPasses passes;
  passes.read = read;
  passes.done = [&](size_t item, const ItemResult& result) {
    done(item, result.logits);
    task.observer.OnProgress(static_cast<int64_t>((item + 1) * task.samples.size() / items),
                             static_cast<double>(item + 1) / static_cast<double>(items));
  };
  return RunItems(task.classifier, task.observer, items, passes);
}

}  // namespace assay::engine
