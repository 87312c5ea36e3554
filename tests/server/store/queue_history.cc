#include "tests/server/store/queue_history.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace assay::store {
namespace {

using Events = std::vector<const QueueEvent*>;

bool Before(const QueueEvent& first, const QueueEvent& second) { return first.end < second.begin; }

std::string Name(const QueueEvent& event) {
  return absl::StrCat("claim ", event.fence, " of task ", event.task);
}

// The rules about one task.
class TaskChecker {
 public:
  TaskChecker(const Events& events, std::vector<std::string>* violations)
      : violations_(*violations) {
    for (const QueueEvent* event : events) {
      if (event->ok) accepted_[event->kind].push_back(event);
    }
    auto& claims = accepted_[QueueEvent::kClaim];
    std::sort(claims.begin(), claims.end(),
              [](const auto* a, const auto* b) { return a->fence < b->fence; });
  }

  void Check() {
    const Events& claims = accepted_[QueueEvent::kClaim];
    for (size_t i = 1; i < claims.size(); ++i) {
      const QueueEvent& earlier = *claims[i - 1];
      const QueueEvent& later = *claims[i];
      if (earlier.fence == later.fence) Violated(Name(later), "was made twice");
      if (Before(later, earlier)) Violated(Name(earlier), "came after one with a higher fence");
      CheckLease(earlier, later);
    }
    CheckCommits();
  }

 private:
  void Violated(const std::string& what, const std::string& how) {
    violations_.push_back(absl::StrCat(what, " ", how));
  }

  // Nobody takes a task from a claim whose lease holds.
  void CheckLease(const QueueEvent& holder, const QueueEvent& taker) {
    for (const QueueEvent* release : accepted_[QueueEvent::kRelease]) {
      if (release->fence == holder.fence && !Before(taker, *release)) return;
    }
    // Until when it holds for sure: what was acknowledged, counted from its beginning.
    int64_t until = holder.begin_micros + holder.lease_micros;
    for (const QueueEvent* renewal : accepted_[QueueEvent::kRenew]) {
      if (renewal->fence == holder.fence && Before(*renewal, taker)) {
        until = std::max(until, renewal->begin_micros + renewal->lease_micros);
      }
    }
    if (taker.end_micros < until && Before(holder, taker)) {
      Violated(Name(taker),
               absl::StrCat("took it ", until - taker.end_micros,
                            " microseconds before the lease of claim ", holder.fence, " ended"));
    }
  }

  void CheckCommits() {
    const Events& commits = accepted_[QueueEvent::kCommit];
    if (commits.size() > 1) {
      Violated(Name(*commits[0]), absl::StrCat("and ", commits.size() - 1, " more were committed"));
    }
    for (const QueueEvent* commit : commits) {
      for (const QueueEvent* claim : accepted_[QueueEvent::kClaim]) {
        if (claim->fence > commit->fence && Before(*claim, *commit)) {
          Violated(Name(*commit), absl::StrCat("was committed after claim ", claim->fence));
        }
        if (Before(*commit, *claim)) Violated(Name(*claim), "came after the task was done");
      }
    }
  }

  std::map<QueueEvent::Kind, Events> accepted_;
  std::vector<std::string>& violations_;
};

}  // namespace

int64_t QueueHistory::Tick() {
  MutexLock lock(mutex_);
  return ++ticks_;
}

void QueueHistory::Add(QueueEvent event) {
  MutexLock lock(mutex_);
  events_.push_back(std::move(event));
}

void QueueHistory::Clear() {
  MutexLock lock(mutex_);
  events_.clear();
}

std::vector<QueueEvent> QueueHistory::Events() const {
  MutexLock lock(mutex_);
  std::vector<QueueEvent> events = events_;
  std::sort(events.begin(), events.end(),
            [](const QueueEvent& a, const QueueEvent& b) { return a.begin < b.begin; });
  return events;
}

std::vector<std::string> Violations(const std::vector<QueueEvent>& events) {
  std::vector<std::string> violations;
  std::map<int64_t, Events> tasks;
  std::map<std::string, const QueueEvent*> cancelled;
  for (const QueueEvent& event : events) {
    if (event.kind != QueueEvent::kCancel) tasks[event.task].push_back(&event);
    if (event.kind == QueueEvent::kCancel && event.ok) cancelled.emplace(event.evaluation, &event);
  }
  for (const auto& [task, of_task] : tasks) TaskChecker(of_task, &violations).Check();
  for (const QueueEvent& event : events) {
    const bool moves = event.kind == QueueEvent::kClaim || event.kind == QueueEvent::kCommit;
    const auto end = cancelled.find(event.evaluation);
    if (moves && event.ok && end != cancelled.end() && Before(*end->second, event)) {
      violations.push_back(
          absl::StrCat(Name(event), " was accepted after ", event.evaluation, " was cancelled"));
    }
  }
  return violations;
}

}  // namespace assay::store
