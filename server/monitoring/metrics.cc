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

#include <array>
#include <ctime>
#include <map>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "core/conditions/families.h"
#include "server/monitoring/gate_gauges.h"
#include "server/monitoring/robustness_gauges.h"
#include "server/monitoring/system_usage.h"

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

// A gauge or counter of devices, of those for which `value` has one.
template <typename Value>
MetricFamily OfDevices(const char* name, const char* help, prometheus::MetricType type,
                       const std::vector<DeviceSnapshot>& devices, const Value& value) {
  MetricFamily family{name, help, type, {}};
  for (const DeviceSnapshot& device : devices) {
    const std::optional<double> number = value(device);
    if (!number.has_value()) continue;
    ClientMetric metric;
    metric.label.push_back({"device", device.device});
    metric.gauge.value = *number;
    metric.counter.value = *number;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

std::optional<double> Number(std::optional<int64_t> value) {
  return value.has_value() ? std::optional<double>(static_cast<double>(*value)) : std::nullopt;
}

MetricFamily Counters(const char* name, const char* help,
                      const std::vector<std::pair<prometheus::Labels, int64_t>>& values) {
  MetricFamily family{name, help, prometheus::MetricType::Counter, {}};
  for (const auto& [labels, value] : values) {
    ClientMetric metric;
    for (const auto& [label, text] : labels) metric.label.push_back({label, text});
    metric.counter.value = static_cast<double>(value);
    family.metric.push_back(std::move(metric));
  }
  return family;
}

void AddBlobStorage(const BlobStorageUsage& usage, std::vector<MetricFamily>& families) {
  std::vector<std::pair<prometheus::Labels, int64_t>> requests;
  for (const auto& of : usage.requests) {
    requests.push_back({{{"operation", of.operation}, {"result", "ok"}}, of.succeeded});
    requests.push_back({{{"operation", of.operation}, {"result", "failed"}}, of.failed});
  }
  families.push_back(MakeGauge("assay_blob_storage_up",
                               "Whether the object storage answered when it was asked last.", "",
                               {{"", usage.up ? 1 : 0}}));
  families.push_back(Counters("assay_blob_storage_requests_total",
                              "Requests to the object storage, without repetitions.", requests));
  families.push_back(Counters("assay_blob_storage_retries_total",
                              "Requests that were repeated because they failed for the moment.",
                              {{{}, usage.retries}}));
  families.push_back(Counters("assay_blob_storage_bytes_total",
                              "Bytes of objects sent to the object storage and received from it.",
                              {{{{"direction", "sent"}}, usage.sent_bytes},
                               {{{"direction", "received"}}, usage.received_bytes}}));
  families.push_back(MakeGauge("assay_blob_cache_bytes", "Bytes of blobs in the cache.", "",
                               {{"", usage.cache_bytes}}));
  families.push_back(Counters(
      "assay_blob_cache_requests_total", "Blobs that were asked of the cache.",
      {{{{"result", "hit"}}, usage.cache_hits}, {{{"result", "miss"}}, usage.cache_misses}}));
  families.push_back(Counters("assay_blob_cache_evictions_total",
                              "Blobs that left the cache to make room.",
                              {{{}, usage.cache_evictions}}));
}

std::vector<MetricFamily> SystemFamilies(const SystemSnapshot& snapshot) {
  using prometheus::MetricType;
  const auto of_devices = [&](const char* name, const char* help, MetricType type,
                              const auto& value) {
    return OfDevices(name, help, type, snapshot.devices, value);
  };
  std::vector<MetricFamily> families = {
      of_devices("assay_engines", "Engine processes.", MetricType::Gauge,
                 [](const auto& d) { return Number(d.engines); }),
      of_devices("assay_engine_memory_bytes", "Main memory of the engines.", MetricType::Gauge,
                 [](const auto& d) { return Number(d.engine_memory_bytes); }),
      of_devices("assay_engine_cpu_seconds_total",
                 "CPU time of the engines, of those that have ended, too.", MetricType::Counter,
                 [](const auto& d) { return std::optional<double>(d.engine_cpu_seconds); }),
      of_devices("assay_engine_threads", "CPU cores that each engine may use.", MetricType::Gauge,
                 [](const auto& d) { return Number(d.threads); }),
      of_devices("assay_device_utilization_ratio",
                 "Share of the last moment in which the GPU computed.", MetricType::Gauge,
                 [](const auto& d) { return d.usage.utilization; }),
      of_devices("assay_device_memory_bytes",
                 "Memory in use by everybody, of the GPU or of the machine.", MetricType::Gauge,
                 [](const auto& d) { return Number(d.usage.memory_used_bytes); }),
      of_devices("assay_device_memory_size_bytes", "Memory of the GPU or of the machine.",
                 MetricType::Gauge,
                 [](const auto& d) { return Number(d.usage.memory_size_bytes); })};
  const DiskUsage& disk = snapshot.disk;
  if (disk.size_bytes.has_value() && disk.free_bytes.has_value()) {
    families.push_back(MakeGauge("assay_disk_size_bytes",
                                 "Size of the file system of the data directory.", "",
                                 {{"", *disk.size_bytes}}));
    families.push_back(MakeGauge("assay_disk_free_bytes",
                                 "Room that assayd has on that file system.", "",
                                 {{"", *disk.free_bytes}}));
  }
  std::map<std::string, int64_t> stored = {{"database", disk.database_bytes}};
  if (disk.blob_bytes.has_value()) stored["blobs"] = *disk.blob_bytes;
  families.push_back(
      MakeGauge("assay_stored_bytes", "Bytes of files in the data directory.", "kind", stored));
  if (snapshot.blob_storage.has_value()) AddBlobStorage(*snapshot.blob_storage, families);
  return families;
}

prometheus::Labels RpcLabels(const std::string& type, const std::string& service,
                             const std::string& method) {
  return {{"grpc_type", type}, {"grpc_service", service}, {"grpc_method", method}};
}

prometheus::Labels WithCode(prometheus::Labels labels, const std::string& code) {
  labels["grpc_code"] = code;
  return labels;
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
        reused_samples(prometheus::BuildCounter()
                           .Name("assay_reused_samples_total")
                           .Help("Of the outcomes committed, those of earlier tasks.")
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
        load_failures(prometheus::BuildCounter()
                          .Name("assay_model_load_failures_total")
                          .Help("Loads of models that failed, by reason.")
                          .Register(registry)),
        leases_lost(prometheus::BuildCounter()
                        .Name("assay_leases_lost_total")
                        .Help("Tasks taken from a worker that was not heard of in time.")
                        .Register(registry)
                        .Add({})),
        workers(prometheus::BuildGauge()
                    .Name("assay_workers")
                    .Help("Workers by device and by what they are doing.")
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
        authentication_failures(prometheus::BuildCounter()
                                    .Name("assay_authentication_failures_total")
                                    .Help("Calls that were refused for who made them, by reason.")
                                    .Register(registry)),
        reload_failures(prometheus::BuildCounter()
                            .Name("assay_reload_failures_total")
                            .Help("Changed files that could not be used: the old ones stay.")
                            .Register(registry)),
        audit_failures(prometheus::BuildCounter()
                           .Name("assay_audit_failures_total")
                           .Help("Lines of the audit log that could not be written.")
                           .Register(registry)
                           .Add({})),
        certificate_expiry(
            prometheus::BuildGauge()
                .Name("assay_certificate_expiry_timestamp_seconds")
                .Help("When the certificate in force ends; absent without transport security.")
                .Register(registry)),
        evaluations_deleted(prometheus::BuildCounter()
                                .Name("assay_evaluations_deleted_total")
                                .Help("Evaluations that were deleted, by reason.")
                                .Register(registry)),
        swept_blobs(prometheus::BuildCounter()
                        .Name("assay_blobs_swept_total")
                        .Help("Blobs that were removed because nothing named them any more.")
                        .Register(registry)
                        .Add({})),
        swept_bytes(prometheus::BuildCounter()
                        .Name("assay_blobs_swept_bytes_total")
                        .Help("Bytes of blobs that were removed.")
                        .Register(registry)
                        .Add({})),
        rpc_started(prometheus::BuildCounter()
                        .Name("grpc_server_started_total")
                        .Help("RPCs started on the server.")
                        .Register(registry)),
        rpc_active(prometheus::BuildGauge()
                       .Name("assay_active_calls")
                       .Help("RPCs that are going on: uploads, streams that watch, ...")
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
    for (const char* kind : {kFamilyClean, kFamilyAttack, kFamilyCorruption, kFamilySmoothing,
                             kFamilyBounds, kFamilyConformal, kFamilySequence}) {
      task_seconds.Add({{"kind", kind}}, TaskBuckets());
      samples.Add({{"kind", kind}});
      reused_samples.Add({{"kind", kind}});
      for (const char* direction : {"forward", "backward"}) {
        passes.Add({{"kind", kind}, {"direction", direction}});
        needed_passes.Add({{"kind", kind}, {"direction", direction}});
      }
    }
    for (const char* phase : {"model", "around_model", "commit"}) phases.Add({{"phase", phase}});
    for (const char* reason : {"died_at_work", "died_idle"}) restarts.Add({{"reason", reason}});
    for (const char* reason : kAuthenticationFailures) {
      authentication_failures.Add({{"reason", reason}});
    }
    for (const char* what : {"certificate", "tokens"}) reload_failures.Add({{"what", what}});
    for (const char* reason : {"refused", "engine_lost", "server"}) {
      load_failures.Add({{"reason", reason}});
    }
    for (const char* state : kModelStates) models.Add({{"state", state}});
    for (const char* reason : {"request", "expired"}) evaluations_deleted.Add({{"reason", reason}});
    for (const char* state : kVersionStates) repository_versions.Add({{"state", state}});
    for (const char* kind : kRepositoryErrors) repository_errors.Add({{"kind", kind}});
  }

  static constexpr const char* kModelStates[] = {"UNLOADED", "LOADING", "READY", "UNLOADING",
                                                 "UNAVAILABLE"};
  static constexpr const char* kVersionStates[] = {"stored", "copying", "changed", "failed",
                                                   "removed"};
  static constexpr const char* kRepositoryErrors[] = {"directory", "name", "file", "evaluation",
                                                      "gate"};

  // In the order of WorkerState.
  static constexpr std::array<const char*, 4> kWorkerStates = {"idle", "loading", "working",
                                                               "blocked"};
  Gauge& WorkerGauge(const std::string& device, size_t state) {
    return workers.Add({{"device", device}, {"state", kWorkerStates[state]}});
  }

  std::vector<MetricFamily> SystemFamilies() {
    std::function<SystemSnapshot()> source;
    {
      MutexLock lock(mutex);
      source = system_source;
    }
    return source ? monitoring::SystemFamilies(source()) : std::vector<MetricFamily>();
  }

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
        MakeGauge("assay_tasks", "Stored tasks by state.", "state", snapshot.tasks),
        MakeGauge("assay_dependency_up", "Whether what the server depends on answers.",
                  "dependency", snapshot.dependencies),
        Single("assay_queue_paused", "Whether the operator has paused the queue.",
               prometheus::MetricType::Gauge, snapshot.paused ? 1 : 0),
        MakeGauge("assay_registered_workers",
                  "Workers of all assayds over this store by what they do.", "state",
                  snapshot.registered_workers)};
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
  std::function<SystemSnapshot()> system_source ABSL_GUARDED_BY(mutex);
  Mutex open_calls_mutex;
  std::map<std::string, int64_t> open_calls ABSL_GUARDED_BY(open_calls_mutex);
  int64_t repository_look_micros ABSL_GUARDED_BY(mutex) = 0;

  prometheus::Family<Histogram>& task_seconds;
  prometheus::Family<Counter>& samples;
  prometheus::Family<Counter>& reused_samples;
  prometheus::Family<Counter>& passes;
  prometheus::Family<Counter>& needed_passes;
  prometheus::Family<Counter>& phases;
  prometheus::Family<Counter>& restarts;
  prometheus::Family<Counter>& load_failures;
  Counter& leases_lost;
  prometheus::Family<Gauge>& workers;
  prometheus::Family<Gauge>& models;
  prometheus::Family<Gauge>& repository_versions;
  prometheus::Family<Gauge>& repository_errors;
  Counter& uploaded;
  Counter& deduplicated;
  prometheus::Family<Counter>& authentication_failures;
  prometheus::Family<Counter>& reload_failures;
  Counter& audit_failures;
  prometheus::Family<Gauge>& certificate_expiry;
  prometheus::Family<Counter>& evaluations_deleted;
  Counter& swept_blobs;
  Counter& swept_bytes;
  prometheus::Family<Counter>& rpc_started;
  prometheus::Family<Gauge>& rpc_active;
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
  append(state_->SystemFamilies());
  append(state_->gauges->Collect());
  append(state_->gates.Collect());
  append({state_->RepositoryLook()});
  using prometheus::MetricType;
  append(
      {Single("process_cpu_seconds_total", "CPU time of this process in seconds.",
              MetricType::Counter, CpuSeconds()),
       Single("process_resident_memory_bytes", "Resident memory of this process.",
              MetricType::Gauge,
              static_cast<double>(ReadProcess(getpid()).value_or(ProcessUsage()).resident_bytes)),
       Single("process_open_fds", "Open file descriptors.", MetricType::Gauge, OpenFiles()),
       Single("process_start_time_seconds", "When this process started.", MetricType::Gauge,
              state_->start_seconds)});
  return prometheus::TextSerializer().Serialize(families);
}

void Metrics::SetQueueSource(std::function<QueueSnapshot()> source) {
  MutexLock lock(state_->mutex);
  state_->queue_source = std::move(source);
}

void Metrics::SetSystemSource(std::function<SystemSnapshot()> source) {
  MutexLock lock(state_->mutex);
  state_->system_source = std::move(source);
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

void Metrics::CountReused(const std::string& kind, int64_t samples) {
  state_->reused_samples.Add({{"kind", kind}}).Increment(static_cast<double>(samples));
}

void Metrics::AddPhaseSeconds(const std::string& phase, double seconds) {
  state_->phases.Add({{"phase", phase}}).Increment(seconds);
}

void Metrics::CountEngineRestart(const std::string& reason) {
  state_->restarts.Add({{"reason", reason}}).Increment();
}

void Metrics::SetWorkerState(const std::string& device, WorkerState state) {
  for (size_t i = 0; i < State::kWorkerStates.size(); ++i) {
    state_->WorkerGauge(device, i).Set(i == static_cast<size_t>(state) ? 1 : 0);
  }
}

void Metrics::RemoveWorker(const std::string& device) {
  for (size_t i = 0; i < State::kWorkerStates.size(); ++i) state_->WorkerGauge(device, i).Set(0);
}

void Metrics::CountLostLease() { state_->leases_lost.Increment(); }

void Metrics::CountModelLoadFailure(const std::string& reason) {
  state_->load_failures.Add({{"reason", reason}}).Increment();
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

void Metrics::CountAuthenticationFailure(const std::string& reason) {
  state_->authentication_failures.Add({{"reason", reason}}).Increment();
}

void Metrics::CountReloadFailure(const std::string& what) {
  state_->reload_failures.Add({{"what", what}}).Increment();
}

void Metrics::CountAuditFailure() { state_->audit_failures.Increment(); }

void Metrics::SetCertificateExpiry(int64_t micros) {
  state_->certificate_expiry.Add({}).Set(static_cast<double>(micros) / 1e6);
}

void Metrics::KnowRpc(const std::string& type, const std::string& service,
                      const std::string& method) {
  const prometheus::Labels labels = RpcLabels(type, service, method);
  state_->rpc_started.Add(labels);
  state_->rpc_active.Add(labels);
  state_->rpc_received.Add(labels);
  state_->rpc_sent.Add(labels);
  // Of codes, those that alerts count with: an increase from absent is none.
  for (const char* code : {"OK", "Internal", "Unknown", "DataLoss"}) {
    state_->rpc_handled.Add(WithCode(labels, code));
  }
}

void Metrics::CountEvaluationDeleted(const std::string& reason) {
  state_->evaluations_deleted.Add({{"reason", reason}}).Increment();
}

void Metrics::CountSwept(int64_t blobs, int64_t bytes) {
  state_->swept_blobs.Increment(static_cast<double>(blobs));
  state_->swept_bytes.Increment(static_cast<double>(bytes));
}

std::map<std::string, int64_t> Metrics::OpenCalls() const {
  MutexLock lock(state_->open_calls_mutex);
  return state_->open_calls;
}

void Metrics::RpcStarted(const std::string& type, const std::string& service,
                         const std::string& method) {
  {
    MutexLock lock(state_->open_calls_mutex);
    ++state_->open_calls[service + "/" + method];
  }
  const prometheus::Labels labels = RpcLabels(type, service, method);
  state_->rpc_started.Add(labels).Increment();
  state_->rpc_active.Add(labels).Increment();
}

void Metrics::RpcHandled(const std::string& type, const std::string& service,
                         const std::string& method, const std::string& code, double seconds) {
  {
    MutexLock lock(state_->open_calls_mutex);
    const auto open = state_->open_calls.find(service + "/" + method);
    if (open != state_->open_calls.end() && --open->second <= 0) state_->open_calls.erase(open);
  }
  const prometheus::Labels labels = RpcLabels(type, service, method);
  state_->rpc_handled.Add(WithCode(labels, code)).Increment();
  state_->rpc_active.Add(labels).Decrement();
  state_->rpc_seconds.Add(labels, RpcBuckets()).Observe(seconds);
}

void Metrics::RpcMessage(const std::string& type, const std::string& service,
                         const std::string& method, bool received) {
  (received ? state_->rpc_received : state_->rpc_sent)
      .Add(RpcLabels(type, service, method))
      .Increment();
}

void Metrics::PublishReport(const v1::Report& report, const Publication& publication) {
  state_->gauges->Publish(report, publication);
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
