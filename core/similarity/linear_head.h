// A linear classifier trained anew on the features of a model: multinomial logistic regression.
#ifndef ASSAY_CORE_SIMILARITY_LINEAR_HEAD_H_
#define ASSAY_CORE_SIMILARITY_LINEAR_HEAD_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/similarity/rows.h"

namespace assay {

class LinearHead {
 public:
  // Minimises the sum of the samples' cross-entropies plus half the squared norm of the weights
  // (not of the intercepts), which is scikit-learn's LogisticRegression with C = 1, over features
  // that are standardised by their means and standard deviations here (those that never change are
  // left out). The minimum does not depend on where the search begins; it is found by L-BFGS in
  // double precision, to gradients below 1e-6 of the mean loss. Classes without a sample are never
  // predicted. kInternal where it is not found within 2,000 steps.
  //
  // `labels`: one for each row, at least 0.
  static absl::StatusOr<LinearHead> Train(const Rows& features, const std::vector<int32_t>& labels);

  // The class of each row; the lower one of equals.
  std::vector<int32_t> Predict(const Rows& features) const;

  // Cross-entropies plus penalty, over the number of samples.
  double loss() const { return loss_; }

 private:
  // Classes that were seen, ascending: what the columns of weights stand for.
  std::vector<int32_t> classes_;
  Eigen::RowVectorXd mean_, scale_;
  // (features + 1) x classes; the last row are intercepts.
  Eigen::MatrixXd weights_;
  double loss_ = 0;
};

}  // namespace assay

#endif  // ASSAY_CORE_SIMILARITY_LINEAR_HEAD_H_
