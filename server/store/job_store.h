// What assayd remembers: models, datasets, evaluations, tasks and outcomes. One interface; SQLite
// behind it on one machine (sqlite_job_store.h), PostgreSQL for several.
//
// The queue is here too: a worker claims a task under a lease with a fencing token, renews the
// lease while progress arrives, and commits outcomes and `done` in one transaction that the token
// guards. A task whose lease ran out is claimed again with a higher token, after which the late
// worker's commit is refused (kLeaseLost). Times are the store's clock, in microseconds since the
// Unix epoch.
//
// Thread-safe. What a call has acknowledged is durable.
#ifndef ASSAY_SERVER_STORE_JOB_STORE_H_
#define ASSAY_SERVER_STORE_JOB_STORE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"

namespace assay::store {

// `proto.name` is the full resource name. State and state_reason of models are not stored: they
// belong to the engines.
struct ModelRecord {
  v1::Model proto;
};

struct DatasetRecord {
  v1::Dataset proto;
};

struct EvaluationRecord {
  // name, state, failure, spec, conditions, times. Progress: tasks, samples and work, total and
  // done, from the task table.
  v1::Evaluation proto;
  // Grows with every change that a watcher can see.
  int64_t revision = 0;
};

// One condition x one contiguous range of samples.
struct Task {
  int64_t id = 0;
  std::string evaluation;  // full name
  int condition = 0;       // index into the evaluation's conditions
  int64_t first_sample = 0;
  int32_t samples = 0;
  double work = 0;  // expected model passes
};

struct ClaimedTask {
  Task task;
  int64_t fence = 0;  // the fencing token of this claim
  int attempt = 0;    // 1 for the first
};

// The outcomes of one task as committed.
struct TaskOutcomes {
  int condition = 0;
  int64_t first_sample = 0;
  v1::OutcomeBatch outcomes;
  v1::NumericsFingerprint numerics;
};

struct Page {
  int size = 100;
  std::string token;  // opaque; empty: from the start
};

template <typename Record>
struct Listing {
  std::vector<Record> records;
  std::string next_token;  // empty: the end
};

class JobStore {
 public:
  virtual ~JobStore() = default;

  // --- models
  // -----------------------------------------------------------------------------------------------------------
  // Returns what is stored under the name afterwards: the given record, or an existing one with the
  // same digest. kAlreadyExists when the name is taken by another digest. A request_id (may be
  // empty) seen before returns the record that it made, whatever the arguments.
  virtual absl::StatusOr<ModelRecord> CreateModel(const ModelRecord& model,
                                                  const std::string& request_id) = 0;
  virtual absl::StatusOr<ModelRecord> GetModel(const std::string& name) = 0;
  // By name.
  virtual absl::StatusOr<Listing<ModelRecord>> ListModels(const Page& page) = 0;
  // kInUse while an unfinished evaluation names it, in a condition too.
  virtual absl::Status DeleteModel(const std::string& name) = 0;
  virtual absl::Status SetModelValidation(const std::string& name,
                                          const v1::ModelValidation& validation) = 0;
  // Numerics chosen at the first load under `key` (model digest, shape, device, library), kept so
  // that a restarted engine computes the same bits.
  virtual absl::StatusOr<std::optional<v1::NumericsFingerprint>> GetNumerics(
      const std::string& key) = 0;
  virtual absl::Status SetNumerics(const std::string& key,
                                   const v1::NumericsFingerprint& numerics) = 0;

  // --- datasets: as models
  // ------------------------------------------------------------------------------------------------
  virtual absl::StatusOr<DatasetRecord> CreateDataset(const DatasetRecord& dataset,
                                                      const std::string& request_id) = 0;
  virtual absl::StatusOr<DatasetRecord> GetDataset(const std::string& name) = 0;
  // Without the manifests' chunk lists.
  virtual absl::StatusOr<Listing<DatasetRecord>> ListDatasets(const Page& page) = 0;
  // kInUse while any evaluation names it.
  virtual absl::Status DeleteDataset(const std::string& name) = 0;
  // Every digest that a model, dataset, stream manifest or kept adversarial example names.
  virtual absl::StatusOr<std::vector<std::string>> BlobsInUse() = 0;
  // Gives some of the room of deleted records back to the file system. Whether there is more.
  virtual absl::StatusOr<bool> ReleaseSpace() = 0;

  // --- evaluations
  // ---------------------------------------------------------------------------------------------------------
  // Stores the evaluation (state QUEUED, or RECEIVING for a stream) and its tasks in one
  // transaction. request_id as above. kAlreadyExists for a taken name.
  virtual absl::StatusOr<EvaluationRecord> CreateEvaluation(const v1::Evaluation& evaluation,
                                                            const std::vector<Task>& tasks,
                                                            const std::string& request_id) = 0;
  // The evaluation that an earlier CreateEvaluation with this request_id made, if any.
  virtual absl::StatusOr<std::optional<EvaluationRecord>> FindCreatedEvaluation(
      const std::string& request_id) = 0;
  virtual absl::StatusOr<EvaluationRecord> GetEvaluation(const std::string& name) = 0;
  // Newest first.
  virtual absl::StatusOr<Listing<EvaluationRecord>> ListEvaluations(const Page& page) = 0;
  // QUEUED, RUNNING or RECEIVING -> CANCELLED. kWrongState when it has ended.
  virtual absl::StatusOr<EvaluationRecord> CancelEvaluation(const std::string& name) = 0;
  // FAILED or CANCELLED -> QUEUED, its unfinished tasks open again, at once and with all their
  // attempts before them. kWrongState otherwise.
  virtual absl::StatusOr<EvaluationRecord> RetryEvaluation(const std::string& name) = 0;
  // Any unfinished state -> FAILED.
  virtual absl::Status FailEvaluation(const std::string& name, const v1::Failure& failure) = 0;
  // kInUse unless it has ended.
  virtual absl::Status DeleteEvaluation(const std::string& name) = 0;
  virtual absl::StatusOr<std::vector<TaskOutcomes>> GetOutcomes(const std::string& name) = 0;
  // How many evaluations and tasks are in each state ("QUEUED", ...; "OPEN", "LEASED", "DONE").
  virtual absl::StatusOr<std::map<std::string, int64_t>> CountEvaluations() = 0;
  virtual absl::StatusOr<std::map<std::string, int64_t>> CountTasks() = 0;
  // When the oldest claimable task was created; nullopt for an empty queue.
  virtual absl::StatusOr<std::optional<int64_t>> OldestOpenTaskMicros() = 0;

  // --- streams (Evaluate): a manifest that grows while the evaluation is RECEIVING
  // --------------------------------------------- The manifest so far; kWrongState unless the
  // evaluation came from a stream. Also after it ended.
  virtual absl::StatusOr<v1::DatasetManifest> GetStreamManifest(const std::string& evaluation) = 0;
  // Stores an empty manifest (shape, type, class names) for a RECEIVING evaluation.
  virtual absl::Status CreateStreamManifest(const std::string& evaluation,
                                            const v1::DatasetManifest& manifest) = 0;
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

  // --- the queue
  // ------------------------------------------------------------------------------------------------------------
  // Claims the next task for `owner` until now + lease_micros: open ones, or those whose lease ran
  // out, oldest evaluation first, then task order. nullopt when there is none. Moves the evaluation
  // from QUEUED to RUNNING. `prefer_model` (full name, may be empty) puts tasks of evaluations with
  // that model first, so that loaded models are used.
  virtual absl::StatusOr<std::optional<ClaimedTask>> ClaimTask(const std::string& owner,
                                                               int64_t lease_micros,
                                                               const std::string& prefer_model) = 0;
  // Extends the lease. kLeaseLost when the claim is no longer the current one, kCancelled when the
  // evaluation has ended.
  virtual absl::Status RenewLease(const ClaimedTask& claim, int64_t lease_micros) = 0;
  // Stores the outcomes and marks the task done, in one transaction; the last one makes the
  // evaluation SUCCEEDED (unless it is RECEIVING). kLeaseLost as above; kCancelled when the
  // evaluation has ended.
  virtual absl::Status CommitTask(const ClaimedTask& claim, const v1::OutcomeBatch& outcomes,
                                  const v1::NumericsFingerprint& numerics) = 0;
  // Gives the task back, to be claimed again in `wait_micros` at the earliest. `count_attempt`
  // false takes this attempt off the count (a shutdown is nobody's fault). OK without effect when
  // the claim is no longer the current one.
  virtual absl::Status ReleaseTask(const ClaimedTask& claim, bool count_attempt,
                                   int64_t wait_micros) = 0;
  // Gives every leased task back, as by ReleaseTask without counting. For a process that has just
  // started and knows that it is the only one to use the store: whoever held the leases is dead.
  virtual absl::Status ReleaseAllLeases() = 0;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_JOB_STORE_H_
