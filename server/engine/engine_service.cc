#include "server/engine/engine_service.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "net/grpc_status.h"
#include "server/engine/base/task.h"
#include "server/engine/chunk_source.h"
#include "server/engine/run_task.h"

namespace assay::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Passes progress on, at most ten times a second.
class StreamObserver final : public TaskObserver {
 public:
  StreamObserver(grpc::ServerContext* context, grpc::ServerWriter<rpc::RunEvent>* writer)
      : context_(context), writer_(writer) {}

  void OnProgress(int64_t samples_done, double fraction) override {
    const auto now = SteadyClock::now();
    if (now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    rpc::RunEvent event;
    event.mutable_progress()->set_samples_done(samples_done);
    event.mutable_progress()->set_fraction(fraction);
    writer_->Write(event);
  }

  bool Cancelled() override { return context_->IsCancelled(); }

 private:
  grpc::ServerContext* const context_;
  grpc::ServerWriter<rpc::RunEvent>* const writer_;
  SteadyClock::time_point last_{};
};

// Streams kept examples in the order of the dataset, a few megabytes at a time.
void WriteKept(std::vector<KeptExample> kept, grpc::ServerWriter<rpc::RunEvent>* writer) {
  constexpr size_t kEventBytes = 2 << 20;
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
  StreamObserver observer(context, writer);
  std::vector<KeptExample> kept;
  TaskContext task{request.condition(), request.seed(), *samples, *classifier_, observer};
  if (request.keep_adversarials()) task.kept = &kept;
  const TaskResources resources{
      frost_.get(), [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return classifier_->network(); }};
  const auto attempt =
      [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::StatusOr<std::vector<v1::Outcome>> {
    kept.clear();
    ASSAY_RETURN_IF_ERROR(LoadOthers(request));
    task.others.clear();
    for (const std::string& path : request.other_model_paths()) {
      task.others.push_back(others_.at(path).get());
    }
    return RunTask(task, resources);
  };
  auto outcomes = attempt();
  while (!outcomes.ok() && ReasonOf(outcomes.status()) == Reason::kOutOfMemory) {
    // A smaller batch can be another numerics fingerprint, so the task starts again as a whole.
    ASSAY_RETURN_IF_ERROR(classifier_->ShrinkBatches());
    others_.clear();
    outcomes = attempt();
  }
  ASSAY_RETURN_IF_ERROR(outcomes.status());
  WriteKept(std::move(kept), writer);

  constexpr size_t kOutcomesPerEvent = 1000;
  for (size_t first = 0; first < outcomes->size(); first += kOutcomesPerEvent) {
    rpc::RunEvent event;
    const size_t last = std::min(outcomes->size(), first + kOutcomesPerEvent);
    for (size_t i = first; i < last; ++i) {
      *event.mutable_outcomes()->add_outcomes() = std::move((*outcomes)[i]);
    }
    writer->Write(event);
  }
  const Classifier::Usage usage = classifier_->usage() - before;
  rpc::RunEvent event;
  rpc::RunEvent::Done& done = *event.mutable_done();
  *done.mutable_numerics() = classifier_->validation().numerics();
  done.mutable_passes()->set_forwards(usage.forward_images);
  done.mutable_passes()->set_needed_forwards(usage.needed_forwards);
  done.mutable_passes()->set_backwards(usage.backward_images);
  done.mutable_passes()->set_needed_backwards(usage.needed_backwards);
  done.set_model_seconds(usage.seconds);
  done.set_other_seconds(classifier_->lanes() *
                             std::chrono::duration<double>(SteadyClock::now() - start).count() -
                         usage.seconds);
  writer->Write(event);
  return absl::OkStatus();
}

}  // namespace assay::engine
