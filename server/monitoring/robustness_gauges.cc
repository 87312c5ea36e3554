#include "server/monitoring/robustness_gauges.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace assay::monitoring {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// A family under construction, of gauges unless told otherwise.
class Family {
 public:
  Family(std::string name, std::string help, MetricType type = MetricType::Gauge) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }
  void Add(Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    Add(std::move(metric));
  }
  void Add(ClientMetric metric) { family_.metric.push_back(std::move(metric)); }
  MetricFamily Take() { return std::move(family_); }

 private:
  MetricFamily family_;
};

std::string Id(absl::string_view name) { return std::string(name.substr(name.rfind('/') + 1)); }

Labels With(Labels labels, const std::string& name, const std::string& value) {
  labels.push_back({name, value});
  return labels;
}

// The worst and the best of a condition's classes that are shown of more than `limit`.
constexpr int kEnds = 10;
// Users choose the names of classes, and a page that every scrape carries is no place for novels.
constexpr size_t kMaxClassNameBytes = 120;

std::string ShortName(const std::string& name) {
  if (name.size() <= kMaxClassNameBytes) return name;
  size_t end = kMaxClassNameBytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;  // UTF-8
  return absl::StrCat(name.substr(0, end), "...");
}

// The classes whose `value` is shown: all with a value, or of more than `limit` those at the ends.
template <typename Value>
std::set<int> ShownClasses(const v1::ConditionReport& condition, int limit, const Value& value) {
  std::vector<int> classes;
  for (int i = 0; i < condition.classes_size(); ++i) {
    if (value(condition.classes(i)).has_value()) classes.push_back(i);
  }
  if (condition.classes_size() <= limit) return {classes.begin(), classes.end()};
  std::stable_sort(classes.begin(), classes.end(), [&](int a, int b) {
    return value(condition.classes(a)).value() < value(condition.classes(b)).value();
  });
  const auto count = static_cast<int>(classes.size());
  const int low = std::min({kEnds, (limit + 1) / 2, count});
  const int high = std::min({kEnds, limit / 2, count - low});
  std::set<int> shown(classes.begin(), classes.begin() + low);
  shown.insert(classes.end() - high, classes.end());
  return shown;
}

void CopyClasses(const v1::ConditionReport& from, int limit, v1::ConditionReport* to) {
  const std::set<int> accuracies =
      ShownClasses(from, limit, [](const v1::ClassReport& c) { return c.accuracy(); });
  const std::set<int> scores =
      ShownClasses(from, limit, [](const v1::ClassReport& c) { return c.cfps(); });
  // Two series of equal labels would spoil the whole scrape.
  std::set<std::string> names;
  for (int i = 0; i < from.classes_size(); ++i) {
    const v1::ClassReport& c = from.classes(i);
    std::string name = ShortName(c.name());
    while (!names.insert(name).second) absl::StrAppend(&name, " (", c.index(), ")");
    const bool accuracy = accuracies.count(i) > 0;
    const bool score = scores.count(i) > 0;
    if (!accuracy && !score) continue;
    v1::ClassReport& shown = *to->add_classes();
    shown.set_name(name);
    if (accuracy) shown.mutable_accuracy()->set_value(c.accuracy().value());
    if (score) shown.mutable_cfps()->set_value(c.cfps().value());
  }
}

// What is shown of a report, which holds much more: a confusion matrix for each condition, ...
v1::Report Shown(const v1::Report& report, int max_classes) {
  v1::Report shown;
  shown.set_evaluation(report.evaluation());
  for (const v1::ConditionReport& from : report.conditions()) {
    v1::ConditionReport& to = *shown.add_conditions();
    to.set_id(from.id());
    to.set_family(from.family());
    to.set_samples(from.samples());
    to.mutable_accuracy()->set_value(from.accuracy().value());
    if (from.has_bounds()) {
      to.mutable_bounds()->mutable_certified_accuracy()->set_value(
          from.bounds().certified_accuracy().value());
    }
    if (from.conformal().coverage().has_value()) {
      to.mutable_conformal()->mutable_coverage()->set_value(from.conformal().coverage().value());
      to.mutable_conformal()->set_mean_set_size(from.conformal().mean_set_size());
    }
    if (from.has_certification()) {
      const v1::CertificationReport& certification = from.certification();
      v1::CertificationReport& copy = *to.mutable_certification();
      copy.set_average_certified_radius(certification.average_certified_radius());
      copy.set_median_radius(certification.median_radius());
      for (const v1::CertifiedPoint& point : certification.curve()) {
        v1::CertifiedPoint& shown_point = *copy.add_curve();
        shown_point.set_radius(point.radius());
        shown_point.mutable_accuracy()->set_value(point.accuracy().value());
      }
    }
    if (max_classes > 0) CopyClasses(from, max_classes, &to);
  }
  return shown;
}

size_t CountSeries(const v1::Report& shown) {
  // Of a summary: a quantile, the sum and the count; and the average radius.
  constexpr size_t kCertification = 4;
  size_t series = 1;  // the time
  for (const v1::ConditionReport& condition : shown.conditions()) {
    series += 1;  // accuracy
    if (condition.family() == "corruption") series += 1;
    if (condition.has_bounds()) series += 1;
    if (condition.has_conformal()) series += 2;
    if (condition.has_certification()) {
      series += kCertification + static_cast<size_t>(condition.certification().curve_size());
    }
  }
  return series;
}

size_t CountClassSeries(const v1::Report& shown) {
  size_t series = 0;
  for (const v1::ConditionReport& condition : shown.conditions()) {
    for (const v1::ClassReport& c : condition.classes()) {
      series += static_cast<size_t>(c.accuracy().has_value()) + c.cfps().has_value();
    }
  }
  return series;
}

}  // namespace

void RobustnessGauges::Publish(const v1::Report& report, int64_t end_time_micros) {
  Entry published;
  published.report = Shown(report, limits_.classes);
  published.end_time_micros = end_time_micros;
  published.series = CountSeries(published.report);
  published.class_series = CountClassSeries(published.report);
  MutexLock lock(mutex_);
  Entry& entry = entries_[{report.model(), report.dataset()}];
  if (end_time_micros < entry.end_time_micros) return;
  entry = std::move(published);
  if (entries_.size() <= limits_.reports) return;
  entries_.erase(
      std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        return a.second.end_time_micros < b.second.end_time_micros;
      }));
}

void RobustnessGauges::Withdraw(const std::string& evaluation) {
  MutexLock lock(mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    it = it->second.report.evaluation() == evaluation ? entries_.erase(it) : std::next(it);
  }
}

std::vector<MetricFamily> RobustnessGauges::Collect() const {
  Family accuracy("assay_accuracy_ratio", "Accuracy under a condition.");
  Family class_accuracy("assay_class_accuracy_ratio", "Class-wise accuracy under a condition.");
  Family cfps(
      "assay_class_false_positive_score_ratio",
      "Class False Positive Score: share of all misclassified samples taken for the class.");
  Family certified("assay_certified_accuracy_ratio", "Certified accuracy at a radius.");
  // A summary, because only summaries may have a label "quantile".
  Family radius("assay_certified_radius", "Certified radius of the samples (wrong: 0).",
                MetricType::Summary);
  Family acr("assay_average_certified_radius",
             "Average certified radius; a poor metric, see the p_A distribution in the report.");
  Family proven("assay_proven_accuracy_ratio",
                "Accuracy that deterministic bounds prove at an Linf budget.");
  Family coverage("assay_conformal_coverage_ratio",
                  "Share of test samples whose robust conformal set has the label.");
  Family set_size("assay_conformal_set_size", "Mean number of labels in a robust conformal set.");
  Family error("assay_corruption_error_ratio", "Error (1 - accuracy) under a corruption.");
  Family timestamp("assay_evaluation_timestamp_seconds", "When the evaluation shown here ended.");
  Family left_out("assay_gauges_left_out",
                  "(model, dataset) pairs without room on this page, for any or for class gauges.");
  MutexLock lock(mutex_);
  std::vector<const std::pair<const std::pair<std::string, std::string>, Entry>*> newest_first;
  for (const auto& item : entries_) newest_first.push_back(&item);
  std::stable_sort(newest_first.begin(), newest_first.end(), [](const auto* a, const auto* b) {
    return a->second.end_time_micros > b->second.end_time_micros;
  });
  size_t room = limits_.series;
  const auto fits = [&room](size_t series) {
    if (series > room) return false;
    room -= series;
    return true;
  };
  int without_any = 0, without_classes = 0;
  for (const auto* item : newest_first) {
    const auto& [key, entry] = *item;
    if (!fits(entry.series)) {
      ++without_any;
      continue;
    }
    const bool show_classes = fits(entry.class_series);
    without_classes += show_classes ? 0 : 1;
    const Labels pair = {{"model", Id(key.first)}, {"dataset", Id(key.second)}};
    timestamp.Add(pair, static_cast<double>(entry.end_time_micros) / 1e6);
    for (const v1::ConditionReport& condition : entry.report.conditions()) {
      const Labels labels = With(pair, "condition", condition.id());
      accuracy.Add(labels, condition.accuracy().value());
      for (const v1::ClassReport& c : condition.classes()) {
        if (!show_classes) break;
        if (c.accuracy().has_value()) {
          class_accuracy.Add(With(labels, "class", c.name()), c.accuracy().value());
        }
        if (c.cfps().has_value()) cfps.Add(With(labels, "class", c.name()), c.cfps().value());
      }
      if (condition.family() == "corruption") error.Add(labels, 1 - condition.accuracy().value());
      if (condition.has_bounds()) {
        proven.Add(labels, condition.bounds().certified_accuracy().value());
      }
      if (condition.has_conformal()) {
        coverage.Add(labels, condition.conformal().coverage().value());
        set_size.Add(labels, condition.conformal().mean_set_size());
      }
      if (!condition.has_certification()) continue;
      const v1::CertificationReport& certification = condition.certification();
      std::set<std::string> radii;
      for (const v1::CertifiedPoint& point : certification.curve()) {
        const std::string text = absl::StrCat(point.radius());
        if (!radii.insert(text).second) continue;  // equal in six digits to the one before
        certified.Add(With(labels, "radius", text), point.accuracy().value());
      }
      ClientMetric radii_summary;
      radii_summary.label = labels;
      const auto samples = static_cast<double>(condition.samples());
      radii_summary.summary.sample_count = static_cast<uint64_t>(condition.samples());
      radii_summary.summary.sample_sum = certification.average_certified_radius() * samples;
      radii_summary.summary.quantile = {{0.5, certification.median_radius()}};
      radius.Add(std::move(radii_summary));
      acr.Add(labels, certification.average_certified_radius());
    }
  }
  left_out.Add({{"gauges", "all"}}, without_any);
  left_out.Add({{"gauges", "class"}}, without_classes);
  std::vector<MetricFamily> families;
  for (Family* family : {&accuracy, &class_accuracy, &cfps, &certified, &radius, &acr, &proven,
                         &coverage, &set_size, &error, &timestamp, &left_out}) {
    families.push_back(family->Take());
  }
  return families;
}

}  // namespace assay::monitoring
