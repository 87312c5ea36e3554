// Hears of work that other processes of one PostgreSQL queue, so that workers need not wait for
// their next look.
#ifndef ASSAY_SERVER_SCHEDULER_STORE_LISTENER_H_
#define ASSAY_SERVER_SCHEDULER_STORE_LISTENER_H_

#include <atomic>
#include <string>
#include <thread>

#include "server/scheduler/hub.h"

namespace assay::scheduler {

class StoreListener {
 public:
  // Connects on a thread of its own, again and again when that is lost. `hub` must outlive it.
  StoreListener(std::string uri, Hub& hub);
  ~StoreListener();
  StoreListener(const StoreListener&) = delete;
  StoreListener& operator=(const StoreListener&) = delete;

 private:
  void Loop();

  const std::string uri_;
  Hub& hub_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_STORE_LISTENER_H_
