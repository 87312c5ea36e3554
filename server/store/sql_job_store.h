// The class behind OpenSqliteJobStore and OpenPostgresJobStore, for the files that implement it:
// sql_catalog.cc, sql_evaluations.cc, sql_task_queue.cc and sql_instances.cc, an interface each,
// and sql_job_store.cc, what they share.
#ifndef ASSAY_SERVER_STORE_SQL_JOB_STORE_H_
#define ASSAY_SERVER_STORE_SQL_JOB_STORE_H_

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "server/store/job_store.h"
#include "server/store/sql.h"

namespace assay::store {

// The values of tasks.state.
enum TaskState { kOpen = 0, kLeased = 1, kDone = 2 };
// The value of tasks.lease_micros of a task that nobody is to claim.
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// Page tokens are the page's last record's key, in base64.
int PageLimit(const Page& page);
std::string EncodePageToken(const std::string& key);
absl::Status InvalidPageToken();
// The key; "" for the first page. kInvalidArgument unless it starts with `prefix`.
absl::StatusOr<std::string> DecodePageToken(const std::string& prefix, const std::string& token);

// An absent request id must not be equal to another absent one.
std::optional<std::string> OrNull(const std::string& text);

// Labels as a JSON object, for json_each.
std::string LabelsJson(const Labels& labels);
// A condition of SQL: that the rows of `table` where `column` = `row` have all labels of the JSON
// object that is bound to its one question mark.
std::string HasLabels(Dialect dialect, absl::string_view table, absl::string_view column,
                      absl::string_view row);

class SqlJobStore final : public JobStore {
 public:
  explicit SqlJobStore(std::unique_ptr<Database> database)
      : owned_database_(std::move(database)), db_(*owned_database_) {}

  absl::StatusOr<v1::Model> CreateModel(const v1::Model& model, const std::string& request_id,
                                        const Owner& owner) override;
  absl::StatusOr<v1::Model> GetModel(const std::string& name) override;
  absl::StatusOr<Listing<v1::Model>> ListModels(const Page& page, const Labels& labels) override;
  absl::Status DeleteModel(const std::string& name) override;
  absl::Status SetModelValidation(const std::string& name,
                                  const v1::ModelValidation& validation) override;
  absl::Status SetModelLabels(const std::string& name, const Labels& labels) override;
  absl::StatusOr<std::optional<v1::NumericsFingerprint>> GetNumerics(
      const std::string& key) override;
  absl::StatusOr<v1::NumericsFingerprint> SetNumerics(
      const std::string& key, const v1::NumericsFingerprint& numerics) override;

  absl::StatusOr<v1::Dataset> CreateDataset(const v1::Dataset& dataset,
                                            const std::string& request_id,
                                            const Owner& owner) override;
  absl::StatusOr<v1::Dataset> GetDataset(const std::string& name) override;
  absl::StatusOr<Listing<v1::Dataset>> ListDatasets(const Page& page) override;
  absl::Status DeleteDataset(const std::string& name) override;
  absl::Status KeepStatistics(const std::vector<ChunkStatistics>& statistics) override;
  absl::StatusOr<std::optional<std::string>> GetStatistics(const std::string& chunk,
                                                           const std::string& layout) override;
  absl::StatusOr<int64_t> BytesOf(const std::string& owner) override;
  absl::StatusOr<std::vector<std::string>> BlobsInUse() override;
  absl::StatusOr<bool> ReleaseSpace() override;

  absl::StatusOr<EvaluationRecord> CreateEvaluation(const v1::Evaluation& evaluation,
                                                    const std::vector<Task>& tasks,
                                                    const std::string& request_id) override;
  absl::StatusOr<std::optional<EvaluationRecord>> FindCreatedEvaluation(
      const std::string& request_id) override;
  absl::StatusOr<EvaluationRecord> GetEvaluation(const std::string& name) override;
  absl::StatusOr<Listing<EvaluationRecord>> ListEvaluations(
      const Page& page, const EvaluationFilter& filter) override;
  absl::StatusOr<std::map<std::string, int64_t>> CountEvaluations() override;
  absl::StatusOr<EvaluationRecord> CancelEvaluation(const std::string& name) override;
  absl::StatusOr<EvaluationRecord> RetryEvaluation(const std::string& name) override;
  absl::Status FailEvaluation(const std::string& name, const v1::Failure& failure) override;
  absl::StatusOr<std::vector<std::string>> EndOverdue() override;
  absl::StatusOr<std::optional<int64_t>> FirstMissingSample(const std::string& name) override;
  absl::Status SetDecision(const std::string& name, const v1::Decision& decision,
                           bool ends) override;
  absl::Status DeleteEvaluation(const std::string& name) override;
  absl::StatusOr<OutcomeReader> ReadOutcomes(const std::string& name,
                                             const std::set<int>& conditions) override;

  absl::StatusOr<std::vector<ContentPlace>> FindContent(
      const std::vector<std::string>& keys) override;
  absl::StatusOr<std::optional<TaskOutcomes>> ReadContent(int64_t task) override;

  absl::StatusOr<v1::DatasetManifest> GetStreamManifest(const std::string& evaluation) override;
  absl::StatusOr<EvaluationRecord> CreateStream(const v1::Evaluation& evaluation,
                                                const v1::DatasetManifest& manifest) override;
  absl::Status AppendStreamChunk(const std::string& evaluation, int64_t index,
                                 const v1::DatasetManifest::Chunk& chunk,
                                 const std::vector<Task>& tasks) override;
  absl::Status FinishStream(const std::string& evaluation, const std::string& dataset,
                            const std::vector<Task>& tasks) override;

  absl::StatusOr<std::optional<ClaimedTask>> ClaimTask(const std::string& owner,
                                                       int64_t lease_micros,
                                                       const std::string& prefer_model,
                                                       const std::string& device_kind) override;
  absl::Status RenewLease(const ClaimedTask& claim, int64_t lease_micros,
                          const std::optional<TaskProgress>& progress) override;
  absl::Status CommitTask(const ClaimedTask& claim, const v1::OutcomeBatch& outcomes,
                          const v1::NumericsFingerprint& numerics,
                          const TaskEffort& effort) override;
  absl::Status AddToCheckpoint(const ClaimedTask& claim, const TaskCheckpoint& part) override;
  absl::StatusOr<std::optional<TaskCheckpoint>> ReadCheckpoint(const ClaimedTask& claim) override;
  absl::Status ReleaseTask(const ClaimedTask& claim, bool count_attempt,
                           int64_t wait_micros) override;
  absl::Status SplitTask(const ClaimedTask& claim, int attempts) override;
  absl::Status GiveUpCondition(const ClaimedTask& claim, const v1::Failure& failure) override;
  void ShareBy(const std::string& label) override;
  absl::StatusOr<std::map<std::string, int64_t>> CountTasks() override;
  absl::StatusOr<std::optional<int64_t>> OldestOpenTaskMicros() override;

  absl::Status RegisterInstance(const std::string& name, int64_t forget_micros) override;
  absl::Status UpdateInstance(const std::string& name, const v1::ServerStatus& status,
                              const v1::ListModelsResponse& models) override;
  absl::Status RemoveInstance(const std::string& name) override;
  absl::StatusOr<std::vector<InstanceRecord>> ListInstances(int64_t silent_micros) override;
  absl::StatusOr<int64_t> AddOrder(const InstanceOrder& order) override;
  absl::StatusOr<std::vector<InstanceOrder>> ListOrders(const std::string& instance) override;
  absl::Status RemoveOrder(int64_t id) override;
  absl::StatusOr<Pause> PauseClaims(const std::string& reason) override;
  absl::Status ResumeClaims() override;
  absl::StatusOr<std::optional<Pause>> GetPause() override;

 private:
  // What decides about transitions of an evaluation.
  struct EvaluationRow {
    int64_t id = 0;
    v1::Evaluation::State state = v1::Evaluation::STATE_UNSPECIFIED;
    bool all_tasks_done = false;
    std::optional<int64_t> manifest;
  };
  // An unfinished evaluation that has work.
  struct Work {
    int64_t urgency = 0;
    int64_t id = 0;
    std::string name;
    std::string model;
    std::string share;
    bool several_shares = false;  // among all that are unfinished
    bool begins = false;          // with the next claim
  };
  // A task that is going to be claimed.
  struct Found : ClaimedTask {
    bool begins = false;  // its evaluation, with it
  };
  // Which of them are wanted: those that a device of this kind may run, all or
  struct WorkFilter {
    std::string device_kind = {};
    std::optional<int64_t> urgency = {};
    // of this one; together with an urgency only
    std::optional<std::string> share = {};
    std::optional<std::string> model = {};
  };
  struct End {
    v1::Evaluation::State state = v1::Evaluation::SUCCEEDED;
    v1::Failure failure;  // when FAILED
  };
  // The task and the evaluation that a claim is about, as they are now.
  struct ClaimState {
    bool current = false;  // the claim is the task's latest, and neither committed nor given back
    // The evaluation is FAILED, CANCELLED or deleted, or the condition has been given up.
    bool stopped = false;
    bool has_checkpoint = false;
    int64_t evaluation = 0;
  };

  // --- sql_job_store.cc

  // Name of the record of `table` that an earlier request made.
  absl::StatusOr<std::optional<std::string>> FindRequest(const std::string& table,
                                                         const std::string& request_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- sql_catalog.cc; `table` is "models" or "datasets"

  // Name of the record that answers a creation: one made by the same request, or one of the same
  // name and digest.
  absl::StatusOr<std::optional<std::string>> FindCreated(const std::string& table,
                                                         const std::string& name,
                                                         const std::string& digest,
                                                         const std::string& request_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Pages of the file that hold nothing.
  absl::StatusOr<int64_t> ReadBytesOf(const std::string& owner)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Notes that `name` is its owner's, in the transaction that makes it.
  absl::Status Charge(const Owner& owner, const std::string& name, int64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<int64_t> CountFreePages() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<v1::Model> ReadModel(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Over what is stored of the model. No label is ever taken off.
  absl::Status WriteModel(const v1::Model& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteLabels(const v1::Model& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<v1::Dataset> ReadDataset(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<int64_t> InsertManifest(const v1::DatasetManifest& manifest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status InsertChunk(int64_t manifest, int64_t position,
                           const v1::DatasetManifest::Chunk& chunk)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<v1::DatasetManifest> ReadManifest(int64_t id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- sql_evaluations.cc

  absl::StatusOr<EvaluationRow> FindEvaluation(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<EvaluationRecord> ReadEvaluation(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The record of a row of the columns that ReadEvaluation asks for.
  absl::StatusOr<EvaluationRecord> ReadWhole(const Statement& row)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // kAlreadyExists for a taken name. Returns its id.
  absl::StatusOr<int64_t> InsertEvaluation(const v1::Evaluation& evaluation,
                                           v1::Evaluation::State state,
                                           const std::string& request_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status InsertTasks(int64_t evaluation, const std::vector<Task>& tasks)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends an unfinished evaluation; its leased tasks are open again, in case of a retry.
  absl::Status EndEvaluation(int64_t evaluation, v1::Evaluation::State state,
                             const std::optional<v1::Failure>& failure)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends an evaluation of which no task is to be done any more, unless it receives batches or ends
  // by SetDecision; how, if it did.
  absl::StatusOr<std::optional<End>> EndIfNothingIsLeft(int64_t evaluation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // In the order of the evaluation's conditions.
  absl::StatusOr<std::vector<v1::ConditionFailure>> FailedConditions(
      int64_t evaluation, const v1::Evaluation& conditions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<v1::Evaluation> ReadFixed(int64_t evaluation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether it ends by SetDecision.
  absl::StatusOr<bool> StopsWhenDecided(int64_t evaluation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Records a change of the evaluation that has no column of its own.
  absl::Status BumpRevision(int64_t evaluation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<TaskOutcomes> ReadTaskOutcomes(const std::string& evaluation, int64_t task)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // --- sql_task_queue.cc

  // The first of the wanted evaluations, in the order of urgency and id, beyond `after` that has a
  // task to claim.
  absl::StatusOr<std::optional<Work>> FindWork(int64_t now, const WorkFilter& filter,
                                               const Work& after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The first task of `work` that can be claimed; nullopt: others are claiming all that it has.
  absl::StatusOr<std::optional<Found>> FindTask(int64_t now, const Work& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A task of the wanted evaluations, of those of the model (full name, may be empty) first among
  // those of one urgency.
  absl::StatusOr<std::optional<Found>> FindClaimable(int64_t now, const WorkFilter& filter,
                                                     const std::string& prefer_model)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A task of that urgency, of the share whose turn it is.
  absl::StatusOr<std::optional<Found>> FindByTurns(int64_t now, int64_t urgency,
                                                   const std::string& device_kind,
                                                   const std::string& prefer_model)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tasks that were to wait until a time that is far ahead, since the clock has been set back, wait
  // no longer.
  absl::Status EndWaitsOfAnotherTime(int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<ClaimState> FindClaim(const ClaimedTask& claim)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The claim's state when it is current and wanted; kLeaseLost or kCancelled otherwise.
  absl::StatusOr<ClaimState> CheckClaim(const ClaimedTask& claim)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<int64_t> FindOrInsertFingerprint(const v1::NumericsFingerprint& numerics)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  const std::unique_ptr<Database> owned_database_;
  Database& db_ ABSL_GUARDED_BY(mutex_);
  std::string share_label_ ABSL_GUARDED_BY(mutex_);
  // Ids of rows that are committed, by their bytes, as of this connection; such a row is never
  // deleted.
  std::map<std::string, int64_t> fingerprints_ ABSL_GUARDED_BY(mutex_);
  int64_t fingerprints_connection_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SQL_JOB_STORE_H_
