// Gates of a call (`--require`): read and checked before any work is done, judged when the report
// is there.
#ifndef ASSAY_CLIENT_CLI_BASE_GATES_H_
#define ASSAY_CLIENT_CLI_BASE_GATES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "client/cli/base/command.h"
#include "client/cli/base/session.h"
#include "core/report/gate_scope.h"
#include "core/report/gates.h"

namespace assay::cli {

struct GateOptions {
  void AddTo(Leaf& leaf);

  // Expressions.
  std::vector<std::string> require;
  // evaluations/ID, or a report as a JSON file; empty: none.
  std::string baseline;
  // "pass" or "fail": what becomes of what cannot be decided.
  std::string undecided = "fail";
};

class Gates {
 public:
  // Without a server: kInvalidArgument for every expression that is malformed, kUnreadableInput for
  // a file that is no report.
  static absl::StatusOr<Gates> Read(const GateOptions& options);

  bool empty() const { return gates_.empty(); }
  bool baseline_at_server() const { return !baseline_name_.empty(); }

  // Gets the baseline from the server, where it is there: the report that `like` asks for, of that
  // evaluation. Then checks all gates against what the evaluation will have, and the baseline has.
  absl::Status Check(Session& session, const report::GateScope& scope,
                     const v1::GetReportRequest& like);
  // Whether the baseline is of that dataset of the server.
  absl::Status CheckDataset(const std::string& dataset) const;

  // For an evaluation that is to stop when all of these are decided; without its level.
  v1::StopWhenDecided ToStopWhenDecided() const;

  // `evaluation` is null where the report is of several. Never an error of a gate: it is in the
  // results.
  absl::StatusOr<std::vector<report::GateResult>> Judge(Session& session,
                                                        const v1::Evaluation* evaluation,
                                                        const v1::Report& report) const;
  // What there is to tell where Judge failed: an ERROR for each gate.
  std::vector<report::GateResult> NotJudged(const absl::Status& status) const;

 private:
  std::vector<report::GateExpression> gates_;
  bool undecided_passes_ = false;
  // What the reports are asked for with.
  v1::GetReportRequest like_;
  // Of the server; empty: a file, or none.
  std::string baseline_name_;
  std::optional<v1::Report> baseline_;
};

// What a call with these results ends with: kGateFailed where one does not hold, kInvalidArgument
// where one could not be judged. Either way with a line for each that does not hold.
absl::Status EndOf(const std::vector<report::GateResult>& results);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_GATES_H_
