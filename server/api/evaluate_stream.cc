#include "server/api/evaluate_stream.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/api/evaluation_commands.h"
#include "server/api/event_pump.h"

namespace assay::api {
namespace {

// The next message is read when the last one has been dealt with, so a client can send no faster
// than batches become durable. What goes out waits in a queue in which a new acknowledgement
// replaces an older one, so a client that does not read costs nothing.
class EvaluateStream final
    : public grpc::ServerBidiReactor<v1::EvaluateRequest, v1::EvaluateResponse> {
 public:
  explicit EvaluateStream(Context& context) : context_(context) { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      if (complete_) return;
      End(started_ ? Error(Reason::kUploadIncomplete,
                           absl::StrCat("the stream ended without `finish`; ",
                                        evaluation_.proto.name(), " stays and can be resumed"))
                         .With("evaluation", evaluation_.proto.name())
                         .ToStatus()
                   : InvalidFields({{"start", "the first message must be a start"}}));
      return;
    }
    const absl::Status status = Handle();
    if (!status.ok()) {
      LogIfInternal(status);
      End(status);
    } else if (!complete_) {
      StartRead(&request_);
    }
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = false;
    if (!ok && !end_.has_value()) end_ = absl::CancelledError("the client is gone");
    if (!ok) queue_.clear();
    WriteNext();
  }

  void OnCancel() override { End(absl::CancelledError("the client is gone")); }

  void OnDone() override {
    if (pump_ != nullptr) pump_->Detach();
    delete this;
  }

 private:
  absl::Status Handle() {
    switch (request_.payload_case()) {
      case v1::EvaluateRequest::kStart:
        return HandleStart();
      case v1::EvaluateRequest::kBatch:
        return HandleBatch();
      case v1::EvaluateRequest::kFinish:
        return HandleFinish();
      default:
        return InvalidFields({{"payload", "each message needs a start, a batch or a finish"}});
    }
  }

  static absl::Status NotStarted() {
    return InvalidFields({{"start", "the first message must be a start"}});
  }

  absl::Status HandleStart() {
    if (started_) return InvalidFields({{"start", "only one start a stream"}});
    ASSAY_ASSIGN_OR_RETURN(evaluation_, StartStream(context_, request_.start()));
    started_ = true;
    interim_reports_ = request_.start().interim_reports();
    ASSAY_ASSIGN_OR_RETURN(const auto manifest,
                           context_.evaluations.GetStreamManifest(evaluation_.proto.name()));
    v1::EvaluateResponse response;
    *response.mutable_accepted()->mutable_evaluation() = evaluation_.proto;
    response.mutable_accepted()->set_next_batch(manifest.chunks_size());
    Push(std::move(response));
    // A stream whose data is complete already has nothing more to send: just watch.
    complete_ = evaluation_.proto.state() != v1::Evaluation::RECEIVING;
    return StartEvents();
  }

  absl::Status HandleBatch() {
    if (!started_) return NotStarted();
    const absl::Status appended = AppendBatch(context_, evaluation_, request_.batch());
    if (Overtaken(appended)) return absl::OkStatus();
    ASSAY_RETURN_IF_ERROR(appended);
    v1::EvaluateResponse response;
    response.mutable_acknowledged()->set_batch(request_.batch().index());
    Push(std::move(response));
    return absl::OkStatus();
  }

  absl::Status HandleFinish() {
    if (!started_) return NotStarted();
    const absl::Status finished =
        FinishStream(context_, evaluation_.proto.name(), request_.finish().batches());
    if (Overtaken(finished)) return absl::OkStatus();
    complete_ = true;
    return finished;
  }

  // Whether the evaluation ended (failed, was cancelled) while data was still coming. The last
  // event says so, better than an error about the data; nothing more is read.
  bool Overtaken(const absl::Status& status) {
    if (ReasonOf(status) != Reason::kWrongState) return false;
    const auto now = context_.evaluations.GetEvaluation(evaluation_.proto.name());
    if (!now.ok() || !HasEnded(now->proto)) return false;
    complete_ = true;
    return true;
  }

  absl::Status StartEvents() {
    ASSAY_ASSIGN_OR_RETURN(
        auto pump, EventPump::Start(context_, evaluation_.proto.name(), "", interim_reports_,
                                    [this](absl::StatusOr<v1::EvaluationEvent> event, bool last) {
                                      OnEvent(std::move(event), last);
                                    }));
    MutexLock lock(mutex_);
    pump_ = std::move(pump);
    if (want_ready_) pump_->Ready();
    return absl::OkStatus();
  }

  void OnEvent(absl::StatusOr<v1::EvaluationEvent> event, bool last) {
    if (!event.ok()) {
      End(event.status());
      return;
    }
    v1::EvaluateResponse response;
    response.mutable_event()->Swap(&*event);
    Push(std::move(response));
    if (last) End(absl::OkStatus());
  }

  void Push(v1::EvaluateResponse response) {
    MutexLock lock(mutex_);
    if (end_.has_value()) return;
    if (response.has_acknowledged() && !queue_.empty() && queue_.back().has_acknowledged()) {
      queue_.back().Swap(&response);
    } else {
      queue_.push_back(std::move(response));
    }
    if (!writing_) WriteNext();
  }

  // What is queued still goes out first.
  void End(const absl::Status& status) {
    MutexLock lock(mutex_);
    if (end_.has_value()) return;
    end_ = status;
    if (status.code() == absl::StatusCode::kCancelled) queue_.clear();
    if (!writing_) WriteNext();
  }

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!queue_.empty()) {
      current_ = std::move(queue_.front());
      queue_.pop_front();
      writing_ = true;
      // Events are made one at a time, when the last one is on its way.
      if (current_.has_event()) {
        want_ready_ = true;
        if (pump_ != nullptr) pump_->Ready();
      }
      StartWrite(&current_);
      return;
    }
    if (end_.has_value() && !finished_) {
      finished_ = true;
      Finish(ToGrpcStatus(*end_));
    }
  }

  Context& context_;
  // Of the reading side.
  v1::EvaluateRequest request_;
  store::EvaluationRecord evaluation_;
  bool started_ = false;
  bool complete_ = false;
  bool interim_reports_ = false;

  Mutex mutex_;
  std::shared_ptr<EventPump> pump_;  // set once, by the reading side
  std::deque<v1::EvaluateResponse> queue_ ABSL_GUARDED_BY(mutex_);
  v1::EvaluateResponse current_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool want_ready_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerBidiReactor<v1::EvaluateRequest, v1::EvaluateResponse>* NewEvaluateStream(
    Context& context) {
  return new EvaluateStream(context);
}

}  // namespace assay::api
