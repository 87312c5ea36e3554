#include "client/cli/base/evaluation_file.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cli/command_line.h"
#include "client/cli/commands/commands.h"
#include "core/options/evaluation_keys.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/source_tree.h"

namespace assay::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class EvaluationFileTest : public ::testing::Test {
 protected:
  EvaluationFileTest() : app_("", "assay"), evaluate_(*app_.add_subcommand("evaluate")) {
    evaluate_.fallthrough();
    app_.add_option("--server", server_);
    app_.add_option("-o,--output", server_);
    app_.add_flag("-q,--quiet", quiet_);
    for (const CommandEntry& entry : AllCommands()) {
      if (std::string(entry.words) != "evaluate") continue;
      Leaf leaf(evaluate_);
      run_ = entry.declare(leaf);
    }
    std::filesystem::create_directories(folder_);
  }

  std::string Write(const std::string& text) {
    std::ofstream(folder_ + "/evaluation.yaml") << text;
    return folder_ + "/evaluation.yaml";
  }
  absl::StatusOr<std::vector<std::string>> Words(const std::string& text,
                                                 std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"evaluate", "-f", Write(text)});
    const size_t given = more.size();
    auto words = WithEvaluationFile(evaluate_, more);
    if (words.ok()) words->erase(words->begin(), words->begin() + static_cast<int64_t>(given));
    return words;
  }
  std::string Refusal(const std::string& text) {
    const auto words = Words(text);
    return words.ok() ? "it is taken" : std::string(words.status().message());
  }

  CLI::App app_;
  CLI::App& evaluate_;
  // What the parser writes to lives as long as this.
  CommandRun run_;
  std::string server_;
  bool quiet_ = false;
  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/evaluation_file_", getpid());
};

TEST_F(EvaluationFileTest, KeysStandForOptions) {
  EXPECT_THAT(
      *Words("model: models/m1\ncondition:\n  - clean\n  - attack/pgd:eps=8/255\nseed: 7\n"
             "local: true\nstream: false\noutput: json\n"),
      ElementsAre("--model=models/m1", "--condition=clean", "--condition=attack/pgd:eps=8/255",
                  "--seed=7", "--local=true", "--output=json"));
}

TEST_F(EvaluationFileTest, TheCommandLineGoesFirst) {
  const std::string file = "model: models/m1\ncondition: clean\nseed: 7\noutcomes: /o.csv\n";
  EXPECT_THAT(*Words(file, {"--seed", "8", "-cattack/pgd", "--outcomes=/p.csv"}),
              ElementsAre("--model=models/m1"));
}

TEST_F(EvaluationFileTest, OptionsAreFoundInEveryFormThatTheCommandLineHas) {
  const std::string path = Write("condition: clean\nseed: 7\nid: e\n");
  const auto added = [&](std::vector<std::string> words) {
    const size_t given = words.size();
    auto all = *WithEvaluationFile(evaluate_, words);
    return std::vector<std::string>(all.begin() + static_cast<int64_t>(given), all.end());
  };
  const auto all = ElementsAre("--condition=clean", "--seed=7", "--id=e");
  EXPECT_THAT(added({"evaluate", "-qf", path}), all);
  EXPECT_THAT(added({"evaluate", "-f" + path}), all);
  EXPECT_THAT(added({"evaluate", "--file=" + path}), all);
  EXPECT_THAT(added({"--server", "evaluate", "evaluate", "--file", path}), all);
  EXPECT_THAT(added({"evaluate", "-f", path, "-qc", "clean"}), ElementsAre("--seed=7", "--id=e"));
  // The value of another option.
  EXPECT_THAT(added({"evaluate", "--id", "-f", "x"}), ElementsAre());
  EXPECT_THAT(added({"model", "list", "--config", "evaluate", "-f", "x"}), ElementsAre());
}

TEST_F(EvaluationFileTest, PathsAreSeenFromTheFile) {
  std::ofstream(folder_ + "/m.pt") << "x";
  EXPECT_THAT(*Words("model: m.pt\ndata: [sub/a.bin, /b.bin]\nother-model: o=p.pt\n"
                     "report: '-'\nreference: AlexNet\n"),
              ElementsAre("--model=" + folder_ + "/m.pt", "--data=" + folder_ + "/sub/a.bin",
                          "--data=/b.bin", "--other-model=o=" + folder_ + "/p.pt", "--report=-",
                          "--reference=AlexNet"));
}

TEST_F(EvaluationFileTest, RefusalsNameTheLineAndWhatWouldBeRight) {
  const struct {
    std::string text, message;
  } kCases[] = {
      {"model: m\nconditions: clean\n",
       "evaluation.yaml:2: unknown key 'conditions'; did you mean condition?"},
      {"model: m\nqqqqqqqqqqqq: 1\n", "keys are model, data, condition"},
      {"model: m\nfile: other.yaml\n", "unknown key 'file'"},
      {"model: m\n\tdata: d\n", "evaluation.yaml:2: is no YAML"},
      {"model: m\nmodel: n\n", "evaluation.yaml:2: key 'model' is there twice"},
      {"model: [a, b]\n", "'model' takes one value, not a list"},
      {"model:\n", "'model' needs a value"},
      {"condition: {a: b}\n", "'condition' needs a value or a list of values"},
      {"condition: [[clean]]\n", "each value of 'condition' must be a text"},
      {"local: yes please\n", "'local' must be true or false; got 'yes please'"},
      {"- model\n", "must be one YAML document of keys and values"},
      {"", "must be one YAML document of keys and values"},
      {"model: m\n---\nmodel: n\n", "must be one YAML document"},
      {"? [a]\n: b\n", "a key must be a word"},
      {"report: ''\nseed: 1\n", "evaluation.yaml:1: 'report' is empty"},
  };
  for (const auto& one : kCases) EXPECT_THAT(Refusal(one.text), HasSubstr(one.message)) << one.text;
  EXPECT_THAT(
      WithEvaluationFile(evaluate_, {"evaluate", "-f", "/nonexistent.yaml"}).status().ToString(),
      HasSubstr("/nonexistent.yaml"));
}

TEST_F(EvaluationFileTest, OtherCommandsAndCallsWithoutAFileStayAsTheyAre) {
  const std::vector<std::string> plain = {"evaluate", "-m", "m.pt"};
  EXPECT_EQ(*WithEvaluationFile(evaluate_, plain), plain);
  const std::vector<std::string> other = {"model", "list", "-f", "x"};
  EXPECT_EQ(*WithEvaluationFile(evaluate_, other), other);
}

TEST_F(EvaluationFileTest, WhatIsSavedMeansTheSameFromWhereItStands) {
  app_.parse(
      "evaluate -m m.pt -d sub/a.bin /b.bin -c clean attack/pgd:eps=8/255 --seed 3 --local -q");
  const std::string text = EvaluationFileText(evaluate_, "files");
  EXPECT_EQ(text,
            "# assay evaluate -f THIS FILE\n"
            "model: ../m.pt\n"
            "data:\n  - ../sub/a.bin\n  - /b.bin\n"
            "condition:\n  - clean\n  - attack/pgd:eps=8/255\n"
            "seed: 3\n"
            "local: true\n"
            "quiet: true\n");
  EXPECT_THAT(*Words(text),
              ElementsAre(absl::StrCat("--model=", folder_, "/../m.pt"),
                          absl::StrCat("--data=", folder_, "/../sub/a.bin"), "--data=/b.bin",
                          "--condition=clean", "--condition=attack/pgd:eps=8/255", "--seed=3",
                          "--local=true", "--quiet=true"));
}

TEST_F(EvaluationFileTest, WhatIsSavedIsRightWhereverItStands) {
  app_.parse("evaluate -m m.pt -d datasets/d -c clean --reference alexnet --local=false");
  EXPECT_THAT(EvaluationFileText(evaluate_, ""),
              HasSubstr("\nmodel: m.pt\ndata:\n  - datasets/d\n"));
  EXPECT_THAT(EvaluationFileText(evaluate_, "/"), HasSubstr("\nreference: alexnet\n"));
  EXPECT_THAT(EvaluationFileText(evaluate_, ""), Not(HasSubstr("local")));
  const std::string here = std::filesystem::current_path().filename().string();
  EXPECT_THAT(EvaluationFileText(evaluate_, "../x"), HasSubstr("\nmodel: ../" + here + "/m.pt\n"));
}

// Written by: ASSAY_UPDATE=1 client_cli_test --gtest_filter=*Schema*
TEST_F(EvaluationFileTest, TheSchemaInTheDocumentationHasEveryOption) {
  const std::string path = ASSAY_SOURCE_DIR "/docs/evaluation.schema.json";
  const std::string schema = EvaluationFileSchema(evaluate_);
  if (std::getenv("ASSAY_UPDATE") != nullptr) std::ofstream(path) << schema;
  EXPECT_EQ(ReadFile(path), schema);
  EXPECT_EQ(nlohmann::json::parse(schema)["properties"]["local"]["type"], "boolean");
}

// By what servers read the same files.
TEST_F(EvaluationFileTest, TheTableOfKeysHasEveryOption) {
  const nlohmann::json schema = nlohmann::json::parse(EvaluationFileSchema(evaluate_));
  nlohmann::json expected;
  for (const auto& [name, property] : schema.at("properties").items()) {
    const bool is_switch = property.value("type", nlohmann::json()) == "boolean";
    expected[name] = {{"switch", is_switch}, {"list", property.contains("anyOf")}};
  }
  nlohmann::json table;
  for (const EvaluationKey& entry : EvaluationKeys()) {
    table[entry.key.name] = {{"switch", entry.key.is_switch()}, {"list", entry.key.is_list()}};
  }
  EXPECT_EQ(table.dump(1), expected.dump(1));
}

TEST_F(EvaluationFileTest, TheWholeCommandLineTakesIt) {
  const std::string path = Write("data: d.bin\ncondition: clean\noutput: json\nseed: x\n");
  const std::vector<const char*> words = {"assay", "evaluate", "-f", path.c_str(), "-m", "m.pt"};
  const auto parsed = ParseCommandLine(static_cast<int>(words.size()), words.data(), "");
  ASSERT_TRUE(std::holds_alternative<Exit>(parsed));
  EXPECT_THAT(std::get<Exit>(parsed).err, HasSubstr("seed"));
  Write("data: d.bin\ncondition: clean\noutput: json\n");
  const auto good = ParseCommandLine(static_cast<int>(words.size()), words.data(), "");
  ASSERT_TRUE(std::holds_alternative<Call>(good)) << std::get<Exit>(good).err;
  EXPECT_EQ(std::get<Call>(good).options.format, render::Format::kJson);
}

}  // namespace
}  // namespace assay::cli
