#include "server/api/report_publisher.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "server/api/timestamps.h"

namespace assay::api {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(1000);

}  // namespace

ReportPublisher::ReportPublisher(Context& context)
    : context_(context), thread_([this] { Loop(); }) {}

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
    const auto counts = context_.evaluations.CountEvaluations();
    const int64_t succeeded = counts.ok() ? counts->at("SUCCEEDED") : succeeded_;
    Scan(/*all=*/succeeded != succeeded_);
    succeeded_ = succeeded;
  }
}

void ReportPublisher::Scan(bool all) {
  // By model and dataset.
  std::map<std::pair<std::string, std::string>, std::vector<Success>> fresh;
  store::Page page;
  do {
    const auto listing = context_.evaluations.ListEvaluations(page, {});
    if (!listing.ok()) {
      LogWarning(absl::StrCat("cannot list evaluations for metrics: ", listing.status().message()));
      break;
    }
    for (const auto& record : listing->records) {
      const v1::Evaluation& evaluation = record.proto;
      const Success success{ToMicros(evaluation.end_time()), evaluation.name()};
      if (evaluation.state() != v1::Evaluation::SUCCEEDED || published_.count(success) > 0)
        continue;
      fresh[{evaluation.spec().model(), evaluation.spec().dataset()}].push_back(success);
    }
    page.token = listing->next_token;
  } while (all && !page.token.empty());

  std::vector<std::vector<Success>> pairs;
  for (auto& [pair, successes] : fresh) {
    std::sort(successes.begin(), successes.end(), std::greater<>());
    pairs.push_back(std::move(successes));
  }
  std::sort(pairs.begin(), pairs.end(), std::greater<>());
  for (size_t i = 0; i < pairs.size(); ++i) {
    Publish(pairs[i], /*shown=*/i < monitoring::Metrics::kMaxReports);
  }
}

void ReportPublisher::Publish(const std::vector<Success>& newest_first, bool shown) {
  for (const Success& success : newest_first) {
    const auto& [end_micros, name] = success;
    if (shown) {
      const auto record = context_.evaluations.GetEvaluation(name);
      if (!record.ok()) continue;
      const auto report = context_.reports.Get(*record);
      if (!report.ok()) continue;
      context_.metrics.PublishReport(**report, end_micros);
      // Deleted meanwhile: its withdrawal may have come too early.
      if (absl::IsNotFound(context_.evaluations.GetEvaluation(name).status())) {
        context_.metrics.WithdrawReport(name);
      }
    }
    // The gauges have room for one of each pair.
    shown = false;
    published_.insert(success);
  }
}

}  // namespace assay::api
