#include "core/base/owned_directory.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

class OwnedDirectoryTest : public ::testing::Test {
 protected:
  OwnedDirectoryTest() { fs::create_directories(directory_); }
  ~OwnedDirectoryTest() override { fs::remove_all(directory_); }

  // What an owner that was killed leaves behind.
  std::string Abandoned() {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto owned = OwnedDirectory::Create(prefix_);
      if (!owned.ok()) _exit(1);
      fs::create_directories((*owned)->path() + "/data/blobs");
      std::ofstream((*owned)->path() + "/data/blobs/b") << "images";
      const std::string& path = (*owned)->path();
      const ssize_t written = write(ready[1], path.data(), path.size());
      while (written > 0) pause();
    }
    char path[4096];
    const ssize_t size = read(ready[0], path, sizeof(path));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(ready[0]);
    close(ready[1]);
    return std::string(path, static_cast<size_t>(size));
  }

  const std::string directory_ = absl::StrCat(::testing::TempDir(), "/owned_", getpid());
  const std::string prefix_ = directory_ + "/assay-local-";
};

TEST_F(OwnedDirectoryTest, GoesWithItsOwner) {
  std::string path;
  {
    const auto owned = OwnedDirectory::Create(prefix_);
    ASSERT_TRUE(owned.ok()) << owned.status();
    path = (*owned)->path();
    std::ofstream(path + "/file") << "x";
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(OwnedDirectoryTest, WhatADeadOwnerLeftIsRemovedAndNothingElse) {
  const auto living = OwnedDirectory::Create(prefix_);
  ASSERT_TRUE(living.ok());
  const std::string dead = Abandoned();
  ASSERT_TRUE(fs::exists(dead + "/data/blobs/b"));
  // One that is just being made, one of another name, and a link to what is not ours to remove.
  fs::create_directories(prefix_ + "making");
  fs::create_directories(prefix_ + "other-name");
  std::ofstream(prefix_ + "other-name/lock") << "";
  fs::create_directories(directory_ + "/precious");
  std::ofstream(directory_ + "/precious/lock") << "";
  fs::create_directory_symlink(directory_ + "/precious", prefix_ + "linked");

  RemoveAbandoned(prefix_, {kOwnerLock});
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists((*living)->path()));
  EXPECT_TRUE(fs::exists(prefix_ + "making"));
  EXPECT_TRUE(fs::exists(prefix_ + "other-name"));
  EXPECT_TRUE(fs::exists(directory_ + "/precious/lock"));
}

TEST_F(OwnedDirectoryTest, OneHeldLockOfSeveralKeepsIt) {
  const std::string dead = Abandoned();
  const auto other = OwnedDirectory::Create(directory_ + "/other-");
  ASSERT_TRUE(other.ok());
  // The lock of a server that is still ending.
  fs::create_hard_link((*other)->path() + "/lock", dead + "/data/lock");
  EXPECT_FALSE(RemoveIfAbandoned(dead, {kOwnerLock, "data/lock"}));
  EXPECT_TRUE(fs::exists(dead + "/data/blobs/b"));
  EXPECT_TRUE(RemoveIfAbandoned(dead, {kOwnerLock}));
  EXPECT_FALSE(fs::exists(dead));
}

TEST_F(OwnedDirectoryTest, ADirectoryThatCannotBeMadeIsNamed) {
  const auto owned = OwnedDirectory::Create(directory_ + "/no/such/");
  EXPECT_THAT(std::string(owned.status().message()), ::testing::HasSubstr("/no/such/"));
}

}  // namespace
}  // namespace assay
