// The set that a budget allows: the ball around an image, cut with [0, 1]. Projections keep ||x -
// x0|| <= eps in double precision, so that no rounding of float32 leaves the budget.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_BUDGET_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_BUDGET_H_

#include <cstddef>
#include <vector>

#include "server/engine/attacks/attack.h"

namespace assay::engine {

class Budget {
 public:
  // `image` must outlive the budget. eps >= 0.
  Budget(Norm norm, double eps, const float* image, size_t size);

  // Linf: the exact projection. L2: rescales into the ball, then clips to [0, 1] (inside both sets,
  // as the field does it, though not the nearest point of their intersection).
  void Project(std::vector<float>* x) const;

  // A point on the sphere (Linf: on the boundary of the cube) in a random direction, then clipped
  // to [0, 1]: APGD's start.
  void RandomBoundaryPoint(RandomStream& random, std::vector<float>* x) const;

  // Uniform in the ball, then clipped to [0, 1].
  void RandomPoint(RandomStream& random, std::vector<float>* x) const;

  // x += step along the direction of steepest ascent of the norm: sign(gradient) for Linf (sign(0)
  // = 0), gradient / ||gradient|| for L2 (nothing for a zero gradient); then projects.
  void Ascend(const float* gradient, double step, std::vector<float>* x) const;

  Norm norm() const { return norm_; }
  double eps() const { return eps_; }

 private:
  const Norm norm_;
  const double eps_;
  const float* const image_;
  const size_t size_;
  // Linf: the box, rounded inwards.
  std::vector<float> lower_, upper_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_BUDGET_H_
