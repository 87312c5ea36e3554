// Waits for evaluations, and writes what comes of them: reports, outcomes, adversarial examples.
#ifndef ASSAY_CLIENT_CLI_BASE_RESULTS_H_
#define ASSAY_CLIENT_CLI_BASE_RESULTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "client/cli/base/command.h"
#include "client/cli/base/gates.h"
#include "client/cli/base/mlflow.h"
#include "client/cli/base/session.h"
#include "client/lib/client.h"
#include "core/base/sample_metadata.h"

namespace assay::cli {

// What a report is asked for with.
struct ReportOptions {
  void AddTo(Leaf& leaf);
  // Those that compute certificates again.
  void AddCertificatesTo(Leaf& leaf);
  // The report that these ask for, of that evaluation.
  absl::StatusOr<v1::GetReportRequest> ReportRequest(const std::string& evaluation) const;

  double confidence_level = 0.95;
  // What normalises corruption errors: a JSON file or the name of a built-in table.
  std::string reference;
  // Certificates of smoothing at another failure probability and from fewer draws; 0: as run.
  double alpha = 0;
  int64_t n = 0;
};

struct ResultOptions : ReportOptions {
  // Declares those of every report.
  void AddTo(Leaf& leaf);
  void AddOutcomesTo(Leaf& leaf);
  // Whether the files could be written and where else results go can be right, as far as that can
  // be known before.
  absl::Status CheckWritable() const;

  // Files; empty: not written.
  std::string report_path;
  std::string html_path;
  std::string junit_path;
  // Images that a page shows of each condition; 0: none.
  int32_t examples = 3;
  std::string outcomes_path;
  // Directory for kept adversarial examples; empty: none are kept.
  std::string adversarials_path;
  // Directory for kept vectors; empty: they stay at the server.
  std::string vectors_path;
  // Instead of the worst ones, in text.
  bool all_slices = false;
  GateOptions gates;
  MlflowOptions mlflow;
};

// Names of all classes of the reports on a dataset of the server; empty where they are not known:
// with classes missing, the model may have more than there are names.
absl::StatusOr<std::vector<std::string>> KnownClasses(Session& session,
                                                      const v1::EvaluationSpec& spec);
// What the reports on a dataset of the server have slices by, and what those on files with this
// metadata (null: none) have. The values of built-in columns are not known before.
absl::StatusOr<std::vector<report::ScopeColumn>> KnownColumns(Session& session,
                                                              const std::string& dataset);
std::vector<report::ScopeColumn> ScopeColumns(const MetadataTable* metadata);
// The gates of the options, checked against an evaluation of the server.
absl::StatusOr<Gates> GatesOf(Session& session, const std::string& evaluation,
                              const ResultOptions& options);

// Shows what the listener hears of an evaluation: progress, and breaks of the connection.
void ShowEvents(Session& session, client::WatchListener* listener);
// Waits for the end of an evaluation with a progress bar. Nothing after Ctrl-C: it goes on at the
// server, and the user knows; with a private server it is cancelled, which is an error. Any end of
// the evaluation is none (client::EndStatus).
absl::StatusOr<std::optional<v1::Evaluation>> WatchToEnd(Session& session, const std::string& name);
// Waits like that, then prints and writes what the options ask for. Gates that have not been judged
// because of Ctrl-C are kCancelled.
absl::Status WatchAndReport(Session& session, const std::string& name, const ResultOptions& options,
                            const Gates& gates);
// The last part of the above, of an evaluation that has ended: the report of what it has, and an
// error unless it has SUCCEEDED. Of one that has failed as a whole there is no report.
absl::Status WriteEnd(Session& session, const v1::Evaluation& evaluation,
                      const ResultOptions& options, const Gates& gates);
// The last part of that: the report on stdout, and the files. An error after that when a gate
// does not hold.
absl::Status WriteResults(Session& session, const v1::Evaluation& evaluation,
                          const ResultOptions& options, const Gates& gates);
// Of a report that is there already; `evaluation` as in Gates::Judge.
absl::Status WriteReport(Session& session, const v1::Evaluation* evaluation,
                         const v1::Report& report, const ResultOptions& options,
                         const Gates& gates);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_RESULTS_H_
