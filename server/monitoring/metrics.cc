#include "server/monitoring/metrics.h"

#include <dirent.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "server/monitoring/gate_gauges.h"
#include "server/monitoring/robustness_gauges.h"

namespace assay::monitoring {
namespace {

using prometheus::ClientMetric;
using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::MetricFamily;

const Histogram::BucketBoundaries& TaskBuckets() {
  static const auto* const buckets =
      new Histogram::BucketBoundaries{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000};
  return *buckets;
}

const Histogram::BucketBoundaries& RpcBuckets() {
  static const auto* const buckets =
      new Histogram::BucketBoundaries{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100};
  return *buckets;
}

MetricFamily MakeGauge(const char* name, const char* help, const std::string& label,
                       const std::map<std::string, int64_t>& values) {
  MetricFamily family{name, help, prometheus::MetricType::Gauge, {}};
  for (const auto& [key, value] : values) {
    ClientMetric metric;
    if (!label.empty()) metric.label.push_back({label, key});
    metric.gauge.value = static_cast<double>(value);
    family.metric.push_back(std::move(metric));
  }
  return family;
}

MetricFamily Single(const char* name, const char* help, prometheus::MetricType type, double value) {
  MetricFamily family{name, help, type, {}};
  ClientMetric metric;
  metric.gauge.value = value;
  metric.counter.value = value;
  family.metric.push_back(std::move(metric));
  return family;
}

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double OpenFiles() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  double count = -3;  // ".", ".." and this directory itself
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

struct Metrics::State {
  explicit State(int max_classes)
      : gauges(
            std::make_shared<RobustnessGauges>(GaugeLimits{kMaxReports, max_classes, kMaxSeries})),
        gates(kMaxReports),
        start_seconds(static_cast<double>(std::time(nullptr))),
        task_seconds(prometheus::BuildHistogram()
                         .Name("assay_task_seconds")
                         .Help("Time from claim to commit of a task, by kind of condition.")
                         .Register(registry)),
        samples(prometheus::BuildCounter()
                    .Name("assay_samples_total")
                    .Help("Outcomes committed, by kind of condition.")
                    .Register(registry)),
        passes(prometheus::BuildCounter()
                   .Name("assay_passes_total")
                   .Help("Images passed through models, padding included.")
                   .Register(registry)),
        needed_passes(prometheus::BuildCounter()
                          .Name("assay_needed_passes_total")
                          .Help("Of assay_passes_total, images that methods had use for.")
                          .Register(registry)),
        phases(prometheus::BuildCounter()
                   .Name("assay_phase_seconds_total")
                   .Help("Seconds of work by phase.")
                   .Register(registry)),
        restarts(prometheus::BuildCounter()
                     .Name("assay_engine_restarts_total")
                     .Help("Engines that had to be replaced, by reason.")
                     .Register(registry)),
        models(prometheus::BuildGauge()
                   .Name("assay_models")
                   .Help("Models that engines have seen, by state.")
                   .Register(registry)),
        repository_versions(prometheus::BuildGauge()
                                .Name("assay_repository_versions")
                                .Help("Versions in the model repository by state.")
                                .Register(registry)),
        repository_errors(prometheus::BuildGauge()
                              .Name("assay_repository_errors")
                              .Help("What is wrong in the model repository now, by kind.")
                              .Register(registry)),
        uploaded(prometheus::BuildCounter()
                     .Name("assay_upload_bytes_total")
                     .Help("Bytes of chunks received and stored.")
                     .Register(registry)
                     .Add({})),
        deduplicated(prometheus::BuildCounter()
                         .Name("assay_upload_deduplicated_bytes_total")
                         .Help("Bytes of chunks that were there already.")
                         .Register(registry)
                         .Add({})),
        rpc_started(prometheus::BuildCounter()
                        .Name("grpc_server_started_total")
                        .Help("RPCs started on the server.")
                        .Register(registry)),
        rpc_handled(prometheus::BuildCounter()
                        .Name("grpc_server_handled_total")
                        .Help("RPCs completed on the server, regardless of success or failure.")
                        .Register(registry)),
        rpc_received(prometheus::BuildCounter()
                         .Name("grpc_server_msg_received_total")
                         .Help("RPC stream messages received on the server.")
                         .Register(registry)),
        rpc_sent(prometheus::BuildCounter()
                     .Name("grpc_server_msg_sent_total")
                     .Help("gRPC stream messages sent by the server.")
                     .Register(registry)),
        rpc_seconds(prometheus::BuildHistogram()
                        .Name("grpc_server_handling_seconds")
                        .Help("Response latency of RPCs handled by the server.")
                        .Register(registry)) {
    prometheus::BuildGauge()
        .Name("assay_build_info")
        .Help("Always 1; the labels tell what runs.")
        .Register(registry)
        .Add({{"version", ASSAY_VERSION}})
        .Set(1);
    // Known series exist from the start, so that a rate over them is 0 and not absent.
    for (const char* kind : {"clean", "attack", "corruption", "smoothing"}) {
      task_seconds.Add({{"kind", kind}}, TaskBuckets());
      samples.Add({{"kind", kind}});
      for (const char* direction : {"forward", "backward"}) {
        passes.Add({{"kind", kind}, {"direction", direction}});
        needed_passes.Add({{"kind", kind}, {"direction", direction}});
      }
    }
    for (const char* phase : {"model", "around_model", "commit"}) phases.Add({{"phase", phase}});
    for (const char* reason : {"died_at_work", "died_idle"}) restarts.Add({{"reason", reason}});
    for (const char* state : kModelStates) models.Add({{"state", state}});
    for (const char* state : kVersionStates) repository_versions.Add({{"state", state}});
    for (const char* kind : kRepositoryErrors) repository_errors.Add({{"kind", kind}});
  }

  static constexpr const char* kModelStates[] = {"UNLOADED", "LOADING", "READY", "UNLOADING",
                                                 "UNAVAILABLE"};
  static constexpr const char* kVersionStates[] = {"stored", "copying", "changed", "failed",
                                                   "removed"};
  static constexpr const char* kRepositoryErrors[] = {"directory", "name", "file", "evaluation",
                                                      "gate"};

  std::vector<MetricFamily> QueueFamilies() {
    std::function<QueueSnapshot()> source;
    {
      MutexLock lock(mutex);
      source = queue_source;
    }
    if (!source) return {};
    const QueueSnapshot snapshot = source();
    std::vector<MetricFamily> families = {
        MakeGauge("assay_evaluations", "Stored evaluations by state.", "state",
                  snapshot.evaluations),
        MakeGauge("assay_tasks", "Stored tasks by state.", "state", snapshot.tasks)};
    if (snapshot.oldest_task_micros > 0) {
      families.push_back(Single(
          "assay_queue_oldest_timestamp_seconds", "When the oldest task that waits was queued.",
          prometheus::MetricType::Gauge, static_cast<double>(snapshot.oldest_task_micros) / 1e6));
    }
    return families;
  }

  MetricFamily RepositoryLook() {
    MetricFamily family{"assay_repository_look_timestamp_seconds",
                        "When the model repository was last looked through.",
                        prometheus::MetricType::Gauge,
                        {}};
    MutexLock lock(mutex);
    if (repository_look_micros == 0) return family;
    ClientMetric metric;
    metric.gauge.value = static_cast<double>(repository_look_micros) / 1e6;
    family.metric.push_back(std::move(metric));
    return family;
  }

  prometheus::Registry registry;
  const std::shared_ptr<RobustnessGauges> gauges;
  GateGauges gates;
  const double start_seconds;
  Mutex mutex;
  std::function<QueueSnapshot()> queue_source ABSL_GUARDED_BY(mutex);
  int64_t repository_look_micros ABSL_GUARDED_BY(mutex) = 0;

  prometheus::Family<Histogram>& task_seconds;
  prometheus::Family<Counter>& samples;
  prometheus::Family<Counter>& passes;
  prometheus::Family<Counter>& needed_passes;
  prometheus::Family<Counter>& phases;
  prometheus::Family<Counter>& restarts;
  prometheus::Family<Gauge>& models;
  prometheus::Family<Gauge>& repository_versions;
  prometheus::Family<Gauge>& repository_errors;
  Counter& uploaded;
  Counter& deduplicated;
  prometheus::Family<Counter>& rpc_started;
  prometheus::Family<Counter>& rpc_handled;
  prometheus::Family<Counter>& rpc_received;
  prometheus::Family<Counter>& rpc_sent;
  prometheus::Family<Histogram>& rpc_seconds;
};

Metrics::Metrics(int max_classes) : state_(std::make_unique<State>(max_classes)) {}
Metrics::~Metrics() = default;

std::string Metrics::Render() const {
  std::vector<MetricFamily> families = state_->registry.Collect();
  const auto append = [&](std::vector<MetricFamily> more) {
    for (MetricFamily& family : more) families.push_back(std::move(family));
  };
  append(state_->QueueFamilies());
  append(state_->gauges->Collect());
  append(state_->gates.Collect());
  append({state_->RepositoryLook()});
  using prometheus::MetricType;
  append({Single("process_cpu_seconds_total", "CPU time of this process in seconds.",
                 MetricType::Counter, CpuSeconds()),
          Single("process_resident_memory_bytes", "Resident memory of this process.",
                 MetricType::Gauge, ResidentBytes()),
          Single("process_open_fds", "Open file descriptors.", MetricType::Gauge, OpenFiles()),
          Single("process_start_time_seconds", "When this process started.", MetricType::Gauge,
                 state_->start_seconds)});
  return prometheus::TextSerializer().Serialize(families);
}

void Metrics::SetQueueSource(std::function<QueueSnapshot()> source) {
  MutexLock lock(state_->mutex);
  state_->queue_source = std::move(source);
}

void Metrics::CountTask(const std::string& kind, double seconds, int64_t samples,
                        const v1::PassCounts& passes) {
  state_->task_seconds.Add({{"kind", kind}}, TaskBuckets()).Observe(seconds);
  state_->samples.Add({{"kind", kind}}).Increment(static_cast<double>(samples));
  const auto count = [&](const char* direction, int64_t made, int64_t needed) {
    const prometheus::Labels labels{{"kind", kind}, {"direction", direction}};
    state_->passes.Add(labels).Increment(static_cast<double>(made));
    state_->needed_passes.Add(labels).Increment(static_cast<double>(needed));
  };
  count("forward", passes.forwards(), passes.needed_forwards());
  count("backward", passes.backwards(), passes.needed_backwards());
}

void Metrics::AddPhaseSeconds(const std::string& phase, double seconds) {
  state_->phases.Add({{"phase", phase}}).Increment(seconds);
}

void Metrics::CountEngineRestart(const std::string& reason) {
  state_->restarts.Add({{"reason", reason}}).Increment();
}

void Metrics::SetModelStates(const std::map<std::string, int64_t>& counts) {
  for (const char* state : State::kModelStates) {
    const auto it = counts.find(state);
    state_->models.Add({{"state", state}})
        .Set(it == counts.end() ? 0 : static_cast<double>(it->second));
  }
}

void Metrics::CountUpload(int64_t stored_bytes, int64_t deduplicated_bytes) {
  state_->uploaded.Increment(static_cast<double>(stored_bytes));
  state_->deduplicated.Increment(static_cast<double>(deduplicated_bytes));
}

void Metrics::RpcStarted(const std::string& type, const std::string& service,
                         const std::string& method) {
  state_->rpc_started.Add({{"grpc_type", type}, {"grpc_service", service}, {"grpc_method", method}})
      .Increment();
}

void Metrics::RpcHandled(const std::string& type, const std::string& service,
                         const std::string& method, const std::string& code, double seconds) {
  state_->rpc_handled
      .Add({{"grpc_type", type},
            {"grpc_service", service},
            {"grpc_method", method},
            {"grpc_code", code}})
      .Increment();
  state_->rpc_seconds
      .Add({{"grpc_type", type}, {"grpc_service", service}, {"grpc_method", method}}, RpcBuckets())
      .Observe(seconds);
}

void Metrics::RpcMessage(const std::string& type, const std::string& service,
                         const std::string& method, bool received) {
  (received ? state_->rpc_received : state_->rpc_sent)
      .Add({{"grpc_type", type}, {"grpc_service", service}, {"grpc_method", method}})
      .Increment();
}

void Metrics::PublishReport(const v1::Report& report, int64_t end_time_micros) {
  state_->gauges->Publish(report, end_time_micros);
}

void Metrics::PublishGates(const JudgedGates& gates) { state_->gates.Publish(gates); }

void Metrics::WithdrawReport(const std::string& evaluation) {
  state_->gauges->Withdraw(evaluation);
  state_->gates.Withdraw(evaluation);
}

void Metrics::SetRepository(const RepositorySnapshot& snapshot) {
  const auto set = [](prometheus::Family<Gauge>& family, const char* label, const char* value,
                      const std::map<std::string, int64_t>& counts) {
    const auto it = counts.find(value);
    family.Add({{label, value}}).Set(it == counts.end() ? 0 : static_cast<double>(it->second));
  };
  for (const char* state : State::kVersionStates) {
    set(state_->repository_versions, "state", state, snapshot.versions);
  }
  for (const char* kind : State::kRepositoryErrors) {
    set(state_->repository_errors, "kind", kind, snapshot.errors);
  }
  MutexLock lock(state_->mutex);
  state_->repository_look_micros = snapshot.look_micros;
}

}  // namespace assay::monitoring
