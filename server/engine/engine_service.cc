#include "server/engine/engine_service.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/errors.h"
#include "common/grpc_status.h"
#include "server/engine/chunk_source.h"
#include "server/engine/task.h"

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

}  // namespace

grpc::Status EngineService::Load(grpc::ServerContext* /*context*/, const rpc::LoadRequest* request,
                                 rpc::LoadResponse* response) {
  MutexLock lock(mutex_);
  LoadOptions options;
  options.model_path = request->model_path();
  options.shape = {request->input_shape().channels(), request->input_shape().height(),
                   request->input_shape().width()};
  options.device = request->device();
  options.threads = request->threads();
  options.batch_size = request->batch_size();
  options.memory_format = request->memory_format();
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

absl::Status EngineService::RunTaskAndStream(grpc::ServerContext* context,
                                             const rpc::RunRequest& request,
                                             grpc::ServerWriter<rpc::RunEvent>* writer) {
  MutexLock lock(mutex_);
  if (classifier_ == nullptr) return Error(Reason::kInternal, "Run before Load");
  classifier_->BindThread();
  const Classifier::Usage before = classifier_->usage();
  const auto start = SteadyClock::now();
  ASSAY_ASSIGN_OR_RETURN(const auto samples, OpenChunks(request, classifier_->shape()));
  StreamObserver observer(context, writer);
  const TaskContext task{request.condition(), request.seed(), *samples, *classifier_, observer};
  auto outcomes = RunTask(task);
  while (!outcomes.ok() && ReasonOf(outcomes.status()) == Reason::kOutOfMemory) {
    // A smaller batch is another numerics fingerprint, so the task starts again as a whole.
    ASSAY_RETURN_IF_ERROR(classifier_->HalveBatch());
    outcomes = RunTask(task);
  }
  ASSAY_RETURN_IF_ERROR(outcomes.status());

  constexpr size_t kOutcomesPerEvent = 1000;
  for (size_t first = 0; first < outcomes->size(); first += kOutcomesPerEvent) {
    rpc::RunEvent event;
    const size_t last = std::min(outcomes->size(), first + kOutcomesPerEvent);
    for (size_t i = first; i < last; ++i) {
      *event.mutable_outcomes()->add_outcomes() = std::move((*outcomes)[i]);
    }
    writer->Write(event);
  }
  const Classifier::Usage after = classifier_->usage();
  rpc::RunEvent event;
  rpc::RunEvent::Done& done = *event.mutable_done();
  *done.mutable_numerics() = classifier_->validation().numerics();
  const int64_t batch = classifier_->batch_size();
  done.set_forwards((after.forward_batches - before.forward_batches) * batch);
  done.set_backwards((after.backward_batches - before.backward_batches) * batch);
  done.set_model_seconds(after.seconds - before.seconds);
  done.set_other_seconds(std::chrono::duration<double>(SteadyClock::now() - start).count() -
                         done.model_seconds());
  writer->Write(event);
  return absl::OkStatus();
}

}  // namespace assay::engine
