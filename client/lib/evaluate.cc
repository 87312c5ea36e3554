// Evaluate: start, batches, finish out; acceptance, acknowledgements and events in. A broken
// stream goes on where the server says.
#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/call.h"
#include "client/lib/request_id.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"

namespace assay::client {
namespace {

using EvaluateStream = grpc::ClientReaderWriter<v1::EvaluateRequest, v1::EvaluateResponse>;

constexpr size_t kMaxIdStem = 60;

// An id that this client chose lets it find the evaluation again when the stream broke before the
// acceptance arrived.
std::string NewEvaluationId(const std::string& model) {
  std::string stem = Slug(model.substr(model.find('/') + 1)).substr(0, kMaxIdStem);
  if (stem.empty()) stem = "evaluation";
  return absl::StrCat(stem, "-", NewRequestId().substr(0, 8));
}

}  // namespace

// What survives from one connection to the next.
struct Client::Streaming {
  v1::EvaluateRequest::Start start;
  DatasetReader& reader;
  const StreamListener& listener;
  std::string name;
  int64_t samples = 0;
  int64_t batch_samples = 0;
  bool accepted = false;
  // The evaluation was asked for on a connection that broke before the answer.
  bool in_doubt = false;
  int64_t acknowledged_batch = -1;
  Backoff backoff;
  std::optional<v1::EvaluationEvent> end;
  // Reading the local data failed: the end of everything.
  absl::Status local;

  int64_t Batches() const { return (samples + batch_samples - 1) / batch_samples; }
  absl::Status Send(EvaluateStream& stream, int64_t first_batch);
  void Receive(EvaluateStream& stream);
};

absl::Status Client::Streaming::Send(EvaluateStream& stream, int64_t first_batch) {
  std::vector<int32_t> labels;
  for (int64_t batch = first_batch; batch < Batches(); ++batch) {
    const int64_t first = batch * batch_samples;
    v1::EvaluateRequest request;
    labels.clear();
    auto& message = *request.mutable_batch();
    message.set_index(batch);
    ASSAY_RETURN_IF_ERROR(reader.Read(first, std::min(batch_samples, samples - first), &labels,
                                      message.mutable_images()));
    message.mutable_labels()->Assign(labels.begin(), labels.end());
    // A broken stream is noticed and explained by the receiving side.
    if (!stream.Write(request)) return absl::OkStatus();
  }
  v1::EvaluateRequest finish;
  finish.mutable_finish()->set_batches(Batches());
  stream.Write(finish);
  stream.WritesDone();
  return absl::OkStatus();
}

void Client::Streaming::Receive(EvaluateStream& stream) {
  v1::EvaluateResponse response;
  while (stream.Read(&response)) {
    if (response.has_acknowledged() && response.acknowledged().batch() > acknowledged_batch) {
      backoff.Progress();
      acknowledged_batch = response.acknowledged().batch();
      if (listener.on_acknowledged) {
        listener.on_acknowledged(std::min(samples, (acknowledged_batch + 1) * batch_samples),
                                 samples);
      }
    }
    if (response.has_event()) {
      backoff.Progress();
      if (listener.on_event) listener.on_event(response.event());
      if (HasEnded(response.event().evaluation().state())) end = response.event();
    }
  }
}

absl::Status Client::EvaluateOnce(Streaming& streaming) {
  InterruptibleContext context(*options_.interrupt, target_->token);
  const auto stream = stubs_->evaluations->Evaluate(context.get());
  v1::EvaluateRequest first;
  if (streaming.accepted || streaming.in_doubt) {
    first.mutable_start()->set_resume(streaming.name);
  } else {
    *first.mutable_start() = streaming.start;
  }
  v1::EvaluateResponse answer;
  if (!stream->Write(first) || !stream->Read(&answer)) {
    const absl::Status status = context.Status(stream->Finish());
    return status.ok() ? Error(Reason::kUnavailable, "the server closed the stream").ToStatus()
                       : status;
  }
  if (!answer.has_accepted()) {
    context.get()->TryCancel();
    stream->Finish();
    return Error(Reason::kInternal, "the server did not begin with an acceptance");
  }
  if (!streaming.accepted) {
    streaming.accepted = true;
    streaming.name = answer.accepted().evaluation().name();
    if (streaming.listener.on_accepted) {
      streaming.listener.on_accepted(answer.accepted().evaluation());
    }
  }
  absl::Status local;
  std::thread sender([&] {
    local = streaming.Send(*stream, answer.accepted().next_batch());
    if (!local.ok()) context.get()->TryCancel();
  });
  streaming.Receive(*stream);
  sender.join();
  const absl::Status status = context.Status(stream->Finish());
  streaming.local = local;
  if (!local.ok()) return local;
  if (streaming.end || !status.ok()) return status;
  return Error(Reason::kUnavailable, "the server ended the stream before the evaluation");
}

absl::StatusOr<v1::EvaluationEvent> Client::Evaluate(v1::EvaluateRequest::Start start,
                                                     DatasetReader& reader, int64_t limit,
                                                     const StreamListener& listener,
                                                     const MetadataTable* metadata) {
  const int64_t samples = limit > 0 ? std::min(limit, reader.size()) : reader.size();
  start.clear_metadata();
  if (metadata != nullptr) {
    ASSAY_ASSIGN_OR_RETURN(*start.mutable_metadata(), SendMetadata(*metadata, samples));
  }
  *start.mutable_shape() = reader.shape();
  start.set_pixel_type(reader.pixel_type());
  start.clear_class_names();
  for (const std::string& name : reader.class_names()) start.add_class_names(name);
  if (start.evaluation_id().empty()) start.set_evaluation_id(NewEvaluationId(start.model()));

  Streaming streaming{
      std::move(start),        reader,       listener,        "", 0, 0, false, false, -1,
      Backoff(options_.retry), std::nullopt, absl::OkStatus()};
  streaming.name = ResourceName(kEvaluations, streaming.start.evaluation_id());
  streaming.samples = samples;
  // As large as a chunk of an upload: within gRPC's default message limit unless one image alone is
  // over it.
  streaming.batch_samples = SamplesPerChunk(reader.shape(), reader.pixel_type());
  while (true) {
    ASSAY_RETURN_IF_ERROR(options_.interrupt->Check());
    const absl::Status status = EvaluateOnce(streaming);
    if (streaming.end) return *streaming.end;
    if (!streaming.local.ok()) {
      // Without the rest of its data the evaluation could only wait for ever.
      if (streaming.accepted) CancelEvaluation(streaming.name).IgnoreError();
      return streaming.local;
    }
    if (streaming.in_doubt && !streaming.accepted && status.code() == absl::StatusCode::kNotFound) {
      streaming.in_doubt = false;
      continue;
    }
    if (streaming.accepted && status.code() == absl::StatusCode::kFailedPrecondition) {
      // Everything had arrived: there is nothing to go on with, only to watch.
      v1::WatchEvaluationRequest request;
      request.set_name(streaming.name);
      request.set_interim_reports(streaming.start.interim_reports());
      return Watch(std::move(request), listener);
    }
    if (IsRetryable(status) && listener.on_interruption) listener.on_interruption(status);
    ASSAY_RETURN_IF_ERROR(streaming.backoff.Wait(status));
    streaming.in_doubt = true;
  }
}

}  // namespace assay::client
