// One assay-engine process: started over a socketpair, killed for certain, its death noticed at
// once.
#ifndef ASSAY_SERVER_SCHEDULER_ENGINE_PROCESS_H_
#define ASSAY_SERVER_SCHEDULER_ENGINE_PROCESS_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/engine/v1/engine.grpc.pb.h"
#include "core/base/log.h"
#include "core/base/mutex.h"
#include "server/scheduler/engine_log.h"
#include "server/scheduler/engine_usage.h"

namespace assay::scheduler {

struct EngineOptions {
  std::string binary;  // path of assay-engine
  // Where what the engine and its model print goes, bounded (engine_log.h); empty: nowhere.
  std::string log_path;
  int threads = 1;
  // What lines about it have: its model and device.
  LogFields log_fields;
};

// Thread-safe: Kill may be called while another thread is in Load or Run, which then returns
// kEngineLost.
class EngineProcess {
 public:
  static absl::StatusOr<std::unique_ptr<EngineProcess>> Start(const EngineOptions& options);
  // Kills the process.
  ~EngineProcess();
  EngineProcess(const EngineProcess&) = delete;
  EngineProcess& operator=(const EngineProcess&) = delete;

  // Errors of the model as the engine tells them; kEngineLost when the process ended, with how it
  // ended. `cancelled` is asked several times a second; once it says yes the engine is killed
  // (there is nothing of worth in it yet) and the result is kCancelled.
  absl::Status Load(const engine_rpc::v1::LoadRequest& request, double timeout_seconds,
                    const std::function<bool()>& cancelled, engine_rpc::v1::LoadResponse* response);

  using EventHandler = std::function<void(const engine_rpc::v1::RunEvent&)>;
  // Runs a task; `on_event` is called on this thread. `cancelled` is asked several times a second;
  // once it says yes the engine is asked to stop, and killed if it has not after `grace_seconds`.
  // Then the result is kCancelled.
  absl::Status Run(const engine_rpc::v1::RunRequest& request, const EventHandler& on_event,
                   const std::function<bool()>& cancelled, double grace_seconds);

  void Kill();
  bool alive() const;
  // Whether a signal has ended it that no process gets by its own fault: SIGKILL, SIGTERM, SIGINT,
  // SIGHUP. The system sends the first one when memory runs out.
  bool WasKilledFromOutside() const;
  int pid() const { return pid_; }
  // Outlives the process and this object.
  std::shared_ptr<const EngineUsage> usage() const { return usage_; }

 private:
  EngineProcess(int pid, int lifeline, std::unique_ptr<EngineLog> log,
                std::shared_ptr<grpc::Channel> channel, LogFields log_fields);
  // The status of a call that failed, with the process's end told if that is the reason.
  absl::Status Explain(const grpc::Status& status);
  // Waits for the engine to say that it is idle; kills it when it has not after `seconds`.
  void StopWithin(double seconds);
  // Collects the exit status once the process has ended. Waits at most `milliseconds`.
  void Reap(int milliseconds) const;

  const int pid_;
  const LogFields log_fields_;
  const std::shared_ptr<EngineUsage> usage_;
  const int lifeline_;  // write end of the engine's standard input
  const std::unique_ptr<EngineLog> log_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<engine_rpc::v1::EngineService::Stub> stub_;
  mutable Mutex mutex_;
  mutable bool reaped_ ABSL_GUARDED_BY(mutex_) = false;
  mutable int exit_status_ ABSL_GUARDED_BY(mutex_) = 0;
  bool killed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_ENGINE_PROCESS_H_
