#include "server/scheduler/work_control.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/base/durable_file.h"
#include "core/base/errors.h"
#include "nlohmann/json.hpp"

namespace assay::scheduler {
namespace {

namespace fs = std::filesystem;

// Of evaluations whose pace is remembered, the least recently worked on goes.
constexpr size_t kMostOrigins = 1000;
// Less tells nothing of the rest: conditions differ in what a pass costs.
constexpr double kLeastSeconds = 3;
constexpr double kLeastShare = 0.01;

}  // namespace

absl::Status WorkControl::RememberIn(const std::string& path) {
  MutexLock pausing(pausing_);
  MutexLock lock(mutex_);
  path_ = path;
  if (!fs::exists(path)) return absl::OkStatus();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  // Whatever is in it: the file says that the queue is paused.
  state_.paused = true;
  state_.pause_micros = clock_.NowMicros();
  if (!json.is_object()) return absl::OkStatus();
  if (const auto time = json.find("time_micros"); time != json.end() && time->is_number_integer()) {
    state_.pause_micros = time->get<int64_t>();
  }
  if (const auto reason = json.find("reason"); reason != json.end() && reason->is_string()) {
    state_.pause_reason = reason->get<std::string>();
  }
  return absl::OkStatus();
}

absl::Status WorkControl::RememberIn(store::Instances& store) {
  {
    MutexLock pausing(pausing_);
    store_ = &store;
  }
  return RefreshPause().status();
}

void WorkControl::SetPause(const std::optional<store::Pause>& pause) {
  state_.paused = pause.has_value();
  state_.pause_micros = pause ? pause->since_micros : 0;
  state_.pause_reason = pause ? pause->reason : "";
  origins_.clear();
}

absl::StatusOr<bool> WorkControl::RefreshPause() {
  MutexLock pausing(pausing_);
  if (store_ == nullptr) return false;
  ASSAY_ASSIGN_OR_RETURN(const std::optional<store::Pause> pause, store_->GetPause());
  MutexLock lock(mutex_);
  if (pause.has_value() == state_.paused &&
      (!pause ||
       (pause->reason == state_.pause_reason && pause->since_micros == state_.pause_micros))) {
    return false;
  }
  SetPause(pause);
  return true;
}

absl::Status WorkControl::Pause(const std::string& reason) {
  MutexLock pausing(pausing_);
  const State before = state();
  store::Pause pause{before.paused ? before.pause_micros : clock_.NowMicros(), reason};
  if (store_ != nullptr) {
    ASSAY_ASSIGN_OR_RETURN(pause, store_->PauseClaims(reason));
  } else if (!path_.empty()) {
    const nlohmann::json json = {{"time_micros", pause.since_micros}, {"reason", reason}};
    ASSAY_RETURN_IF_ERROR(WriteDurably(path_, json.dump() + "\n"));
  }
  MutexLock lock(mutex_);
  SetPause(pause);
  return absl::OkStatus();
}

void WorkControl::Drain(bool release) {
  {
    MutexLock lock(mutex_);
    if (!state_.draining) state_.drain_micros = clock_.NowMicros();
    state_.draining = true;
    if (release) ++releases_;
    origins_.clear();
  }
  TellListener();
}

void WorkControl::EndDrain() {
  {
    MutexLock lock(mutex_);
    state_.draining = false;
    state_.drain_micros = 0;
    origins_.clear();
  }
  TellListener();
}

absl::Status WorkControl::Resume() {
  {
    MutexLock pausing(pausing_);
    if (store_ != nullptr) {
      ASSAY_RETURN_IF_ERROR(store_->ResumeClaims());
    } else if (state().paused && !path_.empty()) {
      ASSAY_RETURN_IF_ERROR(RemoveDurably(path_));
    }
    MutexLock lock(mutex_);
    SetPause(std::nullopt);
  }
  EndDrain();
  return absl::OkStatus();
}

void WorkControl::OnDrainChange(std::function<void()> listener) {
  MutexLock lock(listener_mutex_);
  listener_ = std::move(listener);
}

void WorkControl::TellListener() {
  MutexLock lock(listener_mutex_);
  if (listener_ != nullptr) listener_();
}

WorkControl::State WorkControl::state() const {
  MutexLock lock(mutex_);
  State state = state_;
  const bool closed = state_.paused || state_.draining;
  for (const auto& [device, entry] : workers_) {
    // One that was let in before the queue was closed may be about to have a task.
    state.running_tasks += entry.shown.task || (closed && entry.claiming) ? 1 : 0;
  }
  return state;
}

bool WorkControl::draining() const {
  MutexLock lock(mutex_);
  return state_.draining;
}

std::vector<WorkControl::WorkerState> WorkControl::Workers() const {
  MutexLock lock(mutex_);
  std::vector<WorkerState> all;
  for (const auto& [device, entry] : workers_) {
    all.push_back(entry.shown);
    all.back().claiming = entry.claiming && !entry.shown.task;
    if (!entry.began || !entry.shown.task || entry.shown.task->samples_done == 0) continue;
    const std::chrono::duration<double> seconds = SteadyClock::now() - *entry.began;
    if (seconds.count() > 0) {
      all.back().task->samples_per_second =
          static_cast<double>(entry.shown.task->samples_done) / seconds.count();
    }
  }
  return all;
}

std::optional<double> WorkControl::RemainingSeconds(const std::string& evaluation, double done,
                                                    double work) const {
  MutexLock lock(mutex_);
  const auto found = origins_.find(evaluation);
  if (state_.paused || state_.draining || found == origins_.end() || work <= 0) return std::nullopt;
  const std::chrono::duration<double> seconds = SteadyClock::now() - found->second.time;
  const double gained = done - found->second.work;
  if (seconds.count() < kLeastSeconds || gained < kLeastShare * work) return std::nullopt;
  return std::max(0.0, work - done) / gained * seconds.count();
}

bool WorkControl::BeginClaim(const std::string& device) {
  MutexLock lock(mutex_);
  if (state_.paused || state_.draining) return false;
  workers_[device].claiming = true;
  return true;
}

int64_t WorkControl::releases() const {
  MutexLock lock(mutex_);
  return releases_;
}

void WorkControl::AddWorker(const std::string& device) {
  MutexLock lock(mutex_);
  workers_[device].shown.device = device;
}

void WorkControl::BeginTask(const std::string& device, const RunningTask& task,
                            double evaluation_work_done) {
  MutexLock lock(mutex_);
  Entry& entry = workers_[device];
  entry.shown.task = task;
  entry.shown.task->start_micros = clock_.NowMicros();
  entry.began = std::nullopt;
  AddOrigin(task.evaluation, evaluation_work_done);
}

void WorkControl::NotePace(const std::string& evaluation, double work_done) {
  MutexLock lock(mutex_);
  AddOrigin(evaluation, work_done);
}

void WorkControl::AddOrigin(const std::string& evaluation, double work_done) {
  const auto [origin, added] =
      origins_.try_emplace(evaluation, Origin{SteadyClock::now(), work_done});
  origin->second.use = ++uses_;
  if (!added || origins_.size() <= kMostOrigins) return;
  origins_.erase(
      std::min_element(origins_.begin(), origins_.end(),
                       [](const auto& a, const auto& b) { return a.second.use < b.second.use; }));
}

void WorkControl::BeginRun(const std::string& device) {
  MutexLock lock(mutex_);
  workers_[device].began = SteadyClock::now();
}

void WorkControl::UpdateTask(const std::string& device, int64_t samples_done,
                             double fraction_done) {
  MutexLock lock(mutex_);
  Entry& entry = workers_[device];
  if (!entry.shown.task) return;
  entry.shown.task->samples_done = samples_done;
  entry.shown.task->fraction_done = fraction_done;
}

void WorkControl::EndTask(const std::string& device, bool committed) {
  MutexLock lock(mutex_);
  Entry& entry = workers_[device];
  if (committed && entry.shown.task) {
    ++entry.shown.tasks_done;
    entry.shown.samples_done += entry.shown.task->samples;
  }
  entry.shown.task = std::nullopt;
  entry.began = std::nullopt;
  entry.claiming = false;
}

}  // namespace assay::scheduler
