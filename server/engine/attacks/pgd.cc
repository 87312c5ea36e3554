// Projected gradient descent (Madry et al., "Towards deep learning models resistant to adversarial
// attacks", ICLR 2018): from a uniform random point of the budget, `steps` steps of steepest ascent
// of the cross-entropy, each projected; `restarts` times. Every iterate counts.
#include <utility>

#include "common/errors.h"
#include "common/params.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/registry.h"

namespace assay::engine {
namespace {

struct PgdParameters {
  Norm norm = Norm::kLinf;
  double eps = 0;
  double step = 0;
  int64_t steps = 0;
  int64_t restarts = 0;
};

class PgdState final : public AttackState {
 public:
  PgdState(const PgdParameters& parameters, const AttackTarget& target, const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random),
        budget_(parameters.norm, parameters.eps, target.image, target.size) {
    Restart();
  }

  Need need() const override {
    if (restart_ >= parameters_.restarts) return Need::kDone;
    // The last iterate needs no gradient.
    return iteration_ < parameters_.steps ? Need::kGradient : Need::kForward;
  }

  const std::vector<float>& point() const override { return point_; }

  void LogitGradient(const float* logits, float* derivative) const override {
    CrossEntropy(logits, target_.num_classes, target_.label, derivative);
  }

  void Step(const float* /*logits*/, const float* gradient) override {
    if (gradient == nullptr) {
      ++restart_;
      if (restart_ < parameters_.restarts) Restart();
      return;
    }
    budget_.Ascend(gradient, parameters_.step, &point_);
    ++iteration_;
  }

 private:
  void Restart() {
    RandomStream stream(random_, target_.index, target_.stream + static_cast<uint32_t>(restart_));
    budget_.RandomPoint(stream, &point_);
    iteration_ = 0;
  }

  const PgdParameters& parameters_;
  const AttackTarget target_;
  const RandomKey& random_;
  const Budget budget_;
  std::vector<float> point_;
  int64_t iteration_ = 0;
  int64_t restart_ = 0;
};

class Pgd final : public Attack {
 public:
  explicit Pgd(const PgdParameters& parameters) : parameters_(parameters) {}
  Norm norm() const override { return parameters_.norm; }
  double eps() const override { return parameters_.eps; }
  std::unique_ptr<AttackState> Start(const AttackTarget& target,
                                     const RandomKey& random) const override {
    return std::make_unique<PgdState>(parameters_, target, random);
  }
  double work() const override {
    return static_cast<double>(parameters_.restarts * (3 * parameters_.steps + 1));
  }

 private:
  const PgdParameters parameters_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Attack>> MakePgd(Params& params) {
  PgdParameters parameters;
  parameters.norm = NormNamed(params.Text("norm"));
  parameters.eps = params.Number("eps");
  parameters.step = params.Number("step");
  parameters.steps = params.Integer("steps");
  parameters.restarts = params.Integer("restarts");
  ASSAY_RETURN_IF_ERROR(params.status());
  return std::unique_ptr<Attack>(std::make_unique<Pgd>(parameters));
}

}  // namespace assay::engine
