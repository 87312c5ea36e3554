#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "server/repository/file_tree.h"
#include "tests/server/store/store_test_util.h"

namespace assay::repository {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class DirectoryTreeTest : public ::testing::Test {
 protected:
  DirectoryTreeTest() {
    fs::create_directories(Path("inside"));
    Write("inside/model.pt", "content");
    std::ofstream(outside_.File("secret")) << "secret";
  }
  std::string Path(const std::string& name) { return directory_.File(name); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(Path(name)) << text;
  }
  Entry Only(const std::string& directory, const std::string& name) {
    const auto entries = tree_.List(directory, 100);
    EXPECT_TRUE(entries.ok()) << entries.status();
    for (const Entry& entry : *entries) {
      if (entry.name == name) return entry;
    }
    return {};
  }

  store::TempDirectory directory_;
  store::TempDirectory outside_;
  DirectoryTree tree_{directory_.File("")};
};

TEST_F(DirectoryTreeTest, LinksWithinTheTreeAreFollowed) {
  fs::create_symlink("model.pt", Path("inside/link.pt"));
  EXPECT_EQ(Only("inside", "link.pt").kind, Entry::Kind::kFile);
  EXPECT_EQ(ReadSmallFile(tree_, "inside/link.pt", 100).value(), "content");
}

TEST_F(DirectoryTreeTest, LinksThatLeadOutAreRefused) {
  fs::create_symlink(outside_.File("secret"), Path("inside/link.pt"));
  fs::create_symlink(outside_.File(""), Path("folder"));
  fs::create_symlink("nothing", Path("inside/broken.pt"));
  EXPECT_EQ(Only("inside", "link.pt").kind, Entry::Kind::kRefused);
  EXPECT_THAT(Only("inside", "link.pt").reason, HasSubstr("leads out of the repository"));
  EXPECT_EQ(Only("", "folder").kind, Entry::Kind::kRefused);
  EXPECT_THAT(Only("inside", "broken.pt").reason, HasSubstr("link to nothing"));
  // And when they are made after the look.
  EXPECT_THAT(tree_.Open("inside/link.pt").status().message(), HasSubstr("leads out"));
  EXPECT_THAT(tree_.Open("folder/secret").status().message(), HasSubstr("leads out"));
}

TEST_F(DirectoryTreeTest, WhatIsNoFileIsRefusedWithoutWaiting) {
  ASSERT_EQ(mkfifo(Path("inside/pipe").c_str(), 0600), 0);
  EXPECT_EQ(Only("inside", "pipe").kind, Entry::Kind::kRefused);
  EXPECT_THAT(tree_.Open("inside/pipe").status().message(), HasSubstr("no regular file"));
}

TEST_F(DirectoryTreeTest, HiddenNamesArePassedOver) {
  Write("inside/.model.pt.Xy", "part");
  EXPECT_THAT(tree_.List("inside", 100).value(), SizeIs(1));
}

TEST_F(DirectoryTreeTest, ThereIsALimit) {
  Write("inside/b", "");
  EXPECT_FALSE(tree_.List("inside", 1).ok());
  EXPECT_FALSE(ReadSmallFile(tree_, "inside/model.pt", 3).ok());
}

TEST_F(DirectoryTreeTest, ARenameChangesTheStampAndAWriteDoesOtherwise) {
  Write("inside/.part", "renamed");
  fs::rename(Path("inside/.part"), Path("inside/model.pt"));
  const auto stamp = tree_.Stamp("inside/model.pt");
  ASSERT_TRUE(stamp.ok() && stamp->has_value());
  EXPECT_GE((*stamp)->changed_nanos, (*stamp)->modified_nanos);
  EXPECT_EQ((*stamp)->size, 7);
  EXPECT_FALSE(tree_.Stamp("inside/nothing").value().has_value());
}

}  // namespace
}  // namespace assay::repository
