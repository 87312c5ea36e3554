#include "server/engine/attacks/losses.h"

#include <algorithm>
#include <cmath>

namespace assay::engine {

double CrossEntropy(const float* logits, int num_classes, int label, float* derivative) {
  const double largest = *std::max_element(logits, logits + num_classes);
  double sum = 0;
  for (int k = 0; k < num_classes; ++k) sum += std::exp(logits[k] - largest);
  double others = 0;
  for (int k = 0; k < num_classes; ++k) {
    if (k == label) continue;
    const double probability = std::exp(logits[k] - largest) / sum;
    others += probability;
    derivative[k] = static_cast<float>(probability);
  }
  derivative[label] = static_cast<float>(-others);
  return std::log(sum) - (logits[label] - largest);
}

}  // namespace assay::engine
