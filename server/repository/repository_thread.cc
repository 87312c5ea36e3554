#include "server/repository/repository_thread.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"

namespace assay::repository {
namespace {

using Time = std::chrono::steady_clock;

// Between looks for evaluations that have ended.
constexpr std::chrono::milliseconds kTick{1000};
// A little more than the scanner waits for a file to settle.
constexpr std::chrono::milliseconds kSettle{kSettleMicros / 1000 + 100};
constexpr size_t kMostWaiting = 1000;

absl::Status Stopping() {
  return Error(Reason::kShuttingDown, "the server is stopping").RetryAfterSeconds(5);
}

}  // namespace

RepositoryThread::RepositoryThread(ModelRepository& repository, double poll_seconds)
    : repository_(repository), poll_seconds_(poll_seconds) {}

void RepositoryThread::Sync(Answer answer) {
  absl::Status refusal = absl::OkStatus();
  {
    MutexLock lock(mutex_);
    if (stop_) {
      refusal = Stopping();
    } else if (waiting_.size() >= kMostWaiting) {
      refusal = Error(Reason::kQuotaExceeded, "too many wait for a look into the repository")
                    .RetryAfterSeconds(5);
    } else {
      waiting_.push_back(std::move(answer));
    }
  }
  if (!refusal.ok()) return answer(refusal);
  changed_.notify_all();
}

void RepositoryThread::Stop() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  std::vector<Answer> left;
  {
    MutexLock lock(mutex_);
    left.swap(waiting_);
  }
  for (const Answer& answer : left) answer(Stopping());
}

bool RepositoryThread::WaitOrStop(std::chrono::milliseconds time) {
  MutexLock lock(mutex_);
  return lock.WaitFor(changed_, time, [this] { return stop_; });
}

void RepositoryThread::Loop() {
  const auto interval = std::chrono::duration_cast<Time::duration>(
      std::chrono::duration<double>(std::max(poll_seconds_, 0.0)));
  Time::time_point next = Time::now();
  while (true) {
    std::vector<Answer> asked;
    {
      MutexLock lock(mutex_);
      asked.swap(waiting_);
      if (stop_) {
        waiting_.swap(asked);
        return;
      }
    }
    if (!asked.empty() || (poll_seconds_ > 0 && Time::now() >= next)) {
      auto found = repository_.Look();
      // What the first of two looks took is told, too.
      if (!asked.empty() && found.ok() && found->copying() > 0 && !WaitOrStop(kSettle)) {
        const v1::SyncModelRepositoryResponse first = *found;
        found = repository_.Look();
        if (found.ok()) {
          found->set_created(found->created() + first.created());
          found->set_removed(found->removed() + first.removed());
          for (const auto& item : first.items()) {
            if (item.outcome() == v1::SyncModelRepositoryResponse::Item::CREATED ||
                item.outcome() == v1::SyncModelRepositoryResponse::Item::REMOVED) {
              *found->add_items() = item;
            }
          }
        }
      }
      if (!found.ok() && found.status().message() != last_error_) {
        LogError(absl::StrCat("model repository: ", found.status().message()));
      }
      last_error_ = std::string(found.status().message());
      next = Time::now() + interval;
      for (const Answer& answer : asked) answer(found);
    }
    repository_.JudgeEnded();
    MutexLock lock(mutex_);
    lock.WaitFor(changed_, kTick, [this] { return stop_ || !waiting_.empty(); });
  }
}

}  // namespace assay::repository
