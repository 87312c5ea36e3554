#include "client/cli/base/local_server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/owned_directory.h"

namespace assay::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds kPollInterval{20};
constexpr size_t kLogTailLines = 20;

absl::Status CannotStart(absl::string_view why) {
  return Error(Reason::kUnavailable, absl::StrCat("cannot start a local server: ", why));
}

// Where the XDG Base Directory Specification puts what may be lost; empty without a home.
std::string UserCache() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return cache;
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? absl::StrCat(home, "/.cache") : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(const LocalServerOptions& options,
                                                                client::Interrupt& interrupt) {
  std::unique_ptr<LocalServer> server(new LocalServer(options));
  ASSAY_RETURN_IF_ERROR(server->Prepare());
  ASSAY_RETURN_IF_ERROR(server->Spawn());
  ASSAY_RETURN_IF_ERROR(server->AwaitPort(interrupt));
  return server;
}

absl::Status LocalServer::Prepare() {
  std::error_code error;
  if (options_.binary.empty()) {
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    if (error) return CannotStart(error.message());
    options_.binary = (self.parent_path() / "assayd").string();
  }
  if (access(options_.binary.c_str(), X_OK) != 0) {
    return CannotStart(absl::StrCat(options_.binary, ": ", std::strerror(errno)));
  }
  const fs::path temporary = fs::temp_directory_path(error);
  const std::string prefix = (error ? fs::path("/tmp") : temporary) / "assay-local-";
  // Earlier calls that were killed together with their servers. A server that is still ending holds
  // the lock of its data, and removes the directory itself.
  RemoveAbandoned(prefix, {kOwnerLock, "data/lock"});
  auto directory = OwnedDirectory::Create(prefix);
  if (!directory.ok()) return CannotStart(directory.status().message());
  directory_ = *std::move(directory);
  if (options_.data_dir.empty()) options_.data_dir = directory_->path() + "/data";
  fs::create_directories(options_.data_dir, error);
  if (error) return CannotStart(absl::StrCat(options_.data_dir, ": ", error.message()));
  return absl::OkStatus();
}

absl::Status LocalServer::Spawn() {
  const std::string port_file = directory_->path() + "/port";
  const std::string log = directory_->path() + "/log";
  const int log_fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::vector<std::string> words = {// What the machine's own server is told does not matter here.
                                    options_.binary, "--no-config",       "--listen",
                                    "127.0.0.1:0",   "--metrics-port",    "0",
                                    "--data-dir",    options_.data_dir,   "--port-file",
                                    port_file,       "--owned-directory", directory_->path()};
  if (!options_.frost_directory.empty()) {
    words.insert(words.end(), {"--frost-directory", options_.frost_directory});
  }
  if (options_.batch_size > 0) {
    words.insert(words.end(), {"--batch-size", absl::StrCat(options_.batch_size)});
  }
  if (options_.threads > 0) {
    words.insert(words.end(), {"--threads", absl::StrCat(options_.threads)});
  }
  // What is measured at a model's first load counts for all later calls of this user.
  if (const std::string cache = UserCache(); !cache.empty()) {
    words.insert(words.end(), {"--numerics-directory", cache + "/assay/numerics"});
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = log_fd < 0 || null_fd < 0 ? -1 : fork();
  if (child == 0) {
    // Only async-signal-safe calls from here on. A group of its own: Ctrl-C on the terminal is for
    // us to handle.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(null_fd, STDIN_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    execv(argv[0], argv.data());
    const char message[] = "cannot execute assayd\n";
    const ssize_t written = write(STDERR_FILENO, message, sizeof(message) - 1);
    _exit(written < 0 ? 126 : 127);
  }
  const int error = errno;
  if (log_fd >= 0) close(log_fd);
  if (null_fd >= 0) close(null_fd);
  if (child < 0) return CannotStart(std::strerror(error));
  pid_ = child;
  return absl::OkStatus();
}

absl::Status LocalServer::AwaitPort(client::Interrupt& interrupt) {
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::milliseconds(int64_t(options_.start_seconds * 1000));
  while (true) {
    std::string text;
    int port = 0;
    if (std::ifstream(directory_->path() + "/port") >> text && absl::SimpleAtoi(text, &port) &&
        port > 0) {
      address_ = absl::StrCat("127.0.0.1:", port);
      return absl::OkStatus();
    }
    if (!Running()) return CannotStart(absl::StrCat("it ended at once; its log:\n", LogTail()));
    if (std::chrono::steady_clock::now() > deadline) {
      return CannotStart(absl::StrCat("it does not serve after ", options_.start_seconds,
                                      " s; its log:\n", LogTail()));
    }
    if (!interrupt.SleepFor(kPollInterval)) return interrupt.Check();
  }
}

bool LocalServer::Running() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) != 0) pid_ = -1;
  return pid_ > 0;
}

std::string LocalServer::LogTail() const {
  std::ifstream log(directory_->path() + "/log");
  std::deque<std::string> lines;
  for (std::string line; std::getline(log, line);) {
    lines.push_back(std::move(line));
    if (lines.size() > kLogTailLines) lines.pop_front();
  }
  return lines.empty() ? "(empty)" : absl::StrJoin(lines, "\n");
}

void LocalServer::Stop() {
  if (!Running()) return;
  // Not SIGTERM, by which the kernel tells it that we are gone.
  kill(pid_, SIGINT);
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::milliseconds(int64_t(options_.stop_seconds * 1000));
  while (Running() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kPollInterval);
  }
  if (!Running()) return;
  // The whole group: an engine must not outlive its server.
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

// The directory goes afterwards.
LocalServer::~LocalServer() { Stop(); }

}  // namespace assay::cli
