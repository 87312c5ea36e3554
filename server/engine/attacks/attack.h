// What an attack is: an iteration over per-sample state, and nothing else. The driver (driver.h)
// keeps the device full, verifies, checks the budget, counts, and keeps the result.
//
// To add one, touch five places:
//   1. NAME.cc beside this file: a state with its Parameters, and a maker of AttackOf<state>
//      (fab.cc, say; minimum_norm.h for attacks that look for the nearest adversarial example);
//   2. its line in registry.cc, which declares the maker, too (or, for a method that has to run the
//      task itself as universal.cc does, the function that runs it);
//   3. its row in a group of core/conditions/: what users can write, and what it costs;
//   4. its row in the table of tests/server/engine/attacks/attacks_test.cc;
//   5. its section in docs/conditions/attacks.md.
//
// Methods compute on the host, one sample at a time, and see the model only through logits and
// gradients. So a method is plain arithmetic on a few arrays: it is the same on every device, needs
// no LibTorch, and cannot depend on the batch (docs/decisions/0001-host-side-methods.md).
#ifndef ASSAY_SERVER_ENGINE_ATTACKS_ATTACK_H_
#define ASSAY_SERVER_ENGINE_ATTACKS_ATTACK_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/random.h"
#include "core/conditions/params.h"
#include "server/engine/attacks/norms.h"
#include "server/engine/base/classifier.h"

namespace assay::engine {

// The sample under attack. Outlives the state.
struct AttackTarget {
  const float* image;  // channels x height x width, in [0, 1]
  Shape shape;
  int label;
  const float* clean_logits;  // num_classes
  int num_classes;
  int64_t index;  // position in the dataset
  // First of the 65,536 random streams that are the method's to use for this sample.
  uint32_t stream = 0;
  size_t size = shape.size();  // number of pixel values
  // Whether all passes of a kind give the same at a point. Only then may a method leave out passes
  // whose results it knows.
  bool deterministic = true;
};

// The pass that a state wants at its point.
enum class Need {
  kGradient,  // logits and the gradient of LogitGradient's scalar
  kForward,   // logits only
  kDone,      // nothing more; the method has given up
};

// Gradient passes that a step has left out: the last `passes`, `times` over again.
struct Repetition {
  size_t passes = 0;
  int64_t times = 0;
};

// One sample's way through the method. The driver ends it as soon as a point is verified to be
// adversarial; of a minimum-norm attack it takes the nearest misclassified point, when the method
// is done (nearest.h).
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
  // Whether the point was misclassified before, and this plain pass is to confirm it. It is counted
  // where that fails.
  virtual bool confirms() const { return false; }
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
  // Derivative by the logits of the scalar whose image gradient is wanted; `derivative` comes as
  // zeros. Used for Need::kGradient only.
  virtual void LogitGradient(const float* /*logits*/, float* /*derivative*/) const {}
  // Takes the results at the point and moves on. `gradient` is null after a forward pass.
  virtual void Step(const float* logits, const float* gradient) = 0;
  // Of the last Step; the driver's loss curve is that of all passes.
  virtual Repetition repetition() const { return {}; }
};

// What the parameters of every attack begin with.
struct AttackParameters {
  Norm norm = Norm::kLinf;
  // Infinite where the goal is the nearest adversarial example rather than any inside a budget. The
  // driver then remembers the nearest misclassified points that it is shown, so every point that
  // may count must be asked for.
  double eps = 0;
  // Whether points may lie outside the budget (FAB); they count as adversarial only inside.
  bool leaves_budget = false;
};

// Reads norm and eps.
void ReadBudget(Params& params, AttackParameters& parameters);

class Attack {
 public:
  virtual ~Attack() = default;
  virtual const AttackParameters& parameters() const = 0;
  bool minimum_norm() const { return std::isinf(parameters().eps); }
  // Random draws are keyed by `random`. The attack and `random` outlive the state.
  virtual std::unique_ptr<AttackState> Start(const AttackTarget& target,
                                             const RandomKey& random) const = 0;
  // What is compared with eps and recorded as the distance of the point from the image.
  virtual double Measure(const float* point, const AttackTarget& target) const;
  // Whether all that this attack does to a sample of a deterministic model of so many classes was
  // done by `earlier`, of the same norm and eps, which left the sample robust.
  virtual bool Repeats(const Attack& /*earlier*/, int /*num_classes*/) const { return false; }
  // kInvalidCondition where the attack means nothing for a model of this interface.
  virtual absl::Status CheckModel(const Shape& /*shape*/, int /*num_classes*/) const {
    return absl::OkStatus();
  }
};

// The attack whose states are of this kind: State::Parameters derives from AttackParameters, and a
// State is made of the parameters, a target and a random key.
template <typename State>
class AttackOf : public Attack {
 public:
  using Parameters = typename State::Parameters;
  explicit AttackOf(Parameters parameters) : parameters_(std::move(parameters)) {}
  const Parameters& parameters() const final { return parameters_; }
  std::unique_ptr<AttackState> Start(const AttackTarget& target,
                                     const RandomKey& random) const final {
    return std::make_unique<State>(parameters_, target, random);
  }

 private:
  const Parameters parameters_;
};

// What a maker returns. A maker need not look at the status of the Params that it reads.
using NewAttack = absl::StatusOr<std::unique_ptr<Attack>>;

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_ATTACKS_ATTACK_H_
