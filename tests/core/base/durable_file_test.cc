#include "core/base/durable_file.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DurableFileTest : public ::testing::Test {
 protected:
  DurableFileTest() { fs::create_directories(directory_); }
  ~DurableFileTest() override { fs::remove_all(directory_); }

  std::string Text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  const std::string directory_ = absl::StrCat(::testing::TempDir(), "/durable-", getpid());
  const std::string path_ = directory_ + "/file";
};

TEST_F(DurableFileTest, IsReplacedAndRemoved) {
  ASSERT_TRUE(WriteDurably(path_, "a longer one\n").ok());
  ASSERT_TRUE(WriteDurably(path_, "new\n").ok());
  EXPECT_EQ(Text(), "new\n");
  EXPECT_FALSE(fs::exists(path_ + ".tmp"));
  ASSERT_TRUE(RemoveDurably(path_).ok());
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(RemoveDurably(path_).ok());
}

TEST_F(DurableFileTest, WhatCannotBeWrittenIsNamedAndLeavesWhatWasThere) {
  fs::create_directories(path_ + "/in it");
  const absl::Status replaced = WriteDurably(path_, "new\n");
  EXPECT_EQ(ReasonOf(replaced), Reason::kStorageFailed);
  EXPECT_THAT(std::string(replaced.message()), HasSubstr("cannot write " + path_));
  EXPECT_TRUE(fs::exists(path_ + "/in it"));
  EXPECT_FALSE(fs::exists(path_ + ".tmp"));
  EXPECT_EQ(ReasonOf(WriteDurably(directory_ + "/none/file", "")), Reason::kStorageFailed);
  EXPECT_EQ(ReasonOf(RemoveDurably(path_)), Reason::kStorageFailed);
  // Of a device that is always full.
  fs::create_symlink("/dev/full", directory_ + "/full.tmp");
  EXPECT_EQ(ReasonOf(WriteDurably(directory_ + "/full", "text")), Reason::kStorageFull);
}

}  // namespace
}  // namespace assay
