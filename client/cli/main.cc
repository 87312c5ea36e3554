// `assay`: the command line client (docs/cli.md).
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <thread>
#include <utility>
#include <variant>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/exit_codes.h"
#include "client/cli/session.h"
#include "client/lib/interrupt.h"

namespace {

constexpr int kExitBySignal = 128;

// SIGINT and SIGTERM trigger the interrupt; the second one ends the process at once. A thread takes
// them, so that no handler has to keep to async-signal-safe calls. Must run before any other thread
// starts, for all to inherit the mask.
void HandleSignals(assay::client::Interrupt& interrupt) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, &interrupt] {
    int signal = 0;
    sigwait(&signals, &signal);
    interrupt.Trigger();
    sigwait(&signals, &signal);
    _exit(kExitBySignal + signal);
  }).detach();
}

}  // namespace

int main(int argc, char** argv) {
  const char* const server = std::getenv("ASSAY_SERVER");
  auto parsed = assay::cli::ParseArguments(argc, argv, server == nullptr ? "" : server);
  if (const auto* exit = std::get_if<assay::cli::Exit>(&parsed)) {
    std::cout << exit->out << std::flush;
    std::cerr << exit->err << std::flush;
    return exit->code;
  }
  // Never destroyed: the signal thread may use it until the process is gone.
  auto& interrupt = *new assay::client::Interrupt;
  HandleSignals(interrupt);
  assay::cli::Session session(std::get<assay::cli::Arguments>(std::move(parsed)), interrupt);
  const absl::Status status = session.Explain(assay::cli::RunCommand(session));
  session.progress().Clear();
  if (!status.ok()) std::cerr << assay::cli::ErrorText(status) << std::flush;
  return assay::cli::ExitCodeOf(status);
}
