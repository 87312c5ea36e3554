#include "server/api/evaluate_stream.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/api/evaluation_commands.h"
#include "server/api/event_pump.h"
#include "server/api/quota.h"
#include "server/api/serial_writer.h"
#include "server/api/stream.h"

namespace assay::api {
namespace {

// The next message is read when the last one has been dealt with, so a client can send no faster
// than batches become durable. Of what waits to go out a new acknowledgement replaces an older one,
// so a client that does not read costs nothing.
class EvaluateStream final
    : public Stream<grpc::ServerBidiReactor<v1::EvaluateRequest, v1::EvaluateResponse>> {
 public:
  EvaluateStream(Context& context, grpc::CallbackServerContext& call) : Stream(context, call) {}

  void OnReadDone(bool ok) override {
    Then([this, ok] { ok ? Take() : HalfClose(); });
  }

  void Wrote(bool ok) override {
    const auto written = writer_.OnWriteDone(ok);
    if (written.has_value() && written->has_event()) pump_->Ready();
  }

  void OnCancel() override { writer_.Cancel(); }

 private:
  void Begin() override {
    pump_ = EventPump::Create(context_, [this, self = weak_from_this()](auto event, bool last) {
      if (const auto alive = self.lock()) Deliver(std::move(event), last);
    });
    StartRead(&request_);
  }
  void End(const absl::Status& status) override { writer_.End(status); }
  void Close() override { pump_->Detach(); }

  void Take() {
    const absl::Status status = Handle();
    if (!status.ok()) {
      End(status);
    } else if (!complete_) {
      writer_.WhileOpen([this] { StartRead(&request_); });
    }
  }

  void HalfClose() {
    End(started_ ? Error(Reason::kUploadIncomplete,
                         absl::StrCat("the stream ended without `finish`; ",
                                      evaluation_.proto.name(), " stays and can be resumed"))
                       .With("evaluation", evaluation_.proto.name())
                       .ToStatus()
                 : NotStarted());
  }

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
    ASSAY_ASSIGN_OR_RETURN(evaluation_, StartStream(context_, request_.start(), *caller_));
    started_ = true;
    ASSAY_ASSIGN_OR_RETURN(const auto manifest,
                           context_.evaluations.GetStreamManifest(evaluation_.proto.name()));
    v1::EvaluateResponse response;
    *response.mutable_accepted()->mutable_evaluation() = evaluation_.proto;
    response.mutable_accepted()->set_next_batch(manifest.chunks_size());
    writer_.Push(std::move(response));
    // A stream whose data is complete already has nothing more to send: just watch.
    complete_ = evaluation_.proto.state() != v1::Evaluation::RECEIVING;
    return pump_->Begin(evaluation_.proto.name(), "", request_.start().interim_reports());
  }

  absl::Status HandleBatch() {
    if (!started_) return NotStarted();
    ASSAY_RETURN_IF_ERROR(
        CheckStoredQuota(context_, *caller_,
                         static_cast<int64_t>(request_.batch().images().size() +
                                              static_cast<size_t>(request_.batch().labels_size()) *
                                                  sizeof(int32_t))));
    const absl::Status appended = AppendBatch(context_, evaluation_, request_.batch());
    if (Overtaken(appended)) return absl::OkStatus();
    ASSAY_RETURN_IF_ERROR(appended);
    v1::EvaluateResponse response;
    response.mutable_acknowledged()->set_batch(request_.batch().index());
    writer_.Push(std::move(response),
                 [](const v1::EvaluateResponse& waiting) { return waiting.has_acknowledged(); });
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

  void Deliver(absl::StatusOr<v1::EvaluationEvent> event, bool last) {
    if (event.ok()) {
      v1::EvaluateResponse response;
      response.mutable_event()->Swap(&*event);
      writer_.Push(std::move(response));
    }
    if (last) End(event.status());
  }

  // Of the step at work only.
  v1::EvaluateRequest request_;
  store::EvaluationRecord evaluation_;
  bool started_ = false;
  bool complete_ = false;

  std::shared_ptr<EventPump> pump_;  // constant after Begin
  SerialWriter<EvaluateStream, v1::EvaluateResponse> writer_{*this};
};

}  // namespace

grpc::ServerBidiReactor<v1::EvaluateRequest, v1::EvaluateResponse>* NewEvaluateStream(
    Context& context, grpc::CallbackServerContext& call) {
  return OpenStream<EvaluateStream>(context, call);
}

}  // namespace assay::api
