// What the streams of the server have in common: their steps run on the executor, and they live
// until their call is over and no step runs any more.
#ifndef ASSAY_SERVER_API_STREAM_H_
#define ASSAY_SERVER_API_STREAM_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "server/api/context.h"

namespace assay::api {

// `Reactor` is one of gRPC's, for example grpc::ServerWriteReactor<v1::EvaluationEvent>.
template <typename Reactor>
class Stream : public Reactor, public std::enable_shared_from_this<Stream<Reactor>> {
 public:
  // `call` is looked at until Open returns. What the steps log has its fields.
  Stream(Context& context, grpc::CallbackServerContext& call)
      : context_(context), opened_by_(&call), log_fields_(CallFields(call)) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // For OpenStream: from here on it belongs to itself.
  void Open() {
    self_ = this->shared_from_this();
    const absl::Status admitted = context_.Admit(*opened_by_);
    if (!admitted.ok()) return End(admitted);
    caller_ = context_.CallerOf(*opened_by_);
    begun_ = true;
    Begin();
  }

  // Of streams that write: the client takes what it is sent.
  template <typename Message>
  void StartWrite(const Message* message) {
    context_.writes.Begin(*opened_by_);
    Reactor::StartWrite(message);
  }
  void OnWriteDone(bool ok) {
    context_.writes.End(*opened_by_);
    Wrote(ok);
  }

  void OnDone() final {
    context_.writes.End(*opened_by_);
    if (begun_) Close();
    const auto self = std::move(self_);
  }

 protected:
  // In place of OnWriteDone.
  virtual void Wrote(bool /*ok*/) {}
  // Starts the first operation or step, once the call is admitted.
  virtual void Begin() = 0;
  // Ends the call.
  virtual void End(const absl::Status& status) = 0;
  // The call that was begun is over, but for a step that still runs. Must not block.
  virtual void Close() {}

  // Runs `step` on the executor; to be called again when that is over, or later. Like any call, a
  // stream is refused when too many wait, but only before its first step.
  template <typename Step>
  void Then(Step step) {
    auto job = [self = this->shared_from_this(), step = std::move(step)] {
      const LogScope scope(self->log_fields_);
      step();
    };
    if (admitted_) {
      context_.executor.Continue(std::move(job));
      return;
    }
    admitted_ = true;
    if (!context_.executor.Submit(std::move(job))) End(TooManyCalls());
  }

  Context& context_;
  // Once it is admitted.
  std::shared_ptr<const access::Caller> caller_;

 private:
  grpc::CallbackServerContext* const opened_by_;
  const LogFields log_fields_;
  std::shared_ptr<Stream> self_;
  bool begun_ = false;
  bool admitted_ = false;
};

// Makes a stream and opens it.
template <typename Derived, typename... Args>
Derived* OpenStream(Args&&... args) {
  const auto stream = std::make_shared<Derived>(std::forward<Args>(args)...);
  stream->Open();
  return stream.get();
}

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_STREAM_H_
