#include "server/api/grpc_server.h"

#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"
#include "tests/server/api/raw_calls.h"

namespace assay::api {
namespace {

using ::testing::HasSubstr;

class GrpcServerTest : public ApiFixture {
 protected:
  absl::StatusOr<int> Health(const std::string& name) { return HealthOf(channel(), name); }

  // The answer of grpc.reflection.v1alpha to one request.
  std::string Reflect(const std::string& request) {
    grpc::GenericStub stub(channel());
    grpc::ClientContext call;
    grpc::CompletionQueue queue;
    const auto stream = stub.PrepareCall(
        &call, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
    const auto wait = [&] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    grpc::ByteBuffer response;
    grpc::Status status;
    stream->StartCall(nullptr);
    EXPECT_TRUE(wait());
    stream->Write(Buffer(request), nullptr);
    EXPECT_TRUE(wait());
    stream->Read(&response, nullptr);
    EXPECT_TRUE(wait());
    stream->WritesDone(nullptr);
    EXPECT_TRUE(wait());
    stream->Finish(&status, nullptr);
    EXPECT_TRUE(wait());
    EXPECT_TRUE(status.ok()) << status.error_message();
    return Bytes(response);
  }
};

TEST_F(GrpcServerTest, HealthIsServingForTheServerItsProbesAndEachService) {
  for (const char* name :
       {"", "liveness", "readiness", "assay.v1.ChunkService", "assay.v1.ModelService",
        "assay.v1.DatasetService", "assay.v1.EvaluationService", "assay.v1.AdminService"}) {
    const auto health = Health(name);
    ASSERT_THAT(health, IsOk()) << name;
    EXPECT_EQ(*health, 1) << name;
  }
  EXPECT_TRUE(absl::IsNotFound(Health("no.such.Service").status()));
}

TEST_F(GrpcServerTest, AStoppingServerIsAliveButNotServing) {
  server().SetNotServing();
  for (const char* name :
       {"", "readiness", "assay.v1.ChunkService", "assay.v1.ModelService",
        "assay.v1.DatasetService", "assay.v1.EvaluationService", "assay.v1.AdminService"}) {
    const auto health = Health(name);
    ASSERT_THAT(health, IsOk()) << name;
    EXPECT_EQ(*health, 2) << name;
  }
  const auto alive = Health("liveness");
  ASSERT_THAT(alive, IsOk());
  EXPECT_EQ(*alive, 1);
}

TEST_F(GrpcServerTest, ReflectionListsEveryServiceAndDescribesThem) {
  const std::string services = Reflect(StringField(7, "*"));
  for (const char* name :
       {"assay.v1.ChunkService", "assay.v1.ModelService", "assay.v1.DatasetService",
        "assay.v1.EvaluationService", "assay.v1.AdminService", "grpc.health.v1.Health"}) {
    EXPECT_THAT(services, HasSubstr(name));
  }
  EXPECT_THAT(Reflect(StringField(4, "assay.v1.EvaluationService")), HasSubstr("WatchEvaluation"));
}

TEST_F(GrpcServerTest, CallsAreCountedUnderTheNamesOfGoGrpcPrometheus) {
  ASSERT_THAT(CreateModel("m", ModelFile("")), IsOk());
  EXPECT_THAT(GetEvaluation("evaluations/no"), HasReason(Reason::kNotFound));
  EXPECT_TRUE(Eventually([&] {
    const std::string text = metrics_.Render();
    const auto counts = [&](const std::string& name, const std::string& method,
                            const std::string& code) {
      for (size_t at = text.find(name + "{"); at != std::string::npos;
           at = text.find(name + "{", at + 1)) {
        const std::string line = text.substr(at, text.find('\n', at) - at);
        if (line.find("grpc_method=\"" + method + "\"") != std::string::npos &&
            (code.empty() || line.find("grpc_code=\"" + code + "\"") != std::string::npos) &&
            line.substr(line.size() - 2) == " 1") {
          return true;
        }
      }
      return false;
    };
    return counts("grpc_server_started_total", "CreateModel", "") &&
           counts("grpc_server_handled_total", "CreateModel", "OK") &&
           counts("grpc_server_handled_total", "GetEvaluation", "NotFound") &&
           counts("grpc_server_msg_received_total", "CreateModel", "") &&
           counts("grpc_server_msg_sent_total", "CreateModel", "") &&
           counts("grpc_server_handling_seconds_count", "CreateModel", "");
  }));
}

TEST_F(GrpcServerTest, AnAddressThatIsTakenIsAClearError) {
  const Address address{"127.0.0.1", server().port()};
  const auto second = GrpcServer::Start(address, context());
  EXPECT_THAT(second, HasReason(Reason::kUnavailable));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address.ToString()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--listen"));
  EXPECT_THAT(GrpcServer::Start({"no such host", 1}, context()), HasReason(Reason::kUnavailable));
}

TEST_F(GrpcServerTest, ShutdownEndsOpenWatches) {
  Submit("e");
  v1::WatchEvaluationRequest request;
  request.set_name("evaluations/e");
  grpc::ClientContext call;
  const auto stream = evaluations()->WatchEvaluation(&call, request);
  v1::EvaluationEvent event;
  ASSERT_TRUE(stream->Read(&event));
  const auto start = std::chrono::steady_clock::now();
  server().Shutdown(0.1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  EXPECT_FALSE(stream->Read(&event));
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(GrpcServerTest, AServerThatIsDestroyedEndsOpenCallsToo) {
  Submit("e");
  v1::WatchEvaluationRequest request;
  request.set_name("evaluations/e");
  grpc::ClientContext watch_call, evaluate_call;
  const auto watch = evaluations()->WatchEvaluation(&watch_call, request);
  v1::EvaluationEvent event;
  ASSERT_TRUE(watch->Read(&event));
  const auto evaluate = evaluations()->Evaluate(&evaluate_call);
  server_.reset();
  EXPECT_FALSE(watch->Finish().ok());
  v1::EvaluateResponse response;
  EXPECT_FALSE(evaluate->Read(&response));
  EXPECT_FALSE(evaluate->Finish().ok());
}

// More streams than gRPC has threads wait for a store that does not answer.
TEST_F(GrpcServerTest, ABlockedStoreHoldsUpNoCallBeyondTheThreadsOfTheExecutor) {
  Submit("e");
  std::atomic<int> waiting = 0;
  std::atomic<bool> release = false;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "ReadOutcomes") return absl::OkStatus();
    ++waiting;
    EXPECT_TRUE(Eventually([&] { return release.load(); }));
    return absl::OkStatus();
  });
  constexpr size_t kStreams = 60;
  std::vector<std::unique_ptr<grpc::ClientContext>> calls;
  std::vector<std::thread> readers;
  std::atomic<size_t> complete = 0, cancelled = 0;
  const auto read = [&] {
    grpc::ClientContext& call = *calls.emplace_back(std::make_unique<grpc::ClientContext>());
    readers.emplace_back([&] {
      v1::StreamOutcomesRequest request;
      request.set_name("evaluations/e");
      const auto stream = evaluations()->StreamOutcomes(&call, request);
      v1::StreamOutcomesResponse response;
      while (stream->Read(&response)) {
      }
      const absl::Status end = FromGrpcStatus(stream->Finish());
      if (end.ok()) ++complete;
      if (absl::IsCancelled(end)) ++cancelled;
    });
  };
  // Three of the four threads: there is one for everybody else.
  for (int i = 0; i < 3; ++i) read();
  EXPECT_TRUE(Eventually([&] { return waiting == 3; }));
  EXPECT_THAT(GetEvaluation("evaluations/e"), IsOk());
  v1::WatchEvaluationRequest request;
  request.set_name("evaluations/e");
  grpc::ClientContext watch_call;
  const auto watch = evaluations()->WatchEvaluation(&watch_call, request);
  v1::EvaluationEvent event;
  EXPECT_TRUE(watch->Read(&event));
  // All of them, and many more that wait: health does not depend on the store.
  while (readers.size() < kStreams) read();
  EXPECT_TRUE(Eventually([&] { return waiting == 4; }));
  for (int i = 0; i < 20; ++i) {
    const auto health = Health("readiness");
    ASSERT_THAT(health, IsOk());
    EXPECT_EQ(*health, 1);
  }
  // Whoever goes while the store is blocked is let go.
  for (size_t i = 0; i < kStreams; i += 2) calls[i]->TryCancel();
  watch_call.TryCancel();
  EXPECT_TRUE(absl::IsCancelled(FromGrpcStatus(watch->Finish())));
  EXPECT_TRUE(Eventually([&] { return cancelled == kStreams / 2; }));
  EXPECT_EQ(complete, 0u);
  release = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(complete, kStreams / 2);
}

TEST_F(GrpcServerTest, StreamsEndWithTheServerEvenWhileTheirStepsAreBlocked) {
  Submit("e");
  std::atomic<int> waiting = 0;
  std::atomic<bool> release = false;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "ReadOutcomes") return absl::OkStatus();
    ++waiting;
    EXPECT_TRUE(Eventually([&] { return release.load(); }));
    return absl::OkStatus();
  });
  v1::StreamOutcomesRequest request;
  request.set_name("evaluations/e");
  grpc::ClientContext call;
  const auto stream = evaluations()->StreamOutcomes(&call, request);
  ASSERT_TRUE(Eventually([&] { return waiting == 1; }));
  server_.reset();
  EXPECT_FALSE(FromGrpcStatus(stream->Finish()).ok());
  release = true;
}

TEST_F(GrpcServerTest, AMessageOverTheLimitIsRefusedAndTheServerGoesOn) {
  v1::CreateModelRequest request;
  request.set_digest(std::string(70 << 20, 'a'));
  v1::Model model;
  EXPECT_TRUE(absl::IsResourceExhausted(CreateModel(request, &model)));
  EXPECT_THAT(CreateModel("m", ModelFile("")), IsOk());
}

}  // namespace
}  // namespace assay::api
