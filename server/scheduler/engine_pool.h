// The engines of this machine: which models are loaded on which device, started when needed, the
// least recently used stopped to make room.
#ifndef ASSAY_SERVER_SCHEDULER_ENGINE_POOL_H_
#define ASSAY_SERVER_SCHEDULER_ENGINE_POOL_H_

#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"
#include "core/base/mutex.h"
#include "server/monitoring/device_usage.h"
#include "server/monitoring/metrics.h"
#include "server/scheduler/engine_process.h"
#include "server/scheduler/numerics_memory.h"
#include "server/store/blob_store.h"
#include "server/store/catalog.h"

namespace assay::scheduler {

struct EnginePoolOptions {
  std::string engine_binary;
  std::string log_directory;
  // "cpu", "cuda:0", ...; one task at a time on each.
  std::vector<std::string> devices = {"cpu"};
  // As fingerprints name them, by device: "NVIDIA H200". A CPU needs no entry.
  std::map<std::string, std::string> device_kinds = {};
  // Empty: the first engine says it.
  std::string libtorch_version = {};
  int threads = 1;
  // Loaded models on one device, the one at work included.
  int max_engines_per_device = 3;
  double load_timeout_seconds = 300;
  // 0: the engine measures and chooses.
  int batch_size = 0;
  // Of the published frost photographs; empty: none.
  std::string frost_directory;
  // Where choices of numerics are remembered beyond the store (numerics_memory.h); empty: nowhere.
  std::string numerics_directory;
};

// Thread-safe.
class EnginePool {
 public:
  EnginePool(EnginePoolOptions options, store::Catalog& catalog, store::BlobStore& blobs,
             monitoring::Metrics& metrics);
  // Stops every engine. All leases must have ended.
  ~EnginePool();

  // About how many images the engines take at once, for cutting tasks.
  int usual_batch() const;
  // The same of engines elsewhere, with the options of this pool.
  int UsualBatch(bool gpu) const;

  struct Engine;
  // An engine that belongs to the caller until the lease ends.
  class Lease {
   public:
    Lease(EnginePool* pool, std::shared_ptr<Engine> engine)
        : pool_(pool), engine_(std::move(engine)) {}
    Lease(Lease&& other) noexcept = default;
    ~Lease();
    EngineProcess& process();
    const v1::ModelValidation& validation() const;

   private:
    EnginePool* pool_;
    std::shared_ptr<Engine> engine_;
  };

  // An engine with the model for images of `shape` on `device`, started if need be (which can take
  // a while; `details`: with those of v1::ModelDetails). Errors of the model make the model
  // UNAVAILABLE. One engine at a time starts on each device. kCancelled soon after `cancelled` says
  // yes.
  absl::StatusOr<Lease> Acquire(const std::string& device, const v1::Model& model,
                                const v1::ImageShape& shape, const std::function<bool()>& cancelled,
                                bool details = false);

  // Makes sure that some device holds the model, whose validation has its details when it is loaded
  // for that. For LoadModel.
  absl::Status EnsureLoaded(const v1::Model& model, const v1::ImageShape& shape);
  // Kills the model's engines, those at work or still loading too.
  void Unload(const std::string& model);
  // Unload, for a model that does not exist any more.
  void Forget(const std::string& model);

  // The devices with what is used of them, in the order of the options.
  std::vector<monitoring::DeviceSnapshot> Devices() const;

  // As fingerprints name it: "cpu", "NVIDIA H200".
  std::string KindOf(const std::string& device) const;
  // Empty: not known yet.
  std::string LibTorchVersion() const;

  // Fills in state and state_reason.
  void DescribeState(v1::Model* model) const;
  // Name, state and state_reason of all models whose state is not UNLOADED.
  v1::ListModelsResponse States() const;

  struct EngineState {
    enum class Work { kLoading, kIdle, kBusy };
    std::string model;
    std::string device;
    Work work = Work::kLoading;
    int pid = 0;  // 0: none yet
    monitoring::ProcessUsage usage;
    // Since it was loaded; of one that loads, since it began to.
    double seconds = 0;
  };
  // Most recently used first.
  std::vector<EngineState> Engines() const;
  // Full names of the models that are loaded on a device, most recently used first.
  std::vector<std::string> LoadedOn(const std::string& device) const;

  const EnginePoolOptions& options() const { return options_; }

 private:
  struct ModelState {
    v1::Model::State state = v1::Model::UNLOADED;
    std::string reason;
  };
  std::shared_ptr<Engine> FindIdle(const std::string& device, const std::string& key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes the least recently used idle engines beyond the limit out of the list; to be destroyed
  // outside the lock.
  std::vector<std::shared_ptr<Engine>> Evict(const std::string& device)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts the process of an engine and loads the model.
  absl::Status Load(Engine& engine, const v1::Model& model, const v1::ImageShape& shape,
                    const std::function<bool()>& cancelled);
  void Return(const std::shared_ptr<Engine>& engine);
  void SetState(const std::string& model, v1::Model::State state, const std::string& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Brings the metric up to date.
  void ShowStates() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // READY or UNLOADED, by whether an engine lives.
  void RefreshState(const std::string& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const EnginePoolOptions options_;
  store::Catalog& catalog_;
  const NumericsMemory numerics_memory_;
  const monitoring::DeviceMonitor device_monitor_;
  store::BlobStore& blobs_;
  monitoring::Metrics& metrics_;
  // Held by EnsureLoaded: of several that ask for a model, one starts its engine.
  Mutex ensuring_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable Mutex mutex_;
  // Most recently used first.
  std::list<std::shared_ptr<Engine>> engines_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, ModelState> states_ ABSL_GUARDED_BY(mutex_);
  std::string libtorch_version_ ABSL_GUARDED_BY(mutex_);
  int64_t started_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of all processes that were started, by device; those that have ended move into the sum.
  struct Usages {
    std::list<std::shared_ptr<const EngineUsage>> processes;
    double ended_cpu_seconds = 0;
  };
  mutable Mutex usages_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  mutable std::map<std::string, Usages> usages_ ABSL_GUARDED_BY(usages_mutex_);
  // Devices on which an engine is starting right now.
  std::set<std::string> starting_ ABSL_GUARDED_BY(mutex_);
  std::condition_variable starting_changed_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_ENGINE_POOL_H_
