#include "server/api/deadlines.h"

#include <chrono>
#include <string>

#include "core/base/log.h"

namespace assay::api {
namespace {

constexpr auto kInterval = std::chrono::seconds(1);

}  // namespace

Deadlines::Deadlines(Context& context) : context_(context), thread_([this] { Loop(); }) {}

Deadlines::~Deadlines() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Deadlines::Loop() {
  bool complained = false;
  while (true) {
    {
      MutexLock lock(mutex_);
      if (lock.WaitFor(changed_, kInterval, [this] { return stop_; })) return;
    }
    const auto ended = context_.evaluations.EndOverdue();
    // A store that is away says so once, not every second.
    if (!ended.ok() && !complained) {
      LogWarning("cannot end evaluations whose deadline has passed",
                 {{"error", ended.status().message()}});
    }
    complained = !ended.ok();
    if (!ended.ok()) continue;
    for (const std::string& name : *ended) context_.hub.NotifyChanged(name);
  }
}

}  // namespace assay::api
