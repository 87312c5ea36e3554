// assayd: the server. See docs/architecture.md for what its parts do and docs/operations.md for its
// flags.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "core/base/owned_directory.h"
#include "core/base/uri.h"
#include "net/address.h"
#include "server/access/security.h"
#include "server/api/deadlines.h"
#include "server/api/early_decisions.h"
#include "server/api/grpc_server.h"
#include "server/api/report_publisher.h"
#include "server/api/retention.h"
#include "server/config/check.h"
#include "server/config/configuration.h"
#include "server/monitoring/dependencies.h"
#include "server/monitoring/disk_usage.h"
#include "server/monitoring/http_server.h"
#include "server/monitoring/systemd.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_service.h"
#include "server/repository/repository_thread.h"
#include "server/repository/trigger_file.h"
#include "server/scheduler/energy_meter.h"
#include "server/scheduler/store_listener.h"
#include "server/scheduler/worker.h"
#include "server/store/directory_blobs.h"
#include "server/store/postgres.h"
#include "server/store/postgres_job_store.h"
#include "server/store/s3_blobs.h"
#include "server/store/sqlite_job_store.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr int kExecutorThreads = 8;
constexpr size_t kMaxWaitingCalls = 1000;

std::string ProgramDirectory() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

api::RetentionOptions RetentionOf(const Flags& flags) {
  api::RetentionOptions options;
  options.keep_seconds = flags.keep_evaluations;
  for (const std::string& label : flags.keep_labels) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(label, absl::MaxSplits('=', 1));
    options.keep_labels.push_back(pair);
  }
  return options;
}

// One assayd a directory: the lock goes with the process, however it ends.
absl::Status LockDirectory(const std::string& directory) {
  const int fd = open(absl::StrCat(directory, "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return Error(Reason::kStorageFailed, absl::StrCat("cannot write to ", directory));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return Error(Reason::kAlreadyExists,
                 absl::StrCat("another assayd uses ", directory, "; choose another --data-dir"));
  }
  return absl::OkStatus();
}

// Removes the directory of an `assay --local` that is gone. `signal` ended this process: SIGTERM
// comes with the death of a parent (one that lives stops us by SIGINT), which may not be over yet:
// its last threads can still hold the lock.
void RemoveIfOrphaned(const std::string& directory, pid_t parent, int signal) {
  if (directory.empty() || (getppid() == parent && signal != SIGTERM)) return;
  for (int i = 0; i < 100 && !RemoveIfAbandoned(directory, {kOwnerLock}); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

absl::Status WritePortFile(const std::string& path, int port) {
  const std::string temporary = path + ".tmp";
  {
    std::ofstream file(temporary);
    file << port << "\n";
    if (!file.flush()) return Error(Reason::kStorageFailed, absl::StrCat("cannot write ", path));
  }
  std::error_code error;
  fs::rename(temporary, path, error);
  if (error) return Error(Reason::kStorageFailed, absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

access::SecurityOptions SecurityOptionsOf(const Flags& flags) {
  access::SecurityOptions options;
  options.tls = {flags.tls_cert, flags.tls_key, flags.tls_client_ca};
  options.tokens = flags.tokens;
  options.audit_log = flags.audit_log;
  options.audit_reads = flags.audit_reads;
  options.insecure = flags.insecure;
  return options;
}

api::GrpcLimits LimitsOf(const Flags& flags) {
  api::GrpcLimits limits;
  limits.message_bytes = flags.max_message_mib << 20;
  limits.streams_per_connection = flags.max_streams;
  limits.buffer_bytes = int64_t{flags.max_buffer_mib} << 20;
  limits.handshake_seconds = flags.handshake_seconds;
  limits.idle_seconds = flags.idle_seconds;
  return limits;
}

// Where metrics are served. Nobody asks for a token there, so a public address must be asked for.
absl::StatusOr<std::string> MetricsHost(const Flags& flags, const std::string& listen_host) {
  if (flags.metrics_tls && flags.tls_cert.empty()) {
    return InvalidFields({{"--metrics-tls", "needs --tls-cert and --tls-key, too"}});
  }
  if (!flags.metrics_host.empty()) {
    ASSAY_RETURN_IF_ERROR(ParseAddress(Address{flags.metrics_host, 0}.ToString(), "--metrics-host",
                                       AddressUse::kListen)
                              .status());
    return flags.metrics_host;
  }
  if (IsLoopback(listen_host) || flags.insecure || flags.metrics_tls) return listen_host;
  return std::string("127.0.0.1");
}

absl::StatusOr<std::unique_ptr<store::JobStore>> OpenStore(const Flags& flags, const Clock& clock) {
  if (!flags.store.empty()) return store::OpenPostgresJobStore(flags.store);
  // The lock of the directory says that nobody else uses the file.
  return store::OpenSqliteJobStore(flags.data_dir + "/assay.db", clock, store::Sharing::kExclusive);
}

// Where blobs are: in object storage, which is `*s3` then, or in a directory.
absl::StatusOr<std::unique_ptr<store::BlobStore>> OpenBlobs(const Flags& flags,
                                                            const store::S3Blobs** s3) {
  if (!store::IsS3Uri(flags.blobs)) {
    const bool shared = !flags.store.empty();
    return store::DirectoryBlobs::Open(
        shared ? flags.blobs : flags.data_dir + "/blobs", nullptr, nullptr,
        shared ? store::Sharing::kShared : store::Sharing::kExclusive);
  }
  store::S3BlobsOptions options;
  ASSAY_ASSIGN_OR_RETURN(options.location, store::ParseS3Uri(flags.blobs));
  options.s3.endpoint =
      flags.s3_endpoint.empty() ? store::AwsEndpoint(flags.s3_region) : flags.s3_endpoint;
  options.s3.region = flags.s3_region;
  options.cache_directory =
      flags.blob_cache.empty() ? flags.data_dir + "/blob-cache" : flags.blob_cache;
  options.cache_bytes = flags.blob_cache_bytes;
  ASSAY_ASSIGN_OR_RETURN(
      auto blobs, store::S3Blobs::Open(std::move(options), std::make_shared<store::AwsCredentials>(
                                                               flags.s3_credentials)));
  *s3 = blobs.get();
  return blobs;
}

monitoring::BlobStorageUsage UsageOf(const store::S3Blobs& blobs) {
  monitoring::BlobStorageUsage usage;
  const store::S3Traffic traffic = blobs.Traffic();
  for (const auto& operation : traffic.operations) {
    usage.requests.push_back({operation.name, operation.succeeded, operation.failed});
  }
  usage.retries = traffic.repeated;
  usage.sent_bytes = traffic.sent_bytes;
  usage.received_bytes = traffic.received_bytes;
  usage.up = traffic.answers;
  const store::BlobCacheCounts cache = blobs.CacheCounts();
  usage.cache_bytes = cache.bytes;
  usage.cache_hits = cache.hits;
  usage.cache_misses = cache.misses;
  usage.cache_evictions = cache.evicted;
  return usage;
}

// What is asked of whom, to know whether they are there. A SQLite file is as near as the process.
monitoring::Dependencies::Probes ProbesOf(const Flags& flags, const store::BlobStore& blobs) {
  monitoring::Dependencies::Probes probes;
  probes["blobs"] = [&blobs] { return blobs.Probe(); };
  if (flags.store.empty()) return probes;
  // A connection of its own: it does not wait for what others ask.
  auto connection = std::make_shared<std::unique_ptr<store::PostgresDatabase>>();
  probes["database"] = [connection, uri = flags.store]() -> absl::Status {
    if (*connection == nullptr) {
      ASSAY_ASSIGN_OR_RETURN(*connection, store::PostgresDatabase::Open(uri));
    }
    return (*connection)->NowMicros().status();
  };
  return probes;
}

// What is told of the model repository; without a directory there is none.
absl::StatusOr<repository::RepositoryOptions> ReadRepositoryOptions(const Flags& flags) {
  repository::RepositoryOptions options;
  std::error_code error;
  options.directory = fs::absolute(flags.model_repository, error).lexically_normal().string();
  options.marker_file = flags.data_dir + "/model-repository";
  options.evaluate_existing = flags.evaluate_existing;
  if (!fs::is_directory(options.directory, error)) {
    return InvalidFields({{"--model-repository", absl::StrCat(flags.model_repository,
                                                              " is no directory; make it first")}});
  }
  if (flags.on_new_version.empty()) return options;
  std::ifstream file(flags.on_new_version);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.good() && text.empty()) {
    return InvalidFields(
        {{"--on-new-version", absl::StrCat("cannot read ", flags.on_new_version)}});
  }
  ASSAY_ASSIGN_OR_RETURN(options.trigger, repository::ReadTrigger(text, flags.on_new_version));
  return options;
}

// `signal` is what ends it; 0 when it does not start.
absl::Status Serve(const Flags& flags, const CheckedFlags& checked, const sigset_t& signals,
                   pid_t parent, int& signal) {
  const SystemClock clock;
  const Address& listen = checked.listen;
  monitoring::Metrics metrics(flags.metrics_classes);
  ASSAY_ASSIGN_OR_RETURN(const auto security, access::Security::Open(SecurityOptionsOf(flags),
                                                                     listen.host, clock, metrics));
  ASSAY_ASSIGN_OR_RETURN(const std::string metrics_host, MetricsHost(flags, listen.host));
  const bool shared = !flags.store.empty();
  const bool answers = flags.role != "worker";
  const bool works = flags.role != "api";
  std::optional<repository::RepositoryOptions> repository_options;
  if (answers && !flags.model_repository.empty()) {
    ASSAY_ASSIGN_OR_RETURN(repository_options, ReadRepositoryOptions(flags));
  }
  std::error_code error;
  fs::create_directories(flags.data_dir + "/engines", error);
  if (error) {
    return Error(Reason::kStorageFailed,
                 absl::StrCat("cannot create ", flags.data_dir, "/engines: ", error.message()));
  }
  ASSAY_RETURN_IF_ERROR(LockDirectory(flags.data_dir));
  // What an earlier server left there is nobody's port, or another's by now.
  if (!flags.port_file.empty()) fs::remove(flags.port_file, error);
  const store::S3Blobs* s3 = nullptr;
  ASSAY_ASSIGN_OR_RETURN(const auto blobs, OpenBlobs(flags, &s3));
  ASSAY_ASSIGN_OR_RETURN(const auto store, OpenStore(flags, clock));
  store::BlobSweeper sweeper(
      *store, *blobs, clock, flags.data_dir + "/reserve",
      [&metrics](const store::BlobCount& removed) {
        metrics.CountSwept(removed.blobs, removed.bytes);
      },
      // A hundred workers need not list a bucket each.
      /*by_itself=*/s3 == nullptr || answers);
  const monitoring::DataDirectoryUsage disk(flags.data_dir);
  scheduler::EnginePoolOptions pool_options;
  pool_options.engine_binary = checked.engine_binary;
  pool_options.log_directory = flags.data_dir + "/engines";
  pool_options.devices = works ? checked.devices : std::vector<std::string>();
  pool_options.device_kinds = checked.device_kinds;
  pool_options.libtorch_version = checked.libtorch_version;
  // Engines of several devices work at the same time.
  pool_options.threads =
      flags.threads > 0
          ? flags.threads
          : std::max(1, static_cast<int>(std::thread::hardware_concurrency() /
                                         std::max<size_t>(1, pool_options.devices.size())));
  pool_options.max_engines_per_device = flags.max_engines;
  pool_options.batch_size = flags.batch_size;
  pool_options.frost_directory = flags.frost_directory;
  pool_options.numerics_directory = flags.numerics_directory;
  scheduler::EnginePool pool(pool_options, *store, *blobs, metrics);
  metrics.SetSystemSource([&] {
    monitoring::SystemSnapshot snapshot{pool.Devices(), disk.Read(), std::nullopt};
    if (s3 != nullptr) snapshot.blob_storage = UsageOf(*s3);
    return snapshot;
  });
  scheduler::Hub hub;
  // Its heartbeats do not wait for what others ask of the store.
  std::unique_ptr<store::JobStore> registry_store;
  api::Context context(*store, *store, *store, *blobs, pool, hub, metrics, clock, kExecutorThreads,
                       kMaxWaitingCalls);
  context.max_queued_evaluations = flags.max_evaluations;
  context.sweeper = &sweeper;
  context.access = &security->calls();
  context.writes.Start(std::chrono::milliseconds(static_cast<int64_t>(flags.write_seconds * 1000)));
  context.disk = &disk;
  context.disk_quota_bytes = flags.disk_quota;
  context.database = shared ? flags.store : flags.data_dir + "/assay.db";
  for (const std::string& device : pool_options.devices) context.control.AddWorker(device);
  if (shared) {
    ASSAY_ASSIGN_OR_RETURN(registry_store, OpenStore(flags, clock));
    ASSAY_RETURN_IF_ERROR(context.registry.Share(*registry_store, flags.role));
  } else {
    ASSAY_RETURN_IF_ERROR(context.control.RememberIn(flags.data_dir + "/queue-paused"));
  }
  if (context.control.state().paused) {
    LogWarning("the queue is paused, as it was before; `assay admin resume` ends that");
  }

  store->ShareBy(flags.fair_share_label);
  std::optional<api::Deadlines> deadlines;
  if (answers) deadlines.emplace(context);
  api::Retention retention(context, RetentionOf(flags));
  context.retention = &retention;

  const repository::DirectoryTree tree(flags.model_repository);
  std::optional<repository::ModelRepository> models;
  std::optional<repository::RepositoryThread> looks;
  repository::RepositoryServiceImpl repository_service(context);
  if (repository_options.has_value()) {
    models.emplace(*repository_options, tree, context);
    const absl::Status trigger = models->CheckTrigger();
    if (!trigger.ok()) {
      LogWarning(absl::StrCat("--on-new-version ", flags.on_new_version, ": ", trigger.message(),
                              "; new versions are evaluated as soon as that is right"));
    }
    looks.emplace(*models, flags.repository_poll_seconds);
    repository_service.Serve(*models, *looks);
  }
  std::unique_ptr<api::GrpcServer> server;
  if (answers) {
    ASSAY_ASSIGN_OR_RETURN(
        server, api::GrpcServer::Start(listen, context,
                                       {security->certificate(),
                                        LimitsOf(flags),
                                        {{"assay.v1.RepositoryService", &repository_service}}}));
  }
  const monitoring::Dependencies dependencies(ProbesOf(flags, *blobs), [&](bool all) {
    if (server != nullptr) server->SetDependencies(all);
  });
  metrics.SetQueueSource([&] {
    monitoring::QueueSnapshot snapshot;
    snapshot.paused = context.control.state().paused;
    snapshot.registered_workers = context.registry.CountWorkers();
    snapshot.dependencies = dependencies.Snapshot();
    // A scrape must not wait for it.
    if (!dependencies.Has("database")) return snapshot;
    snapshot.evaluations = store->CountEvaluations().value_or(snapshot.evaluations);
    snapshot.tasks = store->CountTasks().value_or(snapshot.tasks);
    const auto oldest = store->OldestOpenTaskMicros();
    if (oldest.ok()) snapshot.oldest_task_micros = oldest->value_or(0);
    return snapshot;
  });
  ASSAY_ASSIGN_OR_RETURN(
      const auto http,
      monitoring::HttpServer::Start(
          {metrics_host, flags.metrics_port}, metrics,
          [&] { return !context.draining && !context.control.draining() && dependencies.All(); },
          flags.metrics_tls ? security->certificate() : nullptr));
  const auto forget_http = absl::MakeCleanup([&] {
    if (security->tls() != nullptr) security->tls()->OnChange(nullptr);
  });
  if (flags.metrics_tls) {
    security->tls()->OnChange([&http] { http->TakeNewCertificate(); });
  }
  std::optional<api::ReportPublisher> publisher;
  if (answers) publisher.emplace(context);
  ASSAY_RETURN_IF_ERROR(api::LookForDecisions(context));
  // The counters of GPUs are not read, and those of processors alone would look like all.
  const bool processors_alone =
      std::all_of(pool_options.devices.begin(), pool_options.devices.end(),
                  [](const std::string& device) { return absl::StartsWith(device, "cpu"); });
  scheduler::EnergyMeter energy;
  // Its claims and renewals do not wait for what others ask of the store.
  std::vector<std::unique_ptr<store::JobStore>> worker_stores;
  std::optional<scheduler::StoreListener> listener;
  if (shared) {
    listener.emplace(flags.store, hub, [&context] { context.registry.Wake(); });
  }
  std::vector<std::unique_ptr<scheduler::Worker>> workers;
  for (const std::string& device : pool_options.devices) {
    scheduler::WorkerOptions options;
    options.owner = absl::StrCat(context.registry.instance(), "/", device);
    options.device = device;
    options.lease_seconds = flags.lease_seconds;
    options.stall_seconds = flags.stall_seconds;
    options.checkpoint_seconds = flags.checkpoint_seconds;
    options.energy = processors_alone ? &energy : nullptr;
    options.after_commit = [&context](const std::string& evaluation) {
      return api::LookForDecision(context, evaluation);
    };
    options.control = &context.control;
    store::JobStore* own = store.get();
    if (shared) {
      ASSAY_ASSIGN_OR_RETURN(auto opened, OpenStore(flags, clock));
      own = worker_stores.emplace_back(std::move(opened)).get();
    }
    workers.push_back(
        std::make_unique<scheduler::Worker>(options, *own, *blobs, pool, hub, metrics));
  }
  if (!flags.port_file.empty()) {
    ASSAY_RETURN_IF_ERROR(
        WritePortFile(flags.port_file, server != nullptr ? server->port() : http->port()));
  }
  const std::string grpc_at =
      server == nullptr
          ? ""
          : absl::StrCat("gRPC on ", Address{listen.host, server->port()}.ToString(), " and ");
  const std::string engines =
      works ? absl::StrCat("; devices ", absl::StrJoin(pool_options.devices, ","), ", ",
                           pool_options.threads, " threads")
            : "";
  const std::string serving = absl::StrCat("serving ", grpc_at, "metrics on ",
                                           Address{metrics_host, http->port()}.ToString());
  LogInfo(absl::StrCat(serving, engines, "; data in ",
                       shared ? WithoutPassword(flags.store) : flags.data_dir));
  const char* const notify = std::getenv("NOTIFY_SOCKET");
  if (!monitoring::NotifySystemd(notify, absl::StrCat("READY=1\nSTATUS=", serving))) {
    LogWarning("cannot tell systemd that the server serves", {{"socket", notify}});
  }
  if (looks.has_value()) looks->Start();

  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) security->Reload();
  LogInfo(absl::StrCat("stopping (", strsignal(signal), "); a second signal stops at once"));
  std::thread([signals, timeout = flags.exit_timeout, directory = flags.owned_directory, parent,
               signal] {
    timespec limit{};
    limit.tv_sec = static_cast<time_t>(timeout);
    siginfo_t info{};
    bool again = false;
    do {
      again = sigtimedwait(&signals, &info, &limit) > 0;
      // A parent that is killed tells once more with each of its threads that dies.
    } while (again && (info.si_signo == SIGHUP || (!directory.empty() && info.si_pid == parent)));
    LogWarning(again ? "stopped by a second signal" : "--exit-timeout is over");
    RemoveIfOrphaned(directory, parent, signal);
    _exit(1);
  }).detach();
  monitoring::NotifySystemd(notify, "STOPPING=1");
  context.draining = true;
  if (server != nullptr) server->SetNotServing();
  for (const auto& worker : workers) worker->Stop();
  if (looks.has_value()) looks->Stop();
  workers.clear();
  context.registry.Stop();
  if (server != nullptr) server->Shutdown(2);
  metrics.SetQueueSource(nullptr);
  metrics.SetSystemSource(nullptr);
  if (!flags.port_file.empty()) fs::remove(flags.port_file, error);
  LogInfo("stopped");
  return absl::OkStatus();
}

LogLevel LogLevelOf(const std::string& name) {
  if (name == "error") return LogLevel::kError;
  if (name == "warning") return LogLevel::kWarning;
  return name == "debug" ? LogLevel::kDebug : LogLevel::kInfo;
}

// What Serve would refuse of certificates, tokens and addresses; makes nothing.
std::vector<FieldViolation> SecurityMistakes(const Flags& flags, const std::string& listen_host) {
  const SystemClock clock;
  monitoring::Metrics metrics(0);
  access::SecurityOptions options = SecurityOptionsOf(flags);
  // It would be made.
  if (!options.audit_log.empty()) {
    options.audit_log.clear();
    options.audit_reads = false;
  }
  std::vector<FieldViolation> mistakes;
  for (const absl::Status& status :
       {access::Security::Open(options, listen_host, clock, metrics).status(),
        MetricsHost(flags, listen_host).status()}) {
    if (status.ok()) continue;
    std::vector<FieldViolation> violations = ViolationsOf(status);
    if (violations.empty()) violations.push_back({"security", std::string(status.message())});
    for (FieldViolation& violation : violations) mistakes.push_back(std::move(violation));
  }
  return mistakes;
}

// Of a check to whoever asked for it, else to the log.
void Complain(const FieldViolation& mistake, bool check) {
  const std::string text = WithoutUsers(absl::StrCat(mistake.field, ": ", mistake.description));
  check ? void(std::cerr << text << std::endl) : LogError(text);
}

int Main(int argc, char** argv) {
  const pid_t parent = getppid();
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto read = ReadConfiguration(words, ProcessEnvironment());
  if (const auto* exit = std::get_if<Exit>(&read)) {
    std::cout << exit->out << std::flush;
    const bool check = std::find(words.begin(), words.end(), "--check-config") != words.end();
    for (const FieldViolation& mistake : exit->mistakes) Complain(mistake, check);
    return exit->code;
  }
  const auto& configuration = std::get<Configuration>(read);
  const Flags& flags = configuration.flags;
  SetLog(flags.log_format == "json" ? LogFormat::kJson : LogFormat::kText,
         LogLevelOf(flags.log_level));
  CheckedFlags checked = CheckFlags(flags, ProgramDirectory());
  if (configuration.check_only) {
    std::cout << Describe(configuration) << std::flush;
    if (!checked.listen.host.empty()) {
      for (FieldViolation& mistake : SecurityMistakes(flags, checked.listen.host)) {
        checked.mistakes.push_back(std::move(mistake));
      }
    }
  }
  for (const FieldViolation& mistake : checked.mistakes) {
    Complain({configuration.WhereIs(mistake.field), mistake.description}, configuration.check_only);
  }
  if (configuration.check_only || !checked.mistakes.empty()) {
    RemoveIfOrphaned(flags.owned_directory, parent, 0);
    return checked.mistakes.empty() ? 0 : 1;
  }

  // Taken by sigwait in Serve; every thread inherits the mask.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  // Files are read anew; without any it ends the process, as a closed terminal should, but not a
  // service, which is told to reload whatever it has.
  if (!flags.tls_cert.empty() || !flags.tokens.empty() || !flags.audit_log.empty() ||
      std::getenv("NOTIFY_SOCKET") != nullptr) {
    sigaddset(&signals, SIGHUP);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  // Writing beyond a file size limit must be an error like a full disk, not the end.
  std::signal(SIGXFSZ, SIG_IGN);

  int signal = 0;
  const absl::Status status = Serve(flags, checked, signals, parent, signal);
  RemoveIfOrphaned(flags.owned_directory, parent, signal);
  if (status.ok()) return 0;
  LogError(status.message());
  return 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
