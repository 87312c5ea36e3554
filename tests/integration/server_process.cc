#include "tests/integration/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "gtest/gtest.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

int ReadNumber(const std::string& path) {
  std::ifstream file(path);
  int number = 0;
  file >> number;
  return number;
}

}  // namespace

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (fs::temp_directory_path() / "assay-test-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code error;
  fs::remove_all(path_, error);
}

ServerProcess::ServerProcess(const std::string& data_dir, const std::vector<std::string>& flags) {
  const std::string port_file = data_dir + "/port";
  fs::create_directories(data_dir);
  const std::string log = data_dir + "/assayd.log";
  bool serves = false;
  // A port that is free now may be somebody else's by then.
  for (int attempt = 0; attempt < 5 && !serves; ++attempt) {
    metrics_port_ = FreePort();
    Start(data_dir, flags, port_file, log);
    siginfo_t end{};
    Eventually([&] {
      port_ = ReadNumber(port_file);
      return port_ != 0 ||
             (waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
              end.si_pid == pid_);
    });
    serves = port_ != 0;
    if (end.si_pid != pid_ ||
        ReadFile(log).find("for metrics: another program uses the port") == std::string::npos) {
      break;
    }
    Wait();
  }
  EXPECT_TRUE(serves) << ReadFile(log);
}

void ServerProcess::Start(const std::string& data_dir, const std::vector<std::string>& flags,
                          const std::string& port_file, const std::string& log) {
  fs::remove(port_file);
  std::vector<std::string> words = {ASSAY_BINARY_DIR "/bin/assayd",
                                    "--no-config",
                                    "--metrics-port",
                                    std::to_string(metrics_port_),
                                    "--data-dir",
                                    data_dir,
                                    "--port-file",
                                    port_file};
  const auto unless_given = [&](const std::string& flag, const std::string& value) {
    if (std::find(flags.begin(), flags.end(), flag) != flags.end()) return;
    words.insert(words.end(), {flag, value});
  };
  unless_given("--listen", "127.0.0.1:0");
  unless_given("--devices", "cpu");
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    dup2(fd, STDOUT_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) Terminate();
}

std::unique_ptr<client::Client> ServerProcess::Connect() const {
  client::ClientOptions options;
  options.address = address();
  auto client = client::Client::Connect(options);
  EXPECT_TRUE(client.ok()) << client.status();
  return client.ok() ? *std::move(client) : nullptr;
}

int ServerProcess::Wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void ServerProcess::Kill() {
  kill(pid_, SIGKILL);
  Wait();
}

void ServerProcess::Freeze(double seconds) {
  std::vector<pid_t> all = Engines();
  all.push_back(pid_);
  for (const pid_t process : all) kill(process, SIGSTOP);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  for (const pid_t process : all) kill(process, SIGCONT);
}

int ServerProcess::Terminate() {
  kill(pid_, SIGTERM);
  return Wait();
}

std::vector<pid_t> ServerProcess::Engines() const {
  std::vector<pid_t> engines;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    std::getline(file, line);
    // pid (comm) state ppid
    const size_t close = line.rfind(')');
    if (close == std::string::npos) continue;
    const size_t open = line.find('(');
    std::istringstream rest(line.substr(close + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    if (parent == pid_ && state != 'Z' &&
        line.substr(open + 1, close - open - 1) == "assay-engine") {
      engines.push_back(std::stoi(name));
    }
  }
  return engines;
}

bool ServerProcess::LimitFileSize(int64_t bytes) const {
  rlimit limit{};
  if (prlimit(pid_, RLIMIT_FSIZE, nullptr, &limit) != 0) return false;
  limit.rlim_cur = bytes < 0 ? limit.rlim_max : static_cast<rlim_t>(bytes);
  return prlimit(pid_, RLIMIT_FSIZE, &limit, nullptr) == 0;
}

std::string ServerProcess::Http(const std::string& path) const {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(metrics_port_));
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
    if (write(fd, request.data(), request.size()) > 0) {
      char buffer[4096];
      for (ssize_t n = 0; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
        answer.append(buffer, static_cast<size_t>(n));
      }
    }
  }
  close(fd);
  const size_t body = answer.find("\r\n\r\n");
  return body == std::string::npos ? "" : answer.substr(body + 4);
}

}  // namespace assay::testing
