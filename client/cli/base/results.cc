#include "client/cli/base/results.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/base/adversarials.h"
#include "client/cli/base/evaluations.h"
#include "client/cli/base/examples.h"
#include "client/cli/base/outcomes.h"
#include "client/cli/base/output_file.h"
#include "client/cli/base/reference_errors.h"
#include "core/base/errors.h"

namespace assay::cli {

using v1::Evaluation;

void ResultOptions::AddTo(Leaf& leaf) {
  leaf.Add("--confidence-level", &confidence_level, "Level of the intervals (default 0.95)")
      .Share("0.95")
      .TypeName("LEVEL");
  leaf.Add("--reference", &reference,
           "Errors that normalise corruption errors: a JSON file, alexnet or alexnet-mean")
      .TypeName("FILE|NAME");
  leaf.Add("--report", &report_path, "Write the report as JSON, too").TypeName("FILE");
  leaf.Add("--html", &html_path, "Write the report as a page of HTML, too").TypeName("FILE");
  leaf.Add("--examples", &examples,
           "Example images of each condition on a page of HTML (default 3; 0: none)")
      .From(0, 20)
      .TypeName("N");
  gates.AddTo(leaf);
}

void ResultOptions::AddOutcomesTo(Leaf& leaf) {
  leaf.Add("--outcomes", &outcomes_path, "Write every outcome as CSV, too").TypeName("FILE");
}

absl::Status ResultOptions::CheckWritable() const {
  ASSAY_RETURN_IF_ERROR(cli::CheckWritable("--report", report_path));
  ASSAY_RETURN_IF_ERROR(cli::CheckWritable("--html", html_path));
  return cli::CheckWritable("--outcomes", outcomes_path);
}

absl::StatusOr<v1::GetReportRequest> ResultOptions::ReportRequest(
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
  if (!options.report_path.empty()) {
    ASSAY_RETURN_IF_ERROR(WriteOutput(
        options.report_path, render::RenderReport(report, render::Format::kJson, false, results)));
  }
  std::optional<render::Examples> examples;
  if (evaluation != nullptr && options.examples > 0 &&
      (!options.html_path.empty() || session.format() == render::Format::kHtml)) {
    ASSAY_ASSIGN_OR_RETURN(examples, FetchExamples(session, *evaluation, report, options.examples));
  }
  const render::Examples* const shown = examples.has_value() ? &*examples : nullptr;
  if (!options.html_path.empty()) {
    ASSAY_RETURN_IF_ERROR(
        WriteOutput(options.html_path,
                    render::RenderReport(report, render::Format::kHtml, false, results, shown)));
  }
  if (evaluation != nullptr && !options.outcomes_path.empty()) {
    ASSAY_RETURN_IF_ERROR(WriteOutcomes(session, *evaluation, options.outcomes_path));
  }
  if (evaluation != nullptr && evaluation->spec().keep_adversarials() &&
      !options.adversarials_path.empty()) {
    ASSAY_RETURN_IF_ERROR(
        WriteAdversarials(session, evaluation->name(), options.adversarials_path));
  }
  ASSAY_RETURN_IF_ERROR(session.PrintReport(report, results, shown));
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
  return WriteReport(session, &evaluation, report, options, gates);
}

void ShowEvents(Session& session, client::WatchListener* listener) {
  listener->on_event = [&session](const v1::EvaluationEvent& event) {
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
  ASSAY_RETURN_IF_ERROR(client::EndStatus(end->evaluation()));
  return end->evaluation();
}

absl::Status WatchAndReport(Session& session, const std::string& name, const ResultOptions& options,
                            const Gates& gates) {
  ASSAY_ASSIGN_OR_RETURN(const std::optional<Evaluation> end, WatchToEnd(session, name));
  if (end.has_value()) return WriteResults(session, *end, options, gates);
  if (gates.empty()) return absl::OkStatus();
  return Error(Reason::kCancelled,
               absl::StrCat("detached before the gates of ", name, " were judged"));
}

}  // namespace assay::cli
