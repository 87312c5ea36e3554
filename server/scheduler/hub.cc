#include "server/scheduler/hub.h"

#include <utility>
#include <vector>

namespace assay::scheduler {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto kMergeInterval = std::chrono::milliseconds(100);
constexpr auto kPollInterval = std::chrono::milliseconds(1000);

RunningProgress Sum(const std::map<int64_t, RunningProgress>& tasks) {
  RunningProgress total;
  for (const auto& [task, progress] : tasks) {
    total.samples_done += progress.samples_done;
    total.work_done += progress.work_done;
    total.condition = progress.condition;
  }
  return total;
}

}  // namespace

Hub::Hub() : pump_([this] { PumpLoop(); }) {}

Hub::~Hub() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  pump_changed_.notify_all();
  pump_.join();
}

void Hub::NotifyWork() {
  {
    MutexLock lock(mutex_);
    ++work_;
  }
  work_changed_.notify_all();
}

void Hub::WaitForWork(std::chrono::milliseconds timeout, int64_t* seen) {
  MutexLock lock(mutex_);
  lock.WaitFor(work_changed_, timeout, [&] { return work_ != *seen; });
  *seen = work_;
}

void Hub::SetRunning(const std::string& evaluation, int64_t task, const RunningProgress& progress) {
  {
    MutexLock lock(mutex_);
    running_[evaluation][task] = progress;
  }
  NotifyChanged(evaluation);
}

void Hub::ClearRunning(const std::string& evaluation, int64_t task) {
  {
    MutexLock lock(mutex_);
    const auto it = running_.find(evaluation);
    if (it != running_.end()) {
      it->second.erase(task);
      if (it->second.empty()) running_.erase(it);
    }
  }
  NotifyChanged(evaluation);
}

RunningProgress Hub::GetRunning(const std::string& evaluation) const {
  MutexLock lock(mutex_);
  const auto it = running_.find(evaluation);
  return it == running_.end() ? RunningProgress() : Sum(it->second);
}

std::map<std::string, RunningProgress> Hub::GetAllRunning() const {
  MutexLock lock(mutex_);
  std::map<std::string, RunningProgress> all;
  for (const auto& [evaluation, tasks] : running_) all[evaluation] = Sum(tasks);
  return all;
}

void Hub::NotifyChanged(const std::string& evaluation) {
  {
    MutexLock lock(mutex_);
    dirty_.insert(evaluation);
  }
  pump_changed_.notify_all();
}

int64_t Hub::Subscribe(const std::string& evaluation, std::function<void()> poke) {
  int64_t id = 0;
  {
    MutexLock lock(mutex_);
    id = next_subscription_++;
    subscriptions_[id] = std::make_shared<Subscription>(Subscription{evaluation, std::move(poke)});
  }
  NotifyChanged(evaluation);
  return id;
}

void Hub::Unsubscribe(int64_t subscription) {
  MutexLock lock(mutex_);
  subscriptions_.erase(subscription);
  lock.Wait(poke_done_, [&] { return poking_ != subscription; });
}

void Hub::PumpLoop() {
  auto next_poll = SteadyClock::now() + kPollInterval;
  while (true) {
    std::vector<int64_t> ids;
    {
      MutexLock lock(mutex_);
      lock.WaitFor(pump_changed_, kPollInterval, [this] { return stopped_ || !dirty_.empty(); });
      if (stopped_) return;
      // Let changes pile up for a moment: one poke serves them all.
      lock.WaitFor(pump_changed_, kMergeInterval, [this] { return stopped_; });
      if (stopped_) return;
      const bool poll = SteadyClock::now() >= next_poll;
      if (poll) next_poll = SteadyClock::now() + kPollInterval;
      for (const auto& [id, subscription] : subscriptions_) {
        if (poll || dirty_.count(subscription->evaluation) > 0) ids.push_back(id);
      }
      dirty_.clear();
    }
    for (const int64_t id : ids) {
      std::shared_ptr<Subscription> subscription;
      {
        MutexLock lock(mutex_);
        const auto it = subscriptions_.find(id);
        if (it == subscriptions_.end()) continue;
        subscription = it->second;
        poking_ = id;
      }
      subscription->poke();
      {
        MutexLock lock(mutex_);
        poking_ = 0;
      }
      poke_done_.notify_all();
    }
  }
}

}  // namespace assay::scheduler
