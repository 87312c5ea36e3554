#include "client/render/report_verdict.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/render/attack_document.h"
#include "client/render/class_labels.h"
#include "client/render/condition_facts.h"
#include "client/render/numbers.h"
#include "client/render/text.h"
#include "core/base/resource_names.h"

namespace assay::render {
namespace {

// "1 clean, 9 attack, 5 corruption", in the order of the report.
std::string Families(const v1::Report& report) {
  std::vector<std::pair<std::string, int>> families;
  for (const auto& condition : report.conditions()) {
    auto found = std::find_if(families.begin(), families.end(), [&](const auto& family) {
      return family.first == condition.family();
    });
    if (found == families.end()) found = families.insert(families.end(), {condition.family(), 0});
    ++found->second;
  }
  return absl::StrJoin(families, ", ", [](std::string* out, const auto& family) {
    absl::StrAppend(out, family.second, " ", family.first);
  });
}

std::string About(const v1::Report& report) {
  int64_t samples = 0;
  for (const auto& condition : report.conditions())
    samples = std::max(samples, condition.samples());
  const int classes = report.class_names_size();
  return absl::StrCat(report.model(), " on ", report.dataset(), ": ", Counted(samples, "sample"),
                      " of ", Count(classes), classes == 1 ? " class" : " classes", ", seed ",
                      report.seed());
}

std::string Conditions(const v1::Report& report) {
  return absl::StrCat(report.evaluation(), ": ", Counted(report.conditions_size(), "condition"),
                      report.conditions().empty() ? "" : absl::StrCat(" (", Families(report), ")"),
                      ", ", Significant(report.confidence_level() * 100), " % intervals");
}

// "Lowest accuracy 12.3 [10.0, 15.0] % under attack/pgd/linf/8-255".
std::string Worst(const v1::Report& report) {
  const v1::ConditionReport* worst = nullptr;
  const v1::Rate* lowest = nullptr;
  for (const auto& condition : report.conditions()) {
    const v1::Rate* rate = ComparableRate(condition);
    if (rate == nullptr || (lowest != nullptr && rate->value() >= lowest->value())) continue;
    worst = &condition;
    lowest = rate;
  }
  if (worst == nullptr) return "No condition has an accuracy";
  return absl::StrCat(
      worst->has_bounds() ? "Lowest is the certified accuracy " : "Lowest accuracy ",
      PercentWithInterval(*lowest), " % under ", worst->id());
}

// "1 of 2 gates hold; "
std::string Gates(const std::vector<report::GateResult>& gates) {
  if (gates.empty()) return "";
  const auto held = std::count_if(gates.begin(), gates.end(),
                                  [](const report::GateResult& gate) { return gate.holds; });
  return absl::StrCat(held, " of ", gates.size(), " gates hold; ");
}

std::vector<const v1::Check*> ChecksOf(const v1::ConditionReport& condition) {
  std::vector<const v1::Check*> checks;
  for (const v1::Check& check : condition.checks()) checks.push_back(&check);
  for (const v1::Check& check : condition.attack().checks()) checks.push_back(&check);
  return checks;
}

struct Counts {
  int passed = 0, warned = 0, failed = 0;

  void Add(const v1::ConditionReport& condition) {
    for (const v1::Check* check : ChecksOf(condition)) {
      if (check->verdict() == v1::Check::PASSED) ++passed;
      if (check->verdict() == v1::Check::WARNING) ++warned;
      if (check->verdict() == v1::Check::FAILED) ++failed;
    }
  }
  // Those that did not pass: "1 FAILED, 2 to look at".
  std::string Findings() const {
    std::vector<std::string> parts;
    if (failed > 0) parts.push_back(absl::StrCat(failed, " FAILED"));
    if (warned > 0) parts.push_back(absl::StrCat(warned, " to look at"));
    return absl::StrJoin(parts, ", ");
  }
  bool none() const { return passed + warned + failed == 0; }
};

std::string Checks(const Counts& counts) {
  const std::string findings = counts.Findings();
  if (!findings.empty()) {
    return absl::StrCat("checks: ", findings, ", ", counts.passed, " passed");
  }
  if (counts.none()) return "no checks were made";
  return counts.passed == 1 ? "its check passed"
                            : absl::StrCat("all ", counts.passed, " checks passed");
}

// One row of the table of checks: what several conditions may share.
struct CheckRow {
  const v1::Check* check;
  std::string measured;
  std::vector<std::string> conditions;

  bool Says(const v1::Check& other, const std::string& its_measured) const {
    return check->name() == other.name() && check->verdict() == other.verdict() &&
           check->message() == other.message() && measured == its_measured;
  }
};

// Failures first.
int Rank(v1::Check::Verdict verdict) {
  switch (verdict) {
    case v1::Check::FAILED:
      return 0;
    case v1::Check::WARNING:
      return 1;
    case v1::Check::PASSED:
      return 2;
    default:
      return 3;
  }
}

std::string Together(const std::vector<std::string>& conditions) {
  constexpr size_t kMostNamed = 3;
  return conditions.size() <= kMostNamed ? absl::StrJoin(conditions, ", ")
                                         : absl::StrCat(conditions.size(), " conditions");
}

Cell VerdictCell(v1::Check::Verdict verdict) {
  switch (verdict) {
    case v1::Check::PASSED:
      return {"passed", Tone::kGood};
    case v1::Check::WARNING:
      return {"to look at", Tone::kNotice};
    case v1::Check::FAILED:
      return {"FAILED", Tone::kBad};
    case v1::Check::NOT_APPLICABLE:
      return {"not applicable"};
    default:
      return {kUndefined};
  }
}

}  // namespace

PageHead ReportHead(const v1::Report& report, const std::vector<report::GateResult>& gates) {
  Counts counts;
  for (const auto& condition : report.conditions()) counts.Add(condition);
  PageHead head;
  head.title =
      Printable(absl::StrCat("Robustness of ", absl::StripPrefix(report.model(), "models/")));
  head.lines = {Printable(About(report)), Printable(Conditions(report))};
  head.verdict = Printable(
      absl::StrCat(Gates(gates), Worst(report), "; ", Checks(counts), "; ",
                   report.complete() ? "complete" : "INCOMPLETE: samples are still missing"));
  const bool hold = std::all_of(gates.begin(), gates.end(),
                                [](const report::GateResult& gate) { return gate.holds; });
  const bool notice = counts.warned > 0 || counts.none() || !report.complete();
  head.verdict_class = counts.failed > 0 || !hold ? "bad" : notice ? "notice" : "good";
  return head;
}

Cell ChecksCell(const v1::ConditionReport& condition) {
  Counts counts;
  counts.Add(condition);
  const std::string findings = counts.Findings();
  if (!findings.empty()) return {findings, counts.failed > 0 ? Tone::kBad : Tone::kNotice};
  return counts.passed == 0 ? Cell(kUndefined) : Cell(absl::StrCat(counts.passed, " passed"));
}

Table ChecksTable(const v1::Report& report) {
  std::vector<CheckRow> rows;
  for (const auto& condition : report.conditions()) {
    for (const v1::Check* check : ChecksOf(condition)) {
      std::string measured = CheckLimit(*check);
      if (measured.empty())
        measured = check->has_value() ? Significant(check->value()) : kUndefined;
      auto row = std::find_if(rows.begin(), rows.end(),
                              [&](const CheckRow& other) { return other.Says(*check, measured); });
      if (row == rows.end()) row = rows.insert(rows.end(), {check, measured, {}});
      row->conditions.push_back(condition.id());
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const CheckRow& a, const CheckRow& b) {
    return std::make_tuple(Rank(a.check->verdict()), a.check->name()) <
           std::make_tuple(Rank(b.check->verdict()), b.check->name());
  });
  Table table;
  table.columns = {{"check", false},
                   {"verdict", false},
                   {"conditions", false},
                   {"measured", false},
                   {"message", false}};
  for (const CheckRow& row : rows) {
    table.rows.push_back({row.check->name(), VerdictCell(row.check->verdict()),
                          Together(row.conditions), row.measured, row.check->message()});
  }
  return table;
}

}  // namespace assay::render
