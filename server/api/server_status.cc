#include "server/api/server_status.h"

#include <unistd.h>

#include <optional>
#include <set>
#include <string>

#include "core/base/errors.h"
#include "server/api/event_pump.h"
#include "server/api/timestamps.h"
#include "server/monitoring/system_usage.h"

namespace assay::api {
namespace {

using v1::ServerStatus;

constexpr int kMostRunning = 100;

void SetUsage(int pid, const monitoring::ProcessUsage& usage, ServerStatus::ProcessUsage* process) {
  process->set_pid(pid);
  process->set_resident_bytes(usage.resident_bytes);
  process->set_cpu_seconds(usage.cpu_seconds);
}

void SetDisk(const Context& context, ServerStatus::Disk* disk) {
  const store::BlobCount blobs = context.blobs.Count();
  disk->set_blobs(blobs.blobs);
  disk->set_blob_bytes(blobs.bytes);
  disk->set_quota_bytes(context.disk_quota_bytes);
  if (context.sweeper != nullptr) disk->set_reserve_bytes(context.sweeper->reserve_bytes());
  if (context.disk == nullptr) return;
  const monitoring::DiskUsage usage = context.disk->Read();
  disk->set_size_bytes(usage.size_bytes.value_or(0));
  disk->set_free_bytes(usage.free_bytes.value_or(0));
  disk->set_database_bytes(usage.database_bytes);
}

absl::Status AddRunning(Context& context, ServerStatus* status) {
  store::EvaluationFilter filter;
  filter.states = {v1::Evaluation::RUNNING, v1::Evaluation::RECEIVING};
  ASSAY_ASSIGN_OR_RETURN(const auto listing,
                         CurrentEvaluations(context, {kMostRunning, ""}, filter));
  std::set<std::string> at_work;
  for (const ServerStatus::Worker& worker : status->workers()) {
    if (worker.has_task() && !worker.lost()) at_work.insert(worker.task().evaluation());
  }
  for (const auto& record : listing.records) {
    const v1::Evaluation& evaluation = record.proto;
    ServerStatus::RunningEvaluation& running = *status->add_running();
    running.set_name(evaluation.name());
    running.set_model(evaluation.spec().model());
    running.set_dataset(evaluation.spec().dataset());
    running.set_state(evaluation.state());
    *running.mutable_progress() = evaluation.progress();
    if (evaluation.has_start_time()) *running.mutable_start_time() = evaluation.start_time();
    // How much there will be of one that is still being received nobody knows.
    if (evaluation.state() == v1::Evaluation::RECEIVING) continue;
    if (at_work.count(evaluation.name()) > 0) {
      context.control.NotePace(evaluation.name(), evaluation.progress().work_done());
    }
    const auto remaining = context.control.RemainingSeconds(
        evaluation.name(), evaluation.progress().work_done(), evaluation.progress().work());
    if (remaining) running.set_remaining_seconds(*remaining);
  }
  return absl::OkStatus();
}

}  // namespace

v1::QueueControl ControlOf(const Context& context) {
  const scheduler::WorkControl::State state = context.control.state();
  v1::QueueControl control;
  control.set_paused(state.paused);
  if (state.paused) *control.mutable_pause_time() = ToTimestamp(state.pause_micros);
  control.set_pause_reason(state.pause_reason);
  control.set_draining(state.draining);
  if (state.draining) *control.mutable_drain_time() = ToTimestamp(state.drain_micros);
  control.set_running_tasks(context.registry.RunningTasks());
  return control;
}

absl::StatusOr<ServerStatus> StatusOf(Context& context) {
  const int64_t now = context.clock.NowMicros();
  ServerStatus status;
  status.set_version(ASSAY_VERSION);
  *status.mutable_time() = ToTimestamp(now);
  *status.mutable_start_time() = ToTimestamp(context.start_micros);
  *status.mutable_control() = ControlOf(context);
  ASSAY_ASSIGN_OR_RETURN(const auto evaluations, context.evaluations.CountEvaluations());
  for (const auto& [state, count] : evaluations) (*status.mutable_evaluations())[state] = count;
  ASSAY_ASSIGN_OR_RETURN(const auto tasks, context.tasks.CountTasks());
  for (const auto& [state, count] : tasks) (*status.mutable_tasks())[state] = count;
  ASSAY_ASSIGN_OR_RETURN(const std::optional<int64_t> oldest, context.tasks.OldestOpenTaskMicros());
  if (oldest) *status.mutable_oldest_task_time() = ToTimestamp(*oldest);
  context.registry.Describe(&status);
  SetDisk(context, status.mutable_disk());
  ASSAY_RETURN_IF_ERROR(AddRunning(context, &status));
  if (const auto own = monitoring::ReadProcess(getpid())) {
    SetUsage(getpid(), *own, status.mutable_process());
  }
  for (const auto& [method, count] : context.metrics.OpenCalls()) {
    (*status.mutable_open_calls())[method] = count;
  }
  return status;
}

}  // namespace assay::api
