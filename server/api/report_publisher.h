// Keeps the robustness gauges up to date: publishes the reports of evaluations that succeeded, by
// whichever process, and of those that had when the server started; of each model and dataset the
// latest, the only one that is shown, with the one that it is to be compared with
// (docs/decisions/0025-previous-evaluation.md).
#ifndef ASSAY_SERVER_API_REPORT_PUBLISHER_H_
#define ASSAY_SERVER_API_REPORT_PUBLISHER_H_

#include <condition_variable>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "server/api/context.h"

namespace assay::api {

class ReportPublisher {
 public:
  explicit ReportPublisher(Context& context);
  ~ReportPublisher();

 private:
  // When it ended, in microseconds since the epoch, and its name.
  using Success = std::pair<int64_t, std::string>;

  void Loop();
  // Looks through stored evaluations, newest first; all of them, or one page.
  void Scan(bool all);
  // The label of evaluations and models that says what a model is a version of.
  static constexpr char kLineageLabel[] = "repository";
  // What the evaluation's model is a version of; the model itself if that is not known.
  std::string LineageOf(const v1::Evaluation& evaluation) const;
  // The latest of those that ended before it, on the same dataset, of the same lineage, with a
  // condition of the same id; nullopt if there is none.
  std::optional<store::EvaluationRecord> FindPrevious(const v1::Evaluation& evaluation) const;
  // Publishes the newest of the successes of one model and dataset whose report can be had; none if
  // the gauges have no room for them.
  void Publish(const std::vector<Success>& newest_first, bool shown);

  Context& context_;
  // Of the thread only. Published, or too old to be.
  std::set<Success> published_;
  int64_t succeeded_ = 0;
  Mutex mutex_;
  std::condition_variable changed_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_REPORT_PUBLISHER_H_
