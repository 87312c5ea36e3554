#include "tests/client/lib/fake_server.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "core/conditions/condition.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "net/grpc_status.h"

namespace assay {
namespace {

const grpc::Status kBroken(grpc::StatusCode::UNAVAILABLE, "broken by the test");

// Counts the call; the fault that it is to answer with.
grpc::Status Begin(FakeState& state, const std::string& method) {
  ++state.calls[method];
  state.called.notify_all();
  auto& failures = state.failures[method];
  if (failures.empty()) return grpc::Status::OK;
  const grpc::Status status = failures.front();
  failures.erase(failures.begin());
  return status;
}

template <typename Resource>
grpc::Status Find(const std::map<std::string, Resource>& resources, const std::string& name,
                  Resource* out) {
  const auto found = resources.find(name);
  if (found == resources.end()) return ToGrpcStatus(NotFound("resource", name));
  *out = found->second;
  return grpc::Status::OK;
}

template <typename Resource>
grpc::Status Erase(std::map<std::string, Resource>& resources, const std::string& name) {
  return resources.erase(name) > 0 ? grpc::Status::OK : ToGrpcStatus(NotFound("resource", name));
}

bool HasEnd(const std::vector<v1::EvaluationEvent>& events) {
  const auto last = events.back().evaluation().state();
  return last != v1::Evaluation::QUEUED && last != v1::Evaluation::RUNNING;
}

template <typename Base>
struct Service : Base {
  explicit Service(FakeState& shared) : state(shared) {}
  FakeState& state;
};

struct Chunks : Service<v1::ChunkService::Service> {
  using Service::Service;
  grpc::Status FindMissingChunks(grpc::ServerContext*, const v1::FindMissingChunksRequest* request,
                                 v1::FindMissingChunksResponse* response) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "FindMissingChunks");
    if (!fault.ok()) return fault;
    for (const std::string& digest : request->digests()) {
      const auto& listed = response->missing();
      if (state.chunks.count(digest) == 0 &&
          std::find(listed.begin(), listed.end(), digest) == listed.end()) {
        response->add_missing(digest);
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status UploadChunks(grpc::ServerContext*,
                            grpc::ServerReader<v1::UploadChunksRequest>* reader,
                            v1::UploadChunksResponse*) override {
    int breaks_after;
    {
      MutexLock lock(state.mutex);
      const grpc::Status fault = Begin(state, "UploadChunks");
      if (!fault.ok()) return fault;
      breaks_after = std::exchange(state.upload_breaks_after, -1);
    }
    v1::UploadChunksRequest message;
    std::string digest;
    std::string bytes;
    int64_t size = 0;
    int stored = 0;
    while (reader->Read(&message)) {
      MutexLock lock(state.mutex);
      if (message.has_header()) {
        if (stored == breaks_after) return kBroken;
        digest = message.header().digest();
        size = message.header().size_bytes();
        bytes.clear();
        continue;
      }
      state.largest_piece = std::max(state.largest_piece, message.data().size());
      bytes += message.data();
      if (static_cast<int64_t>(bytes.size()) < size) continue;
      if (Sha256Hex(bytes) != digest) {
        return ToGrpcStatus(Error(Reason::kDigestMismatch, "not that digest"));
      }
      state.chunks[digest] = bytes;
      state.received_chunks.push_back(digest);
      ++stored;
    }
    return grpc::Status::OK;
  }
};

// Of a condition; batches without one are of all.
template <typename Request>
bool IsWanted(const Request& request, const std::string& condition) {
  const auto& wanted = request.conditions();
  return condition.empty() || wanted.empty() ||
         std::find(wanted.begin(), wanted.end(), condition) != wanted.end();
}

struct Models : Service<v1::ModelService::Service> {
  using Service::Service;
  grpc::Status CreateModel(grpc::ServerContext*, const v1::CreateModelRequest* request,
                           v1::Model* model) override {
    MutexLock lock(state.mutex);
    state.request_ids.push_back(request->request_id());
    const grpc::Status fault = Begin(state, "CreateModel");
    if (!fault.ok()) return fault;
    std::string whole;
    for (const std::string& digest : request->chunks()) whole += state.chunks[digest];
    if (Sha256Hex(whole) != request->digest()) {
      return ToGrpcStatus(Error(Reason::kDigestMismatch, "not that digest"));
    }
    state.chunks[request->digest()] = whole;
    model->set_name(ResourceName(kModels, request->model_id()));
    model->set_digest(request->digest());
    model->set_size_bytes(static_cast<int64_t>(whole.size()));
    *model->mutable_labels() = request->labels();
    state.models[model->name()] = *model;
    return grpc::Status::OK;
  }
  grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                        v1::Model* model) override {
    MutexLock lock(state.mutex);
    const auto id = context->client_metadata().find("x-request-id");
    if (id != context->client_metadata().end()) {
      state.call_ids.emplace_back(id->second.data(), id->second.size());
    }
    const grpc::Status fault = Begin(state, "GetModel");
    return fault.ok() ? Find(state.models, request->name(), model) : fault;
  }
  grpc::Status DeleteModel(grpc::ServerContext*, const v1::DeleteModelRequest* request,
                           google::protobuf::Empty*) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "DeleteModel");
    return fault.ok() ? Erase(state.models, request->name()) : fault;
  }
  grpc::Status LoadModel(grpc::ServerContext*, const v1::LoadModelRequest* request,
                         v1::Model* model) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "LoadModel");
    state.loads.push_back(*request);
    return fault.ok() ? Find(state.models, request->name(), model) : fault;
  }
  grpc::Status UnloadModel(grpc::ServerContext*, const v1::UnloadModelRequest* request,
                           v1::Model* model) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "UnloadModel");
    return fault.ok() ? Find(state.models, request->name(), model) : fault;
  }
  // Two models a page.
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override {
    MutexLock lock(state.mutex);
    state.model_lists.push_back(*request);
    const grpc::Status fault = Begin(state, "ListModels");
    if (!fault.ok()) return fault;
    auto model = state.models.upper_bound(request->page_token());
    for (; model != state.models.end() && response->models_size() < 2; ++model) {
      *response->add_models() = model->second;
    }
    if (model != state.models.end()) response->set_next_page_token(response->models(1).name());
    return grpc::Status::OK;
  }
};

struct Datasets : Service<v1::DatasetService::Service> {
  using Service::Service;
  grpc::Status CreateDataset(grpc::ServerContext*, const v1::CreateDatasetRequest* request,
                             v1::Dataset* dataset) override {
    MutexLock lock(state.mutex);
    state.request_ids.push_back(request->request_id());
    const grpc::Status fault = Begin(state, "CreateDataset");
    if (!fault.ok()) return fault;
    dataset->set_name(ResourceName(kDatasets, request->dataset_id()));
    dataset->set_digest(ManifestDigest(request->manifest()));
    dataset->set_samples(TotalSamples(request->manifest()));
    *dataset->mutable_manifest() = request->manifest();
    state.datasets[dataset->name()] = *dataset;
    return grpc::Status::OK;
  }
  grpc::Status GetDataset(grpc::ServerContext*, const v1::GetDatasetRequest* request,
                          v1::Dataset* dataset) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "GetDataset");
    return fault.ok() ? Find(state.datasets, request->name(), dataset) : fault;
  }
  grpc::Status StreamSamples(grpc::ServerContext*, const v1::StreamSamplesRequest* request,
                             grpc::ServerWriter<v1::StreamSamplesResponse>* writer) override {
    MutexLock lock(state.mutex);
    state.sample_requests.push_back(*request);
    const grpc::Status fault = Begin(state, "StreamSamples");
    if (!fault.ok()) return fault;
    for (const auto& batch : state.samples) writer->Write(batch);
    return grpc::Status::OK;
  }
  grpc::Status ListDatasets(grpc::ServerContext*, const v1::ListDatasetsRequest*,
                            v1::ListDatasetsResponse* response) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "ListDatasets");
    if (!fault.ok()) return fault;
    for (const auto& entry : state.datasets) *response->add_datasets() = entry.second;
    return grpc::Status::OK;
  }
  grpc::Status DeleteDataset(grpc::ServerContext*, const v1::DeleteDatasetRequest* request,
                             google::protobuf::Empty*) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "DeleteDataset");
    return fault.ok() ? Erase(state.datasets, request->name()) : fault;
  }
};

struct Evaluations : Service<v1::EvaluationService::Service> {
  using Service::Service;
  grpc::Status ResolveConditions(grpc::ServerContext*, const v1::ResolveConditionsRequest* request,
                                 v1::ResolveConditionsResponse* response) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "ResolveConditions");
    if (!fault.ok()) return fault;
    const auto conditions =
        ParseConditions({request->conditions().begin(), request->conditions().end()});
    if (!conditions.ok()) return ToGrpcStatus(conditions.status());
    for (const auto& condition : *conditions) *response->add_conditions() = condition;
    return grpc::Status::OK;
  }
  grpc::Status CreateEvaluation(grpc::ServerContext*, const v1::CreateEvaluationRequest* request,
                                v1::Evaluation* evaluation) override {
    MutexLock lock(state.mutex);
    state.request_ids.push_back(request->request_id());
    const grpc::Status fault = Begin(state, "CreateEvaluation");
    if (!fault.ok()) return fault;
    evaluation->set_name(ResourceName(
        kEvaluations, request->evaluation_id().empty() ? "chosen" : request->evaluation_id()));
    evaluation->set_state(v1::Evaluation::QUEUED);
    *evaluation->mutable_spec() = request->spec();
    state.evaluations[evaluation->name()] = *evaluation;
    return grpc::Status::OK;
  }
  grpc::Status GetEvaluation(grpc::ServerContext*, const v1::GetEvaluationRequest* request,
                             v1::Evaluation* evaluation) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "GetEvaluation");
    return fault.ok() ? Find(state.evaluations, request->name(), evaluation) : fault;
  }
  grpc::Status ListEvaluations(grpc::ServerContext*, const v1::ListEvaluationsRequest* request,
                               v1::ListEvaluationsResponse* response) override {
    MutexLock lock(state.mutex);
    state.evaluation_lists.push_back(*request);
    const grpc::Status fault = Begin(state, "ListEvaluations");
    if (!fault.ok()) return fault;
    for (const auto& entry : state.evaluations) *response->add_evaluations() = entry.second;
    return grpc::Status::OK;
  }
  grpc::Status CancelEvaluation(grpc::ServerContext*, const v1::CancelEvaluationRequest* request,
                                v1::Evaluation* evaluation) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "CancelEvaluation");
    if (!fault.ok()) return fault;
    state.evaluations[request->name()].set_state(v1::Evaluation::CANCELLED);
    return Find(state.evaluations, request->name(), evaluation);
  }
  grpc::Status RetryEvaluation(grpc::ServerContext*, const v1::RetryEvaluationRequest* request,
                               v1::Evaluation* evaluation) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "RetryEvaluation");
    return fault.ok() ? Find(state.evaluations, request->name(), evaluation) : fault;
  }
  grpc::Status DeleteEvaluation(grpc::ServerContext*, const v1::DeleteEvaluationRequest* request,
                                google::protobuf::Empty*) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "DeleteEvaluation");
    return fault.ok() ? Erase(state.evaluations, request->name()) : fault;
  }
  grpc::Status GetReport(grpc::ServerContext*, const v1::GetReportRequest* request,
                         v1::Report* report) override {
    MutexLock lock(state.mutex);
    state.reports.push_back(*request);
    const grpc::Status fault = Begin(state, "GetReport");
    if (!fault.ok()) return fault;
    const auto own = state.reports_of.find(request->name());
    *report = own == state.reports_of.end() ? state.report : own->second;
    report->set_evaluation(request->name());
    return grpc::Status::OK;
  }
  grpc::Status CompareEvaluations(grpc::ServerContext*,
                                  const v1::CompareEvaluationsRequest* request,
                                  v1::Comparison* comparison) override {
    MutexLock lock(state.mutex);
    state.comparisons.push_back(*request);
    const grpc::Status fault = Begin(state, "CompareEvaluations");
    if (fault.ok()) *comparison = state.comparison;
    return fault;
  }
  grpc::Status StreamOutcomes(grpc::ServerContext*, const v1::StreamOutcomesRequest* request,
                              grpc::ServerWriter<v1::StreamOutcomesResponse>* writer) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "StreamOutcomes");
    if (!fault.ok()) return fault;
    const auto own = state.outcomes_of.find(request->name());
    for (const auto& batch : own == state.outcomes_of.end() ? state.outcomes : own->second) {
      if (IsWanted(*request, batch.condition())) writer->Write(batch);
    }
    return grpc::Status::OK;
  }
  grpc::Status StreamAdversarials(
      grpc::ServerContext*, const v1::StreamAdversarialsRequest* request,
      grpc::ServerWriter<v1::StreamAdversarialsResponse>* writer) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "StreamAdversarials");
    if (!fault.ok()) return fault;
    for (const auto& batch : state.adversarials) {
      if (IsWanted(*request, batch.condition())) writer->Write(batch);
    }
    return grpc::Status::OK;
  }
  grpc::Status StreamVectors(grpc::ServerContext*, const v1::StreamVectorsRequest* request,
                             grpc::ServerWriter<v1::StreamVectorsResponse>* writer) override {
    MutexLock lock(state.mutex);
    const grpc::Status fault = Begin(state, "StreamVectors");
    if (!fault.ok()) return fault;
    for (const auto& batch : state.vectors[request->kind()]) writer->Write(batch);
    return grpc::Status::OK;
  }
  grpc::Status WatchEvaluation(grpc::ServerContext*, const v1::WatchEvaluationRequest* request,
                               grpc::ServerWriter<v1::EvaluationEvent>* writer) override {
    std::vector<v1::EvaluationEvent> events;
    int breaks_after = -1;
    {
      MutexLock lock(state.mutex);
      const grpc::Status fault = Begin(state, "WatchEvaluation");
      state.watch_tokens.push_back(request->resume_token());
      if (!fault.ok()) return fault;
      events = state.events;
      if (!state.watch_breaks_after.empty()) {
        breaks_after = state.watch_breaks_after.front();
        state.watch_breaks_after.erase(state.watch_breaks_after.begin());
      }
    }
    int first = 0;
    if (absl::SimpleAtoi(request->resume_token(), &first)) ++first;
    int sent = 0;
    for (int i = first; i < static_cast<int>(events.size()); ++i) {
      if (sent++ == breaks_after) return kBroken;
      v1::EvaluationEvent event = events[static_cast<size_t>(i)];
      event.set_sequence(i);
      event.set_resume_token(absl::StrCat(i));
      event.mutable_evaluation()->set_name(request->name());
      writer->Write(event);
    }
    if (sent == breaks_after) return kBroken;
    // An evaluation without an end is watched as long as this server lives.
    if (events.empty() || !HasEnd(events)) {
      MutexLock lock(state.mutex);
      lock.Wait(state.stopped, [this] { return state.stopping; });
    }
    return grpc::Status::OK;
  }
  grpc::Status Evaluate(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::EvaluateResponse, v1::EvaluateRequest>* stream) override {
    v1::EvaluateRequest request;
    if (!stream->Read(&request)) return grpc::Status::CANCELLED;
    int breaks_after;
    v1::EvaluateResponse accepted;
    {
      MutexLock lock(state.mutex);
      const grpc::Status fault = Begin(state, "Evaluate");
      if (!fault.ok()) return fault;
      state.starts.push_back(request.start());
      const bool resumed = !request.start().resume().empty();
      const std::string name = resumed
                                   ? request.start().resume()
                                   : ResourceName(kEvaluations, request.start().evaluation_id());
      if (resumed && state.evaluations.count(name) == 0) {
        return ToGrpcStatus(NotFound("evaluation", name));
      }
      v1::Evaluation& evaluation = state.evaluations[name];
      evaluation.set_name(name);
      if (std::exchange(state.evaluate_breaks_unaccepted, false)) return kBroken;
      if (resumed && evaluation.state() != v1::Evaluation::STATE_UNSPECIFIED &&
          evaluation.state() != v1::Evaluation::RECEIVING) {
        return ToGrpcStatus(Error(Reason::kWrongState, "it receives nothing more"));
      }
      evaluation.set_state(v1::Evaluation::RECEIVING);
      *accepted.mutable_accepted()->mutable_evaluation() = evaluation;
      accepted.mutable_accepted()->set_next_batch(static_cast<int64_t>(state.batches.size()));
      breaks_after = std::exchange(state.evaluate_breaks_after, -1);
    }
    stream->Write(accepted);
    int taken = 0;
    bool finished = false;
    while (stream->Read(&request)) {
      MutexLock lock(state.mutex);
      if (request.has_finish()) {
        finished = request.finish().batches() == static_cast<int64_t>(state.batches.size());
        break;
      }
      if (taken++ == breaks_after) return kBroken;
      state.batches.push_back(request.batch());
      v1::EvaluateResponse response;
      response.mutable_acknowledged()->set_batch(request.batch().index());
      stream->Write(response);
    }
    MutexLock lock(state.mutex);
    const std::string name = accepted.accepted().evaluation().name();
    if (finished) state.evaluations[name].set_state(v1::Evaluation::SUCCEEDED);
    if (taken == breaks_after) return kBroken;
    if (!finished) return ToGrpcStatus(Error(Reason::kUploadIncomplete, "no finish"));
    v1::EvaluateResponse response;
    *response.mutable_event() = FakeEvent(name, v1::Evaluation::SUCCEEDED, 10);
    stream->Write(response);
    return grpc::Status::OK;
  }
};

struct Repository : Service<v1::RepositoryService::Service> {
  using Service::Service;
  grpc::Status SyncModelRepository(grpc::ServerContext*, const v1::SyncModelRepositoryRequest*,
                                   v1::SyncModelRepositoryResponse* response) override {
    MutexLock lock(state.mutex);
    *response = state.sync;
    return Begin(state, "SyncModelRepository");
  }
  grpc::Status ListRepositoryModels(grpc::ServerContext*,
                                    const v1::ListRepositoryModelsRequest* request,
                                    v1::ListRepositoryModelsResponse* response) override {
    MutexLock lock(state.mutex);
    for (const v1::RepositoryVersion& version : state.versions) {
      if (request->model().empty() || request->model() == version.model()) {
        *response->add_versions() = version;
      }
    }
    return Begin(state, "ListRepositoryModels");
  }
};

}  // namespace

struct FakeServer::Services {
  explicit Services(FakeState& state)
      : chunks(state), models(state), datasets(state), evaluations(state), repository(state) {}
  Chunks chunks;
  Models models;
  Datasets datasets;
  Evaluations evaluations;
  Repository repository;
};

FakeServer::FakeServer() : services_(std::make_unique<Services>(state_)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(&services_->chunks);
  builder.RegisterService(&services_->models);
  builder.RegisterService(&services_->datasets);
  builder.RegisterService(&services_->evaluations);
  builder.RegisterService(&services_->repository);
  server_ = builder.BuildAndStart();
}

FakeServer::~FakeServer() {
  {
    MutexLock lock(state_.mutex);
    state_.stopping = true;
    state_.stopped.notify_all();
  }
  server_->Shutdown(std::chrono::system_clock::now());
}

bool FakeServer::AwaitCall(const std::string& method, std::chrono::milliseconds timeout) {
  MutexLock lock(state_.mutex);
  return lock.WaitFor(state_.called, timeout, [&] { return state_.calls[method] > 0; });
}

std::string FakeServer::address() const { return absl::StrCat("127.0.0.1:", port_); }

v1::EvaluationEvent FakeEvent(const std::string& name, v1::Evaluation::State state, int done) {
  v1::EvaluationEvent event;
  event.mutable_evaluation()->set_name(name);
  event.mutable_evaluation()->set_state(state);
  event.mutable_evaluation()->mutable_progress()->set_work(10);
  event.mutable_evaluation()->mutable_progress()->set_work_done(done);
  event.mutable_evaluation()->mutable_progress()->set_samples(100);
  event.mutable_evaluation()->mutable_progress()->set_samples_done(done * 10);
  return event;
}

}  // namespace assay
