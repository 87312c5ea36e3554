#include "client/cli/base/server_status.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "assay/v1/evaluations.pb.h"
#include "client/render/numbers.h"
#include "client/render/text.h"
#include "core/base/resource_names.h"
#include "google/protobuf/util/time_util.h"

namespace assay::cli {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using v1::ServerStatus;

// What both ends of the row of a table may be shortened to.
constexpr size_t kLeastName = 12;

double SecondsBetween(const Timestamp& from, const Timestamp& to) {
  return std::max(0.0, static_cast<double>(TimeUtil::TimestampToMicroseconds(to) -
                                           TimeUtil::TimestampToMicroseconds(from)) /
                           1e6);
}

std::string Since(const Timestamp& from, const ServerStatus& status) {
  return render::Duration(SecondsBetween(from, status.time()));
}

std::string Short(const std::string& name) { return name.substr(name.find('/') + 1); }

std::string PercentOrNone(const std::optional<double>& share) {
  return share ? absl::StrCat(render::Percent(*share), " %") : render::kUndefined;
}

std::string States(const google::protobuf::Map<std::string, int64_t>& counts,
                   const std::vector<std::string>& order, const char* gap) {
  std::vector<std::string> parts;
  for (const std::string& state : order) {
    const auto found = counts.find(state);
    if (found == counts.end() || found->second == 0) continue;
    parts.push_back(absl::StrCat(render::Count(found->second), " ", absl::AsciiStrToLower(state)));
  }
  return parts.empty() ? "none" : absl::StrJoin(parts, gap);
}

std::string EvaluationStates(const ServerStatus& status, const char* gap = ", ") {
  return States(status.evaluations(),
                {"RECEIVING", "QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"}, gap);
}

std::string QueueText(const ServerStatus& status) {
  std::string text =
      absl::StrCat("tasks: ", States(status.tasks(), {"OPEN", "LEASED", "DONE"}, ", "));
  if (status.has_oldest_task_time()) {
    absl::StrAppend(&text, "; the oldest waits for ", Since(status.oldest_task_time(), status));
  }
  return text;
}

double DoneShare(const v1::Progress& progress) {
  return progress.work() > 0 ? progress.work_done() / progress.work() : 0;
}

std::string SamplesText(int64_t done, int64_t all) {
  return absl::StrCat(render::Count(done), " of ", render::Count(all));
}

// Whether it is to be told on which of several assayds something is.
bool IsOfSeveral(const ServerStatus& status) {
  for (const ServerStatus::Worker& worker : status.workers()) {
    if (worker.instance() != status.workers(0).instance()) return true;
  }
  return status.workers_size() > 0 && status.workers(0).instance() != status.instance();
}

std::string WorkerName(const ServerStatus::Worker& worker, const ServerStatus& status) {
  return IsOfSeveral(status) ? absl::StrCat(worker.instance(), " ", worker.device())
                             : worker.device();
}

// "lost for 0:20", "draining", "busy", "idle".
std::string WorkerState(const ServerStatus::Worker& worker, const ServerStatus& status) {
  if (worker.lost()) return absl::StrCat("lost for ", Since(worker.heartbeat_time(), status));
  if (worker.draining()) return "draining";
  return worker.has_task() ? "busy" : "idle";
}

std::string TaskText(const ServerStatus::Worker::Task& task, const ServerStatus& status) {
  std::string text = absl::StrCat(task.evaluation(), " ", task.condition(), ": ",
                                  SamplesText(task.samples_done(), task.samples()), " samples, ",
                                  render::Percent(task.fraction_done()), " %");
  if (task.has_samples_per_second()) {
    absl::StrAppend(&text, ", ", render::Significant(task.samples_per_second(), 3), " samples/s");
  }
  absl::StrAppend(&text, ", for ", Since(task.start_time(), status));
  if (task.attempt() > 1) absl::StrAppend(&text, ", attempt ", task.attempt());
  return text;
}

std::string EngineState(const ServerStatus::Engine& engine) {
  return absl::AsciiStrToLower(ServerStatus::Engine::State_Name(engine.state()));
}

std::string MemoryText(const ServerStatus::Device& device) {
  if (!device.has_memory_bytes() || !device.has_memory_used_bytes()) return render::kUndefined;
  return absl::StrCat(render::Bytes(device.memory_used_bytes()), " of ",
                      render::Bytes(device.memory_bytes()));
}

std::optional<double> Utilization(const ServerStatus::Device& device) {
  if (!device.has_utilization_ratio()) return std::nullopt;
  return device.utilization_ratio();
}

int64_t StoredBytes(const ServerStatus::Disk& disk) {
  return disk.blob_bytes() + disk.database_bytes();
}

std::string DiskText(const ServerStatus::Disk& disk, const char* gap) {
  std::string text = absl::StrCat(
      render::Bytes(disk.free_bytes()), " of ", render::Bytes(disk.size_bytes()), " free", gap,
      render::Count(disk.blobs()), " blobs ", render::Bytes(disk.blob_bytes()), gap, "database ",
      render::Bytes(disk.database_bytes()));
  if (disk.quota_bytes() > 0) {
    absl::StrAppend(&text, gap, "quota ", render::Bytes(disk.quota_bytes()), " used to ",
                    render::Percent(static_cast<double>(StoredBytes(disk)) /
                                    static_cast<double>(disk.quota_bytes())),
                    " %");
  }
  return text;
}

// By how many CPUs something worked between two looks at it.
std::optional<double> CpuShare(const ServerStatus::ProcessUsage& now,
                               const ServerStatus::ProcessUsage* before, double seconds) {
  if (before == nullptr || before->pid() != now.pid() || seconds <= 0) return std::nullopt;
  return std::max(0.0, now.cpu_seconds() - before->cpu_seconds()) / seconds;
}

const ServerStatus::Engine* FindEngine(const ServerStatus* status,
                                       const ServerStatus::Engine& wanted) {
  if (status == nullptr) return nullptr;
  for (const ServerStatus::Engine& engine : status->engines()) {
    if (engine.process().pid() == wanted.process().pid() &&
        engine.instance() == wanted.instance()) {
      return &engine;
    }
  }
  return nullptr;
}

// --- the frame

struct Grid {
  struct Column {
    std::string title;
    bool right = false;
    // May be cut when the line is too long.
    bool name = false;
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

// A head and `most` rows, the last of them telling how many there are beside.
void Append(Grid grid, size_t most, size_t width, std::vector<FrameLine>* lines) {
  if (most < 2) return;
  const size_t all = grid.rows.size();
  if (all + 1 > most) grid.rows.resize(most - 2);
  std::vector<size_t> widths;
  size_t total = 0, names = 0;
  for (size_t i = 0; i < grid.columns.size(); ++i) {
    size_t widest = render::DisplayWidth(grid.columns[i].title);
    for (auto& row : grid.rows) {
      row[i] = render::Printable(row[i]);
      widest = std::max(widest, render::DisplayWidth(row[i]));
    }
    widths.push_back(widest);
    total += widest + (i > 0 ? 2 : 0);
    names += grid.columns[i].name ? 1 : 0;
  }
  // The widest name gives way first.
  while (total > width && names > 0) {
    size_t widest = grid.columns.size();
    for (size_t i = 0; i < grid.columns.size(); ++i) {
      if (grid.columns[i].name && widths[i] > kLeastName &&
          (widest == grid.columns.size() || widths[i] > widths[widest])) {
        widest = i;
      }
    }
    if (widest == grid.columns.size()) break;
    --widths[widest];
    --total;
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t i = 0; i < cells.size(); ++i) {
      const bool last = i + 1 == cells.size() && !grid.columns[i].right;
      const std::string cell = render::Shortened(cells[i], widths[i]);
      absl::StrAppend(&text, i > 0 ? "  " : "",
                      last ? cell : render::Padded(cell, widths[i], grid.columns[i].right));
    }
    return render::Shortened(absl::StripTrailingAsciiWhitespace(text), width);
  };
  std::vector<std::string> titles;
  for (const Grid::Column& column : grid.columns) titles.push_back(column.title);
  lines->push_back({line(titles), FrameLine::Style::kHead});
  for (const auto& row : grid.rows) lines->push_back({line(row)});
  if (grid.rows.size() < all) {
    const auto hidden = static_cast<int64_t>(all - grid.rows.size());
    lines->push_back(
        {render::Shortened(absl::StrCat("... and ", render::Count(hidden), " more"), width)});
  }
}

// Of several assayds their names take the place of the memory.
Grid DeviceGrid(const ServerStatus& status) {
  const bool several = IsOfSeveral(status);
  Grid grid;
  if (several) grid.columns.push_back({"WORKER", false, true});
  grid.columns.push_back({"DEVICE"});
  if (!several) grid.columns.push_back({"MEMORY"});
  for (const Grid::Column& column : std::vector<Grid::Column>{{"BUSY", true},
                                                              {"TASK", false, true},
                                                              {"DONE", true},
                                                              {"SAMPLES/S", true},
                                                              {"FOR", true}}) {
    grid.columns.push_back(column);
  }
  std::map<std::pair<std::string, std::string>, const ServerStatus::Device*> devices;
  for (const ServerStatus::Device& device : status.devices()) {
    devices[{device.instance(), device.name()}] = &device;
  }
  for (const ServerStatus::Worker& worker : status.workers()) {
    const auto found = devices.find({worker.instance(), worker.device()});
    const ServerStatus::Device* const device = found == devices.end() ? nullptr : found->second;
    std::vector<std::string> row;
    if (several) row.push_back(worker.instance());
    row.push_back(worker.device());
    if (!several) row.push_back(device == nullptr ? render::kUndefined : MemoryText(*device));
    row.push_back(device == nullptr ? render::kUndefined : PercentOrNone(Utilization(*device)));
    const std::string state = WorkerState(worker, status);
    if (worker.has_task()) {
      const ServerStatus::Worker::Task& task = worker.task();
      row.push_back(absl::StrCat(state == "busy" ? "" : state + ": ", Short(task.evaluation()), " ",
                                 task.condition()));
      row.push_back(PercentOrNone(task.fraction_done()));
      row.push_back(task.has_samples_per_second()
                        ? render::Significant(task.samples_per_second(), 3)
                        : render::kUndefined);
      row.push_back(Since(task.start_time(), status));
    } else {
      row.insert(row.end(), {state, "", "", ""});
    }
    grid.rows.push_back(std::move(row));
  }
  return grid;
}

Grid EngineGrid(const ServerStatus& status, const ServerStatus* before) {
  Grid grid;
  grid.columns = {{"ENGINE", false, true}, {"DEVICE"},    {"STATE"},    {"PID", true},
                  {"MEMORY", true},        {"CPU", true}, {"AGE", true}};
  const double seconds = before != nullptr ? SecondsBetween(before->time(), status.time()) : 0;
  for (const ServerStatus::Engine& engine : status.engines()) {
    const ServerStatus::Engine* const earlier = FindEngine(before, engine);
    const bool runs = engine.has_process();
    grid.rows.push_back(
        {Short(engine.model()), engine.device(), EngineState(engine),
         runs ? absl::StrCat(engine.process().pid()) : render::kUndefined,
         runs ? render::Bytes(engine.process().resident_bytes()) : render::kUndefined,
         PercentOrNone(CpuShare(engine.process(),
                                earlier != nullptr ? &earlier->process() : nullptr, seconds)),
         Since(engine.load_time(), status)});
  }
  return grid;
}

Grid EvaluationGrid(const ServerStatus& status) {
  Grid grid;
  grid.columns = {{"EVALUATION", false, true}, {"STATE"},      {"DONE", true},
                  {"SAMPLES", true},           {"LEFT", true}, {"MODEL", false, true}};
  for (const ServerStatus::RunningEvaluation& running : status.running()) {
    grid.rows.push_back(
        {Short(running.name()), absl::AsciiStrToLower(v1::Evaluation::State_Name(running.state())),
         PercentOrNone(DoneShare(running.progress())),
         SamplesText(running.progress().samples_done(), running.progress().samples()),
         running.has_remaining_seconds() ? render::Duration(running.remaining_seconds())
                                         : render::kUndefined,
         Short(running.model())});
  }
  return grid;
}

}  // namespace

std::string ControlText(const v1::QueueControl& control) {
  std::vector<std::string> parts;
  if (control.draining()) {
    parts.push_back(absl::StrCat("draining since ", TimeUtil::ToString(control.drain_time()), ", ",
                                 control.running_tasks(),
                                 control.running_tasks() == 1 ? " task runs" : " tasks run"));
  }
  if (control.paused()) {
    std::string text = absl::StrCat("paused since ", TimeUtil::ToString(control.pause_time()));
    if (!control.pause_reason().empty()) {
      absl::StrAppend(&text, " (", control.pause_reason(), ")");
    }
    parts.push_back(std::move(text));
  }
  return parts.empty() ? "takes work" : absl::StrJoin(parts, "; ");
}

render::Table StatusTable(const ServerStatus& status) {
  render::Table table;
  table.columns = {{"field", false}, {"value", false}};
  auto& rows = table.rows;
  const bool several = IsOfSeveral(status);
  const bool stopped = status.control().paused() || status.control().draining();
  rows.push_back(
      {"state",
       {ControlText(status.control()), stopped ? render::Tone::kNotice : render::Tone::kPlain}});
  rows.push_back({"version", status.version()});
  rows.push_back({"up", absl::StrCat(Since(status.start_time(), status), ", since ",
                                     TimeUtil::ToString(status.start_time()))});
  rows.push_back({"evaluations", EvaluationStates(status)});
  rows.push_back({"queue", QueueText(status)});
  for (const ServerStatus::Worker& worker : status.workers()) {
    const std::string state = WorkerState(worker, status);
    std::string text = worker.has_task() ? TaskText(worker.task(), status) : state;
    if (worker.has_task() && state != "busy") text = absl::StrCat(state, ": ", text);
    if (worker.device_kind() != worker.device() && !worker.device_kind().empty()) {
      absl::StrAppend(&text, "; ", worker.device_kind());
    }
    rows.push_back({absl::StrCat("worker ", WorkerName(worker, status)),
                    {text, worker.lost() ? render::Tone::kBad : render::Tone::kPlain}});
  }
  for (const ServerStatus::Engine& engine : status.engines()) {
    std::string text = absl::StrCat(engine.model(), " on ", several ? engine.instance() + " " : "",
                                    engine.device(), ", ", EngineState(engine));
    if (engine.has_process()) {
      absl::StrAppend(&text, ", pid ", engine.process().pid(), ", ",
                      render::Bytes(engine.process().resident_bytes()), ", ",
                      render::Duration(engine.process().cpu_seconds()), " of CPU");
    }
    absl::StrAppend(&text, ", for ", Since(engine.load_time(), status));
    rows.push_back({"engine", text});
  }
  for (const ServerStatus::Device& device : status.devices()) {
    std::string text = absl::StrCat("memory ", MemoryText(device));
    if (device.has_utilization_ratio()) {
      absl::StrAppend(&text, ", busy ", render::Percent(device.utilization_ratio()), " %");
    }
    rows.push_back(
        {absl::StrCat("device ", several ? device.instance() + " " : "", device.name()), text});
  }
  rows.push_back(
      {"disk", absl::StrCat(DiskText(status.disk(), ", "), ", ",
                            render::Bytes(status.disk().reserve_bytes()), " in reserve")});
  for (const ServerStatus::RunningEvaluation& running : status.running()) {
    std::string text = absl::StrCat(
        running.name(), ", ", absl::AsciiStrToLower(v1::Evaluation::State_Name(running.state())),
        ", ", render::Percent(DoneShare(running.progress())), " %, ",
        SamplesText(running.progress().samples_done(), running.progress().samples()), " samples");
    if (running.has_remaining_seconds()) {
      absl::StrAppend(&text, ", ", render::Duration(running.remaining_seconds()), " left");
    }
    absl::StrAppend(&text, ", ", running.model(), " on ", running.dataset());
    rows.push_back({"running", text});
  }
  rows.push_back(
      {"process", absl::StrCat("pid ", status.process().pid(), ", ",
                               render::Bytes(status.process().resident_bytes()), ", ",
                               render::Duration(status.process().cpu_seconds()), " of CPU")});
  std::map<std::string, int64_t> calls(status.open_calls().begin(), status.open_calls().end());
  for (const auto& [method, count] : calls) {
    rows.push_back({"open calls", absl::StrCat(render::Count(count), " ", method)});
  }
  return table;
}

render::Table WorkersTable(const ServerStatus& status) {
  render::Table table;
  table.columns = {{"worker", false}, {"kind", false}, {"state", false},
                   {"task", false},   {"done %"},      {"samples/s"},
                   {"for"},           {"models"},      {"tasks done"}};
  for (const ServerStatus::Worker& worker : status.workers()) {
    const std::string state = WorkerState(worker, status);
    std::vector<render::Cell> row = {
        absl::StrCat(worker.instance(), worker.instance().empty() ? "" : " ", worker.device()),
        worker.device_kind(),
        {state, worker.lost() ? render::Tone::kBad : render::Tone::kPlain}};
    if (worker.has_task()) {
      const ServerStatus::Worker::Task& task = worker.task();
      row.insert(row.end(),
                 {absl::StrCat(Short(task.evaluation()), " ", task.condition()),
                  render::Percent(task.fraction_done()),
                  task.has_samples_per_second() ? render::Significant(task.samples_per_second(), 3)
                                                : std::string(render::kUndefined),
                  Since(task.start_time(), status)});
    } else {
      row.resize(row.size() + 4, render::Cell(""));
    }
    row.push_back(render::Count(worker.models_size()));
    row.push_back(render::Count(worker.tasks_done()));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<FrameLine> TopFrame(const ServerStatus& status, const ServerStatus* before,
                                const Frame& frame) {
  using Style = FrameLine::Style;
  std::vector<FrameLine> lines;
  const auto add = [&](const std::string& text, Style style = Style::kPlain) {
    lines.push_back({render::Shortened(render::Printable(text), frame.width), style});
  };
  const bool known = status.has_time();
  add(absl::StrCat("assayd ", status.version(), known ? " at " : "at ", frame.address,
                   known ? absl::StrCat("   up ", Since(status.start_time(), status), "   ",
                                        TimeUtil::ToString(status.time()).substr(11, 8), " UTC")
                         : ""),
      Style::kTitle);
  if (!frame.trouble.empty()) add(frame.trouble, Style::kNotice);
  if (!known) return lines;
  if (status.control().paused() || status.control().draining()) {
    add(ControlText(status.control()), Style::kNotice);
  }
  add(absl::StrCat("evaluations: ", EvaluationStates(status)));
  add(QueueText(status));
  add(absl::StrCat("disk: ", DiskText(status.disk(), ", ")));
  int64_t calls = 0;
  for (const auto& [method, count] : status.open_calls()) calls += count;
  const double seconds = before != nullptr ? SecondsBetween(before->time(), status.time()) : 0;
  add(absl::StrCat(
      "assayd: ", render::Bytes(status.process().resident_bytes()), ", CPU ",
      PercentOrNone(
          CpuShare(status.process(), before != nullptr ? &before->process() : nullptr, seconds)),
      ", ", render::Count(calls), calls == 1 ? " open call" : " open calls"));

  Grid grids[] = {DeviceGrid(status), EngineGrid(status, before), EvaluationGrid(status)};
  // Each grid gets its share of what is left, those that need less leave it to the next ones.
  size_t left = frame.height > lines.size() ? frame.height - lines.size() : 0;
  size_t grids_left = 0;
  for (const Grid& grid : grids) grids_left += grid.rows.empty() ? 0 : 1;
  for (Grid& grid : grids) {
    if (grid.rows.empty()) continue;
    const size_t needed = grid.rows.size() + 2;  // an empty line, and the head
    const size_t share = frame.height == 0 ? needed : std::min(needed, left / grids_left);
    --grids_left;
    if (share < 3) continue;
    lines.push_back({""});
    Append(std::move(grid), share - 1, frame.width, &lines);
    if (frame.height > 0) left -= std::min(left, share);
  }
  if (frame.height > 0 && lines.size() > frame.height) lines.resize(frame.height);
  return lines;
}

}  // namespace assay::cli
