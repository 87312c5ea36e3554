#include "server/api/report_publisher.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "server/api/reports.h"
#include "server/api/timestamps.h"

namespace assay::api {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(1000);

}  // namespace

ReportPublisher::ReportPublisher(store::Catalog& catalog, store::Evaluations& evaluations,
                                 monitoring::Metrics& metrics)
    : catalog_(catalog),
      evaluations_(evaluations),
      metrics_(metrics),
      thread_([this] { Loop(); }) {}

ReportPublisher::~ReportPublisher() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ReportPublisher::Loop() {
  Scan(/*all=*/true);
  while (true) {
    {
      MutexLock lock(mutex_);
      if (lock.WaitFor(changed_, kInterval, [this] { return stop_; })) return;
    }
    // New evaluations come first in the list, but an old one may succeed late: its success shows in
    // the count.
    const auto counts = evaluations_.CountEvaluations();
    const int64_t succeeded = counts.ok() ? counts->at("SUCCEEDED") : succeeded_;
    Scan(/*all=*/succeeded != succeeded_);
    succeeded_ = succeeded;
  }
}

void ReportPublisher::Scan(bool all) {
  store::Page page;
  do {
    const auto listing = evaluations_.ListEvaluations(page);
    if (!listing.ok()) {
      LogWarning(absl::StrCat("cannot list evaluations for metrics: ", listing.status().message()));
      return;
    }
    for (const auto& record : listing->records) {
      const v1::Evaluation& evaluation = record.proto;
      if (evaluation.state() != v1::Evaluation::SUCCEEDED ||
          published_.count(evaluation.name()) > 0) {
        continue;
      }
      const auto report = ReportOf(catalog_, evaluations_, record);
      if (!report.ok()) continue;
      metrics_.PublishReport(*report, ToMicros(evaluation.end_time()));
      published_.insert(evaluation.name());
    }
    page.token = listing->next_token;
  } while (all && !page.token.empty());
}

}  // namespace assay::api
