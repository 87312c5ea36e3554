// `assay evaluate`.
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "client/data/npy_format.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class EvaluateTest : public ProgramTest {
 protected:
  v1::EvaluationSpec Spec() { return state()->evaluations["evaluations/chosen"].spec(); }
};

TEST_F(EvaluateTest, EvaluateUploadsWatchesAndReports) {
  const std::string file = directory_ + "/report.json";
  const Result result = Run(Evaluate({"-o", "json", "--report", file}));
  EXPECT_EQ(result.code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["evaluation"], "evaluations/chosen");
  EXPECT_EQ(Read(file), result.out);
  EXPECT_THAT(state()->models, SizeIs(1));
  EXPECT_THAT(state()->models.begin()->first, StartsWith("models/net-"));
  EXPECT_THAT(state()->datasets.begin()->first, StartsWith("datasets/batch-"));
  EXPECT_EQ(state()->datasets.begin()->second.samples(), 2);
  const auto& spec = state()->evaluations["evaluations/chosen"].spec();
  EXPECT_EQ(spec.model(), state()->models.begin()->first);
  EXPECT_EQ(spec.dataset(), state()->datasets.begin()->first);
}

TEST_F(EvaluateTest, AnEvaluationIsSavedAndRepeatedFromItsFile) {
  const std::string file = directory_ + "/evaluation.yaml";
  ASSERT_EQ(Run(Evaluate({"--seed", "5", "--save", file})).code, 0);
  EXPECT_EQ(Spec().seed(), 5);
  EXPECT_THAT(Read(file), HasSubstr("\nseed: 5\n"));
  EXPECT_EQ(Run({"evaluate", "-f", file}).code, 0);
  EXPECT_EQ(Spec().seed(), 5);
  EXPECT_THAT(Spec().conditions(), ElementsAre("clean"));
  EXPECT_EQ(Run({"evaluate", "-f", file, "--seed", "6"}).code, 0);
  EXPECT_EQ(Spec().seed(), 6);
}

TEST_F(EvaluateTest, PageIsPrintedOrWrittenBeside) {
  const std::string file = directory_ + "/report.html";
  const Result beside = Run(Evaluate({"-o", "json", "--html", file}));
  EXPECT_EQ(beside.code, 0) << beside.err;
  EXPECT_THAT(beside.out, StartsWith("{"));
  EXPECT_THAT(Read(file), StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(Read(file), HasSubstr("evaluations/chosen"));
  EXPECT_EQ(Run(Evaluate({"-o", "html"})).out, Read(file));
}

TEST_F(EvaluateTest, FileOfThePageIsCheckedBeforeWorkBegins) {
  const Result result = Run(Evaluate({"--html", directory_ + "/none/report.html"}));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--html"));
  EXPECT_THAT(result.err, HasSubstr("none/report.html"));
  EXPECT_THAT(state()->models, SizeIs(0));
}

TEST_F(EvaluateTest, QuietLeavesStderrEmpty) {
  const Result result = Run(Evaluate({"--quiet"}));
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("clean"));
}

TEST_F(EvaluateTest, OutcomesAreWrittenAsCsv) {
  v1::StreamOutcomesResponse batch;
  batch.set_condition("clean");
  batch.add_outcomes()->set_sample(0);
  batch.add_outcomes()->set_sample(1);
  state()->outcomes = {batch};
  const std::string file = directory_ + "/outcomes.csv";
  ASSERT_EQ(Run(Evaluate({"--outcomes", file})).code, 0);
  EXPECT_THAT(Read(file), StartsWith("condition,sample,"));
  EXPECT_THAT(Read(file), HasSubstr("\nclean,1,0,0,1,"));
}

TEST_F(EvaluateTest, StreamSendsSamplesWithoutAnUpload) {
  const Result result = Run(Evaluate({"--stream", "--id", "streamed"}));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->calls["CreateDataset"], 0);
  ASSERT_THAT(state()->batches, SizeIs(1));
  EXPECT_EQ(state()->batches[0].labels_size(), 2);
  EXPECT_EQ(state()->starts[0].evaluation_id(), "streamed");
}

TEST_F(EvaluateTest, DetachPrintsTheNameAlone) {
  const Result result = Run(Evaluate({"--detach"}));
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "evaluations/chosen\n");
  EXPECT_EQ(state()->calls["WatchEvaluation"], 0);
}

TEST_F(EvaluateTest, NamedResourcesAreNotUploaded) {
  state()->models["models/m"].set_name("models/m");
  state()->datasets["datasets/d"].set_name("datasets/d");
  const Result result =
      Run({"evaluate", "-m", "models/m", "-d", "datasets/d", "-c", "clean", "--limit", "7"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->calls["UploadChunks"], 0);
  EXPECT_EQ(state()->evaluations["evaluations/chosen"].spec().limit(), 7);
}

TEST_F(EvaluateTest, WrongConditionIsFoundBeforeAnythingIsUploaded) {
  const Result result = Run({"evaluate", "-m", model_, "-d", data_, "-c", "attack/pdg"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, StartsWith("error: "));
  EXPECT_THAT(result.err, HasSubstr("\nhint: "));
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(state()->calls["UploadChunks"], 0);
}

TEST_F(EvaluateTest, ReferenceErrorsAreReadBeforeAnythingIsUploaded) {
  const std::string reference = directory_ + "/errors.json";
  std::ofstream(reference, std::ios::binary) << "\xef\xbb\xbf{\"name\": \"x\"}";
  EXPECT_THAT(Run(Evaluate({"--reference", reference})).err, HasSubstr("is not of the form"));
  EXPECT_EQ(state()->calls["CreateModel"], 0);
  std::ofstream(reference, std::ios::binary)
      << "\xef\xbb\xbf{\"corruptions\": [{\"corruption\": \"fog\", \"errors\": [0.1]}]}";
  EXPECT_EQ(Run(Evaluate({"--reference", reference})).code, 0);
}

TEST_F(EvaluateTest, MissingClassesAreAllowedByTheSpec) {
  ASSERT_EQ(Run(Evaluate({})).code, 0);
  EXPECT_FALSE(state()->evaluations["evaluations/chosen"].spec().allow_missing_classes());
  ASSERT_EQ(Run(Evaluate({"--allow-missing-classes"})).code, 0);
  EXPECT_TRUE(state()->evaluations["evaluations/chosen"].spec().allow_missing_classes());
  ASSERT_EQ(Run(Evaluate({"--stream", "--allow-missing-classes"})).code, 0);
  EXPECT_TRUE(state()->starts.back().allow_missing_classes());
}

TEST_F(EvaluateTest, WithoutTheCacheByTheSpec) {
  ASSERT_EQ(Run(Evaluate({})).code, 0);
  EXPECT_FALSE(state()->evaluations["evaluations/chosen"].spec().no_cache());
  ASSERT_EQ(Run(Evaluate({"--no-cache"})).code, 0);
  EXPECT_TRUE(state()->evaluations["evaluations/chosen"].spec().no_cache());
  ASSERT_EQ(Run(Evaluate({"--stream", "--no-cache"})).code, 0);
  EXPECT_TRUE(state()->starts.back().no_cache());
}

TEST_F(EvaluateTest, OptionsOfFilesDoNotGoWithADatasetOfTheServer) {
  state()->datasets["datasets/d"].set_name("datasets/d");
  const Result result = Run({"evaluate", "-m", model_, "-d", "datasets/d", "-c", "clean",
                             "--labels", "l.npy", "--classes", "c.txt"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--labels: goes with files"));
  EXPECT_THAT(result.err, HasSubstr("--classes: goes with files"));
}

TEST_F(EvaluateTest, NotesOnTheDataAreSaid) {
  const std::string images = directory_ + "/x.npy", labels = directory_ + "/y.npy";
  std::ofstream(images, std::ios::binary)
      << client::FormatNpyHeader("|u1", {2, 2, 2}, 0) << std::string(8, '\1');
  std::ofstream(labels, std::ios::binary)
      << client::FormatNpyHeader("|u1", {2}, 0) << std::string("\0\1", 2);
  const std::vector<std::string> words = {"evaluate", "-m", model_, "-d", images, "-c", "clean"};
  EXPECT_THAT(Run(words).err, HasSubstr("note: no pixel value is over 1"));
  std::vector<std::string> streamed = words;
  streamed.push_back("--stream");
  EXPECT_THAT(Run(streamed).err, HasSubstr("note: no pixel value is over 1"));
  EXPECT_THAT(
      Run({"corrupt", "-d", images, "-c", "corruption/fog", "--out", directory_ + "/fog"}).err,
      HasSubstr("note: no pixel value is over 1"));
}

TEST_F(EvaluateTest, WhatIsNoRegularFileIsRefusedAtOnce) {
  const std::string pipe = directory_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& file : {pipe, std::string("/dev/null")}) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"evaluate", "-m", file, "-d", data_, "-c", "clean"},
             {"evaluate", "-m", model_, "-d", file, "-c", "clean"},
             Evaluate({"--reference", file}),
             Evaluate({"--classes", file}),
             Evaluate({"--config", file})}) {
      const Result result = Run(words);
      EXPECT_EQ(result.code, 2) << absl::StrJoin(words, " ");
      EXPECT_THAT(result.err, HasSubstr("regular file")) << absl::StrJoin(words, " ");
    }
  }
  EXPECT_EQ(state()->calls["CreateEvaluation"], 0);
}

TEST_F(EvaluateTest, FirstCtrlCDetaches) {
  NeverEnd();
  const pid_t child = Start(Evaluate({}));
  AwaitCall("WatchEvaluation");
  kill(child, SIGINT);
  const Result result = Finish(child);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("assay evaluation watch evaluations/chosen"));
  EXPECT_THAT(result.err, HasSubstr("assay evaluation cancel evaluations/chosen"));
  EXPECT_EQ(state()->calls["CancelEvaluation"], 0);
}

TEST_F(EvaluateTest, TakesListsOfFilesAndConditions) {
  const std::string more = directory_ + "/more.bin";
  std::ofstream(more, std::ios::binary) << '\3' << std::string(3072, 'c');
  // Neither the environment nor its server is meant.
  setenv("ASSAY_SERVER", "h:1", 1);
  const Result result = Run({"evaluate",
                             "--model",
                             model_,
                             "--data",
                             data_,
                             more,
                             "--condition",
                             "clean",
                             "attack/pgd:norm=linf,eps=8/255",
                             "-c",
                             "corruption/fog:severity=1-5",
                             "--seed",
                             "-3",
                             "--limit",
                             "100",
                             "-o",
                             "json",
                             "--server",
                             server_.address(),
                             "--quiet"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(nlohmann::json::parse(result.out)["evaluation"], "evaluations/chosen");
  EXPECT_THAT(state()->models.begin()->first, StartsWith("models/net-"));
  EXPECT_EQ(state()->datasets.begin()->second.samples(), 3);
  EXPECT_THAT(Spec().conditions(), ElementsAre("clean", "attack/pgd:norm=linf,eps=8/255",
                                               "corruption/fog:severity=1-5"));
  EXPECT_EQ(Spec().seed(), -3);
  ASSERT_EQ(Run(Evaluate({"--server", server_.address(), "--limit", "1"})).code, 0);
  const std::string dataset = Spec().dataset();
  EXPECT_EQ(state()->datasets[dataset].samples(), 1);
}

TEST_F(EvaluateTest, ClassesAreNamedByAFile) {
  const std::string names = directory_ + "/names.txt";
  std::ofstream(names) << "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
  ASSERT_EQ(Run(Evaluate({"--classes", names, "--allow-missing-classes"})).code, 0);
  EXPECT_THAT(state()->datasets.begin()->second.manifest().class_names(),
              ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"));
  EXPECT_TRUE(Spec().allow_missing_classes());
}

TEST_F(EvaluateTest, TheOrderOfClassesIsTold) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"evaluate", "--help"}, {"dataset", "upload", "--help"}}) {
    const Result help = Run(command);
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("Order of classes: class i is logit i."));
    EXPECT_THAT(help.out, HasSubstr("classes.txt"));
  }
}

TEST_F(EvaluateTest, SuitesStandForConditions) {
  const std::vector<std::string> plain = {"evaluate", "-m", model_, "-d", data_};
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), plain.begin(), plain.end());
    return Run(more);
  };
  ASSERT_EQ(run({"--suite", "classwise"}).code, 0);
  EXPECT_THAT(Spec().conditions(), ElementsAre("suite/classwise"));
  ASSERT_EQ(run({"-c", "clean", "--suite", "classwise", "--suite", "autoattack"}).code, 0);
  EXPECT_THAT(Spec().conditions(), ElementsAre("clean", "suite/classwise", "suite/autoattack"));
  EXPECT_THAT(run({"--suite", "classwide"}).err, HasSubstr("classwise"));
  EXPECT_THAT(run({}).err, HasSubstr("--suite"));
}

TEST_F(EvaluateTest, AdversarialExamplesGoToADirectory) {
  v1::StreamAdversarialsResponse batch;
  batch.set_condition("attack/pgd/linf/8-255");
  batch.mutable_shape()->set_channels(1);
  batch.mutable_shape()->set_height(1);
  batch.mutable_shape()->set_width(2);
  batch.add_samples(1);
  batch.set_images(std::string(8, '\0'));
  state()->adversarials = {batch};
  state()->events.back().mutable_evaluation()->mutable_spec()->set_keep_adversarials(true);
  const std::string directory = directory_ + "/adv";
  const Result result =
      Run(Evaluate({"--keep-adversarials", directory, "--other-model", "a=" + model_}));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(Spec().keep_adversarials());
  EXPECT_EQ(state()->models.count("models/a"), 1u);
  EXPECT_TRUE(std::filesystem::exists(directory + "/attack_pgd_linf_8-255.npy"));
  EXPECT_TRUE(std::filesystem::exists(directory + "/attack_pgd_linf_8-255.samples.npy"));
}

TEST_F(EvaluateTest, PriorityAndDeadlineAreOfTheEvaluationHoweverItsDataAreSent) {
  ASSERT_EQ(Run(Evaluate({"--priority", "high", "--deadline", "90m"})).code, 0);
  EXPECT_EQ(Spec().priority(), v1::PRIORITY_HIGH);
  EXPECT_EQ(Spec().deadline().seconds(), 5400);
  ASSERT_EQ(Run(Evaluate({"--stream", "--priority", "low", "--deadline", "1d"})).code, 0);
  ASSERT_THAT(state()->starts, SizeIs(1));
  EXPECT_EQ(state()->starts[0].priority(), v1::PRIORITY_LOW);
  EXPECT_EQ(state()->starts[0].deadline().seconds(), 86400);
}

TEST_F(EvaluateTest, APriorityOrADeadlineThatIsNoneIsRefused) {
  EXPECT_EQ(Run(Evaluate({"--priority", "urgent"})).code, 2);
  for (const char* deadline : {"soon", "0", "-1h", "5"}) {
    const Result result = Run(Evaluate({absl::StrCat("--deadline=", deadline)}));
    EXPECT_EQ(result.code, 2) << deadline;
    EXPECT_THAT(result.err, HasSubstr("must be a time such as 2h")) << deadline;
  }
  EXPECT_EQ(state()->calls["CreateEvaluation"], 0);
}

TEST_F(EvaluateTest, WhatADeadlineLeftIsReportedAndStillAFailure) {
  v1::Evaluation& evaluation = *state()->events.back().mutable_evaluation();
  evaluation.set_state(v1::Evaluation::FAILED);
  evaluation.mutable_failure()->set_reason("DEADLINE_REACHED");
  evaluation.mutable_failure()->set_message("did not end within 2h");
  evaluation.mutable_progress()->set_tasks_done(1);
  const Result result = Run(Evaluate({}));
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.out, HasSubstr("accuracy"));
  EXPECT_THAT(result.err, HasSubstr("did not end within 2h"));
  evaluation.mutable_progress()->set_tasks_done(0);
  const Result nothing = Run(Evaluate({}));
  EXPECT_EQ(nothing.code, 3);
  EXPECT_EQ(nothing.out, "");
}

TEST_F(EvaluateTest, KeptVectorsGoToADirectory) {
  v1::StreamVectorsResponse batch;
  batch.set_condition("corruption/fog/3");
  batch.set_size(2);
  batch.add_samples(4);
  batch.set_values(std::string(8, '\0'));
  state()->vectors[v1::PROBABILITIES] = {batch};
  state()->vectors[v1::FEATURES] = {batch};
  v1::EvaluationSpec& spec = *state()->events.back().mutable_evaluation()->mutable_spec();
  spec.set_keep_probabilities(true);
  spec.set_keep_features("penultimate");
  const std::string directory = directory_ + "/vectors";
  const Result result = Run(
      Evaluate({"--keep-probabilities", "--keep-features", "penultimate", "--vectors", directory}));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(Spec().keep_probabilities());
  EXPECT_EQ(Spec().keep_features(), "penultimate");
  for (const char* kind : {"probabilities", "features"}) {
    const std::string stem = directory + "/corruption_fog_3." + kind;
    EXPECT_TRUE(std::filesystem::exists(stem + ".npy"));
    EXPECT_TRUE(std::filesystem::exists(stem + ".samples.npy"));
  }
}

TEST_F(EvaluateTest, AStreamKeepsVectorsToo) {
  const Result result =
      Run(Evaluate({"--stream", "--keep-probabilities", "--keep-features", "fc"}));
  ASSERT_EQ(result.code, 0) << result.err;
  ASSERT_THAT(state()->starts, SizeIs(1));
  EXPECT_TRUE(state()->starts[0].keep_probabilities());
  EXPECT_EQ(state()->starts[0].keep_features(), "fc");
}

TEST_F(EvaluateTest, ADirectoryForVectorsThatNobodyKeepsIsRefused) {
  const Result result = Run(Evaluate({"--vectors", directory_ + "/vectors"}));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--keep-probabilities or --keep-features"));
  EXPECT_EQ(state()->calls["CreateEvaluation"], 0);
}

}  // namespace
}  // namespace assay::cli
