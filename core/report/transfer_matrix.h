// Attacks on one model shown to others: of evaluations that have the same transfer attack on each
// other's models, which adversarial examples fool whom.
#ifndef ASSAY_CORE_REPORT_TRANSFER_MATRIX_H_
#define ASSAY_CORE_REPORT_TRANSFER_MATRIX_H_

#include <map>
#include <string>
#include <vector>

#include "assay/v1/comparison.pb.h"
#include "assay/v1/types.pb.h"
#include "core/report/rates.h"
#include "core/report/resolved_outcomes.h"

namespace assay::report {

// Takes every condition that is compared, and keeps of attack/transfer on a single surrogate, which
// is one of the compared models, how often it succeeded.
class TransferCollector {
 public:
  // models/{model} of each evaluation.
  explicit TransferCollector(std::vector<std::string> models) : models_(std::move(models)) {}

  // The condition's samples of each evaluation.
  void Add(const v1::Condition& condition, const std::vector<ResolvedCondition>& runs,
           RateMaker& rates);

  // One matrix for each set of parameters but for the surrogate, in the order in which they came;
  // rows in the order of the evaluations.
  void Fill(v1::Comparison* comparison) const;

 private:
  struct Matrix {
    std::map<std::string, std::string> parameters;
    std::vector<v1::TransferMatrix::Row> rows;
  };
  const std::vector<std::string> models_;
  std::vector<Matrix> matrices_;
};

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_TRANSFER_MATRIX_H_
