#include "server/scheduler/registry.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "google/protobuf/util/time_util.h"

namespace assay::scheduler {
namespace {

using google::protobuf::util::TimeUtil;
using v1::ServerStatus;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kLookInterval = std::chrono::milliseconds(1000);
constexpr auto kBeatInterval = std::chrono::milliseconds(2000);
constexpr auto kAwaitInterval = std::chrono::milliseconds(100);
// Beyond what loading may take (EnginePoolOptions).
constexpr auto kLoadGrace = std::chrono::seconds(60);
constexpr auto kUnloadLimit = std::chrono::seconds(60);
constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kLostMicros = 15 * kSecond;
constexpr int64_t kShownMicros = 300 * kSecond;
constexpr int64_t kForgottenMicros = 86'400 * kSecond;

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof(name) - 1);
  return name;
}

bool IsLost(const store::InstanceRecord& record) { return record.silent_micros > kLostMicros; }

const v1::Model* FindModel(const v1::ListModelsResponse& models, const std::string& name) {
  for (const v1::Model& model : models.models()) {
    if (model.name() == name) return &model;
  }
  return nullptr;
}

// Of several devices that say different things of a model, which counts.
int Weight(v1::Model::State state) {
  switch (state) {
    case v1::Model::READY:
      return 4;
    case v1::Model::LOADING:
      return 3;
    case v1::Model::UNLOADING:
      return 2;
    case v1::Model::UNAVAILABLE:
      return 1;
    default:
      return 0;
  }
}

void SetTask(const WorkControl::RunningTask& running, ServerStatus::Worker::Task* task) {
  task->set_evaluation(running.evaluation);
  task->set_condition(running.condition);
  task->set_model(running.model);
  task->set_first_sample(running.first_sample);
  task->set_samples(running.samples);
  task->set_attempt(running.attempt);
  *task->mutable_start_time() = TimeUtil::MicrosecondsToTimestamp(running.start_micros);
  task->set_samples_done(running.samples_done);
  task->set_fraction_done(running.fraction_done);
  if (running.samples_per_second) task->set_samples_per_second(*running.samples_per_second);
}

}  // namespace

std::string InstanceName() { return absl::StrCat(HostName(), "/", getpid()); }

Registry::Registry(WorkControl& control, EnginePool& pool, store::Catalog& catalog, Hub& hub,
                   const Clock& clock, std::string instance)
    : control_(control),
      pool_(pool),
      catalog_(catalog),
      hub_(hub),
      clock_(clock),
      instance_(std::move(instance)),
      host_(HostName()),
      start_micros_(clock.NowMicros()) {}

Registry::~Registry() { Stop(); }

absl::Status Registry::Share(store::Instances& store, const std::string& role) {
  role_ = role;
  ASSAY_RETURN_IF_ERROR(store.RegisterInstance(instance_, kForgottenMicros));
  ASSAY_RETURN_IF_ERROR(control_.RememberIn(store));
  store_ = &store;
  ASSAY_RETURN_IF_ERROR(Beat());
  ASSAY_RETURN_IF_ERROR(Refresh());
  loop_ = std::thread([this] { Loop(); });
  orders_ = std::thread([this] { OrderLoop(); });
  return absl::OkStatus();
}

void Registry::Stop() {
  std::string loading;
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    loading = at_work_;
  }
  changed_.notify_all();
  // Which could take minutes.
  if (!loading.empty()) pool_.Unload(loading);
  if (loop_.joinable()) loop_.join();
  if (orders_.joinable()) orders_.join();
  // One that cannot say so is lost in a while.
  if (store_ != nullptr) store_->RemoveInstance(instance_).IgnoreError();
}

void Registry::Wake() {
  {
    MutexLock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void Registry::Loop() {
  auto next_beat = SteadyClock::now() + kBeatInterval;
  bool fails = false;
  while (true) {
    bool beat = false;
    {
      MutexLock lock(mutex_);
      lock.WaitFor(changed_, kLookInterval, [this] { return stopped_ || woken_; });
      if (stopped_) return;
      beat = woken_ || SteadyClock::now() >= next_beat;
      woken_ = false;
    }
    absl::Status status = Refresh();
    if (status.ok() && beat) {
      status = Beat();
      next_beat = SteadyClock::now() + kBeatInterval;
    }
    if (!status.ok() && !fails) {
      LogWarning(
          absl::StrCat("this assayd and the others do not hear of each other: ", status.message()));
    } else if (status.ok() && fails) {
      LogInfo("this assayd and the others hear of each other again");
    }
    fails = !status.ok();
  }
}

absl::Status Registry::Beat() {
  return store_->UpdateInstance(instance_, OwnStatus(), pool_.States());
}

absl::Status Registry::Refresh() {
  ASSAY_ASSIGN_OR_RETURN(const bool changed, control_.RefreshPause());
  if (changed) {
    const WorkControl::State state = control_.state();
    LogInfo(state.paused ? "the queue is paused" : "the queue is not paused any more",
            {{"reason", state.pause_reason}});
    hub_.NotifyWork();
  }
  ASSAY_ASSIGN_OR_RETURN(const auto orders, store_->ListOrders(instance_));
  {
    std::set<int64_t> listed;
    for (const store::InstanceOrder& order : orders) listed.insert(order.id);
    MutexLock lock(mutex_);
    for (auto it = taken_.begin(); it != taken_.end();) {
      it = listed.count(*it) > 0 ? std::next(it) : taken_.erase(it);
    }
  }
  for (const store::InstanceOrder& order : orders) {
    if (order.kind == Kind::kLoad || order.kind == Kind::kUnload) {
      MutexLock lock(mutex_);
      if (!taken_.insert(order.id).second) continue;
      waiting_.push_back(order);
      changed_.notify_all();
      continue;
    }
    if (order.kind == Kind::kResume) {
      if (control_.draining()) LogInfo("the drain has been ended through another assayd");
      control_.EndDrain();
      hub_.NotifyWork();
    } else {
      control_.Drain(order.kind == Kind::kDrainAndRelease);
      LogInfo("drained through another assayd");
    }
    ASSAY_RETURN_IF_ERROR(Beat());
    ASSAY_RETURN_IF_ERROR(store_->RemoveOrder(order.id));
  }
  return RefreshOthers();
}

absl::Status Registry::RefreshOthers() {
  ASSAY_ASSIGN_OR_RETURN(auto all, store_->ListInstances(kShownMicros));
  all.erase(std::remove_if(all.begin(), all.end(),
                           [this](const auto& record) { return record.name == instance_; }),
            all.end());
  auto others = std::make_shared<const Records>(std::move(all));
  MutexLock lock(mutex_);
  others_ = std::move(others);
  return absl::OkStatus();
}

std::shared_ptr<const Registry::Records> Registry::Others() const {
  MutexLock lock(mutex_);
  return others_;
}

// --- orders about models

void Registry::OrderLoop() {
  while (true) {
    store::InstanceOrder order;
    {
      MutexLock lock(mutex_);
      lock.Wait(changed_, [this] { return stopped_ || !waiting_.empty(); });
      if (stopped_) return;
      order = waiting_.front();
      waiting_.pop_front();
      at_work_ = order.model.name();
    }
    DoOrder(order);
    // Whoever waits for the end of the order finds what became of it.
    absl::Status told = Beat();
    if (told.ok()) told = store_->RemoveOrder(order.id);
    MutexLock lock(mutex_);
    at_work_.clear();
    // Done again, where it could not be told: both can be repeated.
    if (!told.ok()) taken_.erase(order.id);
  }
}

void Registry::DoOrder(const store::InstanceOrder& order) {
  const std::string& name = order.model.name();
  if (order.kind == Kind::kUnload) return pool_.Unload(name);
  const auto model = catalog_.GetModel(name);
  const absl::Status loaded =
      model.ok() ? pool_.EnsureLoaded(*model, order.model.input_shape()) : model.status();
  if (!loaded.ok()) {
    LogWarning("cannot load a model that another assayd was asked for",
               {{"model", name}, {"error", loaded.message()}});
  }
}

absl::StatusOr<store::InstanceOrder> Registry::Send(const std::string& instance, Kind kind,
                                                    const v1::LoadModelRequest& model) {
  store::InstanceOrder order;
  order.instance = instance;
  order.kind = kind;
  order.model = model;
  ASSAY_ASSIGN_OR_RETURN(order.id, store_->AddOrder(order));
  return order;
}

absl::Status Registry::Await(const store::InstanceOrder& order, std::chrono::seconds limit) {
  const auto end = SteadyClock::now() + limit;
  while (true) {
    ASSAY_ASSIGN_OR_RETURN(const auto orders, store_->ListOrders(order.instance));
    const bool waits = std::any_of(orders.begin(), orders.end(),
                                   [&](const auto& other) { return other.id == order.id; });
    if (!waits) return RefreshOthers();
    const auto others = Others();
    const bool lives = std::any_of(others->begin(), others->end(), [&](const auto& record) {
      return record.name == order.instance && !IsLost(record);
    });
    if (!lives || SteadyClock::now() > end) {
      return Error(Reason::kUnavailable,
                   absl::StrCat("the assayd ", order.instance,
                                lives ? " has not done it in time" : " has ended meanwhile"));
    }
    MutexLock lock(mutex_);
    if (lock.WaitFor(changed_, kAwaitInterval, [this] { return stopped_; })) {
      return Error(Reason::kShuttingDown, "the server is stopping");
    }
  }
}

// --- what all of them do

void Registry::AddOwnWorkers(ServerStatus* status) const {
  const bool draining = control_.draining();
  const std::string libtorch = pool_.LibTorchVersion();
  const auto now = TimeUtil::MicrosecondsToTimestamp(clock_.NowMicros());
  for (const WorkControl::WorkerState& shown : control_.Workers()) {
    ServerStatus::Worker& worker = *status->add_workers();
    worker.set_instance(instance_);
    worker.set_host(host_);
    worker.set_pid(getpid());
    worker.set_role(role_);
    worker.set_version(ASSAY_VERSION);
    worker.set_libtorch_version(libtorch);
    *worker.mutable_start_time() = TimeUtil::MicrosecondsToTimestamp(start_micros_);
    *worker.mutable_heartbeat_time() = now;
    worker.set_device(shown.device);
    worker.set_device_kind(pool_.KindOf(shown.device));
    // One that was let in before may have a task in a moment.
    worker.set_draining(draining && !shown.claiming);
    worker.set_tasks_done(shown.tasks_done);
    worker.set_samples_done(shown.samples_done);
    for (const std::string& model : pool_.LoadedOn(shown.device)) worker.add_models(model);
    if (shown.task) SetTask(*shown.task, worker.mutable_task());
  }
}

ServerStatus Registry::OwnStatus() const {
  ServerStatus status;
  const WorkControl::State state = control_.state();
  status.mutable_control()->set_draining(state.draining);
  status.mutable_control()->set_running_tasks(state.running_tasks);
  AddOwnWorkers(&status);
  using Work = EnginePool::EngineState::Work;
  const int64_t now = clock_.NowMicros();
  for (const EnginePool::EngineState& shown : pool_.Engines()) {
    ServerStatus::Engine& engine = *status.add_engines();
    engine.set_instance(instance_);
    engine.set_model(shown.model);
    engine.set_device(shown.device);
    engine.set_state(shown.work == Work::kLoading ? ServerStatus::Engine::LOADING
                     : shown.work == Work::kBusy  ? ServerStatus::Engine::BUSY
                                                  : ServerStatus::Engine::IDLE);
    *engine.mutable_load_time() =
        TimeUtil::MicrosecondsToTimestamp(now - static_cast<int64_t>(shown.seconds * 1e6));
    if (shown.pid == 0) continue;
    engine.mutable_process()->set_pid(shown.pid);
    engine.mutable_process()->set_resident_bytes(shown.usage.resident_bytes);
    engine.mutable_process()->set_cpu_seconds(shown.usage.cpu_seconds);
  }
  for (const monitoring::DeviceSnapshot& snapshot : pool_.Devices()) {
    ServerStatus::Device& device = *status.add_devices();
    device.set_instance(instance_);
    device.set_name(snapshot.device);
    const monitoring::DeviceUsage& usage = snapshot.usage;
    if (usage.memory_size_bytes) device.set_memory_bytes(*usage.memory_size_bytes);
    if (usage.memory_used_bytes) device.set_memory_used_bytes(*usage.memory_used_bytes);
    if (usage.utilization) device.set_utilization_ratio(*usage.utilization);
  }
  return status;
}

void Registry::AddWorkers(const store::InstanceRecord& record, ServerStatus* status) {
  for (const ServerStatus::Worker& worker : record.status.workers()) {
    ServerStatus::Worker& shown = *status->add_workers();
    shown = worker;
    *shown.mutable_heartbeat_time() = TimeUtil::MicrosecondsToTimestamp(record.heartbeat_micros);
    shown.set_lost(IsLost(record));
  }
}

void Registry::Describe(ServerStatus* status) const {
  ServerStatus own = OwnStatus();
  status->set_instance(instance_);
  int running = own.control().running_tasks();
  status->mutable_workers()->Swap(own.mutable_workers());
  status->mutable_engines()->Swap(own.mutable_engines());
  status->mutable_devices()->Swap(own.mutable_devices());
  const auto others = Others();
  for (const store::InstanceRecord& record : *others) {
    AddWorkers(record, status);
    if (IsLost(record)) continue;
    running += record.status.control().running_tasks();
    status->mutable_engines()->MergeFrom(record.status.engines());
    status->mutable_devices()->MergeFrom(record.status.devices());
  }
  status->mutable_control()->set_running_tasks(running);
}

std::vector<ServerStatus::Worker> Registry::Workers() const {
  ServerStatus status;
  AddOwnWorkers(&status);
  const auto others = Others();
  for (const store::InstanceRecord& record : *others) AddWorkers(record, &status);
  return {status.workers().begin(), status.workers().end()};
}

std::map<std::string, int64_t> Registry::CountWorkers() const {
  std::map<std::string, int64_t> counts = {{"busy", 0}, {"idle", 0}, {"draining", 0}, {"lost", 0}};
  for (const ServerStatus::Worker& worker : Workers()) {
    const char* const state = worker.lost()       ? "lost"
                              : worker.has_task() ? "busy"
                              : worker.draining() ? "draining"
                                                  : "idle";
    ++counts[state];
  }
  return counts;
}

int Registry::RunningTasks() const {
  int running = control_.state().running_tasks;
  const auto others = Others();
  for (const store::InstanceRecord& record : *others) {
    if (!IsLost(record)) running += record.status.control().running_tasks();
  }
  return running;
}

int Registry::UsualBatch() const {
  if (!pool_.options().devices.empty()) return pool_.usual_batch();
  const auto workers = Workers();
  return pool_.UsualBatch(std::any_of(workers.begin(), workers.end(), [](const auto& worker) {
    return !worker.lost() && worker.device_kind() != "cpu";
  }));
}

void Registry::DescribeState(v1::Model* model) const {
  pool_.DescribeState(model);
  const auto others = Others();
  for (const store::InstanceRecord& record : *others) {
    const v1::Model* const theirs = FindModel(record.models, model->name());
    if (IsLost(record) || theirs == nullptr || Weight(theirs->state()) <= Weight(model->state())) {
      continue;
    }
    model->set_state(theirs->state());
    model->set_state_reason(theirs->state_reason());
  }
}

// --- what they are to do

absl::Status Registry::Drain(const std::string& instance, bool release) {
  if (!instance.empty() && instance != instance_) {
    if (store_ != nullptr) {
      return Send(instance, release ? Kind::kDrainAndRelease : Kind::kDrain).status();
    }
    return Error(Reason::kNotFound, absl::StrCat("no assayd is registered as ", instance))
        .ToStatus();
  }
  control_.Drain(release);
  Wake();
  return absl::OkStatus();
}

absl::Status Registry::Resume() {
  ASSAY_RETURN_IF_ERROR(control_.Resume());
  hub_.NotifyWork();
  if (store_ == nullptr) return absl::OkStatus();
  Wake();
  const auto others = Others();
  for (const store::InstanceRecord& record : *others) {
    if (IsLost(record)) continue;
    const auto sent = Send(record.name, Kind::kResume);
    // It may have ended.
    if (!sent.ok() && !absl::IsNotFound(sent.status())) return sent.status();
  }
  return absl::OkStatus();
}

absl::Status Registry::Load(const v1::Model& model, const v1::ImageShape& shape) {
  if (store_ == nullptr || !pool_.options().devices.empty()) {
    return pool_.EnsureLoaded(model, shape);
  }
  // Where it is loaded already, else where fewest models are.
  std::string chosen;
  int fewest = 0;
  for (const ServerStatus::Worker& worker : Workers()) {
    if (worker.lost() || worker.draining()) continue;
    const bool has = std::find(worker.models().begin(), worker.models().end(), model.name()) !=
                     worker.models().end();
    const int models = has ? -1 : worker.models_size();
    if (!chosen.empty() && models >= fewest) continue;
    chosen = worker.instance();
    fewest = models;
  }
  if (chosen.empty()) {
    return Error(Reason::kWrongState,
                 "no worker is registered, and this assayd has no engines (--role api); workers "
                 "load a model when they need it");
  }
  v1::LoadModelRequest request;
  request.set_name(model.name());
  *request.mutable_input_shape() = shape;
  ASSAY_ASSIGN_OR_RETURN(const store::InstanceOrder order, Send(chosen, Kind::kLoad, request));
  const std::chrono::seconds loading(static_cast<int64_t>(pool_.options().load_timeout_seconds));
  ASSAY_RETURN_IF_ERROR(Await(order, loading + kLoadGrace));
  v1::Model described;
  described.set_name(model.name());
  DescribeState(&described);
  if (described.state() != v1::Model::UNAVAILABLE) return absl::OkStatus();
  return Error(Reason::kModelFailed, absl::StrCat("on ", chosen, ": ", described.state_reason()));
}

std::vector<std::string> Registry::OthersWith(const std::string& model) const {
  std::vector<std::string> names;
  const auto others = Others();
  for (const store::InstanceRecord& record : *others) {
    if (!IsLost(record) && FindModel(record.models, model) != nullptr) {
      names.push_back(record.name);
    }
  }
  return names;
}

absl::Status Registry::Unload(const std::string& model) {
  pool_.Unload(model);
  v1::LoadModelRequest request;
  request.set_name(model);
  std::vector<store::InstanceOrder> orders;
  for (const std::string& other : OthersWith(model)) {
    const auto sent = Send(other, Kind::kUnload, request);
    if (absl::IsNotFound(sent.status())) continue;
    ASSAY_RETURN_IF_ERROR(sent.status());
    orders.push_back(*sent);
  }
  for (const store::InstanceOrder& order : orders) {
    ASSAY_RETURN_IF_ERROR(Await(order, kUnloadLimit));
  }
  return absl::OkStatus();
}

void Registry::Forget(const std::string& model) {
  pool_.Forget(model);
  v1::LoadModelRequest request;
  request.set_name(model);
  // One that does not hear of it ends the engine when it needs the room.
  for (const std::string& other : OthersWith(model)) {
    Send(other, Kind::kUnload, request).status().IgnoreError();
  }
}

}  // namespace assay::scheduler
