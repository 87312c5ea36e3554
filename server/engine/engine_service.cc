#include "server/engine/engine_service.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "net/grpc_status.h"
#include "server/engine/base/task.h"
#include "server/engine/chunk_source.h"
#include "server/engine/kept_vectors.h"
#include "server/engine/run_task.h"

namespace assay::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;
// About what an event of kept images or vectors has.
constexpr size_t kEventBytes = 2 << 20;

// Passes progress on, at most ten times a second, and outcomes of finished samples now and then.
class StreamObserver final : public TaskObserver {
 public:
  // Writes the numerics and what the run has taken so far; called on any lane.
  using Describe = std::function<void(rpc::RunEvent::Checkpoint* checkpoint)>;

  // `checkpoint_seconds` 0: outcomes are not passed on.
  StreamObserver(grpc::ServerContext* context, grpc::ServerWriter<rpc::RunEvent>* writer,
                 double checkpoint_seconds, Describe describe)
      : context_(context),
        writer_(writer),
        checkpoint_seconds_(checkpoint_seconds),
        describe_(std::move(describe)) {}

  void OnProgress(int64_t samples_done, double fraction) override {
    const auto now = SteadyClock::now();
    if (now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    rpc::RunEvent event;
    event.mutable_progress()->set_samples_done(samples_done);
    event.mutable_progress()->set_fraction(fraction);
    writer_->Write(event);
    if (finished_.outcomes_size() == 0 ||
        std::chrono::duration<double>(now - last_checkpoint_).count() < checkpoint_seconds_) {
      return;
    }
    last_checkpoint_ = now;
    event.mutable_checkpoint()->mutable_outcomes()->Swap(&finished_);
    finished_.Clear();
    describe_(event.mutable_checkpoint());
    writer_->Write(event);
  }

  void OnOutcome(const v1::Outcome& outcome) override {
    if (checkpoint_seconds_ > 0) *finished_.add_outcomes() = outcome;
  }

  bool Cancelled() override { return context_->IsCancelled(); }

  // The task starts again.
  void StartAgain() { finished_.Clear(); }

 private:
  grpc::ServerContext* const context_;
  grpc::ServerWriter<rpc::RunEvent>* const writer_;
  const double checkpoint_seconds_;
  const Describe describe_;
  SteadyClock::time_point last_{}, last_checkpoint_ = SteadyClock::now();
  // Since the last checkpoint.
  v1::OutcomeBatch finished_;
};

// The passes of `usage`.
v1::PassCounts PassesOf(const Classifier::Usage& usage) {
  v1::PassCounts passes;
  passes.set_forwards(usage.forward_images);
  passes.set_needed_forwards(usage.needed_forwards);
  passes.set_backwards(usage.backward_images);
  passes.set_needed_backwards(usage.needed_backwards);
  return passes;
}

// Streams kept examples in the order of the dataset, a few megabytes at a time.
void WriteKept(std::vector<KeptExample> kept, grpc::ServerWriter<rpc::RunEvent>* writer) {
  std::sort(kept.begin(), kept.end(),
            [](const KeptExample& a, const KeptExample& b) { return a.sample < b.sample; });
  rpc::RunEvent event;
  for (const KeptExample& example : kept) {
    rpc::RunEvent::Adversarials& part = *event.mutable_adversarials();
    part.add_samples(example.sample);
    part.mutable_images()->append(reinterpret_cast<const char*>(example.pixels.data()),
                                  example.pixels.size() * sizeof(float));
    if (part.images().size() < kEventBytes) continue;
    writer->Write(event);
    event.Clear();
  }
  if (event.has_adversarials()) writer->Write(event);
}

// Streams kept vectors, each kind in the order of the dataset, a few megabytes at a time.
void WriteVectors(const std::vector<KeptVectors>& kinds,
                  grpc::ServerWriter<rpc::RunEvent>* writer) {
  for (const KeptVectors& kept : kinds) {
    const auto size = static_cast<size_t>(kept.size);
    const size_t each = std::max<size_t>(1, kEventBytes / (size * sizeof(float)));
    size_t first = 0;
    // Once at least: what was kept of no sample was kept all the same.
    do {
      const size_t count = std::min(each, kept.samples.size() - first);
      rpc::RunEvent event;
      rpc::RunEvent::Vectors& part = *event.mutable_vectors();
      part.set_kind(kept.kind);
      part.set_size(kept.size);
      for (size_t i = 0; i < count; ++i) part.add_samples(kept.samples[first + i]);
      if (count > 0) part.set_values(&kept.values[first * size], count * size * sizeof(float));
      writer->Write(event);
      first += count;
    } while (first < kept.samples.size());
  }
}

}  // namespace

grpc::Status EngineService::Load(grpc::ServerContext* /*context*/, const rpc::LoadRequest* request,
                                 rpc::LoadResponse* response) {
  MutexLock lock(mutex_);
  if (!request->frost_directory().empty()) {
    auto frost = corruptions::FrostPhotographs::Load(request->frost_directory());
    if (!frost.ok()) return ToGrpcStatus(frost.status());
    frost_ = *std::move(frost);
  }
  LoadOptions& options = options_;
  options.model_path = request->model_path();
  options.shape = {request->input_shape().channels(), request->input_shape().height(),
                   request->input_shape().width()};
  options.device = request->device();
  options.threads = request->threads();
  options.batch_size = request->batch_size();
  options.details = request->details();
  auto loaded = TorchClassifier::Load(options);
  if (!loaded.ok()) return ToGrpcStatus(loaded.status());
  classifier_ = *std::move(loaded);
  *response->mutable_validation() = classifier_->validation();
  return grpc::Status::OK;
}

grpc::Status EngineService::Run(grpc::ServerContext* context, const rpc::RunRequest* request,
                                grpc::ServerWriter<rpc::RunEvent>* writer) {
  running_ = true;
  const absl::Status status = RunTaskAndStream(context, *request, writer);
  running_ = false;
  return ToGrpcStatus(status);
}

grpc::Status EngineService::Idle(grpc::ServerContext* /*context*/,
                                 const rpc::IdleRequest* /*request*/, rpc::IdleResponse* response) {
  response->set_idle(!running_);
  return grpc::Status::OK;
}

absl::Status EngineService::LoadOthers(const rpc::RunRequest& request) {
  std::map<std::string, std::unique_ptr<TorchClassifier>> wanted;
  for (int i = 0; i < request.other_model_paths_size(); ++i) {
    const std::string& path = request.other_model_paths(i);
    if (wanted.count(path) != 0) continue;
    if (const auto held = others_.find(path); held != others_.end()) {
      wanted[path] = std::move(held->second);
      continue;
    }
    LoadOptions options = options_;
    options.model_path = path;
    options.details = false;
    // Not measured: the outcomes must not depend on a choice that nobody keeps.
    if (!absl::StartsWith(options.device, "cpu")) {
      options.batch_size = classifier_->validation().numerics().batch_size();
    }
    auto loaded = TorchClassifier::Load(options);
    if (!loaded.ok()) {
      return WithMessage(loaded.status(),
                         absl::StrCat("other model number ", i + 1, " of ",
                                      request.condition().id(), ": ", loaded.status().message()));
    }
    wanted[path] = *std::move(loaded);
  }
  for (auto& [path, other] : wanted) other->ChooseBatchFor(request.evaluation_samples());
  others_ = std::move(wanted);
  return absl::OkStatus();
}

absl::Status EngineService::RunTaskAndStream(grpc::ServerContext* context,
                                             const rpc::RunRequest& request,
                                             grpc::ServerWriter<rpc::RunEvent>* writer) {
  MutexLock lock(mutex_);
  if (classifier_ == nullptr) return Error(Reason::kInternal, "Run before Load");
  classifier_->ChooseBatchFor(request.evaluation_samples());
  const Classifier::Usage before = classifier_->usage();
  const auto start = SteadyClock::now();
  ASSAY_ASSIGN_OR_RETURN(const auto samples, OpenChunks(request, classifier_->shape()));
  // Of all lanes, outside of the model.
  const auto seconds_around = [&](const Classifier::Usage& usage) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return classifier_->lanes() *
               std::chrono::duration<double>(SteadyClock::now() - start).count() -
           usage.seconds;
  };
  StreamObserver observer(
      context, writer, request.checkpoint_seconds(),
      [&](rpc::RunEvent::Checkpoint* checkpoint) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        const Classifier::Usage usage = classifier_->usage() - before;
        *checkpoint->mutable_outcomes()->mutable_passes() = PassesOf(usage);
        *checkpoint->mutable_numerics() = classifier_->validation().numerics();
        checkpoint->set_model_seconds(usage.seconds);
        checkpoint->set_other_seconds(seconds_around(usage));
      });
  std::vector<KeptExample> kept;
  TaskContext task{request.condition(), request.seed(), *samples, *classifier_, observer};
  task.checkpoints = request.checkpoint_seconds() > 0;
  std::vector<KeptVectors> vectors;
  const bool keeps_vectors = (request.keep_probabilities() || !request.keep_features().empty()) &&
                             JudgesOneImage(request.condition());
  if (request.keep_adversarials() || keeps_vectors) task.kept = &kept;
  // Of the layer, which counts its passes by itself.
  Classifier::Usage layer_usage;
  const TaskResources resources{
      frost_.get(), [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return classifier_->network(); }};
  bool used_finished = false;
  const auto attempt =
      [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<std::vector<v1::Outcome>> {
    kept.clear();
    ASSAY_RETURN_IF_ERROR(LoadOthers(request));
    task.others.clear();
    for (const std::string& path : request.other_model_paths()) {
      task.others.push_back(others_.at(path).get());
    }
    VectorsToKeep wanted;
    wanted.probabilities = request.keep_probabilities();
    if (keeps_vectors && !request.keep_features().empty()) {
      // Before all work: there may be no such layer.
      ASSAY_ASSIGN_OR_RETURN(wanted.layer, classifier_->Layer(request.keep_features()));
    }
    const Classifier::Usage before_layer =
        wanted.layer == nullptr ? Classifier::Usage() : wanted.layer->usage();
    std::vector<v1::Outcome> finished;
    used_finished = request.finished().outcomes_size() > 0 &&
                    request.finished_numerics().SerializeAsString() ==
                        classifier_->validation().numerics().SerializeAsString();
    if (used_finished) {
      finished.assign(request.finished().outcomes().begin(), request.finished().outcomes().end());
    }
    ASSAY_ASSIGN_OR_RETURN(auto done, RunTask(task, resources, finished));
    auto taken = KeepVectors(task, resources, kept, wanted);
    if (wanted.layer != nullptr) layer_usage = layer_usage + (wanted.layer->usage() - before_layer);
    ASSAY_ASSIGN_OR_RETURN(vectors, std::move(taken));
    return done;
  };
  auto outcomes = attempt();
  while (!outcomes.ok() && ReasonOf(outcomes.status()) == Reason::kOutOfMemory) {
    // A smaller batch can be another numerics fingerprint, so the task starts again as a whole.
    ASSAY_RETURN_IF_ERROR(classifier_->ShrinkBatches());
    others_.clear();
    observer.StartAgain();
    outcomes = attempt();
  }
  ASSAY_RETURN_IF_ERROR(outcomes.status());
  if (request.keep_adversarials()) WriteKept(std::move(kept), writer);
  WriteVectors(vectors, writer);

  constexpr size_t kOutcomesPerEvent = 1000;
  for (size_t first = 0; first < outcomes->size(); first += kOutcomesPerEvent) {
    rpc::RunEvent event;
    const size_t last = std::min(outcomes->size(), first + kOutcomesPerEvent);
    for (size_t i = first; i < last; ++i) {
      *event.mutable_outcomes()->add_outcomes() = std::move((*outcomes)[i]);
    }
    writer->Write(event);
  }
  const Classifier::Usage usage = classifier_->usage() - before + layer_usage;
  rpc::RunEvent event;
  rpc::RunEvent::Done& done = *event.mutable_done();
  *done.mutable_numerics() = classifier_->validation().numerics();
  *done.mutable_passes() = PassesOf(usage);
  done.set_model_seconds(usage.seconds);
  done.set_other_seconds(seconds_around(usage));
  done.set_used_finished(used_finished);
  writer->Write(event);
  return absl::OkStatus();
}

}  // namespace assay::engine
