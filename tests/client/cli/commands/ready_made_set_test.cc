// `assay evaluate` of a ready-made set.
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "client/data/npy_format.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using ReadyMadeSetTest = ProgramTest;

// A folder like CIFAR-10-C: ten images of 2 x 2 pixels, two of each severity.
std::string ReadyMadeFolder(const std::string& parent) {
  const std::string folder = parent + "/My-C";
  fs::create_directories(folder);
  const auto write = [&](const std::string& name, const std::vector<int64_t>& shape,
                         const std::string& data) {
    std::ofstream(folder + "/" + name, std::ios::binary)
        << client::FormatNpyHeader("|u1", shape, 0) << data;
  };
  for (const char* name : {"fog.npy", "snow.npy"}) {
    write(name, {10, 2, 2, 3}, std::string(120, name[0]));
  }
  write("labels.npy", {10}, std::string(10, '\1'));
  return folder;
}

TEST_F(ReadyMadeSetTest, AReadyMadeSetIsOneEvaluationForEachBlockAndOneReport) {
  state()->report.mutable_conditions(0)->set_family("clean");
  state()->report.mutable_conditions(0)->set_samples(2);
  state()->report.mutable_conditions(0)->set_correct(1);
  const std::string folder = ReadyMadeFolder(directory_);
  const std::string file = directory_ / fs::path("report.json");
  const Result result = Run({"evaluate", "-m", model_, "-d", folder, "-c", "clean", "--id", "mine",
                             "-o", "json", "--report", file});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->evaluations.size(), 10u);
  EXPECT_EQ(state()->evaluations.count("evaluations/mine-snow-4"), 1u);
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(Read(file), result.out);
  EXPECT_EQ(json["dataset"], "My-C");
  ASSERT_EQ(json["conditions"].size(), 10u);
  EXPECT_EQ(json["conditions"][1]["id"], "My-C/fog/2");
  const auto& snow = json["corruption_summary"]["corruptions"][1];
  EXPECT_EQ(snow["corruption"], "snow");
  EXPECT_EQ(snow["errors"], nlohmann::json({0.5, 0.5, 0.5, 0.5, 0.5}));
  EXPECT_EQ(snow["mean_error"], 0.5);
}

TEST_F(ReadyMadeSetTest, AReadyMadeSetRefusesWhatIsAboutOneEvaluation) {
  const std::string folder = ReadyMadeFolder(directory_);
  const auto refusal = [&](std::vector<std::string> more, const std::string& condition = "clean") {
    std::vector<std::string> words = {"evaluate", "-m", model_, "-d", folder, "-c", condition};
    words.insert(words.end(), more.begin(), more.end());
    const Result result = Run(words);
    EXPECT_EQ(result.code, 2) << result.err;
    return result.err;
  };
  EXPECT_THAT(refusal({"--detach"}), HasSubstr("--detach"));
  EXPECT_THAT(refusal({"--stream"}), HasSubstr("--stream"));
  EXPECT_THAT(refusal({"--outcomes", "-"}), HasSubstr("--outcomes"));
  EXPECT_THAT(refusal({}, "corruption/fog"), HasSubstr("under 'clean' alone"));
  EXPECT_THAT(refusal({"--clean-data", data_}), HasSubstr("another shape"));
  EXPECT_EQ(state()->calls["CreateModel"], 0) << "refused before anything was uploaded";
  EXPECT_THAT(Run(Evaluate({"--clean-data", data_})).err, HasSubstr("--clean-data"));
}

TEST_F(ReadyMadeSetTest, GatesAreOnItsBlocks) {
  v1::ConditionReport& clean = *state()->report.mutable_conditions(0);
  clean.set_family("clean");
  clean.set_samples(200);
  clean.set_correct(100);
  clean.mutable_accuracy()->set_value(0.5);
  clean.mutable_accuracy()->set_numerator(100);
  clean.mutable_accuracy()->set_denominator(200);
  state()->report.set_confidence_level(0.95);
  const std::string folder = ReadyMadeFolder(directory_), file = directory_ + "/report.json";
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"evaluate", "-m", model_, "-d", folder, "-c", "clean"};
    words.insert(words.end(), more.begin(), more.end());
    return Run(words);
  };
  const Result refused = run({"--require", "accuracy(My-C/fig/3) >= 0.4"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("did you mean 'My-C/fog/3'?"));
  EXPECT_THAT(
      run({"--require", "accuracy(My-C/fog/3) >= baseline", "--baseline", "evaluations/e"}).err,
      HasSubstr("--baseline evaluations/ID: goes with one evaluation"));
  EXPECT_EQ(state()->calls["CreateModel"], 0) << "refused before anything was uploaded";
  const Result passed = run({"--require", "accuracy(My-C/fog/3) >= 0.4", "--report", file});
  EXPECT_EQ(passed.code, 0) << passed.err;
  EXPECT_THAT(passed.out, HasSubstr("gates  1 of 1 hold"));
  EXPECT_EQ(run({"--require", "accuracy(My-C/snow/5) >= 0.6"}).code, 1);
  EXPECT_EQ(run({"--require", "accuracy(My-C/snow/5) >= baseline - 30%", "--baseline", file}).code,
            0);
}

TEST_F(ReadyMadeSetTest, CtrlCEndsAReadyMadeSetAndSaysHowToGoOn) {
  NeverEnd();
  const pid_t child =
      Start({"evaluate", "-m", model_, "-d", ReadyMadeFolder(directory_), "-c", "clean"});
  AwaitCall("WatchEvaluation");
  kill(child, SIGINT);
  const Result result = Finish(child);
  EXPECT_EQ(result.code, 4);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("interrupted after 0 of 10 evaluations; with --id"));
  EXPECT_EQ(state()->calls["CreateEvaluation"], 1);
}

}  // namespace
}  // namespace assay::cli
