// Watching an evaluation across broken connections, and reading what streams give: outcomes, kept
// examples, images.
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/call.h"
#include "core/base/errors.h"

namespace assay::client {

bool HasEnded(v1::Evaluation::State state) {
  return state == v1::Evaluation::SUCCEEDED || state == v1::Evaluation::FAILED ||
         state == v1::Evaluation::CANCELLED;
}

absl::Status EndStatus(const v1::Evaluation& evaluation) {
  if (evaluation.state() == v1::Evaluation::FAILED) {
    return Error(Reason::kEvaluationFailed,
                 absl::StrCat(evaluation.name(), " failed: ", evaluation.failure().message(), " (",
                              evaluation.failure().reason(), ")"))
        .With("evaluation", evaluation.name())
        .With("failure_reason", evaluation.failure().reason());
  }
  if (evaluation.state() == v1::Evaluation::CANCELLED) {
    return Error(Reason::kCancelled, absl::StrCat(evaluation.name(), " was cancelled"))
        .With("evaluation", evaluation.name());
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::EvaluationEvent> Client::Watch(v1::WatchEvaluationRequest request,
                                                  const WatchListener& listener) {
  Backoff backoff(options_.retry);
  while (true) {
    ASSAY_RETURN_IF_ERROR(options_.interrupt->Check());
    InterruptibleContext context(*options_.interrupt, target_->token);
    const auto stream = stubs_->evaluations->WatchEvaluation(context.get(), request);
    v1::EvaluationEvent event;
    while (stream->Read(&event)) {
      // A server that dies again and again after telling the same thing makes no progress.
      if (event.resume_token() != request.resume_token()) backoff.Progress();
      request.set_resume_token(event.resume_token());
      if (listener.on_event) listener.on_event(event);
      if (HasEnded(event.evaluation().state())) {
        // What follows the last event is of no interest.
        context.get()->TryCancel();
        stream->Finish();
        return event;
      }
    }
    absl::Status status = context.Status(stream->Finish());
    if (status.ok()) {
      status = Error(Reason::kUnavailable, "the server ended the watch before the evaluation");
    }
    if (IsRetryable(status) && listener.on_interruption) listener.on_interruption(status);
    ASSAY_RETURN_IF_ERROR(backoff.Wait(status));
  }
}

template <typename Response, typename Stub, typename Method, typename Request>
absl::Status Client::ReadStream(Stub& stub, Method method, const Request& request,
                                const std::function<absl::Status(const Response&)>& on_batch) {
  Backoff backoff(options_.retry);
  while (true) {
    ASSAY_RETURN_IF_ERROR(options_.interrupt->Check());
    InterruptibleContext context(*options_.interrupt, target_->token);
    const auto stream = (stub.*method)(context.get(), request);
    Response batch;
    bool begun = false;
    while (stream->Read(&batch)) {
      begun = true;
      const absl::Status taken = on_batch(batch);
      if (!taken.ok()) {
        context.get()->TryCancel();
        stream->Finish();
        return taken;
      }
    }
    const absl::Status status = context.Status(stream->Finish());
    if (status.ok() || begun) return status;
    ASSAY_RETURN_IF_ERROR(backoff.Wait(status));
  }
}

template <typename Response, typename Request, typename Method>
absl::Status Client::ReadResults(Method method, Request request, const std::string& name,
                                 const std::vector<std::string>& conditions,
                                 const std::function<absl::Status(const Response&)>& on_batch) {
  request.set_name(name);
  for (const std::string& condition : conditions) request.add_conditions(condition);
  return ReadStream<Response>(*stubs_->evaluations, method, request, on_batch);
}

absl::Status Client::StreamSamples(
    const std::string& name, const std::vector<int64_t>& samples,
    const std::function<absl::Status(const v1::StreamSamplesResponse&)>& on_batch) {
  v1::StreamSamplesRequest request;
  request.set_name(name);
  for (const int64_t sample : samples) request.add_samples(sample);
  return ReadStream<v1::StreamSamplesResponse>(
      *stubs_->datasets, &v1::DatasetService::Stub::StreamSamples, request, on_batch);
}

absl::Status Client::StreamOutcomes(
    const std::string& name, const std::vector<std::string>& conditions,
    const std::function<absl::Status(const v1::StreamOutcomesResponse&)>& on_batch) {
  return ReadResults<v1::StreamOutcomesResponse>(&v1::EvaluationService::Stub::StreamOutcomes,
                                                 v1::StreamOutcomesRequest(), name, conditions,
                                                 on_batch);
}

absl::Status Client::StreamAdversarials(
    const std::string& name, const std::vector<std::string>& conditions,
    const std::function<absl::Status(const v1::StreamAdversarialsResponse&)>& on_batch) {
  return ReadResults<v1::StreamAdversarialsResponse>(
      &v1::EvaluationService::Stub::StreamAdversarials, v1::StreamAdversarialsRequest(), name,
      conditions, on_batch);
}

absl::Status Client::StreamVectors(
    const std::string& name, const std::vector<std::string>& conditions, v1::VectorKind kind,
    const std::function<absl::Status(const v1::StreamVectorsResponse&)>& on_batch) {
  v1::StreamVectorsRequest request;
  request.set_kind(kind);
  return ReadResults<v1::StreamVectorsResponse>(&v1::EvaluationService::Stub::StreamVectors,
                                                std::move(request), name, conditions, on_batch);
}

}  // namespace assay::client
