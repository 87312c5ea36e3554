#include "server/engine/attacks/losses.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

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

namespace {

constexpr double kGuard = 1e-12;

// Indices of the `count` largest logits, largest first, the lower index first on ties.
std::vector<int> Largest(const float* logits, int num_classes, int count) {
  std::vector<int> order(static_cast<size_t>(num_classes));
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int a, int b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  order.resize(static_cast<size_t>(count));
  return order;
}

// -(z_y - z_other) / (scale + guard), where scale is a combination of logits; fills in the
// derivative.
struct Term {
  int index;
  double weight;
};
double Ratio(const float* logits, int num_classes, int label, int other,
             const std::vector<Term>& scale, float* derivative) {
  const double numerator = static_cast<double>(logits[label]) - logits[other];
  double denominator = kGuard;
  for (const Term& term : scale) denominator += term.weight * logits[term.index];
  std::vector<double> sum(static_cast<size_t>(num_classes));
  sum[static_cast<size_t>(label)] -= 1 / denominator;
  sum[static_cast<size_t>(other)] += 1 / denominator;
  for (const Term& term : scale) {
    sum[static_cast<size_t>(term.index)] += numerator * term.weight / (denominator * denominator);
  }
  for (size_t k = 0; k < sum.size(); ++k) derivative[k] = static_cast<float>(sum[k]);
  return -numerator / denominator;
}

}  // namespace

double DifferenceOfLogitsRatio(const float* logits, int num_classes, int label, float* derivative) {
  if (num_classes < 3) return CrossEntropy(logits, num_classes, label, derivative);
  const std::vector<int> top = Largest(logits, num_classes, 3);
  const int other = top[0] == label ? top[1] : top[0];
  return Ratio(logits, num_classes, label, other, {{top[0], 1}, {top[2], -1}}, derivative);
}

double TargetedDifferenceOfLogitsRatio(const float* logits, int num_classes, int label, int target,
                                       float* derivative) {
  if (num_classes < 4) {
    std::fill(derivative, derivative + num_classes, 0.0F);
    derivative[target] = 1;
    derivative[label] = -1;
    return static_cast<double>(logits[target]) - logits[label];
  }
  const std::vector<int> top = Largest(logits, num_classes, 4);
  return Ratio(logits, num_classes, label, target, {{top[0], 1}, {top[2], -0.5}, {top[3], -0.5}},
               derivative);
}

int RankedTarget(const float* logits, int num_classes, int label, int rank) {
  int seen = 0;
  for (const int k : Largest(logits, num_classes, std::min(num_classes, rank + 1))) {
    if (k != label && ++seen == rank) return k;
  }
  return label == 0 ? 1 : 0;
}

double Margin(const float* logits, int num_classes, int label) {
  double best = -INFINITY;
  for (int k = 0; k < num_classes; ++k) {
    if (k != label) best = std::max(best, static_cast<double>(logits[k]));
  }
  return logits[label] - best;
}

}  // namespace assay::engine
