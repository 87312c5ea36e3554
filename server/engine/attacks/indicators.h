// What the driver measures on samples that stay robust, so that a report can tell an attack that
// failed from a model that held: two indicators of attack failure (Pintor et al., "Indicators of
// attack failure", arXiv 2106.09947) and an attack without a budget. docs/checks.md says how to
// read them.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_INDICATORS_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_INDICATORS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/budget.h"

namespace assay::engine {

// Fewer losses than these say nothing about convergence.
inline constexpr size_t kMinLosses = 10;

// Both take the losses along an attack's path, in order, that the attack makes small, and look at
// the curve after scaling it to [0, 1] x [0, 1]. Absent for fewer than kMinLosses losses, for one
// that is not finite, and for a curve that does not move.

// |cos b|, b the angle at the point of the curve that is farthest from the straight line between
// its ends, in the triangle of the three: 0 for a loss that falls and then stays (b = 90 degrees),
// 1 for one that still falls as at the start (b = 180 degrees).
std::optional<double> BreakPointAngle(const std::vector<float>& losses);

// The area below those parts of the curve where the loss rises: 0 for a loss that never does. A
// loss that jumps at random gives about 1/4.
std::optional<double> IncreasingLoss(const std::vector<float>& losses);

// Only samples at these positions of the dataset are tried without a budget.
inline constexpr int64_t kProbeEvery = 20;

// PGD on the cross-entropy in the whole of [0, 1] (linf, eps 1), from the image itself. 20 steps of
// 1/8 take every pixel across its range twice.
class UnconstrainedProbe final : public AttackState {
 public:
  explicit UnconstrainedProbe(const AttackTarget& target);
  Need need() const override;
  const std::vector<float>& point() const override { return point_; }
  void LogitGradient(const float* logits, float* derivative) const override;
  void Step(const float* logits, const float* gradient) override;

 private:
  const int num_classes_, label_;
  const Budget budget_;
  std::vector<float> point_;
  int iteration_ = 0;
  bool over_ = false;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_INDICATORS_H_
