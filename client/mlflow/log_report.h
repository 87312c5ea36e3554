// Logs a report as a run of MLflow.
#ifndef ASSAY_CLIENT_MLFLOW_LOG_REPORT_H_
#define ASSAY_CLIENT_MLFLOW_LOG_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/reports.pb.h"
#include "client/mlflow/tracking.h"
#include "core/base/clock.h"
#include "core/report/gates.h"

namespace assay::mlflow {

struct Artifact {
  // In the run: "report.json".
  std::string path;
  std::string content_type;
  // The content, or a file with it.
  std::string text;
  std::string file;
};

struct Logged {
  // Of the run, for people.
  std::string page;
  // What could not be logged of it, and why: a sentence each.
  std::vector<std::string> left_out;
};

// A run of its own ends FINISHED, or FAILED where a gate does not hold. Once there is a run, what
// fails is left out and the rest is logged. An error, with what was tried in its text, when there
// is none.
absl::StatusOr<Logged> LogReport(const TrackingOptions& options, const v1::Report& report,
                                 const std::vector<report::GateResult>& gates,
                                 const std::vector<Artifact>& artifacts, const Clock& clock);

}  // namespace assay::mlflow

#endif  // ASSAY_CLIENT_MLFLOW_LOG_REPORT_H_
