// A report logged as a run: every call that MLflow gets, and what becomes of those that fail.
#include "client/mlflow/log_report.h"

#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/mlflow/recorded_mlflow.h"
#include "tests/client/render/made_up_report.h"
#include "tests/manual_clock.h"

namespace assay::mlflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LogReportTest : public ::testing::Test {
 protected:
  LogReportTest() { report_ = render::MadeUpReport(render::Cifar()); }

  absl::StatusOr<Logged> Log(const RecordedMlflow& server,
                             const std::vector<report::GateResult>& gates = {}) {
    options_.uri = server.uri();
    options_.retry_seconds = 0;
    return LogReport(options_, report_, gates, artifacts_, clock_);
  }
  static report::GateResult Gate(bool holds) {
    report::GateResult gate;
    gate.expression = "accuracy(clean) >= 0.5";
    gate.verdict = holds ? report::GateVerdict::kPassed : report::GateVerdict::kFailed;
    gate.holds = holds;
    return gate;
  }

  v1::Report report_;
  TrackingOptions options_;
  std::vector<Artifact> artifacts_ = {{"report.json", "application/json", "{}", ""}};
  ManualClock clock_;
};

TEST_F(LogReportTest, ARunOfItsOwn) {
  const std::string file = ::testing::TempDir() + "/assay_outcomes.csv";
  std::ofstream(file, std::ios::binary) << "condition,sample\n";
  artifacts_.push_back({"outcomes.csv", "text/csv", "", file});
  options_.experiment_name = "robust models";
  const RecordedMlflow server;
  const auto logged = Log(server, {Gate(true)});
  std::remove(file.c_str());
  ASSERT_TRUE(logged.ok()) << logged.status();
  EXPECT_THAT(logged->left_out, IsEmpty());
  EXPECT_EQ(logged->page, absl::StrCat(server.uri(), "/#/experiments/1/runs/5f0d"));

  EXPECT_EQ(server.Bodies("experiments/create").at(0)["name"], "robust models");
  const auto created = server.Bodies("runs/create").at(0);
  EXPECT_EQ(created["experiment_id"], "1");
  EXPECT_EQ(created["run_name"], "evaluations/demo");
  size_t metrics = 0;
  for (const auto& batch : server.Bodies("runs/log-batch")) {
    EXPECT_EQ(batch["run_id"], "5f0d");
    if (batch.contains("metrics")) metrics += batch["metrics"].size();
  }
  EXPECT_GT(metrics, 1000u);
  std::vector<std::string> puts;
  for (const auto& request : server.Requests()) {
    if (request["method"] == "PUT") {
      puts.push_back(absl::StrCat(request["path"].get<std::string>(), " ",
                                  request["type"].get<std::string>(), " ",
                                  request["body"].get<std::string>()));
    }
  }
  const std::string folder = "/api/2.0/mlflow-artifacts/artifacts/1/5f0d/artifacts/";
  EXPECT_THAT(puts, ElementsAre(folder + "report.json application/json {}",
                                folder + "outcomes.csv text/csv condition,sample\n"));
  const auto end = server.Bodies("runs/update").at(0);
  EXPECT_EQ(end["status"], "FINISHED");
  EXPECT_EQ(end["end_time"], clock_.NowMicros() / 1000);
}

TEST_F(LogReportTest, AGateThatDoesNotHoldFailsTheRun) {
  const RecordedMlflow server;
  ASSERT_TRUE(Log(server, {Gate(true), Gate(false)}).ok());
  EXPECT_EQ(server.Bodies("runs/update").at(0)["status"], "FAILED");
}

TEST_F(LogReportTest, ARunOfSomebodyElseIsFilledAndNotEnded) {
  options_.run_id = "given";
  const RecordedMlflow server;
  const auto logged = Log(server, {Gate(false)});
  ASSERT_TRUE(logged.ok()) << logged.status();
  EXPECT_THAT(server.Bodies("runs/create"), IsEmpty());
  EXPECT_THAT(server.Bodies("runs/update"), IsEmpty());
  EXPECT_EQ(server.Bodies("runs/log-batch").at(0)["run_id"], "given");
  EXPECT_EQ(logged->page, absl::StrCat(server.uri(), "/#/experiments/3/runs/given"));
}

TEST_F(LogReportTest, ArtifactsThatCannotBeWrittenCostNothingElse) {
  const RecordedMlflow server("local");
  const auto logged = Log(server);
  ASSERT_TRUE(logged.ok()) << logged.status();
  EXPECT_THAT(logged->left_out, ElementsAre(HasSubstr("artifacts: the run keeps its artifacts at "
                                                      "/mlruns/0/5f0d/artifacts")));
  EXPECT_FALSE(server.Bodies("runs/log-batch").empty());
  EXPECT_EQ(server.Bodies("runs/update").at(0)["status"], "FINISHED");
}

TEST_F(LogReportTest, ParamsThatARunHasAlreadyCostNothingElse) {
  const RecordedMlflow server("taken");
  options_.run_id = "given";
  const auto logged = Log(server);
  ASSERT_TRUE(logged.ok()) << logged.status();
  EXPECT_THAT(logged->left_out,
              ElementsAre(HasSubstr("params assay.model: runs/log-batch answered 400: Changing "
                                    "param values is not allowed.")));
  size_t alone = 0;
  for (const auto& batch : server.Bodies("runs/log-batch")) {
    alone += batch.contains("params") && batch["params"].size() == 1 ? 1 : 0;
  }
  EXPECT_GT(alone, 10u);
}

TEST_F(LogReportTest, HostileNamesAndManyClassesStayWithinItsRules) {
  for (const render::MadeUp& what : {render::Hostile(), render::ManyClasses()}) {
    report_ = render::MadeUpReport(what);
    const RecordedMlflow server;
    const auto logged = Log(server);
    ASSERT_TRUE(logged.ok()) << logged.status();
    for (const std::string& text : logged->left_out) EXPECT_THAT(text, HasSubstr("single classes"));
  }
}

TEST_F(LogReportTest, WithoutARunThereIsAnErrorThatSaysWhy) {
  for (const char* mode : {"auth", "html", "login", "notfound"}) {
    const auto logged = Log(RecordedMlflow(mode));
    EXPECT_EQ(ReasonOf(logged.status()), Reason::kUnavailable) << mode;
    EXPECT_THAT(std::string(logged.status().message()), HasSubstr("answered")) << mode;
  }
}

}  // namespace
}  // namespace assay::mlflow
