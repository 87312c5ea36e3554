#include "tests/server/api/api_fixture.h"

#include "google/rpc/error_details.pb.h"
#include "tests/core/models/fake_models.h"

namespace assay::api {
std::string ModelFile(const std::string& behaviour) {
  return FakeTorchScript(scheduler::ModelContent(behaviour));
}

std::vector<std::string> Fields(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : ViolationsOf(status)) fields.push_back(violation.field);
  return fields;
}

bool HasDetail(const absl::Status& status, const std::string& name) {
  return status.GetPayload("type.googleapis.com/google.rpc." + name).has_value();
}

std::string ResourceOf(const absl::Status& status) {
  const auto payload = status.GetPayload("type.googleapis.com/google.rpc.ResourceInfo");
  google::rpc::ResourceInfo info;
  if (!payload || !info.ParseFromString(std::string(*payload))) return "";
  return info.resource_name();
}

ApiFixture::ApiFixture()
    : hooked_(*store_),
      context_(hooked_, hooked_, hooked_, *blobs_,
               pool_.emplace(options_, hooked_, *blobs_, metrics_), hub_, metrics_, clock_,
               /*threads=*/4, /*max_waiting_calls=*/100) {
  auto server = GrpcServer::Start({"127.0.0.1", 0}, context_);
  if (!server.ok()) std::abort();
  server_ = *std::move(server);
  channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                 grpc::InsecureChannelCredentials());
  chunks_ = v1::ChunkService::NewStub(channel_);
  models_ = v1::ModelService::NewStub(channel_);
  datasets_ = v1::DatasetService::NewStub(channel_);
  evaluations_ = v1::EvaluationService::NewStub(channel_);
}

void ApiFixture::StartWorker() {
  scheduler::WorkerOptions options;
  options.owner = "worker";
  options.device = "cpu";
  options.lease_seconds = 0.1;  // of a clock that stands still; renewed every 33 ms
  options.cancel_grace_seconds = 0.3;
  worker_ = std::make_unique<scheduler::Worker>(options, hooked_, *blobs_, *pool_, hub_, metrics_);
}

absl::Status ApiFixture::CreateModel(const v1::CreateModelRequest& request, v1::Model* response) {
  return Call(&v1::ModelService::Stub::CreateModel, request, response);
}

absl::StatusOr<v1::Model> ApiFixture::CreateModel(const std::string& id,
                                                  const std::string& content) {
  ASSAY_ASSIGN_OR_RETURN(const std::string digest, blobs_->Put(content));
  v1::CreateModelRequest request;
  request.set_model_id(id);
  request.add_chunks(digest);
  request.set_digest(digest);
  v1::Model model;
  ASSAY_RETURN_IF_ERROR(CreateModel(request, &model));
  return model;
}

absl::StatusOr<v1::Dataset> ApiFixture::CreateDataset(const std::string& id,
                                                      const std::vector<int>& chunks) {
  v1::CreateDatasetRequest request;
  request.set_dataset_id(id);
  v1::DatasetManifest& manifest = *request.mutable_manifest();
  *manifest.mutable_shape() = MakeShape(1, 1, 1);
  manifest.set_pixel_type(v1::UINT8);
  int first = 0;
  for (const int samples : chunks) {
    ASSAY_ASSIGN_OR_RETURN(const std::string digest, blobs_->Put(ChunkBytes(samples, first)));
    v1::DatasetManifest::Chunk& chunk = *manifest.add_chunks();
    chunk.set_digest(digest);
    chunk.set_samples(samples);
    first += samples;
  }
  v1::Dataset dataset;
  ASSAY_RETURN_IF_ERROR(Call(&v1::DatasetService::Stub::CreateDataset, request, &dataset));
  return dataset;
}

absl::StatusOr<v1::Evaluation> ApiFixture::CreateEvaluation(
    const std::string& id, const std::string& model, const std::string& dataset,
    const std::vector<std::string>& conditions) {
  v1::CreateEvaluationRequest request;
  request.set_evaluation_id(id);
  request.mutable_spec()->set_model(model);
  request.mutable_spec()->set_dataset(dataset);
  for (const std::string& condition : conditions) request.mutable_spec()->add_conditions(condition);
  v1::Evaluation evaluation;
  ASSAY_RETURN_IF_ERROR(Call(&v1::EvaluationService::Stub::CreateEvaluation, request, &evaluation));
  return evaluation;
}

absl::StatusOr<v1::Evaluation> ApiFixture::GetEvaluation(const std::string& name) {
  v1::GetEvaluationRequest request;
  request.set_name(name);
  v1::Evaluation evaluation;
  ASSAY_RETURN_IF_ERROR(Call(&v1::EvaluationService::Stub::GetEvaluation, request, &evaluation));
  return evaluation;
}

v1::Evaluation ApiFixture::Submit(const std::string& id, const std::string& behaviour) {
  EXPECT_THAT(CreateModel(id, ModelFile(absl::StrCat(behaviour, " name=", id))), IsOk());
  EXPECT_THAT(CreateDataset(id, {12, 8}), IsOk());
  const auto evaluation = CreateEvaluation(id, "models/" + id, "datasets/" + id);
  EXPECT_THAT(evaluation, IsOk());
  return evaluation.ok() ? *evaluation : v1::Evaluation();
}

bool ApiFixture::Ends(const std::string& name, v1::Evaluation::State state) {
  return Eventually([&] {
    const auto evaluation = GetEvaluation(name);
    return evaluation.ok() && evaluation->state() == state;
  });
}

}  // namespace assay::api
