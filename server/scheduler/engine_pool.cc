#include "server/scheduler/engine_pool.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::scheduler {

struct EnginePool::Engine {
  std::string model;  // full name
  std::string device;
  std::string key;       // model digest and image shape
  bool details = false;  // whether it is to say what the model is made of
  // Under the pool's lock.
  bool busy = true;
  bool loaded = false;
  bool unloaded = false;
  // When it was loaded, or began to.
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  // nullptr before it has started. Changed under the pool's lock until it is loaded.
  std::shared_ptr<EngineProcess> process;
  v1::ModelValidation validation;
};

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(50);

std::string EngineKey(const v1::Model& model, const v1::ImageShape& shape) {
  return absl::StrCat(model.digest(), " ", shape.channels(), "x", shape.height(), "x",
                      shape.width());
}

// Whose fault it is that a model does not load.
const char* KindOfFailure(const absl::Status& status) {
  const auto reason = ReasonOf(status).value_or(Reason::kInternal);
  if (reason == Reason::kEngineLost) return "engine_lost";
  const bool of_server = reason == Reason::kInternal || reason == Reason::kStorageFailed ||
                         reason == Reason::kStorageFull || reason == Reason::kUnavailable;
  return of_server ? "server" : "refused";
}

}  // namespace

EnginePool::Lease::~Lease() {
  if (engine_ != nullptr) pool_->Return(engine_);
}
EngineProcess& EnginePool::Lease::process() { return *engine_->process; }
const v1::ModelValidation& EnginePool::Lease::validation() const { return engine_->validation; }

EnginePool::EnginePool(EnginePoolOptions options, store::Catalog& catalog, store::BlobStore& blobs,
                       monitoring::Metrics& metrics)
    : options_(std::move(options)),
      catalog_(catalog),
      numerics_memory_(options_.numerics_directory),
      device_monitor_(options_.devices),
      blobs_(blobs),
      metrics_(metrics) {}

EnginePool::~EnginePool() = default;

std::shared_ptr<EnginePool::Engine> EnginePool::FindIdle(const std::string& device,
                                                         const std::string& key) {
  for (auto it = engines_.begin(); it != engines_.end();) {
    const std::shared_ptr<Engine> engine = *it;
    if (engine->busy) {
      ++it;
      continue;
    }
    if (!engine->process->alive()) {
      // It died while nobody used it; a fresh one takes its place.
      it = engines_.erase(it);
      metrics_.CountEngineRestart("died_idle");
      RefreshState(engine->model);
      continue;
    }
    if (engine->device == device && engine->key == key) {
      engines_.splice(engines_.begin(), engines_, it);
      return engine;
    }
    ++it;
  }
  return nullptr;
}

std::vector<std::shared_ptr<EnginePool::Engine>> EnginePool::Evict(const std::string& device) {
  std::vector<std::shared_ptr<Engine>> victims;
  int held = 0;
  for (auto it = engines_.begin(); it != engines_.end();) {
    const std::shared_ptr<Engine> engine = *it;
    if (engine->device != device || ++held < options_.max_engines_per_device || engine->busy) {
      ++it;
      continue;
    }
    it = engines_.erase(it);
    RefreshState(engine->model);
    victims.push_back(engine);
  }
  return victims;
}

int EnginePool::usual_batch() const {
  constexpr int kCpuBatch = 32, kGpuBatch = 128;
  for (const std::string& device : options_.devices) {
    if (absl::StartsWith(device, "cpu")) continue;
    return options_.batch_size > 0 ? options_.batch_size : kGpuBatch;
  }
  return kCpuBatch;
}

absl::StatusOr<EnginePool::Lease> EnginePool::Acquire(const std::string& device,
                                                      const v1::Model& model,
                                                      const v1::ImageShape& shape,
                                                      const std::function<bool()>& cancelled,
                                                      bool details) {
  std::vector<std::shared_ptr<Engine>> victims;
  const auto engine = std::make_shared<Engine>();
  engine->model = model.name();
  engine->device = device;
  engine->key = EngineKey(model, shape);
  engine->details = details;
  {
    MutexLock lock(mutex_);
    while (true) {
      if (auto idle = FindIdle(device, engine->key)) {
        idle->busy = true;
        return Lease(this, std::move(idle));
      }
      if (starting_.insert(device).second) break;
      if (cancelled()) return Error(Reason::kCancelled, "loading the model was cancelled");
      lock.WaitFor(starting_changed_, kPollInterval, [&] { return starting_.count(device) == 0; });
    }
    victims = Evict(device);
    SetState(model.name(), v1::Model::LOADING, "");
    // Before it runs, so that Unload finds it.
    engines_.push_front(engine);
  }
  victims.clear();
  const absl::Status loaded = Load(*engine, model, shape, cancelled);
  // Gone before the next one starts.
  if (!loaded.ok() && engine->process != nullptr) engine->process->Kill();
  MutexLock lock(mutex_);
  starting_.erase(device);
  starting_changed_.notify_all();
  engine->loaded = loaded.ok();
  engine->since = std::chrono::steady_clock::now();
  if (!loaded.ok()) engines_.remove(engine);
  if (engine->unloaded) {
    // Whoever did that has said what the model's state is.
  } else if (loaded.ok()) {
    SetState(model.name(), v1::Model::READY, "");
  } else if (ReasonOf(loaded) == Reason::kCancelled) {
    RefreshState(model.name());
  } else {
    SetState(model.name(), v1::Model::UNAVAILABLE, PublicText(loaded));
  }
  if (loaded.ok()) return Lease(this, engine);
  if (!engine->unloaded && ReasonOf(loaded) != Reason::kCancelled) {
    metrics_.CountModelLoadFailure(KindOfFailure(loaded));
  }
  return loaded;
}

absl::Status EnginePool::Load(Engine& engine, const v1::Model& model, const v1::ImageShape& shape,
                              const std::function<bool()>& cancelled) {
  int64_t number = 0;
  {
    MutexLock lock(mutex_);
    // A few logs are kept, then overwritten.
    number = started_++ % 16;
  }
  ASSAY_ASSIGN_OR_RETURN(
      std::shared_ptr<EngineProcess> process,
      EngineProcess::Start({options_.engine_binary,
                            absl::StrCat(options_.log_directory, "/engine-", number, ".log"),
                            options_.threads,
                            {{"model", engine.model},
                             {"device", engine.device},
                             {"output", absl::StrCat("engine-", number, ".log")}}}));
  {
    MutexLock lock(usages_mutex_);
    usages_[engine.device].processes.push_back(process->usage());
  }
  {
    MutexLock lock(usages_mutex_);
    usages_[engine.device].processes.push_back(process->usage());
  }
  {
    MutexLock lock(mutex_);
    if (engine.unloaded) return Error(Reason::kEngineLost, "the engine was stopped");
    engine.process.swap(process);
  }
  process = nullptr;  // an earlier one
  // What an earlier engine chose by measuring is kept, so that the same bits come out again. On a
  // CPU nothing is chosen that they depend on.
  const bool chooses = !absl::StartsWith(engine.device, "cpu");
  const std::string numerics_key =
      absl::StrCat(engine.key, " ", engine.device, " batch=", options_.batch_size);
  std::optional<v1::NumericsFingerprint> numerics;
  if (chooses) {
    ASSAY_ASSIGN_OR_RETURN(numerics, catalog_.GetNumerics(numerics_key));
    if (!numerics) {
      numerics = numerics_memory_.Find(numerics_key);
      if (numerics) ASSAY_RETURN_IF_ERROR(catalog_.SetNumerics(numerics_key, *numerics));
    }
  }
  engine_rpc::v1::LoadRequest request;
  request.set_model_path(blobs_.Path(model.digest()));
  *request.mutable_input_shape() = shape;
  request.set_device(engine.device);
  request.set_threads(options_.threads);
  request.set_batch_size(numerics ? numerics->batch_size() : options_.batch_size);
  request.set_frost_directory(options_.frost_directory);
  request.set_details(engine.details);
  engine_rpc::v1::LoadResponse response;
  ASSAY_RETURN_IF_ERROR(
      engine.process->Load(request, options_.load_timeout_seconds, cancelled, &response));
  engine.validation = response.validation();
  // What an earlier load said of it.
  if (!engine.details && model.validation().has_details()) {
    *engine.validation.mutable_details() = model.validation().details();
  }
  if (chooses && !numerics) {
    const v1::NumericsFingerprint& own = engine.validation.numerics();
    const v1::NumericsFingerprint remembered = numerics_memory_.Remember(numerics_key, own);
    ASSAY_RETURN_IF_ERROR(catalog_.SetNumerics(numerics_key, remembered));
    if (remembered.batch_size() != own.batch_size()) {
      // Another server chose while this engine measured.
      return Load(engine, model, shape, cancelled);
    }
  }
  return catalog_.SetModelValidation(model.name(), engine.validation);
}

void EnginePool::Return(const std::shared_ptr<Engine>& engine) {
  const bool alive = engine->process->alive();
  MutexLock lock(mutex_);
  engine->busy = false;
  if (alive || engine->unloaded) return;
  engines_.remove(engine);
  RefreshState(engine->model);
}

absl::Status EnginePool::EnsureLoaded(const v1::Model& model, const v1::ImageShape& shape) {
  if (options_.devices.empty()) {
    return Error(Reason::kWrongState,
                 "this assayd has no engines (--role api); workers load a model when they need it");
  }
  const std::string& device = options_.devices.front();
  MutexLock one_at_a_time(ensuring_);
  {
    MutexLock lock(mutex_);
    // What is starting right now may be this model.
    lock.Wait(starting_changed_, [&] { return starting_.count(device) == 0; });
    for (const auto& engine : engines_) {
      if (engine->loaded && engine->key == EngineKey(model, shape) && engine->process->alive()) {
        return absl::OkStatus();
      }
    }
  }
  return Acquire(
             device, model, shape, [] { return false; }, /*details=*/true)
      .status();
}

void EnginePool::Unload(const std::string& model) {
  std::vector<std::shared_ptr<EngineProcess>> victims;
  {
    MutexLock lock(mutex_);
    SetState(model, v1::Model::UNLOADING, "");
    for (auto it = engines_.begin(); it != engines_.end();) {
      if ((*it)->model == model) {
        (*it)->unloaded = true;
        if ((*it)->process != nullptr) victims.push_back((*it)->process);
        it = engines_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const auto& process : victims) process->Kill();
  MutexLock lock(mutex_);
  RefreshState(model);
}

void EnginePool::Forget(const std::string& model) {
  Unload(model);
  MutexLock lock(mutex_);
  states_.erase(model);
  ShowStates();
}

void EnginePool::SetState(const std::string& model, v1::Model::State state,
                          const std::string& reason) {
  states_[model] = {state, reason};
  ShowStates();
}

void EnginePool::ShowStates() {
  std::map<std::string, int64_t> counts;
  for (const auto& [name, entry] : states_) ++counts[v1::Model::State_Name(entry.state)];
  metrics_.SetModelStates(counts);
}

void EnginePool::RefreshState(const std::string& model) {
  const bool loaded = std::any_of(engines_.begin(), engines_.end(), [&](const auto& engine) {
    return engine->loaded && engine->model == model;
  });
  SetState(model, loaded ? v1::Model::READY : v1::Model::UNLOADED, "");
}

std::vector<monitoring::DeviceSnapshot> EnginePool::Devices() const {
  std::vector<monitoring::DeviceSnapshot> snapshots;
  for (const std::string& device : options_.devices) {
    monitoring::DeviceSnapshot& snapshot = snapshots.emplace_back();
    snapshot.device = device;
    snapshot.usage = device_monitor_.Read(device);
    snapshot.threads = options_.threads;
    {
      MutexLock lock(mutex_);
      for (const auto& engine : engines_) {
        if (engine->device != device || engine->process == nullptr) continue;
        ++snapshot.engines;
        snapshot.engines_at_work += engine->busy && engine->loaded ? 1 : 0;
      }
    }
    MutexLock lock(usages_mutex_);
    Usages& usages = usages_[device];
    for (auto it = usages.processes.begin(); it != usages.processes.end();) {
      // In this order: what has ended has all of its seconds.
      const bool ended = (*it)->ended();
      const monitoring::ProcessUsage usage = (*it)->Read();
      if (ended) {
        usages.ended_cpu_seconds += usage.cpu_seconds;
        it = usages.processes.erase(it);
        continue;
      }
      snapshot.engine_memory_bytes += usage.resident_bytes;
      snapshot.engine_cpu_seconds += usage.cpu_seconds;
      ++it;
    }
    snapshot.engine_cpu_seconds += usages.ended_cpu_seconds;
  }
  return snapshots;
}

void EnginePool::DescribeState(v1::Model* model) const {
  MutexLock lock(mutex_);
  const auto it = states_.find(model->name());
  model->set_state(it == states_.end() ? v1::Model::UNLOADED : it->second.state);
  model->set_state_reason(it == states_.end() ? "" : it->second.reason);
}

std::vector<EnginePool::EngineState> EnginePool::Engines() const {
  MutexLock lock(mutex_);
  std::vector<EngineState> all;
  for (const std::shared_ptr<Engine>& engine : engines_) {
    EngineState& state = all.emplace_back();
    state.model = engine->model;
    state.device = engine->device;
    state.work = !engine->loaded ? EngineState::Work::kLoading
                 : engine->busy  ? EngineState::Work::kBusy
                                 : EngineState::Work::kIdle;
    if (engine->process != nullptr) {
      state.pid = engine->process->pid();
      state.usage = engine->process->usage()->Read();
    }
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - engine->since;
    state.seconds = passed.count();
  }
  return all;
}

}  // namespace assay::scheduler
