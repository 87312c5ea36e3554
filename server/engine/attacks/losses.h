// Losses of attacks as functions of logits: value and derivative by the logits. Attacks maximise
// them.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_LOSSES_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_LOSSES_H_

namespace assay::engine {

// Cross-entropy -log softmax(z)_y. The derivative softmax(z) - onehot(y) is computed without
// cancellation at y, so that it does not vanish for a confident model where float32 arithmetic
// would round it to zero. Returns the loss; `derivative` has num_classes entries.
double CrossEntropy(const float* logits, int num_classes, int label, float* derivative);

// Difference-of-logits ratio (Croce and Hein, "Reliable evaluation of adversarial robustness with
// an ensemble of diverse parameter-free attacks", ICML 2020): -(z_y - max_{i != y} z_i) / (z_pi1 -
// z_pi3 + 1e-12), pi_k the k-th largest logit. Needs 3 classes; with 2 it is the cross-entropy.
double DifferenceOfLogitsRatio(const float* logits, int num_classes, int label, float* derivative);

// The targeted form: -(z_y - z_t) / (z_pi1 - (z_pi3 + z_pi4) / 2 + 1e-12). Needs 4 classes; with
// fewer it is z_t - z_y.
double TargetedDifferenceOfLogitsRatio(const float* logits, int num_classes, int label, int target,
                                       float* derivative);

// The class with the rank-th largest logit among all but `label`; rank counts from 1, ties go to
// the lower index.
int RankedTarget(const float* logits, int num_classes, int label, int rank);

// z_y - max_{i != y} z_i: positive while the sample is classified correctly.
double Margin(const float* logits, int num_classes, int label);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_LOSSES_H_
