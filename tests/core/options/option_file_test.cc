#include "core/options/option_file.h"

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace assay::options {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OptionFileTest : public ::testing::Test {
 protected:
  OptionFileTest() {
    app_.add_option("--listen", text_);
    app_.add_option("--threads", number_);
    app_.add_option("--devices", text_)->type_name("LIST");
    app_.add_option("--origin", texts_);
    app_.add_flag("--insecure", on_);
    for (const char* name : {"listen", "threads", "devices", "origin", "insecure"}) {
      keys_.push_back({name, app_.get_option(absl::StrCat("--", name))});
    }
  }

  OptionFile Read(const std::string& text) { return ReadOptionFile(text, "a.yaml", keys_); }
  std::vector<std::string> Mistakes(const std::string& text) {
    std::vector<std::string> mistakes;
    for (const FieldViolation& one : Read(text).mistakes) {
      mistakes.push_back(absl::StrCat(one.field, ": ", one.description));
    }
    return mistakes;
  }
  // "listen@1=a,b"
  std::vector<std::string> Entries(const std::string& text) {
    const OptionFile file = Read(text);
    EXPECT_THAT(file.mistakes, IsEmpty()) << text;
    std::vector<std::string> entries;
    for (const Entry& one : file.entries) {
      std::string entry = absl::StrCat(one.key.name, "@", one.line, "=");
      for (const std::string& value : one.values) absl::StrAppend(&entry, value, ";");
      entries.push_back(entry);
    }
    return entries;
  }

  CLI::App app_;
  std::string text_;
  int number_ = 0;
  std::vector<std::string> texts_;
  bool on_ = false;
  std::vector<Key> keys_;
};

TEST_F(OptionFileTest, ValuesAreScalarsListsAndSwitches) {
  EXPECT_THAT(Entries("# a comment\nlisten: '[::1]:0'\nthreads: 4 # four\n\ndevices: [cuda:0, "
                      "cuda:1]\norigin:\n  - https://a\n  - b\ninsecure: yes\n"),
              ElementsAre("listen@2=[::1]:0;", "threads@3=4;", "devices@5=cuda:0,cuda:1;",
                          "origin@6=https://a;b;", "insecure@9=true;"));
  EXPECT_THAT(Entries("devices: cpu\norigin: one\ninsecure: Off\n"),
              ElementsAre("devices@1=cpu;", "origin@2=one;", "insecure@3=false;"));
}

TEST_F(OptionFileTest, AFileWithNothingInItIsFine) {
  for (const std::string text : {"", "\n\n", "# nothing\n", "---\n", "--- # nothing\n...\n"}) {
    EXPECT_THAT(Entries(text), IsEmpty()) << text;
  }
}

TEST_F(OptionFileTest, EveryMistakeIsToldWithItsLine) {
  EXPECT_THAT(Mistakes("listn: a\nthreads: [1, 2]\ninsecure: maybe\nlisten:\norigin: {a: b}\n"),
              ElementsAre("a.yaml:1: unknown key 'listn'; did you mean listen?",
                          "a.yaml:2: 'threads' takes one value, not a list",
                          "a.yaml:3: 'insecure' must be true or false; got 'maybe'",
                          "a.yaml:4: 'listen' needs a value",
                          "a.yaml:5: 'origin' needs a value or a list of values"));
}

TEST_F(OptionFileTest, HostileFilesAreRefusedWithALine) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "[";
  const struct {
    std::string text, message;
  } kCases[] = {
      {"listen: a\n\tthreads: 1\n", "a.yaml:2: is no YAML: a tab indents the line; use spaces"},
      {"origin:\n\t- a\n", "a.yaml:2: is no YAML: a tab indents the line"},
      {"listen: a\nlisten: b\n", "a.yaml:2: key 'listen' is there twice"},
      {"- listen\n", "a.yaml: must be one YAML document of keys and values"},
      {"listen: a\n---\nlisten: b\n", "a.yaml: must be one YAML document"},
      {"? [a]\n: b\n", "a.yaml:1: a key must be a word"},
      {"listen: ''\n", "a.yaml:1: 'listen' is empty"},
      {"origin: []\n", "a.yaml:1: 'origin' needs a value or a list of values"},
      {"origin: [[a]]\n", "a.yaml:1: each value of 'origin' must be a text"},
      {"listen: *nobody\n", "is no YAML: "},
      {"a: &a [x, x]\nb: &b [*a, *a]\norigin: *b\n", "each value of 'origin' must be a text"},
      {"zzzzzzzzzzzzz: 1\n", "keys are listen, threads, devices, origin, insecure"},
      {"<<: {listen: a}\n", "unknown key '<<'"},
      {deep, "is no YAML: "},
      {std::string("\0\1\2", 3), "a.yaml"},
  };
  for (const auto& one : kCases) {
    const auto mistakes = Mistakes(one.text);
    EXPECT_THAT(mistakes, ::testing::Contains(HasSubstr(one.message))) << one.text.substr(0, 60);
  }
}

}  // namespace
}  // namespace assay::options
