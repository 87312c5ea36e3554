// The built program as a process: exit codes, signals, private servers.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using BinaryTest = ProgramTest;

TEST_F(BinaryTest, MistakesAreUsageErrors) {
  const std::vector<std::vector<std::string>> mistakes = {
      {},
      {"frobnicate"},
      {"model"},
      {"model", "show"},
      {"model", "list", "extra"},
      {"evaluate"},
      {"evaluate", "-m", "m", "-d", "d"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--limit", "0"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--limit", "many"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--confidence-level", "95"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--format", "jpg"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--local", "--detach"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--local", "--server", "h:1"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--data-dir", "x"},
      {"evaluate", "-m", "m", "-d", "d", "-c", "clean", "--stream", "--task-samples", "5"},
      {"evaluation", "report", "e", "--alpha", "1"},
      {"evaluation", "report", "e", "--n", "0"},
      {"model", "list", "-o", "xml"},
      {"model", "load", "m", "--shape", "3x32"},
      {"model", "load", "m", "--shape", "3x-1x2"},
      {"completion", "tcsh"},
  };
  for (const auto& words : mistakes) {
    const Result result = Run(words);
    EXPECT_EQ(result.code, 2) << absl::StrJoin(words, " ");
    EXPECT_FALSE(result.err.empty());
    EXPECT_TRUE(result.out.empty());
  }
}

TEST_F(BinaryTest, UsageErrorsExitWith2) {
  EXPECT_EQ(Run({}).code, 2);
  EXPECT_EQ(Run({"evaluate", "--nonsense"}).code, 2);
  const Result missing = Run({"evaluate", "-m", directory_ + "/no.pt", "-d", data_, "-c", "clean"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("no.pt"));
  EXPECT_EQ(Run({"evaluate", "-m", model_, "-d", directory_ + "/no.bin", "-c", "clean"}).code, 2);
  EXPECT_EQ(Run(Evaluate({"--report", directory_ + "/no/such/file"})).code, 2);
  EXPECT_THAT(state()->models, SizeIs(0));
}

// Nobody reads what it prints, so the main thread sits in a system call.
TEST_F(BinaryTest, OneSignalEndsItWhateverItWaitsFor) {
  for (const int signal : {SIGTERM, SIGINT}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const int size = fcntl(ends[1], F_SETPIPE_SZ, 4096);
    ASSERT_GT(size, 0);
    const pid_t child = fork();
    if (child == 0) {
      dup2(ends[1], STDOUT_FILENO);
      dup2(open((directory_ + "/err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
      execl(program_.c_str(), program_.c_str(), "conditions", nullptr);
      _exit(126);
    }
    close(ends[1]);
    pollfd readable{ends[0], POLLIN, 0};
    ASSERT_EQ(poll(&readable, 1, 60'000), 1) << "it has begun to print";
    const auto begin = std::chrono::steady_clock::now();
    kill(child, signal);
    int status = 0;
    waitpid(child, &status, 0);
    close(ends[0]);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 4) << status;
    EXPECT_THAT(Read(directory_ + "/err"), HasSubstr("error: interrupted"));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  }
}

TEST_F(BinaryTest, FailedEvaluationExitsWith3) {
  state()->events.back() = FakeEvent("", v1::Evaluation::FAILED, 5);
  auto* failure = state()->events.back().mutable_evaluation()->mutable_failure();
  failure->set_reason("MODEL_FAILED");
  failure->set_message("it divided by zero");
  const Result result = Run(Evaluate({}));
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("it divided by zero"));
  EXPECT_EQ(result.out, "");
}

TEST_F(BinaryTest, CancelledEvaluationExitsWith4) {
  state()->events.back() = FakeEvent("", v1::Evaluation::CANCELLED, 5);
  EXPECT_EQ(Run({"evaluation", "watch", "e"}).code, 4);
}

TEST_F(BinaryTest, MissingResourceExitsWith5) {
  const Result result = Run({"model", "show", "nothing"});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, HasSubstr("error: models/nothing does not exist\nhint: "));
}

TEST_F(BinaryTest, MissingRightExitsWith6) {
  state()->failures["GetModel"] = {grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "who are you")};
  EXPECT_EQ(Run({"model", "show", "m"}).code, 6);
}

TEST_F(BinaryTest, UnreachableServerExitsWith7) {
  std::string address;
  {
    FakeServer gone;
    address = gone.address();
  }
  const Result result = Run({"model", "list", "--server", address});
  EXPECT_EQ(result.code, 7);
  EXPECT_THAT(result.err, HasSubstr(address));
  EXPECT_THAT(result.err, HasSubstr("\nhint: "));
}

TEST_F(BinaryTest, AHundredCommandsAtOnceAllSucceed) {
  state()->evaluations["evaluations/e"].set_name("evaluations/e");
  std::vector<pid_t> children;
  for (int i = 0; i < 100; ++i) children.push_back(Start({"evaluation", "show", "e"}));
  int succeeded = 0;
  for (const pid_t child : children) succeeded += Finish(child).code == 0 ? 1 : 0;
  EXPECT_EQ(succeeded, 100) << Read(directory_ + "/err");
}

TEST_F(BinaryTest, AReaderThatIsGoneEndsItQuietly) {
  const Result result = Finish(Start({"conditions"}, GonePipe()));
  EXPECT_EQ(result.code, 128 + SIGPIPE);
  EXPECT_EQ(result.err, "");
}

TEST_F(BinaryTest, FullOutputExitsWith3) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  EXPECT_EQ(std::system(absl::StrCat(program_, " completion bash >/dev/full 2>&1").c_str()),
            3 << 8);
}

// A directory with the program and a stand-in for assayd, which announces this test's server as its
// own.
class LocalBinaryTest : public BinaryTest {
 protected:
  LocalBinaryTest() {
    unsetenv("ASSAY_SERVER");
    const std::string copy = directory_ + "/bin";
    fs::create_directories(copy);
    fs::copy_file(program_, copy + "/assay");
    program_ = copy + "/assay";
    WriteServer("exec sleep 1000");
  }

  // What the stand-in does once it has announced the port.
  void WriteServer(const std::string& then) {
    const std::string script = directory_ + "/bin/assayd";
    const std::string address = server_.address();
    std::ofstream(script) << "#!/bin/sh\n"
                             "while [ $# -gt 0 ]; do case \"$1\" in\n"
                             "  --port-file) port_file=$2 ;;\n"
                             "esac; shift; done\n"
                             "echo $$ > '"
                          << directory_ << "/pid'\n"
                          << "echo " << address.substr(address.rfind(':') + 1)
                          << " > $port_file.new; mv $port_file.new $port_file\n"
                          << then << "\n";
    chmod(script.c_str(), 0700);
  }

  bool ServerLives() const {
    pid_t pid = 0;
    std::ifstream(directory_ + "/pid") >> pid;
    return pid > 0 && kill(pid, 0) == 0;
  }
  // Temporary directories of private servers.
  int Leftovers() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      count += entry.path().filename().string().rfind("assay-local-", 0) == 0 ? 1 : 0;
    }
    return count;
  }
};

TEST_F(LocalBinaryTest, ThePrivateServerIsReachedWhateverProxyTheEnvironmentNames) {
  const std::vector<const char*> names = {"grpc_proxy", "https_proxy", "http_proxy"};
  for (const char* name : names) setenv(name, "http://127.0.0.1:1", 1);
  const Result result = Run(Evaluate({"--local"}));
  for (const char* name : names) unsetenv(name);
  EXPECT_EQ(result.code, 0) << result.err;
}

// Runs until the signal comes, and must leave neither the server nor its data.
class EndOfLocalTest : public LocalBinaryTest, public ::testing::WithParamInterface<int> {};

TEST_P(EndOfLocalTest, LeavesNothing) {
  NeverEnd();
  const pid_t child = Start(Evaluate({"--local"}));
  AwaitCall("WatchEvaluation");
  EXPECT_EQ(Leftovers(), 1);
  kill(child, GetParam());
  Finish(child);
  EXPECT_FALSE(ServerLives());
  EXPECT_EQ(Leftovers(), 0);
}

INSTANTIATE_TEST_SUITE_P(Signals, EndOfLocalTest,
                         ::testing::Values(SIGHUP, SIGINT, SIGQUIT, SIGTERM));

TEST_F(LocalBinaryTest, AReaderThatIsGoneLeavesNothing) {
  const Result result = Finish(Start(Evaluate({"--local"}), GonePipe()));
  EXPECT_EQ(result.code, 128 + SIGPIPE);
  EXPECT_FALSE(ServerLives());
  EXPECT_EQ(Leftovers(), 0);
}

TEST_F(LocalBinaryTest, WhatIsLeftByACallThatWasKilledIsRemovedByTheNext) {
  NeverEnd();
  const pid_t child = Start(Evaluate({"--local"}));
  AwaitCall("WatchEvaluation");
  kill(child, SIGKILL);
  EXPECT_EQ(Finish(child).code, -SIGKILL);
  EXPECT_EQ(Leftovers(), 1) << "this server does not clean up";
  state()->events = {FakeEvent("", v1::Evaluation::SUCCEEDED, 10)};
  EXPECT_EQ(Run(Evaluate({"--local"})).code, 0);
  EXPECT_EQ(Leftovers(), 0);
}

TEST_F(LocalBinaryTest, PrivateServerLastsAsLongAsTheCall) {
  const Result result = Run(Evaluate({"--local"}));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("clean"));
  EXPECT_TRUE(fs::exists(directory_ + "/pid"));
  EXPECT_FALSE(ServerLives());
}

TEST_F(LocalBinaryTest, CtrlCStopsThePrivateServer) {
  NeverEnd();
  const pid_t child = Start(Evaluate({"--local"}));
  AwaitCall("WatchEvaluation");
  EXPECT_TRUE(ServerLives());
  kill(child, SIGINT);
  EXPECT_EQ(Finish(child).code, 4);
  EXPECT_FALSE(ServerLives());
}

TEST_F(LocalBinaryTest, CtrlCWaitsForAPrivateServerThatNeedsTimeToStop) {
  NeverEnd();
  // Longer than a program that is stuck would be waited for.
  const std::string stopped = directory_ + "/stopped";
  WriteServer(
      absl::StrCat("trap 'sleep 3; touch ", stopped, "; exit 0' INT; while :; do sleep 0.1; done"));
  const pid_t child = Start(Evaluate({"--local"}));
  AwaitCall("WatchEvaluation");
  kill(child, SIGTERM);
  EXPECT_EQ(Finish(child).code, 4);
  EXPECT_FALSE(ServerLives());
  EXPECT_TRUE(fs::exists(stopped));
}

TEST_F(LocalBinaryTest, FailureStopsThePrivateServer) {
  const Result result = Run({"evaluate", "--local", "-m", model_, "-d", data_, "-c", "nonsense"});
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(fs::exists(directory_ + "/pid"));
  EXPECT_FALSE(ServerLives());
}

TEST_F(LocalBinaryTest, DeathOfThePrivateServerIsExplained) {
  // This one dies when the test writes to a pipe; breaks make the client look after it.
  const std::string pipe = directory_ + "/die";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  WriteServer(absl::StrCat("echo out of luck; read line < ", pipe));
  state()->failures["WatchEvaluation"] =
      std::vector<grpc::Status>(100, grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  const pid_t child = Start(Evaluate({"--local"}));
  AwaitCall("WatchEvaluation");
  std::ofstream(pipe) << "now\n";
  const Result result = Finish(child);
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("the local server died"));
  EXPECT_THAT(result.err, HasSubstr("out of luck"));
}

}  // namespace
}  // namespace assay::cli
