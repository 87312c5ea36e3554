#include "client/cli/base/results.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/base/adversarials.h"
#include "client/cli/base/evaluations.h"
#include "client/cli/base/examples.h"
#include "client/cli/base/outcomes.h"
#include "client/cli/base/output_file.h"
#include "client/cli/base/reference_errors.h"
#include "client/cli/base/vectors.h"
#include "core/base/errors.h"
#include "core/base/sample_metadata.h"
#include "core/report/sample_columns.h"

namespace assay::cli {

using v1::Evaluation;

void ReportOptions::AddTo(Leaf& leaf) {
  leaf.Add("--confidence-level", &confidence_level, "Level of the intervals (default 0.95)")
      .Share("0.95")
      .TypeName("LEVEL");
  leaf.Add("--reference", &reference,
           "Errors that normalise corruption errors: a JSON file, alexnet or alexnet-mean")
      .TypeName("FILE|NAME");
}

void ReportOptions::AddCertificatesTo(Leaf& leaf) {
  leaf.Add("--alpha", &alpha, "Certify again from the stored counts, at this failure probability")
      .Share("0.001")
      .TypeName("ALPHA");
  leaf.Add("--n", &n, "Certify as if the observed shares had come from N draws, at most those made")
      .Positive()
      .TypeName("N");
}

void ResultOptions::AddTo(Leaf& leaf) {
  ReportOptions::AddTo(leaf);
  leaf.Add("--report", &report_path, "Write the report as JSON, too").TypeName("FILE");
  leaf.Add("--html", &html_path, "Write the report as a page of HTML, too").TypeName("FILE");
  leaf.Add("--all-slices", &all_slices, "Show all slices in tables, instead of the worst few");
  leaf.Add("--junit", &junit_path, "Write what became of the requirements as JUnit, too")
      .TypeName("FILE");
  leaf.Add("--examples", &examples,
           "Example images of each condition on a page of HTML (default 3; 0: none)")
      .From(0, 20)
      .TypeName("N");
  gates.AddTo(leaf);
  mlflow.AddTo(leaf);
}

void ResultOptions::AddOutcomesTo(Leaf& leaf) {
  leaf.Add("--outcomes", &outcomes_path, "Write every outcome as CSV, too").TypeName("FILE");
}

absl::Status ResultOptions::CheckWritable() const {
  ASSAY_RETURN_IF_ERROR(mlflow.Check());
  ASSAY_RETURN_IF_ERROR(cli::CheckWritable("--report", report_path));
  ASSAY_RETURN_IF_ERROR(cli::CheckWritable("--html", html_path));
  ASSAY_RETURN_IF_ERROR(cli::CheckWritable("--junit", junit_path));
  ASSAY_RETURN_IF_ERROR(cli::CheckWritable("--outcomes", outcomes_path));
  ASSAY_RETURN_IF_ERROR(CheckWritableDirectory("--keep-adversarials", adversarials_path));
  return CheckWritableDirectory("--vectors", vectors_path);
}

absl::StatusOr<v1::GetReportRequest> ReportOptions::ReportRequest(
    const std::string& evaluation) const {
  v1::GetReportRequest request;
  request.set_name(evaluation);
  request.set_confidence_level(confidence_level);
  request.set_alpha(alpha);
  request.set_n(n);
  if (!reference.empty()) {
    ASSAY_ASSIGN_OR_RETURN(*request.mutable_reference_errors(), ReadReferenceErrors(reference));
  }
  return request;
}

absl::StatusOr<std::vector<std::string>> KnownClasses(Session& session,
                                                      const v1::EvaluationSpec& spec) {
  std::vector<std::string> names;
  if (spec.allow_missing_classes()) return names;
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(const v1::Dataset dataset, client->GetDataset(spec.dataset()));
  // As reports name them.
  report::ReportInput input;
  input.num_classes = dataset.manifest().class_names_size();
  input.class_names = {dataset.manifest().class_names().begin(),
                       dataset.manifest().class_names().end()};
  return report::ClassNames(input);
}

namespace {

void AddBuiltIn(std::vector<report::ScopeColumn>* columns) {
  for (const char* name : {kBrightness, kContrast, kConfidence}) columns->push_back({name, {}});
}

}  // namespace

absl::StatusOr<std::vector<report::ScopeColumn>> KnownColumns(Session& session,
                                                              const std::string& dataset) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(const v1::Dataset found, client->GetDataset(dataset));
  std::vector<report::ScopeColumn> columns;
  for (const auto& column : found.manifest().metadata().columns()) {
    columns.push_back({column.name(), {}});
  }
  AddBuiltIn(&columns);
  return columns;
}

std::vector<report::ScopeColumn> ScopeColumns(const MetadataTable* metadata) {
  std::vector<report::ScopeColumn> columns;
  if (metadata != nullptr) {
    for (const report::SampleColumn& column : report::ColumnsOf(*metadata)) {
      report::ScopeColumn& known = columns.emplace_back();
      known.name = column.name;
      for (const report::SampleSlice& slice : column.slices) known.values.push_back(slice.value);
    }
  }
  AddBuiltIn(&columns);
  return columns;
}

absl::StatusOr<Gates> GatesOf(Session& session, const std::string& evaluation,
                              const ResultOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(Gates gates, Gates::Read(options.gates));
  if (gates.empty()) return gates;
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(const Evaluation found, client->GetEvaluation(evaluation));
  report::GateScope scope;
  scope.owner = evaluation;
  scope.conditions = report::ScopeOf({found.conditions().begin(), found.conditions().end()});
  const std::string& dataset = found.spec().dataset();
  // Empty while the samples are still arriving.
  if (!dataset.empty()) {
    ASSAY_ASSIGN_OR_RETURN(scope.class_names, KnownClasses(session, found.spec()));
    ASSAY_ASSIGN_OR_RETURN(scope.columns, KnownColumns(session, dataset));
  }
  ASSAY_ASSIGN_OR_RETURN(const auto request, options.ReportRequest(evaluation));
  ASSAY_RETURN_IF_ERROR(gates.Check(session, scope, request));
  if (!dataset.empty()) ASSAY_RETURN_IF_ERROR(gates.CheckDataset(dataset));
  return gates;
}

absl::Status WriteReport(Session& session, const Evaluation* evaluation, const v1::Report& report,
                         const ResultOptions& options, const Gates& gates) {
  // A report is not lost because its gates cannot be judged.
  const auto judged = gates.Judge(session, evaluation, report);
  const auto results = judged.ok() ? *judged : gates.NotJudged(judged.status());
  // Nor is any output because another one failed: the first failure is told in the end.
  absl::Status written;
  if (!options.report_path.empty()) {
    written.Update(WriteOutput(options.report_path,
                               render::RenderReport(report, render::Format::kJson, results)));
  }
  std::optional<render::Examples> examples;
  if (evaluation != nullptr && options.examples > 0 &&
      (!options.html_path.empty() || session.format() == render::Format::kHtml)) {
    auto fetched = FetchExamples(session, *evaluation, report, options.examples);
    written.Update(fetched.status());
    if (fetched.ok()) examples = *std::move(fetched);
  }
  const render::Examples* const shown = examples.has_value() ? &*examples : nullptr;
  if (!options.html_path.empty()) {
    written.Update(WriteOutput(
        options.html_path,
        render::RenderReport(report, render::Format::kHtml, results, {false, false, shown})));
  }
  if (!options.junit_path.empty()) {
    written.Update(WriteOutput(options.junit_path,
                               render::RenderReport(report, render::Format::kJunit, results)));
  }
  if (evaluation != nullptr && !options.outcomes_path.empty()) {
    const auto request = options.ReportRequest(evaluation->name());
    written.Update(request.ok()
                       ? WriteOutcomes(session, *evaluation, options.outcomes_path, *request)
                       : request.status());
  }
  if (evaluation != nullptr && evaluation->spec().keep_adversarials() &&
      !options.adversarials_path.empty()) {
    written.Update(WriteAdversarials(session, evaluation->name(), options.adversarials_path));
  }
  if (evaluation != nullptr && !options.vectors_path.empty()) {
    written.Update(WriteVectors(session, *evaluation, options.vectors_path));
  }
  const absl::Status printed =
      session.PrintReport(report, results, {false, options.all_slices, shown});
  // Last, because it can take long and fail.
  LogToMlflow(session, options.mlflow, evaluation, report, results);
  ASSAY_RETURN_IF_ERROR(printed);
  ASSAY_RETURN_IF_ERROR(written);
  ASSAY_RETURN_IF_ERROR(judged.status());
  // A CSV has no place for them; what does not hold is told as an error.
  if (session.format() == render::Format::kCsv) {
    for (const report::GateResult& result : results) {
      if (result.holds) session.Say(report::GateLine(result));
    }
  }
  return EndOf(results);
}

absl::Status WriteResults(Session& session, const Evaluation& evaluation,
                          const ResultOptions& options, const Gates& gates) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  ASSAY_ASSIGN_OR_RETURN(const auto request, options.ReportRequest(evaluation.name()));
  ASSAY_ASSIGN_OR_RETURN(const v1::Report report, client->GetReport(request));
  if (report.samples_allowed() > 0) {
    const int64_t done = evaluation.decision().samples();
    session.Say(absl::StrCat(evaluation.name(), ": all gates were decided after ",
                             report::Grouped(done), " of ",
                             report::Grouped(report.samples_allowed()), " samples, ",
                             absl::StrFormat("%.1f", static_cast<double>(report.samples_allowed()) /
                                                         static_cast<double>(done)),
                             " times fewer"));
  }
  return WriteReport(session, &evaluation, report, options, gates);
}

void ShowEvents(Session& session, client::WatchListener* listener) {
  // Once for each reason.
  listener->on_event = [&session, told = std::string()](const v1::EvaluationEvent& event) mutable {
    if (event.evaluation().waiting_reason() != told) SayWaiting(session, event.evaluation());
    told = event.evaluation().waiting_reason();
    session.progress().Update(PointOf(event.evaluation()));
  };
  listener->on_interruption = [&session](const absl::Status& status) {
    session.Say(absl::StrCat("the connection broke (", status.message(), "); trying again"));
  };
}

absl::StatusOr<std::optional<Evaluation>> WatchToEnd(Session& session, const std::string& name) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  session.progress().Begin();
  client::WatchListener listener;
  ShowEvents(session, &listener);
  v1::WatchEvaluationRequest request;
  request.set_name(name);
  const auto end = client->Watch(request, listener);
  session.progress().Clear();
  if (!end.ok()) {
    if (session.interrupt().triggered()) {
      if (session.local()) {
        return Error(Reason::kCancelled, absl::StrCat(name, " was cancelled with its server"))
            .ToStatus();
      }
      session.Say(absl::StrCat("detached: ", name, " goes on\n  re-attach: assay evaluation watch ",
                               name, "\n  cancel:    assay evaluation cancel ", name));
      return std::nullopt;
    }
    if (client::IsRetryable(end.status())) {
      return WithMessage(end.status(),
                         absl::StrCat("lost the server: ", end.status().message(), "; ", name,
                                      " is safe there, re-attach: assay evaluation watch ", name));
    }
    return end.status();
  }
  return end->evaluation();
}

absl::Status WriteEnd(Session& session, const Evaluation& evaluation, const ResultOptions& options,
                      const Gates& gates) {
  const absl::Status ended = client::EndStatus(evaluation);
  if (ended.ok()) return WriteResults(session, evaluation, options, gates);
  const bool has_part = !evaluation.failed_conditions().empty() ||
                        evaluation.failure().reason() == ReasonName(Reason::kDeadlineReached);
  if (has_part && evaluation.progress().tasks_done() > 0) {
    const absl::Status written = WriteResults(session, evaluation, options, gates);
    if (!written.ok()) session.Say(std::string(written.message()));
  }
  return ended;
}

absl::Status WatchAndReport(Session& session, const std::string& name, const ResultOptions& options,
                            const Gates& gates) {
  ASSAY_ASSIGN_OR_RETURN(const std::optional<Evaluation> end, WatchToEnd(session, name));
  if (end.has_value()) return WriteEnd(session, *end, options, gates);
  if (gates.empty()) return absl::OkStatus();
  return Error(Reason::kCancelled,
               absl::StrCat("detached before the gates of ", name, " were judged"));
}

}  // namespace assay::cli
