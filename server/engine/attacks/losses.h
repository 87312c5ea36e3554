// Losses of attacks as functions of logits: value and derivative by the logits. Attacks maximise them.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_LOSSES_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_LOSSES_H_

namespace assay::engine {

// Cross-entropy -log softmax(z)_y. The derivative softmax(z) - onehot(y) is computed without cancellation at y, so that it does
// not vanish for a confident model where float32 arithmetic would round it to zero. Returns the loss; `derivative` has
// num_classes entries.
double CrossEntropy(const float* logits, int num_classes, int label, float* derivative);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_LOSSES_H_
