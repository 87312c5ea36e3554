// `assay admin drain`.
#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/base/command.h"
#include "client/cli/base/server_status.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(500);

struct DrainOptions {
  std::string instance;
  bool wait = false;
  bool release = false;
  double timeout = 0;
};

// Waits until no worker of `instance` has a task. Asked again, another assayd may answer.
absl::Status Await(Session& session, client::Client& client, const std::string& instance,
                   double timeout) {
  const auto start = std::chrono::steady_clock::now();
  bool drained = false;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const v1::ServerStatus status, client.GetServerStatus());
    int workers = 0, drains = 0, running = 0;
    for (const auto& worker : status.workers()) {
      if (worker.instance() != instance || worker.lost()) continue;
      ++workers;
      drains += worker.draining() ? 1 : 0;
      running += worker.has_task() || !worker.draining() ? 1 : 0;
    }
    const bool all = drains == workers &&
                     (status.instance() != instance || status.control().draining() || workers > 0);
    if (drained && !all) {
      return absl::FailedPreconditionError(
          absl::StrCat(instance, " does not drain any more: somebody has resumed or restarted it"));
    }
    drained = drained || all;
    if (all && running == 0) {
      session.Say(absl::StrCat("drained: no task runs on ", instance));
      return absl::OkStatus();
    }
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (timeout > 0 && passed.count() > timeout) {
      return absl::DeadlineExceededError(
          absl::StrCat("still running after ", timeout, " s: ", running,
                       "; `assay admin drain --release` gives them back to the queue"));
    }
    if (!session.interrupt().SleepFor(kInterval)) return session.interrupt().Check();
  }
}

}  // namespace

CommandRun AdminDrain(Leaf& leaf) {
  const auto options = std::make_shared<DrainOptions>();
  leaf.Add("--instance", &options->instance,
           "Which of several assayds over one store, as `assay admin workers` names it (default: "
           "the one that answers)")
      .TypeName("NAME");
  Option wait = leaf.Add("--wait", &options->wait, "Wait until no task runs there");
  leaf.Add("--timeout", &options->timeout, "Wait so many seconds at most")
      .TypeName("SECONDS")
      .Positive()
      .Needs(wait);
  leaf.Add("--release", &options->release,
           "Give running tasks back to the queue now, to begin again later");
  leaf.Footer(
      "New work is refused, and running tasks end, until `assay admin resume` or a restart.");
  return [options](Session& session) -> absl::Status {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    std::string instance = options->instance;
    if (instance.empty()) {
      ASSAY_ASSIGN_OR_RETURN(const v1::ServerStatus status, client->GetServerStatus());
      instance = status.instance();
    }
    ASSAY_ASSIGN_OR_RETURN(const v1::QueueControl control,
                           client->DrainServer(options->release, instance));
    session.Say(control.draining() && options->instance.empty()
                    ? ControlText(control)
                    : absl::StrCat(instance, " is being drained"));
    return options->wait ? Await(session, *client, instance, options->timeout) : absl::OkStatus();
  };
}

}  // namespace assay::cli
