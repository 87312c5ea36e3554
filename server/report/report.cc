#include "server/report/report.h"

#include <algorithm>
#include <cstddef>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "server/report/attack_report.h"
#include "server/report/certification_report.h"
#include "server/report/classwise.h"
#include "server/report/rates.h"
#include "server/report/resolved_outcomes.h"
#include "server/report/statistics.h"

namespace assay::report {
namespace {

absl::Status CheckInput(const ReportInput& input) {
  // The negation also refuses NaN.
  if (!(input.confidence_level > 0 && input.confidence_level < 1)) {
    return InvalidFields({{"confidence_level", absl::StrCat(input.confidence_level,
                                                            " is not between 0 and 1 (usual: "
                                                            "0.95)")}});
  }
  if (input.num_classes < 1) {
    return Error(Reason::kInternal, absl::StrCat("a report over ", input.num_classes, " classes"));
  }
  absl::flat_hash_set<std::string> ids;
  for (const ConditionOutcomes& condition : input.conditions) {
    if (!ids.insert(condition.condition.id()).second) {
      return Error(Reason::kInternal,
                   absl::StrCat("condition '", condition.condition.id(), "' is there twice"));
    }
    if (static_cast<int64_t>(condition.outcomes.size()) > input.expected_samples) {
      return Error(
          Reason::kInternal,
          absl::StrCat("condition '", condition.condition.id(), "' has ", condition.outcomes.size(),
                       " outcomes for ", input.expected_samples, " samples"));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> ClassNames(const ReportInput& input) {
  std::vector<std::string> names;
  for (int i = 0; i < input.num_classes; ++i) {
    const size_t index = static_cast<size_t>(i);
    const bool named = index < input.class_names.size() && !input.class_names[index].empty();
    names.push_back(named ? input.class_names[index] : absl::StrCat("class ", i));
  }
  return names;
}

// Each once, in an order that does not depend on which task came first.
std::vector<v1::NumericsFingerprint> DistinctNumerics(
    std::vector<v1::NumericsFingerprint> numerics) {
  const auto key = [](const v1::NumericsFingerprint& f) { return f.SerializeAsString(); };
  std::sort(numerics.begin(), numerics.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  numerics.erase(std::unique(numerics.begin(), numerics.end(),
                             [&](const auto& a, const auto& b) { return key(a) == key(b); }),
                 numerics.end());
  return numerics;
}

}  // namespace

absl::StatusOr<v1::Report> BuildReport(const ReportInput& input) {
  ASSAY_RETURN_IF_ERROR(CheckInput(input));
  const std::vector<std::string> class_names = ClassNames(input);
  v1::Report report;
  report.set_evaluation(input.evaluation);
  report.set_model(input.model);
  report.set_dataset(input.dataset);
  report.set_seed(input.seed);
  report.set_confidence_level(input.confidence_level);
  for (const std::string& name : class_names) report.add_class_names(name);
  for (const v1::NumericsFingerprint& numerics : DistinctNumerics(input.numerics)) {
    *report.add_numerics() = numerics;
  }

  size_t most_samples = 0;
  for (const ConditionOutcomes& condition : input.conditions) {
    most_samples = std::max(most_samples, condition.outcomes.size());
  }
  const FisherExact fisher(static_cast<int64_t>(most_samples));
  RateMaker rates(input.confidence_level);
  bool complete = true;
  for (const ConditionOutcomes& condition : input.conditions) {
    ASSAY_ASSIGN_OR_RETURN(const ResolvedCondition resolved, Resolve(condition, input.num_classes));
    v1::ConditionReport& entry = *report.add_conditions();
    entry.set_id(condition.condition.id());
    entry.set_family(condition.condition.family());
    entry.set_method(condition.condition.method());
    *entry.mutable_parameters() = condition.condition.parameters();
    FillClasswise(resolved, class_names, fisher, rates, &entry);
    entry.set_missing(input.expected_samples - entry.samples());
    complete = complete && entry.missing() == 0;
    if (resolved.is_attack) FillAttack(resolved, rates, &entry);
    if (resolved.smoothing.has_value()) FillCertification(resolved, rates, &entry);
  }
  report.set_complete(complete);
  return report;
}

}  // namespace assay::report
