#include "core/report/transfer_matrix.h"

#include <algorithm>
#include <cstdint>

#include "core/base/resource_names.h"
#include "core/conditions/condition.h"

namespace assay::report {
namespace {

constexpr char kTransfer[] = "transfer";
constexpr char kSurrogates[] = "surrogates";

v1::Rate SuccessRate(const ResolvedCondition& run, RateMaker& rates) {
  int64_t attacked = 0, successes = 0;
  for (const ResolvedSample& sample : run.samples) {
    const v1::AttackOutcome& attack = sample.outcome->attack();
    attacked += attack.attacked() ? 1 : 0;
    successes += attack.success() ? 1 : 0;
  }
  return rates.Make(successes, attacked, "no sample was attacked");
}

}  // namespace

void TransferCollector::Add(const v1::Condition& condition,
                            const std::vector<ResolvedCondition>& runs, RateMaker& rates) {
  if (condition.family() != kFamilyAttack || condition.method() != kTransfer) return;
  const std::vector<std::string> surrogates = OtherModels(condition);
  if (surrogates.size() != 1) return;
  const auto found =
      std::find(models_.begin(), models_.end(), ResourceName(kModels, surrogates[0]));
  if (found == models_.end()) return;
  std::map<std::string, std::string> parameters(condition.parameters().begin(),
                                                condition.parameters().end());
  parameters.erase(kSurrogates);
  auto matrix = std::find_if(matrices_.begin(), matrices_.end(),
                             [&](const Matrix& known) { return known.parameters == parameters; });
  if (matrix == matrices_.end()) {
    matrix = matrices_.insert(matrices_.end(), Matrix{std::move(parameters), {}});
  }
  v1::TransferMatrix::Row row;
  row.set_surrogate(static_cast<int32_t>(found - models_.begin()));
  row.set_condition(condition.id());
  for (const ResolvedCondition& run : runs) *row.add_success_rates() = SuccessRate(run, rates);
  matrix->rows.push_back(std::move(row));
}

void TransferCollector::Fill(v1::Comparison* comparison) const {
  for (const Matrix& matrix : matrices_) {
    v1::TransferMatrix& entry = *comparison->add_transfers();
    entry.mutable_parameters()->insert(matrix.parameters.begin(), matrix.parameters.end());
    std::vector<v1::TransferMatrix::Row> rows = matrix.rows;
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.surrogate() < b.surrogate(); });
    for (v1::TransferMatrix::Row& row : rows) entry.add_rows()->Swap(&row);
  }
}

}  // namespace assay::report
