#include "server/api/watch_stream.h"

#include <memory>
#include <utility>

#include "core/base/resource_names.h"
#include "server/api/event_pump.h"
#include "server/api/serial_writer.h"
#include "server/api/stream.h"

namespace assay::api {
namespace {

class WatchStream final : public Stream<grpc::ServerWriteReactor<v1::EvaluationEvent>> {
 public:
  WatchStream(Context& context, grpc::CallbackServerContext& call,
              v1::WatchEvaluationRequest request)
      : Stream(context, call), request_(std::move(request)) {}

  void Wrote(bool ok) override {
    if (writer_.OnWriteDone(ok)) pump_->Ready();
  }
  void OnCancel() override { writer_.Cancel(); }

 private:
  void Begin() override {
    pump_ = EventPump::Create(context_, [this, self = weak_from_this()](auto event, bool last) {
      if (const auto alive = self.lock()) Deliver(std::move(event), last);
    });
    Then([this] {
      const absl::Status begun = Watch();
      if (!begun.ok()) End(begun);
    });
  }
  void End(const absl::Status& status) override { writer_.End(status); }
  void Close() override { pump_->Detach(); }

  absl::Status Watch() {
    ASSAY_RETURN_IF_ERROR(ParseResourceName(kEvaluations, request_.name(), "name").status());
    return pump_->Begin(request_.name(), request_.resume_token(), request_.interim_reports());
  }

  void Deliver(absl::StatusOr<v1::EvaluationEvent> event, bool last) {
    if (event.ok()) writer_.Push(*std::move(event));
    if (last) End(event.status());
  }

  const v1::WatchEvaluationRequest request_;
  std::shared_ptr<EventPump> pump_;  // constant after Begin
  SerialWriter<WatchStream, v1::EvaluationEvent> writer_{*this};
};

}  // namespace

grpc::ServerWriteReactor<v1::EvaluationEvent>* NewWatchStream(
    Context& context, grpc::CallbackServerContext& call,
    const v1::WatchEvaluationRequest& request) {
  return OpenStream<WatchStream>(context, call, request);
}

}  // namespace assay::api
