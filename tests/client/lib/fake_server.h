// A small server for the client's tests: keeps what it is sent in memory, and fails where a test
// asks for it.
#ifndef ASSAY_TESTS_CLIENT_LIB_FAKE_SERVER_H_
#define ASSAY_TESTS_CLIENT_LIB_FAKE_SERVER_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "assay/v1/chunks.grpc.pb.h"
#include "assay/v1/datasets.grpc.pb.h"
#include "assay/v1/evaluations.grpc.pb.h"
#include "assay/v1/models.grpc.pb.h"
#include "assay/v1/repository.grpc.pb.h"
#include "core/base/mutex.h"
#include "grpcpp/server.h"

namespace assay {

// What the services share, under its mutex.
struct FakeState {
  Mutex mutex;
  std::map<std::string, std::string> chunks;
  std::map<std::string, v1::Model> models;
  std::map<std::string, v1::Dataset> datasets;
  std::map<std::string, v1::Evaluation> evaluations;
  v1::Report report;
  v1::Comparison comparison;
  v1::SyncModelRepositoryResponse sync;
  std::vector<v1::RepositoryVersion> versions;
  std::vector<v1::StreamOutcomesResponse> outcomes;
  std::vector<v1::StreamAdversarialsResponse> adversarials;
  std::map<v1::VectorKind, std::vector<v1::StreamVectorsResponse>> vectors;
  std::vector<v1::StreamSamplesResponse> samples;
  // Of the evaluations of these names, instead of the above.
  std::map<std::string, v1::Report> reports_of;
  std::map<std::string, std::vector<v1::StreamOutcomesResponse>> outcomes_of;

  // What has been asked, for expectations.
  std::vector<std::string> received_chunks;  // digests, repetitions included
  std::vector<std::string> request_ids;
  // "x-request-id" of GetModel calls.
  std::vector<std::string> call_ids;
  std::vector<std::string> watch_tokens;
  std::vector<v1::LoadModelRequest> loads;
  std::vector<v1::GetReportRequest> reports;
  std::vector<v1::ListModelsRequest> model_lists;
  std::vector<v1::ListEvaluationsRequest> evaluation_lists;
  std::vector<v1::CompareEvaluationsRequest> comparisons;
  std::vector<v1::StreamSamplesRequest> sample_requests;
  std::vector<v1::EvaluateRequest::Start> starts;
  std::vector<v1::EvaluateRequest::Batch> batches;
  size_t largest_piece = 0;
  std::map<std::string, int> calls;
  // Notified at every call.
  std::condition_variable called;

  // Faults. The next answers to a method ("GetModel") in order; OK or none left: no fault.
  std::map<std::string, std::vector<grpc::Status>> failures;
  // Chunks that one UploadChunks takes before it breaks with UNAVAILABLE; < 0: all. Used up by one
  // call.
  int upload_breaks_after = -1;
  // Events that each WatchEvaluation sends before it breaks with UNAVAILABLE; afterwards none
  // breaks.
  std::vector<int> watch_breaks_after;
  // Events of every evaluation, in order; tokens are their indices.
  std::vector<v1::EvaluationEvent> events;
  // Batches that one Evaluate takes before it breaks; < 0: all. Used up by one call.
  int evaluate_breaks_after = -1;
  // Evaluate says nothing, not even the acceptance, before it breaks. Used up by one call.
  bool evaluate_breaks_unaccepted = false;

  bool stopping = false;
  std::condition_variable stopped;
};

class FakeServer {
 public:
  FakeServer();
  ~FakeServer();
  // host:port
  std::string address() const;

  // The state, locked for as long as the expression lasts: server.state()->calls["GetModel"]. Once
  // in an expression.
  class LockedState {
   public:
    explicit LockedState(FakeState& state) : lock_(state.mutex), state_(state) {}
    FakeState* operator->() { return &state_; }

   private:
    MutexLock lock_;
    FakeState& state_;
  };
  LockedState state() { return LockedState(state_); }

  // Waits for the first call of that method; false when the time is up.
  bool AwaitCall(const std::string& method, std::chrono::milliseconds timeout);

 private:
  struct Services;
  FakeState state_;
  std::unique_ptr<Services> services_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// An event of an evaluation in `state`, `done` tenths of the work done.
v1::EvaluationEvent FakeEvent(const std::string& name, v1::Evaluation::State state, int done);

}  // namespace assay

#endif  // ASSAY_TESTS_CLIENT_LIB_FAKE_SERVER_H_
