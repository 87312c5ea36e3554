#include "client/render/report_verdict.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/render/attack_document.h"
#include "client/render/class_labels.h"
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
  for (const auto& condition : report.conditions()) {
    if (!condition.accuracy().has_value()) continue;
    if (worst == nullptr || condition.accuracy().value() < worst->accuracy().value()) {
      worst = &condition;
    }
  }
  if (worst == nullptr) return "No condition has an accuracy";
  return absl::StrCat("Lowest accuracy ", PercentWithInterval(worst->accuracy()), " % under ",
                      worst->id());
}

template <typename Visit>
void ForEachCheck(const v1::Report& report, const Visit& visit) {
  for (const auto& condition : report.conditions()) {
    for (const v1::Check& check : condition.checks()) visit(condition, check);
    for (const v1::Check& check : condition.attack().checks()) visit(condition, check);
  }
}

// By verdict.
std::array<int, v1::Check::Verdict_ARRAYSIZE> CountChecks(const v1::Report& report) {
  std::array<int, v1::Check::Verdict_ARRAYSIZE> counts{};
  ForEachCheck(report, [&](const v1::ConditionReport&, const v1::Check& check) {
    if (v1::Check::Verdict_IsValid(check.verdict())) ++counts[static_cast<size_t>(check.verdict())];
  });
  return counts;
}

std::string Checks(int passed, int warned, int failed) {
  if (passed + warned + failed == 0) return "no checks were made";
  if (warned + failed == 0) {
    return passed == 1 ? "its check passed" : absl::StrCat("all ", passed, " checks passed");
  }
  std::vector<std::string> parts;
  if (failed > 0) parts.push_back(absl::StrCat(failed, " FAILED"));
  if (warned > 0) parts.push_back(absl::StrCat(warned, " to look at"));
  parts.push_back(absl::StrCat(passed, " passed"));
  return absl::StrCat("checks: ", absl::StrJoin(parts, ", "));
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

PageHead ReportHead(const v1::Report& report) {
  const auto counts = CountChecks(report);
  const int failed = counts[v1::Check::FAILED], warned = counts[v1::Check::WARNING];
  PageHead head;
  head.title =
      Printable(absl::StrCat("Robustness of ", absl::StripPrefix(report.model(), "models/")));
  head.lines = {Printable(About(report)), Printable(Conditions(report))};
  head.verdict = Printable(
      absl::StrCat(Worst(report), "; ", Checks(counts[v1::Check::PASSED], warned, failed), "; ",
                   report.complete() ? "complete" : "INCOMPLETE: samples are still missing"));
  head.verdict_class = failed > 0 ? "bad" : warned > 0 || !report.complete() ? "notice" : "good";
  return head;
}

Table ChecksTable(const v1::Report& report) {
  Table table;
  table.columns = {{"condition", false},
                   {"check", false},
                   {"verdict", false},
                   {"measured", false},
                   {"message", false}};
  ForEachCheck(report, [&](const v1::ConditionReport& condition, const v1::Check& check) {
    std::string measured = CheckLimit(check);
    if (measured.empty()) measured = check.has_value() ? Significant(check.value()) : kUndefined;
    table.rows.push_back(
        {condition.id(), check.name(), VerdictCell(check.verdict()), measured, check.message()});
  });
  return table;
}

}  // namespace assay::render
