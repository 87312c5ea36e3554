// `assay`: the command line client (docs/cli.md).
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <variant>

#include "client/cli/base/exit_codes.h"
#include "client/cli/base/screen.h"
#include "client/cli/base/session.h"
#include "client/cli/command_line.h"
#include "client/lib/interrupt.h"

namespace {

constexpr int kExitBySignal = 128;
// From a signal to the end of a process that does not react to it.
constexpr std::chrono::milliseconds kPatience{900};
constexpr std::chrono::milliseconds kPoll{50};

// The number of a signal that came within `wait`; 0 without one.
int AwaitSignal(const sigset_t& signals, std::chrono::milliseconds wait) {
  const timespec limit{0, std::chrono::nanoseconds(wait).count()};
  return std::max(0, sigtimedwait(&signals, nullptr, &limit));
}

// For a main thread that an interrupt does not reach, because it sits in a system call (a file on a
// dead network drive, a pipe that nobody empties) or computes: ends the process with the code of a
// cancellation, or at once by a second signal. Not while something is brought to an end; a private
// server that is left behind stops by itself and clears up (PR_SET_PDEATHSIG).
[[noreturn]] void EndSoon(const sigset_t& signals, const assay::client::Interrupt& interrupt) {
  std::chrono::milliseconds idle{0};
  while (idle < kPatience) {
    if (const int signal = AwaitSignal(signals, kPoll); signal > 0) {
      assay::cli::RestoreTerminal();
      _exit(kExitBySignal + signal);
    }
    idle = interrupt.ending() ? std::chrono::milliseconds(0) : idle + kPoll;
  }
  assay::cli::RestoreTerminal();
  constexpr char kText[] = "\nerror: interrupted\n";
  if (write(STDERR_FILENO, kText, sizeof(kText) - 1) < 0) _exit(assay::cli::kExitCancelled);
  _exit(assay::cli::kExitCancelled);
}

// Who read stdout or stderr is gone (`| head`): an end like any other, so that a private server is
// stopped and its data removed. The writer itself is told by EPIPE.
volatile sig_atomic_t reader_gone = 0;
void OnBrokenPipe(int /*signal*/) {
  reader_gone = 1;
  signal(SIGPIPE, SIG_IGN);
  kill(getpid(), SIGTERM);
}

bool Ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// SIGINT, SIGTERM and the like trigger the interrupt; the second one ends the process at once. What
// was ignored from the start (nohup) stays so. A thread takes them, so that no handler has to keep
// to async-signal-safe calls. Must run before any other thread starts, for all to inherit the mask.
void HandleSignals(assay::client::Interrupt& interrupt) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  for (const int more : {SIGHUP, SIGQUIT}) {
    if (!Ignored(more)) sigaddset(&signals, more);
  }
  if (!Ignored(SIGPIPE)) signal(SIGPIPE, OnBrokenPipe);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, &interrupt] {
    int signal = 0;
    sigwait(&signals, &signal);
    interrupt.Trigger();
    EndSoon(signals, interrupt);
  }).detach();
}

}  // namespace

int main(int argc, char** argv) {
  const auto environment = [](const char* name) -> std::string {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  const auto parsed = assay::cli::ParseCommandLine(argc, argv, environment("ASSAY_SERVER"),
                                                   environment("ASSAY_TOKEN_FILE"));
  if (const auto* exit = std::get_if<assay::cli::Exit>(&parsed)) {
    std::cout << exit->out << std::flush;
    std::cerr << exit->err << std::flush;
    return exit->code;
  }
  // Never destroyed: the signal thread may use it until the process is gone.
  auto& interrupt = *new assay::client::Interrupt;
  HandleSignals(interrupt);
  const auto& call = std::get<assay::cli::Call>(parsed);
  auto session = std::make_unique<assay::cli::Session>(call.options, interrupt);
  const absl::Status status = session->Explain(call.run(*session));
  session->progress().Clear();
  if (!status.ok() && reader_gone == 0) {
    std::cerr << assay::cli::ErrorText(status) << std::flush;
  }
  // The private server has some seconds to stop and to clear up.
  const assay::client::Interrupt::Ending ending(interrupt);
  session.reset();
  return reader_gone != 0 ? kExitBySignal + SIGPIPE : assay::cli::ExitCodeOf(status);
}
