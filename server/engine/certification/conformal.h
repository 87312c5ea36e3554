// Smoothed conformity scores for robust conformal sets (Gendler, Weng, Daniel and Romano,
// "Adversarially robust conformal prediction", ICLR 2022; Yan, Romano and Weng, "Provably robust
// conformal prediction with improved efficiency", ICLR 2024). The report calibrates and builds the
// sets (core/report/conformal_report.cc).
#ifndef ASSAY_SERVER_ENGINE_CERTIFICATION_CONFORMAL_H_
#define ASSAY_SERVER_ENGINE_CERTIFICATION_CONFORMAL_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/base/task.h"

namespace assay::engine {

enum class ConformalScore {
  kHps,  // 1 - p_k
  kAps,  // sum of the probabilities above p_k, plus u p_k
};

// Scores of every class from one row of logits, all in [0, 1], p being their softmax. `u` in [0, 1)
// belongs to the sample and serves all its draws. A row that is not finite scores 1 everywhere: it
// supports no class.
void ConformalScores(ConformalScore score, const float* logits, int num_classes, double u,
                     double* scores);

// Outcomes with the mean scores over n draws of Gaussian noise and their sample variances, summed
// in the order of the draws; the prediction is the class with the smallest one. Draws of different
// samples share batches; draw d of a sample depends on (seed, condition, sample, d) only.
absl::StatusOr<std::vector<v1::Outcome>> RunConformal(const TaskContext& task);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CERTIFICATION_CONFORMAL_H_
