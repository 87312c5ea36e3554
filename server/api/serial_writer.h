// What every stream of the server needs for writing: gRPC takes one write at a time, one Finish
// after the last of them, and nothing after that.
//
//   void Wrote(bool ok) override {
//     if (writer_.OnWriteDone(ok)) ...  // has been written; the next one may be made
//   }
//   void OnCancel() override { writer_.Cancel(); }
//   SerialWriter<WatchStream, v1::EvaluationEvent> writer_{*this};
#ifndef ASSAY_SERVER_API_SERIAL_WRITER_H_
#define ASSAY_SERVER_API_SERIAL_WRITER_H_

#include <deque>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "net/grpc_status.h"
#include "server/api/context.h"

namespace assay::api {

// `Reactor` is a stream: it has StartWrite and Finish. Thread-safe.
template <typename Reactor, typename Message>
class SerialWriter {
 public:
  explicit SerialWriter(Reactor& reactor) : reactor_(reactor) {}

  // Written after all that wait already; dropped once the call is ending.
  void Push(Message message) { Push(std::move(message), nullptr); }
  // The same, in place of the last one that waits if `superseded` says so of it.
  void Push(Message message, bool (*superseded)(const Message&)) {
    MutexLock lock(mutex_);
    if (end_.has_value()) return;
    if (superseded != nullptr && waiting() > 0 && superseded(messages_.back())) {
      messages_.back() = std::move(message);
    } else {
      messages_.push_back(std::move(message));
    }
    Advance();
  }

  // How the call ends, once what waits has been written. Only the first one counts.
  void End(const absl::Status& status) {
    MutexLock lock(mutex_);
    if (end_.has_value()) return;
    LogIfInternal(status);
    end_ = status;
    Advance();
  }

  // The other side is gone: what waits is dropped.
  void Cancel() {
    MutexLock lock(mutex_);
    Drop();
    Advance();
  }

  // To be called by the stream's OnWriteDone. The message that was written, if more are wanted.
  std::optional<Message> OnWriteDone(bool ok) {
    MutexLock lock(mutex_);
    writing_ = false;
    std::optional<Message> written = std::move(messages_.front());
    messages_.pop_front();
    if (!ok) Drop();
    if (end_.has_value()) written = std::nullopt;
    Advance();
    return written;
  }

  // Starts another operation of the stream (a read), unless the stream has been finished.
  template <typename Operation>
  void WhileOpen(const Operation& start) {
    MutexLock lock(mutex_);
    if (!finished_) start();
  }

 private:
  size_t waiting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return messages_.size() - (writing_ ? 1 : 0);
  }

  void Drop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!end_.has_value()) end_ = absl::CancelledError("the client is gone");
    while (waiting() > 0) messages_.pop_back();
  }

  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_) return;
    if (!messages_.empty()) {
      writing_ = true;
      reactor_.StartWrite(&messages_.front());
    } else if (end_.has_value()) {
      finished_ = true;
      reactor_.Finish(ToGrpcStatus(*end_));
    }
  }

  Reactor& reactor_;
  Mutex mutex_;
  // The first one is being written if `writing_`; the others wait.
  std::deque<Message> messages_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_SERIAL_WRITER_H_
