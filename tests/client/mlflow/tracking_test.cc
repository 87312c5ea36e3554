// The variables that MLflow's clients read, and what is said of servers that are away or something
// else.
#include "client/mlflow/tracking.h"

#include <map>
#include <string>

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/mlflow/recorded_mlflow.h"

namespace assay::mlflow {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<TrackingOptions> Read(const std::string& uri,
                                     const std::map<std::string, std::string>& variables = {}) {
  return ReadTrackingOptions(uri, [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

// What Check says of a server.
std::string Refusal(const RecordedMlflow& server, TrackingOptions options = {}) {
  options.uri = server.uri();
  options.retry_seconds = 0;
  const absl::Status status = Tracking(options).Check();
  EXPECT_EQ(ReasonOf(status), Reason::kUnavailable) << status;
  return std::string(status.message());
}

TEST(TrackingOptionsTest, VariablesAreThoseOfMlflow) {
  const auto options = Read("auto", {{"MLFLOW_TRACKING_URI", "https://mlflow.example/x/"},
                                     {"MLFLOW_TRACKING_TOKEN", "t"},
                                     {"MLFLOW_TRACKING_USERNAME", "u"},
                                     {"MLFLOW_TRACKING_PASSWORD", "p"},
                                     {"MLFLOW_EXPERIMENT_NAME", "robustness"},
                                     {"MLFLOW_RUN_ID", "5f0d"},
                                     {"MLFLOW_TRACKING_INSECURE_TLS", "true"},
                                     {"MLFLOW_HTTP_REQUEST_TIMEOUT", "7"}});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->uri, "https://mlflow.example/x");
  EXPECT_EQ(options->token, "t");
  EXPECT_EQ(options->http.credentials, "u:p");
  EXPECT_EQ(options->experiment_name, "robustness");
  EXPECT_EQ(options->run_id, "5f0d");
  EXPECT_TRUE(options->http.insecure_tls);
  EXPECT_EQ(options->http.request_seconds, 7);
  EXPECT_EQ(Read("http://one:5000", {{"MLFLOW_TRACKING_URI", "http://two:5000"}})->uri,
            "http://one:5000");
}

TEST(TrackingOptionsTest, WhatIsNoServerIsRefusedBeforeAnyWork) {
  for (const char* uri : {"", "databricks", "file:///mlruns", "sqlite:///m.db", "localhost:5000"}) {
    const auto options = Read(uri);
    EXPECT_EQ(ReasonOf(options.status()), Reason::kInvalidArgument) << uri;
    EXPECT_THAT(std::string(options.status().message()), HasSubstr("http://127.0.0.1:5000"));
  }
  EXPECT_THAT(std::string(Read("auto").status().message()),
              HasSubstr("MLFLOW_TRACKING_URI is not set"));
  EXPECT_THAT(
      std::string(Read("http://h", {{"MLFLOW_HTTP_REQUEST_TIMEOUT", "soon"}}).status().message()),
      HasSubstr("must be seconds"));
}

TEST(TrackingOptionsTest, NobodySeesAPassword) {
  EXPECT_EQ(ShownUri("https://u:secret@h:5000/x"), "https://h:5000/x");
  EXPECT_EQ(ShownUri("https://h/a@b"), "https://h/a@b");
  EXPECT_EQ(ShownUri("https://h:5000/a@b"), "https://h:5000/a@b");
  EXPECT_EQ(ShownUri("http://ci:ab/c#d@host/x"), "http://host/x");
  EXPECT_THAT(std::string(Read("ftp://u:secret@h").status().message()), Not(HasSubstr("secret")));
}

TEST(TrackingTest, AServerThatIsThereIsAskedForTheExperimentAndNothingIsMade) {
  const RecordedMlflow server;
  TrackingOptions options;
  options.uri = server.uri();
  EXPECT_TRUE(Tracking(options).Check().ok());
  options.experiment_name = "new";
  EXPECT_TRUE(Tracking(options).Check().ok());
  EXPECT_TRUE(server.Bodies("experiments/create").empty());
  EXPECT_TRUE(server.Bodies("runs/create").empty());
}

TEST(TrackingTest, WhoIsUnknownIsToldHowToSayIt) {
  const RecordedMlflow server("auth");
  EXPECT_THAT(Refusal(server), AllOf(HasSubstr("experiments/get-by-name answered 401"),
                                     HasSubstr("MLFLOW_TRACKING_TOKEN")));
  TrackingOptions options;
  options.http.credentials = "u:wrong";
  EXPECT_THAT(Refusal(server, options), AllOf(HasSubstr("401"), Not(HasSubstr("wrong"))));
  for (const char* credentials : {"u:p", ""}) {
    options.http.credentials = credentials;
    options.token = "t";
    options.uri = server.uri();
    EXPECT_TRUE(Tracking(options).Check().ok()) << credentials;
  }
}

TEST(TrackingTest, APageIsNoAnswer) {
  EXPECT_THAT(Refusal(RecordedMlflow("html")),
              HasSubstr("answered HTML: is that the URI of an MLflow tracking server?"));
  EXPECT_THAT(Refusal(RecordedMlflow("notfound")), HasSubstr("answered 404"));
  EXPECT_THAT(Refusal(RecordedMlflow("login")), HasSubstr("302 (it sends to another place"));
}

TEST(TrackingTest, ARunThatIsNotThereIsNamed) {
  TrackingOptions options;
  options.run_id = "gone";
  EXPECT_THAT(Refusal(RecordedMlflow(), options), HasSubstr("Run with id=gone not found"));
}

TEST(TrackingTest, AServerThatDoesNotAnswerIsGivenUp) {
  TrackingOptions options;
  options.http.request_seconds = 0.3;
  EXPECT_THAT(Refusal(RecordedMlflow("slow"), options), HasSubstr("timed out"));
}

TEST(TrackingTest, NobodyThere) {
  TrackingOptions options;
  // Port 1 is nobody's.
  options.uri = "http://127.0.0.1:1";
  const absl::Status status = Tracking(options).Check();
  EXPECT_EQ(ReasonOf(status), Reason::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("connect"));
}

TEST(TrackingTest, ABusyServerIsAskedAgain) {
  const RecordedMlflow server("busy");
  TrackingOptions options;
  options.uri = server.uri();
  options.retry_seconds = 0;
  EXPECT_TRUE(Tracking(options).Check().ok());
  EXPECT_EQ(server.Requests().size(), 2u);
}

}  // namespace
}  // namespace assay::mlflow
