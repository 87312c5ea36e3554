// Everything that /metrics shows. One object for the process; names and labels are listed in
// docs/operations.md.
#ifndef ASSAY_SERVER_MONITORING_METRICS_H_
#define ASSAY_SERVER_MONITORING_METRICS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assay/v1/outcomes.pb.h"
#include "assay/v1/reports.pb.h"
#include "server/monitoring/device_usage.h"
#include "server/monitoring/disk_usage.h"
#include "server/monitoring/judged_gates.h"
#include "server/monitoring/robustness_gauges.h"

namespace assay::monitoring {

// What a scrape asks of the store.
struct QueueSnapshot {
  std::map<std::string, int64_t> evaluations;  // by state
  std::map<std::string, int64_t> tasks;        // by state
  int64_t oldest_task_micros = 0;              // 0: empty queue
  bool paused = false;
  // Of all assayds over this store, by what they do: "busy", "idle", "draining", "lost".
  std::map<std::string, int64_t> registered_workers;
  std::map<std::string, int64_t> dependencies;  // 1: it answers
};

// Of blobs in object storage, since the start.
struct BlobStorageUsage {
  struct Requests {
    std::string operation;
    int64_t succeeded = 0, failed = 0;
  };
  std::vector<Requests> requests;
  int64_t retries = 0;
  int64_t sent_bytes = 0, received_bytes = 0;
  bool up = true;  // whether it answered when it was asked last
  int64_t cache_bytes = 0;
  int64_t cache_hits = 0, cache_misses = 0, cache_evictions = 0;
};

// What a scrape asks of the machine.
struct SystemSnapshot {
  std::vector<DeviceSnapshot> devices;
  DiskUsage disk;
  std::optional<BlobStorageUsage> blob_storage;
};

// What a worker is doing.
enum class WorkerState {
  kIdle,
  kLoading,  // waits for an engine with its model
  kWorking,
  // Has outcomes that the store has no room for, or refuses for another reason that may pass; or
  // waits for blobs that cannot be fetched.
  kBlocked,
};

// What the last look into the model repository found.
struct RepositorySnapshot {
  std::map<std::string, int64_t> versions;  // by state; states that are not named are zero
  std::map<std::string, int64_t> errors;    // by kind; likewise
  int64_t look_micros = 0;                  // when it was; 0: the directory could not be read yet
};

// Thread-safe.
class Metrics {
 public:
  static constexpr int kMaxClasses = 100;

  // The gauges of classes: of at most `max_classes` for each condition, of more classes the worst
  // and the best ten; 0: none.
  explicit Metrics(int max_classes = kMaxClasses);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The exposition in the Prometheus text format.
  std::string Render() const;

  // Called at every scrape until they are set to nullptr.
  void SetQueueSource(std::function<QueueSnapshot()> source);
  void SetSystemSource(std::function<SystemSnapshot()> source);

  // --- the work ---
  void CountTask(const std::string& kind, double seconds, int64_t samples,
                 const v1::PassCounts& passes);
  // Outcomes of a task that are those of earlier tasks.
  void CountReused(const std::string& kind, int64_t samples);
  // Phases: "model", "around_model", "commit".
  void AddPhaseSeconds(const std::string& phase, double seconds);
  // Reasons: "died_at_work", "died_idle".
  void CountEngineRestart(const std::string& reason);
  // Of the worker of a device.
  void SetWorkerState(const std::string& device, WorkerState state);
  void RemoveWorker(const std::string& device);
  // A worker's result came too late: its task had been given to another.
  void CountLostLease();
  // Reasons: "refused" (the model is at fault), "engine_lost" (its process ended), "server".
  void CountModelLoadFailure(const std::string& reason);
  // Models by state; states that are not named are zero.
  void SetModelStates(const std::map<std::string, int64_t>& counts);
  void CountUpload(int64_t stored_bytes, int64_t deduplicated_bytes);
  // Reasons: "request", "expired".
  void CountEvaluationDeleted(const std::string& reason);
  void CountSwept(int64_t blobs, int64_t bytes);

  // --- who may do what (server/access) ---
  // Reasons: kAuthenticationFailures.
  static constexpr const char* kAuthenticationFailures[] = {
      "no_credentials", "malformed", "unknown", "expired", "unencrypted", "scope", "rate_limited"};
  void CountAuthenticationFailure(const std::string& reason);
  // A file that has changed and cannot be used: "certificate", "tokens".
  void CountReloadFailure(const std::string& what);
  void CountAuditFailure();
  // Of the certificate in force.
  void SetCertificateExpiry(int64_t micros);

  // --- the model repository ---
  void SetRepository(const RepositorySnapshot& snapshot);

  // --- gRPC, under the names of go-grpc-prometheus ---
  // A method that may be called: it is shown with zeros until it is.
  void KnowRpc(const std::string& type, const std::string& service, const std::string& method);
  void RpcStarted(const std::string& type, const std::string& service, const std::string& method);
  void RpcHandled(const std::string& type, const std::string& service, const std::string& method,
                  const std::string& code, double seconds);
  void RpcMessage(const std::string& type, const std::string& service, const std::string& method,
                  bool received);
  // Calls that have started and not been handled yet, by "service/method".
  std::map<std::string, int64_t> OpenCalls() const;

  // --- robustness: the latest finished evaluation of each (model, dataset) ---
  // At most `kMaxReports` pairs and `kMaxSeries` series are shown, the oldest leaves first.
  static constexpr size_t kMaxSeries = 20'000;
  static constexpr size_t kMaxReports = 100;
  void PublishReport(const v1::Report& report, const Publication& publication);
  // The gates of an evaluation, likewise.
  void PublishGates(const JudgedGates& gates);
  // Removes what an evaluation published, gates too.
  void WithdrawReport(const std::string& evaluation);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_METRICS_H_
