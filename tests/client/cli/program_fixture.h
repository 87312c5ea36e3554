// The built program, run against a server in this process.
#ifndef ASSAY_TESTS_CLIENT_CLI_PROGRAM_FIXTURE_H_
#define ASSAY_TESTS_CLIENT_CLI_PROGRAM_FIXTURE_H_

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/client/lib/fake_server.h"
#include "tests/core/models/fake_models.h"

namespace assay::cli {

struct Result {
  int code = -1;
  std::string out;
  std::string err;
};

inline std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest() {
    std::filesystem::create_directories(directory_);
    setenv("XDG_CONFIG_HOME", directory_.c_str(), 1);
    setenv("ASSAY_SERVER", server_.address().c_str(), 1);
    setenv("TMPDIR", directory_.c_str(), 1);
    model_ = directory_ + "/Net.pt";
    std::ofstream(model_, std::ios::binary) << FakeTorchScript("");
    // Two CIFAR-10 images.
    data_ = directory_ + "/batch.bin";
    std::ofstream(data_, std::ios::binary)
        << '\1' << std::string(3072, 'a') << '\2' << std::string(3072, 'b');
    state()->report.set_complete(true);
    state()->report.add_conditions()->set_id("clean");
    state()->events = {FakeEvent("", v1::Evaluation::RUNNING, 5),
                       FakeEvent("", v1::Evaluation::SUCCEEDED, 10)};
  }
  ~ProgramTest() override {
    for (const char* name : {"XDG_CONFIG_HOME", "ASSAY_SERVER", "TMPDIR"}) unsetenv(name);
    std::filesystem::remove_all(directory_);
  }

  // `out`: where stdout goes; -1: to a file that Finish reads.
  pid_t Start(std::vector<std::string> words, int out_fd = -1) {
    words.insert(words.begin(), program_);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string out = directory_ + "/out", err = directory_ + "/err";
    const pid_t child = fork();
    if (child == 0) {
      const int flags = O_WRONLY | O_CREAT | O_TRUNC;
      dup2(out_fd >= 0 ? out_fd : open(out.c_str(), flags, 0600), STDOUT_FILENO);
      dup2(open(err.c_str(), flags, 0600), STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(126);
    }
    return child;
  }
  Result Finish(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), Read(directory_ + "/out"),
            Read(directory_ + "/err")};
  }
  Result Run(const std::vector<std::string>& words) { return Finish(Start(words)); }
  std::vector<std::string> Evaluate(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"evaluate", "-m", model_, "-d", data_, "-c", "clean"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  // A pipe that nobody reads.
  static int GonePipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    return ends[1];
  }
  // Waits until the program has made that call.
  void AwaitCall(const std::string& method) {
    ASSERT_TRUE(server_.AwaitCall(method, std::chrono::seconds(60)));
  }
  // Watches that last until they are interrupted.
  void NeverEnd() { state()->events = {FakeEvent("", v1::Evaluation::RUNNING, 5)}; }

  FakeServer server_;
  FakeServer::LockedState state() { return server_.state(); }
  const std::string directory_ = absl::StrCat(::testing::TempDir(), "/assay_program_", getpid());
  std::string program_ = ASSAY_BINARY_DIR "/bin/assay";
  std::string model_;
  std::string data_;
};

}  // namespace assay::cli

#endif  // ASSAY_TESTS_CLIENT_CLI_PROGRAM_FIXTURE_H_
