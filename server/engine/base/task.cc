#include "server/engine/base/task.h"

#include <algorithm>
#include <cmath>

#include "core/base/errors.h"
#include "core/base/parallel.h"

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

absl::Status ForwardAll(const TaskContext& task, size_t visits,
                        const std::function<void(size_t i, float* pixels)>& read,
                        const std::function<void(size_t i, const float* logits)>& done) {
  return ForwardItems(task, task.samples.size(), visits, read, done);
}

absl::Status ForwardItems(const TaskContext& task, size_t items, size_t visits,
                          const std::function<void(size_t item, float* pixels)>& read,
                          const std::function<void(size_t item, const float* logits)>& done) {
  Classifier& classifier = task.classifier;
  const size_t image_size = classifier.shape().size();
  const auto batch_size = static_cast<size_t>(classifier.batch_size());
  const auto classes = static_cast<size_t>(classifier.num_classes());
  std::vector<float> images(batch_size * image_size), logits(batch_size * classes);
  for (size_t first = 0; first < items; first += batch_size) {
    if (task.observer.Cancelled()) return Error(Reason::kCancelled, "the task was cancelled");
    const size_t count = std::min(batch_size, items - first);
    ParallelFor(classifier.threads(), count, visits * image_size,
                [&](size_t slot) { read(first + slot, &images[slot * image_size]); });
    ASSAY_RETURN_IF_ERROR(classifier.Forward(images.data(), logits.data()));
    for (size_t slot = 0; slot < count; ++slot) done(first + slot, &logits[slot * classes]);
    task.observer.OnProgress(static_cast<int64_t>((first + count) * task.samples.size() / items),
                             static_cast<double>(first + count) / static_cast<double>(items));
  }
  return absl::OkStatus();
}

}  // namespace assay::engine
