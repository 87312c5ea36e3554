// Notices that an iteration has come back to a point where it was. If its next point follows from
// its point alone, all that comes then has been seen: signed steps of one length end in cycles
// after some tens of steps (arXiv 2503.19347), mostly to and fro between two points.
//
// Points are compared with the last two and with one farther back, which is replaced by ever later
// ones, at steps 1, 2, 4, 8, ... (Brent, "An improved Monte Carlo factorization algorithm", BIT
// 1980). So a cycle of one or two points is noticed at once, and a longer one some time after it
// was entered. That is exact, and costs less than to hash every point as the paper does: points
// that differ mostly do so in their first values.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_VISITED_POINTS_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_VISITED_POINTS_H_

#include <cstdint>
#include <vector>

#include "server/engine/attacks/attack.h"

namespace assay::engine {

class VisitedPoints {
 public:
  // Without `wanted` it never notices anything.
  explicit VisitedPoints(bool wanted) : wanted_(wanted) {}

  // Forgets all, to go through a cycle pass by pass.
  void Clear();
  // The point that an iteration starts at.
  void Start(const std::vector<float>& point);
  // After a step along `gradient` to `point`, with `left` more steps to go: the whole periods among
  // those. Of a zero gradient none, since how many gradients are zero is told to users.
  Repetition Step(const float* gradient, const std::vector<float>& point, int64_t left);

 private:
  void Remember(const std::vector<float>& point);

  const bool wanted_;
  std::vector<float> last_, before_, far_;
  int64_t count_ = 0;  // points since the start; far_ is that of number far_count_
  int64_t far_count_ = 0;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_VISITED_POINTS_H_
