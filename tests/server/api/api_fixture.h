// A whole server in the test's process, but for the engines, which are fake_engine.cc: real store,
// real gRPC on a free port.
#ifndef ASSAY_TESTS_SERVER_API_API_FIXTURE_H_
#define ASSAY_TESTS_SERVER_API_API_FIXTURE_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "assay/v1/chunks.grpc.pb.h"
#include "assay/v1/datasets.grpc.pb.h"
#include "assay/v1/evaluations.grpc.pb.h"
#include "assay/v1/models.grpc.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "net/grpc_status.h"
#include "server/api/grpc_server.h"
#include "server/scheduler/worker.h"
#include "tests/server/scheduler/fake_engine_models.h"
#include "tests/server/scheduler/hooked_store.h"

namespace assay::api {

using scheduler::ChunkBytes;
using scheduler::Eventually;
using scheduler::MakeShape;
using store::HasReason;
using store::IsOk;

// A file with the outside of a TorchScript model, for a fake engine that behaves as told.
std::string ModelFile(const std::string& behaviour);

// The fields that a status complains about.
std::vector<std::string> Fields(const absl::Status& status);
// Whether a status carries a detail of google.rpc, such as "RetryInfo".
bool HasDetail(const absl::Status& status, const std::string& name);
// The name in the ResourceInfo of a status; empty: none.
std::string ResourceOf(const absl::Status& status);

class ApiFixture : public scheduler::EngineFixture {
 protected:
  ApiFixture();

  // Does the queued work from now on.
  void StartWorker();
  void StopWorker() { worker_.reset(); }
  Context& context() { return context_; }
  GrpcServer& server() { return *server_; }
  store::HookedStore& hooked() { return hooked_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // A unary call: Call(&ModelService::Stub::GetModel, request, &response).
  template <typename Service, typename Request, typename Response>
  absl::Status Call(grpc::Status (Service::*method)(grpc::ClientContext*, const Request&,
                                                    Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext client;
    client.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return FromGrpcStatus((StubOf<Service>().*method)(&client, request, response));
  }

  // The same for a request that is made of fields: the messages' text format.
  absl::Status CreateModel(const v1::CreateModelRequest& request, v1::Model* response);
  // Uploads nothing: the content goes straight to the blobs.
  absl::StatusOr<v1::Model> CreateModel(const std::string& id, const std::string& content);
  absl::StatusOr<v1::Dataset> CreateDataset(const std::string& id, const std::vector<int>& chunks);
  absl::StatusOr<v1::Evaluation> CreateEvaluation(const std::string& id, const std::string& model,
                                                  const std::string& dataset,
                                                  const std::vector<std::string>& conditions = {
                                                      "clean"});
  absl::StatusOr<v1::Evaluation> GetEvaluation(const std::string& name);
  // A model that behaves as told, a dataset of 20 samples and an evaluation of the two, all of the
  // same id.
  v1::Evaluation Submit(const std::string& id, const std::string& behaviour = "");
  bool Ends(const std::string& name, v1::Evaluation::State state);
  std::unique_ptr<v1::EvaluationService::Stub>& evaluations() { return evaluations_; }
  std::unique_ptr<v1::ChunkService::Stub>& chunks() { return chunks_; }

  template <typename Service>
  Service& StubOf();

  std::optional<scheduler::EnginePool> pool_;
  scheduler::Hub hub_;
  store::HookedStore hooked_;
  Context context_;
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ChunkService::Stub> chunks_;
  std::unique_ptr<v1::ModelService::Stub> models_;
  std::unique_ptr<v1::DatasetService::Stub> datasets_;
  std::unique_ptr<v1::EvaluationService::Stub> evaluations_;
  std::unique_ptr<scheduler::Worker> worker_;
};

template <>
inline v1::ChunkService::Stub& ApiFixture::StubOf() {
  return *chunks_;
}
template <>
inline v1::ModelService::Stub& ApiFixture::StubOf() {
  return *models_;
}
template <>
inline v1::DatasetService::Stub& ApiFixture::StubOf() {
  return *datasets_;
}
template <>
inline v1::EvaluationService::Stub& ApiFixture::StubOf() {
  return *evaluations_;
}

}  // namespace assay::api

#endif  // ASSAY_TESTS_SERVER_API_API_FIXTURE_H_
