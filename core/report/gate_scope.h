// What gates may speak of: the conditions, classes and checks of an evaluation. A gate that speaks
// of something else is an error, found as early as what there is is known.
#ifndef ASSAY_CORE_REPORT_GATE_SCOPE_H_
#define ASSAY_CORE_REPORT_GATE_SCOPE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/reports.pb.h"
#include "assay/v1/types.pb.h"
#include "core/report/gate_expression.h"

namespace assay::report {

struct ScopeCondition {
  // As the report has it.
  std::string id;
  std::string family;
};

// What slices there are of.
struct ScopeColumn {
  std::string name;
  // As reports print them. Empty: not known yet, and any may be named.
  std::vector<std::string> values;
};

struct GateScope {
  // "the evaluation", for errors.
  std::string owner = "the evaluation";
  std::vector<ScopeCondition> conditions;
  // Empty: not known yet, and any class may be named.
  std::vector<std::string> class_names;
  // Absent: not known yet, and any may be named.
  std::optional<std::vector<ScopeColumn>> columns;
};

// What reports on these conditions have: an entry for each budget.
std::vector<ScopeCondition> ScopeOf(const std::vector<v1::Condition>& conditions);
GateScope ScopeOf(const v1::Report& report);

// The condition that a gate means, by its canonical id or as users write it. kInvalidCondition or
// kInvalidArgument for what is no condition, several, or not in the scope.
absl::StatusOr<ScopeCondition> FindCondition(const std::string& text, const GateScope& scope);

// Position of the class that a gate means: the one of that name or else, unless quoted, of that
// index.
absl::StatusOr<int> FindClass(const ClassText& text, const std::vector<std::string>& names);

// The slice that a gate means by "COLUMN=VALUE".
struct FoundSlice {
  std::string column;
  std::string value;
};
absl::StatusOr<FoundSlice> FindSlice(const std::string& text,
                                     const std::vector<ScopeColumn>& columns,
                                     const std::string& owner);
// The columns of a condition's slices.
std::vector<ScopeColumn> ScopeColumnsOf(const v1::ConditionReport& condition);

// Everything that can be wrong with a gate before there is a report.
absl::Status CheckGate(const GateExpression& gate, const GateScope& scope);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_GATE_SCOPE_H_
