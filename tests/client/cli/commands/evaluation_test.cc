// `assay evaluation ...`.
#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class EvaluationTest : public ProgramTest {
 protected:
  EvaluationTest() { state()->evaluations["evaluations/e"].set_name("evaluations/e"); }
};

TEST_F(EvaluationTest, WhatIsBegunIsNotListedAsNothingAndWhatIsNotDoneNotAsAll) {
  const auto list = [&](double work_done) {
    v1::Evaluation evaluation;
    evaluation.set_name("evaluations/e");
    evaluation.set_state(v1::Evaluation::RUNNING);
    evaluation.mutable_progress()->set_work(10'000'000);
    evaluation.mutable_progress()->set_work_done(work_done);
    evaluation.mutable_progress()->set_samples(2000);
    evaluation.mutable_progress()->set_samples_done(1000);
    state()->evaluations["evaluations/e"] = evaluation;
    return Run({"evaluation", "list"}).out;
  };
  // All clean samples of an evaluation whose rest are ten thousand passes for each image.
  EXPECT_THAT(list(1000), HasSubstr("<0.1"));
  EXPECT_THAT(list(1000), HasSubstr("1,000 of 2,000 samples"));
  EXPECT_THAT(Run({"evaluation", "show", "e"}).out, HasSubstr("<0.1 %, 1,000 of 2,000 samples"));
  EXPECT_THAT(list(0), HasSubstr(" 0.0"));
  EXPECT_THAT(list(4'567'000), HasSubstr(" 45.7"));
  EXPECT_THAT(list(9'999'999), HasSubstr(">99.9"));
  EXPECT_THAT(list(10'000'000), HasSubstr(" 100.0"));
}

TEST_F(EvaluationTest, IsListedShownRetriedCancelledAndDeleted) {
  for (const auto& [command, method] :
       {std::pair<const char*, const char*>{"show", "GetEvaluation"},
        {"retry", "RetryEvaluation"},
        {"cancel", "CancelEvaluation"}}) {
    const Result result = Run({"evaluation", command, "e"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("evaluations/e"));
    EXPECT_EQ(state()->calls[method], 1) << method;
  }
  EXPECT_THAT(Run({"evaluation", "list"}).out, HasSubstr("evaluations/e"));
  EXPECT_EQ(state()->calls["ListEvaluations"], 1);
  EXPECT_EQ(Run({"evaluation", "delete", "e"}).err, "deleted evaluations/e\n");
  EXPECT_EQ(state()->evaluations.count("evaluations/e"), 0u);
}

TEST_F(EvaluationTest, WatchReportsWhenItEnds) {
  const Result result = Run({"evaluation", "watch", "e", "--confidence-level", "0.9"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("clean"));
  EXPECT_EQ(state()->calls["WatchEvaluation"], 1);
  ASSERT_THAT(state()->reports, SizeIs(1));
  EXPECT_EQ(state()->reports[0].name(), "evaluations/e");
  EXPECT_EQ(state()->reports[0].confidence_level(), 0.9);
}

TEST_F(EvaluationTest, ReportIsWrittenToAFile) {
  const std::string file = directory_ + "/report.json";
  const Result result = Run({"evaluation", "report", "e", "--report", file, "-o", "json"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(Read(file), result.out);
  EXPECT_EQ(state()->reports[0].confidence_level(), 0.95);
  EXPECT_EQ(state()->reports[0].alpha(), 0);
  EXPECT_EQ(state()->reports[0].n(), 0);
}

TEST_F(EvaluationTest, ReportCertifiesAgain) {
  ASSERT_EQ(Run({"evaluation", "report", "e", "--alpha", "0.01", "--n", "1000"}).code, 0);
  EXPECT_EQ(state()->reports[0].alpha(), 0.01);
  EXPECT_EQ(state()->reports[0].n(), 1000);
}

TEST_F(EvaluationTest, OutcomesGoToAFile) {
  const std::string file = directory_ + "/f.csv";
  ASSERT_EQ(Run({"evaluation", "outcomes", "e", file}).code, 0);
  EXPECT_THAT(Read(file), StartsWith("condition,sample,"));
}

TEST_F(EvaluationTest, AdversarialExamplesGoToADirectory) {
  const std::string directory = directory_ + "/adv";
  const Result result = Run({"evaluation", "adversarials", "e", directory});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->calls["StreamAdversarials"], 1);
  EXPECT_TRUE(std::filesystem::is_directory(directory));
}

TEST_F(EvaluationTest, VectorsGoToADirectoryWhereThereAreAny) {
  const std::string directory = directory_ + "/vectors";
  const Result none = Run({"evaluation", "vectors", "e", directory});
  EXPECT_NE(none.code, 0);
  EXPECT_THAT(none.err, HasSubstr("kept neither probabilities nor features"));
  state()->evaluations["evaluations/e"].mutable_spec()->set_keep_features("fc");
  const Result result = Run({"evaluation", "vectors", "e", directory});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->calls["StreamVectors"], 1);
  EXPECT_TRUE(std::filesystem::is_directory(directory));
}

}  // namespace
}  // namespace assay::cli
