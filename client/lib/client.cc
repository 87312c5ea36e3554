#include "client/lib/client.h"

#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/lib/call.h"
#include "client/lib/request_id.h"
#include "common/errors.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace assay::client {
namespace {

// Servers refuse pings that come more often than every 30 s.
constexpr int kKeepaliveMillis = 45'000;
constexpr int kKeepaliveTimeoutMillis = 20'000;
constexpr std::chrono::seconds kFirstContactLimit{10};
constexpr std::chrono::milliseconds kPollInterval{100};

absl::Status CheckAddress(const std::string& address) {
  if (absl::StartsWith(address, "unix:") || absl::StrContains(address, ":///")) {
    return absl::OkStatus();
  }
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return InvalidFields({{"server", absl::StrCat("must be host:port, for example ",
                                                  kDefaultAddress, "; got '", address, "'")}});
  }
  return absl::OkStatus();
}

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // Retries are ours: gRPC's own would hide how long nothing has moved.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

template <typename Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

using Models = v1::ModelService::Stub;
using Datasets = v1::DatasetService::Stub;
using Evaluations = v1::EvaluationService::Stub;

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  ASSAY_RETURN_IF_ERROR(CheckAddress(options.address));
  std::unique_ptr<Client> client(new Client(std::move(options)));
  ASSAY_RETURN_IF_ERROR(client->FirstContact());
  return client;
}

Client::Client(ClientOptions options)
    : options_(std::move(options)),
      stubs_(std::make_unique<Stubs>(grpc::CreateCustomChannel(
          options_.address, grpc::InsecureChannelCredentials(), ChannelArguments()))) {
  if (options_.interrupt == nullptr) options_.interrupt = &never_;
  if (options_.retry.clock == nullptr) options_.retry.clock = &system_clock_;
  if (!options_.retry.sleep) {
    options_.retry.sleep = [interrupt = options_.interrupt](double seconds) {
      return interrupt->SleepFor(std::chrono::milliseconds(int64_t(seconds * 1000)));
    };
  }
}

Client::~Client() = default;

absl::Status Client::FirstContact() {
  const auto deadline = std::chrono::system_clock::now() + kFirstContactLimit;
  while (true) {
    ASSAY_RETURN_IF_ERROR(options_.interrupt->Check());
    const grpc_connectivity_state state = stubs_->channel->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return absl::OkStatus();
    const auto now = std::chrono::system_clock::now();
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN ||
        now > deadline) {
      return Error(Reason::kUnavailable, absl::StrCat("no server answers at ", options_.address));
    }
    // In short steps, because an interrupt does not end this wait.
    stubs_->channel->WaitForStateChange(state, now + kPollInterval);
  }
}

template <typename Item, typename Request, typename Response, typename Stub, typename Method>
absl::StatusOr<std::vector<Item>> Client::ListAll(
    Stub& stub, Method method, google::protobuf::RepeatedPtrField<Item>* (Response::*items)()) {
  std::vector<Item> all;
  Request request;
  do {
    ASSAY_ASSIGN_OR_RETURN(Response page, Call<Response>(stub, method, request, kQuickSeconds));
    for (Item& item : *(page.*items)()) all.push_back(std::move(item));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<v1::Model> Client::GetModel(const std::string& name) {
  return Call<v1::Model>(*stubs_->models, &Models::GetModel, Named<v1::GetModelRequest>(name),
                         kQuickSeconds);
}

absl::StatusOr<std::vector<v1::Model>> Client::ListModels() {
  return ListAll<v1::Model, v1::ListModelsRequest>(*stubs_->models, &Models::ListModels,
                                                   &v1::ListModelsResponse::mutable_models);
}

absl::Status Client::DeleteModel(const std::string& name) {
  return Call<google::protobuf::Empty>(*stubs_->models, &Models::DeleteModel,
                                       Named<v1::DeleteModelRequest>(name), kQuickSeconds,
                                       Repeat::kNever)
      .status();
}

absl::StatusOr<v1::Model> Client::LoadModel(const std::string& name, const v1::ImageShape* shape) {
  auto request = Named<v1::LoadModelRequest>(name);
  if (shape != nullptr) *request.mutable_input_shape() = *shape;
  return Call<v1::Model>(*stubs_->models, &Models::LoadModel, request, kSlowSeconds);
}

absl::StatusOr<v1::Model> Client::UnloadModel(const std::string& name) {
  return Call<v1::Model>(*stubs_->models, &Models::UnloadModel, Named<v1::UnloadModelRequest>(name),
                         kQuickSeconds);
}

absl::StatusOr<v1::Dataset> Client::GetDataset(const std::string& name) {
  return Call<v1::Dataset>(*stubs_->datasets, &Datasets::GetDataset,
                           Named<v1::GetDatasetRequest>(name), kQuickSeconds);
}

absl::StatusOr<std::vector<v1::Dataset>> Client::ListDatasets() {
  return ListAll<v1::Dataset, v1::ListDatasetsRequest>(*stubs_->datasets, &Datasets::ListDatasets,
                                                       &v1::ListDatasetsResponse::mutable_datasets);
}

absl::Status Client::DeleteDataset(const std::string& name) {
  return Call<google::protobuf::Empty>(*stubs_->datasets, &Datasets::DeleteDataset,
                                       Named<v1::DeleteDatasetRequest>(name), kQuickSeconds,
                                       Repeat::kNever)
      .status();
}

absl::StatusOr<std::vector<v1::Condition>> Client::ResolveConditions(
    const std::vector<std::string>& expressions) {
  v1::ResolveConditionsRequest request;
  for (const std::string& expression : expressions) request.add_conditions(expression);
  ASSAY_ASSIGN_OR_RETURN(
      const v1::ResolveConditionsResponse response,
      Call<v1::ResolveConditionsResponse>(*stubs_->evaluations, &Evaluations::ResolveConditions,
                                          request, kQuickSeconds));
  return std::vector<v1::Condition>(response.conditions().begin(), response.conditions().end());
}

absl::StatusOr<v1::Evaluation> Client::CreateEvaluation(const v1::EvaluationSpec& spec,
                                                        const std::string& id) {
  v1::CreateEvaluationRequest request;
  request.set_evaluation_id(id);
  *request.mutable_spec() = spec;
  request.set_request_id(NewRequestId());
  return Call<v1::Evaluation>(*stubs_->evaluations, &Evaluations::CreateEvaluation, request,
                              kSlowSeconds);
}

absl::StatusOr<v1::Evaluation> Client::GetEvaluation(const std::string& name) {
  return Call<v1::Evaluation>(*stubs_->evaluations, &Evaluations::GetEvaluation,
                              Named<v1::GetEvaluationRequest>(name), kQuickSeconds);
}

absl::StatusOr<std::vector<v1::Evaluation>> Client::ListEvaluations() {
  return ListAll<v1::Evaluation, v1::ListEvaluationsRequest>(
      *stubs_->evaluations, &Evaluations::ListEvaluations,
      &v1::ListEvaluationsResponse::mutable_evaluations);
}

absl::StatusOr<v1::Evaluation> Client::CancelEvaluation(const std::string& name) {
  return Call<v1::Evaluation>(*stubs_->evaluations, &Evaluations::CancelEvaluation,
                              Named<v1::CancelEvaluationRequest>(name), kQuickSeconds,
                              Repeat::kNever);
}

absl::StatusOr<v1::Evaluation> Client::RetryEvaluation(const std::string& name) {
  return Call<v1::Evaluation>(*stubs_->evaluations, &Evaluations::RetryEvaluation,
                              Named<v1::RetryEvaluationRequest>(name), kQuickSeconds,
                              Repeat::kNever);
}

absl::Status Client::DeleteEvaluation(const std::string& name) {
  return Call<google::protobuf::Empty>(*stubs_->evaluations, &Evaluations::DeleteEvaluation,
                                       Named<v1::DeleteEvaluationRequest>(name), kQuickSeconds,
                                       Repeat::kNever)
      .status();
}

absl::StatusOr<v1::Report> Client::GetReport(const std::string& name, double confidence_level) {
  auto request = Named<v1::GetReportRequest>(name);
  request.set_confidence_level(confidence_level);
  return GetReport(request);
}

absl::StatusOr<v1::Report> Client::GetReport(const v1::GetReportRequest& request) {
  return Call<v1::Report>(*stubs_->evaluations, &Evaluations::GetReport, request, kSlowSeconds);
}

}  // namespace assay::client
