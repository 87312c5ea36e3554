#include "server/api/retention.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "server/api/evaluation_commands.h"
#include "server/api/event_pump.h"
#include "server/api/quota.h"
#include "server/api/timestamps.h"

namespace assay::api {
namespace {

constexpr int64_t kMicros = 1'000'000;
constexpr int64_t kIntervalMicros = 3600 * kMicros;
constexpr int64_t kShortOfSpaceMicros = 60 * kMicros;
// The clock is not the one that waits, so it is looked at again and again.
constexpr auto kPollInterval = std::chrono::milliseconds(1000);
// Of the quota; and of the disk, how much must be free.
constexpr double kFullShare = 0.95;
constexpr int64_t kLeastFreeBytes = int64_t{256} << 20;

}  // namespace

Retention::Retention(Context& context, RetentionOptions options)
    : context_(context), options_(std::move(options)), thread_([this] { Loop(); }) {}

Retention::~Retention() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Retention::IsShortOfSpace() const {
  const int64_t quota = context_.disk_quota_bytes;
  if (quota > 0 && static_cast<double>(StoredBytes(context_)) > kFullShare * double(quota)) {
    return true;
  }
  if (context_.disk == nullptr) return false;
  return context_.disk->Read().free_bytes.value_or(kLeastFreeBytes) < kLeastFreeBytes;
}

void Retention::Loop() {
  if (options_.keep_seconds <= 0) return;
  int64_t last = 0, looked = 0;
  while (true) {
    const int64_t now = context_.clock.NowMicros();
    bool due = last == 0 || now >= last + kIntervalMicros;
    if (!due && now >= looked + kShortOfSpaceMicros) {
      looked = now;
      due = IsShortOfSpace();
    }
    if (due) {
      last = looked = now;
      const auto deleted = DeleteExpired();
      if (!deleted.ok()) {
        LogWarning(absl::StrCat("cannot delete old evaluations: ", deleted.status().message()));
      }
    }
    MutexLock lock(mutex_);
    if (lock.WaitFor(changed_, kPollInterval, [this] { return stop_; })) return;
  }
}

absl::StatusOr<std::vector<std::string>> Retention::FindExpired() {
  struct Candidate {
    int64_t end_micros;
    std::string name;
  };
  const int64_t before = context_.clock.NowMicros() - options_.keep_seconds * kMicros;
  std::vector<Candidate> candidates;
  // Of each model and dataset.
  std::map<std::pair<std::string, std::string>, Candidate> latest;
  store::EvaluationFilter filter;
  filter.states = {v1::Evaluation::SUCCEEDED, v1::Evaluation::FAILED, v1::Evaluation::CANCELLED};
  store::Page page;
  do {
    ASSAY_ASSIGN_OR_RETURN(const auto listing, context_.evaluations.ListEvaluations(page, filter));
    for (const auto& record : listing.records) {
      const v1::Evaluation& evaluation = record.proto;
      const Candidate candidate{ToMicros(evaluation.end_time()), evaluation.name()};
      if (evaluation.state() == v1::Evaluation::SUCCEEDED) {
        Candidate& known = latest[{evaluation.spec().model(), evaluation.spec().dataset()}];
        // As the gauges order them (report_publisher.cc).
        if (std::pair(candidate.end_micros, candidate.name) >
            std::pair(known.end_micros, known.name)) {
          known = candidate;
        }
      }
      const auto& labels = evaluation.spec().labels();
      const bool keeps = std::any_of(
          options_.keep_labels.begin(), options_.keep_labels.end(), [&](const auto& label) {
            const auto found = labels.find(label.first);
            return found != labels.end() && (label.second.empty() || found->second == label.second);
          });
      if (!keeps && candidate.end_micros < before) candidates.push_back(candidate);
    }
    page.token = listing.next_token;
  } while (!page.token.empty());
  std::set<std::string> shown;
  for (const auto& [pair, evaluation] : latest) shown.insert(evaluation.name);
  candidates.erase(
      std::remove_if(candidates.begin(), candidates.end(),
                     [&](const Candidate& candidate) { return shown.count(candidate.name) > 0; }),
      candidates.end());
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::pair(a.end_micros, a.name) < std::pair(b.end_micros, b.name);
  });
  std::vector<std::string> names;
  for (Candidate& candidate : candidates) names.push_back(std::move(candidate.name));
  return names;
}

absl::StatusOr<int64_t> Retention::DeleteExpired() {
  if (options_.keep_seconds <= 0) return 0;
  MutexLock one_at_a_time(deleting_);
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, FindExpired());
  const int64_t before = context_.clock.NowMicros() - options_.keep_seconds * kMicros;
  int64_t deleted = 0;
  for (const std::string& name : names) {
    {
      MutexLock lock(mutex_);
      if (stop_) break;
    }
    // It may have been retried, or deleted, meanwhile.
    const auto now = context_.evaluations.GetEvaluation(name);
    if (absl::IsNotFound(now.status())) continue;
    ASSAY_RETURN_IF_ERROR(now.status());
    if (!HasEnded(now->proto) || ToMicros(now->proto.end_time()) >= before) continue;
    const absl::Status status = DeleteEvaluation(context_, name, "expired");
    if (absl::IsNotFound(status) || ReasonOf(status) == Reason::kInUse) continue;
    ASSAY_RETURN_IF_ERROR(status);
    ++deleted;
    LogInfo(absl::StrCat("deleted ", name, ", which ended before what --keep-evaluations keeps"));
  }
  return deleted;
}

}  // namespace assay::api
