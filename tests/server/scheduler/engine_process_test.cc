#include "server/scheduler/engine_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/scheduler/fake_engine_models.h"

namespace assay::scheduler {
namespace {

namespace rpc = ::assay::engine_rpc::v1;
using store::HasReason;
using store::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr double kLong = 60;

class EngineProcessTest : public ::testing::Test {
 protected:
  std::unique_ptr<EngineProcess> Start() {
    auto engine = EngineProcess::Start({kFakeEngine, log_path(), 2, {}});
    EXPECT_THAT(engine, IsOk());
    return engine.ok() ? *std::move(engine) : nullptr;
  }
  std::string log_path() const { return directory_.File("engine.log"); }

  // Loads a model that behaves as told.
  absl::Status Load(EngineProcess& engine, const std::string& behaviour,
                    double timeout_seconds = kLong) {
    const std::string path = directory_.File("model");
    std::ofstream(path) << ModelContent(behaviour);
    rpc::LoadRequest request;
    request.set_model_path(path);
    request.set_device("cpu");
    return engine.Load(request, timeout_seconds, Never, &loaded_);
  }

  absl::Status Run(EngineProcess& engine, const std::function<bool()>& cancelled = Never,
                   double grace_seconds = kLong) {
    const std::string path = directory_.File("chunk");
    std::ofstream(path) << ChunkBytes(10);
    rpc::RunRequest request;
    request.set_samples(10);
    request.add_chunks()->set_path(path);
    request.mutable_chunks(0)->set_samples(10);
    return engine.Run(
        request,
        [this](const rpc::RunEvent& event) {
          outcomes_ += event.outcomes().outcomes_size();
          if (event.has_progress()) ++progress_;
        },
        cancelled, grace_seconds);
  }

  // The rest of the lines of the log that start with `word`.
  std::vector<std::string> Logged(const std::string& word) const {
    std::vector<std::string> found;
    const std::vector<std::string> lines = absl::StrSplit(FileText(log_path()), '\n');
    for (const std::string& line : lines) {
      if (line.rfind(word + " ", 0) == 0) found.push_back(line.substr(word.size() + 1));
    }
    return found;
  }

  store::TempDirectory directory_;
  rpc::LoadResponse loaded_;
  int outcomes_ = 0;
  std::atomic<int> progress_ = 0;
};

TEST_F(EngineProcessTest, LoadsRunsAndEndsWithItsObject) {
  auto engine = Start();
  ASSERT_NE(engine, nullptr);
  const int pid = engine->pid();
  ASSERT_THAT(Load(*engine, ""), IsOk());
  EXPECT_EQ(loaded_.validation().num_classes(), 10);
  ASSERT_THAT(Run(*engine), IsOk());
  ASSERT_THAT(Run(*engine), IsOk()) << "an engine runs many tasks";
  EXPECT_EQ(outcomes_, 20);
  EXPECT_TRUE(engine->alive());
  engine.reset();
  EXPECT_EQ(kill(pid, 0), -1) << "the process is gone and has been waited for";
}

TEST_F(EngineProcessTest, AMissingProgramIsAnErrorOfTheServer) {
  const auto engine = EngineProcess::Start({directory_.File("nothing"), "", 1, {}});
  EXPECT_THAT(engine, HasReason(Reason::kInternal));
  EXPECT_THAT(std::string(engine.status().message()), HasSubstr("assay-engine is not there"));
}

TEST_F(EngineProcessTest, AProgramThatCannotRunIsReportedByTheFirstCall) {
  const std::string path = directory_.File("not-a-program");
  std::ofstream(path) << "\x7f"
                      << "ELF nonsense";
  chmod(path.c_str(), 0755);
  const auto engine = EngineProcess::Start({path, "", 1, {}});
  ASSERT_THAT(engine, IsOk());
  const absl::Status status = Load(**engine, "");
  EXPECT_THAT(status, HasReason(Reason::kEngineLost));
  EXPECT_THAT(std::string(status.message()), HasSubstr("could not be started"));
}

TEST_F(EngineProcessTest, ALogThatCannotBeWrittenDoesNotStopTheEngine) {
  const auto engine =
      EngineProcess::Start({kFakeEngine, directory_.File("no/such/dir/log"), 1, {}});
  ASSERT_THAT(engine, IsOk());
  EXPECT_THAT(Load(**engine, ""), IsOk());
}

TEST_F(EngineProcessTest, ErrorsOfTheModelArriveWithTheirReasonAndLeaveTheEngineAlive) {
  const auto engine = Start();
  EXPECT_THAT(Load(*engine, "load=nan"), HasReason(Reason::kModelNotFinite));
  EXPECT_THAT(Load(*engine, "load=ok run=error"), IsOk());
  const absl::Status status = Run(*engine);
  EXPECT_THAT(status, HasReason(Reason::kModelFailed));
  EXPECT_THAT(std::string(status.message()), HasSubstr("boom"));
  EXPECT_TRUE(engine->alive());
}

TEST_F(EngineProcessTest, DeathByASignalWhileLoadingIsToldAsSuch) {
  const auto engine = Start();
  const absl::Status status = Load(*engine, "load=abort");
  EXPECT_THAT(status, HasReason(Reason::kEngineLost));
  EXPECT_THAT(std::string(status.message()), HasSubstr("signal 6"));
  EXPECT_FALSE(engine->alive());
}

TEST_F(EngineProcessTest, DeathByASignalInATaskIsToldAsSuch) {
  const auto engine = Start();
  ASSERT_THAT(Load(*engine, "run=abort"), IsOk());
  const absl::Status status = Run(*engine);
  EXPECT_THAT(status, HasReason(Reason::kEngineLost));
  EXPECT_THAT(std::string(status.message()), HasSubstr("signal 6"));
  EXPECT_THAT(Run(*engine), HasReason(Reason::kEngineLost)) << "and again when it is used again";
}

TEST_F(EngineProcessTest, AnExitInATaskIsToldWithItsStatus) {
  const auto engine = Start();
  ASSERT_THAT(Load(*engine, "run=exit:3"), IsOk());
  const absl::Status status = Run(*engine);
  EXPECT_THAT(status, HasReason(Reason::kEngineLost));
  EXPECT_THAT(std::string(status.message()), HasSubstr("exited with status 3"));
}

TEST_F(EngineProcessTest, ALoadThatHangsTimesOutAndIsKilled) {
  const auto engine = Start();
  const absl::Status status = Load(*engine, "load=hang", /*timeout_seconds=*/0.2);
  EXPECT_THAT(status, HasReason(Reason::kModelFailed));
  EXPECT_THAT(std::string(status.message()), HasSubstr("0.2 s"));
  EXPECT_FALSE(engine->alive());
}

TEST_F(EngineProcessTest, ALoadThatHangsCanBeCancelled) {
  const auto engine = Start();
  const std::string path = directory_.File("model");
  std::ofstream(path) << ModelContent("load=hang");
  rpc::LoadRequest request;
  request.set_model_path(path);
  rpc::LoadResponse response;
  const auto loading = [&] { return !Logged("load").empty(); };
  EXPECT_THAT(engine->Load(request, 300, loading, &response), HasReason(Reason::kCancelled));
  EXPECT_FALSE(engine->alive());
}

TEST_F(EngineProcessTest, ACancelledEngineThatCooperatesStaysAlive) {
  const auto engine = Start();
  ASSERT_THAT(Load(*engine, "run=wait:" + directory_.File("never")), IsOk());
  EXPECT_THAT(Run(*engine, [this] { return progress_ > 0; }), HasReason(Reason::kCancelled));
  EXPECT_TRUE(engine->alive());
  Touch(directory_.File("never"));
  EXPECT_THAT(Run(*engine), IsOk()) << "and takes the next task";
}

TEST_F(EngineProcessTest, ACancelledEngineThatHangsIsKilledAfterTheGracePeriod) {
  const auto engine = Start();
  ASSERT_THAT(Load(*engine, "run=hang"), IsOk());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Run(
                  *engine, [this] { return progress_ > 0; }, /*grace_seconds=*/0.3),
              HasReason(Reason::kCancelled));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(300));
  EXPECT_FALSE(engine->alive());
}

TEST_F(EngineProcessTest, ACancelledEngineThatIsStoppedAltogetherIsKilledToo) {
  const auto engine = Start();
  ASSERT_THAT(Load(*engine, "run=busy"), IsOk());
  EXPECT_THAT(Run(
                  *engine, [this] { return progress_ > 0; }, /*grace_seconds=*/0.3),
              HasReason(Reason::kCancelled));
  EXPECT_FALSE(engine->alive());
}

TEST_F(EngineProcessTest, CancellingAnEngineThatDiesDoesNotWaitForTheGracePeriod) {
  const auto engine = Start();
  ASSERT_THAT(Load(*engine, "run=hang"), IsOk());
  const auto start = std::chrono::steady_clock::now();
  const auto cancelled = [&] {
    if (progress_ == 0) return false;
    kill(engine->pid(), SIGKILL);
    return true;
  };
  EXPECT_THAT(Run(*engine, cancelled, /*grace_seconds=*/300), HasReason(Reason::kCancelled));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(100));
}

TEST_F(EngineProcessTest, KillEndsACallThatIsGoingOn) {
  const auto engine = Start();
  ASSERT_THAT(Load(*engine, "run=hang"), IsOk());
  absl::Status status;
  std::thread caller([&] { status = Run(*engine); });
  EXPECT_TRUE(Eventually([this] { return progress_ > 0; }));
  engine->Kill();
  caller.join();
  EXPECT_THAT(status, HasReason(Reason::kEngineLost));
  EXPECT_THAT(std::string(status.message()), HasSubstr("stopped"));
}

TEST_F(EngineProcessTest, TheEnginesEnvironmentHoldsNoSecrets) {
  setenv("ASSAY_TOKEN", "secret", 1);
  setenv("LD_PRELOAD_NOT", "secret", 1);
  const auto engine = Start();
  unsetenv("ASSAY_TOKEN");
  unsetenv("LD_PRELOAD_NOT");
  ASSERT_THAT(Load(*engine, ""), IsOk());
  std::vector<std::string> names;
  ASSERT_TRUE(Eventually([&] { return !Logged("load").empty(); })) << "said after the environment";
  for (const std::string& variable : Logged("env")) {
    EXPECT_THAT(variable, ::testing::Not(HasSubstr("secret")));
    names.push_back(variable.substr(0, variable.find('=')));
  }
  names.erase(std::remove(names.begin(), names.end(), "LD_LIBRARY_PATH"), names.end());
  names.erase(std::remove_if(names.begin(), names.end(),
                             [](const std::string& name) {
                               return name.find("VISIBLE_DEVICES") != std::string::npos;
                             }),
              names.end());
  EXPECT_THAT(names, UnorderedElementsAre("OMP_NUM_THREADS", "PATH", "LC_ALL"));
}

TEST_F(EngineProcessTest, TheEngineInheritsTheFourDescriptorsThatItNeedsAndNoOthers) {
  // Descriptors that nobody marked close-on-exec, some of them low.
  std::vector<int> leaks;
  for (int i = 0; i < 20; ++i) leaks.push_back(open("/dev/null", O_RDONLY));
  leaks.push_back(fcntl(leaks[0], F_DUPFD, 200));
  const auto engine = Start();
  for (const int fd : leaks) close(fd);
  ASSERT_THAT(Load(*engine, ""), IsOk());
  ASSERT_TRUE(Eventually([&] { return !Logged("load").empty(); })) << "said after the descriptors";
  EXPECT_THAT(Logged("fd"), UnorderedElementsAre("0", "1", "2", "3"));
}

TEST_F(EngineProcessTest, WhatAModelPrintsIsInTheLogToItsLastWord) {
  auto engine = Start();
  EXPECT_THAT(Load(*engine, "load=abort print=last-word"), HasReason(Reason::kEngineLost));
  engine.reset();
  EXPECT_THAT(FileText(log_path()), HasSubstr("load cpu"));
  EXPECT_THAT(FileText(log_path()), HasSubstr("\nlast-word\n"));
}

TEST_F(EngineProcessTest, TheLogIsTheOwnersOnlyAndLimited) {
  const auto engine = Start();
  ASSERT_THAT(Load(*engine, ""), IsOk());
  struct stat info {};
  ASSERT_EQ(stat(log_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  bool limited = false;
  const std::vector<std::string> lines =
      absl::StrSplit(FileText("/proc/" + std::to_string(engine->pid()) + "/limits"), '\n');
  for (const std::string& line : lines) {
    if (line.rfind("Max file size", 0) != 0) continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    ASSERT_GE(words.size(), 5u);
    EXPECT_EQ(words[3], std::to_string(64 << 20));
    EXPECT_EQ(words[4], std::to_string(64 << 20));
    limited = true;
  }
  EXPECT_TRUE(limited);
}

// Whether a process that is no child of this one has ended. It may stay behind as a zombie where
// nobody waits for orphans.
bool HasEnded(int pid) {
  const std::string stat = FileText(absl::StrCat("/proc/", pid, "/stat"));
  const size_t state = stat.rfind(')');
  return state == std::string::npos || stat.compare(state + 2, 1, "Z") == 0;
}

// A process of its own that starts an engine, waits for it to load and then sleeps. It is another
// program, because this one has threads.
class Parent {
 public:
  explicit Parent(const char* mode) {
    int report[2];
    if (pipe(report) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(report[1], 100);
      execl(ASSAY_BINARY_DIR "/tests/start_engine", "start_engine", kFakeEngine, "100", mode,
            nullptr);
      _exit(127);
    }
    close(report[1]);
    if (read(report[0], &engine_, sizeof(engine_)) != sizeof(engine_)) engine_ = 0;
    close(report[0]);
  }
  ~Parent() { Kill(); }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  // 0: it could not be started.
  pid_t engine() const { return engine_; }

 private:
  pid_t pid_ = 0;
  pid_t engine_ = 0;
};

TEST_F(EngineProcessTest, TheEngineEndsWhenItsParentDies) {
  Parent parent("plain");
  ASSERT_GT(parent.engine(), 0);
  EXPECT_EQ(kill(parent.engine(), 0), 0);
  parent.Kill();
  EXPECT_TRUE(Eventually([&] { return HasEnded(parent.engine()); }));
}

TEST_F(EngineProcessTest, AParentWithoutStandardDescriptorsCanStartAnEngine) {
  // Then socket and pipe sit on the very descriptors that they must be moved to.
  Parent parent("closed");
  EXPECT_GT(parent.engine(), 0);
}

TEST_F(EngineProcessTest, ManyEnginesAreIndependent) {
  auto first = Start();
  auto second = Start();
  auto third = Start();
  for (const auto* engine : {&first, &second, &third}) ASSERT_THAT(Load(**engine, ""), IsOk());
  const int pid = second->pid();
  second.reset();
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_THAT(Run(*first), IsOk());
  EXPECT_THAT(Run(*third), IsOk());
}

}  // namespace
}  // namespace assay::scheduler
