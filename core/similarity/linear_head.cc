#include "core/similarity/linear_head.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/similarity/lbfgs.h"

namespace assay {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kTolerance = 1e-6;
constexpr int kMostSteps = 2000;

MatrixXd Standardised(const Rows& features, const Eigen::RowVectorXd& mean,
                      const Eigen::RowVectorXd& scale) {
  MatrixXd result = features.cast<double>();
  result.rowwise() -= mean;
  result.array().rowwise() *= scale.array();
  return result;
}

// Mean cross-entropy plus the penalty over the number of samples, and its gradient. `x` are
// standardised features, `columns` the position of each sample's class.
double Loss(const MatrixXd& x, const std::vector<Index>& columns, const VectorXd& point,
            VectorXd* gradient) {
  const Index n = x.rows(), d = x.cols();
  const Index classes = point.size() / (d + 1);
  const Eigen::Map<const MatrixXd> weights(point.data(), d + 1, classes);
  Eigen::Map<MatrixXd> slopes(gradient->data(), d + 1, classes);
  MatrixXd scores = x * weights.topRows(d);
  scores.rowwise() += weights.row(d);
  double loss = 0;
  for (Index i = 0; i < n; ++i) {
    const Index own = columns[static_cast<size_t>(i)];
    const double largest = scores.row(i).maxCoeff();
    const double own_score = scores(i, own);
    scores.row(i) = (scores.row(i).array() - largest).exp();
    const double sum = scores.row(i).sum();
    loss += std::log(sum) + largest - own_score;
    // From here on what the predicted probabilities have too much.
    scores.row(i) /= sum;
    scores(i, own) -= 1;
  }
  const double count = static_cast<double>(n);
  slopes.topRows(d).noalias() = x.transpose() * scores;
  slopes.topRows(d) += weights.topRows(d);
  slopes.row(d) = scores.colwise().sum();
  slopes /= count;
  return (loss + weights.topRows(d).squaredNorm() / 2) / count;
}

}  // namespace

absl::StatusOr<LinearHead> LinearHead::Train(const Rows& features,
                                             const std::vector<int32_t>& labels) {
  LinearHead head;
  head.classes_ = labels;
  std::sort(head.classes_.begin(), head.classes_.end());
  head.classes_.erase(std::unique(head.classes_.begin(), head.classes_.end()), head.classes_.end());
  std::vector<Index> columns;
  for (const int32_t label : labels) {
    columns.push_back(std::lower_bound(head.classes_.begin(), head.classes_.end(), label) -
                      head.classes_.begin());
  }
  const Index d = features.cols(), n = features.rows();
  head.mean_ = features.cast<double>().colwise().sum() / static_cast<double>(n);
  head.scale_ = Eigen::RowVectorXd::Zero(d);
  for (Index j = 0; j < d; ++j) {
    // Sums of equal numbers may be rounded: what never changes is told by itself.
    if (features.col(j).minCoeff() == features.col(j).maxCoeff()) continue;
    const double variance =
        (features.col(j).cast<double>().array() - head.mean_(j)).square().mean();
    if (variance > 0) head.scale_(j) = 1 / std::sqrt(variance);
  }
  const MatrixXd x = Standardised(features, head.mean_, head.scale_);
  const auto classes = static_cast<Index>(head.classes_.size());
  const LbfgsResult found = MinimiseByLbfgs(
      [&](const VectorXd& point, VectorXd* gradient) { return Loss(x, columns, point, gradient); },
      VectorXd::Zero((d + 1) * classes), kTolerance, kMostSteps);
  if (!(found.largest_gradient <= kTolerance)) {
    return Error(Reason::kInternal,
                 absl::StrCat("logistic regression on ", n, " samples of ", d,
                              " features did not converge: a gradient of ", found.largest_gradient,
                              " is left after ", found.steps, " steps"));
  }
  head.weights_ = Eigen::Map<const MatrixXd>(found.point.data(), d + 1, classes);
  head.loss_ = found.value;
  return head;
}

std::vector<int32_t> LinearHead::Predict(const Rows& features) const {
  MatrixXd scores = Standardised(features, mean_, scale_) * weights_.topRows(weights_.rows() - 1);
  scores.rowwise() += weights_.bottomRows<1>().row(0);
  std::vector<int32_t> predictions;
  for (Index i = 0; i < scores.rows(); ++i) {
    Index best = 0;
    for (Index c = 1; c < scores.cols(); ++c) {
      if (scores(i, c) > scores(i, best)) best = c;
    }
    predictions.push_back(classes_[static_cast<size_t>(best)]);
  }
  return predictions;
}

}  // namespace assay
