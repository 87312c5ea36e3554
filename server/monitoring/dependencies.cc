#include "server/monitoring/dependencies.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"

namespace assay::monitoring {

using SteadyClock = std::chrono::steady_clock;

Dependencies::Dependencies(Probes probes, Listener on_change, Options options)
    : options_(options), on_change_(std::move(on_change)) {
  for (auto& [name, probe] : probes) {
    parts_.push_back(std::make_unique<Part>());
    parts_.back()->name = name;
    parts_.back()->probe = std::move(probe);
  }
  for (const std::unique_ptr<Part>& part : parts_) {
    threads_.emplace_back([this, &part = *part] { Ask(part); });
  }
  threads_.emplace_back([this] { Watch(); });
}

Dependencies::~Dependencies() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Dependencies::Ask(Part& part) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (stop_) return;
      part.asking = true;
      part.asked = SteadyClock::now();
    }
    const absl::Status status = part.probe();
    {
      MutexLock lock(mutex_);
      part.asking = false;
    }
    Set(part, status.ok(), std::string(status.message()));
    MutexLock lock(mutex_);
    if (lock.WaitFor(changed_, options_.interval, [this] { return stop_; })) return;
  }
}

void Dependencies::Watch() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (lock.WaitFor(changed_, options_.patience / 5, [this] { return stop_; })) return;
    }
    for (const std::unique_ptr<Part>& part : parts_) {
      bool hangs = false;
      {
        MutexLock lock(mutex_);
        hangs = part->asking && SteadyClock::now() - part->asked > options_.patience;
      }
      if (hangs) Set(*part, false, "no answer");
    }
  }
}

void Dependencies::Set(Part& part, bool up, const std::string& why) {
  {
    MutexLock lock(mutex_);
    // An answer that comes late is one.
    if (part.up == up) return;
    part.up = up;
  }
  if (up) {
    LogInfo(absl::StrCat("the ", part.name, " answers again"));
  } else {
    LogWarning(absl::StrCat("the ", part.name, " does not answer; the server is not ready"),
               {{"error", why}});
  }
  MutexLock one_at_a_time(listener_mutex_);
  on_change_(All());
}

bool Dependencies::All() const {
  MutexLock lock(mutex_);
  return std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->up; });
}

bool Dependencies::Has(const std::string& name) const {
  MutexLock lock(mutex_);
  return std::all_of(parts_.begin(), parts_.end(),
                     [&](const auto& part) { return part->name != name || part->up; });
}

std::map<std::string, int64_t> Dependencies::Snapshot() const {
  std::map<std::string, int64_t> snapshot;
  MutexLock lock(mutex_);
  for (const std::unique_ptr<Part>& part : parts_) snapshot[part->name] = part->up ? 1 : 0;
  return snapshot;
}

}  // namespace assay::monitoring
