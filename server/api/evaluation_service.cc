#include "server/api/evaluation_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/labels.h"
#include "core/base/resource_names.h"
#include "core/conditions/condition.h"
#include "server/api/comparisons.h"
#include "server/api/early_decisions.h"
#include "server/api/evaluate_stream.h"
#include "server/api/evaluation_commands.h"
#include "server/api/event_pump.h"
#include "server/api/result_streams.h"
#include "server/api/watch_stream.h"

namespace assay::api {
namespace {

absl::Status CheckName(const std::string& name) {
  return ParseResourceName(kEvaluations, name, "name").status();
}

// Outcomes of two models are no evaluation of either.
absl::Status CheckSameModel(Context& context, const std::string& name) {
  ASSAY_ASSIGN_OR_RETURN(const auto evaluation, context.evaluations.GetEvaluation(name));
  const std::string& digest = evaluation.provenance.model_digest();
  const std::string& model_name = evaluation.proto.spec().model();
  const auto model = context.catalog.GetModel(model_name);
  if (digest.empty() || absl::IsNotFound(model.status())) return absl::OkStatus();
  ASSAY_RETURN_IF_ERROR(model.status());
  if (model->digest() == digest) return absl::OkStatus();
  return Error(Reason::kWrongState, absl::StrCat(name, " was begun with another ", model_name,
                                                 ", of digest ", digest, "; the one of now has ",
                                                 model->digest(), ": make a new evaluation of it"));
}

absl::StatusOr<store::EvaluationFilter> FilterOf(const v1::ListEvaluationsRequest& request) {
  store::EvaluationFilter filter;
  filter.labels = LabelsOf(request.labels());
  filter.model = request.model();
  filter.dataset = request.dataset();
  std::vector<FieldViolation> violations = CheckLabels(filter.labels, LabelUse::kFilter, "labels");
  const auto check_name = [&](const char* collection, const std::string& name, const char* field) {
    if (name.empty()) return;
    for (FieldViolation& violation :
         ViolationsOf(ParseResourceName(collection, name, field).status())) {
      violations.push_back(std::move(violation));
    }
  };
  check_name(kModels, filter.model, "model");
  check_name(kDatasets, filter.dataset, "dataset");
  for (const int state : request.states()) {
    if (!v1::Evaluation::State_IsValid(state) || state == v1::Evaluation::STATE_UNSPECIFIED) {
      violations.push_back({"states", absl::StrCat(state, " is no state of evaluations")});
      continue;
    }
    filter.states.insert(static_cast<v1::Evaluation::State>(state));
  }
  if (!violations.empty()) return InvalidFields(std::move(violations));
  return filter;
}

}  // namespace

grpc::ServerUnaryReactor* EvaluationServiceImpl::CreateEvaluation(
    grpc::CallbackServerContext* call, const v1::CreateEvaluationRequest* request,
    v1::Evaluation* response) {
  const auto caller = context_.CallerOf(*call);
  return AnswerUnary(context_, call, [this, caller, request, response]() -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(auto record, api::CreateEvaluation(context_, *request, *caller));
    response->Swap(&record.proto);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* EvaluationServiceImpl::GetEvaluation(
    grpc::CallbackServerContext* call, const v1::GetEvaluationRequest* request,
    v1::Evaluation* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(CheckName(request->name()));
    ASSAY_ASSIGN_OR_RETURN(auto record, CurrentEvaluation(context_, request->name()));
    response->Swap(&record.proto);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* EvaluationServiceImpl::ListEvaluations(
    grpc::CallbackServerContext* call, const v1::ListEvaluationsRequest* request,
    v1::ListEvaluationsResponse* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(const auto filter, FilterOf(*request));
    ASSAY_ASSIGN_OR_RETURN(
        auto listing,
        CurrentEvaluations(context_, {request->page_size(), request->page_token()}, filter));
    for (auto& record : listing.records) response->add_evaluations()->Swap(&record.proto);
    response->set_next_page_token(listing.next_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* EvaluationServiceImpl::CancelEvaluation(
    grpc::CallbackServerContext* call, const v1::CancelEvaluationRequest* request,
    v1::Evaluation* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(CheckName(request->name()));
    store::EvaluationRecord record;
    ASSAY_RETURN_IF_ERROR(context_.WithReserve([&]() -> absl::Status {
      ASSAY_ASSIGN_OR_RETURN(record, context_.evaluations.CancelEvaluation(request->name()));
      return absl::OkStatus();
    }));
    context_.hub.NotifyChanged(request->name());
    response->Swap(&record.proto);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* EvaluationServiceImpl::RetryEvaluation(
    grpc::CallbackServerContext* call, const v1::RetryEvaluationRequest* request,
    v1::Evaluation* response) {
  const auto caller = context_.CallerOf(*call);
  return AnswerUnary(context_, call, [this, caller, request, response]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(context_.CheckTakesWork());
    ASSAY_RETURN_IF_ERROR(CheckName(request->name()));
    ASSAY_RETURN_IF_ERROR(CheckCallerQuota(context_, *caller));
    ASSAY_RETURN_IF_ERROR(CheckSameModel(context_, request->name()));
    ASSAY_ASSIGN_OR_RETURN(auto record, context_.evaluations.RetryEvaluation(request->name()));
    if (record.proto.spec().has_stop_when_decided()) {
      // What is there may decide already; with everything done no commit is to come.
      ASSAY_RETURN_IF_ERROR(LookForDecision(context_, request->name()));
      ASSAY_ASSIGN_OR_RETURN(record, context_.evaluations.GetEvaluation(request->name()));
    }
    context_.hub.NotifyWork();
    context_.hub.NotifyChanged(request->name());
    response->Swap(&record.proto);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* EvaluationServiceImpl::DeleteEvaluation(
    grpc::CallbackServerContext* call, const v1::DeleteEvaluationRequest* request,
    google::protobuf::Empty* /*response*/) {
  return AnswerUnary(context_, call, [this, request]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(CheckName(request->name()));
    return api::DeleteEvaluation(context_, request->name(), "request");
  });
}

grpc::ServerUnaryReactor* EvaluationServiceImpl::GetReport(grpc::CallbackServerContext* call,
                                                           const v1::GetReportRequest* request,
                                                           v1::Report* response) {
  return AnswerUnary(context_, call, [this, request, response]() -> absl::Status {
    ASSAY_RETURN_IF_ERROR(CheckName(request->name()));
    ASSAY_ASSIGN_OR_RETURN(const auto record, context_.evaluations.GetEvaluation(request->name()));
    ASSAY_ASSIGN_OR_RETURN(const auto report, context_.reports.Get(record, *request));
    *response = *report;
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* EvaluationServiceImpl::CompareEvaluations(
    grpc::CallbackServerContext* call, const v1::CompareEvaluationsRequest* request,
    v1::Comparison* response) {
  const auto body = [this, call, request, response]() -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(
        *response, ComparisonOf(context_.catalog, context_.evaluations, context_.blobs, *request,
                                [call] { return call->IsCancelled(); }));
    return absl::OkStatus();
  };
  return AnswerWhere(context_, context_.comparisons, call, body);
}

grpc::ServerUnaryReactor* EvaluationServiceImpl::ResolveConditions(
    grpc::CallbackServerContext* call, const v1::ResolveConditionsRequest* request,
    v1::ResolveConditionsResponse* response) {
  return AnswerUnary(context_, call, [request, response]() -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(auto conditions, ParseConditions({request->conditions().begin(),
                                                             request->conditions().end()}));
    for (auto& condition : conditions) response->add_conditions()->Swap(&condition);
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<v1::EvaluationEvent>* EvaluationServiceImpl::WatchEvaluation(
    grpc::CallbackServerContext* call, const v1::WatchEvaluationRequest* request) {
  return NewWatchStream(context_, *call, *request);
}

grpc::ServerWriteReactor<v1::StreamOutcomesResponse>* EvaluationServiceImpl::StreamOutcomes(
    grpc::CallbackServerContext* call, const v1::StreamOutcomesRequest* request) {
  return NewOutcomeStream(context_, *call, *request);
}

grpc::ServerWriteReactor<v1::StreamAdversarialsResponse>* EvaluationServiceImpl::StreamAdversarials(
    grpc::CallbackServerContext* call, const v1::StreamAdversarialsRequest* request) {
  return NewAdversarialStream(context_, *call, *request);
}

grpc::ServerWriteReactor<v1::StreamVectorsResponse>* EvaluationServiceImpl::StreamVectors(
    grpc::CallbackServerContext* call, const v1::StreamVectorsRequest* request) {
  return NewVectorStream(context_, *call, *request);
}

grpc::ServerBidiReactor<v1::EvaluateRequest, v1::EvaluateResponse>* EvaluationServiceImpl::Evaluate(
    grpc::CallbackServerContext* call) {
  return NewEvaluateStream(context_, *call);
}

}  // namespace assay::api
