#include "client/cli/base/gates.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/base/resources.h"
#include "client/data/byte_source.h"
#include "core/base/errors.h"
#include "core/base/json.h"
#include "core/base/manifest.h"
#include "core/base/resource_names.h"
#include "core/conditions/condition.h"

namespace assay::cli {
namespace {

using report::GateExpression;
using report::GateResult;
using report::GateVerdict;

constexpr char kRequire[] = "--require";
constexpr char kBaseline[] = "--baseline";
// Far more than a report of thousands of conditions and classes has.
constexpr int64_t kMostBytes = int64_t{1} << 30;

absl::Status BadBaseline(absl::string_view what) {
  return Error(Reason::kUnreadableInput, absl::StrCat(kBaseline, ": ", what));
}

absl::StatusOr<v1::Report> ReadReport(const std::string& path) {
  const auto source = client::ByteSource::Open(path);
  if (!source.ok()) return BadBaseline(source.status().message());
  if (source->size() > kMostBytes) {
    return BadBaseline(absl::StrCat(path, " has ", source->size(),
                                    " bytes; expected a report, of at most ", kMostBytes));
  }
  const auto text = source->ReadAt(0, source->size());
  if (!text.ok()) return BadBaseline(text.status().message());
  v1::Report report;
  const absl::Status read = FromJson(*text, &report);
  const std::string expected = "; expected a report as -o json or --report writes it";
  if (!read.ok()) {
    return BadBaseline(absl::StrCat(path, " is no report: ", read.message(), expected));
  }
  if (report.conditions().empty()) {
    return BadBaseline(absl::StrCat(path, " is no report: it has no conditions", expected));
  }
  return report;
}

FieldViolation About(const GateExpression& gate, const absl::Status& status) {
  return {kRequire, absl::StrCat("'", gate.text, "': ", status.message())};
}

// What became of the samples under a report's condition; `input` is what is known of the report
// beside the evaluation.
absl::StatusOr<std::vector<report::SampleResult>> ResultsOf(client::Client& client,
                                                            const v1::Evaluation& evaluation,
                                                            const std::string& id,
                                                            report::ReportInput input) {
  const auto& conditions = evaluation.conditions();
  const auto found =
      std::find_if(conditions.begin(), conditions.end(), [&](const v1::Condition& condition) {
        const auto entries = report::ScopeOf(std::vector<v1::Condition>{condition});
        return std::any_of(entries.begin(), entries.end(),
                           [&](const report::ScopeCondition& entry) { return entry.id == id; });
      });
  if (found == conditions.end()) {
    return Error(Reason::kInternal, absl::StrCat(evaluation.name(), " has no condition '", id,
                                                 "', which its report has"))
        .ToStatus();
  }
  report::ConditionOutcomes run;
  run.condition = *found;
  ASSAY_ASSIGN_OR_RETURN(const v1::Dataset dataset, client.GetDataset(evaluation.spec().dataset()));
  ASSAY_RETURN_IF_ERROR(client.StreamOutcomes(
      evaluation.name(), {run.condition.id()}, [&](const v1::StreamOutcomesResponse& batch) {
        run.outcomes.insert(run.outcomes.end(), batch.outcomes().begin(), batch.outcomes().end());
        return absl::OkStatus();
      }));
  input.shape = dataset.manifest().shape();
  input.expected_samples = LimitedSamples(dataset.manifest(), evaluation.spec().limit());
  return report::SampleResults(run, id, input);
}

}  // namespace

void GateOptions::AddTo(Leaf& leaf) {
  Option gate =
      leaf.Add(kRequire, &require,
               "Exit with 1 unless this holds of the report, for example 'accuracy(clean) >= 0.9' "
               "(docs/gates.md); may be given several times");
  gate.OneAtATime().TypeName("EXPRESSION");
  leaf.Add(kBaseline, &baseline,
           "What 'baseline' means in a requirement: an evaluation of the server, or the JSON file "
           "of a report")
      .Needs(gate)
      .TypeName("evaluations/ID|FILE");
  leaf.Add("--undecided", &undecided,
           "Whether requirements that the samples cannot decide pass or fail (default fail)")
      .Needs(gate)
      .OneOf({"fail", "pass"});
}

absl::StatusOr<Gates> Gates::Read(const GateOptions& options) {
  Gates gates;
  gates.undecided_passes_ = options.undecided == "pass";
  std::vector<FieldViolation> violations;
  bool compares = false;
  for (const std::string& text : options.require) {
    const auto gate = report::ParseGate(text);
    if (!gate.ok()) {
      violations.push_back({kRequire, absl::StrCat("'", text, "': ", gate.status().message())});
      continue;
    }
    compares = compares || gate->against_baseline;
    if (gate->against_baseline && options.baseline.empty()) {
      violations.push_back(
          {kRequire, absl::StrCat("'", text,
                                  "' needs a baseline: give --baseline evaluations/ID, "
                                  "or the JSON file of a report")});
    }
    gates.gates_.push_back(*gate);
  }
  if (!options.baseline.empty() && !compares && violations.empty()) {
    violations.push_back({kBaseline, "no --require speaks of the baseline"});
  }
  if (!violations.empty()) return InvalidFields(std::move(violations));
  if (options.baseline.empty()) return gates;
  std::error_code error;
  if (std::filesystem::exists(options.baseline, error)) {
    ASSAY_ASSIGN_OR_RETURN(gates.baseline_, ReadReport(options.baseline));
  } else if (IsFullName(kEvaluations, options.baseline)) {
    gates.baseline_name_ = options.baseline;
  } else {
    return BadBaseline(absl::StrCat("there is no file ", options.baseline,
                                    ", and it is no name of the form evaluations/ID"));
  }
  return gates;
}

absl::Status Gates::Check(Session& session, const report::GateScope& scope,
                          const v1::GetReportRequest& like) {
  if (gates_.empty()) return absl::OkStatus();
  like_ = like;
  if (!baseline_name_.empty()) {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    v1::GetReportRequest request = like;
    request.set_name(baseline_name_);
    auto report = client->GetReport(request);
    if (!report.ok()) {
      return WithMessage(report.status(), absl::StrCat(kBaseline, ": ", report.status().message()));
    }
    baseline_ = *std::move(report);
  }
  std::vector<FieldViolation> violations;
  for (const GateExpression& gate : gates_) {
    absl::Status status = report::CheckGate(gate, scope);
    if (status.ok() && gate.against_baseline) {
      report::GateScope other = report::ScopeOf(*baseline_);
      other.owner = "the baseline";
      status = report::CheckGate(gate, other);
    }
    if (!status.ok()) violations.push_back(About(gate, status));
  }
  if (baseline_.has_value() && !scope.class_names.empty()) {
    v1::Report expected;
    expected.set_dataset(baseline_->dataset());
    for (const std::string& name : scope.class_names) expected.add_class_names(name);
    const absl::Status classes = report::CheckBaseline(expected, *baseline_);
    if (!classes.ok()) violations.push_back({kBaseline, std::string(classes.message())});
  }
  return violations.empty() ? absl::OkStatus() : InvalidFields(std::move(violations));
}

absl::Status Gates::CheckDataset(const std::string& dataset) const {
  if (!baseline_.has_value() || baseline_->dataset() == dataset) return absl::OkStatus();
  v1::Report expected;
  expected.set_dataset(dataset);
  return InvalidFields(
      {{kBaseline, std::string(report::CheckBaseline(expected, *baseline_).message())}});
}

absl::StatusOr<std::vector<GateResult>> Gates::Judge(Session& session,
                                                     const v1::Evaluation* evaluation,
                                                     const v1::Report& report) const {
  std::vector<GateResult> results;
  if (gates_.empty()) return results;
  report::GateInput input;
  input.report = &report;
  input.baseline = baseline_.has_value() ? &*baseline_ : nullptr;
  input.undecided_passes = undecided_passes_;
  if (evaluation != nullptr && evaluation->spec().has_stop_when_decided()) {
    input.stopping = evaluation;
    if (like_.alpha() != 0 || like_.n() != 0) {
      return InvalidFields({{like_.alpha() != 0 ? "--alpha" : "--n",
                             absl::StrCat("does not go with --require here: ", evaluation->name(),
                                          " decided its gates by certificates as they were run")}});
    }
  }
  if (evaluation != nullptr && !baseline_name_.empty() && report.samples_allowed() == 0 &&
      baseline_->samples_allowed() == 0 && report::CheckBaseline(report, *baseline_).ok()) {
    ASSAY_ASSIGN_OR_RETURN(client::Client* const client, session.Client());
    ASSAY_ASSIGN_OR_RETURN(const v1::Evaluation other, client->GetEvaluation(baseline_name_));
    report::ReportInput as_reported;
    as_reported.num_classes = report.class_names_size();
    as_reported.alpha = like_.alpha();
    as_reported.n = like_.n();
    for (const std::string& id : report::ConditionsToPair(gates_, report)) {
      report::SamplePairs& pairs = input.pairs[id];
      ASSAY_ASSIGN_OR_RETURN(pairs.here, ResultsOf(*client, *evaluation, id, as_reported));
      ASSAY_ASSIGN_OR_RETURN(pairs.baseline, ResultsOf(*client, other, id, as_reported));
    }
  }
  for (const GateExpression& gate : gates_) results.push_back(report::JudgeGate(gate, input));
  return results;
}

v1::StopWhenDecided Gates::ToStopWhenDecided() const {
  v1::StopWhenDecided stop;
  for (const GateExpression& gate : gates_) stop.add_gates(gate.text);
  return stop;
}

std::vector<GateResult> Gates::NotJudged(const absl::Status& status) const {
  std::vector<GateResult> results;
  for (const GateExpression& gate : gates_) {
    GateResult& result = results.emplace_back();
    result.expression = gate.text;
    result.why = std::string(status.message());
    result.error = status;
  }
  return results;
}

absl::Status EndOf(const std::vector<GateResult>& results) {
  std::vector<FieldViolation> errors;
  std::string lines;
  size_t failed = 0;
  for (const GateResult& result : results) {
    if (result.verdict == GateVerdict::kError) {
      errors.push_back({kRequire, absl::StrCat("'", result.expression, "': ", result.why)});
      continue;
    }
    if (result.holds) continue;
    ++failed;
    absl::StrAppend(&lines, "\n", report::GateLine(result));
  }
  if (!errors.empty()) {
    const std::string text = absl::StrCat(errors.size(), " of ", results.size(),
                                          " gates could not be judged, and of the others ", failed,
                                          failed == 1 ? " does not hold" : " do not hold", lines);
    const absl::Status status = InvalidFields(std::move(errors));
    return failed == 0 ? status : WithMessage(status, text);
  }
  if (failed == 0) return absl::OkStatus();
  return Error(
      Reason::kGateFailed,
      absl::StrCat(failed, " of ", results.size(),
                   results.size() == 1 ? " gate does not hold" : " gates do not hold", lines));
}

}  // namespace assay::cli
