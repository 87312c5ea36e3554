#include "server/api/check_stream.h"

#include <atomic>
#include <memory>
#include <utility>

#include "core/base/errors.h"
#include "server/api/serial_writer.h"
#include "server/api/stream.h"
#include "server/store/storage_check.h"

namespace assay::api {
namespace {

// A step a message, in the background; the next one when the last message has been taken, so a
// reader that does not read stops the check.
class CheckStream final : public Stream<grpc::ServerWriteReactor<v1::CheckStorageResponse>> {
 public:
  CheckStream(Context& context, grpc::CallbackServerContext& call,
              const v1::CheckStorageRequest& request)
      : Stream(context, call), request_(request) {}

  void Wrote(bool ok) override {
    if (!writer_.OnWriteDone(ok)) return;
    context_.background.Continue([self = shared_from_this(), this] { Step(); });
  }
  void OnCancel() override {
    cancelled_ = true;
    writer_.Cancel();
  }

 private:
  void Begin() override {
    const auto begin = [self = shared_from_this(), this] {
      const absl::Status opened = Start();
      opened.ok() ? Step() : End(opened);
    };
    if (!context_.background.Submit(begin)) End(TooManyCalls());
  }
  void End(const absl::Status& status) override { writer_.End(status); }

  absl::Status Start() {
    if (context_.database.empty()) {
      return Error(Reason::kWrongState, "there is no database that can be checked");
    }
    ASSAY_ASSIGN_OR_RETURN(auto database, store::DatabaseReader::Open(context_.database, [this] {
                             return cancelled_.load();
                           }));
    const auto sweep = [this]() -> absl::StatusOr<store::BlobCount> {
      if (context_.sweeper == nullptr) return store::BlobCount();
      return context_.sweeper->SweepNow();
    };
    check_ = std::make_unique<store::StorageCheck>(std::move(database), context_.blobs,
                                                   request_.repair(), sweep);
    return absl::OkStatus();
  }

  void Step() {
    if (cancelled_) return End(absl::CancelledError("the client is gone"));
    v1::CheckStorageResponse message;
    const absl::StatusOr<bool> made = check_->Next(&message);
    if (made.ok() && *made) {
      writer_.Push(std::move(message));
    } else {
      End(made.status());
    }
  }

  const v1::CheckStorageRequest request_;
  std::atomic<bool> cancelled_ = false;
  std::unique_ptr<store::StorageCheck> check_;  // of the step at work only
  SerialWriter<CheckStream, v1::CheckStorageResponse> writer_{*this};
};

}  // namespace

grpc::ServerWriteReactor<v1::CheckStorageResponse>* NewCheckStream(
    Context& context, grpc::CallbackServerContext& call, const v1::CheckStorageRequest& request) {
  return OpenStream<CheckStream>(context, call, request);
}

}  // namespace assay::api
