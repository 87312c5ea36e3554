#include "server/api/report_publisher.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "server/api/timestamps.h"

namespace assay::api {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(1000);
// Of 100 evaluations of a dataset each, the newest first, in which a previous one is looked for.
constexpr int kMostPages = 10;

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

std::string ReportPublisher::LineageOf(const v1::Evaluation& evaluation) const {
  const auto label = evaluation.spec().labels().find(kLineageLabel);
  if (label != evaluation.spec().labels().end()) return label->second;
  const auto model = context_.catalog.GetModel(evaluation.spec().model());
  if (model.ok()) {
    const auto of_model = model->labels().find(kLineageLabel);
    if (of_model != model->labels().end()) return of_model->second;
  }
  return evaluation.spec().model();
}

std::optional<store::EvaluationRecord> ReportPublisher::FindPrevious(
    const v1::Evaluation& evaluation) const {
  const std::string lineage = LineageOf(evaluation);
  std::set<std::string> conditions;
  for (const v1::Condition& condition : evaluation.conditions()) conditions.insert(condition.id());
  const auto comparable = [&](const v1::Evaluation& other) {
    // Whose intervals are for a number of samples that was not fixed is no measure for another.
    if (other.name() == evaluation.name() || other.spec().has_stop_when_decided()) return false;
    if (ToMicros(other.end_time()) > ToMicros(evaluation.end_time())) return false;
    const bool common = std::any_of(
        other.conditions().begin(), other.conditions().end(),
        [&](const v1::Condition& condition) { return conditions.count(condition.id()) > 0; });
    return common && LineageOf(other) == lineage;
  };
  store::EvaluationFilter filter;
  filter.dataset = evaluation.spec().dataset();
  filter.states = {v1::Evaluation::SUCCEEDED};
  std::optional<store::EvaluationRecord> latest;
  store::Page page;
  for (int pages = 0; pages < kMostPages; ++pages) {
    const auto listing = context_.evaluations.ListEvaluations(page, filter);
    if (!listing.ok()) break;
    for (const store::EvaluationRecord& record : listing->records) {
      if (latest && ToMicros(record.proto.end_time()) <= ToMicros(latest->proto.end_time())) {
        continue;
      }
      if (comparable(record.proto)) latest = record;
    }
    page.token = listing->next_token;
    if (page.token.empty()) break;
  }
  return latest;
}

void ReportPublisher::Publish(const std::vector<Success>& newest_first, bool shown) {
  for (const Success& success : newest_first) {
    const auto& [end_micros, name] = success;
    if (shown) {
      const auto record = context_.evaluations.GetEvaluation(name);
      if (!record.ok()) continue;
      const auto report = context_.reports.Get(*record);
      if (!report.ok()) continue;
      monitoring::Publication publication;
      publication.end_time_micros = end_micros;
      publication.lineage = LineageOf(record->proto);
      std::shared_ptr<const v1::Report> previous_report;
      const auto previous = FindPrevious(record->proto);
      if (previous.has_value()) {
        // Without it there is still the report itself.
        previous_report = context_.reports.Get(*previous).value_or(nullptr);
        publication.previous = previous_report.get();
        publication.previous_end_time_micros = ToMicros(previous->proto.end_time());
      }
      context_.metrics.PublishReport(**report, publication);
      // Deleted meanwhile: its withdrawal may have come too early.
      for (const std::string& shown_name : {name, previous ? previous->proto.name() : name}) {
        if (absl::IsNotFound(context_.evaluations.GetEvaluation(shown_name).status())) {
          context_.metrics.WithdrawReport(shown_name);
        }
      }
    }
    // The gauges have room for one of each pair.
    shown = false;
    published_.insert(success);
  }
}

}  // namespace assay::api
