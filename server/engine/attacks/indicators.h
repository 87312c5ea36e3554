// What the driver measures on samples that stay robust, so that a report can tell an attack that
// failed from a model that held: two indicators of attack failure (Pintor et al., "Indicators of
// attack failure", arXiv 2106.09947). docs/checks.md says how to read them.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_INDICATORS_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_INDICATORS_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "assay/v1/outcomes.pb.h"
#include "server/engine/attacks/attack.h"

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

// The losses along an attack's first run: those of its gradient passes until it asks for a plain
// one. Whatever it climbs by, the loss is how far the point is from what it is to be: the margin,
// which the attack makes small.
class LossCurve {
 public:
  // After a gradient pass. `wanted`: that of the state.
  void Add(const float* logits, int num_classes, int label, int wanted);
  // After gradient passes that were left out, as their losses are known.
  void Add(const Repetition& repetition);
  // After a plain pass that the method asked for.
  void EndRun() { ended_ = !losses_.empty(); }
  // Writes what can be told of the curve.
  void Describe(v1::AttackOutcome& outcome) const;

 private:
  std::vector<float> losses_;
  bool ended_ = false;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_INDICATORS_H_
