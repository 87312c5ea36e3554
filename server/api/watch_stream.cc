#include "server/api/watch_stream.h"

#include <memory>
#include <optional>
#include <utility>

#include "core/base/resource_names.h"
#include "server/api/event_pump.h"

namespace assay::api {
namespace {

// gRPC wants at most one write at a time, and Finish after it: WatchStream keeps that order.
class WatchStream final : public grpc::ServerWriteReactor<v1::EvaluationEvent> {
 public:
  WatchStream(Context& context, const v1::WatchEvaluationRequest& request) {
    const absl::Status name = ParseResourceName(kEvaluations, request.name(), "name").status();
    if (!name.ok()) {
      End(name);
      return;
    }
    auto pump =
        EventPump::Start(context, request.name(), request.resume_token(), request.interim_reports(),
                         [this](absl::StatusOr<v1::EvaluationEvent> event, bool last) {
                           if (event.ok()) {
                             Send(*std::move(event), last);
                           } else {
                             End(event.status());
                           }
                         });
    if (!pump.ok()) {
      End(pump.status());
      return;
    }
    MutexLock lock(mutex_);
    pump_ = *std::move(pump);
    // The first event may have been written before this line.
    if (want_ready_) pump_->Ready();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = false;
    if (!ok && !end_.has_value()) end_ = absl::CancelledError("the reader is gone");
    if (end_.has_value()) {
      FinishOnce();
    } else if (pump_ != nullptr) {
      pump_->Ready();
    } else {
      want_ready_ = true;
    }
  }

  void OnCancel() override { End(absl::CancelledError("the reader is gone")); }

  void OnDone() override {
    std::shared_ptr<EventPump> pump;
    {
      MutexLock lock(mutex_);
      pump = pump_;
    }
    if (pump != nullptr) pump->Detach();
    delete this;
  }

 private:
  void Send(v1::EvaluationEvent event, bool last) {
    MutexLock lock(mutex_);
    if (end_.has_value()) return;
    event_ = std::move(event);
    if (last) end_ = absl::OkStatus();
    writing_ = true;
    StartWrite(&event_);
  }

  void End(const absl::Status& status) {
    MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = status;
    if (!writing_) FinishOnce();
  }

  void FinishOnce() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    finished_ = true;
    Finish(ToGrpcStatus(*end_));
  }

  Mutex mutex_;
  std::shared_ptr<EventPump> pump_ ABSL_GUARDED_BY(mutex_);
  v1::EvaluationEvent event_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool want_ready_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_
      ABSL_GUARDED_BY(mutex_);  // how the call ends, once that is known
};

}  // namespace

grpc::ServerWriteReactor<v1::EvaluationEvent>* NewWatchStream(
    Context& context, const v1::WatchEvaluationRequest& request) {
  return new WatchStream(context, request);
}

}  // namespace assay::api
