// What attacks that look for the nearest adversarial example share: they start at the image,
// remember the nearest misclassified point, polish it, and end with a search between it and the
// image. A method moves the point, and no more.
//
// Where the method finds nothing from the image, as where the gradient is zero, it gets another
// start, as its authors allow (Pintor et al., NeurIPS 2021, start FMN "from an adversarial point"):
// walks along the cross-entropy, whose steps grow until they span [0, 1], look for any
// misclassified point, the first from the image and `restarts` more from random points, near ones
// first. Bisection brings the first that is found to the boundary, and from there the method starts
// again. Random numbers are drawn for nothing else.
//
// Polishing goes, `polish` times, to the point of the linearised boundary that is nearest to the
// image, within [0, 1], and linearises again there: Newton's iteration for the nearest point of the
// boundary (the step of FAB from the image, Croce and Hein, ICML 2020; not for the L0 norm). Where
// the boundary is flat it corrects the direction of any method; where that finds nothing nearer,
// nothing changes.
//
// The search bisects, `refine` times, the share of the perturbation that is kept (before it is cut
// to [0, 1]), or for the L0 norm the number of changed values, those that do least for the margin
// (to first order) going first. It makes the distance of a method that stops a little behind the
// boundary that of the boundary.
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_MINIMUM_NORM_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_MINIMUM_NORM_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "server/engine/attacks/attack.h"

namespace assay::engine {

struct MinimumNormParameters : AttackParameters {
  int64_t restarts = 0;
  int64_t polish = 0;
  int64_t refine = 0;
};

// Reads norm, restarts, polish and refine; eps is infinite.
void ReadMinimumNorm(Params& params, MinimumNormParameters& parameters);

class MinimumNormState : public AttackState {
 public:
  // `random` must outlive the state.
  MinimumNormState(const MinimumNormParameters& parameters, const AttackTarget& target,
                   const RandomKey& random);

  Need need() const final;
  const std::vector<float>& point() const final { return point_; }
  // The gradient of the margin z_y - max_{i != y} z_i, unless the method overrides
  // MethodGradient.
  void LogitGradient(const float* logits, float* derivative) const final;
  void Step(const float* logits, const float* gradient) final;

 protected:
  // The method's turn: logits and gradient at point(), `margin` positive while it is classified
  // correctly. Sets delta_; false when the method has ended.
  virtual bool Move(const float* logits, double margin, const float* gradient) = 0;
  // Starts again, from delta_.
  virtual void StartAgain() = 0;
  // The derivative of the method's scalar; `derivative` comes as zeros.
  virtual void MethodGradient(const float* logits, float* derivative) const;

  const AttackTarget& target() const { return target_; }
  Norm norm() const { return parameters_.norm; }
  // Of the nearest misclassified point that was evaluated; infinite while there is none.
  double best_distance() const { return best_distance_; }

  // The perturbation: point() is the image plus this, cut to [0, 1].
  std::vector<float> delta_;

 private:
  enum class Phase { kMethod, kWalk, kApproach, kPolish, kRank, kSearch, kDone };

  // The point of delta_.
  void Place();
  // Keeps the point if it is misclassified and the nearest so far.
  void Remember(double margin);
  // What follows the method: another start if nothing was found, or the end.
  void AfterMethod();
  // The walk's next step; false when it leads nowhere.
  bool Walk(const float* gradient);
  // From the image, then from random points; the end if there were enough.
  void BeginWalk();
  // Towards the image from the point, which is misclassified, up to the boundary.
  void BeginApproach();
  void ContinueApproach();
  // From the nearest point.
  void BeginEnd();
  // To the linearised boundary at the point; false when there is none to go to.
  bool Polish(double margin, const float* gradient);
  void BeginSearch();
  void ContinueSearch();
  // The share, or number, in the middle of [low_, high_].
  double Middle() const;

  const MinimumNormParameters& parameters_;
  const AttackTarget target_;
  const RandomKey& random_;
  Phase phase_ = Phase::kMethod;
  std::vector<float> point_;
  std::vector<float> best_;  // its perturbation
  double best_distance_ = std::numeric_limits<double>::infinity();
  // Walks begun, and steps of the last.
  int64_t walks_ = 0;
  int walked_ = 0;
  std::vector<float> far_;  // the perturbation that a walk ended with
  int64_t polished_ = 0;
  // Approach and search: best_ keeps all of the perturbation (high_), the image nothing of it
  // (low_).
  int64_t probes_ = 0;
  double low_ = 0, high_ = 1;
  std::vector<uint32_t> order_;  // L0: changed values, those that matter most first
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_MINIMUM_NORM_H_
