#include "server/api/waiting_reason.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace assay::api {
namespace {

using Workers = std::vector<v1::ServerStatus::Worker>;

bool Waits(const v1::Evaluation& evaluation) {
  return evaluation.state() == v1::Evaluation::QUEUED ||
         evaluation.state() == v1::Evaluation::RUNNING;
}

// Workers that have not ended without saying so.
Workers Living(const Context& context) {
  Workers workers = context.registry.Workers();
  workers.erase(std::remove_if(workers.begin(), workers.end(),
                               [](const auto& worker) { return worker.lost(); }),
                workers.end());
  return workers;
}

std::string Reason(const scheduler::WorkControl::State& control, const Workers& workers,
                   const v1::Evaluation& evaluation) {
  const auto any = [&](const auto& condition) {
    return std::any_of(workers.begin(), workers.end(), condition);
  };
  if (any([&](const auto& worker) { return worker.task().evaluation() == evaluation.name(); })) {
    return "";
  }
  if (control.paused) {
    return absl::StrCat("the queue is paused", control.pause_reason.empty() ? "" : " (",
                        control.pause_reason, control.pause_reason.empty() ? "" : ")");
  }
  if (workers.empty()) return "no worker is registered";
  const std::string& pin = evaluation.spec().pin_numerics();
  const auto fits = [&](const auto& worker) { return pin.empty() || worker.device_kind() == pin; };
  if (!any(fits)) {
    std::set<std::string> kinds;
    for (const auto& worker : workers) kinds.insert(worker.device_kind());
    return absl::StrCat("no worker has a device of the kind '", pin,
                        "' (pin_numerics); registered: ", absl::StrJoin(kinds, ", "));
  }
  if (any([&](const auto& worker) { return fits(worker) && !worker.draining(); })) return "";
  return pin.empty() ? "every worker is being drained"
                     : absl::StrCat("every worker with a device of the kind '", pin,
                                    "' (pin_numerics) is being drained");
}

}  // namespace

void SetWaitingReason(const Context& context, v1::Evaluation* evaluation) {
  if (!Waits(*evaluation)) return;
  evaluation->set_waiting_reason(Reason(context.control.state(), Living(context), *evaluation));
}

void SetWaitingReasons(const Context& context, std::vector<store::EvaluationRecord>* records) {
  const bool any = std::any_of(records->begin(), records->end(),
                               [](const auto& record) { return Waits(record.proto); });
  if (!any) return;
  const scheduler::WorkControl::State control = context.control.state();
  const Workers workers = Living(context);
  for (store::EvaluationRecord& record : *records) {
    if (!Waits(record.proto)) continue;
    record.proto.set_waiting_reason(Reason(control, workers, record.proto));
  }
}

}  // namespace assay::api
