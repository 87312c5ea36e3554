// `assay admin drain`.
#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/base/command.h"
#include "client/cli/base/server_status.h"
#include "core/base/errors.h"

namespace assay::cli {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(500);

struct DrainOptions {
  bool wait = false;
  bool release = false;
  double timeout = 0;
};

absl::Status Await(Session& session, client::Client& client, double timeout) {
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const v1::ServerStatus status, client.GetServerStatus());
    const v1::QueueControl& control = status.control();
    if (!control.draining()) {
      return absl::FailedPreconditionError(
          "the server does not drain any more: somebody has resumed or restarted it");
    }
    if (control.running_tasks() == 0) {
      session.Say("drained: no task runs");
      return absl::OkStatus();
    }
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (timeout > 0 && passed.count() > timeout) {
      return absl::DeadlineExceededError(
          absl::StrCat("still running after ", timeout, " s: ", control.running_tasks(),
                       "; `assay admin drain --release` gives them back to the queue"));
    }
    if (!session.interrupt().SleepFor(kInterval)) return session.interrupt().Check();
  }
}

}  // namespace

CommandRun AdminDrain(Leaf& leaf) {
  const auto options = std::make_shared<DrainOptions>();
  Option wait = leaf.Add("--wait", &options->wait, "Wait until no task runs");
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
    ASSAY_ASSIGN_OR_RETURN(const v1::QueueControl control, client->DrainServer(options->release));
    session.Say(ControlText(control));
    return options->wait ? Await(session, *client, options->timeout) : absl::OkStatus();
  };
}

}  // namespace assay::cli
