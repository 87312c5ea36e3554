// Evaluations that stop when their gates are decided, of a server that really runs.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/sample_order.h"
#include "nlohmann/json.hpp"
#include "tests/integration/command_fixture.h"

namespace assay::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kSamples = 1500;
constexpr char kAttack[] = "attack/pgd:eps=8/255,steps=2";

class EarlyDecisionTest : public ZooFixture {
 protected:
  // Of the linear model on 4 classes of generated data.
  void Prepare() {
    StartServer();
    GeneratedData data(kSamples, 3, 8, 4);
    spec_ = Spec(Upload("linear"), Upload(data), {"clean", kAttack});
  }

  v1::EvaluationSpec Stopping(const std::vector<std::string>& gates) const {
    v1::EvaluationSpec spec = spec_;
    for (const std::string& gate : gates) spec.mutable_stop_when_decided()->add_gates(gate);
    return spec;
  }

  // Without which survivors were tried without a budget, a probe that goes by tasks.
  std::map<std::pair<std::string, int64_t>, std::string> WithoutProbes(
      const std::string& evaluation) {
    auto all = Outcomes(evaluation);
    for (auto& [key, bytes] : all) {
      v1::Outcome outcome;
      EXPECT_TRUE(outcome.ParseFromString(bytes));
      if (outcome.has_attack()) outcome.mutable_attack()->clear_unconstrained();
      bytes = outcome.SerializeAsString();
    }
    return all;
  }

  // Accuracy under condition number `i` of all samples.
  double Accuracy(const std::string& evaluation, int i) {
    const auto report = ReportOf(evaluation);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->conditions(i).accuracy().value() : -1;
  }

  v1::EvaluationSpec spec_;
};

TEST_F(EarlyDecisionTest, StopsWithTheOutcomesThatTheWholeWouldHave) {
  Prepare();
  const v1::Evaluation whole = Run(spec_);
  ASSERT_EQ(whole.state(), v1::Evaluation::SUCCEEDED);
  const auto all = WithoutProbes(whole.name());
  const double clean = Accuracy(whole.name(), 0), robust = Accuracy(whole.name(), 1);
  const std::vector<std::string> gates = {
      absl::StrCat("accuracy(clean) >= ", clean - 0.2),
      absl::StrCat("accuracy(", kAttack, ") >= ", std::min(0.99, robust + 0.2))};
  const v1::Evaluation early = Run(Stopping(gates));
  ASSERT_EQ(early.state(), v1::Evaluation::SUCCEEDED) << early.failure().message();
  const v1::Decision& decision = early.decision();
  EXPECT_TRUE(decision.stopped_early());
  ASSERT_EQ(decision.gates_size(), 2);
  EXPECT_EQ(decision.gates(0).verdict(), "passed") << decision.DebugString();
  EXPECT_EQ(decision.gates(1).verdict(), "failed") << decision.DebugString();
  EXPECT_LT(5 * decision.samples(), kSamples);
  // Nothing is left to be done, and nothing more was done than one round in which one may be ahead.
  EXPECT_EQ(early.progress().tasks(), early.progress().tasks_done());
  EXPECT_EQ(early.progress().samples(), early.progress().samples_done());

  const std::vector<int64_t> order = SampleOrder(spec_.seed(), kSamples);
  const std::set<int64_t> expected(order.begin(), order.begin() + decision.samples());
  const auto outcomes = WithoutProbes(early.name());
  EXPECT_EQ(outcomes.size(), 2 * expected.size());
  for (const auto& [key, outcome] : outcomes) {
    EXPECT_EQ(expected.count(key.second), 1u) << key.second;
    EXPECT_EQ(outcome, all.at(key)) << key.first << " " << key.second;
  }
  const auto report = ReportOf(early.name());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete());
  EXPECT_EQ(report->samples_allowed(), kSamples);
  for (const v1::ConditionReport& condition : report->conditions()) {
    EXPECT_EQ(condition.samples(), decision.samples());
    EXPECT_EQ(condition.missing(), 0);
  }
  ASSERT_EQ(report->notes_size(), 1);
  EXPECT_THAT(report->notes(0), HasSubstr("stopped after"));

  // What is about other samples cannot be compared.
  v1::CompareEvaluationsRequest request;
  request.add_names(whole.name());
  request.add_names(early.name());
  const auto comparison = client_->CompareEvaluations(request);
  ASSERT_FALSE(comparison.ok());
  EXPECT_THAT(std::string(comparison.status().message()), HasSubstr("stopped early"));
}

TEST_F(EarlyDecisionTest, WithoutADecisionItIsTheWholeEvaluation) {
  Prepare();
  const v1::Evaluation whole = Run(spec_);
  const v1::Evaluation early = Run(Stopping(
      {"accuracy(clean) >= 0.01", absl::StrCat("accuracy(clean) >= ", Accuracy(whole.name(), 0))}));
  ASSERT_EQ(early.state(), v1::Evaluation::SUCCEEDED) << early.failure().message();
  EXPECT_FALSE(early.decision().stopped_early());
  EXPECT_EQ(early.decision().samples(), kSamples);
  EXPECT_EQ(early.decision().gates(0).verdict(), "passed");
  EXPECT_EQ(early.decision().gates(1).verdict(), "undecided");
  EXPECT_TRUE(WithoutProbes(whole.name()) == WithoutProbes(early.name()));
  EXPECT_EQ(ReportText(whole.name()), ReportText(early.name()));
}

TEST_F(EarlyDecisionTest, RestartsCancellationsAndRetriesChangeNothing) {
  Prepare();
  const v1::Evaluation whole = Run(spec_);
  const double clean = Accuracy(whole.name(), 0);
  // Takes some rounds.
  spec_.set_task_samples(10);
  const v1::EvaluationSpec spec = Stopping({absl::StrCat("accuracy(clean) <= ", clean + 0.08)});
  const v1::Evaluation undisturbed = Run(spec);
  ASSERT_TRUE(undisturbed.decision().stopped_early()) << undisturbed.decision().DebugString();

  const auto some_done = [&](const std::string& name) {
    return Eventually([&] {
      const auto evaluation = client_->GetEvaluation(name);
      return evaluation.ok() && evaluation->progress().tasks_done() > 2;
    });
  };
  const auto killed = client_->CreateEvaluation(spec, "killed");
  ASSERT_TRUE(killed.ok()) << killed.status();
  ASSERT_TRUE(some_done(killed->name()));
  server_->Kill();
  StartServer();
  const v1::Evaluation after_kill = Await(killed->name());
  ASSERT_EQ(after_kill.state(), v1::Evaluation::SUCCEEDED) << after_kill.failure().message();
  EXPECT_EQ(after_kill.decision().DebugString(), undisturbed.decision().DebugString());
  EXPECT_TRUE(Outcomes(after_kill.name()) == Outcomes(undisturbed.name()));

  const auto cancelled = client_->CreateEvaluation(spec, "cancelled");
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  ASSERT_TRUE(some_done(cancelled->name()));
  const auto cancel = client_->CancelEvaluation(cancelled->name());
  // It may have been quicker.
  if (cancel.ok()) {
    ASSERT_TRUE(client_->RetryEvaluation(cancelled->name()).ok());
  }
  const v1::Evaluation after_retry = Await(cancelled->name());
  ASSERT_EQ(after_retry.state(), v1::Evaluation::SUCCEEDED) << after_retry.failure().message();
  EXPECT_EQ(after_retry.decision().DebugString(), undisturbed.decision().DebugString());
  EXPECT_EQ(ReportText(after_retry.name()), ReportText(undisturbed.name()));
}

TEST_F(EarlyDecisionTest, TheServerRefusesWhatCannotDecide) {
  Prepare();
  // The model has been looked at, so its classes are known.
  ASSERT_EQ(Run(spec_).state(), v1::Evaluation::SUCCEEDED);
  const auto problem = [&](const v1::EvaluationSpec& spec) {
    const auto evaluation = client_->CreateEvaluation(spec, "");
    EXPECT_FALSE(evaluation.ok());
    return std::string(evaluation.status().message());
  };
  EXPECT_THAT(problem(Stopping({"accuracy(dirty) >= 0.5"})),
              AllOf(HasSubstr("spec.stop_when_decided.gates[0]"), HasSubstr("dirty")));
  EXPECT_THAT(problem(Stopping({"class_accuracy(clean, 7) >= 0.5"})), HasSubstr("no class 7"));
  v1::EvaluationSpec none = spec_;
  none.mutable_stop_when_decided();
  EXPECT_THAT(problem(none), HasSubstr("nothing would decide"));
}

class EarlyDecisionOfTheCommandLine : public CommandFixture {
 protected:
  void SetUp() override { WriteData(kSamples); }
};

TEST_F(EarlyDecisionOfTheCommandLine, GivesVerdictsExitCodesAndWhatItSaved) {
  StartServer();
  const std::string server = absl::StrCat("--server ", server_->address(), " --seed 7 -c clean ");
  ASSERT_EQ(Evaluate(server + "-o json --id whole"), 0) << Text("err");
  const double accuracy =
      json::parse(Text("out")).at("conditions")[0].at("accuracy").at("value").get<double>();
  const auto gate = [&](double difference) {
    return absl::StrCat("--stop-when-decided --require 'accuracy(clean) >= ", accuracy + difference,
                        "' ");
  };
  EXPECT_EQ(Evaluate(server + gate(-0.2) + "-o json --id passes"), 0) << Text("err");
  EXPECT_THAT(Text("err"), AllOf(HasSubstr("all gates were decided after"),
                                 HasSubstr("of 1,500 samples"), HasSubstr("times fewer")));
  json report = json::parse(Text("out"));
  EXPECT_EQ(report.at("samples_allowed"), 1500);
  EXPECT_EQ(report.at("gates")[0].at("verdict"), "PASSED");
  EXPECT_THAT(report.at("gates")[0].at("why").get<std::string>(),
              HasSubstr("by a confidence sequence"));
  EXPECT_EQ(Evaluate(server + gate(0.2)), 1);
  EXPECT_THAT(Text("err"), HasSubstr("  FAILED accuracy(clean) >= "));
  EXPECT_EQ(Evaluate(server + gate(0)), 1);
  EXPECT_THAT(Text("err"), AllOf(HasSubstr("  UNDECIDED accuracy(clean) >= "),
                                 ::testing::Not(HasSubstr("times fewer"))));
  EXPECT_EQ(Evaluate(server + gate(0.002) + "--undecided=pass"), 0) << Text("err");
  EXPECT_THAT(Text("out"), HasSubstr("more samples would decide it"));

  // Later, by the report: its own gate stands, and another one has no interval.
  const std::string again = absl::StrCat("evaluation report passes --server ", server_->address(),
                                         " --require 'accuracy(clean) >= ");
  EXPECT_EQ(Assay(absl::StrCat(again, accuracy - 0.2, "'")), 0) << Text("err");
  EXPECT_EQ(Assay(absl::StrCat(again, accuracy - 0.2, "' --confidence-level 0.99")), 2);
  EXPECT_THAT(Text("err"), HasSubstr("ask for the level 0.95"));
  EXPECT_EQ(Assay(absl::StrCat(again, accuracy - 0.15, "'")), 1);
  EXPECT_THAT(Text("err"), AllOf(HasSubstr("UNDECIDED"), HasSubstr("stopped early")));
  // Nor is it a baseline for others.
  EXPECT_EQ(Assay(absl::StrCat("evaluation report whole --server ", server_->address(),
                               " --baseline evaluations/passes"
                               " --require 'accuracy(clean) >= baseline - 0.5'")),
            1);
  EXPECT_THAT(Text("err"), HasSubstr("the baseline stopped early"));

  EXPECT_EQ(Evaluate(server + "--stop-when-decided"), 2);
  EXPECT_THAT(Text("err"), HasSubstr("give --require"));
  EXPECT_EQ(Evaluate(server + gate(0.2) + "--stream"), 2);
  EXPECT_THAT(Text("err"), HasSubstr("leave --stream out"));
  EXPECT_EQ(Evaluate(server + "--stop-when-decided --require 'mce() < 1' -c corruption/fog"), 2);
  EXPECT_THAT(Text("err"), HasSubstr("no interval"));
}

}  // namespace
}  // namespace assay::testing
