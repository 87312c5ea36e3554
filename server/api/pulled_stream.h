// Streams whose messages are made one by one, as fast as the reader takes them.
#ifndef ASSAY_SERVER_API_PULLED_STREAM_H_
#define ASSAY_SERVER_API_PULLED_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "server/api/context.h"
#include "server/api/serial_writer.h"
#include "server/api/stream.h"

namespace assay::api {

// Makes the next message; false: there is none.
template <typename Response>
using Source = std::function<absl::StatusOr<bool>(Response*)>;

// Writes what its source makes, message by message, as fast as the reader takes them.
template <typename Response>
class PulledStream final : public Stream<grpc::ServerWriteReactor<Response>> {
 public:
  using Opener = std::function<absl::StatusOr<Source<Response>>()>;
  PulledStream(Context& context, grpc::CallbackServerContext& call, Opener open)
      : Stream<grpc::ServerWriteReactor<Response>>(context, call), open_(std::move(open)) {}

  void Wrote(bool ok) override {
    if (writer_.OnWriteDone(ok)) this->Then([this] { Pull(); });
  }
  void OnCancel() override { writer_.Cancel(); }

 private:
  void Begin() override {
    this->Then([this] {
      absl::StatusOr<Source<Response>> source = open_();
      if (!source.ok()) return End(source.status());
      source_ = *std::move(source);
      Pull();
    });
  }
  void End(const absl::Status& status) override { writer_.End(status); }

  void Pull() {
    Response message;
    const absl::StatusOr<bool> made = source_(&message);
    if (made.ok() && *made) {
      writer_.Push(std::move(message));
    } else {
      End(made.status());
    }
  }

  const Opener open_;
  Source<Response> source_;  // of the step at work only
  SerialWriter<PulledStream, Response> writer_{*this};
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_PULLED_STREAM_H_
