// The programs as processes: addresses that assayd takes, and what `assay --local` leaves behind.
#include <fcntl.h>
#include <netdb.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "assay/v1/types.pb.h"
#include "client/data/npy_format.h"
#include "gmock/gmock.h"
#include "net/address.h"
#include "tests/integration/server_process.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using ::testing::Not;

// A program of ours with its output in a file; killed at the end.
class Process {
 public:
  Process(std::vector<std::string> words, std::string output, std::string temporary)
      : output_(std::move(output)) {
    words[0] = absl::StrCat(ASSAY_BINARY_DIR "/bin/", words[0]);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    // What an earlier one said there must not be taken for its words.
    fs::remove(output_);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      setenv("TMPDIR", temporary.c_str(), 1);
      setenv("XDG_CACHE_HOME", (fs::path(output_).parent_path() / "cache").c_str(), 1);
      const int fd = open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(fd, STDOUT_FILENO);
      dup2(fd, STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Process() {
    Signal(SIGKILL);
    Wait();
  }

  void Signal(int signal) {
    if (pid_ > 0) kill(pid_, signal);
  }
  // The exit code; 128 + the signal's number after one.
  int Wait() {
    int status = 0;
    if (pid_ > 0) waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string Output() const {
    std::ifstream file(output_);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  bool Says(const std::string& text) const {
    return Eventually([&] { return Output().find(text) != std::string::npos; });
  }

 private:
  const std::string output_;
  pid_t pid_ = -1;
};

bool CanListen(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0;
  if (fd >= 0) close(fd);
  freeaddrinfo(found);
  return bound;
}

// GET of a numeric address; the whole answer.
std::string Get(const std::string& host, const std::string& port, const std::string& path) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return "";
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string answer;
  if (connect(fd, found->ai_addr, found->ai_addrlen) == 0) {
    const std::string request = absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: t\r\n\r\n");
    char buffer[4096];
    if (write(fd, request.data(), request.size()) > 0) {
      for (ssize_t n = 0; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
        answer.append(buffer, static_cast<size_t>(n));
      }
    }
  }
  close(fd);
  freeaddrinfo(found);
  return answer;
}

class StartAndEndTest : public ::testing::Test {
 protected:
  Process Assayd(const std::string& listen, const std::string& metrics_port = "0",
                 const std::string& data = "data", const std::string& devices = "cpu") const {
    return Process({"assayd", "--listen", listen, "--metrics-port", metrics_port, "--data-dir",
                    directory_.path() + "/" + data, "--devices", devices, "--insecure"},
                   absl::StrCat(directory_.path(), "/", data, ".log"), directory_.path());
  }
  // What it says before it refuses to start.
  std::string Refusal(const std::string& listen, const std::string& metrics_port = "0",
                      const std::string& data = "refused",
                      const std::string& devices = "cpu") const {
    Process server = Assayd(listen, metrics_port, data, devices);
    EXPECT_EQ(server.Wait(), 1) << listen << " " << devices;
    return server.Output();
  }

  // An evaluation on a private server; unless asked for otherwise one that takes long.
  Process Local(const std::vector<std::string>& more = {},
                const std::string& condition = "attack/mi-fgsm:eps=0.0001,steps=100000") const {
    const std::string data = directory_.path() + "/data.npy";
    std::ofstream(data, std::ios::binary)
        << client::FormatNpyHeader("|u1", {32, 8, 8, 3}, 0) << std::string(32 * 192, 'a');
    std::ofstream(directory_.path() + "/data_labels.npy", std::ios::binary)
        << client::FormatNpyHeader("|u1", {32}, 0) << std::string(32, '\1');
    std::vector<std::string> words = {
        "assay", "evaluate", "--local", "-m",     ASSAY_BINARY_DIR "/tests/zoo/slow.pt",
        "-d",    data,       "-c",      condition};
    words.insert(words.end(), more.begin(), more.end());
    return Process(words, directory_.path() + "/assay.log", temporary_.path());
  }
  // Whether private servers have left something.
  bool Clean() const { return fs::is_empty(temporary_.path()); }

  TemporaryDirectory directory_;
  TemporaryDirectory temporary_;
};

TEST_F(StartAndEndTest, BothServersListenOnIpv6) {
  for (const std::string host : {"::1", "::"}) {
    if (!CanListen(host)) GTEST_SKIP() << "this machine has no IPv6";
    Process server = Assayd(absl::StrCat("[", host, "]:0"));
    ASSERT_TRUE(server.Says("; devices")) << server.Output();
    const std::string log = server.Output();
    std::smatch ports;
    const std::regex line("serving gRPC on \\[([0-9:]*)\\]:(\\d+) and metrics on \\[\\1\\]:(\\d+)");
    ASSERT_TRUE(std::regex_search(log, ports, line)) << log;
    std::vector<std::string> clients = {"::1"};
    if (host == "::") clients.push_back("127.0.0.1");
    for (const std::string& client : clients) {
      EXPECT_THAT(Get(client, ports[3], "/readyz"), HasSubstr("200 OK"));
      client::ClientOptions options;
      options.address = Address{client, std::stoi(ports[2])}.ToString();
      const auto connected = client::Client::Connect(options);
      ASSERT_TRUE(connected.ok()) << connected.status();
      EXPECT_TRUE((*connected)->ListModels().ok());
    }
    server.Signal(SIGTERM);
    EXPECT_EQ(server.Wait(), 0);
  }
}

TEST_F(StartAndEndTest, AnAddressThatIsNoneIsRefusedWithTheRightForm) {
  EXPECT_THAT(Refusal("127.0.0.1"), HasSubstr("--listen: must be HOST:PORT: write 127.0.0.1:8001"));
  EXPECT_THAT(Refusal(":70000"), HasSubstr("--listen: has no host"));
  EXPECT_THAT(Refusal("127.0.0.1:70000"), HasSubstr("a port from 0 to 65535"));
  EXPECT_THAT(Refusal("::1:0"), HasSubstr("write [::1]:0"));
  EXPECT_THAT(Refusal("127.0.0.1:8001", "8001"), HasSubstr("--metrics-port: must not be the port"));
  EXPECT_FALSE(fs::exists(directory_.path() + "/refused")) << "nothing was made before the check";
}

TEST_F(StartAndEndTest, ADeviceThatIsNotThereIsRefusedWithThoseThatAre) {
  const auto refusal = [this](const std::string& devices) {
    return Refusal("127.0.0.1:0", "0", "refused", devices);
  };
  EXPECT_THAT(refusal("gpu0"), HasSubstr("a list such as cuda:0,cuda:1 or cpu; got 'gpu0"));
  EXPECT_THAT(refusal(""), HasSubstr("got ''"));
  EXPECT_THAT(refusal("cpu,cpu"), HasSubstr("names cpu twice"));
  EXPECT_THAT(refusal("cpu,cuda:99"), HasSubstr("cuda:99 is not there; LibTorch finds "));
}

TEST_F(StartAndEndTest, APortThatIsTakenIsNamedByBothServers) {
  Process server = Assayd("127.0.0.1:0");
  ASSERT_TRUE(server.Says("; devices")) << server.Output();
  const std::string log = server.Output();
  std::smatch ports;
  ASSERT_TRUE(std::regex_search(log, ports, std::regex("1:(\\d+) and metrics on .*?1:(\\d+);")));
  EXPECT_THAT(Refusal(absl::StrCat("127.0.0.1:", ports.str(1))),
              HasSubstr(absl::StrCat("cannot listen on 127.0.0.1:", ports.str(1),
                                     ": another program uses the port; choose another with "
                                     "--listen")));
  EXPECT_THAT(Refusal("127.0.0.1:0", ports[2]),
              HasSubstr(absl::StrCat("cannot listen on 127.0.0.1:", ports.str(2),
                                     " for metrics: another program uses the port; choose another "
                                     "with --metrics-port")));
  EXPECT_THAT(Refusal("127.0.0.1:0", "0", "data"), HasSubstr("another assayd uses"));
}

TEST_F(StartAndEndTest, AClosedTerminalLeavesNothing) {
  Process assay = Local();
  ASSERT_TRUE(assay.Says("1 condition")) << assay.Output();
  EXPECT_FALSE(Clean());
  assay.Signal(SIGHUP);
  assay.Wait();
  EXPECT_TRUE(Eventually([&] { return Clean(); }));
}

TEST_F(StartAndEndTest, TheServerRemovesTheDataOfACallThatWasKilled) {
  Process assay = Local();
  ASSERT_TRUE(assay.Says("1 condition")) << assay.Output();
  assay.Signal(SIGKILL);
  EXPECT_EQ(assay.Wait(), 128 + SIGKILL);
  EXPECT_TRUE(Eventually([&] { return Clean(); }));
}

TEST_F(StartAndEndTest, DataThatWasAskedForStays) {
  const std::string kept = directory_.path() + "/kept";
  Process assay = Local({"--data-dir", kept});
  ASSERT_TRUE(assay.Says("1 condition")) << assay.Output();
  assay.Signal(SIGKILL);
  assay.Wait();
  EXPECT_TRUE(Eventually([&] { return Clean(); }));
  EXPECT_TRUE(fs::exists(kept + "/assay.db"));
}

// The report ends with the numerics that were used.
TEST_F(StartAndEndTest, OnACpuNumericsDependNeitherOnCoresNorOnTheBatch) {
  const auto numerics = [&](const std::vector<std::string>& more) -> std::string {
    Process assay = Local(more, "clean");
    EXPECT_EQ(assay.Wait(), 0) << assay.Output();
    const std::string output = assay.Output();
    const size_t at = output.find("numerics ");
    EXPECT_NE(at, std::string::npos) << output;
    return at == std::string::npos ? output : output.substr(at, output.find('\n', at) - at);
  };
  const std::string one = numerics({"--threads", "1"});
  EXPECT_THAT(one, HasSubstr("cpu"));
  EXPECT_THAT(one, Not(HasSubstr("threads")));
  EXPECT_EQ(numerics({"--threads", "2", "--batch-size", "8"}), one);
  EXPECT_FALSE(fs::exists(directory_.path() + "/cache/assay/numerics"));
}

}  // namespace
}  // namespace assay::testing
