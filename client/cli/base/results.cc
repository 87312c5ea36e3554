#include "client/cli/base/results.h"

#include "absl/strings/str_cat.h"
#include "client/cli/base/adversarials.h"
#include "client/cli/base/evaluations.h"
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
}

void ResultOptions::AddOutcomesTo(Leaf& leaf) {
  leaf.Add("--outcomes", &outcomes_path, "Write every outcome as CSV, too").TypeName("FILE");
}

absl::Status ResultOptions::CheckWritable() const {
  ASSAY_RETURN_IF_ERROR(cli::CheckWritable("--report", report_path));
  ASSAY_RETURN_IF_ERROR(cli::CheckWritable("--html", html_path));
  return cli::CheckWritable("--outcomes", outcomes_path);
}

absl::Status ResultOptions::WriteReport(const v1::Report& report) const {
  if (!report_path.empty()) {
    ASSAY_RETURN_IF_ERROR(WriteOutput(report_path, render::RenderJson(report)));
  }
  if (html_path.empty()) return absl::OkStatus();
  return WriteOutput(html_path, render::RenderReport(report, render::Format::kHtml, false));
}

absl::Status WriteResults(Session& session, const Evaluation& evaluation,
                          const ResultOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  v1::GetReportRequest request;
  request.set_name(evaluation.name());
  request.set_confidence_level(options.confidence_level);
  request.set_alpha(options.alpha);
  request.set_n(options.n);
  if (!options.reference.empty()) {
    ASSAY_ASSIGN_OR_RETURN(*request.mutable_reference_errors(),
                           ReadReferenceErrors(options.reference));
  }
  ASSAY_ASSIGN_OR_RETURN(const v1::Report report, client->GetReport(request));
  ASSAY_RETURN_IF_ERROR(options.WriteReport(report));
  if (!options.outcomes_path.empty()) {
    ASSAY_RETURN_IF_ERROR(WriteOutcomes(session, evaluation, options.outcomes_path));
  }
  if (evaluation.spec().keep_adversarials() && !options.adversarials_path.empty()) {
    ASSAY_RETURN_IF_ERROR(WriteAdversarials(session, evaluation.name(), options.adversarials_path));
  }
  return session.PrintReport(report);
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

absl::Status WatchAndReport(Session& session, const std::string& name,
                            const ResultOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(const std::optional<Evaluation> end, WatchToEnd(session, name));
  return end.has_value() ? WriteResults(session, *end, options) : absl::OkStatus();
}

}  // namespace assay::cli
