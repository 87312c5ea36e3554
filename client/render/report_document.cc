#include "client/render/report_document.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/render/corruption_document.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

constexpr size_t kMaxClassWidth = 16;
constexpr size_t kDigestDigits = 12;

// "1 sample", "2,000 samples".
std::string Counted(int64_t count, const std::string& noun) {
  return absl::StrCat(Count(count), " ", noun, count == 1 ? "" : "s");
}

std::string ClassLabel(const std::string& name, int32_t index) {
  return Shortened(Printable(name.empty() ? absl::StrCat("class ", index) : name), kMaxClassWidth);
}

std::string ClassLabel(const v1::ClassReport& report) {
  return ClassLabel(report.name(), report.index());
}

const v1::ClassReport* FindClass(const v1::ConditionReport& condition, int32_t index) {
  for (const auto& report : condition.classes()) {
    if (report.index() == index) return &report;
  }
  return nullptr;
}

std::string WorstClass(const v1::ConditionReport& condition) {
  const v1::ClassReport* worst = nullptr;
  for (const auto& report : condition.classes()) {
    if (!report.accuracy().has_value()) continue;
    if (worst == nullptr || report.accuracy().value() < worst->accuracy().value()) worst = &report;
  }
  if (worst == nullptr) return kUndefined;
  return absl::StrCat(ClassLabel(*worst), " ", Percent(worst->accuracy()));
}

std::string TopSink(const v1::ConditionReport& condition) {
  const v1::ClassReport* top = nullptr;
  for (const auto& report : condition.classes()) {
    if (!report.cfps().has_value()) continue;
    if (top == nullptr || report.cfps().value() > top->cfps().value()) top = &report;
  }
  if (top == nullptr) return kUndefined;
  return absl::StrCat(ClassLabel(*top), " ", Percent(top->cfps()));
}

Table Summary(const v1::Report& report) {
  Table table;
  table.columns = {
      {"condition", false}, {"accuracy %"}, {"worst class", false}, {"top sink", false}};
  for (const auto& condition : report.conditions()) {
    table.rows.push_back({condition.id(), PercentWithInterval(condition.accuracy()),
                          WorstClass(condition), TopSink(condition)});
  }
  return table;
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

Table Classes(const v1::ConditionReport& condition) {
  Table table;
  table.columns = {
      {"class", false},       {"n"},           {"CWA %"}, {"CFPS %"}, {"FP"}, {"prec. %"},
      {"taken for %", false}, {"roles", false}};
  for (const auto& report : condition.classes()) {
    const auto& confusion = report.strongest_confusion();
    const std::string taken_for =
        report.has_strongest_confusion() && confusion.count() > 0
            ? absl::StrCat(ClassLabel(confusion.name(), confusion.index()), " ",
                           Percent(confusion.share()))
            : kUndefined;
    const Tone tone = RoleTone(report);
    table.rows.push_back({{ClassLabel(report), tone},
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

Lines DisparityLines(const v1::ConditionReport& condition) {
  if (!condition.has_disparity()) return {{"disparity: -"}};
  const auto& disparity = condition.disparity();
  const v1::ClassReport* best = FindClass(condition, disparity.best_class());
  const v1::ClassReport* worst = FindClass(condition, disparity.worst_class());
  const std::string between =
      best == nullptr || worst == nullptr
          ? ""
          : absl::StrCat(" between ", ClassLabel(*best), " and ", ClassLabel(*worst));
  return {{absl::StrCat("disparity: ", Percent(disparity.max_minus_min()), " points", between,
                        ", standard deviation ", Percent(disparity.standard_deviation())),
           absl::StrCat(Counted(condition.significant_differences_size(), "pair"),
                        " of classes with significantly different accuracy")}};
}

std::string MeanPercent(const v1::ClassMean& mean) {
  return mean.has_mean() ? Percent(mean.mean()) : kUndefined;
}

// The name of a class by its index.
std::string ClassAt(const v1::ConditionReport& condition, int32_t index) {
  const v1::ClassReport* found = FindClass(condition, index);
  return ClassLabel(found == nullptr ? "" : found->name(), index);
}

// Rows: the class of the samples. Columns: the classes that any of them was to become.
Table TargetMatrix(const v1::ConditionReport& condition, const v1::TargetedReport& targeted) {
  constexpr size_t kMaxColumnWidth = 5;
  const auto aimed_at = [&](int t) {
    return t < targeted.reaching_size() && targeted.reaching(t).has_mean();
  };
  Table table;
  table.columns = {{"turned into %", false}};
  std::vector<Cell> reached = {"mean"};
  for (int t = 0; t < targeted.success_size(); ++t) {
    if (!aimed_at(t)) continue;
    table.columns.push_back({Shortened(ClassAt(condition, t), kMaxColumnWidth)});
    reached.push_back(MeanPercent(targeted.reaching(t)));
  }
  table.columns.push_back({"mean"});
  reached.push_back("");
  for (int s = 0; s < targeted.success_size(); ++s) {
    std::vector<Cell> row = {ClassAt(condition, s)};
    for (int t = 0; t < targeted.success(s).targets_size(); ++t) {
      if (aimed_at(t)) row.push_back(Percent(targeted.success(s).targets(t)));
    }
    row.push_back(s < targeted.leaving_size() ? MeanPercent(targeted.leaving(s)) : kUndefined);
    table.rows.push_back(std::move(row));
  }
  table.rows.push_back(std::move(reached));
  return table;
}

// Of a matrix too wide to print.
Table EasiestTargets(const v1::ConditionReport& condition, const v1::TargetedReport& targeted) {
  constexpr size_t kPairs = 20;
  struct Pair {
    int from, to;
    const v1::Rate* rate;
  };
  std::vector<Pair> pairs;
  for (int s = 0; s < targeted.success_size(); ++s) {
    for (int t = 0; t < targeted.success(s).targets_size(); ++t) {
      const v1::Rate& rate = targeted.success(s).targets(t);
      if (rate.has_value()) pairs.push_back({s, t, &rate});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.rate->value() > b.rate->value(); });
  if (pairs.size() > kPairs) pairs.resize(kPairs);
  Table table;
  table.columns = {{"easiest: from", false}, {"to", false}, {"turned into %"}};
  for (const Pair& pair : pairs) {
    table.rows.push_back({ClassAt(condition, pair.from), ClassAt(condition, pair.to),
                          PercentWithInterval(*pair.rate)});
  }
  return table;
}

void AddTargeted(const v1::ConditionReport& condition, Document& document) {
  // Eleven fit in a hundred columns.
  constexpr int kMaxPrintedClasses = 11;
  const v1::TargetedReport& targeted = condition.attack().targeted();
  document.push_back(targeted.success_size() <= kMaxPrintedClasses
                         ? TargetMatrix(condition, targeted)
                         : EasiestTargets(condition, targeted));
}

using CheckList = google::protobuf::RepeatedPtrField<v1::Check>;

std::vector<const v1::Check*> With(v1::Check::Verdict verdict, const CheckList& checks) {
  std::vector<const v1::Check*> found;
  for (const v1::Check& check : checks) {
    if (check.verdict() == verdict) found.push_back(&check);
  }
  return found;
}

// Checks that did not pass, failures first.
void AddFindings(const CheckList& checks, Document& document) {
  const auto show = [&](v1::Check::Verdict verdict, const std::string& word, Tone tone) {
    Lines lines{{}, tone};
    for (const v1::Check* check : With(verdict, checks)) {
      std::string limit;
      if (check->has_threshold()) {
        limit = absl::StrCat(" (", Significant(check->value()), ", should be ",
                             check->at_least() ? "at least " : "at most ",
                             Significant(check->threshold()), ")");
      }
      lines.lines.push_back(absl::StrCat(word, " ", check->name(), limit, ": ", check->message()));
    }
    if (!lines.lines.empty()) document.push_back(lines);
  };
  show(v1::Check::FAILED, "FAILED", Tone::kBad);
  show(v1::Check::WARNING, "warning", Tone::kNotice);
}

// What the checks of an attack found, and how many of them passed.
void AddAttackChecks(const CheckList& checks, Document& document) {
  if (checks.empty()) return;
  AddFindings(checks, document);
  std::string summary = absl::StrCat("checks: ", With(v1::Check::PASSED, checks).size(), " passed");
  for (const auto& [verdict, word] : {std::pair{v1::Check::FAILED, " failed"},
                                      {v1::Check::WARNING, " to look at"},
                                      {v1::Check::NOT_APPLICABLE, " not applicable"}}) {
    const size_t count = With(verdict, checks).size();
    if (count > 0) absl::StrAppend(&summary, ", ", count, word);
  }
  document.push_back(Lines{{summary + " (docs/checks.md)"}});
}

// Eleven points of the curve; the report in JSON has up to 101.
Table SecurityCurve(const v1::AttackReport& attack) {
  constexpr int kPoints = 11;
  const auto& curve = attack.security_curve();
  Table table;
  table.columns = {{"distance"}, {"robust accuracy %"}};
  const int points = std::min(kPoints, curve.size());
  for (int i = 0; i < points; ++i) {
    const auto& point = curve[points == 1 ? 0 : i * (curve.size() - 1) / (points - 1)];
    table.rows.push_back({Significant(point.eps()), PercentWithInterval(point.robust_accuracy())});
  }
  return table;
}

void AddAttack(const v1::ConditionReport& condition, Document& document) {
  const auto& attack = condition.attack();
  Lines lines;
  lines.lines.push_back(absl::StrCat(
      "clean accuracy ", PercentWithInterval(attack.clean_accuracy()), " %; attack success ",
      PercentWithInterval(attack.success_rate()), " % of ", Count(attack.attacked()), " attacked"));
  const bool survivors = attack.attacked() > attack.successes();
  lines.lines.push_back(absl::StrCat(
      "passes per survivor: ",
      survivors ? Significant(attack.forwards_per_survivor(), 6) : kUndefined, " forward, ",
      survivors ? Significant(attack.backwards_per_survivor(), 6) : kUndefined,
      " backward; in all ", Count(attack.forwards()), " and ", Count(attack.backwards())));
  if (attack.successes() > 0) {
    lines.lines.push_back(absl::StrCat(
        "distance of adversarial examples: max ", Significant(attack.max_distance()), ", mean ",
        Significant(attack.mean_distance()), ", median ", Significant(attack.median_distance())));
    lines.lines.push_back(absl::StrCat(
        "survive rounding to 8 bits: ", PercentWithInterval(attack.survives_rounding()), " %"));
  }
  document.push_back(lines);
  AddAttackChecks(attack.checks(), document);
  if (attack.zero_gradients() + attack.nonfinite_gradients() + attack.unconfirmed_candidates() >
      0) {
    document.push_back(
        Lines{{absl::StrCat("gradient trouble: ", Count(attack.zero_gradients()), " all zero, ",
                            Count(attack.nonfinite_gradients()), " not finite; ",
                            Count(attack.unconfirmed_candidates()), " candidates not confirmed")},
              Tone::kNotice});
  }
  if (attack.stages_size() > 0) {
    Table stages;
    stages.columns = {{"after", false}, {"fooled"}, {"robust accuracy %"}};
    for (const auto& stage : attack.stages()) {
      stages.rows.push_back(
          {stage.name(), Count(stage.successes()), PercentWithInterval(stage.robust_accuracy())});
    }
    document.push_back(stages);
  }
  Table table;
  table.columns = {{"class", false}, {"attacked"}, {"fooled"}, {"success %"}, {"adversarial FP"}};
  for (const auto& report : condition.classes()) {
    if (!report.has_attack()) continue;
    table.rows.push_back({ClassLabel(report), Count(report.attack().attacked()),
                          Count(report.attack().successes()),
                          PercentWithInterval(report.attack().success_rate()),
                          Count(report.attack().adversarial_false_positives())});
  }
  if (!table.rows.empty()) document.push_back(table);
  if (attack.targeted().success_size() > 0) AddTargeted(condition, document);
  if (attack.security_curve_size() > 0) document.push_back(SecurityCurve(attack));
}

// Smallest p_A below or at which a share q of the samples lies.
std::string Quantile(const v1::PaDistribution& distribution, double q) {
  for (const auto& point : distribution.points()) {
    if (point.cumulative() >= q) return Significant(point.pa());
  }
  return kUndefined;
}

std::vector<Cell> PaRow(const std::string& who, const v1::PaDistribution& distribution) {
  const bool any = distribution.points_size() > 0;
  return {who,
          any ? Significant(distribution.mean()) : kUndefined,
          Quantile(distribution, 0.05),
          Quantile(distribution, 0.25),
          any ? Significant(distribution.median()) : kUndefined,
          Quantile(distribution, 0.75),
          Quantile(distribution, 0.95)};
}

// What is not the usual setting: Gaussian noise, L2, a fixed number of draws.
std::string SmoothingVariant(const v1::CertificationReport& certification) {
  std::vector<std::string> parts;
  if (certification.noise() != "gaussian" && !certification.noise().empty()) {
    parts.push_back(absl::StrCat(certification.noise(), " noise"));
  }
  if (certification.norm() != "l2" && !certification.norm().empty()) {
    parts.push_back(absl::StrCat("radii in ", certification.norm()));
  }
  if (certification.sound()) parts.push_back("sound in floating point");
  if (certification.alpha_scope() == "dataset") parts.push_back("alpha for all samples together");
  if (certification.mode() == "predict") parts.push_back("predictions only, no radii");
  if (certification.mode() == "anytime") {
    std::vector<std::string> radii;
    for (double radius : certification.wanted_radii()) radii.push_back(Significant(radius));
    parts.push_back(absl::StrCat(
        "anytime: ",
        radii.empty() ? "all draws" : absl::StrCat("until decided at ", absl::StrJoin(radii, ", ")),
        ", mean ", Significant(certification.mean_draws()), " and median ",
        Significant(certification.median_draws()), " draws a sample"));
  }
  return absl::StrJoin(parts, "; ");
}

void AddCertification(const v1::ConditionReport& condition, Document& document) {
  const auto& certification = condition.certification();
  Table curve;
  curve.columns = {{"radius"}, {"certified accuracy %"}, {"simultaneous lower %"}};
  const auto& tenfold = certification.curve_with_tenfold_n();
  if (!tenfold.empty()) curve.columns.push_back({"projected to 10 n %"});
  for (const auto& point : certification.curve()) {
    curve.rows.push_back({Significant(point.radius()), PercentWithInterval(point.accuracy()),
                          Percent(point.simultaneous_lower())});
    if (tenfold.empty()) continue;
    const auto projected = std::find_if(tenfold.begin(), tenfold.end(), [&](const auto& other) {
      return other.radius() == point.radius();
    });
    curve.rows.back().push_back(
        projected == tenfold.end() ? "" : Percent(projected->accuracy().value()));
  }
  document.push_back(curve);
  Table decisions;
  decisions.columns = {{"radius to decide"}, {"certified"}, {"refuted"}, {"open"}};
  for (const auto& decision : certification.decisions()) {
    decisions.rows.push_back({Significant(decision.radius()), Count(decision.certified()),
                              Count(decision.refuted()), Count(decision.open())});
  }
  if (!decisions.rows.empty()) document.push_back(decisions);
  if (const std::string setting = SmoothingVariant(certification); !setting.empty()) {
    document.push_back(Lines{{setting}});
  }
  const bool gaussian = certification.noise() == "gaussian" || certification.noise().empty();
  Lines lines{{absl::StrCat(gaussian ? "sigma " : "lambda ", Significant(certification.sigma()),
                            ", n0 ", Count(certification.n0()), ", n ", Count(certification.n()),
                            ", alpha ", Significant(certification.alpha()), "; ",
                            Count(certification.draws()), " draws"),
               absl::StrCat("abstained on ", Count(certification.abstentions()), " (",
                            PercentWithInterval(certification.abstention_rate()), " %)")}};
  if (certification.mode() != "predict") {
    lines.lines.push_back(absl::StrCat(
        "average certified radius ", Significant(certification.average_certified_radius()),
        ", median ", Significant(certification.median_radius()), "; cap of this budget ",
        Significant(certification.radius_cap()), ", reached by ",
        PercentWithInterval(certification.share_at_cap()), " %"));
  }
  document.push_back(std::move(lines));
  if (certification.undecided_draws() + certification.tied_draws() > 0) {
    document.push_back(Lines{{absl::StrCat("draws that count against every class: ",
                                           Count(certification.undecided_draws()), " not finite, ",
                                           Count(certification.tied_draws()), " tied")},
                             Tone::kNotice});
  }
  Table bands;
  bands.columns = {{"p_A of the top class", false}, {"samples"}, {"part of the average radius"}};
  for (int i = 0; i < certification.acr_bands_size(); ++i) {
    const auto& band = certification.acr_bands(i);
    bands.rows.push_back({absl::StrCat(i == 0 ? "[" : "(", Significant(band.lower()), ", ",
                                       Significant(band.upper()), "]"),
                          Count(band.samples()), Significant(band.acr_contribution())});
  }
  if (!bands.rows.empty()) document.push_back(bands);
  if (!certification.acr_notice().empty()) {
    document.push_back(Lines{{certification.acr_notice()}, Tone::kNotice});
  }
  Table pa;
  pa.columns = {{"p_A", false}, {"mean"}, {"5 %"}, {"25 %"}, {"median"}, {"75 %"}, {"95 %"}};
  pa.rows.push_back(PaRow("top class", certification.pa_top_class()));
  pa.rows.push_back(PaRow("true class", certification.pa_true_class()));
  for (const auto& report : condition.classes()) {
    if (!report.has_certification()) continue;
    pa.rows.push_back(PaRow(ClassLabel(report), report.certification().pa_true_class()));
  }
  document.push_back(pa);
  Table classes;
  classes.columns = {
      {"class", false}, {"mean radius"}, {"median radius"}, {"abstained"}, {"abstained %"}};
  for (const auto& report : condition.classes()) {
    if (!report.has_certification()) continue;
    const auto& own = report.certification();
    classes.rows.push_back({ClassLabel(report), Significant(own.average_certified_radius()),
                            Significant(own.median_radius()), Count(own.abstentions()),
                            PercentWithInterval(own.abstention_rate())});
  }
  if (!classes.rows.empty()) document.push_back(classes);
}

std::string ClassLabelOf(const v1::ConditionReport& condition, int32_t index) {
  const v1::ClassReport* report = FindClass(condition, index);
  return report == nullptr ? ClassLabel("", index) : ClassLabel(*report);
}

void AddBounds(const v1::ConditionReport& condition, Document& document) {
  const auto& bounds = condition.bounds();
  document.push_back(Lines{
      {absl::StrCat("certified accuracy ", PercentWithInterval(bounds.certified_accuracy()),
                    " % at Linf ", Significant(bounds.eps()), " by ", bounds.method(),
                    ": proven, without sampling"),
       absl::StrCat("predictions that cannot change, right or wrong: ", Count(bounds.certified())),
       absl::StrCat(
           "lower bound of the margin: mean ", Significant(bounds.mean_margin()), ", median ",
           Significant(bounds.median_margin()), "; interval tightness ",
           bounds.has_mean_tightness() ? Significant(bounds.mean_tightness()) : kUndefined)}});
  Table table;
  table.columns = {{"class", false}, {"certified %"}, {"median margin"}};
  for (const auto& own : bounds.classes()) {
    table.rows.push_back({ClassLabelOf(condition, own.index()),
                          PercentWithInterval(own.certified_accuracy()),
                          Significant(own.median_margin())});
  }
  if (!table.rows.empty()) document.push_back(table);
}

void AddConformal(const v1::ConditionReport& condition, Document& document) {
  const auto& conformal = condition.conformal();
  document.push_back(
      Lines{{absl::StrCat("robust conformal sets: alpha ", Significant(conformal.alpha()),
                          ", L2 distance ", Significant(conformal.delta()), ", score ",
                          conformal.score()),
             absl::StrCat("Monte-Carlo correction by ", conformal.bound(), ", on average ",
                          Significant(conformal.mean_correction())),
             absl::StrCat("calibrated on ", Counted(conformal.calibration_samples(), "sample"),
                          ", measured on ", Count(conformal.test_samples()))}});
  if (!conformal.undefined_reason().empty()) {
    document.push_back(Lines{{conformal.undefined_reason()}, Tone::kNotice});
    return;
  }
  Table table;
  table.columns = {{"sets", false}, {"coverage %"}, {"mean size"}};
  const bool any = conformal.coverage().has_value();
  table.rows.push_back({"robust", PercentWithInterval(conformal.coverage()),
                        any ? Significant(conformal.mean_set_size()) : kUndefined});
  table.rows.push_back({"not robust", PercentWithInterval(conformal.plain_coverage()),
                        any ? Significant(conformal.plain_mean_set_size()) : kUndefined});
  document.push_back(table);
  Table classes;
  classes.columns = {{"class", false}, {"robust coverage %"}, {"mean size"}};
  for (const auto& own : conformal.classes()) {
    classes.rows.push_back(
        {ClassLabelOf(condition, own.index()), PercentWithInterval(own.coverage()),
         own.coverage().has_value() ? Significant(own.mean_set_size()) : kUndefined});
  }
  if (!classes.rows.empty()) document.push_back(classes);
}

void AddCondition(const v1::ConditionReport& condition, Document& document) {
  document.push_back(Heading{
      condition.id(),
      condition.accuracy().has_value()
          ? absl::StrCat("accuracy ", PercentWithInterval(condition.accuracy()), " %  (",
                         Count(condition.correct()), " of ", Count(condition.samples()), ")")
          : absl::StrCat("accuracy ", kUndefined, "  (", condition.accuracy().undefined_reason(),
                         ")")});
  Lines notices{{}, Tone::kNotice};
  if (condition.missing() > 0) {
    notices.lines.push_back(
        absl::StrCat("still missing: ", Counted(condition.missing(), "sample")));
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
  if (condition.classes_size() > 0) document.push_back(Classes(condition));
  document.push_back(DisparityLines(condition));
  if (condition.has_attack()) AddAttack(condition, document);
  if (condition.has_certification()) AddCertification(condition, document);
  if (condition.has_bounds()) AddBounds(condition, document);
  if (condition.has_conformal()) AddConformal(condition, document);
  if (condition.has_sequence()) AddSequence(condition, document);
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

Document ReportDocument(const v1::Report& report) {
  Document document;
  document.push_back(
      Heading{report.evaluation(),
              absl::StrCat(report.model(), " on ", report.dataset(), ", seed ", report.seed(), ", ",
                           Significant(report.confidence_level() * 100), " % intervals")});
  if (!report.complete()) {
    document.push_back(
        Lines{{"incomplete: this is what was known when it was asked for"}, Tone::kNotice});
  }
  Lines notes{{}, Tone::kNotice};
  for (const std::string& note : report.notes()) {
    notes.lines.push_back(absl::StrCat("note: ", Printable(note)));
  }
  if (!notes.lines.empty()) document.push_back(notes);
  if (report.conditions_size() > 1) document.push_back(Summary(report));
  AddCorruptionSummary(report, document);
  AddSensitivityMaps(report, document);
  AddSequenceSummary(report, document);
  for (const auto& condition : report.conditions()) AddCondition(condition, document);
  Lines numerics;
  for (const auto& fingerprint : report.numerics()) {
    numerics.lines.push_back(NumericsLine(fingerprint));
  }
  if (report.has_passes()) numerics.lines.push_back(PassesLine(report.passes()));
  if (!numerics.lines.empty()) document.push_back(numerics);
  if (report.numerics_size() > 1) {
    document.push_back(Lines{
        {"computed with different numerics: samples on a decision boundary may differ in a rerun"},
        Tone::kNotice});
  }
  return document;
}

}  // namespace assay::render
