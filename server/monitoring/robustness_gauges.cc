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

}  // namespace

void RobustnessGauges::Publish(const v1::Report& report, int64_t end_time_micros) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[{report.model(), report.dataset()}];
  if (end_time_micros < entry.end_time_micros) return;
  entry = {report, end_time_micros};
  if (entries_.size() <= max_reports_) return;
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
  MutexLock lock(mutex_);
  for (const auto& [key, entry] : entries_) {
    const Labels pair = {{"model", Id(key.first)}, {"dataset", Id(key.second)}};
    timestamp.Add(pair, static_cast<double>(entry.end_time_micros) / 1e6);
    for (const v1::ConditionReport& condition : entry.report.conditions()) {
      const Labels labels = With(pair, "condition", condition.id());
      accuracy.Add(labels, condition.accuracy().value());
      // Two series of equal labels would spoil the whole scrape, and users choose the names.
      std::set<std::string> names;
      for (const v1::ClassReport& c : condition.classes()) {
        const std::string name =
            names.insert(c.name()).second ? c.name() : absl::StrCat(c.name(), " (", c.index(), ")");
        if (c.accuracy().has_value()) {
          class_accuracy.Add(With(labels, "class", name), c.accuracy().value());
        }
        if (c.cfps().has_value()) cfps.Add(With(labels, "class", name), c.cfps().value());
      }
      if (condition.family() == "corruption") error.Add(labels, 1 - condition.accuracy().value());
      if (condition.has_bounds()) {
        proven.Add(labels, condition.bounds().certified_accuracy().value());
      }
      if (condition.conformal().coverage().has_value()) {
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
  std::vector<MetricFamily> families;
  for (Family* family : {&accuracy, &class_accuracy, &cfps, &certified, &radius, &acr, &proven,
                         &coverage, &set_size, &error, &timestamp}) {
    families.push_back(family->Take());
  }
  return families;
}

}  // namespace assay::monitoring
