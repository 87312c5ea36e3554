#include "client/cli/command_line.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;

class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    // No config file of the one who runs the tests.
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
  }

  std::variant<Call, Exit> Parse(std::vector<const char*> words) {
    words.insert(words.begin(), "assay");
    return ParseCommandLine(static_cast<int>(words.size()), words.data(), environment_);
  }
  SessionOptions Good(const std::vector<const char*>& words) {
    auto parsed = Parse(words);
    if (const auto* exit = std::get_if<Exit>(&parsed)) {
      ADD_FAILURE() << exit->err;
      return {};
    }
    return std::get<Call>(parsed).options;
  }
  Exit Bad(const std::vector<const char*>& words) {
    auto parsed = Parse(words);
    if (std::holds_alternative<Call>(parsed)) {
      ADD_FAILURE() << "it parses";
      return {};
    }
    return std::get<Exit>(parsed);
  }

  std::string environment_;
};

TEST_F(CommandLineTest, GlobalOptionsStandAnywhere) {
  EXPECT_EQ(Good({"--server", "h:1", "model", "list"}).server, "h:1");
  EXPECT_EQ(Good({"model", "list", "--server", "h:1"}).server, "h:1");
}

TEST_F(CommandLineTest, FlagsBeatEnvironmentBeatsConfigFileBeatsDefault) {
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

TEST_F(CommandLineTest, MistypedCommandIsRecognised) {
  EXPECT_THAT(Bad({"modl", "list"}).err, HasSubstr("did you mean model?"));
  EXPECT_THAT(Bad({"evaluation", "wach", "e"}).err, HasSubstr("did you mean watch?"));
  EXPECT_EQ(Bad({"zzzzzzzzz"}).code, 2);
}

TEST_F(CommandLineTest, HelpAndVersionAreData) {
  const Exit help = Bad({"evaluate", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("--condition"));
  const Exit version = Bad({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, ::testing::MatchesRegex("assay [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

}  // namespace
}  // namespace assay::cli
