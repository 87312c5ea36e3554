// Small reports for tests of the gauges.
#ifndef ASSAY_TESTS_SERVER_MONITORING_REPORTS_H_
#define ASSAY_TESTS_SERVER_MONITORING_REPORTS_H_

#include <string>
#include <utility>

#include "assay/v1/reports.pb.h"

namespace assay::monitoring {

inline v1::Rate MakeRate(double value, double lower, double upper) {
  v1::Rate rate;
  rate.set_value(value);
  rate.set_lower(lower);
  rate.set_upper(upper);
  return rate;
}

// Of evaluation `id`: clean accuracy 0.75 with the classes cat (0.5) and dog (1), a corruption at
// 0.25, and a certification. Only some rates have an interval.
inline v1::Report MakeReport(const std::string& id, const std::string& model,
                             const std::string& dataset) {
  v1::Report report;
  report.set_evaluation("evaluations/" + id);
  report.set_model("models/" + model);
  report.set_dataset("datasets/" + dataset);
  v1::ConditionReport& clean = *report.add_conditions();
  clean.set_id("clean");
  clean.set_family("clean");
  clean.set_samples(16);
  *clean.mutable_accuracy() = MakeRate(0.75, 0.5, 0.875);
  const char* const names[] = {"cat", "dog"};
  for (int i = 0; i < 2; ++i) {
    v1::ClassReport& c = *clean.add_classes();
    c.set_index(i);
    c.set_name(names[i]);
    *c.mutable_accuracy() = i == 0 ? MakeRate(0.5, 0.25, 0.75) : MakeRate(1, 0.625, 1);
    c.mutable_cfps()->set_value(i == 0 ? 0 : 1);
  }
  v1::ConditionReport& corruption = *report.add_conditions();
  corruption.set_id("corruption/fog/3");
  corruption.set_family("corruption");
  corruption.mutable_accuracy()->set_value(0.25);
  v1::ConditionReport& smoothing = *report.add_conditions();
  smoothing.set_id("smoothing/gaussian/0.25");
  smoothing.set_family("smoothing");
  smoothing.mutable_accuracy()->set_value(0.6);
  smoothing.set_samples(8);
  v1::CertificationReport& certification = *smoothing.mutable_certification();
  certification.set_average_certified_radius(0.375);
  certification.set_median_radius(0.5);
  for (const double radius : {0.0, 0.25, 0.5}) {
    v1::CertifiedPoint& point = *certification.add_curve();
    point.set_radius(radius);
    *point.mutable_accuracy() = MakeRate(0.6 - radius, 0, 0.75);
  }
  // Eight samples: the label got 0 of all draws in one, 1/2 in two, all in five.
  certification.mutable_pa_true_class()->set_mean(0.75);
  for (const auto& [pa, cumulative] : {std::pair(0.0, 0.125), {0.5, 0.375}, {1.0, 1.0}}) {
    v1::PaPoint& point = *certification.mutable_pa_true_class()->add_points();
    point.set_pa(pa);
    point.set_cumulative(cumulative);
  }
  *certification.mutable_pa_top_class() = certification.pa_true_class();
  certification.mutable_pa_top_class()->mutable_points(0)->set_pa(0.25);
  v1::CorruptionSummary& summary = *report.mutable_corruption_summary();
  summary.add_corruptions()->set_corruption("fog");
  summary.mutable_corruptions(0)->set_mean_error(0.75);
  summary.set_mean_error(0.5);
  summary.set_mce(0.625);
  return report;
}

}  // namespace assay::monitoring

#endif  // ASSAY_TESTS_SERVER_MONITORING_REPORTS_H_
