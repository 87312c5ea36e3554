#include "server/engine/kept_vectors.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "core/base/errors.h"
#include "core/conditions/families.h"
#include "server/engine/corruptions/run.h"

namespace assay::engine {
namespace {

using ImageReader = std::function<void(size_t i, float* pixels)>;

absl::StatusOr<ImageReader> JudgedImages(const TaskContext& task, const TaskResources& resources,
                                         const std::vector<KeptExample>& adversarials) {
  if (task.condition.family() == kFamilyCorruption) return CorruptedImages(task, resources.frost);
  std::map<int64_t, const std::vector<float>*> by_sample;
  for (const KeptExample& example : adversarials) by_sample[example.sample] = &example.pixels;
  return ImageReader([&task, by_sample = std::move(by_sample)](size_t i, float* pixels) {
    const auto found = by_sample.find(task.samples.index(i));
    if (found == by_sample.end()) {
      task.samples.ReadImage(i, pixels);
    } else {
      std::copy(found->second->begin(), found->second->end(), pixels);
    }
  });
}

bool Finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return std::isfinite(value); });
}

// In place; not finite where a logit is not.
void Softmax(std::vector<float>& values) {
  const double largest = static_cast<double>(*std::max_element(values.begin(), values.end()));
  std::vector<double> shares;
  double sum = 0;
  for (const float value : values) {
    sum += shares.emplace_back(std::exp(static_cast<double>(value) - largest));
  }
  for (size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(shares[k] / sum);
}

absl::StatusOr<KeptVectors> Keep(const TaskContext& task, const ImageReader& read,
                                 Classifier& classifier, v1::VectorKind kind) {
  KeptVectors kept;
  kept.kind = kind;
  kept.size = classifier.num_classes();
  const auto size = static_cast<size_t>(kept.size);
  kept.samples.reserve(task.samples.size());
  kept.values.reserve(task.samples.size() * size);
  std::vector<size_t> order(task.samples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return task.samples.index(a) < task.samples.index(b); });
  ItemPasses passes;
  passes.read = [&](size_t item, float* pixels) { read(order[item], pixels); };
  passes.done = [&](size_t item, const ItemResult& result) {
    // The task is done, but not silent.
    task.observer.OnProgress(static_cast<int64_t>(task.samples.size()), 1);
    std::vector<float> vector(result.logits, result.logits + size);
    if (!Finite(vector)) return;
    if (kind == v1::PROBABILITIES) Softmax(vector);
    kept.samples.push_back(task.samples.index(order[item]));
    kept.values.insert(kept.values.end(), vector.begin(), vector.end());
  };
  ASSAY_RETURN_IF_ERROR(RunItems(classifier, task.observer, task.samples.size(), passes));
  return kept;
}

}  // namespace

bool JudgesOneImage(const v1::Condition& condition) {
  const std::string& family = condition.family();
  return family == kFamilyClean || family == kFamilyCorruption || family == kFamilyAttack;
}

absl::StatusOr<std::vector<KeptVectors>> KeepVectors(const TaskContext& task,
                                                     const TaskResources& resources,
                                                     const std::vector<KeptExample>& adversarials,
                                                     const VectorsToKeep& wanted) {
  std::vector<KeptVectors> kept;
  if (!JudgesOneImage(task.condition) || (!wanted.probabilities && wanted.layer == nullptr)) {
    return kept;
  }
  ASSAY_ASSIGN_OR_RETURN(const ImageReader read, JudgedImages(task, resources, adversarials));
  if (wanted.probabilities) {
    ASSAY_ASSIGN_OR_RETURN(kept.emplace_back(),
                           Keep(task, read, task.classifier, v1::PROBABILITIES));
  }
  if (wanted.layer != nullptr) {
    ASSAY_ASSIGN_OR_RETURN(kept.emplace_back(), Keep(task, read, *wanted.layer, v1::FEATURES));
  }
  return kept;
}

}  // namespace assay::engine
