// Hears of work that other processes of one PostgreSQL queue, and of what they are told to do, so
// that nobody need wait for the next look.
#ifndef ASSAY_SERVER_SCHEDULER_STORE_LISTENER_H_
#define ASSAY_SERVER_SCHEDULER_STORE_LISTENER_H_

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "server/scheduler/hub.h"

namespace assay::scheduler {

class StoreListener {
 public:
  // Connects on a thread of its own, again and again when that is lost. `hub` must outlive it.
  // `on_control` is called there when pauses or orders (server/store/instances.h) have changed.
  StoreListener(std::string uri, Hub& hub, std::function<void()> on_control);
  ~StoreListener();
  StoreListener(const StoreListener&) = delete;
  StoreListener& operator=(const StoreListener&) = delete;

 private:
  void Loop();
  absl::Status Listen();

  const std::string uri_;
  Hub& hub_;
  const std::function<void()> on_control_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_STORE_LISTENER_H_
