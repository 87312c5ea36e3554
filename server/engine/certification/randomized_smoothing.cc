#include "server/engine/certification/randomized_smoothing.h"

#include <algorithm>

#include "common/errors.h"
#include "common/params.h"
#include "server/engine/parallel.h"

namespace assay::engine {
namespace {

// Class counts of one sample.
struct Counts {
  std::vector<int64_t> selection, estimation;
  int64_t undecided = 0;
  int64_t tied = 0;
};

void WriteHistogram(const std::vector<int64_t>& counts,
                    google::protobuf::RepeatedPtrField<v1::ClassCount>* histogram) {
  for (size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] == 0) continue;
    v1::ClassCount* entry = histogram->Add();
    entry->set_index(static_cast<int32_t>(k));
    entry->set_count(counts[k]);
  }
}

v1::Outcome SmoothedOutcome(const TaskContext& task, size_t sample, const Counts& counts) {
  v1::Outcome outcome;
  outcome.set_sample(task.samples.index(sample));
  outcome.set_label(task.samples.label(sample));
  outcome.set_prediction(-1);
  v1::SmoothingOutcome* smoothing = outcome.mutable_smoothing();
  WriteHistogram(counts.selection, smoothing->mutable_selection());
  WriteHistogram(counts.estimation, smoothing->mutable_estimation());
  smoothing->set_undecided_draws(counts.undecided);
  smoothing->set_tied_draws(counts.tied);
  return outcome;
}

}  // namespace

absl::StatusOr<std::vector<v1::Outcome>> RunRandomizedSmoothing(const TaskContext& task) {
  Params params(task.condition);
  const auto sigma = static_cast<float>(params.Number("sigma"));
  const int64_t n0 = params.Integer("n0");
  const int64_t n = params.Integer("n");
  ASSAY_RETURN_IF_ERROR(params.status());

  Classifier& classifier = task.classifier;
  const RandomKey key = task.random_key();
  const size_t image_size = classifier.shape().size();
  const auto batch_size = static_cast<size_t>(classifier.batch_size());
  const auto classes = static_cast<size_t>(classifier.num_classes());
  const auto draws = static_cast<size_t>(n0 + n);
  const size_t total = task.samples.size() * draws;

  std::vector<float> noisy(batch_size * image_size), logits(batch_size * classes);
  // Images of the samples that the current batch touches: draw number t belongs to sample t /
  // draws.
  std::vector<float> images;
  size_t images_first = 0, images_count = 0;
  std::vector<v1::Outcome> outcomes;
  outcomes.reserve(task.samples.size());
  Counts counts;

  for (size_t first = 0; first < total; first += batch_size) {
    if (task.observer.Cancelled()) return Error(Reason::kCancelled, "the task was cancelled");
    const size_t count = std::min(batch_size, total - first);
    const size_t sample_first = first / draws;
    const size_t sample_count = (first + count - 1) / draws - sample_first + 1;
    if (images.empty() || sample_first != images_first || sample_count != images_count) {
      images.resize(sample_count * image_size);
      for (size_t i = 0; i < sample_count; ++i) {
        task.samples.ReadImage(sample_first + i, &images[i * image_size]);
      }
      images_first = sample_first;
      images_count = sample_count;
    }
    ParallelFor(classifier.threads(), count, 4 * image_size, [&](size_t slot) {
      const size_t sample = (first + slot) / draws;
      const size_t draw = (first + slot) % draws;
      const float* image = &images[(sample - images_first) * image_size];
      float* out = &noisy[slot * image_size];
      FillNormal(key, task.samples.index(sample), static_cast<uint32_t>(draw), sigma, out,
                 image_size);
      for (size_t i = 0; i < image_size; ++i) out[i] += image[i];
    });
    ASSAY_RETURN_IF_ERROR(classifier.Forward(noisy.data(), logits.data()));
    for (size_t slot = 0; slot < count; ++slot) {
      const size_t draw = (first + slot) % draws;
      if (draw == 0) {
        counts.selection.assign(classes, 0);
        counts.estimation.assign(classes, 0);
        counts.undecided = counts.tied = 0;
      }
      const Prediction prediction = Predict(&logits[slot * classes], static_cast<int>(classes));
      if (prediction.undecided) {
        ++counts.undecided;
      } else if (prediction.tie) {
        ++counts.tied;
      } else {
        auto& histogram = draw < static_cast<size_t>(n0) ? counts.selection : counts.estimation;
        ++histogram[static_cast<size_t>(prediction.label)];
      }
      if (draw + 1 == draws) {
        outcomes.push_back(SmoothedOutcome(task, (first + slot) / draws, counts));
      }
    }
    task.observer.OnProgress(static_cast<int64_t>(outcomes.size()),
                             static_cast<double>(first + count) / static_cast<double>(total));
  }
  return outcomes;
}

}  // namespace assay::engine
