// Linear centred kernel alignment of two models' features (Kornblith, Norouzi, Lee and Hinton,
// "Similarity of neural network representations revisited", ICML 2019).
#ifndef ASSAY_CORE_SIMILARITY_LINEAR_CKA_H_
#define ASSAY_CORE_SIMILARITY_LINEAR_CKA_H_

#include <vector>

#include "core/base/random.h"
#include "core/similarity/rows.h"
#include "core/statistics/statistics.h"

namespace assay {

// The features of one model less their means, and what every pair needs of them.
class CenteredFeatures {
 public:
  // At least two samples.
  explicit CenteredFeatures(Rows features);

  const Rows& rows() const { return rows_; }
  // x_i' X'X x_i / n of each sample i, whose mean is ||X'X||_F^2 / n^2.
  const std::vector<double>& own() const { return own_; }
  // tr(X'X) / n
  double trace() const { return trace_; }
  // Every sample has the same features: CKA is undefined.
  bool constant() const { return trace_ == 0; }

 private:
  Rows rows_;
  std::vector<double> own_;
  double trace_ = 0;
};

// ||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F) of the centred features X and Y of the same n samples,
// neither of them constant; in double precision, by the smaller of the matrices of features and of
// samples. From 0 to 1; the same for features that are rotated, or all scaled alike.
//
// It is biased upwards where the features are not much fewer than the samples: those of models that
// have nothing to do with each other get by_chance(), not 0.
class LinearCka {
 public:
  LinearCka(const CenteredFeatures& x, const CenteredFeatures& y);

  double value() const { return value_; }
  // What is expected when the samples of one of the two are shuffled: tr(K) tr(L) / ((n - 1)
  // ||K||_F ||L||_F) of the kernel matrices K = XX' and L = YY'. Exact.
  double by_chance() const { return by_chance_; }

  // Bootstrap over the samples of the linearised statistic: each of the three norms is, to first
  // order, the mean over the samples of its influence function, and those means are drawn. (Samples
  // that are drawn twice themselves are like each other, which would move the interval upwards.)
  // Within [0, 1].
  Interval Bootstrapped(double confidence_level, const RandomKey& key) const;

 private:
  double value_ = 0;
  double by_chance_ = 0;
  // Of each sample, what it adds to the three norms.
  std::vector<std::vector<double>> shares_;
};

}  // namespace assay

#endif  // ASSAY_CORE_SIMILARITY_LINEAR_CKA_H_
