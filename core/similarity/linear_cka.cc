#include "core/similarity/linear_cka.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/similarity/bootstrap.h"

namespace assay {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

// Samples that are in memory in double precision at a time.
constexpr Index kBlock = 256;

MatrixXd Block(const Rows& rows, Index first) {
  return rows.middleRows(first, std::min(kBlock, rows.rows() - first)).cast<double>();
}

// x_i' X'Y y_i / n of each sample; their sum is ||Y'X||_F^2 / n.
std::vector<double> Shares(const Rows& x, const Rows& y) {
  const Index n = x.rows();
  Eigen::VectorXd shares(n);
  if (x.cols() * y.cols() <= n * (x.cols() + y.cols())) {
    MatrixXd between = MatrixXd::Zero(x.cols(), y.cols());
    for (Index i = 0; i < n; i += kBlock) {
      between.noalias() += Block(x, i).transpose() * Block(y, i);
    }
    for (Index i = 0; i < n; i += kBlock) {
      const MatrixXd own = Block(y, i);
      const MatrixXd mapped = Block(x, i) * between;
      shares.segment(i, own.rows()) = mapped.cwiseProduct(own).rowwise().sum();
    }
  } else {
    shares.setZero();
    for (Index i = 0; i < n; i += kBlock) {
      const MatrixXd x_rows = Block(x, i), y_rows = Block(y, i);
      for (Index j = 0; j < n; j += kBlock) {
        const MatrixXd x_kernel = x_rows * Block(x, j).transpose();
        const MatrixXd y_kernel = y_rows * Block(y, j).transpose();
        shares.segment(i, x_rows.rows()) += x_kernel.cwiseProduct(y_kernel).rowwise().sum();
      }
    }
  }
  shares /= static_cast<double>(n);
  return {shares.begin(), shares.end()};
}

}  // namespace

CenteredFeatures::CenteredFeatures(Rows features) : rows_(std::move(features)) {
  const double n = static_cast<double>(rows_.rows());
  Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(rows_.cols());
  for (Index i = 0; i < rows_.rows(); i += kBlock) mean += Block(rows_, i).colwise().sum();
  mean /= n;
  for (Index i = 0; i < rows_.rows(); ++i) {
    const Eigen::RowVectorXd centered = rows_.row(i).cast<double>() - mean;
    rows_.row(i) = centered.cast<float>();
    trace_ += rows_.row(i).cast<double>().squaredNorm() / n;
  }
  own_ = Shares(rows_, rows_);
}

LinearCka::LinearCka(const CenteredFeatures& x, const CenteredFeatures& y)
    : shares_{Shares(x.rows(), y.rows()), x.own(), y.own()} {
  const double scale = std::sqrt(Mean(x.own()) * Mean(y.own()));
  value_ = std::clamp(Mean(shares_[0]) / scale, 0.0, 1.0);
  by_chance_ = x.trace() * y.trace() / (static_cast<double>(x.rows().rows() - 1) * scale);
}

Interval LinearCka::Bootstrapped(double confidence_level, const RandomKey& key) const {
  std::vector<double> norms;
  for (const std::vector<double>& shares : shares_) norms.push_back(Mean(shares));
  return BootstrapInterval(
      shares_,
      [&norms](const std::vector<double>& means) {
        // A quadratic form changes twice as much as the mean of its shares.
        const auto norm = [&](size_t i) { return std::max(0.0, 2 * means[i] - norms[i]); };
        const double scale = std::sqrt(norm(1) * norm(2));
        return scale == 0 ? 1 : std::clamp(norm(0) / scale, 0.0, 1.0);
      },
      confidence_level, key);
}

}  // namespace assay
