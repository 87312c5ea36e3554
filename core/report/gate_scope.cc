#include "core/report/gate_scope.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/report/checks.h"

namespace assay::report {
namespace {

constexpr size_t kMostListed = 12;

// "; did you mean 'x'? There are a, b and 3 more".
std::string WhatThereIs(const std::string& word, std::vector<std::string> all) {
  const std::string nearest = Nearest(word, all);
  const size_t more = all.size() - std::min(all.size(), kMostListed);
  all.resize(all.size() - more);
  return absl::StrCat("; ", nearest.empty() ? "" : absl::StrCat("did you mean '", nearest, "'? "),
                      "there are ", all.empty() ? "none" : absl::StrJoin(all, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

const ScopeCondition* ById(const std::string& id, const GateScope& scope) {
  const auto found = std::find_if(scope.conditions.begin(), scope.conditions.end(),
                                  [&](const ScopeCondition& one) { return one.id == id; });
  return found == scope.conditions.end() ? nullptr : &*found;
}

absl::Status Missing(const std::string& id, const GateScope& scope) {
  std::vector<std::string> ids;
  for (const ScopeCondition& one : scope.conditions) ids.push_back(one.id);
  return Error(Reason::kInvalidArgument, absl::StrCat(scope.owner, " has no condition '", id, "'",
                                                      WhatThereIs(id, std::move(ids))));
}

// "attack/pgd/linf/8-255": of a method that exists, and no expression. "CIFAR-10-C/fog/3": of the
// set that the scope is of, and no family.
bool LooksLikeId(const std::string& text, const GateScope& scope) {
  const std::string first = text.substr(0, text.find('/') + 1);
  const auto is_in = [&](const std::string& id) { return absl::StartsWith(id, first); };
  bool family = first.empty();
  for (const MethodHelp& method : AllMethods()) {
    if (absl::StartsWith(text, absl::StrCat(method.expression, "/"))) return true;
    family = family || is_in(method.expression);
  }
  return !family && std::any_of(scope.conditions.begin(), scope.conditions.end(),
                                [&](const ScopeCondition& one) { return is_in(one.id); });
}

// The text of an error on one expression, without its place in a list.
std::string WithoutField(const absl::Status& status) {
  const std::vector<FieldViolation> violations = ViolationsOf(status);
  return violations.empty() ? std::string(status.message()) : violations[0].description;
}

absl::Status CheckRadius(const GateExpression& gate, const std::string& family) {
  std::string problem;
  if (family == kFamilySmoothing) {
    if (!gate.radius.has_value()) problem = "needs a radius: certified_accuracy(CONDITION, RADIUS)";
  } else if (family == kFamilyBounds) {
    if (gate.radius.has_value()) problem = "takes no radius for bounds: their budget is their eps";
  } else {
    problem = absl::StrCat("is of smoothing/... and bounds/..., not of ", family, " conditions");
  }
  if (problem.empty()) return absl::OkStatus();
  return Error(Reason::kInvalidArgument, absl::StrCat("certified_accuracy ", problem));
}

// Checks by name, of all conditions or of the family.
std::vector<std::string> CheckNames(const std::string* family) {
  std::vector<std::string> names;
  for (const CheckRow& row : ConditionChecks()) {
    if (family != nullptr && (row.needs & kCleanImages) != 0 && *family != kFamilyClean) continue;
    names.push_back(row.name);
  }
  if (family != nullptr && *family != kFamilyAttack) return names;
  for (const CheckRow& row : AttackChecks()) {
    if (std::find(names.begin(), names.end(), row.name) == names.end()) names.push_back(row.name);
  }
  return names;
}

absl::Status CheckName(const GateExpression& gate, const ScopeCondition& condition) {
  const std::vector<std::string> all = CheckNames(nullptr);
  const std::vector<std::string> own = CheckNames(&condition.family);
  const auto has = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), gate.check) != names.end();
  };
  if (has(own)) return absl::OkStatus();
  return Error(
      Reason::kInvalidArgument,
      has(all) ? absl::StrCat("'", condition.id, "' has no check '", gate.check, "'; it has ",
                              absl::StrJoin(own, ", "))
               : absl::StrCat("unknown check '", gate.check, "'", WhatThereIs(gate.check, own)));
}

}  // namespace

std::vector<ScopeCondition> ScopeOf(const std::vector<v1::Condition>& conditions) {
  std::vector<ScopeCondition> scope;
  for (const v1::Condition& condition : conditions) {
    const std::vector<v1::Condition> entries =
        IsMinimumNorm(condition) ? AtEachBudget(condition) : std::vector<v1::Condition>{condition};
    for (const v1::Condition& entry : entries) scope.push_back({entry.id(), entry.family()});
  }
  return scope;
}

GateScope ScopeOf(const v1::Report& report) {
  GateScope scope;
  for (const v1::ConditionReport& one : report.conditions()) {
    scope.conditions.push_back({one.id(), one.family()});
  }
  scope.class_names = {report.class_names().begin(), report.class_names().end()};
  // All conditions have the same.
  scope.columns.emplace();
  if (!report.conditions().empty()) scope.columns = ScopeColumnsOf(report.conditions(0));
  return scope;
}

absl::StatusOr<ScopeCondition> FindCondition(const std::string& text, const GateScope& scope) {
  if (const ScopeCondition* found = ById(text, scope)) return *found;
  const auto parsed = ParseConditions({text});
  if (!parsed.ok()) {
    if (LooksLikeId(text, scope)) return Missing(text, scope);
    return Error(Reason::kInvalidCondition, WithoutField(parsed.status())).ToStatus();
  }
  const std::vector<ScopeCondition> meant = ScopeOf(*parsed);
  if (meant.size() > 1) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("'", text, "' is ", meant.size(), " conditions (",
                              absl::StrJoin(meant, ", ",
                                            [](std::string* out, const ScopeCondition& one) {
                                              absl::StrAppend(out, one.id);
                                            }),
                              "); a gate is on one"))
        .ToStatus();
  }
  const ScopeCondition* const found = ById(meant[0].id, scope);
  if (found == nullptr) return Missing(meant[0].id, scope);
  return *found;
}

absl::StatusOr<int> FindClass(const ClassText& text, const std::vector<std::string>& names) {
  const auto count = std::count(names.begin(), names.end(), text.text);
  if (count > 1) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat(count, " classes are called '", text.text, "': give the index"))
        .ToStatus();
  }
  const auto found = std::find(names.begin(), names.end(), text.text);
  if (found != names.end()) return static_cast<int>(found - names.begin());
  int index = 0;
  if (text.quoted || !absl::SimpleAtoi(text.text, &index)) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("there is no class '", text.text, "'", WhatThereIs(text.text, names)))
        .ToStatus();
  }
  if (index >= 0 && index < static_cast<int>(names.size())) return index;
  return Error(Reason::kInvalidArgument,
               absl::StrCat("there is no class ", index, "; classes are 0 to ",
                            static_cast<int>(names.size()) - 1))
      .ToStatus();
}

std::vector<ScopeColumn> ScopeColumnsOf(const v1::ConditionReport& condition) {
  std::vector<ScopeColumn> columns;
  for (const v1::SliceColumn& column : condition.slices()) {
    ScopeColumn& known = columns.emplace_back();
    known.name = column.name();
    for (const v1::Slice& slice : column.slices()) known.values.push_back(slice.value());
  }
  return columns;
}

absl::StatusOr<FoundSlice> FindSlice(const std::string& text,
                                     const std::vector<ScopeColumn>& columns,
                                     const std::string& owner) {
  std::vector<std::string> names;
  // Names may have an equals sign themselves: the longest that fits is meant, unless a value tells.
  const ScopeColumn* meant = nullptr;
  for (const ScopeColumn& column : columns) {
    names.push_back(column.name);
    if (!absl::StartsWith(text, absl::StrCat(column.name, "="))) continue;
    const std::string value = text.substr(column.name.size() + 1);
    const auto& values = column.values;
    if (std::find(values.begin(), values.end(), value) != values.end()) {
      return FoundSlice{column.name, value};
    }
    if (meant == nullptr || column.name.size() > meant->name.size()) meant = &column;
  }
  if (meant == nullptr) {
    const std::string name = text.substr(0, text.find('='));
    return Error(Reason::kInvalidArgument,
                 absl::StrCat(owner, " has no column '", name, "' to have slices by",
                              WhatThereIs(name, std::move(names))))
        .ToStatus();
  }
  const std::string value = text.substr(meant->name.size() + 1);
  if (meant->values.empty()) return FoundSlice{meant->name, value};
  return Error(Reason::kInvalidArgument,
               absl::StrCat("column '", meant->name, "' has no value '", value, "'",
                            WhatThereIs(value, meant->values)))
      .ToStatus();
}

absl::Status CheckGate(const GateExpression& gate, const GateScope& scope) {
  const MetricRow& row = *gate.metric;
  if (!row.of_condition) {
    const bool any =
        std::any_of(scope.conditions.begin(), scope.conditions.end(),
                    [](const ScopeCondition& one) { return one.family == kFamilyCorruption; });
    if (any) return absl::OkStatus();
    return Error(Reason::kInvalidArgument,
                 absl::StrCat(row.name, "() needs corruptions, and ", scope.owner, " has none"));
  }
  ASSAY_ASSIGN_OR_RETURN(const ScopeCondition condition, FindCondition(gate.condition, scope));
  if (row.metric == Metric::kSuccessRate && condition.family != kFamilyAttack) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("success_rate is of attacks, and '", condition.id, "' is none"));
  }
  if (row.metric == Metric::kCertifiedAccuracy) {
    ASSAY_RETURN_IF_ERROR(CheckRadius(gate, condition.family));
  }
  if (row.second == SecondArgument::kCheckName) {
    ASSAY_RETURN_IF_ERROR(CheckName(gate, condition));
  }
  if (row.second == SecondArgument::kSlice && scope.columns.has_value()) {
    return FindSlice(gate.slice, *scope.columns, scope.owner).status();
  }
  if (row.second == SecondArgument::kClass && !scope.class_names.empty()) {
    return FindClass(gate.class_text, scope.class_names).status();
  }
  return absl::OkStatus();
}

}  // namespace assay::report
