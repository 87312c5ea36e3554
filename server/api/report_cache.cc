#include "server/api/report_cache.h"

#include <limits>
#include <utility>

#include "core/base/errors.h"
#include "server/api/reports.h"
#include "server/api/timestamps.h"

namespace assay::api {

absl::StatusOr<std::shared_ptr<const v1::Report>> ReportCache::Get(
    const store::EvaluationRecord& evaluation, const v1::GetReportRequest& options) {
  ASSAY_ASSIGN_OR_RETURN(const auto validation, ValidationOf(catalog_, evaluation));
  v1::GetReportRequest nameless = options;
  nameless.clear_name();
  const Key key(evaluation.proto.name(), ToMicros(evaluation.proto.create_time()),
                evaluation.revision, nameless.SerializeAsString(),
                validation ? validation->SerializeAsString() : "");
  std::shared_ptr<Entry> entry;
  {
    MutexLock lock(mutex_);
    std::shared_ptr<Entry>& known = entries_[key];
    const bool mine = known == nullptr;
    if (mine) known = std::make_shared<Entry>();
    entry = known;
    entry->last_use = ++uses_;
    if (!mine) {
      lock.Wait(computed_, [&] { return entry->report.has_value(); });
      return *entry->report;
    }
  }
  absl::StatusOr<v1::Report> report =
      ReportOf(catalog_, evaluations_, blobs_, evaluation, validation, nameless);
  const size_t bytes = report.ok() ? report->SpaceUsedLong() : 0;
  MutexLock lock(mutex_);
  if (report.ok()) {
    entry->report = std::make_shared<const v1::Report>(*std::move(report));
  } else {
    entry->report = report.status();
  }
  entry->bytes = bytes;
  computed_.notify_all();
  Keep(key, entry);
  return *entry->report;
}

void ReportCache::Forget(const std::string& evaluation) {
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
  MutexLock lock(mutex_);
  auto it = entries_.lower_bound(Key(evaluation, kFirst, kFirst, "", ""));
  while (it != entries_.end() && std::get<0>(it->first) == evaluation) it = entries_.erase(it);
}

void ReportCache::Keep(const Key& key, const std::shared_ptr<Entry>& entry) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second != entry) return;
  if (!entry->report->ok()) {
    entries_.erase(found);
    return;
  }
  // Nobody asks for an earlier state again.
  const auto& [name, created, revision, options, validation] = key;
  auto older = entries_.lower_bound(Key(name, created, 0, "", ""));
  while (std::get<2>(older->first) < revision) {
    older = older->second->report.has_value() ? entries_.erase(older) : std::next(older);
  }
  while (true) {
    size_t reports = 0, bytes = 0;
    auto oldest = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (!it->second->report.has_value()) continue;
      ++reports;
      bytes += it->second->bytes;
      if (oldest == entries_.end() || it->second->last_use < oldest->second->last_use) oldest = it;
    }
    if (reports <= limits_.reports && bytes <= limits_.bytes) return;
    entries_.erase(oldest);
  }
}

}  // namespace assay::api
