// Vectors that are kept of the images that a model was judged by: their softmax, and what a layer
// answers to them.
//
// A pass of its own after the task, of which every family and every kind of vector is served alike.
// Whoever keeps nothing pays nothing.
#ifndef ASSAY_SERVER_ENGINE_KEPT_VECTORS_H_
#define ASSAY_SERVER_ENGINE_KEPT_VECTORS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/outcomes.pb.h"
#include "server/engine/base/task.h"
#include "server/engine/run_task.h"

namespace assay::engine {

struct KeptVectors {
  v1::VectorKind kind = v1::VECTOR_KIND_UNSPECIFIED;
  // Numbers for each sample.
  int size = 0;
  // Positions in the dataset, ascending: those whose vector is finite.
  std::vector<int64_t> samples;
  // Row by row.
  std::vector<float> values;
};

struct VectorsToKeep {
  bool probabilities = false;
  // Its "logits" are the features; nullptr: none.
  Classifier* layer = nullptr;
};

// Whether a condition judges the model by one image of each sample: clean, corruptions, attacks.
// Of all others nothing is kept.
bool JudgesOneImage(const v1::Condition& condition);

// One for each kind that is wanted. The image of a sample: that of a clean condition, the corrupted
// one, or its adversarial example among `adversarials`, where an attack has found one, and else the
// clean one; of a minimum-norm attack, which tells of all budgets, the nearest one that it found.
// Empty for other conditions. Errors: those of the passes, kCancelled.
absl::StatusOr<std::vector<KeptVectors>> KeepVectors(const TaskContext& task,
                                                     const TaskResources& resources,
                                                     const std::vector<KeptExample>& adversarials,
                                                     const VectorsToKeep& wanted);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_KEPT_VECTORS_H_
