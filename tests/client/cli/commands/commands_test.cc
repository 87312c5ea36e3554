#include "client/cli/commands/commands.h"

#include <filesystem>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace assay::cli {
namespace {

TEST(CommandsTest, EveryCommandIsAFileOfItsName) {
  std::set<std::string> words;
  for (const CommandEntry& entry : AllCommands()) {
    EXPECT_TRUE(words.insert(entry.words).second) << entry.words;
    if (entry.declare == nullptr) continue;
    const std::string file = absl::StrReplaceAll(entry.words, {{" ", "_"}});
    EXPECT_TRUE(std::filesystem::exists(
        absl::StrCat(ASSAY_SOURCE_DIR "/client/cli/commands/", file, ".cc")))
        << file;
  }
}

}  // namespace
}  // namespace assay::cli
