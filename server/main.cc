// assayd: the server. See docs/architecture.md for what its parts do and docs/operations.md for its
// flags.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "core/base/owned_directory.h"
#include "core/corruptions/frost_files.h"
#include "net/address.h"
#include "server/api/early_decisions.h"
#include "server/api/grpc_server.h"
#include "server/api/report_publisher.h"
#include "server/config/flags.h"
#include "server/monitoring/http_server.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_service.h"
#include "server/repository/repository_thread.h"
#include "server/repository/trigger_file.h"
#include "server/scheduler/worker.h"
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

// Whether the kernel has a driver of GPUs that LibTorch might use. Asking the engine takes a
// second, in which it starts LibTorch.
bool MayHaveGpus() {
  for (const char* path : {"/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd"}) {
    if (access(path, F_OK) == 0) return true;
  }
  return false;
}

// "auto": what the engine finds, the GPUs if there are any.
// What the engine finds on this machine: GPUs, and the CPU, last.
absl::StatusOr<std::vector<std::string>> ListDevices(const Flags& flags) {
  std::vector<std::string> found;
  if (!MayHaveGpus() && access(flags.engine_binary.c_str(), X_OK) == 0)
    return std::vector<std::string>{"cpu"};
  FILE* pipe = popen(absl::StrCat("'", flags.engine_binary, "' --list-devices").c_str(), "r");
  if (pipe != nullptr) {
    char line[128];
    while (fgets(line, sizeof(line), pipe) != nullptr) {
      found.emplace_back(absl::StripAsciiWhitespace(line));
    }
    pclose(pipe);
  }
  if (found.empty()) {
    return Error(Reason::kInternal,
                 absl::StrCat("cannot run ", flags.engine_binary, " --list-devices"));
  }
  return found;
}

absl::StatusOr<std::vector<std::string>> ResolveDevices(const Flags& flags) {
  if (flags.devices == "auto") {
    ASSAY_ASSIGN_OR_RETURN(std::vector<std::string> found, ListDevices(flags));
    if (found.size() > 1) found.pop_back();
    return found;
  }
  const std::vector<std::string> devices = absl::StrSplit(flags.devices, ',');
  std::set<std::string> names;
  bool gpu = false;
  for (const std::string& device : devices) {
    static const std::regex* const kDevice = new std::regex("cpu(:[0-9]{1,3})?|(cuda:[0-9]{1,3})");
    std::smatch parts;
    if (!std::regex_match(device, parts, *kDevice)) {
      return InvalidFields({{"--devices", absl::StrCat("must be auto, or a list such as "
                                                       "cuda:0,cuda:1 or cpu; got '",
                                                       device, "'")}});
    }
    if (!names.insert(device).second) {
      return InvalidFields({{"--devices", absl::StrCat("names ", device, " twice; give ", device,
                                                       " once, or --max-engines")}});
    }
    gpu = gpu || parts[2].matched;
  }
  if (!gpu) return devices;
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> found, ListDevices(flags));
  for (const std::string& device : devices) {
    if (absl::StartsWith(device, "cuda") &&
        std::find(found.begin(), found.end(), device) == found.end()) {
      return InvalidFields(
          {{"--devices",
            absl::StrCat(device, " is not there; LibTorch finds ", absl::StrJoin(found, ", "),
                         " (a LibTorch without CUDA finds no GPU, and "
                         "CUDA_VISIBLE_DEVICES hides some)")}});
    }
  }
  return devices;
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
absl::Status Serve(Flags flags, const sigset_t& signals, pid_t parent, int& signal) {
  const SystemClock clock;
  ASSAY_ASSIGN_OR_RETURN(const Address listen,
                         ParseAddress(flags.listen, "--listen", AddressUse::kListen));
  if (flags.metrics_port != 0 && flags.metrics_port == listen.port) {
    return InvalidFields(
        {{"--metrics-port", absl::StrCat("must not be the port of --listen, ", listen.port)}});
  }
  if (flags.engine_binary.empty()) flags.engine_binary = ProgramDirectory() + "/assay-engine";
  if (!flags.frost_directory.empty()) {
    ASSAY_RETURN_IF_ERROR(ReadFrostFiles(flags.frost_directory).status());
  }
  if (!IsLoopback(listen.host) && !flags.insecure) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("--listen ", flags.listen,
                              " is reachable from other machines and this build has no TLS; add "
                              "--insecure if the network is trusted"));
  }
  std::optional<repository::RepositoryOptions> repository_options;
  if (!flags.model_repository.empty()) {
    ASSAY_ASSIGN_OR_RETURN(repository_options, ReadRepositoryOptions(flags));
  }
  std::error_code error;
  for (const char* part : {"/blobs", "/engines"}) {
    fs::create_directories(flags.data_dir + part, error);
    if (error) {
      return Error(Reason::kStorageFailed,
                   absl::StrCat("cannot create ", flags.data_dir, part, ": ", error.message()));
    }
  }
  ASSAY_RETURN_IF_ERROR(LockDirectory(flags.data_dir));
  // What an earlier server left there is nobody's port, or another's by now.
  if (!flags.port_file.empty()) fs::remove(flags.port_file, error);
  ASSAY_ASSIGN_OR_RETURN(const auto blobs, store::BlobStore::Open(flags.data_dir + "/blobs"));
  // The lock says that nobody else uses the file.
  ASSAY_ASSIGN_OR_RETURN(
      const auto store,
      store::OpenSqliteJobStore(flags.data_dir + "/assay.db", clock, store::Sharing::kExclusive));
  store::BlobSweeper sweeper(*store, *blobs, clock, flags.data_dir + "/reserve");

  monitoring::Metrics metrics(flags.metrics_classes);
  metrics.SetQueueSource([&] {
    monitoring::QueueSnapshot snapshot;
    snapshot.evaluations = store->CountEvaluations().value_or(snapshot.evaluations);
    snapshot.tasks = store->CountTasks().value_or(snapshot.tasks);
    const auto oldest = store->OldestOpenTaskMicros();
    if (oldest.ok()) snapshot.oldest_task_micros = oldest->value_or(0);
    return snapshot;
  });
  scheduler::EnginePoolOptions pool_options;
  pool_options.engine_binary = flags.engine_binary;
  pool_options.log_directory = flags.data_dir + "/engines";
  ASSAY_ASSIGN_OR_RETURN(pool_options.devices, ResolveDevices(flags));
  // Engines of several devices work at the same time.
  pool_options.threads = flags.threads > 0
                             ? flags.threads
                             : std::max(1, static_cast<int>(std::thread::hardware_concurrency() /
                                                            pool_options.devices.size()));
  pool_options.max_engines_per_device = flags.max_engines;
  pool_options.batch_size = flags.batch_size;
  pool_options.frost_directory = flags.frost_directory;
  pool_options.numerics_directory = flags.numerics_directory;
  scheduler::EnginePool pool(pool_options, *store, *blobs, metrics);
  scheduler::Hub hub;
  api::Context context(*store, *store, *blobs, pool, hub, metrics, clock, kExecutorThreads,
                       kMaxWaitingCalls);
  context.max_queued_evaluations = flags.max_evaluations;
  context.sweeper = &sweeper;

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
  ASSAY_ASSIGN_OR_RETURN(
      const auto server,
      api::GrpcServer::Start(listen, context,
                             {{"assay.v1.RepositoryService", &repository_service}}));
  ASSAY_ASSIGN_OR_RETURN(const auto http,
                         monitoring::HttpServer::Start({listen.host, flags.metrics_port}, metrics,
                                                       [&] { return !context.draining; }));
  const api::ReportPublisher publisher(context);
  ASSAY_RETURN_IF_ERROR(api::LookForDecisions(context));
  std::vector<std::unique_ptr<scheduler::Worker>> workers;
  for (const std::string& device : pool_options.devices) {
    scheduler::WorkerOptions options;
    options.owner = absl::StrCat(getpid(), "/", device);
    options.device = device;
    options.lease_seconds = flags.lease_seconds;
    options.stall_seconds = flags.stall_seconds;
    options.after_commit = [&context](const std::string& evaluation) {
      return api::LookForDecision(context, evaluation);
    };
    workers.push_back(
        std::make_unique<scheduler::Worker>(options, *store, *blobs, pool, hub, metrics));
  }
  if (!flags.port_file.empty()) {
    ASSAY_RETURN_IF_ERROR(WritePortFile(flags.port_file, server->port()));
  }
  if (looks.has_value()) looks->Start();
  LogInfo(absl::StrCat("serving gRPC on ", Address{listen.host, server->port()}.ToString(),
                       " and metrics on ", Address{listen.host, http->port()}.ToString(),
                       "; devices ", absl::StrJoin(pool_options.devices, ","), ", ",
                       pool_options.threads, " threads; data in ", flags.data_dir));

  sigwait(&signals, &signal);
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
    } while (again && !directory.empty() && info.si_pid == parent);
    LogWarning(again ? "stopped by a second signal" : "--exit-timeout is over");
    RemoveIfOrphaned(directory, parent, signal);
    _exit(1);
  }).detach();
  context.draining = true;
  server->SetNotServing();
  for (const auto& worker : workers) worker->Stop();
  if (looks.has_value()) looks->Stop();
  workers.clear();
  server->Shutdown(2);
  metrics.SetQueueSource(nullptr);
  if (!flags.port_file.empty()) fs::remove(flags.port_file, error);
  LogInfo("stopped");
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  const pid_t parent = getppid();
  Flags flags;
  if (const std::optional<int> end = ParseFlags(argc, argv, flags)) return *end;

  // Taken by sigwait in Serve; every thread inherits the mask.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  // Writing beyond a file size limit must be an error like a full disk, not the end.
  std::signal(SIGXFSZ, SIG_IGN);

  int signal = 0;
  const absl::Status status = Serve(flags, signals, parent, signal);
  RemoveIfOrphaned(flags.owned_directory, parent, signal);
  if (status.ok()) return 0;
  LogError(status.message());
  return 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
