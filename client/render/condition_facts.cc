#include "client/render/condition_facts.h"

namespace assay::render {

std::string Parameter(const v1::ConditionReport& condition, const std::string& name) {
  const auto found = condition.parameters().find(name);
  return found == condition.parameters().end() ? "" : found->second;
}

const v1::Rate* ComparableRate(const v1::ConditionReport& condition) {
  if (condition.has_sequence()) return nullptr;
  const v1::Rate& rate =
      condition.has_bounds() ? condition.bounds().certified_accuracy() : condition.accuracy();
  return rate.has_value() ? &rate : nullptr;
}

bool HasRadii(const v1::ConditionReport& condition, int64_t samples) {
  return samples > 0 && condition.certification().mode() != "predict";
}

}  // namespace assay::render
