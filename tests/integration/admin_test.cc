// The operator's commands against a real server: drains under load, pauses over restarts, checks of
// broken storage, retention, quota, and `assay top` in a terminal.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/integration/command_fixture.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::Not;

// With momentum, so that no cycle is left out of its steps.
constexpr char kSlow[] = "attack/mi-fgsm:eps=0.0001,steps=100000";

class AdminTest : public CommandFixture {
 protected:
  void Start(std::vector<std::string> flags = {}) {
    server_.reset();
    client_.reset();
    StartServer(std::move(flags));
    ASSERT_NE(server_, nullptr);
    setenv("ASSAY_SERVER", server_->address().c_str(), 1);
  }
  ~AdminTest() override { unsetenv("ASSAY_SERVER"); }

  nlohmann::json StatusJson() {
    EXPECT_EQ(Assay("admin status -o json"), 0) << Text("err");
    return nlohmann::json::parse(Text("out"), nullptr, false);
  }
  // One that runs until it is cancelled.
  v1::Evaluation Endless(const std::string& id) {
    GeneratedData data(16, 3, 8, 4);
    const auto evaluation =
        client_->CreateEvaluation(Spec(Upload("slow"), Upload(data), {kSlow}), id);
    EXPECT_TRUE(evaluation.ok()) << evaluation.status();
    return evaluation.ok() ? *evaluation : v1::Evaluation();
  }
  bool Runs() {
    return Eventually([&] {
      const auto status = client_->GetServerStatus();
      return status.ok() && status->control().running_tasks() > 0 &&
             status->workers(0).task().fraction_done() >= 0 && status->engines_size() > 0;
    });
  }
  v1::Evaluation::State StateOf(const std::string& name) {
    const auto evaluation = client_->GetEvaluation(name);
    EXPECT_TRUE(evaluation.ok()) << evaluation.status();
    return evaluation.ok() ? evaluation->state() : v1::Evaluation::STATE_UNSPECIFIED;
  }
  std::string BlobPath(const std::string& digest) const {
    return absl::StrCat(directory_.path(), "/data/blobs/", digest.substr(0, 2), "/", digest);
  }
};

TEST_F(AdminTest, StatusTellsOfWorkersEnginesDevicesAndDisk) {
  Start();
  Endless("endless");
  ASSERT_TRUE(Runs());
  const nlohmann::json status = StatusJson();
  ASSERT_TRUE(status.is_object());
  EXPECT_EQ(status["control"]["running_tasks"], 1);
  EXPECT_EQ(status["workers"][0]["device"], "cpu");
  EXPECT_EQ(status["workers"][0]["task"]["evaluation"], "evaluations/endless");
  EXPECT_EQ(status["engines"][0]["process"]["pid"], server_->Engines()[0]);
  EXPECT_GT(status["devices"][0]["memory_bytes"], 0);
  EXPECT_GT(status["disk"]["size_bytes"], 0);
  EXPECT_GT(status["disk"]["database_bytes"], 0);
  EXPECT_EQ(status["disk"]["reserve_bytes"], 8 << 20);
  EXPECT_EQ(status["running"][0]["name"], "evaluations/endless");
  ASSERT_EQ(Assay("admin status"), 0);
  EXPECT_THAT(Text("out"), HasSubstr("evaluations/endless attack/mi-fgsm"));
  ASSERT_EQ(Assay("admin workers"), 0);
  EXPECT_THAT(Text("out"), HasSubstr("busy"));
  EXPECT_THAT(Text("out"), HasSubstr("endless attack/"));
  ASSERT_EQ(Assay("top"), 0) << Text("err");
  EXPECT_THAT(Text("out"), HasSubstr("endless"));
  EXPECT_THAT(Text("out"), Not(HasSubstr("\x1b")));
}

TEST_F(AdminTest, APauseHoldsOverARestart) {
  Start();
  ASSERT_EQ(Assay("admin pause --reason 'new disks'"), 0) << Text("err");
  EXPECT_THAT(Text("err"), HasSubstr("(new disks)"));
  GeneratedData data(16, 3, 8, 4);
  const auto spec = Spec(Upload("linear"), Upload(data), {"clean"});
  ASSERT_TRUE(client_->CreateEvaluation(spec, "waits").ok());
  EXPECT_EQ(server_->Http("/readyz"), "ready\n");
  EXPECT_THAT(server_->Http("/metrics"), HasSubstr("assay_queue_paused 1\n"));
  server_->Kill();
  Start();
  EXPECT_EQ(StatusJson()["control"]["pause_reason"], "new disks");
  EXPECT_EQ(StateOf("evaluations/waits"), v1::Evaluation::QUEUED);
  ASSERT_EQ(Assay("admin resume"), 0);
  EXPECT_EQ(Await("evaluations/waits").state(), v1::Evaluation::SUCCEEDED);
  EXPECT_THAT(server_->Http("/metrics"), HasSubstr("assay_queue_paused 0\n"));
}

TEST_F(AdminTest, ADrainUnderLoadWaitsForRunningTasksOrGivesThemBack) {
  Start();
  WriteData(64);
  // Many short tasks, of which those that run end.
  GeneratedData data(64, 3, 8, 4);
  const std::string dataset = Upload(data), model = Upload("linear");
  ASSERT_TRUE(client_
                  ->CreateEvaluation(
                      Spec(model, dataset, {"attack/pgd:eps=4/255,steps=2000", "clean"}, 4), "many")
                  .ok());
  ASSERT_TRUE(Runs());
  ASSERT_EQ(Assay("admin drain --wait"), 0) << Text("err");
  EXPECT_THAT(Text("err"), HasSubstr("drained: no task runs"));
  const nlohmann::json status = StatusJson();
  EXPECT_EQ(status["control"]["running_tasks"], 0);
  EXPECT_GT(status["tasks"]["OPEN"], 0);
  EXPECT_EQ(server_->Http("/readyz"), "not ready\n");
  ASSERT_EQ(Assay("admin resume"), 0);
  EXPECT_EQ(Await("evaluations/many").state(), v1::Evaluation::SUCCEEDED);

  const auto endless = Endless("endless");
  ASSERT_TRUE(Runs());
  EXPECT_EQ(Assay("admin drain --wait --timeout 1"), 7) << Text("err");
  EXPECT_THAT(Text("err"), HasSubstr("--release"));
  ASSERT_EQ(Assay("admin drain --wait --release"), 0) << Text("err");
  EXPECT_EQ(StateOf(endless.name()), v1::Evaluation::RUNNING);
  EXPECT_EQ(StatusJson()["tasks"]["LEASED"], 0);
  ASSERT_EQ(Assay("admin resume"), 0);
  EXPECT_TRUE(Runs()) << "the task is claimed again";
}

TEST_F(AdminTest, ACheckFindsWhatIsBrokenOnTheDiskAndRepairsWhatItCan) {
  Start();
  const std::string model = Upload("linear");
  GeneratedData data(16, 3, 8, 4);
  const std::string dataset = Upload(data);
  v1::EvaluationSpec spec = Spec(model, dataset, {"attack/fgsm:eps=8/255"});
  spec.set_keep_adversarials(true);
  spec.set_keep_probabilities(true);
  const v1::Evaluation evaluation = Run(spec);
  ASSERT_EQ(Assay("admin check"), 0) << Text("err");
  EXPECT_THAT(Text("err"), HasSubstr("0 corrupt, 0 missing"));

  const auto stored = client_->GetModel(model);
  ASSERT_TRUE(stored.ok());
  std::ofstream(BlobPath(stored->digest()), std::ios::app) << "x";
  const auto manifest = client_->GetDataset(dataset);
  ASSERT_TRUE(manifest.ok());
  const std::string chunk = manifest->manifest().chunks(0).digest();
  fs::remove(BlobPath(chunk));
  ASSERT_EQ(Assay("admin check -o json"), 5) << Text("err");
  const auto json = nlohmann::json::parse(Text("out"), nullptr, false);
  ASSERT_TRUE(json.is_object()) << Text("out");
  EXPECT_EQ(json["summary"]["corrupt_blobs"], 1);
  EXPECT_EQ(json["summary"]["missing_blobs"], 1);
  EXPECT_THAT(json["findings"].dump(), HasSubstr(model));
  EXPECT_THAT(json["findings"].dump(), HasSubstr(dataset));

  ASSERT_EQ(Assay("admin check --repair"), 5) << Text("err");
  EXPECT_TRUE(fs::exists(directory_.path() + "/data/blobs/corrupt/" + stored->digest()));
  // The same files under other names bring back what is not there.
  ASSERT_TRUE(client_->UploadModel(ASSAY_BINARY_DIR "/tests/zoo/linear.pt", "again", nullptr).ok());
  GeneratedData again(16, 3, 8, 4);
  EXPECT_EQ(Upload(again, "again"), "datasets/again");
  ASSERT_EQ(Assay("admin check"), 0) << Text("err") << Text("out");
  EXPECT_EQ(Run(spec).state(), v1::Evaluation::SUCCEEDED);
}

TEST_F(AdminTest, GarbageOfADeletedEvaluationIsGoneAtOnce) {
  Start();
  const std::string model = Upload("linear");
  ASSERT_TRUE(client_->DeleteModel(model).ok());
  ASSERT_EQ(Assay("admin gc -o json"), 0) << Text("err");
  EXPECT_EQ(StatusJson()["disk"]["blobs"], 0);
}

TEST_F(AdminTest, RetentionDeletesWhatIsOldAtTheStart) {
  Start();
  const std::string model = Upload("linear");
  GeneratedData data(16, 3, 8, 4);
  v1::EvaluationSpec spec = Spec(model, Upload(data), {"clean"});
  const v1::Evaluation first = Run(spec);
  (*spec.mutable_labels())["keep"] = "true";
  const v1::Evaluation kept = Run(spec);
  spec.mutable_labels()->clear();
  const v1::Evaluation last = Run(spec);
  Start({"--keep-evaluations", "1s"});
  EXPECT_TRUE(Eventually([&] {
    return absl::IsNotFound(client_->GetEvaluation(first.name()).status()) ||
           (Assay("admin gc") != 0);
  }));
  EXPECT_EQ(StateOf(kept.name()), v1::Evaluation::SUCCEEDED);
  EXPECT_EQ(StateOf(last.name()), v1::Evaluation::SUCCEEDED);
  EXPECT_THAT(server_->Http("/metrics"),
              HasSubstr("assay_evaluations_deleted_total{reason=\"expired\"} 1\n"));
}

TEST_F(AdminTest, BeyondTheQuotaUploadsSayWhy) {
  Start({"--disk-quota", "1kB"});
  WriteData(16);
  EXPECT_EQ(Evaluate("-c clean"), 7);
  EXPECT_THAT(Text("err"), HasSubstr("--disk-quota of 1000"));
}

// `assay top` in a terminal of its own.
class TerminalProgram {
 public:
  explicit TerminalProgram(const std::vector<std::string>& words, int columns = 80, int rows = 24) {
    master_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    grantpt(master_);
    unlockpt(master_);
    const std::string name = ptsname(master_);
    slave_ = open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    Resize(columns, rows);
    tcgetattr(slave_, &before_);
    std::vector<std::string> copies = words;
    std::vector<char*> argv;
    for (std::string& word : copies) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      setsid();
      const int terminal = open(name.c_str(), O_RDWR);
      for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(terminal, fd);
      ioctl(STDIN_FILENO, TIOCSCTTY, 0);
      setenv("TERM", "xterm", 1);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~TerminalProgram() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(slave_);
    close(master_);
  }

  void Resize(int columns, int rows) {
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = static_cast<unsigned short>(rows);
    ioctl(master_, TIOCSWINSZ, &size);
  }
  void Type(const std::string& keys) {
    EXPECT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void Signal(int signal) { kill(pid_, signal); }
  // Reads on until it has shown this.
  bool Shows(const std::string& text) {
    return Eventually([&] {
      ReadOn();
      return output_.find(text) != std::string::npos;
    });
  }
  // What it shows from now on.
  void Forget() { output_.clear(); }
  // Its exit code; 128 and the signal of one that was killed.
  int Wait() {
    int status = 0;
    const bool ended = Eventually([&] {
      ReadOn();
      return waitpid(pid_, &status, WNOHANG) == pid_;
    });
    EXPECT_TRUE(ended);
    if (!ended) return -1;
    pid_ = -1;
    ReadOn();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string& output() const { return output_; }
  // Whether the terminal is as it was.
  bool Restored() const {
    termios now{};
    tcgetattr(slave_, &now);
    return now.c_lflag == before_.c_lflag && now.c_cc[VSUSP] == before_.c_cc[VSUSP] &&
           output_.rfind("\x1b[?1049l") != std::string::npos &&
           output_.rfind("\x1b[?25h") > output_.rfind("\x1b[?25l");
  }

 private:
  void ReadOn() {
    pollfd ready{master_, POLLIN, 0};
    char buffer[4096];
    while (poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0) {
      const ssize_t count = read(master_, buffer, sizeof(buffer));
      if (count <= 0) return;
      output_.append(buffer, static_cast<size_t>(count));
    }
  }
  int master_ = -1;
  int slave_ = -1;
  pid_t pid_ = -1;
  termios before_{};
  std::string output_;
};

class TopTest : public AdminTest {
 protected:
  const std::vector<std::string> top_ = {ASSAY_BINARY_DIR "/bin/assay", "top", "-d", "0.2"};
};

TEST_F(TopTest, EndsByQWithTheTerminalAsItWas) {
  Start();
  TerminalProgram top(top_);
  ASSERT_TRUE(top.Shows("assayd 0"));
  ASSERT_TRUE(top.Shows("\x1b[?1049h"));
  EXPECT_FALSE(top.Restored());
  top.Type("q");
  EXPECT_EQ(top.Wait(), 0);
  EXPECT_TRUE(top.Restored());
}

TEST_F(TopTest, EndsByCtrlCAndBySignalsWithTheTerminalAsItWas) {
  Start();
  {
    TerminalProgram top(top_);
    ASSERT_TRUE(top.Shows("assayd 0"));
    top.Type("\x03");
    EXPECT_EQ(top.Wait(), 0);
    EXPECT_TRUE(top.Restored());
  }
  TerminalProgram top(top_);
  ASSERT_TRUE(top.Shows("assayd 0"));
  // Twice at once, of which the second ends it on the spot.
  top.Signal(SIGTERM);
  top.Signal(SIGTERM);
  top.Wait();
  EXPECT_TRUE(top.Restored());
}

TEST_F(TopTest, FollowsTheSizeOfTheTerminal) {
  Start();
  TerminalProgram top(top_);
  ASSERT_TRUE(top.Shows("evaluations: none"));
  top.Resize(20, 6);
  top.Forget();
  EXPECT_TRUE(top.Shows("…"));
  top.Type("q");
  EXPECT_EQ(top.Wait(), 0);
}

TEST_F(TopTest, SaysThatTheServerIsGoneAndFindsItAgain) {
  Start();
  TerminalProgram top(top_);
  ASSERT_TRUE(top.Shows("evaluations: none"));
  const std::string address = server_->address();
  server_->Kill();
  ASSERT_TRUE(top.Shows("no answer for"));
  top.Forget();
  // At the same address.
  server_ = std::make_unique<ServerProcess>(directory_.path() + "/data",
                                            std::vector<std::string>{"--listen", address});
  ASSERT_TRUE(Eventually([&] {
    top.Forget();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    top.Shows("assayd 0");
    return top.output().find("no answer for") == std::string::npos;
  }));
  top.Type("q");
  EXPECT_EQ(top.Wait(), 0);
}

TEST_F(TopTest, NoColorMeansNone) {
  Start();
  setenv("NO_COLOR", "1", 1);
  TerminalProgram top(top_);
  ASSERT_TRUE(top.Shows("assayd 0"));
  top.Type("q");
  EXPECT_EQ(top.Wait(), 0);
  unsetenv("NO_COLOR");
  EXPECT_THAT(top.output(), Not(HasSubstr("\x1b[7m")));
  EXPECT_THAT(top.output(), Not(HasSubstr("\x1b[1m")));
}

}  // namespace
}  // namespace assay::testing
