#include "client/cli/base/local_server.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay::cli {
namespace {
namespace fs = std::filesystem;

using ::testing::HasSubstr;

// Stands in for assayd: a shell script that is called with the same options.
class LocalServerTest : public ::testing::Test {
 protected:
  LocalServerTest() {
    fs::create_directories(directory_);
    // Where the server's temporary directory goes, so that it can be seen to vanish.
    setenv("TMPDIR", directory_.c_str(), 1);
  }
  ~LocalServerTest() override {
    unsetenv("TMPDIR");
    fs::remove_all(directory_);
  }

  void WriteServer(const std::string& body) {
    options_.binary = directory_ + "/assayd";
    std::ofstream(options_.binary)
        << "#!/bin/sh\n"
           "while [ $# -gt 0 ]; do case \"$1\" in\n"
           "  --port-file) port_file=$2 ;; --data-dir) data_dir=$2 ;; --listen) listen=$2 ;;\n"
           "esac; shift; done\n"
           "echo $$ > '"
        << directory_ << "/pid'\n"
        << body << "\n";
    chmod(options_.binary.c_str(), 0700);
  }
  // Announces a port, then stays.
  static constexpr char kServe[] =
      "echo 4242 > $port_file.new; mv $port_file.new $port_file; exec sleep 1000";

  bool ServerLives() const {
    pid_t pid = 0;
    std::ifstream(directory_ + "/pid") >> pid;
    return pid > 0 && kill(pid, 0) == 0;
  }
  // Temporary directories of servers.
  int Leftovers() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      count += entry.path().filename().string().rfind("assay-local-", 0) == 0 ? 1 : 0;
    }
    return count;
  }

  const std::string directory_ = absl::StrCat(::testing::TempDir(), "/local_server_", getpid());
  LocalServerOptions options_;
  client::Interrupt interrupt_;
};

TEST_F(LocalServerTest, ServesUntilItIsDestroyedAndLeavesNothing) {
  WriteServer(kServe);
  {
    const auto server = LocalServer::Start(options_, interrupt_);
    ASSERT_TRUE(server.ok()) << server.status();
    EXPECT_EQ((*server)->address(), "127.0.0.1:4242");
    EXPECT_TRUE((*server)->Running());
    EXPECT_TRUE(ServerLives());
    EXPECT_EQ(Leftovers(), 1);
  }
  EXPECT_FALSE(ServerLives());
  EXPECT_EQ(Leftovers(), 0);
}

TEST_F(LocalServerTest, GivenDataDirectoryIsKept) {
  WriteServer(absl::StrCat("echo data > $data_dir/kept; ", kServe));
  options_.data_dir = directory_ + "/mine";
  ASSERT_TRUE(LocalServer::Start(options_, interrupt_).ok());
  EXPECT_TRUE(fs::exists(directory_ + "/mine/kept"));
  EXPECT_EQ(Leftovers(), 0);
}

TEST_F(LocalServerTest, WhatCallsThatWereKilledLeftIsRemovedAtTheStart) {
  WriteServer(kServe);
  // No owner holds the lock; one of before there were locks of owners holds that of its data.
  for (const char* lock : {"assay-local-killed/lock", "assay-local-before/data/lock"}) {
    fs::create_directories(fs::path(directory_ + "/" + lock).parent_path());
    std::ofstream(directory_ + "/" + lock) << "";
  }
  const auto other = LocalServer::Start(options_, interrupt_);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(Leftovers(), 1);
  ASSERT_TRUE(LocalServer::Start(options_, interrupt_).ok());
  EXPECT_EQ(Leftovers(), 1) << "that of the server which runs is not touched";
}

TEST_F(LocalServerTest, ServerThatDoesNotStartShowsItsLog) {
  WriteServer("echo 'no such option: --listen' >&2; exit 1");
  const auto server = LocalServer::Start(options_, interrupt_);
  EXPECT_EQ(ReasonOf(server.status()), Reason::kUnavailable);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("no such option: --listen"));
  EXPECT_EQ(Leftovers(), 0);
}

TEST_F(LocalServerTest, ServerThatNeverServesIsStopped) {
  WriteServer("exec sleep 1000");
  options_.start_seconds = 0.2;
  const auto server = LocalServer::Start(options_, interrupt_);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("does not serve"));
  EXPECT_FALSE(ServerLives());
}

TEST_F(LocalServerTest, ServerThatIgnoresTheSignalIsKilled) {
  WriteServer(absl::StrCat("trap '' TERM; ", kServe));
  options_.stop_seconds = 0.2;
  ASSERT_TRUE(LocalServer::Start(options_, interrupt_).ok());
  EXPECT_FALSE(ServerLives());
}

TEST_F(LocalServerTest, MissingProgramIsNamed) {
  options_.binary = directory_ + "/nothing";
  const auto server = LocalServer::Start(options_, interrupt_);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("/nothing"));
}

TEST_F(LocalServerTest, InterruptEndsTheStart) {
  WriteServer("exec sleep 1000");
  interrupt_.Trigger();
  const auto server = LocalServer::Start(options_, interrupt_);
  EXPECT_EQ(ReasonOf(server.status()), Reason::kCancelled);
  EXPECT_FALSE(ServerLives());
}

}  // namespace
}  // namespace assay::cli
