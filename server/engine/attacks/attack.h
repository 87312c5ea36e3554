// What an attack is: an iteration over per-sample state, and nothing else. The driver (driver.h)
// keeps the device full, verifies, checks the budget, counts, and keeps the result.
//
// To add one: a file beside this one, a line in registry.cc, a row in the table of
// tests/server/engine/attacks/attacks_test.cc and in core/base/conditions/, a section in
// docs/conditions/attacks.md.
//
// Methods compute on the host, one sample at a time, and see the model only through logits and
// gradients. So a method is plain arithmetic on a few arrays: it is the same on every device, needs
// no LibTorch, and cannot depend on the batch (docs/decisions/0001-host-side-methods.md).
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_ATTACK_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_ATTACK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "core/base/random.h"
#include "server/engine/base/classifier.h"

namespace assay::engine {

// kNone: the budget is no ball; the attack measures it by itself.
enum class Norm { kLinf, kL2, kL1, kL0, kNone };

// The sample under attack. Outlives the state.
struct AttackTarget {
  const float* image;  // channels x height x width, in [0, 1]
  size_t size;         // number of pixel values
  int label;
  const float* clean_logits;  // num_classes
  int num_classes;
  int64_t index;  // position in the dataset
  // First of the 65,536 random streams that are the method's to use for this sample.
  uint32_t stream = 0;
};

// The pass that a state wants at its point.
enum class Need {
  kGradient,  // logits and the gradient of LogitGradient's scalar
  kForward,   // logits only
  kDone,      // nothing more; the method has given up
};

// One sample's way through the method. The driver ends it as soon as a point is verified to be
// adversarial; of a minimum-norm attack it takes the nearest misclassified point, when the method
// is done.
class AttackState {
 public:
  static constexpr int kAnyButLabel = -1;
  virtual ~AttackState() = default;
  virtual Need need() const = 0;
  // The point to evaluate: in [0, 1], and inside the budget unless leaves_budget or minimum_norm.
  virtual const std::vector<float>& point() const = 0;
  // Whether a misclassified point ends the sample. No for the passes of methods for random models
  // that judge by what comes after: of two passes at one point only one may be wrong.
  virtual bool counts() const { return true; }
  // Name of the part at work, for attacks made of several; empty otherwise.
  virtual const char* stage() const { return ""; }
  // The class that the model must give the point; kAnyButLabel for untargeted attacks.
  virtual int wanted() const { return kAnyButLabel; }
  // For attacks on several targets one after the other: all of them, in their order. Their results
  // are recorded one by one.
  virtual std::vector<int> targets() const { return {}; }
  // Called when the point was verified to be adversarial. False: that is the end of the sample.
  // True: goes on with the next target.
  virtual bool NextTarget() { return false; }
  // Derivative by the logits of the scalar whose image gradient is wanted. Used for Need::kGradient
  // only.
  virtual void LogitGradient(const float* logits, float* derivative) const = 0;
  // Takes the results at the point and moves on. `gradient` is null after a forward pass.
  virtual void Step(const float* logits, const float* gradient) = 0;
};

class Attack {
 public:
  virtual ~Attack() = default;
  virtual Norm norm() const = 0;
  virtual double eps() const = 0;
  virtual std::unique_ptr<AttackState> Start(const AttackTarget& target,
                                             const RandomKey& random) const = 0;
  // Whether points may lie outside the budget (FAB); they count as adversarial only inside.
  virtual bool leaves_budget() const { return false; }
  // Whether the goal is the nearest adversarial example rather than any inside a budget; eps() is
  // then infinite. The driver remembers the nearest misclassified points that it is shown, so every
  // point that may count must be asked for.
  virtual bool minimum_norm() const { return false; }
  // What is compared with eps and recorded as the distance.
  virtual double Measure(const float* point, const float* image, size_t n) const;
  // kInvalidCondition where the attack means nothing for a model of so many classes.
  virtual absl::Status CheckClasses(int /*num_classes*/) const { return absl::OkStatus(); }
  // Passes (a backward counts as two) of a sample that survives; for progress.
  virtual double work() const = 0;
};

// ||a - b|| in double precision; kL0: the number of values that differ; kNone: 0.
double Distance(Norm norm, const float* a, const float* b, size_t n);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_ATTACK_H_
