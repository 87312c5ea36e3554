#include "server/scheduler/engine_process.h"

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "net/grpc_status.h"

namespace assay::scheduler {
namespace {

namespace rpc = ::assay::engine_rpc::v1;
using SteadyClock = std::chrono::steady_clock;

constexpr int kEngineFd = 3;
constexpr rlim_t kMaxFileBytes = 64 << 20;
constexpr auto kPollInterval = std::chrono::milliseconds(50);

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

// While a call is silent, asks `cancelled` several times a second on a thread of its own. Calls
// `stop`, once, when it says yes.
class CancelWatch {
 public:
  CancelWatch(const std::function<bool()>& cancelled, const std::function<void()>& stop)
      : thread_([this, &cancelled, stop] {
          while (!cancelled()) {
            MutexLock lock(mutex_);
            if (lock.WaitFor(changed_, kPollInterval, [this] { return finished_; })) return;
          }
          stopped_ = true;
          stop();
        }) {}
  // Ends the watching, after a `stop` that is running. Whether there was one. To be called once.
  bool Finish() {
    {
      MutexLock lock(mutex_);
      finished_ = true;
    }
    changed_.notify_all();
    thread_.join();
    return stopped_;
  }

 private:
  Mutex mutex_;
  std::condition_variable changed_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ = false;  // of the thread until it is joined
  std::thread thread_;
};

absl::Status SystemError(const char* what) {
  return Error(Reason::kInternal,
               absl::StrCat("cannot start the engine: ", what, ": ", strerror(errno)));
}

// Runs in the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void ExecEngine(const char* binary, char* const* argv, char* const* envp, int socket,
                             int standard_input, int log) {
  // The socket first: it may sit on a descriptor that the others are about to take.
  const int high = fcntl(socket, F_DUPFD, 64);
  const int high_input = fcntl(standard_input, F_DUPFD, 64);
  const int high_log = fcntl(log, F_DUPFD, 64);
  dup2(high_input, STDIN_FILENO);
  dup2(high_log, STDOUT_FILENO);
  dup2(high_log, STDERR_FILENO);
  dup2(high, kEngineFd);
  syscall(SYS_close_range, kEngineFd + 1, ~0U, 0);
  const rlimit file_size{kMaxFileBytes, kMaxFileBytes};
  setrlimit(RLIMIT_FSIZE, &file_size);
  const rlimit core{0, 0};
  setrlimit(RLIMIT_CORE, &core);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  setsid();
  signal(SIGXFSZ, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(binary, argv, envp);
  _exit(127);
}

std::string DescribeExit(int status) {
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    const char* const name = sigabbrev_np(number);
    // Nothing in a process sends it SIGKILL by accident.
    return absl::StrCat("it was killed by signal ", number, " (", name == nullptr ? "" : "SIG",
                        name == nullptr ? strsignal(number) : name, ")",
                        number == SIGKILL
                            ? " from outside, as the system does when memory runs out (the "
                              "kernel log tells) or an operator"
                            : "");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return "its program could not be started";
  return absl::StrCat("it exited with status ", WIFEXITED(status) ? WEXITSTATUS(status) : status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EngineProcess>> EngineProcess::Start(const EngineOptions& options) {
  if (access(options.binary.c_str(), X_OK) != 0) return SystemError("assay-engine is not there");
  int sockets[2];
  // Non-blocking from the start: gRPC hangs on a blocking one.
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets) != 0) {
    return SystemError("socketpair");
  }
  int lifeline[2];
  if (pipe2(lifeline, O_CLOEXEC) != 0) {
    close(sockets[0]);
    close(sockets[1]);
    return SystemError("pipe");
  }
  // Read and write end.
  int output[2] = {-1, -1};
  if (options.log_path.empty()) {
    output[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
  } else if (pipe2(output, O_CLOEXEC) != 0) {
    for (const int fd : {sockets[0], sockets[1], lifeline[0], lifeline[1]}) close(fd);
    return SystemError("pipe");
  }

  // Everything that allocates is done before the fork. The engine gets no environment but what it
  // needs.
  std::vector<std::string> environment = {absl::StrCat("OMP_NUM_THREADS=", options.threads),
                                          "PATH=/usr/bin:/bin", "LC_ALL=C"};
  for (const char* name :
       {"LD_LIBRARY_PATH", "CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"}) {
    if (const char* value = std::getenv(name))
      environment.push_back(absl::StrCat(name, "=", value));
  }
  std::vector<char*> envp;
  for (std::string& variable : environment) envp.push_back(variable.data());
  envp.push_back(nullptr);
  std::string name = "assay-engine", flag = "--fd", number = absl::StrCat(kEngineFd);
  char* const argv[] = {name.data(), flag.data(), number.data(), nullptr};

  const pid_t pid = fork();
  if (pid == 0) {
    ExecEngine(options.binary.c_str(), argv, envp.data(), sockets[1], lifeline[0], output[1]);
  }
  close(sockets[1]);
  close(lifeline[0]);
  close(output[1]);
  std::unique_ptr<EngineLog> log;
  if (output[0] >= 0) log = std::make_unique<EngineLog>(output[0], options.log_path);
  if (pid < 0) {
    close(sockets[0]);
    close(lifeline[1]);
    return SystemError("fork");
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  auto channel = grpc::CreateCustomInsecureChannelFromFd("assay-engine", sockets[0], arguments);
  LogFields log_fields = options.log_fields;
  log_fields.emplace_back("engine_pid", pid);
  LogInfo("engine started", log_fields);
  return std::unique_ptr<EngineProcess>(new EngineProcess(
      pid, lifeline[1], std::move(log), std::move(channel), std::move(log_fields)));
}

EngineProcess::EngineProcess(int pid, int lifeline, std::unique_ptr<EngineLog> log,
                             std::shared_ptr<grpc::Channel> channel, LogFields log_fields)
    : pid_(pid),
      log_fields_(std::move(log_fields)),
      usage_(std::make_shared<EngineUsage>(pid)),
      lifeline_(lifeline),
      log_(std::move(log)),
      channel_(std::move(channel)),
      stub_(rpc::EngineService::NewStub(channel_)) {}

EngineProcess::~EngineProcess() {
  Kill();
  close(lifeline_);
}

void EngineProcess::Kill() {
  {
    MutexLock lock(mutex_);
    killed_ = true;
    if (!reaped_) kill(pid_, SIGKILL);
  }
  Reap(10'000);
}

bool EngineProcess::alive() const {
  Reap(0);
  MutexLock lock(mutex_);
  return !reaped_;
}

void EngineProcess::Reap(int milliseconds) const {
  const auto deadline = SteadyClock::now() + std::chrono::milliseconds(milliseconds);
  while (true) {
    {
      MutexLock lock(mutex_);
      if (reaped_) return;
      int status = 0;
      if (usage_->Collect(&status)) {
        reaped_ = true;
        exit_status_ = status;
        if (killed_) {
          LogInfo("engine stopped", log_fields_);
        } else {
          LogFields fields = log_fields_;
          fields.emplace_back("error", DescribeExit(status));
          LogWarning("engine died", fields);
        }
        return;
      }
    }
    if (SteadyClock::now() >= deadline) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

bool EngineProcess::WasKilledFromOutside() const {
  MutexLock lock(mutex_);
  if (killed_) return true;
  if (!reaped_ || !WIFSIGNALED(exit_status_)) return false;
  const int signal = WTERMSIG(exit_status_);
  return signal == SIGKILL || signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
}

absl::Status EngineProcess::Explain(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  // A call that the engine answered has a reason; one that broke has none.
  const absl::Status answer = FromGrpcStatus(status);
  if (ReasonOf(answer).has_value()) return answer;
  Reap(1000);
  MutexLock lock(mutex_);
  if (killed_) return Error(Reason::kEngineLost, "the engine was stopped");
  if (reaped_) {
    return Error(Reason::kEngineLost,
                 absl::StrCat("the engine process ended: ", DescribeExit(exit_status_)));
  }
  return Error(Reason::kEngineLost,
               absl::StrCat("the engine does not answer: ", status.error_message()));
}

absl::Status EngineProcess::Load(const rpc::LoadRequest& request, double timeout_seconds,
                                 const std::function<bool()>& cancelled,
                                 rpc::LoadResponse* response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + Milliseconds(timeout_seconds));
  CancelWatch watch(cancelled, [this] { Kill(); });
  const grpc::Status status = stub_->Load(&context, request, response);
  if (watch.Finish()) return Error(Reason::kCancelled, "loading the model was cancelled");
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    Kill();
    return Error(Reason::kModelFailed,
                 absl::StrCat("the model did not load and answer within ", timeout_seconds, " s"));
  }
  return Explain(status);
}

absl::Status EngineProcess::Run(const rpc::RunRequest& request, const EventHandler& on_event,
                                const std::function<bool()>& cancelled, double grace_seconds) {
  grpc::ClientContext context;
  CancelWatch watch(cancelled, [&] {
    // The stream ends at once for us; the engine itself is asked whether it stopped.
    context.TryCancel();
    StopWithin(grace_seconds);
  });
  const auto reader = stub_->Run(&context, request);
  rpc::RunEvent event;
  while (reader->Read(&event)) on_event(event);
  const grpc::Status status = reader->Finish();
  if (watch.Finish()) return Error(Reason::kCancelled, "the task was cancelled");
  return Explain(status);
}

void EngineProcess::StopWithin(double seconds) {
  const auto deadline = SteadyClock::now() + Milliseconds(seconds);
  while (SteadyClock::now() < deadline) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
    rpc::IdleResponse answer;
    if (stub_->Idle(&context, rpc::IdleRequest(), &answer).ok() && answer.idle()) return;
    if (!alive()) return;
    std::this_thread::sleep_for(kPollInterval);
  }
  Kill();
}

}  // namespace assay::scheduler
