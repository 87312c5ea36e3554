// Small reports for tests of the gauges.
#ifndef ASSAY_TESTS_SERVER_MONITORING_REPORTS_H_
#define ASSAY_TESTS_SERVER_MONITORING_REPORTS_H_

#include <string>

#include "assay/v1/reports.pb.h"

namespace assay::monitoring {

// Of evaluation `id`: clean accuracy 0.75 with the classes cat (0.5) and dog (1), a corruption at
// 0.25, and a certification.
inline v1::Report MakeReport(const std::string& id, const std::string& model,
                             const std::string& dataset) {
  v1::Report report;
  report.set_evaluation("evaluations/" + id);
  report.set_model("models/" + model);
  report.set_dataset("datasets/" + dataset);
  v1::ConditionReport& clean = *report.add_conditions();
  clean.set_id("clean");
  clean.set_family("clean");
  clean.mutable_accuracy()->set_value(0.75);
  const char* const names[] = {"cat", "dog"};
  for (int i = 0; i < 2; ++i) {
    v1::ClassReport& c = *clean.add_classes();
    c.set_index(i);
    c.set_name(names[i]);
    c.mutable_accuracy()->set_value(i == 0 ? 0.5 : 1);
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
    point.mutable_accuracy()->set_value(0.6 - radius);
  }
  return report;
}

}  // namespace assay::monitoring

#endif  // ASSAY_TESTS_SERVER_MONITORING_REPORTS_H_
