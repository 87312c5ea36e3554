// `assay evaluation ...`, and how a running evaluation is watched and its results are written.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/output_file.h"
#include "client/cli/reference_errors.h"
#include "client/render/numbers.h"
#include "client/render/outcome_csv.h"
#include "core/base/errors.h"
#include "core/base/json.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "core/conditions/condition.h"
#include "core/conditions/smoothing_setting.h"
#include "core/statistics/smoothing_certificate.h"
#include "google/protobuf/util/time_util.h"

namespace assay::cli {
namespace {

using google::protobuf::util::TimeUtil;
using v1::Evaluation;

double Fraction(const v1::Progress& progress) {
  return progress.work() > 0 ? progress.work_done() / progress.work() : 0;
}

// In per cent. What has been begun is not shown as nothing, and what is not done not as all.
std::string DoneText(const v1::Progress& progress) {
  constexpr double kSmallest = 0.001;
  const double fraction = Fraction(progress);
  if (fraction > 0 && fraction < kSmallest) return absl::StrCat("<", render::Percent(kSmallest));
  if (fraction < 1 && fraction > 1 - kSmallest) {
    return absl::StrCat(">", render::Percent(1 - kSmallest));
  }
  return render::Percent(fraction);
}

render::Cell StateCell(const Evaluation& evaluation) {
  const auto tone = evaluation.state() == Evaluation::SUCCEEDED ? render::Tone::kGood
                    : evaluation.state() == Evaluation::FAILED  ? render::Tone::kBad
                                                                : render::Tone::kPlain;
  return {Evaluation::State_Name(evaluation.state()), tone};
}

std::string SamplesText(const v1::Progress& progress) {
  return absl::StrCat(render::Count(progress.samples_done()), " of ",
                      render::Count(progress.samples()), " samples");
}

render::Table Details(const Evaluation& evaluation) {
  render::Table table;
  table.columns = {{"field", false}, {"value", false}};
  auto& rows = table.rows;
  const auto& spec = evaluation.spec();
  rows.push_back({"name", evaluation.name()});
  rows.push_back({"state", StateCell(evaluation)});
  if (evaluation.has_failure()) {
    rows.push_back(
        {"failure",
         {absl::StrCat(evaluation.failure().reason(), ": ", evaluation.failure().message()),
          render::Tone::kBad}});
  }
  rows.push_back({"model", spec.model()});
  rows.push_back({"dataset", spec.dataset()});
  rows.push_back({"seed", absl::StrCat(spec.seed())});
  if (spec.limit() > 0) rows.push_back({"limit", render::Count(spec.limit())});
  for (const auto& condition : evaluation.conditions()) {
    rows.push_back({"condition", condition.id()});
  }
  rows.push_back({"progress", absl::StrCat(DoneText(evaluation.progress()), " %, ",
                                           SamplesText(evaluation.progress()))});
  rows.push_back({"created", TimeUtil::ToString(evaluation.create_time())});
  if (evaluation.has_start_time()) {
    rows.push_back({"started", TimeUtil::ToString(evaluation.start_time())});
  }
  if (evaluation.has_end_time()) {
    rows.push_back({"ended", TimeUtil::ToString(evaluation.end_time())});
  }
  return table;
}

absl::Status PrintEvaluation(Session& session, const absl::StatusOr<Evaluation>& evaluation) {
  if (!evaluation.ok()) return evaluation.status();
  return session.PrintTable(Details(*evaluation), ToJson(*evaluation));
}

absl::Status PrintEvaluations(Session& session, const std::vector<Evaluation>& evaluations) {
  render::Table table;
  table.columns = {{"name", false},  {"state", false},   {"done %"},     {"outcomes"},
                   {"model", false}, {"dataset", false}, {"conditions"}, {"created"}};
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Evaluation& evaluation : evaluations) {
    table.rows.push_back({evaluation.name(), StateCell(evaluation), DoneText(evaluation.progress()),
                          SamplesText(evaluation.progress()), evaluation.spec().model(),
                          evaluation.spec().dataset(), render::Count(evaluation.conditions_size()),
                          TimeUtil::ToString(evaluation.create_time())});
    json.push_back(ToJson(evaluation));
  }
  return session.PrintTable(table, json);
}

// Whether certificates depend on the number of pixels or of samples.
bool CertifiesByDataset(const v1::Condition& condition) {
  if (condition.family() != kFamilySmoothing) return false;
  const auto setting = ParseSmoothingSetting(condition);
  return setting.ok() &&
         (setting->norm == RadiusNorm::kLinf || setting->sound || setting->per_dataset);
}

}  // namespace

ProgressPoint PointOf(const Evaluation& evaluation) {
  const v1::Progress& progress = evaluation.progress();
  ProgressPoint point;
  point.label = evaluation.state() == Evaluation::QUEUED ? "queued" : progress.current_condition();
  point.fraction = Fraction(progress);
  point.done = static_cast<double>(progress.samples_done());
  point.amount = SamplesText(progress);
  point.rate_unit = "samples/s";
  return point;
}

absl::Status WriteOutcomes(Session& session, const Evaluation& evaluation,
                           const std::string& path) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  v1::Dataset dataset;
  if (std::any_of(evaluation.conditions().begin(), evaluation.conditions().end(),
                  CertifiesByDataset)) {
    if (evaluation.spec().dataset().empty()) {
      return Error(
          Reason::kWrongState,
          "certificates of this evaluation depend on its dataset, which is still arriving");
    }
    ASSAY_ASSIGN_OR_RETURN(dataset, client->GetDataset(evaluation.spec().dataset()));
  }
  int64_t samples = TotalSamples(dataset.manifest());
  if (evaluation.spec().limit() > 0) samples = std::min(samples, evaluation.spec().limit());
  ASSAY_ASSIGN_OR_RETURN(
      const render::OutcomeCsv csv,
      render::OutcomeCsv::Create({evaluation.conditions().begin(), evaluation.conditions().end()},
                                 samples, dataset.manifest().shape()));
  ASSAY_ASSIGN_OR_RETURN(const auto file, OutputFile::Open(path));
  ASSAY_RETURN_IF_ERROR(file->Write(render::OutcomeCsv::Header()));
  ASSAY_RETURN_IF_ERROR(client->StreamOutcomes(
      evaluation.name(), {},
      [&](const v1::StreamOutcomesResponse& batch) { return file->Write(csv.Rows(batch)); }));
  return file->Close();
}

absl::Status WriteResults(Session& session, const Evaluation& evaluation) {
  const Arguments& arguments = session.arguments();
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  v1::GetReportRequest request;
  request.set_name(evaluation.name());
  request.set_confidence_level(arguments.confidence_level);
  request.set_alpha(arguments.alpha);
  request.set_n(arguments.n);
  if (!arguments.reference.empty()) {
    ASSAY_ASSIGN_OR_RETURN(*request.mutable_reference_errors(),
                           ReadReferenceErrors(arguments.reference));
  }
  ASSAY_ASSIGN_OR_RETURN(const v1::Report report, client->GetReport(request));
  if (!arguments.report_path.empty()) {
    ASSAY_RETURN_IF_ERROR(WriteOutput(arguments.report_path, render::RenderJson(report)));
  }
  if (!arguments.outcomes_path.empty()) {
    ASSAY_RETURN_IF_ERROR(WriteOutcomes(session, evaluation, arguments.outcomes_path));
  }
  if (evaluation.spec().keep_adversarials() && !arguments.adversarials_path.empty()) {
    ASSAY_RETURN_IF_ERROR(
        WriteAdversarials(session, evaluation.name(), arguments.adversarials_path));
  }
  return session.PrintReport(report);
}

absl::StatusOr<std::optional<Evaluation>> WatchToEnd(Session& session, const std::string& name) {
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  client::WatchListener listener;
  session.progress().Begin();
  listener.on_event = [&](const v1::EvaluationEvent& event) {
    session.progress().Update(PointOf(event.evaluation()));
  };
  listener.on_interruption = [&](const absl::Status& status) {
    session.Say(absl::StrCat("the connection broke (", status.message(), "); trying again"));
  };
  const auto end = client->Watch(name, {}, listener);
  session.progress().Clear();
  if (!end.ok()) {
    if (session.interrupt().triggered()) {
      if (session.arguments().local) {
        return Error(Reason::kCancelled, absl::StrCat(name, " was cancelled with its server"))
            .ToStatus();
      }
      session.Say(absl::StrCat("detached: ", name, " goes on\n  re-attach: assay evaluation watch ",
                               name, "\n  cancel:    assay evaluation cancel ", name));
      return std::nullopt;
    }
    if (client::IsRetryable(end.status())) {
      return client::WithMessage(
          end.status(), absl::StrCat("lost the server: ", end.status().message(), "; ", name,
                                     " is safe there, re-attach: assay evaluation watch ", name));
    }
    return end.status();
  }
  ASSAY_RETURN_IF_ERROR(client::EndStatus(end->evaluation()));
  return end->evaluation();
}

absl::Status WatchAndReport(Session& session, const std::string& name) {
  ASSAY_ASSIGN_OR_RETURN(const std::optional<Evaluation> end, WatchToEnd(session, name));
  return end.has_value() ? WriteResults(session, *end) : absl::OkStatus();
}

absl::Status RunEvaluationCommand(Session& session) {
  const Arguments& arguments = session.arguments();
  ASSAY_RETURN_IF_ERROR(CheckWritable("--report", arguments.report_path));
  ASSAY_RETURN_IF_ERROR(CheckWritable("--outcomes", arguments.outcomes_path));
  ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
  const std::string name = FullName(kEvaluations, arguments.name);
  switch (arguments.command) {
    case Command::kEvaluationList: {
      ASSAY_ASSIGN_OR_RETURN(const auto evaluations, client->ListEvaluations());
      return PrintEvaluations(session, evaluations);
    }
    case Command::kEvaluationWatch:
      return WatchAndReport(session, name);
    case Command::kEvaluationCancel:
      return PrintEvaluation(session, client->CancelEvaluation(name));
    case Command::kEvaluationRetry:
      return PrintEvaluation(session, client->RetryEvaluation(name));
    case Command::kEvaluationDelete:
      ASSAY_RETURN_IF_ERROR(client->DeleteEvaluation(name));
      session.Say(absl::StrCat("deleted ", name));
      return absl::OkStatus();
    case Command::kEvaluationReport: {
      ASSAY_ASSIGN_OR_RETURN(const Evaluation evaluation, client->GetEvaluation(name));
      return WriteResults(session, evaluation);
    }
    case Command::kEvaluationOutcomes: {
      ASSAY_RETURN_IF_ERROR(CheckWritable("file", arguments.path));
      ASSAY_ASSIGN_OR_RETURN(const Evaluation evaluation, client->GetEvaluation(name));
      return WriteOutcomes(session, evaluation, arguments.path);
    }
    case Command::kEvaluationAdversarials:
      return WriteAdversarials(session, name, arguments.adversarials_path);
    default:
      return PrintEvaluation(session, client->GetEvaluation(name));
  }
}

}  // namespace assay::cli
