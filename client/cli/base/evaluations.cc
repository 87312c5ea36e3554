#include "client/cli/base/evaluations.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "client/render/numbers.h"
#include "core/base/json.h"
#include "core/base/labels.h"
#include "core/base/priority.h"
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
  if (!evaluation.waiting_reason().empty()) {
    rows.push_back({"waits", {evaluation.waiting_reason(), render::Tone::kNotice}});
  }
  rows.push_back({"model", spec.model()});
  rows.push_back({"dataset", spec.dataset()});
  rows.push_back({"seed", absl::StrCat(spec.seed())});
  if (spec.limit() > 0) rows.push_back({"limit", render::Count(spec.limit())});
  if (spec.priority() != v1::PRIORITY_UNSPECIFIED) {
    rows.push_back({"priority", PriorityName(spec.priority())});
  }
  if (spec.has_deadline()) {
    rows.push_back({"deadline", absl::StrCat(TimeUtil::ToString(spec.deadline()),
                                             " after its creation or last retry")});
  }
  if (!spec.pin_numerics().empty()) rows.push_back({"pinned to", spec.pin_numerics()});
  for (const auto& [key, value] : LabelsOf(spec.labels())) {
    rows.push_back({"label", absl::StrCat(key, "=", value)});
  }
  for (const auto& condition : evaluation.conditions()) {
    rows.push_back({"condition", condition.id()});
    for (const auto& failed : evaluation.failed_conditions()) {
      if (failed.condition() != condition.id()) continue;
      rows.push_back({"given up",
                      {absl::StrCat(failed.failure().reason(), ": ", failed.failure().message()),
                       render::Tone::kBad}});
    }
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

}  // namespace

absl::Status PrintEvaluation(Session& session, const Evaluation& evaluation) {
  return session.PrintTable(Details(evaluation), ToJson(evaluation));
}

absl::Status PrintEvaluations(Session& session, const std::vector<Evaluation>& evaluations) {
  render::Table table;
  table.columns = {{"name", false}, {"state", false}, {"done %"},
                   {"outcomes"},    {"model", false}, {"dataset", false},
                   {"conditions"},  {"created"},      {"labels", false}};
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Evaluation& evaluation : evaluations) {
    table.rows.push_back({evaluation.name(), StateCell(evaluation), DoneText(evaluation.progress()),
                          SamplesText(evaluation.progress()), evaluation.spec().model(),
                          evaluation.spec().dataset(), render::Count(evaluation.conditions_size()),
                          TimeUtil::ToString(evaluation.create_time()),
                          LabelsText(LabelsOf(evaluation.spec().labels()))});
    json.push_back(ToJson(evaluation));
  }
  return session.PrintTable(table, json);
}

void SayWaiting(Session& session, const Evaluation& evaluation) {
  if (evaluation.waiting_reason().empty()) return;
  session.Say(absl::StrCat(evaluation.name(), " waits: ", evaluation.waiting_reason()));
}

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

}  // namespace assay::cli
