// What a report is as a run of MLflow: parameters, metrics and tags, within the limits that MLflow
// sets to them.
#ifndef ASSAY_CLIENT_MLFLOW_RUN_CONTENT_H_
#define ASSAY_CLIENT_MLFLOW_RUN_CONTENT_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "assay/v1/reports.pb.h"
#include "core/report/gates.h"
#include "nlohmann/json.hpp"

namespace assay::mlflow {

struct RunContent {
  // Keys are unique, and such as MLflow takes.
  std::vector<std::pair<std::string, double>> metrics;
  std::vector<std::pair<std::string, std::string>> params;
  std::vector<std::pair<std::string, std::string>> tags;
  // Not empty: what was left out of these, in a sentence.
  std::string left_out;
};

// Metrics are the numbers of the report as CSV: CONDITION/METRIC with METRIC.lower and .upper where
// there is an interval, and CONDITION/class/CLASS/METRIC. Of a report with more than `most_metrics`
// of them those of classes are left out. Params are settings and provenance, tags are labels and
// gates.
RunContent ContentOf(const v1::Report& report, const std::vector<report::GateResult>& gates,
                     size_t most_metrics = 20000);

// Characters that MLflow refuses in keys replaced by '_', and what is too long shortened, with some
// digits that keep it apart.
std::string KeyOf(absl::string_view text);

// The bodies of runs/log-batch, each within the limits of one call (1000 metrics, 100 params, 100
// tags, 1000 in all, 1 MB). Metrics first, so that what others have logged in the run before can
// refuse nothing but params.
std::vector<nlohmann::json> Batches(const RunContent& content, const std::string& run_id,
                                    int64_t now_millis);

}  // namespace assay::mlflow

#endif  // ASSAY_CLIENT_MLFLOW_RUN_CONTENT_H_
