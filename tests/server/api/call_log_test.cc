#include "server/api/call_log.h"

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
using Json = nlohmann::json;

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";

class CallLogTest : public ApiFixture {
 protected:
  CallLogTest() { SetLog(LogFormat::kJson, LogLevel::kDebug); }
  ~CallLogTest() override { SetLog(LogFormat::kText, LogLevel::kInfo); }

  static void SetUp(grpc::ClientContext* client) {
    client->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }
  // Asks for a model that is not there.
  grpc::Status GetNothing(grpc::ClientContext* client) {
    SetUp(client);
    v1::GetModelRequest request;
    request.set_name("models/nothing");
    v1::Model response;
    return models_->GetModel(client, request, &response);
  }
  static std::string IdOf(const grpc::ClientContext& client) {
    const auto& metadata = client.GetServerInitialMetadata();
    const auto found = metadata.find(kRequestIdKey);
    return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
  }
  // Lines with that message, logged meanwhile.
  template <typename Function>
  static std::vector<Json> Lines(const std::string& message, const Function& function) {
    ::testing::internal::CaptureStderr();
    function();
    std::vector<Json> lines;
    for (const absl::string_view text :
         absl::StrSplit(::testing::internal::GetCapturedStderr(), '\n', absl::SkipEmpty())) {
      Json line = Json::parse(std::string(text), nullptr, /*allow_exceptions=*/false);
      if (line.is_object() && line["message"] == message) lines.push_back(std::move(line));
    }
    return lines;
  }
};

TEST_F(CallLogTest, AFailedCallIsOneLineWithItsIdAndTrace) {
  const auto lines = Lines("call failed", [&] {
    grpc::ClientContext client;
    client.AddMetadata("x-request-id", "mine-1");
    client.AddMetadata("traceparent", std::string("00-") + kTrace + "-00f067aa0ba902b7-01");
    EXPECT_EQ(GetNothing(&client).error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(IdOf(client), "mine-1");
  });
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0]["method"], "/assay.v1.ModelService/GetModel");
  EXPECT_EQ(lines[0]["code"], "NOT_FOUND");
  EXPECT_EQ(lines[0]["request_id"], "mine-1");
  EXPECT_EQ(lines[0]["trace_id"], kTrace);
  EXPECT_THAT(lines[0]["peer"].get<std::string>(), HasSubstr("127.0.0.1"));
  EXPECT_THAT(lines[0]["error"].get<std::string>(), HasSubstr("models/nothing"));
  EXPECT_TRUE(lines[0]["milliseconds"].is_number_integer());
}

TEST_F(CallLogTest, WhetherThereIsAModelIsAskedWithoutALineButOtherFailuresHaveOne) {
  SetLog(LogFormat::kJson, LogLevel::kInfo);
  const auto ask = [&] {
    grpc::ClientContext client;
    EXPECT_EQ(GetNothing(&client).error_code(), grpc::StatusCode::NOT_FOUND);
  };
  EXPECT_THAT(Lines("call failed", ask), SizeIs(0));
  const auto lines = Lines("call failed", [&] {
    grpc::ClientContext client;
    SetUp(&client);
    v1::DeleteModelRequest request;
    request.set_name("models/nothing");
    google::protobuf::Empty response;
    EXPECT_EQ(models_->DeleteModel(&client, request, &response).error_code(),
              grpc::StatusCode::NOT_FOUND);
  });
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0]["level"], "info");
}

TEST_F(CallLogTest, ACallWithoutAnIdGetsOneAndOfAHostileOneNothingIsLogged) {
  for (const std::string& sent :
       std::vector<std::string>{"", "two words", std::string(200, 'a'), "a\"b"}) {
    std::string given;
    const auto lines = Lines("call failed", [&] {
      grpc::ClientContext client;
      if (!sent.empty()) client.AddMetadata("x-request-id", sent);
      EXPECT_FALSE(GetNothing(&client).ok());
      given = IdOf(client);
    });
    EXPECT_THAT(given, MatchesRegex("[0-9a-f]{32}"));
    ASSERT_THAT(lines, SizeIs(1));
    EXPECT_EQ(lines[0]["request_id"], given);
    EXPECT_FALSE(lines[0].contains("trace_id"));
  }
}

TEST_F(CallLogTest, WhatACallDoesIsLoggedUnderItsId) {
  ASSERT_TRUE(CreateModel("m", ModelFile("")).ok());
  std::string given;
  const auto deleted = Lines("model deleted", [&] {
    grpc::ClientContext client;
    SetUp(&client);
    v1::DeleteModelRequest request;
    request.set_name("models/m");
    google::protobuf::Empty response;
    EXPECT_TRUE(models_->DeleteModel(&client, request, &response).ok());
    given = IdOf(client);
  });
  ASSERT_THAT(deleted, SizeIs(1));
  EXPECT_EQ(deleted[0]["model"], "models/m");
  EXPECT_FALSE(given.empty());
  EXPECT_EQ(deleted[0]["request_id"], given);
}

TEST_F(CallLogTest, StreamsHaveIdsToo) {
  std::string given;
  const auto lines = Lines("call failed", [&] {
    grpc::ClientContext client;
    SetUp(&client);
    v1::WatchEvaluationRequest request;
    request.set_name("evaluations/nothing");
    const auto reader = evaluations_->WatchEvaluation(&client, request);
    v1::EvaluationEvent event;
    EXPECT_FALSE(reader->Read(&event));
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
    given = IdOf(client);
  });
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_FALSE(given.empty());
  EXPECT_EQ(lines[0]["request_id"], given);
}

TEST_F(CallLogTest, CallsThatAreFineAreForDebugging) {
  const auto ask = [&] {
    grpc::ClientContext client;
    SetUp(&client);
    v1::ListModelsResponse response;
    EXPECT_TRUE(models_->ListModels(&client, v1::ListModelsRequest(), &response).ok());
  };
  EXPECT_THAT(Lines("call", ask), SizeIs(1));
  SetLog(LogFormat::kJson, LogLevel::kInfo);
  EXPECT_THAT(Lines("call", ask), SizeIs(0));
}

TEST_F(CallLogTest, AnEvaluationsLifeIsLogged) {
  StartWorker();
  const auto failed = Lines("evaluation failed", [&] {
    const v1::Evaluation evaluation = Submit("bad", "run=error");
    Ends(evaluation.name(), v1::Evaluation::FAILED);
    StopWorker();
  });
  ASSERT_THAT(failed, SizeIs(1));
  EXPECT_EQ(failed[0]["evaluation"], "evaluations/bad");
  EXPECT_EQ(failed[0]["level"], "warning");
  EXPECT_FALSE(failed[0]["reason"].get<std::string>().empty());
}

TEST(Traceparent, OnlyValidOnesHaveATrace) {
  const std::string trace = kTrace;
  EXPECT_EQ(TraceOf("00-" + trace + "-00f067aa0ba902b7-01"), trace);
  EXPECT_EQ(TraceOf("01-" + trace + "-00f067aa0ba902b7-01-more"), trace);
  for (const std::string& bad : std::vector<std::string>{
           "", "x", "00-" + trace + "-00f067aa0ba902b7", "00-" + trace + "-0000000000000000-01",
           "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
           "ff-" + trace + "-00f067aa0ba902b7-01", "00-" + trace + "-00f067aa0ba902b7-01-more",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"}) {
    EXPECT_EQ(TraceOf(bad), "") << bad;
  }
}

}  // namespace
}  // namespace assay::api
