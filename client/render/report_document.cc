#include "client/render/report_document.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/render/attack_document.h"
#include "client/render/certification_document.h"
#include "client/render/class_labels.h"
#include "client/render/corruption_document.h"
#include "client/render/numbers.h"
#include "client/render/slice_document.h"
#include "client/render/text.h"
#include "core/base/labels.h"
#include "google/protobuf/util/time_util.h"

namespace assay::render {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kDigestDigits = 12;

std::string WorstClass(const v1::ConditionReport& condition, const ReportStyle& style) {
  const v1::ClassReport* worst = nullptr;
  for (const auto& report : condition.classes()) {
    if (!report.accuracy().has_value()) continue;
    if (worst == nullptr || report.accuracy().value() < worst->accuracy().value()) worst = &report;
  }
  if (worst == nullptr) return kUndefined;
  return absl::StrCat(ClassLabel(*worst, style), " ", Percent(worst->accuracy()));
}

std::string TopSink(const v1::ConditionReport& condition, const ReportStyle& style) {
  const v1::ClassReport* top = nullptr;
  for (const auto& report : condition.classes()) {
    if (!report.cfps().has_value()) continue;
    if (top == nullptr || report.cfps().value() > top->cfps().value()) top = &report;
  }
  if (top == nullptr) return kUndefined;
  return absl::StrCat(ClassLabel(*top, style), " ", Percent(top->cfps()));
}

Tone RoleTone(const v1::ClassReport& report) {
  for (const std::string& role : report.roles()) {
    if (role == "weak") return Tone::kBad;
  }
  for (const std::string& role : report.roles()) {
    if (role == "sink") return Tone::kNotice;
  }
  return report.roles().empty() ? Tone::kPlain : Tone::kGood;
}

Table Classes(const v1::ConditionReport& condition, const ReportStyle& style) {
  Table table;
  table.columns = {
      {"class", false},       {"n"},           {"CWA %"}, {"CFPS %"}, {"FP"}, {"prec. %"},
      {"taken for %", false}, {"roles", false}};
  for (const auto& report : condition.classes()) {
    const auto& confusion = report.strongest_confusion();
    const std::string taken_for =
        report.has_strongest_confusion() && confusion.count() > 0
            ? absl::StrCat(ClassLabel(confusion.name(), confusion.index(), style), " ",
                           Percent(confusion.share()))
            : kUndefined;
    const Tone tone = RoleTone(report);
    table.classes.push_back(report.index());
    table.rows.push_back({{ClassLabel(report, style), tone},
                          Count(report.samples()),
                          PercentWithInterval(report.accuracy()),
                          PercentWithInterval(report.cfps()),
                          Count(report.false_positives()),
                          Percent(report.precision()),
                          taken_for,
                          {absl::StrJoin(report.roles(), " "), tone}});
  }
  return table;
}

Lines DisparityLines(const v1::ConditionReport& condition, const ReportStyle& style) {
  if (!condition.has_disparity()) return {{"disparity: -"}};
  const auto& disparity = condition.disparity();
  const v1::ClassReport* best = FindClass(condition, disparity.best_class());
  const v1::ClassReport* worst = FindClass(condition, disparity.worst_class());
  const std::string between =
      best == nullptr || worst == nullptr
          ? ""
          : absl::StrCat(" between ", ClassLabel(*best, style), " and ", ClassLabel(*worst, style));
  return {{absl::StrCat("disparity: ", Percent(disparity.max_minus_min()), " points", between,
                        ", standard deviation ", Percent(disparity.standard_deviation())),
           absl::StrCat(Counted(condition.significant_differences_size(), "pair"),
                        " of classes with significantly different accuracy")}};
}

std::string NumericsLine(const v1::NumericsFingerprint& numerics) {
  std::string line = absl::StrCat("numerics ", numerics.digest().substr(0, kDigestDigits), ": ",
                                  numerics.device(), " ", numerics.capability());
  if (numerics.batch_size() > 0) absl::StrAppend(&line, ", batch ", numerics.batch_size());
  if (numerics.threads() > 0) absl::StrAppend(&line, ", ", numerics.threads(), " threads");
  absl::StrAppend(&line, ", LibTorch ", numerics.libtorch_version(), ", ",
                  numerics.memory_format());
  if (numerics.frozen()) {
    // What gradient passes run is frozen in any case.
    absl::string_view form = numerics.forward_form();
    absl::ConsumePrefix(&form, "frozen");
    absl::ConsumePrefix(&form, ", ");
    absl::StrAppend(&line, ", frozen", form.empty() ? "" : ", ", form);
  }
  return line;
}

// "assay 0.1.0, model 0a1b2c3d4e5f (onnx), data 6789abcdef01, 2026-11-30T06:14:05Z, 12.3 s"
std::string OriginLine(const v1::Provenance& provenance) {
  std::vector<std::string> parts;
  if (!provenance.assay_version().empty()) {
    parts.push_back(absl::StrCat("assay ", Printable(provenance.assay_version())));
  }
  if (!provenance.model_digest().empty()) {
    parts.push_back(
        absl::StrCat("model ", Printable(provenance.model_digest().substr(0, kDigestDigits)),
                     provenance.model_format().empty()
                         ? ""
                         : absl::StrCat(" (", Printable(provenance.model_format()), ")")));
  }
  if (!provenance.dataset_digest().empty()) {
    parts.push_back(
        absl::StrCat("data ", Printable(provenance.dataset_digest().substr(0, kDigestDigits))));
  }
  if (provenance.has_end_time()) {
    parts.push_back(absl::StrCat("ended ", TimeUtil::ToString(provenance.end_time())));
  }
  if (const double seconds = WallSeconds(provenance); seconds > 0) {
    parts.push_back(absl::StrCat("took ", Significant(seconds), " s"));
  }
  if (provenance.reused_samples() > 0) {
    parts.push_back(absl::StrCat(provenance.reused_samples(),
                                 " outcomes of earlier evaluations, whose passes are not counted"));
  }
  return absl::StrCat("provenance: ", absl::StrJoin(parts, ", "));
}

// "passes 723,114 forward, 175,720 of them with gradients; 1.03 images passed for each that was
// needed"
std::string PassesLine(const v1::PassCounts& passes) {
  std::string line = absl::StrCat("passes ", Count(passes.forwards()), " forward");
  if (passes.backwards() > 0) {
    absl::StrAppend(&line, ", ", Count(passes.backwards()), " of them with gradients");
  }
  if (passes.needed_forwards() > 0) {
    absl::StrAppend(&line, "; ",
                    Significant(static_cast<double>(passes.forwards()) /
                                static_cast<double>(passes.needed_forwards())),
                    " images passed for each that was needed");
  }
  return line;
}

}  // namespace

double WallSeconds(const v1::Provenance& provenance) {
  if (!provenance.has_start_time() || !provenance.has_end_time()) return 0;
  return static_cast<double>(
             TimeUtil::DurationToMicroseconds(provenance.end_time() - provenance.start_time())) *
         1e-6;
}

Table SummaryTable(const v1::Report& report, const ReportStyle& style) {
  Table table;
  table.columns = {
      {"condition", false}, {"accuracy %"}, {"worst class", false}, {"top sink", false}};
  for (const auto& condition : report.conditions()) {
    table.rows.push_back({condition.id(), PercentWithInterval(condition.accuracy()),
                          WorstClass(condition, style), TopSink(condition, style)});
  }
  return table;
}

Heading AccuracyHeading(const v1::ConditionReport& condition) {
  return {condition.id(),
          condition.accuracy().has_value()
              ? absl::StrCat("accuracy ", PercentWithInterval(condition.accuracy()), " %  (",
                             Count(condition.correct()), " of ", Count(condition.samples()), ")")
              : absl::StrCat("accuracy ", kUndefined, "  (",
                             condition.accuracy().undefined_reason(), ")")};
}

void AddClasswise(const v1::ConditionReport& condition, const ReportStyle& style,
                  Document& document) {
  Lines notices{{}, Tone::kNotice};
  if (condition.missing() > 0) {
    notices.lines.push_back(
        condition.missing_reason().empty()
            ? absl::StrCat("still missing: ", Counted(condition.missing(), "sample"))
            : absl::StrCat("given up, ", Counted(condition.missing(), "sample"),
                           " missing: ", condition.missing_reason()));
  }
  if (condition.undecided() > 0) {
    notices.lines.push_back(absl::StrCat("undecided, with logits that are not finite: ",
                                         Counted(condition.undecided(), "sample")));
  }
  if (condition.ties() > 0) {
    notices.lines.push_back(absl::StrCat("tied at the largest logit, counted as wrong: ",
                                         Counted(condition.ties(), "sample")));
  }
  if (!notices.lines.empty()) document.push_back(notices);
  AddFindings(condition.checks(), document);
  if (condition.classes_size() > 0) document.push_back(Classes(condition, style));
  document.push_back(DisparityLines(condition, style));
}

void AddFamily(const v1::ConditionReport& condition, const ReportStyle& style, Document& document) {
  if (condition.has_attack()) AddAttack(condition, style, document);
  if (condition.has_certification()) AddCertification(condition, style, document);
  if (condition.has_bounds()) AddBounds(condition, style, document);
  if (condition.has_conformal()) AddConformal(condition, style, document);
  if (condition.has_sequence()) AddSequence(condition, style, document);
}

void AddCaveats(const v1::Report& report, Document& document) {
  if (!report.complete()) {
    document.push_back(
        Lines{{"incomplete: this is what was known when it was asked for"}, Tone::kNotice});
  }
  Lines notes{{}, Tone::kNotice};
  for (const std::string& note : report.notes()) {
    notes.lines.push_back(absl::StrCat("note: ", Printable(note)));
  }
  if (!notes.lines.empty()) document.push_back(notes);
}

void AddNumerics(const v1::Report& report, Document& document) {
  Lines numerics;
  for (const auto& fingerprint : report.numerics()) {
    numerics.lines.push_back(NumericsLine(fingerprint));
  }
  if (report.has_passes()) numerics.lines.push_back(PassesLine(report.passes()));
  if (report.has_provenance()) {
    numerics.lines.push_back(OriginLine(report.provenance()));
    const Labels labels = LabelsOf(report.provenance().labels());
    if (!labels.empty()) {
      numerics.lines.push_back(absl::StrCat("labels: ", Printable(LabelsText(labels))));
    }
  }
  if (!numerics.lines.empty()) document.push_back(numerics);
  if (report.numerics_size() > 1) {
    document.push_back(Lines{
        {"computed with different numerics: samples on a decision boundary may differ in a rerun"},
        Tone::kNotice});
  }
}

Document ReportDocument(const v1::Report& report, bool all_slices) {
  ReportStyle style;
  style.all_slices = all_slices;
  style.significance = 1 - report.confidence_level();
  Document document;
  document.push_back(
      Heading{report.evaluation(),
              absl::StrCat(report.model(), " on ", report.dataset(), ", seed ", report.seed(), ", ",
                           Significant(report.confidence_level() * 100), " % intervals")});
  AddCaveats(report, document);
  if (report.conditions_size() > 1) document.push_back(SummaryTable(report, style));
  AddCorruptionSummary(report, style, document);
  AddSensitivityMaps(report, document);
  AddSequenceSummary(report, style, document);
  for (const auto& condition : report.conditions()) {
    document.push_back(AccuracyHeading(condition));
    AddClasswise(condition, style, document);
    AddFamily(condition, style, document);
    AddSlices(condition, style, document);
  }
  AddNumerics(report, document);
  return document;
}

}  // namespace assay::render
