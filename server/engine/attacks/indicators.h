// What the driver measures on samples that stay robust, so that a report can tell an attack that
// failed from a model that held: two indicators of attack failure (Pintor et al., "Indicators of
// attack failure", arXiv 2106.09947) and an attack without a budget. docs/checks.md says how to
// read them.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_INDICATORS_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_INDICATORS_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
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

// The attack without a budget, in the whole of [0, 1] (linf, eps 1): PGD on the cross-entropy from
// the image itself, whose 20 steps of 1/8 take every pixel across its range twice; then APGD on the
// cross-entropy and on the ratio of logits, each from two random starts. At most 220 gradients. The
// stage of a state whose gradients are still those from the image is kFromImage.
absl::StatusOr<std::unique_ptr<Attack>> MakeUnconstrained(const Shape& shape);
inline constexpr char kFromImage[] = "pgd";

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_INDICATORS_H_
