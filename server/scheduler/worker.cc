#include "server/scheduler/worker.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "core/base/sample_order.h"
#include "core/conditions/condition.h"
#include "server/scheduler/checkpoint.h"
#include "server/scheduler/class_count.h"
#include "server/scheduler/reuse.h"

namespace assay::scheduler {
namespace {

namespace rpc = ::assay::engine_rpc::v1;
using SteadyClock = std::chrono::steady_clock;
constexpr auto kPollInterval = std::chrono::milliseconds(1000);
constexpr auto kStoreRetryInterval = std::chrono::milliseconds(2000);
// Of the waits between the attempts of a task.
constexpr double kWaitGrowth = 4;
constexpr double kLongestWait = 60;
// Attempts of a task whose engine is killed from outside, for each of one whose engine dies.
constexpr int kOutsideFactor = 3;
// How often an engine tells of finished samples: what it has told is not lost when it dies.
constexpr double kCheckpointEventSeconds = 1;

// What the store may get over: no room, a broken disk, a database that is away.
bool IsOfTheStore(std::optional<Reason> reason) {
  return reason == Reason::kStorageFull || reason == Reason::kStorageFailed ||
         reason == Reason::kUnavailable;
}

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// Renews a claim's lease in the background, until destroyed or refused.
class LeaseKeeper {
 public:
  LeaseKeeper(store::TaskQueue& queue, const store::ClaimedTask& claim, double lease_seconds)
      : queue_(queue), claim_(claim), lease_micros_(static_cast<int64_t>(lease_seconds * 1e6)) {
    thread_ = std::thread([this] { Loop(); });
  }
  ~LeaseKeeper() {
    {
      MutexLock lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  // How far the task is, to be told with the next renewal.
  void SetProgress(const store::TaskProgress& progress) {
    MutexLock lock(mutex_);
    progress_ = progress;
  }
  // OK while the lease is ours; then why not.
  absl::Status status() const {
    MutexLock lock(mutex_);
    return status_;
  }

 private:
  void Loop() {
    // Cancellation is noticed by renewing too, so renew often.
    const auto interval = std::chrono::milliseconds(
        std::min<int64_t>(1000, std::max<int64_t>(10, lease_micros_ / 3000)));
    while (true) {
      std::optional<store::TaskProgress> progress;
      {
        MutexLock lock(mutex_);
        if (lock.WaitFor(changed_, interval, [this] { return stop_; })) return;
        progress = progress_;
      }
      const absl::Status renewed = queue_.RenewLease(claim_, lease_micros_, progress);
      const auto reason = ReasonOf(renewed);
      // A store that fails for the moment does not end the work: the commit's fence decides.
      if (reason != Reason::kLeaseLost && reason != Reason::kCancelled) continue;
      MutexLock lock(mutex_);
      status_ = renewed;
      return;
    }
  }

  store::TaskQueue& queue_;
  const store::ClaimedTask claim_;
  const int64_t lease_micros_;
  mutable Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<store::TaskProgress> progress_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// Samples of the evaluation, or what a stream is taken to have: nobody knows before it ends.
int64_t SamplesOf(const v1::EvaluationSpec& spec, const v1::DatasetManifest& manifest) {
  constexpr int64_t kOfAStream = 1000;
  const int64_t all = spec.dataset().empty() ? kOfAStream : TotalSamples(manifest);
  return spec.limit() > 0 ? std::min(all, spec.limit()) : all;
}

// Positions in the dataset of a task whose samples are a range of the random order; ascending.
std::vector<int64_t> PositionsOf(const v1::EvaluationSpec& spec, int64_t samples,
                                 const store::Task& task) {
  const std::vector<int64_t> order = SampleOrder(spec.seed(), samples);
  const auto first = order.begin() + task.first_sample;
  std::vector<int64_t> positions(first, first + task.samples);
  std::sort(positions.begin(), positions.end());
  return positions;
}

// Adds outcomes of other tasks to those that the engine need not compute; how many were not there.
int64_t AddFound(const FoundOutcomes& found, rpc::RunRequest* request) {
  v1::OutcomeBatch& finished = *request->mutable_finished();
  std::set<int64_t> there;
  for (const v1::Outcome& outcome : finished.outcomes()) there.insert(outcome.sample());
  int64_t added = 0;
  for (const v1::Outcome& outcome : found.outcomes.outcomes()) {
    if (!there.insert(outcome.sample()).second) continue;
    *finished.add_outcomes() = outcome;
    ++added;
  }
  *request->mutable_finished_numerics() = found.numerics;
  return added;
}

// The chunks that hold the samples of a task, without where they lie. Their digests.
std::vector<std::string> AddChunks(const v1::DatasetManifest& manifest, rpc::RunRequest* request) {
  const auto& positions = request->positions();
  const auto holds = [&](int64_t first, int64_t end) {
    if (positions.empty()) {
      return end > request->first_sample() && first < request->first_sample() + request->samples();
    }
    const auto found = std::lower_bound(positions.begin(), positions.end(), first);
    return found != positions.end() && *found < end;
  };
  std::vector<std::string> digests;
  int64_t first = 0;
  for (const auto& chunk : manifest.chunks()) {
    const int64_t end = first + chunk.samples();
    if (holds(first, end)) {
      rpc::RunRequest::Chunk* wanted = request->add_chunks();
      digests.push_back(chunk.digest());
      wanted->set_first_sample(first);
      wanted->set_samples(chunk.samples());
    }
    first = end;
  }
  return digests;
}

}  // namespace

Worker::Worker(WorkerOptions options, store::JobStore& store, store::BlobStore& blobs,
               EnginePool& pool, Hub& hub, monitoring::Metrics& metrics)
    : options_(std::move(options)),
      store_(store),
      blobs_(blobs),
      pool_(pool),
      hub_(hub),
      metrics_(metrics),
      thread_([this] { Loop(); }) {}

Worker::~Worker() {
  Stop();
  thread_.join();
}

void Worker::Stop() {
  stopping_ = true;
  hub_.NotifyWork();
}

void Worker::Loop() {
  while (!stopping_) {
    metrics_.SetWorkerState(options_.device, monitoring::WorkerState::kIdle);
    // Before it is let in: a drain that comes after that is to be noticed.
    if (options_.control != nullptr) releases_ = options_.control->releases();
    if (options_.control == nullptr || options_.control->BeginClaim(options_.device)) {
      DoNext();
    } else {
      hub_.WaitForWork(kPollInterval, &work_seen_);
    }
  }
  metrics_.RemoveWorker(options_.device);
}

void Worker::DoNext() {
  auto claim = store_.ClaimTask(options_.owner, static_cast<int64_t>(options_.lease_seconds * 1e6),
                                last_model_, pool_.KindOf(options_.device));
  const bool claimed = claim.ok() && claim->has_value();
  if (!claim.ok()) LogWarning("cannot claim a task", {{"error", claim.status().message()}});
  absl::Status status;
  if (claimed) {
    const store::ClaimedTask& task = **claim;
    hub_.NotifyChanged(task.task.evaluation);
    status = Execute(task);
    hub_.ClearRunning(task.task.evaluation, task.task.id);
    if (!status.ok()) HandleFailure(task, status);
    hub_.NotifyChanged(task.task.evaluation);
  }
  if (options_.control != nullptr) {
    options_.control->EndTask(options_.device, claimed && status.ok());
  }
  if (!claimed) hub_.WaitForWork(kPollInterval, &work_seen_);
}

bool Worker::GivesBack() const {
  return stopping_ || (options_.control != nullptr && options_.control->releases() != releases_);
}

absl::Status Worker::Execute(const store::ClaimedTask& claim) {
  const auto start = SteadyClock::now();
  stage_ = Stage::kPrepared;
  std::optional<EnergyMeter::Share> energy;
  if (options_.energy != nullptr) energy.emplace(*options_.energy);
  const auto joules = [&] { return energy ? energy->Joules() : std::nullopt; };
  const store::Task& task = claim.task;
  LeaseKeeper lease(store_, claim, options_.lease_seconds);
  ASSAY_ASSIGN_OR_RETURN(const auto evaluation, store_.GetEvaluation(task.evaluation));
  const v1::EvaluationSpec& spec = evaluation.proto.spec();
  ASSAY_ASSIGN_OR_RETURN(const auto model, store_.GetModel(spec.model()));
  v1::DatasetManifest manifest;
  if (spec.dataset().empty()) {
    ASSAY_ASSIGN_OR_RETURN(manifest, store_.GetStreamManifest(task.evaluation));
  } else {
    ASSAY_ASSIGN_OR_RETURN(auto dataset, store_.GetDataset(spec.dataset()));
    manifest.Swap(dataset.mutable_manifest());
  }
  const v1::Condition& condition = evaluation.proto.conditions(task.condition);

  if (options_.control != nullptr) {
    WorkControl::RunningTask running;
    running.task = task.id;
    running.evaluation = task.evaluation;
    running.condition = condition.id();
    running.model = spec.model();
    running.first_sample = task.first_sample;
    running.samples = task.samples;
    running.attempt = claim.attempt;
    options_.control->BeginTask(options_.device, running, evaluation.proto.progress().work_done());
  }

  last_model_ = spec.model();
  const auto unwanted = [&] { return GivesBack() || !lease.status().ok(); };
  metrics_.SetWorkerState(options_.device, monitoring::WorkerState::kLoading);
  // The pool wants it, too, and would give up sooner.
  const auto model_file = Fetch(task.evaluation, {model.digest()}, unwanted);
  // A refused lease says more than that something was cancelled.
  ASSAY_RETURN_IF_ERROR(lease.status());
  ASSAY_RETURN_IF_ERROR(model_file.status());
  auto engine = pool_.Acquire(options_.device, model, manifest.shape(), unwanted);
  ASSAY_RETURN_IF_ERROR(lease.status());
  ASSAY_RETURN_IF_ERROR(engine.status());
  metrics_.SetWorkerState(options_.device, monitoring::WorkerState::kWorking);
  // When the evaluation was created, the model may not have been looked at yet.
  ASSAY_RETURN_IF_ERROR(
      CheckClassCount(manifest, engine->validation().num_classes(), spec.allow_missing_classes()));

  rpc::RunRequest request;
  *request.mutable_condition() = condition;
  request.set_seed(spec.seed());
  request.set_first_sample(task.first_sample);
  request.set_samples(task.samples);
  request.set_pixel_type(manifest.pixel_type());
  TaskContent content{model.digest(),
                      {},
                      condition,
                      spec.seed(),
                      manifest,
                      engine->validation(),
                      SamplesOf(spec, manifest),
                      task};
  if (spec.has_stop_when_decided()) {
    content.positions = PositionsOf(spec, content.evaluation_samples, task);
    request.mutable_positions()->Add(content.positions.begin(), content.positions.end());
  }
  std::vector<std::string> digests = AddChunks(manifest, &request);
  for (const std::string& id : OtherModels(condition)) {
    ASSAY_ASSIGN_OR_RETURN(const auto other, store_.GetModel(ResourceName(kModels, id)));
    digests.push_back(other.digest());
    content.others.push_back(other);
  }
  // They stay on this machine until the task has ended.
  const auto files = Fetch(task.evaluation, digests, unwanted);
  ASSAY_RETURN_IF_ERROR(lease.status());
  ASSAY_RETURN_IF_ERROR(files.status());
  metrics_.SetWorkerState(options_.device, monitoring::WorkerState::kWorking);
  for (int i = 0; i < static_cast<int>(files->size()); ++i) {
    const std::string& path = (*files)[static_cast<size_t>(i)].path();
    if (i < request.chunks_size()) {
      request.mutable_chunks(i)->set_path(path);
    } else {
      request.add_other_model_paths(path);
    }
  }
  request.set_keep_adversarials(spec.keep_adversarials());
  request.set_keep_probabilities(spec.keep_probabilities());
  request.set_keep_features(spec.keep_features());
  request.set_evaluation_samples(content.evaluation_samples);

  const bool keeps =
      spec.keep_adversarials() || spec.keep_probabilities() || !spec.keep_features().empty();
  ASSAY_ASSIGN_OR_RETURN(auto checkpoint, Checkpoint::Open(store_, claim, joules));
  if (!keeps) {
    request.set_checkpoint_seconds(std::min(kCheckpointEventSeconds, options_.checkpoint_seconds));
    if (const store::TaskCheckpoint* const earlier = checkpoint.earlier()) {
      *request.mutable_finished()->mutable_outcomes() = earlier->outcomes.outcomes();
      *request.mutable_finished_numerics() = earlier->numerics;
      LogInfo("a task goes on from its checkpoint",
              {{"evaluation", task.evaluation},
               {"task", task.id},
               {"samples_there", int64_t{earlier->outcomes.outcomes_size()}},
               {"samples", int64_t{task.samples}},
               {"attempt", claim.attempt}});
    }
  }
  const std::optional<ContentKeys> keys = KeysOf(content);
  std::optional<FoundOutcomes> found;
  if (keys && !keeps && !spec.no_cache()) {
    ASSAY_ASSIGN_OR_RETURN(
        found, FindOutcomes(store_, content, *keys,
                            checkpoint.earlier() ? &checkpoint.earlier()->numerics : nullptr));
  }
  // Samples that are taken over from other tasks.
  int64_t reused = found ? AddFound(*found, &request) : 0;

  v1::OutcomeBatch outcomes;
  KeptBytes kept;
  rpc::RunEvent::Done done;
  std::atomic<int64_t> events = 0;
  std::atomic<bool> stalled = false;
  auto stored = SteadyClock::now();
  const auto store_checkpoint = [&] {
    stored = SteadyClock::now();
    const absl::Status status = checkpoint.Store();
    const auto reason = ReasonOf(status);
    // Of a claim that is lost or not wanted any more the lease tells.
    if (status.ok() || reason == Reason::kLeaseLost || reason == Reason::kCancelled) return;
    LogWarning("cannot store a checkpoint",
               {{"evaluation", task.evaluation}, {"task", task.id}, {"error", status.message()}});
  };
  const auto on_event = [&](const rpc::RunEvent& event) {
    ++events;
    if (event.has_progress()) {
      const store::TaskProgress progress{event.progress().samples_done(),
                                         event.progress().fraction() * task.work};
      lease.SetProgress(progress);
      hub_.SetRunning(task.evaluation, task.id,
                      {progress.samples_done, progress.work_done, condition.id()});
      if (options_.control != nullptr) {
        options_.control->UpdateTask(options_.device, event.progress().samples_done(),
                                     event.progress().fraction());
      }
    } else if (event.has_outcomes()) {
      outcomes.MergeFrom(event.outcomes());
    } else if (event.has_adversarials()) {
      kept.Add(event.adversarials(), &outcomes);
    } else if (event.has_vectors()) {
      kept.Add(event.vectors(), &outcomes);
    } else if (event.has_checkpoint()) {
      checkpoint.Add(event.checkpoint());
      if (SecondsSince(stored) >= options_.checkpoint_seconds) store_checkpoint();
    } else if (event.has_done()) {
      done = event.done();
    }
  };
  // Called several times a second. Time in which it was not, because the process was frozen or its
  // machine asleep, is nobody's silence.
  constexpr double kLongestPoll = 1;
  int64_t seen = 0;
  auto last_poll = SteadyClock::now();
  double silent = 0;
  const auto cancelled = [&] {
    const double passed = std::min(SecondsSince(last_poll), kLongestPoll);
    last_poll = SteadyClock::now();
    const int64_t now_seen = events;
    silent = now_seen == seen ? silent + passed : 0;
    seen = now_seen;
    if (silent > options_.stall_seconds) stalled = true;
    return stalled || unwanted();
  };
  if (const int there = request.finished().outcomes_size(); there > 0) {
    hub_.SetRunning(task.evaluation, task.id,
                    {there, task.work * there / task.samples, condition.id()});
  }
  if (options_.control != nullptr) options_.control->BeginRun(options_.device);
  stage_ = Stage::kRun;
  absl::Status run;
  if (found && found->whole) {
    outcomes.Swap(&found->outcomes);
    *done.mutable_numerics() = found->numerics;
    reused = task.samples;
  } else {
    run = engine->process().Run(request, on_event, cancelled, options_.cancel_grace_seconds);
    if (!done.used_finished()) reused = 0;
  }
  if (ReasonOf(run) == Reason::kEngineLost && engine->process().WasKilledFromOutside()) {
    stage_ = Stage::kEngineKilledFromOutside;
  }
  // Whoever goes on with it has what is there, whatever ended this run.
  if (!run.ok()) store_checkpoint();
  if (stalled) {
    stage_ = Stage::kStalled;
    return Error(Reason::kModelFailed,
                 absl::StrCat("the model made no progress for ", options_.stall_seconds,
                              " s under ", condition.id(), " and was stopped"));
  }
  ASSAY_RETURN_IF_ERROR(lease.status());
  ASSAY_RETURN_IF_ERROR(run);
  if (outcomes.outcomes_size() != task.samples) {
    return Error(Reason::kInternal, absl::StrCat("the engine returned ", outcomes.outcomes_size(),
                                                 " outcomes for ", task.samples, " samples"));
  }
  if (!found || !found->whole) checkpoint.TurnTo(done.numerics());
  const Effort effort =
      checkpoint.Total({done.passes(), done.model_seconds(), done.other_seconds(), joules()});
  *outcomes.mutable_passes() = effort.passes;
  const auto commit_start = SteadyClock::now();
  ASSAY_RETURN_IF_ERROR(kept.Finish(outcomes));
  ASSAY_RETURN_IF_ERROR(
      Commit(claim, kept, &outcomes, done.numerics(),
             {ASSAY_VERSION, effort.model_seconds, effort.other_seconds, effort.energy_joules,
              reused, keys ? keys->own : std::vector<store::ContentRange>()}));
  metrics_.CountTask(condition.family(), SecondsSince(start), task.samples, done.passes());
  metrics_.CountReused(condition.family(), reused);
  metrics_.AddPhaseSeconds("model", done.model_seconds());
  metrics_.AddPhaseSeconds("around_model", done.other_seconds());
  metrics_.AddPhaseSeconds("commit", SecondsSince(commit_start));
  if (options_.after_commit == nullptr) return absl::OkStatus();
  return Persist(task.evaluation, [&] { return options_.after_commit(task.evaluation); });
}

absl::Status Worker::Commit(const store::ClaimedTask& claim, const KeptBytes& kept,
                            v1::OutcomeBatch* outcomes, const v1::NumericsFingerprint& numerics,
                            const store::TaskEffort& effort) {
  const std::string holder = absl::StrCat(options_.owner, " ", claim.task.id, " ", claim.fence);
  const auto store = [&]() -> absl::Status {
    std::vector<std::string> digests;
    const auto put = [&](const std::string& bytes, std::string* digest) -> absl::Status {
      ASSAY_ASSIGN_OR_RETURN(*digest, blobs_.Put(bytes, holder));
      digests.push_back(*digest);
      return absl::OkStatus();
    };
    absl::Status status = kept.Put(put, outcomes);
    if (status.ok()) status = store_.CommitTask(claim, *outcomes, numerics, effort);
    // Of a refused commit too: the blobs are swept up, or brought again.
    blobs_.Settle(digests, holder);
    return status;
  };
  return Persist(claim.task.evaluation, store);
}

absl::Status Worker::Persist(const std::string& evaluation,
                             const std::function<absl::Status()>& store) {
  while (true) {
    const absl::Status status = store();
    if (stopping_ || !IsOfTheStore(ReasonOf(status))) return status;
    // Computed outcomes are too dear to drop: wait for room.
    LogWarning("cannot store outcomes, trying again",
               {{"evaluation", evaluation}, {"error", status.message()}});
    metrics_.SetWorkerState(options_.device, monitoring::WorkerState::kBlocked);
    hub_.WaitForWork(kStoreRetryInterval, &work_seen_);
  }
}

absl::StatusOr<std::vector<store::LocalBlob>> Worker::Fetch(const std::string& evaluation,
                                                            const std::vector<std::string>& digests,
                                                            const std::function<bool()>& unwanted) {
  while (true) {
    auto files = blobs_.FetchAll(digests, unwanted);
    const auto reason = ReasonOf(files.status());
    if (reason == Reason::kChunkMissing) {
      return Error(Reason::kStorageFailed,
                   absl::StrCat("what the task needs is lost: ", files.status().message()))
          .ToStatus();
    }
    // What is away comes back, and room may; no attempt of the task is lost for that.
    if (unwanted() || (reason != Reason::kUnavailable && reason != Reason::kStorageFull)) {
      return files;
    }
    LogWarning("cannot fetch what a task needs, trying again",
               {{"evaluation", evaluation}, {"error", files.status().message()}});
    metrics_.SetWorkerState(options_.device, monitoring::WorkerState::kBlocked);
    hub_.WaitForWork(kStoreRetryInterval, &work_seen_);
  }
}

void Worker::HandleFailure(const store::ClaimedTask& claim, const absl::Status& status) {
  const auto reason = ReasonOf(status).value_or(Reason::kInternal);
  const std::string& evaluation = claim.task.evaluation;
  if (GivesBack()) {
    // Nobody's fault; whoever claims it next starts it again.
    store_.ReleaseTask(claim, /*count_attempt=*/false, /*wait_micros=*/0).IgnoreError();
    return;
  }
  if (reason == Reason::kLeaseLost) metrics_.CountLostLease();
  if (reason == Reason::kCancelled || reason == Reason::kLeaseLost) return;
  const bool retry = reason == Reason::kEngineLost || IsOfTheStore(reason);
  if (reason == Reason::kEngineLost) metrics_.CountEngineRestart("died_at_work");
  // A database or blobs that are away, or a disk that is full, are no fault of the task's, however
  // often. An engine that misses a file does not know why.
  const bool passes = reason == Reason::kUnavailable || reason == Reason::kStorageFull ||
                      (reason == Reason::kStorageFailed && !blobs_.Probe().ok());
  const int attempts = stage_ == Stage::kEngineKilledFromOutside
                           ? kOutsideFactor * options_.max_attempts
                           : options_.max_attempts;
  const bool again = retry && (passes || claim.attempt < attempts);
  const double wait =
      std::min(kLongestWait, options_.retry_wait_seconds *
                                 (passes ? 1 : std::pow(kWaitGrowth, claim.attempt - 1)));
  LogWarning(again ? "task failed and is tried again" : "task failed",
             {{"evaluation", evaluation},
              {"task", claim.task.id},
              {"first_sample", claim.task.first_sample},
              {"samples", int64_t{claim.task.samples}},
              {"attempt", claim.attempt},
              {"attempts", attempts},
              {"model", last_model_},
              {"device", options_.device},
              {"reason", ReasonName(reason)},
              {"error", status.message()},
              {"wait_seconds", again ? absl::StrCat(wait) : ""}});
  if (again) {
    store_.ReleaseTask(claim, /*count_attempt=*/!passes, static_cast<int64_t>(wait * 1e6))
        .IgnoreError();
    return;
  }
  if (reason == Reason::kEngineLost && stage_ == Stage::kRun && Splits(claim)) {
    // One attempt for each part: the one without the sample that kills the engine passes.
    LogWarning("task is split, to find the sample at which the model's process dies",
               {{"evaluation", evaluation}, {"task", claim.task.id}});
    const absl::Status split = store_.SplitTask(claim, options_.max_attempts - 1);
    if (split.ok()) return;
    LogWarning("cannot split a task", {{"evaluation", evaluation}, {"error", split.message()}});
  }
  v1::Failure failure;
  failure.set_reason(std::string(ReasonName(reason)));
  const int64_t first = claim.task.first_sample;
  const int64_t last = first + claim.task.samples - 1;
  failure.set_message(
      retry ? absl::StrCat(PublicText(status), "; given up after ", claim.attempt, " attempts at ",
                           first == last ? absl::StrCat("sample ", first, " alone")
                                         : absl::StrCat("samples ", first, " to ", last),
                           ", the other tasks are kept and a retry continues")
            : PublicText(status));
  const absl::Status failed = Fail(claim, failure);
  if (!failed.ok()) {
    LogWarning("cannot fail an evaluation",
               {{"evaluation", evaluation}, {"error", failed.message()}});
  }
}

bool Worker::Splits(const store::ClaimedTask& claim) {
  if (claim.task.samples < 2) return false;
  const auto evaluation = store_.GetEvaluation(claim.task.evaluation);
  return evaluation.ok() && !NeedsWholeDataset(evaluation->proto.conditions(claim.task.condition));
}

absl::Status Worker::Fail(const store::ClaimedTask& claim, const v1::Failure& failure) {
  const std::string& name = claim.task.evaluation;
  ASSAY_ASSIGN_OR_RETURN(const auto evaluation, store_.GetEvaluation(name));
  // Where not even one task has ever succeeded, it is hardly the condition; a model that hangs
  // under one hangs under the next, for as long; and gates are decided by all conditions together.
  const bool condition_alone =
      (stage_ == Stage::kRun || stage_ == Stage::kEngineKilledFromOutside) &&
      evaluation.proto.progress().tasks_done() > 0 &&
      !evaluation.proto.spec().has_stop_when_decided();
  return condition_alone ? store_.GiveUpCondition(claim, failure)
                         : store_.FailEvaluation(name, failure);
}

}  // namespace assay::scheduler
