#include "server/engine/attacks/hyperplane.h"

#include <algorithm>
#include <cmath>

namespace assay::engine {
namespace {

// How far pixel i can move in the direction that brings <w, x> towards the hyperplane, given the
// sign of the offset.
float Room(float x, float w, bool decrease) { return (w > 0.0F) == decrease ? x : 1.0F - x; }

}  // namespace

double StepToHyperplane(Norm norm, const float* x, const float* w, double offset, size_t n,
                        float* step) {
  const bool decrease = offset > 0;
  const double wanted = std::abs(offset);
  // Pixel i moves by min(room_i, t) (Linf) or min(room_i, t |w_i|) (L2) for one common t. What that
  // brings along w is concave and piecewise linear in t, so Newton's method from t = 0 climbs to
  // the solution without passing it.
  double t = 0;
  double reached = 0;
  const int kMaxPasses = 200;
  for (int pass = 0; pass < kMaxPasses && reached < wanted * (1 - 1e-12); ++pass) {
    double slope = 0;
    reached = 0;
    for (size_t i = 0; i < n; ++i) {
      const double weight = std::abs(static_cast<double>(w[i]));
      const double room = Room(x[i], w[i], decrease);
      const double move = norm == Norm::kLinf ? t : t * weight;
      if (move < room) {
        reached += weight * move;
        slope += norm == Norm::kLinf ? weight : weight * weight;
      } else {
        reached += weight * room;
      }
    }
    if (slope <= 0) break;  // every pixel is at its bound: the hyperplane misses the box
    t += std::max(0.0, (wanted - reached) / slope);
  }
  double squared = 0, largest = 0;
  for (size_t i = 0; i < n; ++i) {
    const double weight = std::abs(static_cast<double>(w[i]));
    const double room = weight > 0 ? Room(x[i], w[i], decrease) : 0.0;
    const double size = std::min(room, norm == Norm::kLinf ? t : t * weight);
    step[i] = static_cast<float>((w[i] > 0.0F) == decrease ? -size : size);
    squared += size * size;
    largest = std::max(largest, size);
  }
  return norm == Norm::kLinf ? largest : std::sqrt(squared);
}

}  // namespace assay::engine
