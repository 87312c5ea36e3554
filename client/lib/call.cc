#include "client/lib/call.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/lib/request_id.h"
#include "core/base/errors.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "net/address.h"
#include "net/certificates.h"
#include "net/tokens.h"

namespace assay::client {
namespace {

// Servers refuse pings that come more often than every 30 s.
constexpr int kKeepaliveMillis = 45'000;
constexpr int kKeepaliveTimeoutMillis = 20'000;
constexpr std::chrono::seconds kFirstContactLimit{10};
// When the answer is that nobody is there: long enough for a server that is just being started
// again.
constexpr std::chrono::seconds kNobodyThereLimit{2};
constexpr std::chrono::milliseconds kPollInterval{100};
// For one attempt to connect, the first frames included. Two attempts, or two addresses of a name
// that are tried in turn, fit into the first contact.
constexpr int kConnectMillis = 4'500;

// For finding out why TLS does not work.
constexpr int kTlsProbeSeconds = 3;

constexpr absl::string_view kUnix = "unix:";
constexpr absl::string_view kTls = "grpcs://";
constexpr absl::string_view kPlain = "grpc://";

// What is left of an address in gRPC's own notation: dns:///HOST:PORT, ipv4:HOST:PORT.
absl::string_view WithoutScheme(absl::string_view address) {
  const size_t scheme = address.find(":///");
  if (scheme != absl::string_view::npos) return address.substr(scheme + 4);
  if (!absl::ConsumePrefix(&address, "ipv4:")) absl::ConsumePrefix(&address, "ipv6:");
  return address;
}

absl::Status CheckAddress(const std::string& address) {
  if (absl::StartsWith(address, kUnix)) {
    if (address.size() > kUnix.size()) return absl::OkStatus();
    return InvalidFields({{"server", "must name the socket: unix:PATH; got 'unix:'"}});
  }
  // gRPC has more notations than these, and says what it does not understand.
  if (WithoutScheme(address) != address) return absl::OkStatus();
  return ParseAddress(address, "server", AddressUse::kConnect).status();
}

// Empty for a Unix socket.
std::string HostOf(const std::string& address) {
  if (absl::StartsWith(address, kUnix)) return "";
  const auto parsed = ParseAddress(WithoutScheme(address), "server", AddressUse::kConnect);
  return parsed.ok() ? parsed->host : "";
}

// Certificates that the options name, read and looked at.
absl::StatusOr<ClientTls> ReadTls(const TlsOptions& options) {
  ClientTls tls;
  const FlagFile ca{"ca", options.ca_file};
  const FlagFile cert{"cert", options.cert_file};
  const FlagFile key{"key", options.key_file};
  if (options.cert_file.empty() != options.key_file.empty()) {
    return InvalidFields({{options.key_file.empty() ? "key" : "cert",
                           "is missing: a certificate and its key belong together"}});
  }
  if (!options.ca_file.empty()) {
    ASSAY_ASSIGN_OR_RETURN(tls.authorities, ReadSmallFile(ca));
    ASSAY_RETURN_IF_ERROR(CheckAuthorities(tls.authorities, ca));
  }
  if (!options.cert_file.empty()) {
    ASSAY_ASSIGN_OR_RETURN(tls.chain, ReadSmallFile(cert));
    ASSAY_ASSIGN_OR_RETURN(tls.key, ReadSmallFile(key));
    ASSAY_RETURN_IF_ERROR(
        CheckCertificate(tls.chain, cert, tls.key, key, SystemClock().NowMicros()).status());
  }
  return tls;
}

grpc::ChannelArguments ChannelArguments(const std::optional<Proxy>& proxy,
                                        const std::string& server_name) {
  grpc::ChannelArguments arguments;
  if (!server_name.empty()) arguments.SetSslTargetNameOverride(server_name);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMillis);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMillis);
  // A watch may be silent for hours, and must notice even then that its server is gone.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  // In spite of its name also the time that an attempt to connect may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMillis);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // Retries are ours: gRPC's own would hide how long nothing has moved.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (proxy && proxy->usable) {
    arguments.SetString(GRPC_ARG_HTTP_PROXY, proxy->url);
  } else {
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  }
  return arguments;
}

// What gRPC says about a failed connection, without its frame.
absl::string_view Cause(absl::string_view text) {
  constexpr absl::string_view kFrame = "last error: ";
  const size_t frame = text.find(kFrame);
  if (frame != absl::string_view::npos) text.remove_prefix(frame + kFrame.size());
  absl::ConsumePrefix(&text, "UNKNOWN: ");
  return text;
}

// Whether it is certain that no server is at the address, however busy its machine.
bool NobodyThere(absl::string_view cause) {
  return absl::StrContains(cause, std::strerror(ECONNREFUSED)) ||
         absl::StrContains(cause, std::strerror(ENOENT)) ||  // of a Unix socket
         absl::StrContains(cause, "Domain name not found");
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

void SetRequestId(const std::string& id, absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      break;
    case absl::StatusCode::kUnavailable:
      // Without a reason it is gRPC's, and no server has seen the call.
      if (ReasonOf(status).has_value()) break;
      return;
    default:
      return;
  }
  google::rpc::RequestInfo info;
  info.set_request_id(id);
  status.SetPayload("type.googleapis.com/google.rpc.RequestInfo",
                    absl::Cord(info.SerializeAsString()));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  Target target;
  absl::string_view address = options.address;
  target.encrypted = absl::ConsumePrefix(&address, kTls);
  if (!target.encrypted) absl::ConsumePrefix(&address, kPlain);
  target.address = std::string(address);
  ASSAY_RETURN_IF_ERROR(CheckAddress(target.address));
  target.host = HostOf(target.address);
  target.name = options.tls.server_name.empty() ? target.host : options.tls.server_name;
  if (target.encrypted) {
    ASSAY_ASSIGN_OR_RETURN(target.tls, ReadTls(options.tls));
  }
  if (!options.token_file.empty()) {
    if (!target.encrypted && !target.host.empty() && !IsLoopback(target.host)) {
      return InvalidFields(
          {{"server",
            absl::StrCat("a token is not sent unencrypted to another machine: write ", kTls,
                         target.address, " if the server has TLS, or leave the token out")}});
    }
    ASSAY_ASSIGN_OR_RETURN(const std::string text,
                           ReadSmallFile({"token_file", options.token_file}));
    ASSAY_ASSIGN_OR_RETURN(target.token,
                           TokenOfText(text, absl::StrCat("token_file ", options.token_file)));
  }
  std::unique_ptr<Client> client(new Client(std::move(options), std::move(target)));
  ASSAY_RETURN_IF_ERROR(client->FirstContact());
  return client;
}

Client::Client(ClientOptions options, Target target)
    : options_(std::move(options)),
      target_(std::make_unique<const Target>(std::move(target))),
      proxy_(ProxyFor(target_->host, std::getenv)),
      stubs_(std::make_unique<Stubs>(grpc::CreateCustomChannel(
          target_->address,
          target_->encrypted ? grpc::SslCredentials(
                                   {target_->tls.authorities, target_->tls.key, target_->tls.chain})
                             : grpc::InsecureChannelCredentials(),
          ChannelArguments(proxy_, options_.tls.server_name)))) {
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
  const auto begin = std::chrono::steady_clock::now();
  std::string cause;
  while (true) {
    ASSAY_RETURN_IF_ERROR(options_.interrupt->Check());
    const grpc_connectivity_state state = stubs_->channel->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return absl::OkStatus();
    // gRPC tries again by itself.
    const bool failed = state == GRPC_CHANNEL_TRANSIENT_FAILURE;
    if (failed) {
      cause = ConnectionFailure();
      ASSAY_RETURN_IF_ERROR(TlsProblem());
    }
    const auto limit = failed && NobodyThere(cause) ? kNobodyThereLimit : kFirstContactLimit;
    if (std::chrono::steady_clock::now() - begin > limit) return NoAnswer(cause, limit.count());
    // In short steps, because an interrupt does not end this wait.
    stubs_->channel->WaitForStateChange(state, std::chrono::system_clock::now() + kPollInterval);
  }
}

std::string Client::ConnectionFailure() {
  // Only a call is told, at once while the channel has failed. This one asks for nothing.
  grpc::ClientContext context;
  AddToken(target_->token, context);
  context.set_deadline(std::chrono::system_clock::now() + kPollInterval);
  v1::FindMissingChunksResponse response;
  const grpc::Status status =
      stubs_->chunks->FindMissingChunks(&context, v1::FindMissingChunksRequest(), &response);
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return "";
  return std::string(Cause(status.error_message()));
}

absl::Status Client::TlsProblem() const {
  // What is said through a proxy is not asked for.
  const auto address =
      ParseAddress(WithoutScheme(target_->address), "server", AddressUse::kConnect);
  if (!target_->encrypted || !address.ok() || (proxy_ && proxy_->usable)) return absl::OkStatus();
  const TlsFailure failure =
      FindTlsFailure(address->host, address->port, target_->name, target_->tls, kTlsProbeSeconds);
  const std::string text = absl::StrCat("the server at ", options_.address, ": ", failure.why);
  switch (failure.kind) {
    case TlsFailure::Kind::kUnknown:
      return absl::OkStatus();
    case TlsFailure::Kind::kNoTls:
      return Error(Reason::kServerNotTrusted,
                   absl::StrCat(text, "; if that is meant, write ", target_->address));
    case TlsFailure::Kind::kServerNotTrusted:
      return Error(Reason::kServerNotTrusted, text);
    case TlsFailure::Kind::kClientRefused:
      return Error(Reason::kUnauthenticated, absl::StrCat(text, " (--cert, --key)"));
  }
  return absl::OkStatus();
}

absl::Status Client::NoAnswer(const std::string& cause, int64_t seconds) const {
  std::string text =
      absl::StrCat("no server answers at ", options_.address, " within ", seconds, " s");
  if (proxy_ && proxy_->usable) {
    absl::StrAppend(&text, " through the proxy ", proxy_->Shown(), " that ", proxy_->variable,
                    " names (no_proxy=", target_->host, " goes without it)");
  } else if (proxy_) {
    absl::StrAppend(&text, " without the proxy that ", proxy_->variable,
                    " names, which is no http:// URL");
  }
  if (!cause.empty()) absl::StrAppend(&text, ": ", cause);
  // It closes connections whose first bytes are not of TLS.
  if (!target_->encrypted && (absl::StrContains(cause, "Socket closed") ||
                              absl::StrContains(cause, std::strerror(ECONNRESET)))) {
    absl::StrAppend(&text, "; does it want TLS? then write ", kTls, target_->address);
  }
  return Error(Reason::kUnavailable, text);
}

template <typename Item, typename Request, typename Response, typename Stub, typename Method>
absl::StatusOr<std::vector<Item>> Client::ListAll(
    Stub& stub, Method method, google::protobuf::RepeatedPtrField<Item>* (Response::*items)(),
    Request request) {
  std::vector<Item> all;
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

absl::StatusOr<std::vector<v1::Model>> Client::ListModels(v1::ListModelsRequest filter) {
  return ListAll<v1::Model, v1::ListModelsRequest>(*stubs_->models, &Models::ListModels,
                                                   &v1::ListModelsResponse::mutable_models,
                                                   std::move(filter));
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

absl::StatusOr<v1::SyncModelRepositoryResponse> Client::SyncModelRepository() {
  return Call<v1::SyncModelRepositoryResponse>(*stubs_->repository,
                                               &v1::RepositoryService::Stub::SyncModelRepository,
                                               v1::SyncModelRepositoryRequest(), kSlowSeconds);
}

absl::StatusOr<std::vector<v1::RepositoryVersion>> Client::ListRepositoryModels(
    const std::string& model) {
  v1::ListRepositoryModelsRequest request;
  request.set_model(model);
  return ListAll<v1::RepositoryVersion, v1::ListRepositoryModelsRequest>(
      *stubs_->repository, &v1::RepositoryService::Stub::ListRepositoryModels,
      &v1::ListRepositoryModelsResponse::mutable_versions, std::move(request));
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

absl::StatusOr<std::vector<v1::Evaluation>> Client::ListEvaluations(
    v1::ListEvaluationsRequest filter) {
  return ListAll<v1::Evaluation, v1::ListEvaluationsRequest>(
      *stubs_->evaluations, &Evaluations::ListEvaluations,
      &v1::ListEvaluationsResponse::mutable_evaluations, std::move(filter));
}

absl::StatusOr<v1::Evaluation> Client::CancelEvaluation(const std::string& name) {
  const auto cancel = [&] {
    return Call<v1::Evaluation>(*stubs_->evaluations, &Evaluations::CancelEvaluation,
                                Named<v1::CancelEvaluationRequest>(name), kQuickSeconds,
                                Repeat::kNever);
  };
  // A connection may break under the call, or have broken without gRPC having noticed.
  absl::StatusOr<v1::Evaluation> cancelled = cancel();
  bool repeated = false;
  for (int left = 2; left > 0 && IsRetryable(cancelled.status()); --left) {
    cancelled = cancel();
    repeated = true;
  }
  if (!repeated || cancelled.status().code() != absl::StatusCode::kFailedPrecondition) {
    return cancelled;
  }
  // It has ended already: by the call whose answer was lost?
  const absl::StatusOr<v1::Evaluation> found = GetEvaluation(name);
  return found.ok() && found->state() == v1::Evaluation::CANCELLED ? found : cancelled;
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

absl::StatusOr<v1::Report> Client::GetReport(const v1::GetReportRequest& request) {
  return Call<v1::Report>(*stubs_->evaluations, &Evaluations::GetReport, request, kSlowSeconds);
}

absl::StatusOr<v1::Comparison> Client::CompareEvaluations(
    const v1::CompareEvaluationsRequest& request) {
  return Call<v1::Comparison>(*stubs_->evaluations, &Evaluations::CompareEvaluations, request,
                              kSlowSeconds);
}

}  // namespace assay::client
