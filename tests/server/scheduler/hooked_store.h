// A JobStore in front of another one, in whose calls a test can get in between: to make them fail,
// or to do something first.
#ifndef ASSAY_TESTS_SERVER_SCHEDULER_HOOKED_STORE_H_
#define ASSAY_TESTS_SERVER_SCHEDULER_HOOKED_STORE_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "core/base/mutex.h"
#include "server/store/job_store.h"

namespace assay::store {

class HookedStore final : public JobStore {
 public:
  explicit HookedStore(JobStore& store) : store_(store) {}

  // Called with the name of every method, such as "CommitTask", before the call goes on; an error
  // is the call's result. It may call the store behind this one.
  using Hook = std::function<absl::Status(const std::string& method)>;

  // A hook is in place as long as this lives; it is not running any more when this is gone.
  class Scope {
   public:
    ~Scope() { store_.Remove(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    friend class HookedStore;
    explicit Scope(HookedStore& store) : store_(store) {}
    HookedStore& store_;
  };

  // One hook at a time.
  [[nodiscard]] Scope Install(Hook hook) {
    MutexLock lock(mutex_);
    hook_ = std::move(hook);
    return Scope(*this);
  }

  absl::StatusOr<v1::Model> CreateModel(const v1::Model& model, const std::string& request_id,
                                        const Owner& owner) override {
    ASSAY_RETURN_IF_ERROR(Before("CreateModel"));
    return store_.CreateModel(model, request_id, owner);
  }
  absl::StatusOr<v1::Model> GetModel(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("GetModel"));
    return store_.GetModel(name);
  }
  absl::StatusOr<Listing<v1::Model>> ListModels(const Page& page, const Labels& labels) override {
    ASSAY_RETURN_IF_ERROR(Before("ListModels"));
    return store_.ListModels(page, labels);
  }
  absl::Status DeleteModel(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("DeleteModel"));
    return store_.DeleteModel(name);
  }
  absl::Status SetModelValidation(const std::string& name,
                                  const v1::ModelValidation& validation) override {
    ASSAY_RETURN_IF_ERROR(Before("SetModelValidation"));
    return store_.SetModelValidation(name, validation);
  }
  absl::Status SetModelLabels(const std::string& name, const Labels& labels) override {
    ASSAY_RETURN_IF_ERROR(Before("SetModelLabels"));
    return store_.SetModelLabels(name, labels);
  }
  absl::StatusOr<std::optional<v1::NumericsFingerprint>> GetNumerics(
      const std::string& key) override {
    ASSAY_RETURN_IF_ERROR(Before("GetNumerics"));
    return store_.GetNumerics(key);
  }
  absl::StatusOr<v1::NumericsFingerprint> SetNumerics(
      const std::string& key, const v1::NumericsFingerprint& numerics) override {
    ASSAY_RETURN_IF_ERROR(Before("SetNumerics"));
    return store_.SetNumerics(key, numerics);
  }
  absl::StatusOr<v1::Dataset> CreateDataset(const v1::Dataset& dataset,
                                            const std::string& request_id,
                                            const Owner& owner) override {
    ASSAY_RETURN_IF_ERROR(Before("CreateDataset"));
    return store_.CreateDataset(dataset, request_id, owner);
  }
  absl::StatusOr<v1::Dataset> GetDataset(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("GetDataset"));
    return store_.GetDataset(name);
  }
  absl::StatusOr<Listing<v1::Dataset>> ListDatasets(const Page& page) override {
    ASSAY_RETURN_IF_ERROR(Before("ListDatasets"));
    return store_.ListDatasets(page);
  }
  absl::Status DeleteDataset(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("DeleteDataset"));
    return store_.DeleteDataset(name);
  }
  absl::Status KeepStatistics(const std::vector<ChunkStatistics>& statistics) override {
    ASSAY_RETURN_IF_ERROR(Before("KeepStatistics"));
    return store_.KeepStatistics(statistics);
  }
  absl::StatusOr<std::optional<std::string>> GetStatistics(const std::string& chunk,
                                                           const std::string& layout) override {
    ASSAY_RETURN_IF_ERROR(Before("GetStatistics"));
    return store_.GetStatistics(chunk, layout);
  }
  absl::StatusOr<int64_t> BytesOf(const std::string& owner) override {
    ASSAY_RETURN_IF_ERROR(Before("BytesOf"));
    return store_.BytesOf(owner);
  }
  absl::StatusOr<std::vector<std::string>> BlobsInUse() override {
    ASSAY_RETURN_IF_ERROR(Before("BlobsInUse"));
    return store_.BlobsInUse();
  }
  absl::StatusOr<bool> ReleaseSpace() override {
    ASSAY_RETURN_IF_ERROR(Before("ReleaseSpace"));
    return store_.ReleaseSpace();
  }
  absl::StatusOr<EvaluationRecord> CreateEvaluation(const v1::Evaluation& evaluation,
                                                    const std::vector<Task>& tasks,
                                                    const std::string& request_id) override {
    ASSAY_RETURN_IF_ERROR(Before("CreateEvaluation"));
    return store_.CreateEvaluation(evaluation, tasks, request_id);
  }
  absl::StatusOr<std::optional<EvaluationRecord>> FindCreatedEvaluation(
      const std::string& request_id) override {
    ASSAY_RETURN_IF_ERROR(Before("FindCreatedEvaluation"));
    return store_.FindCreatedEvaluation(request_id);
  }
  absl::StatusOr<EvaluationRecord> GetEvaluation(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("GetEvaluation"));
    return store_.GetEvaluation(name);
  }
  absl::StatusOr<Listing<EvaluationRecord>> ListEvaluations(
      const Page& page, const EvaluationFilter& filter) override {
    ASSAY_RETURN_IF_ERROR(Before("ListEvaluations"));
    return store_.ListEvaluations(page, filter);
  }
  absl::StatusOr<EvaluationRecord> CancelEvaluation(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("CancelEvaluation"));
    return store_.CancelEvaluation(name);
  }
  absl::StatusOr<EvaluationRecord> RetryEvaluation(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("RetryEvaluation"));
    return store_.RetryEvaluation(name);
  }
  absl::Status FailEvaluation(const std::string& name, const v1::Failure& failure) override {
    ASSAY_RETURN_IF_ERROR(Before("FailEvaluation"));
    return store_.FailEvaluation(name, failure);
  }
  absl::StatusOr<std::vector<std::string>> EndOverdue() override {
    ASSAY_RETURN_IF_ERROR(Before("EndOverdue"));
    return store_.EndOverdue();
  }
  absl::StatusOr<std::optional<int64_t>> FirstMissingSample(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("FirstMissingSample"));
    return store_.FirstMissingSample(name);
  }
  absl::Status SetDecision(const std::string& name, const v1::Decision& decision,
                           bool ends) override {
    ASSAY_RETURN_IF_ERROR(Before("SetDecision"));
    return store_.SetDecision(name, decision, ends);
  }
  absl::Status DeleteEvaluation(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("DeleteEvaluation"));
    return store_.DeleteEvaluation(name);
  }
  absl::StatusOr<OutcomeReader> ReadOutcomes(const std::string& name,
                                             const std::set<int>& conditions) override {
    ASSAY_RETURN_IF_ERROR(Before("ReadOutcomes"));
    return store_.ReadOutcomes(name, conditions);
  }
  absl::StatusOr<std::vector<ContentPlace>> FindContent(
      const std::vector<std::string>& keys) override {
    ASSAY_RETURN_IF_ERROR(Before("FindContent"));
    return store_.FindContent(keys);
  }
  absl::StatusOr<std::optional<TaskOutcomes>> ReadContent(int64_t task) override {
    ASSAY_RETURN_IF_ERROR(Before("ReadContent"));
    return store_.ReadContent(task);
  }
  absl::StatusOr<std::map<std::string, int64_t>> CountEvaluations() override {
    ASSAY_RETURN_IF_ERROR(Before("CountEvaluations"));
    return store_.CountEvaluations();
  }
  absl::StatusOr<std::map<std::string, int64_t>> CountTasks() override {
    ASSAY_RETURN_IF_ERROR(Before("CountTasks"));
    return store_.CountTasks();
  }
  absl::StatusOr<std::optional<int64_t>> OldestOpenTaskMicros() override {
    ASSAY_RETURN_IF_ERROR(Before("OldestOpenTaskMicros"));
    return store_.OldestOpenTaskMicros();
  }
  absl::StatusOr<v1::DatasetManifest> GetStreamManifest(const std::string& evaluation) override {
    ASSAY_RETURN_IF_ERROR(Before("GetStreamManifest"));
    return store_.GetStreamManifest(evaluation);
  }
  absl::StatusOr<EvaluationRecord> CreateStream(const v1::Evaluation& evaluation,
                                                const v1::DatasetManifest& manifest) override {
    ASSAY_RETURN_IF_ERROR(Before("CreateStream"));
    return store_.CreateStream(evaluation, manifest);
  }
  absl::Status AppendStreamChunk(const std::string& evaluation, int64_t index,
                                 const v1::DatasetManifest::Chunk& chunk,
                                 const std::vector<Task>& tasks) override {
    ASSAY_RETURN_IF_ERROR(Before("AppendStreamChunk"));
    return store_.AppendStreamChunk(evaluation, index, chunk, tasks);
  }
  absl::Status FinishStream(const std::string& evaluation, const std::string& dataset,
                            const std::vector<store::Task>& tasks) override {
    ASSAY_RETURN_IF_ERROR(Before("FinishStream"));
    return store_.FinishStream(evaluation, dataset, tasks);
  }
  absl::StatusOr<std::optional<ClaimedTask>> ClaimTask(const std::string& owner,
                                                       int64_t lease_micros,
                                                       const std::string& prefer_model,
                                                       const std::string& device_kind) override {
    ASSAY_RETURN_IF_ERROR(Before("ClaimTask"));
    return store_.ClaimTask(owner, lease_micros, prefer_model, device_kind);
  }
  absl::Status RenewLease(const ClaimedTask& claim, int64_t lease_micros,
                          const std::optional<TaskProgress>& progress) override {
    ASSAY_RETURN_IF_ERROR(Before("RenewLease"));
    return store_.RenewLease(claim, lease_micros, progress);
  }
  absl::Status CommitTask(const ClaimedTask& claim, const v1::OutcomeBatch& outcomes,
                          const v1::NumericsFingerprint& numerics,
                          const TaskEffort& effort) override {
    ASSAY_RETURN_IF_ERROR(Before("CommitTask"));
    return store_.CommitTask(claim, outcomes, numerics, effort);
  }
  absl::Status AddToCheckpoint(const ClaimedTask& claim, const TaskCheckpoint& part) override {
    ASSAY_RETURN_IF_ERROR(Before("AddToCheckpoint"));
    return store_.AddToCheckpoint(claim, part);
  }
  absl::StatusOr<std::optional<TaskCheckpoint>> ReadCheckpoint(const ClaimedTask& claim) override {
    ASSAY_RETURN_IF_ERROR(Before("ReadCheckpoint"));
    return store_.ReadCheckpoint(claim);
  }
  absl::Status ReleaseTask(const ClaimedTask& claim, bool count_attempt,
                           int64_t wait_micros) override {
    ASSAY_RETURN_IF_ERROR(Before("ReleaseTask"));
    return store_.ReleaseTask(claim, count_attempt, wait_micros);
  }
  absl::Status SplitTask(const ClaimedTask& claim, int attempts) override {
    ASSAY_RETURN_IF_ERROR(Before("SplitTask"));
    return store_.SplitTask(claim, attempts);
  }
  absl::Status GiveUpCondition(const ClaimedTask& claim, const v1::Failure& failure) override {
    ASSAY_RETURN_IF_ERROR(Before("GiveUpCondition"));
    return store_.GiveUpCondition(claim, failure);
  }
  void ShareBy(const std::string& label) override { store_.ShareBy(label); }

  absl::Status RegisterInstance(const std::string& name, int64_t forget_micros) override {
    ASSAY_RETURN_IF_ERROR(Before("RegisterInstance"));
    return store_.RegisterInstance(name, forget_micros);
  }
  absl::Status UpdateInstance(const std::string& name, const v1::ServerStatus& status,
                              const v1::ListModelsResponse& models) override {
    ASSAY_RETURN_IF_ERROR(Before("UpdateInstance"));
    return store_.UpdateInstance(name, status, models);
  }
  absl::Status RemoveInstance(const std::string& name) override {
    ASSAY_RETURN_IF_ERROR(Before("RemoveInstance"));
    return store_.RemoveInstance(name);
  }
  absl::StatusOr<std::vector<InstanceRecord>> ListInstances(int64_t silent_micros) override {
    ASSAY_RETURN_IF_ERROR(Before("ListInstances"));
    return store_.ListInstances(silent_micros);
  }
  absl::StatusOr<int64_t> AddOrder(const InstanceOrder& order) override {
    ASSAY_RETURN_IF_ERROR(Before("AddOrder"));
    return store_.AddOrder(order);
  }
  absl::StatusOr<std::vector<InstanceOrder>> ListOrders(const std::string& instance) override {
    ASSAY_RETURN_IF_ERROR(Before("ListOrders"));
    return store_.ListOrders(instance);
  }
  absl::Status RemoveOrder(int64_t id) override {
    ASSAY_RETURN_IF_ERROR(Before("RemoveOrder"));
    return store_.RemoveOrder(id);
  }
  absl::StatusOr<Pause> PauseClaims(const std::string& reason) override {
    ASSAY_RETURN_IF_ERROR(Before("PauseClaims"));
    return store_.PauseClaims(reason);
  }
  absl::Status ResumeClaims() override {
    ASSAY_RETURN_IF_ERROR(Before("ResumeClaims"));
    return store_.ResumeClaims();
  }
  absl::StatusOr<std::optional<Pause>> GetPause() override {
    ASSAY_RETURN_IF_ERROR(Before("GetPause"));
    return store_.GetPause();
  }

 private:
  void Remove() {
    MutexLock lock(mutex_);
    hook_ = nullptr;
    lock.Wait(changed_, [this] { return running_ == 0; });
  }

  absl::Status Before(const std::string& method) {
    Hook hook;
    {
      MutexLock lock(mutex_);
      if (!hook_) return absl::OkStatus();
      hook = hook_;
      ++running_;
    }
    absl::Status status = hook(method);
    {
      MutexLock lock(mutex_);
      --running_;
    }
    changed_.notify_all();
    return status;
  }

  JobStore& store_;
  Mutex mutex_;
  std::condition_variable changed_;
  Hook hook_ ABSL_GUARDED_BY(mutex_);
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace assay::store

#endif  // ASSAY_TESTS_SERVER_SCHEDULER_HOOKED_STORE_H_
