#include "client/cli/config.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;

TEST(ConfigTest, KeysQuotesAndCommentsAreRead) {
  const auto config = ParseConfig(
      "# where I work\n\nserver = \"gpu-3:8001\"  # the big one\noutput=json # plain\r\n", "c");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->server, "gpu-3:8001");
  EXPECT_EQ(config->output, "json");
}

TEST(ConfigTest, FilesOfTlsAndTokensCanStandThere) {
  const auto config = ParseConfig(
      "server = grpcs://gpu-3:8001\ntoken_file = /t\nca = /ca\ncert = /c\nkey = \"/k #1\"\n", "c");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->server, "grpcs://gpu-3:8001");
  EXPECT_EQ(config->token_file, "/t");
  EXPECT_EQ(config->ca, "/ca");
  EXPECT_EQ(config->cert, "/c");
  EXPECT_EQ(config->key, "/k #1");
}

TEST(ConfigTest, MistakesAreNamedWithTheirLine) {
  const auto unknown = ParseConfig("\nserve = x\n", "c.toml");
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("c.toml:2"));
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("did you mean server"));
  const auto shapeless = ParseConfig("server", "c.toml");
  EXPECT_THAT(std::string(shapeless.status().message()), HasSubstr("c.toml:1"));
}

TEST(ConfigTest, AFileIsTextWithOrWithoutAByteOrderMark) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/config_test_", getpid(), ".toml");
  std::ofstream(path, std::ios::binary) << "\xef\xbb\xbfserver = \"a:1\"\n";
  const auto config = LoadConfig(path);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->server, "a:1");
  std::ofstream(path, std::ios::binary) << std::string("\xff\xfes\0e\0", 6);
  EXPECT_THAT(std::string(LoadConfig(path).status().message()), HasSubstr("UTF-16"));
  std::remove(path.c_str());
  EXPECT_THAT(std::string(LoadConfig("/dev/null").status().message()), HasSubstr("device"));
}

TEST(ConfigTest, OnlyANamedFileMustExist) {
  const auto named = LoadConfig("/nonexistent/config.toml");
  EXPECT_EQ(ReasonOf(named.status()), Reason::kUnreadableInput);
}

}  // namespace
}  // namespace assay::cli
