// The assayds that work on one store: this one tells the others what it is and does, hears of them,
// and does what they ask of it.
//
// With a store of its own there are no others, and nothing is written. With a shared one it says
// what it is every two seconds; one that is silent for 15 s counts as lost, and is shown as such
// for five minutes. Pauses and orders of others are heard of at once where the store can tell
// (Wake), else within a second.
#ifndef ASSAY_SERVER_SCHEDULER_REGISTRY_H_
#define ASSAY_SERVER_SCHEDULER_REGISTRY_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/admin.pb.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "server/scheduler/engine_pool.h"
#include "server/scheduler/hub.h"
#include "server/scheduler/work_control.h"
#include "server/store/catalog.h"
#include "server/store/instances.h"

namespace assay::scheduler {

// Name of this process among the assayds of a store: HOST/PID.
std::string InstanceName();

// Thread-safe, but for Share and Stop.
class Registry {
 public:
  // All must outlive it. `instance`: another name, for tests.
  Registry(WorkControl& control, EnginePool& pool, store::Catalog& catalog, Hub& hub,
           const Clock& clock, std::string instance = InstanceName());
  ~Registry();

  const std::string& instance() const { return instance_; }

  // Registers this process, whose `role` is "api", "worker" or "all", and begins to look for
  // others; pauses are the store's from now on. To be called once; `store` must outlive this object
  // or Stop. Best a connection of its own: others' calls would hold up the heartbeat.
  absl::Status Share(store::Instances& store, const std::string& role);
  // Says goodbye, where it was shared.
  void Stop();
  // Something has changed, here or elsewhere: told and looked for at once.
  void Wake();

  // --- what all of them do; of this process as it is now, of the others as they last said

  // Fills in instance, workers, engines, devices and the number of running tasks.
  void Describe(v1::ServerStatus* status) const;
  // Those that have ended without saying so are among them (lost).
  std::vector<v1::ServerStatus::Worker> Workers() const;
  int RunningTasks() const;
  // How many workers are "busy", "idle", "draining" (without a task) and "lost".
  std::map<std::string, int64_t> CountWorkers() const;
  // About how many images engines take at once, for cutting tasks: those of this process, or of the
  // others where it has none.
  int UsualBatch() const;
  // Fills in state and state_reason: READY where any of them has it loaded.
  void DescribeState(v1::Model* model) const;

  // --- what they are to do

  // `instance`: empty for this one. kNotFound when there is none of that name.
  absl::Status Drain(const std::string& instance, bool release);
  // Ends a pause, and the drains of all.
  absl::Status Resume();
  // Has a device load the model: of this process, or of another one where this has none;
  // kWrongState where there is none at all. Returns when it is loaded, or with why not.
  absl::Status Load(const v1::Model& model, const v1::ImageShape& shape);
  // Ends the engines of the model everywhere.
  absl::Status Unload(const std::string& model);
  // The same for a model that does not exist any more; does not wait for others.
  void Forget(const std::string& model);

 private:
  using Kind = store::InstanceOrder::Kind;

  void Loop();
  void OrderLoop();
  using Records = std::vector<store::InstanceRecord>;

  // What this process says of itself. Workers alone cost little.
  v1::ServerStatus OwnStatus() const;
  void AddOwnWorkers(v1::ServerStatus* status) const;
  static void AddWorkers(const store::InstanceRecord& record, v1::ServerStatus* status);
  std::shared_ptr<const Records> Others() const;
  absl::Status Beat();
  absl::Status Refresh();
  absl::Status RefreshOthers();
  // Of orders about models; the others are done by the loop.
  void DoOrder(const store::InstanceOrder& order);
  // Returns when the order has been done.
  absl::Status Await(const store::InstanceOrder& order, std::chrono::seconds limit);
  absl::StatusOr<store::InstanceOrder> Send(const std::string& instance, Kind kind,
                                            const v1::LoadModelRequest& model = {});
  // The instances that have the model, of which this is not one.
  std::vector<std::string> OthersWith(const std::string& model) const;

  WorkControl& control_;
  EnginePool& pool_;
  store::Catalog& catalog_;
  Hub& hub_;
  const Clock& clock_;
  const std::string instance_;
  const std::string host_;
  const int64_t start_micros_;
  // Constant once shared; nullptr: there are no others.
  store::Instances* store_ = nullptr;
  std::string role_ = "all";

  mutable Mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const Records> others_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const Records>();
  // Orders about models that wait or are being done.
  std::deque<store::InstanceOrder> waiting_ ABSL_GUARDED_BY(mutex_);
  std::set<int64_t> taken_ ABSL_GUARDED_BY(mutex_);
  // Model of the order that is being done; empty: none is.
  std::string at_work_ ABSL_GUARDED_BY(mutex_);
  std::thread loop_, orders_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_REGISTRY_H_
