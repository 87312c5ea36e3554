// `--mlflow`: a report logged as a run of MLflow, beside all else that becomes of it.
#ifndef ASSAY_CLIENT_CLI_BASE_MLFLOW_H_
#define ASSAY_CLIENT_CLI_BASE_MLFLOW_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "client/cli/base/command.h"
#include "client/cli/base/session.h"
#include "core/report/gates.h"

namespace assay::cli {

struct MlflowOptions {
  void AddTo(Leaf& leaf);
  // kInvalidArgument for what cannot be right. Asks nobody.
  absl::Status Check() const;

  // A URI, or "auto"; empty: nothing is logged.
  std::string uri;
};

// Asks the server, and tells on stderr when it would not take the run: nobody wants to hear that
// after hours. What was to be logged is worth having without it, so this is no error.
void WarnOfMlflow(Session& session, const MlflowOptions& options);

// Logs the run and tells where it is, or in one line why it is not. `evaluation` is null where the
// report is of several; then there are no outcomes.
void LogToMlflow(Session& session, const MlflowOptions& options, const v1::Evaluation* evaluation,
                 const v1::Report& report, const std::vector<report::GateResult>& gates);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_MLFLOW_H_
