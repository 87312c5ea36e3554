// Runs the built program, against a server in this process.
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
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/data/npy_format.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "net/grpc_status.h"
#include "nlohmann/json.hpp"
#include "tests/client/lib/fake_server.h"

namespace assay::cli {
namespace {
namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

struct Result {
  int code = -1;
  std::string out;
  std::string err;
};

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class BinaryTest : public ::testing::Test {
 protected:
  BinaryTest() {
    fs::create_directories(directory_);
    setenv("XDG_CONFIG_HOME", directory_.c_str(), 1);
    setenv("ASSAY_SERVER", server_.address().c_str(), 1);
    setenv("TMPDIR", directory_.c_str(), 1);
    model_ = directory_ + "/Net.pt";
    std::ofstream(model_, std::ios::binary) << "not really TorchScript";
    // Two CIFAR-10 images.
    data_ = directory_ + "/batch.bin";
    std::ofstream(data_, std::ios::binary)
        << '\1' << std::string(3072, 'a') << '\2' << std::string(3072, 'b');
    state()->report.set_complete(true);
    state()->report.add_conditions()->set_id("clean");
    state()->events = {FakeEvent("", v1::Evaluation::RUNNING, 5),
                       FakeEvent("", v1::Evaluation::SUCCEEDED, 10)};
  }
  ~BinaryTest() override {
    for (const char* name : {"XDG_CONFIG_HOME", "ASSAY_SERVER", "TMPDIR"}) unsetenv(name);
    fs::remove_all(directory_);
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
  const std::string directory_ = absl::StrCat(::testing::TempDir(), "/assay_binary_", getpid());
  std::string program_ = ASSAY_BINARY_DIR "/bin/assay";
  std::string model_;
  std::string data_;
};

TEST_F(BinaryTest, EvaluateUploadsWatchesAndReports) {
  const std::string file = directory_ + "/report.json";
  const Result result = Run(Evaluate({"-o", "json", "--report", file}));
  EXPECT_EQ(result.code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["evaluation"], "evaluations/chosen");
  EXPECT_EQ(Read(file), result.out);
  EXPECT_THAT(state()->models, SizeIs(1));
  EXPECT_THAT(state()->models.begin()->first, StartsWith("models/net-"));
  EXPECT_THAT(state()->datasets.begin()->first, StartsWith("datasets/batch-"));
  EXPECT_EQ(state()->datasets.begin()->second.samples(), 2);
  const auto& spec = state()->evaluations["evaluations/chosen"].spec();
  EXPECT_EQ(spec.model(), state()->models.begin()->first);
  EXPECT_EQ(spec.dataset(), state()->datasets.begin()->first);
}

// A folder like CIFAR-10-C: ten images of 2 x 2 pixels, two of each severity.
std::string ReadyMadeFolder(const std::string& parent) {
  const std::string folder = parent + "/My-C";
  fs::create_directories(folder);
  const auto write = [&](const std::string& name, const std::vector<int64_t>& shape,
                         const std::string& data) {
    std::ofstream(folder + "/" + name, std::ios::binary)
        << client::FormatNpyHeader("|u1", shape, 0) << data;
  };
  for (const char* name : {"fog.npy", "snow.npy"}) {
    write(name, {10, 2, 2, 3}, std::string(120, name[0]));
  }
  write("labels.npy", {10}, std::string(10, '\1'));
  return folder;
}

TEST_F(BinaryTest, AReadyMadeSetIsOneEvaluationForEachBlockAndOneReport) {
  state()->report.mutable_conditions(0)->set_family("clean");
  state()->report.mutable_conditions(0)->set_samples(2);
  state()->report.mutable_conditions(0)->set_correct(1);
  const std::string folder = ReadyMadeFolder(directory_);
  const std::string file = directory_ / fs::path("report.json");
  const Result result = Run({"evaluate", "-m", model_, "-d", folder, "-c", "clean", "--id", "mine",
                             "-o", "json", "--report", file});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->evaluations.size(), 10u);
  EXPECT_EQ(state()->evaluations.count("evaluations/mine-snow-4"), 1u);
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(Read(file), result.out);
  EXPECT_EQ(json["dataset"], "My-C");
  ASSERT_EQ(json["conditions"].size(), 10u);
  EXPECT_EQ(json["conditions"][1]["id"], "My-C/fog/2");
  const auto& snow = json["corruption_summary"]["corruptions"][1];
  EXPECT_EQ(snow["corruption"], "snow");
  EXPECT_EQ(snow["errors"], nlohmann::json({0.5, 0.5, 0.5, 0.5, 0.5}));
  EXPECT_EQ(snow["mean_error"], 0.5);
}

TEST_F(BinaryTest, AReadyMadeSetRefusesWhatIsAboutOneEvaluation) {
  const std::string folder = ReadyMadeFolder(directory_);
  const auto refusal = [&](std::vector<std::string> more, const std::string& condition = "clean") {
    std::vector<std::string> words = {"evaluate", "-m", model_, "-d", folder, "-c", condition};
    words.insert(words.end(), more.begin(), more.end());
    const Result result = Run(words);
    EXPECT_EQ(result.code, 2) << result.err;
    return result.err;
  };
  EXPECT_THAT(refusal({"--detach"}), HasSubstr("--detach"));
  EXPECT_THAT(refusal({"--stream"}), HasSubstr("--stream"));
  EXPECT_THAT(refusal({"--outcomes", "-"}), HasSubstr("--outcomes"));
  EXPECT_THAT(refusal({}, "corruption/fog"), HasSubstr("under 'clean' alone"));
  EXPECT_THAT(refusal({"--clean-data", data_}), HasSubstr("another shape"));
  EXPECT_EQ(state()->calls["CreateModel"], 0) << "refused before anything was uploaded";
  EXPECT_THAT(Run(Evaluate({"--clean-data", data_})).err, HasSubstr("--clean-data"));
}

TEST_F(BinaryTest, CtrlCEndsAReadyMadeSetAndSaysHowToGoOn) {
  NeverEnd();
  const pid_t child =
      Start({"evaluate", "-m", model_, "-d", ReadyMadeFolder(directory_), "-c", "clean"});
  AwaitCall("WatchEvaluation");
  kill(child, SIGINT);
  const Result result = Finish(child);
  EXPECT_EQ(result.code, 4);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("interrupted after 0 of 10 evaluations; with --id"));
  EXPECT_EQ(state()->calls["CreateEvaluation"], 1);
}

TEST_F(BinaryTest, QuietLeavesStderrEmpty) {
  const Result result = Run(Evaluate({"--quiet"}));
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("clean"));
}

TEST_F(BinaryTest, OutcomesAreWrittenAsCsv) {
  v1::StreamOutcomesResponse batch;
  batch.set_condition("clean");
  batch.add_outcomes()->set_sample(0);
  batch.add_outcomes()->set_sample(1);
  state()->outcomes = {batch};
  const std::string file = directory_ + "/outcomes.csv";
  ASSERT_EQ(Run(Evaluate({"--outcomes", file})).code, 0);
  EXPECT_THAT(Read(file), StartsWith("condition,sample,"));
  EXPECT_THAT(Read(file), HasSubstr("\nclean,1,0,0,1,"));
}

TEST_F(BinaryTest, StreamSendsSamplesWithoutAnUpload) {
  const Result result = Run(Evaluate({"--stream", "--id", "streamed"}));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->calls["CreateDataset"], 0);
  ASSERT_THAT(state()->batches, SizeIs(1));
  EXPECT_EQ(state()->batches[0].labels_size(), 2);
  EXPECT_EQ(state()->starts[0].evaluation_id(), "streamed");
}

TEST_F(BinaryTest, DetachPrintsTheNameAlone) {
  const Result result = Run(Evaluate({"--detach"}));
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "evaluations/chosen\n");
  EXPECT_EQ(state()->calls["WatchEvaluation"], 0);
}

TEST_F(BinaryTest, NamedResourcesAreNotUploaded) {
  state()->models["models/m"].set_name("models/m");
  state()->datasets["datasets/d"].set_name("datasets/d");
  const Result result =
      Run({"evaluate", "-m", "models/m", "-d", "datasets/d", "-c", "clean", "--limit", "7"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->calls["UploadChunks"], 0);
  EXPECT_EQ(state()->evaluations["evaluations/chosen"].spec().limit(), 7);
}

TEST_F(BinaryTest, WrongConditionIsFoundBeforeAnythingIsUploaded) {
  const Result result = Run({"evaluate", "-m", model_, "-d", data_, "-c", "attack/pdg"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, StartsWith("error: "));
  EXPECT_THAT(result.err, HasSubstr("\nhint: "));
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(state()->calls["UploadChunks"], 0);
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

TEST_F(BinaryTest, WhatIsNoRegularFileIsRefusedAtOnce) {
  const std::string pipe = directory_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& file : {pipe, std::string("/dev/null")}) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"evaluate", "-m", file, "-d", data_, "-c", "clean"},
             {"evaluate", "-m", model_, "-d", file, "-c", "clean"},
             Evaluate({"--reference", file}),
             Evaluate({"--classes", file}),
             Evaluate({"--config", file})}) {
      const Result result = Run(words);
      EXPECT_EQ(result.code, 2) << absl::StrJoin(words, " ");
      EXPECT_THAT(result.err, HasSubstr("regular file")) << absl::StrJoin(words, " ");
    }
  }
  EXPECT_EQ(state()->calls["CreateEvaluation"], 0);
}

TEST_F(BinaryTest, ReferenceErrorsAreReadBeforeAnythingIsUploaded) {
  const std::string reference = directory_ + "/errors.json";
  std::ofstream(reference, std::ios::binary) << "\xef\xbb\xbf{\"name\": \"x\"}";
  EXPECT_THAT(Run(Evaluate({"--reference", reference})).err, HasSubstr("is not of the form"));
  EXPECT_EQ(state()->calls["CreateModel"], 0);
  std::ofstream(reference, std::ios::binary)
      << "\xef\xbb\xbf{\"corruptions\": [{\"corruption\": \"fog\", \"errors\": [0.1]}]}";
  EXPECT_EQ(Run(Evaluate({"--reference", reference})).code, 0);
}

TEST_F(BinaryTest, MissingClassesAreAllowedByTheSpec) {
  ASSERT_EQ(Run(Evaluate({})).code, 0);
  EXPECT_FALSE(state()->evaluations["evaluations/chosen"].spec().allow_missing_classes());
  ASSERT_EQ(Run(Evaluate({"--allow-missing-classes"})).code, 0);
  EXPECT_TRUE(state()->evaluations["evaluations/chosen"].spec().allow_missing_classes());
  ASSERT_EQ(Run(Evaluate({"--stream", "--allow-missing-classes"})).code, 0);
  EXPECT_TRUE(state()->starts.back().allow_missing_classes());
}

TEST_F(BinaryTest, OptionsOfFilesDoNotGoWithADatasetOfTheServer) {
  state()->datasets["datasets/d"].set_name("datasets/d");
  const Result result = Run({"evaluate", "-m", model_, "-d", "datasets/d", "-c", "clean",
                             "--labels", "l.npy", "--classes", "c.txt"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--labels: goes with files"));
  EXPECT_THAT(result.err, HasSubstr("--classes: goes with files"));
}

TEST_F(BinaryTest, NotesOnTheDataAreSaid) {
  const std::string images = directory_ + "/x.npy", labels = directory_ + "/y.npy";
  std::ofstream(images, std::ios::binary)
      << client::FormatNpyHeader("|u1", {2, 2, 2}, 0) << std::string(8, '\1');
  std::ofstream(labels, std::ios::binary)
      << client::FormatNpyHeader("|u1", {2}, 0) << std::string("\0\1", 2);
  const std::vector<std::string> words = {"evaluate", "-m", model_, "-d", images, "-c", "clean"};
  EXPECT_THAT(Run(words).err, HasSubstr("note: no pixel value is over 1"));
  std::vector<std::string> streamed = words;
  streamed.push_back("--stream");
  EXPECT_THAT(Run(streamed).err, HasSubstr("note: no pixel value is over 1"));
  EXPECT_THAT(
      Run({"corrupt", "-d", images, "-c", "corruption/fog", "--out", directory_ + "/fog"}).err,
      HasSubstr("note: no pixel value is over 1"));
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

TEST_F(BinaryTest, ListsAreAvailableInEveryFormat) {
  state()->models["models/m"].set_name("models/m");
  state()->models["models/m"].set_state(v1::Model::READY);
  EXPECT_THAT(Run({"model", "list"}).out, HasSubstr("models/m  READY"));
  EXPECT_EQ(nlohmann::json::parse(Run({"model", "list", "-o", "json"}).out)[0]["state"], "READY");
  EXPECT_THAT(Run({"model", "list", "-o", "csv"}).out, HasSubstr("\nmodels/m,READY,"));
  EXPECT_THAT(Run({"model", "list", "-o", "markdown"}).out, HasSubstr("| models/m | READY |"));
}

TEST_F(BinaryTest, WhatIsBegunIsNotListedAsNothingAndWhatIsNotDoneNotAsAll) {
  const auto list = [&](double work_done) {
    v1::Evaluation evaluation;
    evaluation.set_name("evaluations/e");
    evaluation.set_state(v1::Evaluation::RUNNING);
    evaluation.mutable_progress()->set_work(10'000'000);
    evaluation.mutable_progress()->set_work_done(work_done);
    evaluation.mutable_progress()->set_samples(2000);
    evaluation.mutable_progress()->set_samples_done(1000);
    state()->evaluations["evaluations/e"] = evaluation;
    return Run({"evaluation", "list"}).out;
  };
  // All clean samples of an evaluation whose rest are ten thousand passes for each image.
  EXPECT_THAT(list(1000), HasSubstr("<0.1"));
  EXPECT_THAT(list(1000), HasSubstr("1,000 of 2,000 samples"));
  EXPECT_THAT(Run({"evaluation", "show", "e"}).out, HasSubstr("<0.1 %, 1,000 of 2,000 samples"));
  EXPECT_THAT(list(0), HasSubstr(" 0.0"));
  EXPECT_THAT(list(4'567'000), HasSubstr(" 45.7"));
  EXPECT_THAT(list(9'999'999), HasSubstr(">99.9"));
  EXPECT_THAT(list(10'000'000), HasSubstr(" 100.0"));
}

TEST_F(BinaryTest, ConditionsShowEveryParameter) {
  const Result resolved = Run({"conditions", "attack/pgd:norm=linf,eps=8/255", "-o", "csv"});
  EXPECT_EQ(resolved.code, 0) << resolved.err;
  EXPECT_THAT(resolved.out, HasSubstr("\nattack/pgd/linf/8-255,eps,8/255\n"));
  const Result all = Run({"conditions"});
  EXPECT_EQ(all.code, 0);
  EXPECT_THAT(all.out, HasSubstr("smoothing/gaussian"));
}

TEST_F(BinaryTest, FirstCtrlCDetaches) {
  NeverEnd();
  const pid_t child = Start(Evaluate({}));
  AwaitCall("WatchEvaluation");
  kill(child, SIGINT);
  const Result result = Finish(child);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("assay evaluation watch evaluations/chosen"));
  EXPECT_THAT(result.err, HasSubstr("assay evaluation cancel evaluations/chosen"));
  EXPECT_EQ(state()->calls["CancelEvaluation"], 0);
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
                             "esac; shift 2; done\n"
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
  WriteServer("trap 'sleep 3; exit 0' TERM; while :; do sleep 0.1; done");
  const pid_t child = Start(Evaluate({"--local"}));
  AwaitCall("WatchEvaluation");
  kill(child, SIGTERM);
  EXPECT_EQ(Finish(child).code, 4);
  EXPECT_FALSE(ServerLives());
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
