// Outcomes that are stored already: what a task would compute and another one, of whatever
// evaluation, has computed (docs/decisions/0032-nothing-is-computed-twice.md).
//
// Outcomes are found by a digest of all that they depend on: the model's bytes and those of other
// models that the condition names, the condition, the seed, images and labels with their positions
// in the dataset and the way in which their bytes are read, the numerics that the engine has when
// it is loaded, and the version of Assay. What is in doubt is not reused: outcomes of models that
// draw random numbers or whose results depend on the batch, or of which nobody knows whether they
// do.
#ifndef ASSAY_SERVER_SCHEDULER_REUSE_H_
#define ASSAY_SERVER_SCHEDULER_REUSE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/models.pb.h"
#include "server/store/evaluations.h"
#include "server/store/task.h"

namespace assay::scheduler {

// What a task computes.
struct TaskContent {
  std::string model_digest;
  // That the condition names, in its order, with what is known of them.
  std::vector<v1::Model> others;
  const v1::Condition& condition;
  int64_t seed = 0;
  const v1::DatasetManifest& manifest;
  // Of its engine.
  const v1::ModelValidation& validation;
  // Of the whole evaluation.
  int64_t evaluation_samples = 0;
  const store::Task& task;
  // In the dataset, ascending, where its samples are not a range of it; else empty.
  std::vector<int64_t> positions = {};
};

// By what outcomes of a task are found.
struct ContentKeys {
  // Of all of its samples together.
  store::ContentRange whole;
  // Of its samples in each chunk: positions in the dataset. None where outcomes depend on all
  // samples of the task.
  std::vector<store::ContentRange> chunks;
  // Under which the outcomes of the task are to be found.
  std::vector<store::ContentRange> own;
};

// nullopt: outcomes like these are not reused.
std::optional<ContentKeys> KeysOf(const TaskContent& content);

// Outcomes that were found, in the order of the dataset.
struct FoundOutcomes {
  // All of the task, and just as it would compute them.
  bool whole = false;
  v1::OutcomeBatch outcomes;
  v1::NumericsFingerprint numerics;
};

// Outcomes of samples of the task; nullopt: there are none. `wanted`, if given: of these numerics
// alone.
absl::StatusOr<std::optional<FoundOutcomes>> FindOutcomes(store::Evaluations& evaluations,
                                                          const TaskContent& content,
                                                          const ContentKeys& keys,
                                                          const v1::NumericsFingerprint* wanted);

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_REUSE_H_
