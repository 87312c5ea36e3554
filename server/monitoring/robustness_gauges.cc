#include "server/monitoring/robustness_gauges.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/conditions/families.h"

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

// A rate: its value, and the ends of its interval under the same labels in two more families.
class RateFamily {
 public:
  RateFamily(const std::string& name, const std::string& help)
      : value_(name, help),
        lower_(name + "_lower", "Lower end of the interval of " + name + "."),
        upper_(name + "_upper", "Upper end of the interval of " + name + ".") {}
  // Nothing where it has no value.
  void Add(const Labels& labels, const v1::Rate& rate, bool interval = true) {
    if (!rate.has_value()) return;
    value_.Add(labels, rate.value());
    if (!interval || !rate.has_lower()) return;
    lower_.Add(labels, rate.lower());
    upper_.Add(labels, rate.upper());
  }
  void TakeInto(std::vector<MetricFamily>* families) {
    for (Family* family : {&value_, &lower_, &upper_}) families->push_back(family->Take());
  }

 private:
  Family value_, lower_, upper_;
};

std::string Id(absl::string_view name) { return std::string(name.substr(name.rfind('/') + 1)); }

Labels With(Labels labels, const std::string& name, const std::string& value) {
  labels.push_back({name, value});
  return labels;
}

// The worst and the best of a condition's classes that are shown of more than `limit`.
constexpr int kEnds = 10;
// Quantiles of p_A that are shown.
constexpr double kShares[] = {0.05, 0.25, 0.5, 0.75, 0.95};
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

// Whether the intervals of a report can be trusted: those of an evaluation that stopped when it was
// decided are for another number of samples (docs/decisions/0017-early-decision.md).
bool HasIntervals(const v1::Report& report) { return report.samples_allowed() == 0; }

// A rate without a value stays one.
void CopyRate(const v1::Rate& from, bool interval, v1::Rate* to) {
  if (!from.has_value()) return;
  to->set_value(from.value());
  if (!interval || !from.has_lower() || !from.has_upper()) return;
  to->set_lower(from.lower());
  to->set_upper(from.upper());
}

// One for the value, and two for its interval.
size_t SeriesOf(const v1::Rate& rate) {
  return static_cast<size_t>(rate.has_value()) + 2 * static_cast<size_t>(rate.has_lower());
}

// Of the distribution of p_A, only what the quantiles need.
void CopyDistribution(const v1::PaDistribution& from, v1::PaDistribution* to) {
  to->set_mean(from.mean());
  // The smallest value that at least this share of the samples does not exceed.
  for (const double share : kShares) {
    constexpr double kRounding = 1e-9;
    for (const v1::PaPoint& point : from.points()) {
      if (point.cumulative() < share - kRounding) continue;
      v1::PaPoint& quantile = *to->add_points();
      quantile.set_pa(point.pa());
      quantile.set_cumulative(share);
      break;
    }
  }
}

void CopyClasses(const v1::ConditionReport& from, int limit, bool intervals,
                 v1::ConditionReport* to) {
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
    if (accuracy) CopyRate(c.accuracy(), intervals, shown.mutable_accuracy());
    if (score) CopyRate(c.cfps(), intervals, shown.mutable_cfps());
  }
}

// What is shown of a report, which holds much more: a confusion matrix for each condition, ...
v1::Report Shown(const v1::Report& report, int max_classes) {
  const bool intervals = HasIntervals(report);
  v1::Report shown;
  shown.set_evaluation(report.evaluation());
  for (const v1::ConditionReport& from : report.conditions()) {
    v1::ConditionReport& to = *shown.add_conditions();
    to.set_id(from.id());
    to.set_family(from.family());
    to.set_samples(from.samples());
    CopyRate(from.accuracy(), intervals, to.mutable_accuracy());
    if (from.has_bounds()) {
      CopyRate(from.bounds().certified_accuracy(), intervals,
               to.mutable_bounds()->mutable_certified_accuracy());
    }
    if (from.conformal().coverage().has_value()) {
      CopyRate(from.conformal().coverage(), intervals, to.mutable_conformal()->mutable_coverage());
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
        CopyRate(point.accuracy(), intervals, shown_point.mutable_accuracy());
      }
      CopyDistribution(certification.pa_true_class(), copy.mutable_pa_true_class());
      CopyDistribution(certification.pa_top_class(), copy.mutable_pa_top_class());
    }
    if (max_classes > 0) CopyClasses(from, max_classes, intervals, &to);
  }
  const v1::CorruptionSummary& summary = report.corruption_summary();
  for (const v1::CorruptionError& from : summary.corruptions()) {
    v1::CorruptionError& to = *shown.mutable_corruption_summary()->add_corruptions();
    to.set_corruption(from.corruption());
    to.set_mean_error(from.mean_error());
  }
  if (summary.has_mean_error()) {
    shown.mutable_corruption_summary()->set_mean_error(summary.mean_error());
  }
  if (summary.has_mce()) shown.mutable_corruption_summary()->set_mce(summary.mce());
  return shown;
}

// The accuracies of an earlier report under the conditions of `report`.
v1::Report ShownOfPrevious(const v1::Report& previous, const v1::Report& report) {
  std::set<std::string> conditions;
  for (const v1::ConditionReport& condition : report.conditions()) {
    conditions.insert(condition.id());
  }
  v1::Report shown;
  shown.set_evaluation(previous.evaluation());
  shown.set_model(previous.model());
  for (const v1::ConditionReport& from : previous.conditions()) {
    if (conditions.count(from.id()) == 0 || !from.accuracy().has_value()) continue;
    v1::ConditionReport& to = *shown.add_conditions();
    to.set_id(from.id());
    CopyRate(from.accuracy(), HasIntervals(previous), to.mutable_accuracy());
  }
  return shown;
}

// But for those of classes.
size_t CountSeries(const v1::Report& shown) {
  // Of a summary: its quantiles, the sum and the count. Of radii the median, and their average.
  constexpr size_t kRadii = 4;
  const auto distribution = [](const v1::PaDistribution& pa) -> size_t {
    return pa.points_size() == 0 ? 0 : static_cast<size_t>(pa.points_size()) + 2;
  };
  size_t series = 2;  // the time, and whether it is the latest
  for (const v1::ConditionReport& condition : shown.conditions()) {
    series += 1 + SeriesOf(condition.accuracy());  // and samples
    if (condition.family() == kFamilyCorruption) series += 1;
    if (condition.has_bounds()) series += SeriesOf(condition.bounds().certified_accuracy());
    if (condition.has_conformal()) series += SeriesOf(condition.conformal().coverage()) + 1;
    if (!condition.has_certification()) continue;
    const v1::CertificationReport& certification = condition.certification();
    series += kRadii + distribution(certification.pa_true_class()) +
              distribution(certification.pa_top_class());
    for (const v1::CertifiedPoint& point : certification.curve()) {
      series += SeriesOf(point.accuracy());
    }
  }
  const v1::CorruptionSummary& summary = shown.corruption_summary();
  return series + static_cast<size_t>(summary.corruptions_size()) +
         static_cast<size_t>(summary.has_mean_error()) + static_cast<size_t>(summary.has_mce());
}

size_t CountPreviousSeries(const v1::Report& previous) {
  if (previous.conditions().empty()) return 0;
  size_t series = 1;  // the time
  for (const v1::ConditionReport& condition : previous.conditions()) {
    series += SeriesOf(condition.accuracy());
  }
  return series;
}

// Values and ends of intervals of the gauges of classes.
void CountClassSeries(const v1::Report& shown, size_t* values, size_t* ends) {
  *values = *ends = 0;
  for (const v1::ConditionReport& condition : shown.conditions()) {
    for (const v1::ClassReport& c : condition.classes()) {
      for (const v1::Rate* rate : {&c.accuracy(), &c.cfps()}) {
        *values += static_cast<size_t>(rate->has_value());
        *ends += 2 * static_cast<size_t>(rate->has_lower());
      }
    }
  }
}

// The quantiles of a distribution of p_A, as a summary of `samples` samples.
ClientMetric SummaryOf(const v1::PaDistribution& pa, int64_t samples, Labels labels) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.summary.sample_count = static_cast<uint64_t>(samples);
  metric.summary.sample_sum = pa.mean() * static_cast<double>(samples);
  for (const v1::PaPoint& point : pa.points()) {
    metric.summary.quantile.push_back({point.cumulative(), point.pa()});
  }
  return metric;
}

}  // namespace

void RobustnessGauges::Publish(const v1::Report& report, const Publication& publication) {
  Entry published;
  published.report = Shown(report, limits_.classes);
  published.end_time_micros = publication.end_time_micros;
  published.lineage = publication.lineage.empty() ? report.model() : publication.lineage;
  published.series = CountSeries(published.report);
  CountClassSeries(published.report, &published.class_series, &published.class_interval_series);
  if (publication.previous != nullptr) {
    published.previous = ShownOfPrevious(*publication.previous, report);
    published.previous_end_time_micros = publication.previous_end_time_micros;
    published.previous_series = CountPreviousSeries(published.previous);
  }
  MutexLock lock(mutex_);
  Entry& entry = entries_[{report.model(), report.dataset()}];
  if (publication.end_time_micros < entry.end_time_micros) return;
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
    Entry& entry = it->second;
    if (entry.previous.evaluation() == evaluation) {
      entry.previous.Clear();
      entry.previous_series = 0;
    }
    it = entry.report.evaluation() == evaluation ? entries_.erase(it) : std::next(it);
  }
}

std::vector<MetricFamily> RobustnessGauges::Collect() const {
  RateFamily accuracy("assay_accuracy_ratio", "Accuracy under a condition.");
  RateFamily class_accuracy("assay_class_accuracy_ratio", "Class-wise accuracy under a condition.");
  RateFamily cfps(
      "assay_class_false_positive_score_ratio",
      "Class False Positive Score: share of all misclassified samples taken for the class.");
  RateFamily certified("assay_certified_accuracy_ratio", "Certified accuracy at a radius.");
  RateFamily proven("assay_proven_accuracy_ratio",
                    "Accuracy that deterministic bounds prove at an Linf budget.");
  RateFamily coverage("assay_conformal_coverage_ratio",
                      "Share of test samples whose robust conformal set has the label.");
  RateFamily previous_accuracy("assay_previous_accuracy_ratio",
                               "Accuracy in the evaluation before the latest.");
  Family samples("assay_condition_samples", "Samples behind the ratios of a condition.");
  // Summaries, because only summaries may have a label "quantile".
  Family radius("assay_certified_radius", "Certified radius of the samples (wrong: 0).",
                MetricType::Summary);
  Family top_class("assay_top_class_probability",
                   "p_A of the samples: share of noisy copies that get the most frequent class.",
                   MetricType::Summary);
  Family true_class("assay_true_class_probability",
                    "p_A of the samples: share of noisy copies that get the label.",
                    MetricType::Summary);
  Family acr("assay_average_certified_radius",
             "Average certified radius; a poor metric, see assay_true_class_probability.");
  Family set_size("assay_conformal_set_size", "Mean number of labels in a robust conformal set.");
  Family error("assay_corruption_error_ratio", "Error (1 - accuracy) under a corruption.");
  Family mean_error("assay_corruption_mean_error_ratio",
                    "Mean error over the severities of a corruption.");
  Family all_mean_error("assay_mean_corruption_error_ratio",
                        "Mean error over the 15 published corruptions and five severities.");
  Family mce("assay_mce_ratio", "mCE: errors against those of the reference model.");
  Family timestamp("assay_evaluation_timestamp_seconds", "When the evaluation shown here ended.");
  Family latest_version("assay_evaluation_latest",
                        "1: of no version of this model a later evaluation on the dataset ended.");
  Family previous_timestamp("assay_previous_evaluation_timestamp_seconds",
                            "When the evaluation before the latest ended.");
  Family left_out("assay_gauges_left_out",
                  "(model, dataset) pairs without room on this page, for any, class or class "
                  "interval gauges.");
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
  struct Place {
    const std::pair<const std::pair<std::string, std::string>, Entry>* item;
    bool latest, classes, class_intervals;
  };
  std::vector<Place> shown;
  // What is a version of something has a previous evaluation only where it is the latest version.
  std::set<std::pair<std::string, std::string>> seen_lineages;
  int without_any = 0, without_classes = 0, without_class_intervals = 0;
  for (const auto* item : newest_first) {
    const Entry& entry = item->second;
    const bool latest = seen_lineages.insert({entry.lineage, item->first.second}).second;
    if (fits(entry.series + (latest ? entry.previous_series : 0))) {
      shown.push_back({item, latest, false, false});
    } else {
      ++without_any;
    }
  }
  for (Place& each : shown) {
    const Entry& entry = each.item->second;
    each.classes = fits(entry.class_series);
    each.class_intervals = each.classes && fits(entry.class_interval_series);
    without_classes += each.classes ? 0 : 1;
    without_class_intervals += each.classes && !each.class_intervals ? 1 : 0;
  }
  for (const auto& [item, latest, show_classes, show_intervals] : shown) {
    const auto& [key, entry] = *item;
    const Labels pair = {{"model", Id(key.first)}, {"dataset", Id(key.second)}};
    timestamp.Add(pair, static_cast<double>(entry.end_time_micros) / 1e6);
    latest_version.Add(pair, latest ? 1 : 0);
    if (latest && entry.previous_series > 0) {
      const Labels both = With(pair, "previous", Id(entry.previous.model()));
      previous_timestamp.Add(both, static_cast<double>(entry.previous_end_time_micros) / 1e6);
      for (const v1::ConditionReport& condition : entry.previous.conditions()) {
        previous_accuracy.Add(With(both, "condition", condition.id()), condition.accuracy());
      }
    }
    const v1::CorruptionSummary& summary = entry.report.corruption_summary();
    for (const v1::CorruptionError& corruption : summary.corruptions()) {
      mean_error.Add(With(pair, "corruption", corruption.corruption()), corruption.mean_error());
    }
    if (summary.has_mean_error()) all_mean_error.Add(pair, summary.mean_error());
    if (summary.has_mce()) mce.Add(pair, summary.mce());
    for (const v1::ConditionReport& condition : entry.report.conditions()) {
      const Labels labels = With(pair, "condition", condition.id());
      accuracy.Add(labels, condition.accuracy());
      samples.Add(labels, static_cast<double>(condition.samples()));
      for (const v1::ClassReport& c : condition.classes()) {
        if (!show_classes) break;
        const Labels of_class = With(labels, "class", c.name());
        class_accuracy.Add(of_class, c.accuracy(), show_intervals);
        cfps.Add(of_class, c.cfps(), show_intervals);
      }
      if (condition.family() == kFamilyCorruption && condition.accuracy().has_value()) {
        error.Add(labels, 1 - condition.accuracy().value());
      }
      if (condition.has_bounds()) proven.Add(labels, condition.bounds().certified_accuracy());
      if (condition.has_conformal()) {
        coverage.Add(labels, condition.conformal().coverage());
        set_size.Add(labels, condition.conformal().mean_set_size());
      }
      if (!condition.has_certification()) continue;
      const v1::CertificationReport& certification = condition.certification();
      std::set<std::string> radii;
      for (const v1::CertifiedPoint& point : certification.curve()) {
        const std::string text = absl::StrCat(point.radius());
        if (!radii.insert(text).second) continue;  // equal in six digits to the one before
        certified.Add(With(labels, "radius", text), point.accuracy());
      }
      ClientMetric radii_summary;
      radii_summary.label = labels;
      const auto count = static_cast<double>(condition.samples());
      radii_summary.summary.sample_count = static_cast<uint64_t>(condition.samples());
      radii_summary.summary.sample_sum = certification.average_certified_radius() * count;
      radii_summary.summary.quantile = {{0.5, certification.median_radius()}};
      radius.Add(std::move(radii_summary));
      acr.Add(labels, certification.average_certified_radius());
      for (const auto& [family, pa] : {std::pair(&top_class, &certification.pa_top_class()),
                                       std::pair(&true_class, &certification.pa_true_class())}) {
        if (pa->points_size() > 0) family->Add(SummaryOf(*pa, condition.samples(), labels));
      }
    }
  }
  left_out.Add({{"gauges", "all"}}, without_any);
  left_out.Add({{"gauges", "class"}}, without_classes);
  left_out.Add({{"gauges", "class_interval"}}, without_class_intervals);
  std::vector<MetricFamily> families;
  for (RateFamily* family :
       {&accuracy, &class_accuracy, &cfps, &certified, &proven, &coverage, &previous_accuracy}) {
    family->TakeInto(&families);
  }
  for (Family* family :
       {&samples, &radius, &top_class, &true_class, &acr, &set_size, &error, &mean_error,
        &all_mean_error, &mce, &timestamp, &latest_version, &previous_timestamp, &left_out}) {
    families.push_back(family->Take());
  }
  return families;
}

}  // namespace assay::monitoring
