// The reports of stored evaluations, each computed once: watchers, GetReport and the gauges share
// them. Of an evaluation that has ended nothing changes any more, so its report is computed again
// only when it had to make room.
#ifndef ASSAY_SERVER_API_REPORT_CACHE_H_
#define ASSAY_SERVER_API_REPORT_CACHE_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "core/base/mutex.h"
#include "server/store/blob_store.h"
#include "server/store/catalog.h"
#include "server/store/evaluations.h"

namespace assay::api {

// Thread-safe.
class ReportCache {
 public:
  // What is kept; the least recently used reports leave.
  struct Limits {
    size_t reports;
    size_t bytes;
  };
  ReportCache(store::Catalog& catalog, store::Evaluations& evaluations,
              const store::BlobStore& blobs, const Limits& limits)
      : catalog_(catalog), evaluations_(evaluations), blobs_(blobs), limits_(limits) {}

  // The report of what has been committed by the revision of `evaluation`; of `options` the name is
  // ignored. Whoever asks for a report that is being computed waits for it. Errors are not kept.
  absl::StatusOr<std::shared_ptr<const v1::Report>> Get(
      const store::EvaluationRecord& evaluation,
      const v1::GetReportRequest& options = v1::GetReportRequest());
  // For an evaluation that has been deleted: another one may get its name.
  void Forget(const std::string& evaluation);

 private:
  // Everything that a report comes from: the evaluation (name, time of creation) and its revision,
  // the options, and what is known of the model, which may be deleted under the evaluation.
  using Key = std::tuple<std::string, int64_t, int64_t, std::string, std::string>;
  struct Entry {
    // Empty: it is being computed.
    std::optional<absl::StatusOr<std::shared_ptr<const v1::Report>>> report;
    size_t bytes = 0;
    int64_t last_use = 0;
  };
  // Keeps what has been computed for `key`, unless it was forgotten meanwhile, and makes room.
  void Keep(const Key& key, const std::shared_ptr<Entry>& entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  store::Catalog& catalog_;
  store::Evaluations& evaluations_;
  const store::BlobStore& blobs_;
  const Limits limits_;
  Mutex mutex_;
  std::condition_variable computed_;
  std::map<Key, std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_REPORT_CACHE_H_
