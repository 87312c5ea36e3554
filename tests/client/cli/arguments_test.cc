#include "client/cli/arguments.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace assay::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ArgumentsTest : public ::testing::Test {
 protected:
  ArgumentsTest() {
    // No config file of the one who runs the tests.
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
  }

  std::variant<Arguments, Exit> Parse(std::vector<const char*> words) {
    words.insert(words.begin(), "assay");
    return ParseArguments(static_cast<int>(words.size()), words.data(), environment_);
  }
  Arguments Good(const std::vector<const char*>& words) {
    auto parsed = Parse(words);
    if (const auto* exit = std::get_if<Exit>(&parsed)) {
      ADD_FAILURE() << exit->err;
      return {};
    }
    return std::get<Arguments>(parsed);
  }
  Exit Bad(const std::vector<const char*>& words) {
    auto parsed = Parse(words);
    if (std::holds_alternative<Arguments>(parsed)) {
      ADD_FAILURE() << "it parses";
      return {};
    }
    return std::get<Exit>(parsed);
  }

  std::string environment_;
};

TEST_F(ArgumentsTest, ClassesAreGivenAndTheirOrderIsTold) {
  const Arguments arguments = Good({"evaluate", "-m", "m.pt", "-d", "a", "-c", "clean", "--classes",
                                    "names.txt", "--allow-missing-classes"});
  EXPECT_EQ(arguments.classes, "names.txt");
  EXPECT_TRUE(arguments.allow_missing_classes);
  for (const std::vector<const char*>& command :
       {std::vector<const char*>{"evaluate", "--help"}, {"dataset", "upload", "--help"}}) {
    auto help = Parse(command);
    ASSERT_TRUE(std::holds_alternative<Exit>(help));
    EXPECT_THAT(std::get<Exit>(help).out, HasSubstr("Order of classes: class i is logit i."));
    EXPECT_THAT(std::get<Exit>(help).out, HasSubstr("classes.txt"));
  }
}

TEST_F(ArgumentsTest, SuitesStandForConditions) {
  EXPECT_THAT(Good({"evaluate", "-m", "m.pt", "-d", "a.bin", "--suite", "classwise"}).conditions,
              ElementsAre("suite/classwise"));
  EXPECT_THAT(Good({"evaluate", "-m", "m.pt", "-d", "a.bin", "-c", "clean", "--suite", "classwise",
                    "--suite", "autoattack"})
                  .conditions,
              ElementsAre("clean", "suite/classwise", "suite/autoattack"));
  EXPECT_THAT(Bad({"evaluate", "-m", "m.pt", "-d", "a.bin", "--suite", "classwide"}).err,
              HasSubstr("classwise"));
  EXPECT_THAT(Bad({"evaluate", "-m", "m.pt", "-d", "a.bin"}).err, HasSubstr("--suite"));
}

TEST_F(ArgumentsTest, AdversarialExamplesGoToADirectory) {
  EXPECT_EQ(Good({"evaluate", "-m", "m.pt", "-d", "a.bin", "-c", "clean", "--keep-adversarials",
                  "adv", "--other-model", "a=b.pt"})
                .adversarials_path,
            "adv");
  const Arguments download = Good({"evaluation", "adversarials", "e", "adv"});
  EXPECT_EQ(download.command, Command::kEvaluationAdversarials);
  EXPECT_EQ(download.name, "e");
  EXPECT_EQ(download.adversarials_path, "adv");
}

TEST_F(ArgumentsTest, EvaluateTakesListsOfFilesAndConditions) {
  const Arguments arguments = Good({"evaluate",
                                    "--model",
                                    "m.pt",
                                    "--data",
                                    "a.bin",
                                    "b.bin",
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
                                    "h:1",
                                    "--quiet"});
  EXPECT_EQ(arguments.command, Command::kEvaluate);
  EXPECT_EQ(arguments.model, "m.pt");
  EXPECT_THAT(arguments.data, ElementsAre("a.bin", "b.bin"));
  EXPECT_THAT(arguments.conditions, ElementsAre("clean", "attack/pgd:norm=linf,eps=8/255",
                                                "corruption/fog:severity=1-5"));
  EXPECT_EQ(arguments.seed, -3);
  EXPECT_EQ(arguments.limit, 100);
  EXPECT_EQ(arguments.format, render::Format::kJson);
  EXPECT_EQ(arguments.server, "h:1");
  EXPECT_TRUE(arguments.quiet);
}

TEST_F(ArgumentsTest, GlobalOptionsStandAnywhere) {
  EXPECT_EQ(Good({"--server", "h:1", "model", "list"}).server, "h:1");
  EXPECT_EQ(Good({"model", "list", "--server", "h:1"}).server, "h:1");
}

TEST_F(ArgumentsTest, FlagsBeatEnvironmentBeatsConfigFileBeatsDefault) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/assay_config_", getpid());
  std::ofstream(path) << "server = \"config:1\"\noutput = \"csv\"\n";
  EXPECT_EQ(Good({"model", "list"}).server, "127.0.0.1:8001");
  EXPECT_EQ(Good({"model", "list", "--config", path.c_str()}).server, "config:1");
  EXPECT_EQ(Good({"model", "list", "--config", path.c_str()}).format, render::Format::kCsv);
  environment_ = "environment:1";
  EXPECT_EQ(Good({"model", "list", "--config", path.c_str()}).server, "environment:1");
  EXPECT_EQ(Good({"model", "list", "--config", path.c_str(), "--server", "flag:1"}).server,
            "flag:1");
  EXPECT_EQ(Good({"model", "list", "--config", path.c_str(), "-o", "table"}).format,
            render::Format::kTable);
  std::remove(path.c_str());
}

TEST_F(ArgumentsTest, EverySubcommandParses) {
  EXPECT_EQ(Good({"model", "upload", "m.pt", "--id", "x"}).command, Command::kModelUpload);
  EXPECT_EQ(Good({"model", "show", "x"}).command, Command::kModelShow);
  EXPECT_EQ(Good({"model", "delete", "x"}).command, Command::kModelDelete);
  EXPECT_EQ(Good({"model", "load", "x", "--shape", "3x32x48"}).shape.width(), 48);
  EXPECT_EQ(Good({"model", "load", "x"}).shape.channels(), 0);
  EXPECT_EQ(Good({"model", "unload", "x"}).command, Command::kModelUnload);
  EXPECT_THAT(Good({"dataset", "upload", "a", "b", "--format", "npy"}).data, ElementsAre("a", "b"));
  EXPECT_EQ(Good({"dataset", "list"}).command, Command::kDatasetList);
  EXPECT_EQ(Good({"dataset", "show", "d"}).name, "d");
  EXPECT_EQ(Good({"dataset", "delete", "d"}).command, Command::kDatasetDelete);
  EXPECT_EQ(Good({"evaluation", "list"}).command, Command::kEvaluationList);
  EXPECT_EQ(Good({"evaluation", "show", "e"}).command, Command::kEvaluationShow);
  EXPECT_EQ(Good({"evaluation", "watch", "e"}).command, Command::kEvaluationWatch);
  EXPECT_EQ(Good({"evaluation", "cancel", "e"}).command, Command::kEvaluationCancel);
  EXPECT_EQ(Good({"evaluation", "retry", "e"}).command, Command::kEvaluationRetry);
  EXPECT_EQ(Good({"evaluation", "delete", "e"}).command, Command::kEvaluationDelete);
  EXPECT_EQ(Good({"evaluation", "report", "e", "--report", "f"}).report_path, "f");
  const Arguments certified_again =
      Good({"evaluation", "report", "e", "--alpha", "0.01", "--n", "1000"});
  EXPECT_EQ(certified_again.alpha, 0.01);
  EXPECT_EQ(certified_again.n, 1000);
  EXPECT_EQ(Good({"evaluation", "outcomes", "e", "f.csv"}).path, "f.csv");
  EXPECT_EQ(Good({"conditions"}).command, Command::kConditions);
  EXPECT_THAT(Good({"conditions", "clean"}).conditions, ElementsAre("clean"));
}

TEST_F(ArgumentsTest, MistakesAreUsageErrors) {
  const std::vector<std::vector<const char*>> mistakes = {
      {},
      {"frobnicate"},
      {"model"},
      {"model", "show"},
      {"model", "list", "extra"},
      {"evaluate"},
      {"evaluate", "-m", "m", "-d", "d"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--limit", "0"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--limit", "many"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--confidence-level", "95"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--format", "jpg"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--local", "--detach"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--local", "--server", "h:1"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--data-dir", "x"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--stream", "--task-samples", "5"},
      {"evaluation", "report", "e", "--alpha", "1"},
      {"evaluation", "report", "e", "--n", "0"},
      {"model", "list", "-o", "xml"},
      {"model", "load", "m", "--shape", "3x32"},
      {"model", "load", "m", "--shape", "3x-1x2"},
      {"completion", "fish"},
  };
  for (const auto& words : mistakes) {
    const Exit exit = Bad(words);
    EXPECT_EQ(exit.code, 2);
    EXPECT_FALSE(exit.err.empty());
    EXPECT_TRUE(exit.out.empty());
  }
}

TEST_F(ArgumentsTest, MistypedCommandIsRecognised) {
  EXPECT_THAT(Bad({"modl", "list"}).err, HasSubstr("did you mean model?"));
  EXPECT_THAT(Bad({"evaluation", "wach", "e"}).err, HasSubstr("did you mean watch?"));
  EXPECT_EQ(Bad({"zzzzzzzzz"}).code, 2);
}

TEST_F(ArgumentsTest, HelpAndVersionAreData) {
  const Exit help = Bad({"evaluate", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("--condition"));
  const Exit version = Bad({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, ::testing::MatchesRegex("assay [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(ArgumentsTest, CompletionKnowsEverySubcommandAndOption) {
  const std::string script = Good({"completion", "bash"}).script;
  for (const char* expected : {"\" evaluation watch\") words=", "--condition", "--confidence-level",
                               "\" model\") words=\"upload list show delete load unload"}) {
    EXPECT_THAT(script, HasSubstr(expected));
  }
  const std::string path = absl::StrCat(::testing::TempDir(), "/assay_completion_", getpid());
  std::ofstream(path) << script
                      << "COMP_WORDS=(assay model l); COMP_CWORD=2; _assay\n"
                         "[ \"${COMPREPLY[*]}\" = \"list load\" ] || exit 1\n"
                         "COMP_WORDS=(assay evaluation outcomes --se); COMP_CWORD=3; _assay\n"
                         "[ \"${COMPREPLY[*]}\" = \"--server\" ] || exit 2\n"
                         "COMP_WORDS=(assay evaluate -o j); COMP_CWORD=3; _assay\n"
                         "[ \"${COMPREPLY[*]}\" = \"json\" ] || exit 3\n";
  EXPECT_EQ(std::system(absl::StrCat("bash ", path).c_str()), 0);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace assay::cli
