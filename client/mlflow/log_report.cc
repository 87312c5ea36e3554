#include "client/mlflow/log_report.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/mlflow/run_content.h"
#include "core/base/errors.h"

namespace assay::mlflow {
namespace {

int64_t Millis(const Clock& clock) { return clock.NowMicros() / 1000; }

// The kind of a batch: "metrics", "params", "tags".
std::string KindOf(const nlohmann::json& batch) {
  for (const auto& entry : batch.items()) {
    if (entry.value().is_array()) return entry.key();
  }
  return "";
}

void LogEachParam(Tracking& tracking, const nlohmann::json& batch,
                  std::vector<std::string>* left_out) {
  std::vector<std::string> keys;
  std::string why;
  for (const nlohmann::json& param : batch["params"]) {
    const absl::Status sent = tracking.LogBatch(
        {{"run_id", batch["run_id"]}, {"params", nlohmann::json::array({param})}});
    if (sent.ok()) continue;
    keys.push_back(param["key"].get<std::string>());
    why = std::string(sent.message());
  }
  if (keys.empty()) return;
  constexpr size_t kMostKeys = 3;
  const size_t more = keys.size() - std::min(keys.size(), kMostKeys);
  keys.resize(keys.size() - more);
  left_out->push_back(absl::StrCat("params ", absl::StrJoin(keys, ", "),
                                   more > 0 ? absl::StrCat(" and ", more, " more") : "", ": ",
                                   why));
}

}  // namespace

absl::StatusOr<Logged> LogReport(const TrackingOptions& options, const v1::Report& report,
                                 const std::vector<report::GateResult>& gates,
                                 const std::vector<Artifact>& artifacts, const Clock& clock) {
  Tracking tracking(options);
  const std::string name = report.evaluation().empty() ? report.dataset() : report.evaluation();
  ASSAY_ASSIGN_OR_RETURN(const Run run, tracking.Begin(name, Millis(clock)));
  Logged logged;
  logged.page = tracking.PageOf(run);
  const auto keep = [&](const std::string& what, const absl::Status& status) {
    if (!status.ok()) logged.left_out.push_back(absl::StrCat(what, ": ", status.message()));
    return status.ok();
  };
  const RunContent content = ContentOf(report, gates);
  if (!content.left_out.empty()) logged.left_out.push_back(content.left_out);
  bool metrics_refused = false;
  for (const nlohmann::json& batch : Batches(content, run.id, Millis(clock))) {
    const bool metrics = KindOf(batch) == "metrics";
    // Where one call fails, hundreds more of its kind would.
    if (metrics && metrics_refused) continue;
    const absl::Status sent = tracking.LogBatch(batch);
    if (sent.ok()) continue;
    if (KindOf(batch) == "params" && !options.run_id.empty()) {
      // One that the run has already, with another value, refuses them all.
      LogEachParam(tracking, batch, &logged.left_out);
      continue;
    }
    metrics_refused = metrics_refused || metrics;
    keep(metrics ? "metrics, these and those after them" : KindOf(batch), sent);
  }
  for (const Artifact& artifact : artifacts) {
    if (!keep("artifacts", tracking.LogArtifact(run, artifact.path, artifact.text, artifact.file,
                                                artifact.content_type))) {
      break;
    }
  }
  const bool good = std::all_of(gates.begin(), gates.end(),
                                [](const report::GateResult& gate) { return gate.holds; });
  keep("the status of the run", tracking.End(run, good, Millis(clock)));
  return logged;
}

}  // namespace assay::mlflow
