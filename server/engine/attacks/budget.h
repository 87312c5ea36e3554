// The set that a budget allows: the ball around an image, cut with [0, 1]. Projections keep
// ||x - x0|| <= eps in double precision, so that no rounding of float32 leaves the budget.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_BUDGET_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_BUDGET_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/base/random.h"
#include "server/engine/attacks/norms.h"

namespace assay::engine {

class Budget {
 public:
  // `image` must outlive the budget. Norms linf, l2 and l1; eps >= 0.
  Budget(Norm norm, double eps, const float* image, size_t size);

  // Linf and L1: the nearest point of the intersection of ball and [0, 1] (for L1: Croce and Hein,
  // "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", ICML 2021). L2:
  // rescales into the ball, then clips to [0, 1] (inside both sets, as the field does it, though
  // not the nearest point of their intersection). A point of the set stays as it is.
  void Project(std::vector<float>* x) const;

  // Linf: of value i, as Project.
  float Nearest(size_t i, float value) const {
    return std::min(std::max(value, lower_[i]), upper_[i]);
  }

  // A point on the sphere (Linf: on the boundary of the cube) in a random direction, then clipped
  // to [0, 1]; L1: the image plus standard normal noise, projected. APGD's start.
  void RandomBoundaryPoint(RandomStream& random, std::vector<float>* x) const;

  // Uniform in the ball, then clipped to [0, 1].
  void RandomPoint(RandomStream& random, std::vector<float>* x) const;

  // Projected ascent: x += step times sign(gradient) for Linf (sign(0) = 0), times gradient /
  // ||gradient|| for L2 and L1 (nothing for a zero gradient); then projects.
  void Ascend(const float* gradient, double step, std::vector<float>* x) const;

  Norm norm() const { return norm_; }
  double eps() const { return eps_; }

 private:
  void ProjectL2(float* p) const;
  void ProjectL1(float* p) const;

  const Norm norm_;
  const double eps_;
  const float* const image_;
  const size_t size_;
  // Linf: the box, rounded inwards.
  std::vector<float> lower_, upper_;
};

// Writes a point at distance `radius` from the image (n values) in a random direction, clipped to
// [0, 1]: uniform on the surface of the cube for Linf, otherwise a normal direction divided by its
// norm.
void RandomSpherePoint(Norm norm, double radius, const float* image, size_t n, RandomStream& random,
                       float* x);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_BUDGET_H_
