// Evaluations: their states, their streams and their outcomes.
//
// Names are full resource names. Thread-safe. What a call has acknowledged is durable.
#ifndef ASSAY_SERVER_STORE_EVALUATIONS_H_
#define ASSAY_SERVER_STORE_EVALUATIONS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "core/base/labels.h"
#include "server/store/content.h"
#include "server/store/listing.h"
#include "server/store/task.h"

namespace assay::store {

struct EvaluationRecord {
  // name, state, failure, failed conditions, spec, conditions, times. Progress: tasks, samples and
  // work, total and done, from the task table.
  v1::Evaluation proto;
  // Grows with every change that a watcher can see.
  int64_t revision = 0;
  // What is remembered of where its numbers come from: versions, digest of the model, seconds.
  // Nothing for evaluations from before that was stored.
  v1::Provenance provenance = {};
  // How far its claimed tasks are, all together, as their workers last said
  // (TaskQueue::RenewLease); not in the progress of `proto`.
  int64_t running_samples = 0;
  double running_work = 0;
};

// The outcomes of one task as committed.
struct TaskOutcomes {
  int condition = 0;
  int64_t first_sample = 0;
  v1::OutcomeBatch outcomes;
  v1::NumericsFingerprint numerics;
};

// Reads the outcomes of one task after the other; nullopt: the end. kNotFound when the evaluation
// has been deleted meanwhile. Must not be called when the store is gone.
using OutcomeReader = std::function<absl::StatusOr<std::optional<TaskOutcomes>>()>;

// Which evaluations of a list are wanted: those that have all of what is set.
struct EvaluationFilter {
  // A label without a value: any value.
  Labels labels;
  std::string model;  // full names
  std::string dataset;
  // One of these; empty: any.
  std::set<v1::Evaluation::State> states;
};

class Evaluations {
 public:
  virtual ~Evaluations() = default;

  // Stores the evaluation (state QUEUED) and its tasks in one transaction. kAlreadyExists for a
  // taken name. A request_id (may be empty) seen before returns the evaluation that it made,
  // whatever the arguments.
  virtual absl::StatusOr<EvaluationRecord> CreateEvaluation(const v1::Evaluation& evaluation,
                                                            const std::vector<Task>& tasks,
                                                            const std::string& request_id) = 0;
  // The evaluation that an earlier CreateEvaluation with this request_id made, if any.
  virtual absl::StatusOr<std::optional<EvaluationRecord>> FindCreatedEvaluation(
      const std::string& request_id) = 0;
  virtual absl::StatusOr<EvaluationRecord> GetEvaluation(const std::string& name) = 0;
  // Newest first.
  virtual absl::StatusOr<Listing<EvaluationRecord>> ListEvaluations(
      const Page& page, const EvaluationFilter& filter) = 0;
  // How many there are in each state ("QUEUED", ...).
  virtual absl::StatusOr<std::map<std::string, int64_t>> CountEvaluations() = 0;
  // QUEUED, RUNNING or RECEIVING -> CANCELLED. kWrongState when it has ended.
  virtual absl::StatusOr<EvaluationRecord> CancelEvaluation(const std::string& name) = 0;
  // FAILED or CANCELLED -> QUEUED, its unfinished tasks open again, at once and with all their
  // attempts before them; SUCCEEDED where none is left, unless it ends by SetDecision. kWrongState
  // otherwise.
  virtual absl::StatusOr<EvaluationRecord> RetryEvaluation(const std::string& name) = 0;
  // Any unfinished state -> FAILED.
  virtual absl::Status FailEvaluation(const std::string& name, const v1::Failure& failure) = 0;
  // Ends those whose deadline has passed (spec.deadline, since their creation or last retry) as
  // FAILED, kDeadlineReached; their names.
  virtual absl::StatusOr<std::vector<std::string>> EndOverdue() = 0;
  // Of one that is to stop when decided: the first sample of its random order that not every
  // condition has an outcome of yet; nullopt where all have all.
  virtual absl::StatusOr<std::optional<int64_t>> FirstMissingSample(const std::string& name) = 0;
  // Of the same: remembers what has been decided by now, unless more is known already. `ends` makes
  // it SUCCEEDED and drops the tasks that are not done. OK without effect when it has ended.
  virtual absl::Status SetDecision(const std::string& name, const v1::Decision& decision,
                                   bool ends) = 0;
  // kInUse unless it has ended.
  virtual absl::Status DeleteEvaluation(const std::string& name) = 0;

  // Reads what has been committed by now under the wanted `conditions` (indices into those of the
  // evaluation; empty: all), by condition, then sample. Nothing is held but the task that was read.
  virtual absl::StatusOr<OutcomeReader> ReadOutcomes(const std::string& name,
                                                     const std::set<int>& conditions) = 0;

  // Where committed outcomes are that were stored under these keys (TaskEffort::content), by key
  // and first sample; of several tasks with the same range and numerics the latest one.
  virtual absl::StatusOr<std::vector<ContentPlace>> FindContent(
      const std::vector<std::string>& keys) = 0;
  // The outcomes of that task; nullopt when its evaluation has been deleted.
  virtual absl::StatusOr<std::optional<TaskOutcomes>> ReadContent(int64_t task) = 0;

  // --- streams (Evaluate): a manifest that grows while the evaluation is RECEIVING

  // Stores the evaluation (state RECEIVING) and its manifest, which is empty yet (shape, type,
  // class names), in one transaction. kAlreadyExists for a taken name.
  virtual absl::StatusOr<EvaluationRecord> CreateStream(const v1::Evaluation& evaluation,
                                                        const v1::DatasetManifest& manifest) = 0;
  // The manifest so far; kWrongState unless the evaluation came from a stream. Also after it ended.
  virtual absl::StatusOr<v1::DatasetManifest> GetStreamManifest(const std::string& evaluation) = 0;
  // Appends chunk number `index` and its tasks in one transaction. OK without effect when that
  // chunk is there already with the same digest; kInvalidArgument for another digest or a gap;
  // kWrongState when the evaluation is not RECEIVING.
  virtual absl::Status AppendStreamChunk(const std::string& evaluation, int64_t index,
                                         const v1::DatasetManifest::Chunk& chunk,
                                         const std::vector<Task>& tasks) = 0;
  // RECEIVING -> QUEUED (or SUCCEEDED when every task is done), with spec.dataset set to `dataset`
  // and `tasks` added, which need the whole data. kWrongState otherwise.
  virtual absl::Status FinishStream(const std::string& evaluation, const std::string& dataset,
                                    const std::vector<Task>& tasks) = 0;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_EVALUATIONS_H_
