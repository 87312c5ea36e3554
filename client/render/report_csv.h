// A report as numbers, for programs: one for each condition, class or slice, and metric.
// docs/cli.md lists the metrics.
#ifndef ASSAY_CLIENT_RENDER_REPORT_CSV_H_
#define ASSAY_CLIENT_RENDER_REPORT_CSV_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "assay/v1/reports.pb.h"

namespace assay::render {

struct ReportNumber {
  std::string condition;
  // Empty: of all samples.
  std::string class_name;
  // COLUMN=VALUE; empty: of all samples.
  std::string slice;
  std::string metric;
  // Absent where it is undefined.
  std::optional<double> value;
  // Whether it is a whole number.
  bool is_count = false;
  std::optional<double> lower;
  std::optional<double> upper;
  // What it was computed from.
  int64_t samples = 0;
};
using OnReportNumber = std::function<void(const ReportNumber&)>;

// Every number of the CSV, in its order.
void VisitReport(const v1::Report& report, const OnReportNumber& take);

// With a line of titles: condition,class,slice,metric,value,lower,upper,n.
std::string ReportCsv(const v1::Report& report);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_REPORT_CSV_H_
