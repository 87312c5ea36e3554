// --mlflow: what the program says and does when the server is there, and when it is not.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program_fixture.h"
#include "tests/client/mlflow/recorded_mlflow.h"

namespace assay::cli {
namespace {

using mlflow::RecordedMlflow;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class MlflowTest : public ProgramTest {
 protected:
  MlflowTest() {
    auto& clean = *state()->report.mutable_conditions(0);
    clean.mutable_accuracy()->set_value(0.5);
    clean.mutable_accuracy()->set_lower(0.25);
    clean.mutable_accuracy()->set_upper(0.75);
  }
  ~MlflowTest() override {
    for (const char* name :
         {"MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_HTTP_REQUEST_TIMEOUT"}) {
      unsetenv(name);
    }
  }
  // The lines on stderr that speak of MLflow.
  static std::vector<std::string> LinesOn(const std::string& err) {
    std::vector<std::string> lines;
    for (const absl::string_view line : absl::StrSplit(err, '\n')) {
      if (absl::StrContains(line, "MLflow")) lines.emplace_back(line);
    }
    return lines;
  }
  // The report comes, and the evaluation is none the worse.
  Result EvaluatesAllTheSame(const std::string& uri) {
    const Result result = Run(Evaluate({"-o", "json", "--mlflow", uri}));
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["evaluation"], "evaluations/chosen");
    return result;
  }
};

TEST_F(MlflowTest, TheReportIsLogged) {
  const RecordedMlflow server;
  const Result result = EvaluatesAllTheSame(server.uri());
  EXPECT_THAT(LinesOn(result.err),
              ElementsAre(absl::StrCat("MLflow: ", server.uri(), "/#/experiments/0/runs/5f0d")));
  bool accuracy = false;
  for (const auto& batch : server.Bodies("runs/log-batch")) {
    for (const auto& metric : batch.value("metrics", nlohmann::json::array())) {
      accuracy = accuracy || (metric["key"] == "clean/accuracy" && metric["value"] == 0.5);
    }
  }
  EXPECT_TRUE(accuracy);
  std::vector<std::string> artifacts;
  for (const auto& request : server.Requests()) {
    if (request["method"] != "PUT") continue;
    const std::string path = request["path"];
    artifacts.push_back(path.substr(path.rfind('/') + 1));
    if (artifacts.back() == "report.json") {
      EXPECT_EQ(request["body"], result.out);
    }
  }
  EXPECT_THAT(artifacts, ElementsAre("report.json", "report.html", "outcomes.csv"));
  EXPECT_EQ(server.Bodies("runs/update").at(0)["status"], "FINISHED");
}

TEST_F(MlflowTest, ItsVariablesAreHonoured) {
  const RecordedMlflow server;
  setenv("MLFLOW_TRACKING_URI", server.uri().c_str(), 1);
  setenv("MLFLOW_RUN_ID", "given", 1);
  const Result result = EvaluatesAllTheSame("auto");
  EXPECT_THAT(LinesOn(result.err), ElementsAre(HasSubstr("/#/experiments/3/runs/given")));
  EXPECT_THAT(server.Bodies("runs/create"), IsEmpty());
}

TEST_F(MlflowTest, AServerThatRefusesIsTold) {
  for (const char* mode : {"auth", "html", "login"}) {
    const RecordedMlflow server(mode);
    const Result result = EvaluatesAllTheSame(server.uri());
    // Before the work and after it, a line each.
    const auto lines = LinesOn(result.err);
    ASSERT_THAT(lines, SizeIs(2)) << result.err;
    EXPECT_THAT(lines[0], AllOf(HasSubstr("warning: "), HasSubstr("trying again at the end")));
    EXPECT_THAT(lines[1], AllOf(HasSubstr("warning: "), HasSubstr("not logged: ")));
  }
}

TEST_F(MlflowTest, AServerThatIsAwayIsTold) {
  const Result result = EvaluatesAllTheSame("http://u:secret@127.0.0.1:1");
  EXPECT_THAT(LinesOn(result.err), SizeIs(2));
  EXPECT_THAT(result.err, Not(HasSubstr("secret")));
  // Quiet is not silent about what went wrong.
  const Result quiet = Run(Evaluate({"-q", "-o", "json", "--mlflow", "http://127.0.0.1:1"}));
  EXPECT_EQ(quiet.code, 0);
  EXPECT_THAT(LinesOn(quiet.err), SizeIs(2));
}

TEST_F(MlflowTest, AServerThatIsSlowIsGivenUp) {
  const RecordedMlflow server("slow");
  setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "0.2", 1);
  const Result result = EvaluatesAllTheSame(server.uri());
  EXPECT_THAT(LinesOn(result.err), ElementsAre(HasSubstr("timed out"), HasSubstr("timed out")));
}

TEST_F(MlflowTest, WhatCannotBeAServerIsAnErrorBeforeAnyWork) {
  const Result result = Run(Evaluate({"--mlflow", "localhost:5000"}));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--mlflow: must be the URI of a tracking server"));
  EXPECT_EQ(Run(Evaluate({"--mlflow", "auto"})).code, 2);
  EXPECT_EQ(Run(Evaluate({"--mlflow", "http://127.0.0.1:1", "--detach"})).code, 2);
  EXPECT_EQ(state()->calls.count("CreateModel"), 0u);
}

TEST_F(MlflowTest, AGateThatDoesNotHoldFailsTheRunAndTheCall) {
  const RecordedMlflow server;
  state()->report.mutable_conditions(0)->set_family("clean");
  const Result result =
      Run(Evaluate({"--require", "accuracy(clean) >= 0.9", "--mlflow", server.uri()}));
  EXPECT_EQ(result.code, 1) << result.err;
  EXPECT_EQ(server.Bodies("runs/update").at(0)["status"], "FAILED");
}

}  // namespace
}  // namespace assay::cli
