// Keeps the robustness gauges up to date: publishes the report of every evaluation that succeeded,
// by whichever process, and of those that had when the server started.
#ifndef ASSAY_SERVER_API_REPORT_PUBLISHER_H_
#define ASSAY_SERVER_API_REPORT_PUBLISHER_H_

#include <condition_variable>
#include <cstdint>
#include <set>
#include <string>
#include <thread>

#include "core/base/mutex.h"
#include "server/monitoring/metrics.h"
#include "server/store/catalog.h"
#include "server/store/evaluations.h"

namespace assay::api {

class ReportPublisher {
 public:
  ReportPublisher(store::Catalog& catalog, store::Evaluations& evaluations,
                  monitoring::Metrics& metrics);
  ~ReportPublisher();

 private:
  void Loop();
  // Looks through stored evaluations, newest first; all of them, or one page.
  void Scan(bool all);

  store::Catalog& catalog_;
  store::Evaluations& evaluations_;
  monitoring::Metrics& metrics_;
  // Of the thread only.
  std::set<std::string> published_;
  int64_t succeeded_ = 0;
  Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_REPORT_PUBLISHER_H_
