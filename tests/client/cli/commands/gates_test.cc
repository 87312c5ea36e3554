// `--require` of the commands that report.
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/data/npy_format.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// 90 of 100 samples right: [0.8238, 0.951], scipy's beta.ppf.
constexpr char kReport[] = R"pb(
  dataset: "datasets/d"
  confidence_level: 0.95
  complete: true
  class_names: [ "cat", "dog" ]
  conditions {
    id: "clean"
    family: "clean"
    samples: 100
    correct: 90
    accuracy { value: 0.9 lower: 0.8238 upper: 0.9510 numerator: 90 denominator: 100 }
    classes {
      index: 0
      name: "cat"
      samples: 50
      accuracy { value: 0.8 lower: 0.6628 upper: 0.8997 numerator: 40 denominator: 50 }
      cfps { value: 0 lower: 0 upper: 0.3085 numerator: 0 denominator: 10 }
    }
    classes {
      index: 1
      name: "dog"
      samples: 50
      accuracy { value: 1 lower: 0.9289 upper: 1 numerator: 50 denominator: 50 }
      cfps { value: 1 lower: 0.6915 upper: 1 numerator: 10 denominator: 10 }
    }
  }
)pb";

class GatesTest : public ProgramTest {
 protected:
  GatesTest() {
    v1::Report report;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kReport, &report));
    state()->report = report;
    // Images whose classes have no names.
    std::ofstream(directory_ + "/x.npy", std::ios::binary)
        << client::FormatNpyHeader("|u1", {2, 2, 2}, 0) << std::string(8, '\2');
    std::ofstream(directory_ + "/y.npy", std::ios::binary)
        << client::FormatNpyHeader("|u1", {2}, 0) << std::string("\0\1", 2);
    AddEvaluation("evaluations/e", 90);
  }

  // Under `clean`, on 100 samples, of which the first `right` are right.
  void AddEvaluation(const std::string& name, int right) {
    v1::Evaluation& evaluation = state()->evaluations[name];
    evaluation.set_name(name);
    evaluation.mutable_spec()->set_dataset("datasets/d");
    *evaluation.add_conditions() = ParseConditions({"clean"})->at(0);
    v1::Dataset dataset;
    dataset.set_name("datasets/d");
    for (const char* one : {"cat", "dog"}) dataset.mutable_manifest()->add_class_names(one);
    dataset.mutable_manifest()->add_chunks()->set_samples(100);
    state()->datasets["datasets/d"] = dataset;
    v1::StreamOutcomesResponse batch;
    batch.set_condition("clean");
    for (int i = 0; i < 100; ++i) {
      v1::Outcome& outcome = *batch.add_outcomes();
      outcome.set_sample(i);
      outcome.set_label(i % 2);
      outcome.set_prediction(i < right ? i % 2 : 1 - i % 2);
    }
    state()->outcomes_of[name] = {batch};
    v1::Report report = state()->report;
    report.mutable_conditions(0)->mutable_accuracy()->set_value(right / 100.0);
    report.mutable_conditions(0)->mutable_accuracy()->set_numerator(right);
    state()->reports_of[name] = report;
  }

  Result EvaluateNpy(const std::vector<std::string>& more) {
    std::vector<std::string> words = {
        "evaluate", "-m",   model_, "-d", directory_ + "/x.npy", "--labels", directory_ + "/y.npy",
        "-c",       "clean"};
    words.insert(words.end(), more.begin(), more.end());
    return Run(words);
  }
  Result Report(std::vector<std::string> more) {
    more.insert(more.begin(), {"evaluation", "report", "e"});
    return Run(more);
  }
};

TEST_F(GatesTest, DecideTheExitCode) {
  struct Case {
    std::vector<std::string> words;
    int code;
    const char* verdict;
  };
  for (const Case& one : std::vector<Case>{
           {{"--require", "accuracy(clean) >= 0.8"}, 0, "PASSED"},
           {{"--require", "accuracy(clean) >= 0.97"}, 1, "FAILED"},
           {{"--require", "accuracy(clean) >= 0.9"}, 1, "UNDECIDED"},
           {{"--require", "accuracy(clean) >= 0.9", "--undecided=fail"}, 1, "UNDECIDED"},
           {{"--require", "accuracy(clean) >= 0.9", "--undecided=pass"}, 0, "UNDECIDED"},
           {{"--require", "accuracy(clean) >= 0.97", "--undecided=pass"}, 1, "FAILED"},
           {{"--require", "accuracy(clean) > 0", "--require", "accuracy(clean) > 1"},
            1,
            "FAILED"}}) {
    const Result evaluated = Run(Evaluate(one.words));
    EXPECT_EQ(evaluated.code, one.code) << evaluated.err;
    EXPECT_THAT(evaluated.out, HasSubstr(one.verdict));
    EXPECT_EQ(Report(one.words).code, one.code);
    std::vector<std::string> watch = {"evaluation", "watch", "e"};
    watch.insert(watch.end(), one.words.begin(), one.words.end());
    EXPECT_EQ(Run(watch).code, one.code);
  }
}

TEST_F(GatesTest, DecideAStreamToo) {
  EXPECT_EQ(EvaluateNpy({"--stream", "--require", "accuracy(clean) >= 0.8"}).code, 0);
  EXPECT_EQ(EvaluateNpy({"--stream", "--require", "accuracy(clean) >= 0.97"}).code, 1);
}

TEST_F(GatesTest, WhatDoesNotHoldIsAnErrorWithALineEach) {
  const Result result = Report({"--require", "accuracy(clean) >= 0.97", "--require",
                                "accuracy(clean) >= 0.8", "--require", "accuracy(clean) >= 0.9"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err,
              StartsWith("error: 2 of 3 gates do not hold\n  FAILED accuracy(clean) >= 0.97: 0.9 "
                         "[0.8238, 0.951]; the upper end is below the threshold\n  UNDECIDED "
                         "accuracy(clean) >= 0.9: 0.9 [0.8238, 0.951]; "));
  EXPECT_THAT(result.err, HasSubstr("hint: docs/gates.md"));
  EXPECT_THAT(result.out, HasSubstr("gates  1 of 3 hold"));
}

TEST_F(GatesTest, AreThereInEveryFormat) {
  const std::vector<std::string> gate = {"--require", "accuracy(clean) >= 0.8", "-o"};
  const auto run = [&](const std::string& format) {
    std::vector<std::string> words = gate;
    words.push_back(format);
    return Report(words);
  };
  EXPECT_THAT(run("markdown").out, HasSubstr("| PASSED | accuracy(clean) \\>= 0.8 |"));
  EXPECT_THAT(run("csv").err, HasSubstr("PASSED accuracy(clean) >= 0.8: 0.9"));
  EXPECT_THAT(run("csv").out, Not(HasSubstr("PASSED")));
  const auto json = nlohmann::json::parse(run("json").out);
  EXPECT_EQ(json["gates"][0]["verdict"], "PASSED");
  EXPECT_EQ(json["conditions"][0]["correct"], 90);
  EXPECT_THAT(run("junit").out, StartsWith("<?xml"));
  EXPECT_FALSE(nlohmann::json::parse(Report({"-o", "json"}).out).contains("gates"));
}

TEST_F(GatesTest, JunitIsOfGatesAlone) {
  for (const std::vector<std::string>& words :
       {Evaluate({"-o", "junit"}),
        std::vector<std::string>{"evaluation", "report", "e", "-o", "junit"},
        {"model", "list", "-o", "junit"}}) {
    const Result result = Run(words);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err, HasSubstr("add --require"));
  }
  EXPECT_EQ(state()->calls["ListModels"], 0);
}

TEST_F(GatesTest, MistakesAreFoundBeforeAnythingIsUploaded) {
  const std::string empty = directory_ + "/empty.json", other = directory_ + "/other.json";
  std::ofstream(empty) << "";
  std::ofstream(other) << "{\"a\": 1}";
  // A hole: it takes no room.
  const std::string large = directory_ + "/large.json";
  std::ofstream(large) << "";
  std::filesystem::resize_file(large, (uintmax_t{1} << 30) + 1);
  const std::pair<std::vector<std::string>, const char*> kCases[] = {
      {{"--require", "acuracy(clean) > 0"}, "unknown metric 'acuracy'; did you mean 'accuracy'?"},
      {{"--require", "accuracy(clean) >= "}, "at character 20: expected a number"},
      {{"--require", "accuracy(attack/pdg) > 0"}, "did you mean 'attack/pgd'?"},
      {{"--require", "accuracy(attack/pgd) > 0"},
       "the evaluation has no condition 'attack/pgd/linf/8-255'; there are clean"},
      {{"--require", "accuracy(corruption/fog:severity=1-5) > 0"}, "a gate is on one"},
      {{"--require", "cfps(clean, hat) < 1"}, "did you mean 'cat'?"},
      {{"--require", "check(clean, class-ordr)"}, "did you mean 'class-order'?"},
      {{"--require", "accuracy(clean) >= baseline"}, "needs a baseline"},
      {{"--require", "accuracy(clean) >= 0.5", "--baseline", other}, "no --require speaks of"},
      {{"--require", "accuracy(clean) >= baseline", "--baseline", empty}, "it is no JSON"},
      {{"--require", "accuracy(clean) >= baseline", "--baseline", other}, "it has no conditions"},
      {{"--require", "accuracy(clean) >= baseline", "--baseline", large},
       "has 1073741825 bytes; expected a report, of at most 1073741824"},
      {{"--require", "accuracy(clean) >= baseline", "--baseline", directory_}, "is a directory"},
      {{"--require", "accuracy(clean) >= baseline", "--baseline", "nowhere.json"},
       "there is no file nowhere.json, and it is no name of the form evaluations/ID"},
      {{"--require", "accuracy(clean) >= 0.5", "--undecided=maybe"}, "--undecided"},
      {{"--undecided=pass"}, "--require"},
      {{"--require", "accuracy(clean) >= 0.5", "--detach"}, "--detach"}};
  for (const auto& [words, message] : kCases) {
    const Result result = Run(Evaluate(words));
    EXPECT_EQ(result.code, 2) << message;
    EXPECT_THAT(result.err, HasSubstr(message));
  }
  const Result both = Run(Evaluate({"--require", "a", "--require", "b"}));
  EXPECT_THAT(both.err, StartsWith("error: 2 things are not valid"));
  EXPECT_EQ(state()->calls["CreateModel"], 0);
  EXPECT_EQ(state()->calls["UploadChunks"], 0);
  // A baseline of other classes; of another dataset, which is known once that is named.
  const std::vector<std::string> baseline = {"--require", "accuracy(clean) >= baseline",
                                             "--baseline", "evaluations/e"};
  EXPECT_THAT(Run(Evaluate(baseline)).err, HasSubstr("has other classes (2 against 10"));
  EXPECT_EQ(state()->calls["CreateModel"], 0);
  const Result other_data = EvaluateNpy(baseline);
  EXPECT_EQ(other_data.code, 2);
  EXPECT_THAT(other_data.err, HasSubstr("is of datasets/d, and this is of datasets/x-"));
  EXPECT_EQ(state()->calls["CreateEvaluation"], 0);
}

TEST_F(GatesTest, MistakesAreFoundBeforeAReportIsAskedFor) {
  for (const char* gate : {"accuracy(attack/pgd) > 0", "cfps(clean, hat) < 1"}) {
    const Result result = Report({"--require", gate});
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.out, "");
  }
  EXPECT_EQ(state()->calls["GetReport"], 0);
}

TEST_F(GatesTest, AReportIsNotLostBecauseAGateWasWrong) {
  const Result result =
      EvaluateNpy({"--require", "cfps(clean, hat) < 1", "--require", "accuracy(clean) > 0.5"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("accuracy 90.0"), HasSubstr("ERROR"), HasSubstr("PASSED")));
  EXPECT_THAT(result.err, HasSubstr("--require: 'cfps(clean, hat) < 1': there is no class 'hat'"));
}

TEST_F(GatesTest, AGateThatWasWrongHidesNoneThatDoesNotHold) {
  const Result result =
      EvaluateNpy({"--require", "cfps(clean, hat) < 1", "--require", "accuracy(clean) >= 0.97",
                   "--require", "accuracy(clean) > 0.5"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(
      result.err,
      AllOf(HasSubstr("1 of 3 gates could not be judged, and of the others 1 does not hold\n"
                      "  FAILED accuracy(clean) >= 0.97: 0.9"),
            HasSubstr("--require: 'cfps(clean, hat) < 1': there is no class 'hat'"),
            Not(HasSubstr("PASSED"))));
}

TEST_F(GatesTest, GatesThatCannotBeJudgedAreErrorsInWhatIsWritten) {
  AddEvaluation("evaluations/before", 89);
  const auto report = [&] {
    return Report({"--require", "accuracy(clean) >= baseline - 10%", "--baseline",
                   "evaluations/before", "-o", "junit"});
  };
  ASSERT_EQ(report().code, 0);
  state()->evaluations["evaluations/before"].mutable_spec()->set_dataset("datasets/gone");
  const Result gone = report();
  EXPECT_EQ(gone.code, 5) << gone.err;
  EXPECT_THAT(gone.out, AllOf(HasSubstr("tests=\"1\""), HasSubstr("errors=\"1\""),
                              HasSubstr("name=\"accuracy(clean) &gt;= baseline - 10%\""),
                              HasSubstr("<error message=\"")));
  // Its report speaks of a condition that it does not have.
  state()->evaluations["evaluations/before"].clear_conditions();
  EXPECT_THAT(report().err,
              HasSubstr("evaluations/before has no condition 'clean', which its report has"));
}

TEST_F(GatesTest, ABaselineIsAFileThatWasWritten) {
  const std::string file = directory_ + "/before.json";
  ASSERT_EQ(Report({"--report", file, "--require", "accuracy(clean) >= 0.8"}).code, 0);
  const Result same =
      Report({"--require", "accuracy(clean) >= baseline - 15%", "--baseline", file});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_THAT(same.out, HasSubstr("by separate intervals, not paired"));
  EXPECT_EQ(Report({"--require", "accuracy(clean) >= baseline - 1%", "--baseline", file}).code, 1);
  state()->evaluations["evaluations/e"].mutable_spec()->set_dataset("datasets/x");
  v1::Dataset dataset = state()->datasets["datasets/d"];
  state()->datasets["datasets/x"] = dataset;
  const Result other =
      Report({"--require", "accuracy(clean) >= baseline - 15%", "--baseline", file});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("is of datasets/d, and this is of datasets/x"));
}

TEST_F(GatesTest, ABaselineAtTheServerIsPairedSampleBySample) {
  AddEvaluation("evaluations/before", 89);
  const Result result = Report({"--require", "accuracy(clean) >= baseline - 10%", "--baseline",
                                "evaluations/before", "-o", "json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const auto gate = nlohmann::json::parse(result.out)["gates"][0];
  EXPECT_EQ(gate["difference"]["method"], "paired");
  EXPECT_EQ(gate["baseline"]["value"], 0.89);
  EXPECT_NEAR(gate["difference"]["value"], 0.01, 1e-12);
  EXPECT_EQ(state()->calls["StreamOutcomes"], 2);
  const Result missing =
      Report({"--require", "accuracy(clean) >= baseline", "--baseline", "evaluations/none"});
  EXPECT_NE(missing.code, 0);
}

TEST_F(GatesTest, CtrlCBeforeTheyAreJudgedIsNoSuccess) {
  NeverEnd();
  const pid_t child = Start({"evaluation", "watch", "e", "--require", "accuracy(clean) >= 0.8"});
  AwaitCall("WatchEvaluation");
  kill(child, SIGINT);
  const Result result = Finish(child);
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.err, HasSubstr("before the gates of evaluations/e were judged"));
}

TEST_F(GatesTest, OneExpressionIsTakenAtATime) {
  const Result result = Run({"evaluation", "report", "--require", "accuracy(clean) >= 0.8", "e"});
  EXPECT_EQ(result.code, 0) << result.err;
}

}  // namespace
}  // namespace assay::cli
