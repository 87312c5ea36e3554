#include "client/render/attack_document.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/render/class_labels.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {
namespace {

std::string MeanPercent(const v1::ClassMean& mean) {
  return mean.has_mean() ? Percent(mean.mean()) : kUndefined;
}

// Rows: the class of the samples. Columns: the classes that any of them was to become.
Table TargetMatrix(const v1::ConditionReport& condition, const v1::TargetedReport& targeted,
                   const ReportStyle& style) {
  const auto aimed_at = [&](int t) {
    return t < targeted.reaching_size() && targeted.reaching(t).has_mean();
  };
  Table table;
  table.columns = {{"turned into %", false}};
  std::vector<Cell> reached = {"mean"};
  for (int t = 0; t < targeted.success_size(); ++t) {
    if (!aimed_at(t)) continue;
    table.columns.push_back({Shortened(ClassAt(condition, t, style), style.head_width)});
    reached.push_back(MeanPercent(targeted.reaching(t)));
  }
  table.columns.push_back({"mean"});
  reached.push_back("");
  for (int s = 0; s < targeted.success_size(); ++s) {
    std::vector<Cell> row = {ClassAt(condition, s, style)};
    const auto& rates = targeted.success(s).targets();
    for (int t = 0; t < targeted.success_size(); ++t) {
      if (!aimed_at(t)) continue;
      // A row that ends early is no reason to shift its cells.
      const bool defined = t < rates.size() && rates[t].has_value();
      row.push_back(defined ? ShadedPercent(rates[t].value()) : Cell(kUndefined));
    }
    row.push_back(s < targeted.leaving_size() ? MeanPercent(targeted.leaving(s)) : kUndefined);
    table.rows.push_back(std::move(row));
  }
  table.rows.push_back(std::move(reached));
  return table;
}

// Of a matrix too wide to print.
Table EasiestTargets(const v1::ConditionReport& condition, const v1::TargetedReport& targeted,
                     const ReportStyle& style) {
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
    table.rows.push_back({ClassAt(condition, pair.from, style), ClassAt(condition, pair.to, style),
                          PercentWithInterval(*pair.rate)});
  }
  return table;
}

void AddTargeted(const v1::ConditionReport& condition, const ReportStyle& style,
                 Document& document) {
  const v1::TargetedReport& targeted = condition.attack().targeted();
  document.push_back(targeted.success_size() <= style.matrix_classes
                         ? TargetMatrix(condition, targeted, style)
                         : EasiestTargets(condition, targeted, style));
}

std::vector<const v1::Check*> With(v1::Check::Verdict verdict, const CheckList& checks) {
  std::vector<const v1::Check*> found;
  for (const v1::Check& check : checks) {
    if (check.verdict() == verdict) found.push_back(&check);
  }
  return found;
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

}  // namespace

std::string CheckLimit(const v1::Check& check) {
  if (!check.has_threshold()) return "";
  return absl::StrCat(Significant(check.value()), ", should be ",
                      check.at_least() ? "at least " : "at most ", Significant(check.threshold()));
}

void AddFindings(const CheckList& checks, Document& document) {
  const auto show = [&](v1::Check::Verdict verdict, const std::string& word, Tone tone) {
    Lines lines{{}, tone};
    for (const v1::Check* check : With(verdict, checks)) {
      const std::string limit = CheckLimit(*check);
      lines.lines.push_back(absl::StrCat(word, " ", check->name(),
                                         limit.empty() ? "" : absl::StrCat(" (", limit, ")"), ": ",
                                         check->message()));
    }
    if (!lines.lines.empty()) document.push_back(lines);
  };
  show(v1::Check::FAILED, "FAILED", Tone::kBad);
  show(v1::Check::WARNING, "warning", Tone::kNotice);
}

void AddAttack(const v1::ConditionReport& condition, const ReportStyle& style, Document& document) {
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
    table.classes.push_back(report.index());
    table.rows.push_back({ClassLabel(report, style), Count(report.attack().attacked()),
                          Count(report.attack().successes()),
                          PercentWithInterval(report.attack().success_rate()),
                          Count(report.attack().adversarial_false_positives())});
  }
  if (!table.rows.empty()) document.push_back(table);
  if (attack.targeted().success_size() > 0) AddTargeted(condition, style, document);
  if (attack.security_curve_size() > 0) document.push_back(SecurityCurve(attack));
}

}  // namespace assay::render
