#include "server/config/configuration.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "tests/source_tree.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ConfigurationTest : public ::testing::Test {
 protected:
  ConfigurationTest() { std::filesystem::create_directories(folder_); }
  ~ConfigurationTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return path_;
  }
  // With the file as the default one.
  Configuration Read(const std::vector<std::string>& words, const Environment& environment = {}) {
    auto read = ReadConfiguration(words, environment, path_);
    if (const auto* exit = std::get_if<Exit>(&read)) {
      ADD_FAILURE() << ::testing::PrintToString(Texts(*exit));
      return {};
    }
    return std::get<Configuration>(std::move(read));
  }
  std::vector<std::string> Mistakes(const std::vector<std::string>& words,
                                    const Environment& environment = {}) {
    const auto read = ReadConfiguration(words, environment, path_);
    const auto* exit = std::get_if<Exit>(&read);
    if (exit == nullptr) return {"it is taken"};
    EXPECT_EQ(exit->code, 1);
    return Texts(*exit);
  }
  static std::vector<std::string> Texts(const Exit& exit) {
    std::vector<std::string> texts;
    for (const FieldViolation& one : exit.mistakes) {
      texts.push_back(absl::StrCat(one.field, ": ", one.description));
    }
    return texts;
  }
  static std::string OriginOf(const Configuration& configuration, const std::string& name) {
    for (const Setting& setting : configuration.settings) {
      if (setting.name == name) return absl::StrCat(setting.value, " by ", setting.origin);
    }
    return "none";
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/configuration_", getpid());
  const std::string path_ = folder_ + "/assayd.yaml";
};

TEST_F(ConfigurationTest, FlagsGoBeforeTheEnvironmentAndThatBeforeTheFile) {
  struct {
    bool flag, variable, file;
    int threads;
    std::string origin;
  } const kCases[] = {
      {false, false, false, 0, "0 by default"},
      {false, false, true, 3, absl::StrCat("3 by ", path_, ":2")},
      {false, true, false, 2, "2 by environment"},
      {false, true, true, 2, "2 by environment"},
      {true, false, false, 1, "1 by flag"},
      {true, false, true, 1, "1 by flag"},
      {true, true, false, 1, "1 by flag"},
      {true, true, true, 1, "1 by flag"},
  };
  for (const auto& one : kCases) {
    Write(one.file ? "# mine\nthreads: 3\n" : "");
    const Configuration read =
        Read(one.flag ? std::vector<std::string>{"--threads", "1"} : std::vector<std::string>{},
             one.variable ? Environment{{"ASSAYD_THREADS", "2"}} : Environment{});
    EXPECT_EQ(read.flags.threads, one.threads);
    EXPECT_EQ(OriginOf(read, "threads"), one.origin);
    EXPECT_EQ(read.file, path_);
  }
}

TEST_F(ConfigurationTest, ASwitchThatIsOnCanBeTurnedOffByWhoGoesFirst) {
  Write("insecure: true\n");
  EXPECT_TRUE(Read({}).flags.insecure);
  EXPECT_FALSE(Read({}, {{"ASSAYD_INSECURE", "false"}}).flags.insecure);
  EXPECT_FALSE(Read({"--insecure=false"}, {{"ASSAYD_INSECURE", "1"}}).flags.insecure);
  Write("insecure: off\n");
  EXPECT_TRUE(Read({"--insecure"}).flags.insecure);
  EXPECT_TRUE(Read({}, {{"ASSAYD_INSECURE", "yes"}}).flags.insecure);
}

TEST_F(ConfigurationTest, EveryFlagIsAKeyAndAVariable) {
  Flags flags;
  CLI::App app;
  DeclareFlags(app, flags);
  int checked = 0;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || option->get_group().empty()) continue;
    const std::string name = option->get_lnames().front();
    if (name == "help") continue;
    const std::string value = option->get_items_expected_max() == 0 ? "true"
                              : option->get_default_str().empty()   ? "x"
                              : option->get_default_str().front() == '['
                                  ? "x"
                                  : option->get_default_str();
    std::string variable = absl::StrCat("ASSAYD_", name);
    for (char& c : variable) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
    // Alone, one may lack another that it needs; but it is known.
    Write(absl::StrCat(name, ": '", value, "'\n"));
    for (const std::string& mistake : Mistakes({})) {
      EXPECT_THAT(mistake, Not(AnyOf(HasSubstr("unknown"), HasSubstr("must be")))) << name;
    }
    Write("");
    for (const std::string& mistake : Mistakes({}, {{variable, value}})) {
      EXPECT_THAT(mistake, Not(AnyOf(HasSubstr("is no setting"), HasSubstr("must be")))) << name;
    }
    ++checked;
  }
  EXPECT_GE(checked, 18);
}

TEST_F(ConfigurationTest, EveryMistakeOfEverySourceIsToldAtOnce) {
  Write("max-engines: 0\nlisten: [a, b]\nlog-format: xml\nthredas: 1\nexit-timeout: soon\n");
  EXPECT_THAT(
      Mistakes({"--metrics-port", "99999", "--lisen", "a:1"}, {{"ASSAYD_LISTN", "x"},
                                                               {"ASSAYD_THREADS", "many"},
                                                               {"ASSAYD_INSECURE", "perhaps"},
                                                               {"ASSAY_SERVER", "of the client"}}),
      ::testing::UnorderedElementsAre(
          "--lisen: there is no such flag; did you mean --listen?",
          "--metrics-port: must be a whole number from 0 to 65535; got '99999'",
          "ASSAYD_LISTN: is no setting of assayd; did you mean ASSAYD_LISTEN?",
          "ASSAYD_THREADS: must be a whole number from 0 to 1024; got 'many'",
          "ASSAYD_INSECURE: must be true or false; got 'perhaps'",
          path_ + ":1: max-engines: must be a whole number from 1 to 1000; got '0'",
          path_ + ":2: 'listen' takes one value, not a list",
          path_ + ":3: log-format: must be one of text, json; got 'xml'",
          path_ + ":4: unknown key 'thredas'; did you mean threads?",
          path_ + ":5: exit-timeout: must be a number from 1 to 3600; got 'soon'"));
}

TEST_F(ConfigurationTest, ValuesThatAreTransformedAreTakenFromEverySource) {
  const Configuration flags = Read({"--keep-evaluations", "30d", "--disk-quota=2GB"});
  EXPECT_EQ(flags.flags.keep_evaluations, 30 * 86400);
  EXPECT_EQ(flags.flags.disk_quota, 2'000'000'000);
  EXPECT_EQ(OriginOf(flags, "keep-evaluations"), "30d by flag");
  Write("keep-evaluations: 2w\nkeep-label: [a=b, c]\n");
  const Configuration file = Read({}, {{"ASSAYD_DISK_QUOTA", "1GB"}});
  EXPECT_EQ(file.flags.keep_evaluations, 14 * 86400);
  EXPECT_EQ(file.flags.disk_quota, 1'000'000'000);
  EXPECT_THAT(file.flags.keep_labels, ElementsAre("a=b", "c"));
  EXPECT_THAT(Read({"--keep-label", "x", "y"}).flags.keep_labels, ElementsAre("x", "y"));
  EXPECT_THAT(Read({}, {{"ASSAYD_KEEP_LABEL", "x,y=z"}}).flags.keep_labels,
              ElementsAre("x", "y=z"));
  Write("keep-evaluations: soon\n");
  EXPECT_THAT(Mistakes({}), ElementsAre(AllOf(HasSubstr(":1: keep-evaluations: must be a time "),
                                              HasSubstr("got 'soon'"))));
}

TEST_F(ConfigurationTest, WordsThatAreNoFlagsAreRefused) {
  EXPECT_THAT(Mistakes({"serve"}),
              ElementsAre("command line: assayd takes flags only; got 'serve'"));
  EXPECT_THAT(Mistakes({"--listen"}), ElementsAre(HasSubstr("--listen")));
  EXPECT_THAT(Mistakes({"--threads", "1", "--threads", "2"}), ElementsAre(HasSubstr("--threads")));
}

TEST_F(ConfigurationTest, TheFileIsNamedByFlagVariableOrCustom) {
  EXPECT_EQ(Read({}).file, "") << "the usual one need not be there";
  Write("threads: 3\n");
  const std::string other = folder_ + "/other.yaml";
  std::ofstream(other) << "threads: 4\n";
  EXPECT_EQ(Read({}).flags.threads, 3);
  EXPECT_EQ(Read({}, {{"ASSAYD_CONFIG", other}}).flags.threads, 4);
  EXPECT_EQ(Read({"--config", path_}, {{"ASSAYD_CONFIG", other}}).flags.threads, 3);
  EXPECT_EQ(Read({"--no-config"}, {{"ASSAYD_MAX_ENGINES", "7"}}).flags.threads, 0);
  EXPECT_EQ(Read({"--no-config"}, {{"ASSAYD_MAX_ENGINES", "7"}}).flags.max_engines, 3);
  std::ofstream(other) << "threadz: 4\n";
  EXPECT_THAT(Mistakes({"--threads", "many", "--config", other}),
              ElementsAre(HasSubstr("--threads: "), HasSubstr("other.yaml:1: unknown key")));
  EXPECT_THAT(Mistakes({"--config", folder_ + "/nowhere.yaml"}),
              ElementsAre(AllOf(HasSubstr("--config: cannot read"), HasSubstr("No such file"))));
  EXPECT_THAT(Mistakes({"--config", folder_}), ElementsAre(HasSubstr("is a directory")));
  EXPECT_THAT(Mistakes({}, {{"ASSAYD_CONFIG", folder_ + "/nowhere.yaml"}}),
              ElementsAre(HasSubstr("ASSAYD_CONFIG: cannot read")));
  EXPECT_THAT(Mistakes({"--config", "/dev/zero"}), ElementsAre(HasSubstr("over 1 MiB")));
}

TEST_F(ConfigurationTest, AnEmptyVariableIsOneThatIsNotThere) {
  Write("threads: 3\n");
  EXPECT_EQ(Read({}, {{"ASSAYD_THREADS", ""}, {"ASSAYD_CONFIG", ""}}).flags.threads, 3);
}

TEST_F(ConfigurationTest, WhatIsNotForPeopleIsNoKey) {
  Write("owned-directory: /\n");
  EXPECT_THAT(Mistakes({}), ElementsAre(HasSubstr("unknown key 'owned-directory'")));
  Write("");
  for (const char* variable : {"ASSAYD_OWNED_DIRECTORY", "ASSAYD_CHECK_CONFIG", "ASSAYD_HELP"}) {
    EXPECT_THAT(Mistakes({}, {{variable, "x"}}), ElementsAre(HasSubstr("is no setting")));
  }
}

TEST_F(ConfigurationTest, PasswordsOfUrisAreNotShown) {
  const Configuration read = Read({"--port-file", "http://me:secret@host/x"});
  EXPECT_EQ(read.flags.port_file, "http://me:secret@host/x");
  EXPECT_EQ(OriginOf(read, "port-file"), "http://host/x by flag");
}

TEST_F(ConfigurationTest, TheDescriptionNamesWhereEachValueComesFrom) {
  Write("max-engines: 2\n");
  const std::string text = Describe(Read({"--threads", "1"}, {{"ASSAYD_DEVICES", "cpu"}}));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("configuration file: ", path_)));
  EXPECT_THAT(text, ::testing::ContainsRegex("\nthreads +1 +flag\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("\ndevices +cpu +ASSAYD_DEVICES\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("\nmax-engines +2 +.*assayd.yaml:1\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("\nfrost-directory +\\(none\\) +default\n"));
}

TEST_F(ConfigurationTest, AMistakeIsNamedAsItWasWritten) {
  Write("# first\ndata-dir: /nowhere\n");
  const Configuration read = Read({"--threads", "1"}, {{"ASSAYD_DEVICES", "x"}});
  EXPECT_EQ(read.WhereIs("--data-dir"), path_ + ":2: data-dir");
  EXPECT_EQ(read.WhereIs("--devices"), "ASSAYD_DEVICES");
  EXPECT_EQ(read.WhereIs("--threads"), "--threads");
  EXPECT_EQ(read.WhereIs("--listen"), "--listen");
}

TEST_F(ConfigurationTest, HelpAndVersionAreAnsweredWhateverElseIsWrong) {
  Write("nonsense\n");
  for (const char* word : {"--help", "--version", "--example-config"}) {
    const auto read = ReadConfiguration({word}, {{"ASSAYD_NONSENSE", "x"}}, path_);
    ASSERT_TRUE(std::holds_alternative<Exit>(read));
    EXPECT_EQ(std::get<Exit>(read).code, 0);
    EXPECT_THAT(std::get<Exit>(read).mistakes, IsEmpty());
    EXPECT_FALSE(std::get<Exit>(read).out.empty());
  }
}

TEST_F(ConfigurationTest, TheExampleHasEveryKeyWithItsDefault) {
  // Not both texts in full.
  EXPECT_TRUE(ReadFile(ASSAY_SOURCE_DIR "/deploy/assayd.yaml") == ExampleFile())
      << "write it anew: build/bin/assayd --example-config >deploy/assayd.yaml";
  // As it stands, and with every key that has a default turned on, it changes nothing.
  std::string turned_on;
  const std::string example = ExampleFile();
  for (const absl::string_view line : absl::StrSplit(example, '\n')) {
    const bool key = line.size() > 1 && line[0] == '#' && line[1] != ' ' && line.back() != ':';
    absl::StrAppend(&turned_on, key ? line.substr(1) : line, "\n");
  }
  const Configuration usual = Read({"--no-config"});
  for (const std::string& text : {ExampleFile(), turned_on}) {
    Write(text);
    const Configuration read = Read({});
    ASSERT_EQ(read.settings.size(), usual.settings.size());
    for (size_t i = 0; i < usual.settings.size(); ++i) {
      EXPECT_EQ(read.settings[i].value, usual.settings[i].value) << usual.settings[i].name;
    }
  }
  EXPECT_EQ(OriginOf(Read({}), "listen"), absl::StrCat("127.0.0.1:8001 by ", path_, ":6"));
}

}  // namespace
}  // namespace assay
