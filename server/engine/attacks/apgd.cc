// Auto-PGD (Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of
// diverse parameter-free attacks", ICML 2020) for Linf and L2: projected gradient steps with
// momentum, whose size is halved at checkpoints when progress stalls. Untargeted with cross-entropy
// (apgd-ce) or the difference-of-logits ratio (apgd-dlr), and targeted at the classes that the
// clean image comes nearest to, one after the other (apgd-t).
#include <algorithm>
#include <cmath>
#include <utility>

#include "common/errors.h"
#include "common/params.h"
#include "server/engine/attacks/apgd_schedule.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/registry.h"

namespace assay::engine {
namespace {

enum class Loss { kCrossEntropy, kRatio, kTargetedRatio };

struct ApgdParameters {
  Norm norm = Norm::kLinf;
  double eps = 0;
  Loss loss = Loss::kCrossEntropy;
  int64_t steps = 0;
  // Restarts, or target classes.
  int64_t runs = 0;
};

class ApgdState final : public AttackState {
 public:
  ApgdState(const ApgdParameters& parameters, const AttackTarget& target, const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random),
        budget_(parameters.norm, parameters.eps, target.image, target.size),
        runs_(parameters.loss == Loss::kTargetedRatio
                  ? std::min<int64_t>(parameters.runs, target.num_classes - 1)
                  : parameters.runs),
        schedule_(static_cast<int>(parameters.steps), 2 * parameters.eps) {
    BeginRun();
  }

  Need need() const override {
    if (run_ >= runs_) return Need::kDone;
    // Nothing follows the last point, so its gradient is not needed.
    return iteration_ < parameters_.steps ? Need::kGradient : Need::kForward;
  }

  const std::vector<float>& point() const override { return x_; }

  void LogitGradient(const float* logits, float* derivative) const override {
    LossAt(logits, derivative);
  }

  void Step(const float* logits, const float* gradient) override {
    if (gradient == nullptr) {
      ++run_;
      if (run_ < runs_) BeginRun();
      return;
    }
    std::vector<float> unused(static_cast<size_t>(target_.num_classes));
    const double loss = LossAt(logits, unused.data());
    const float* direction = gradient;
    if (iteration_ == 0) {
      schedule_.Start(loss);
      previous_ = x_;
      KeepBest(gradient);
    } else {
      const ApgdSchedule::Decision decision = schedule_.Record(loss);
      if (decision.improved) KeepBest(gradient);
      if (decision.back_to_best) {
        x_ = best_;
        direction = best_gradient_.data();
      }
    }
    Move(direction);
    ++iteration_;
  }

 private:
  void BeginRun() {
    RandomStream stream(random_, target_.index, target_.stream + static_cast<uint32_t>(run_));
    budget_.RandomBoundaryPoint(stream, &x_);
    iteration_ = 0;
    if (parameters_.loss == Loss::kTargetedRatio) {
      class_ = RankedTarget(target_.clean_logits, target_.num_classes, target_.label,
                            static_cast<int>(run_) + 1);
    }
  }

  double LossAt(const float* logits, float* derivative) const {
    switch (parameters_.loss) {
      case Loss::kCrossEntropy:
        return CrossEntropy(logits, target_.num_classes, target_.label, derivative);
      case Loss::kRatio:
        return DifferenceOfLogitsRatio(logits, target_.num_classes, target_.label, derivative);
      case Loss::kTargetedRatio:
        return TargetedDifferenceOfLogitsRatio(logits, target_.num_classes, target_.label, class_,
                                               derivative);
    }
    return 0;
  }

  void KeepBest(const float* gradient) {
    best_ = x_;
    best_gradient_.assign(gradient, gradient + target_.size);
  }

  // z = P(x + step * direction); x' = P(x + a (z - x) + (1 - a)(x - x_previous)).
  void Move(const float* gradient) {
    const auto a = iteration_ == 0 ? 1.0F : 0.75F;
    ahead_ = x_;
    budget_.Ascend(gradient, schedule_.step_size(), &ahead_);
    const size_t n = target_.size;
    float* const x = x_.data();
    float* const ahead = ahead_.data();
    float* const previous = previous_.data();
    for (size_t i = 0; i < n; ++i) {
      const float here = x[i];
      x[i] = here + a * (ahead[i] - here) + (1.0F - a) * (here - previous[i]);
      previous[i] = here;
    }
    budget_.Project(&x_);
  }

  const ApgdParameters& parameters_;
  const AttackTarget target_;
  const RandomKey& random_;
  const Budget budget_;
  const int64_t runs_;
  ApgdSchedule schedule_;
  int64_t run_ = 0;
  int64_t iteration_ = 0;
  int class_ = 0;  // of a targeted run
  std::vector<float> x_, previous_, ahead_, best_, best_gradient_;
};

class Apgd final : public Attack {
 public:
  explicit Apgd(const ApgdParameters& parameters) : parameters_(parameters) {}
  Norm norm() const override { return parameters_.norm; }
  double eps() const override { return parameters_.eps; }
  std::unique_ptr<AttackState> Start(const AttackTarget& target,
                                     const RandomKey& random) const override {
    return std::make_unique<ApgdState>(parameters_, target, random);
  }
  double work() const override {
    return static_cast<double>(parameters_.runs * (3 * parameters_.steps + 1));
  }

 private:
  const ApgdParameters parameters_;
};

absl::StatusOr<std::unique_ptr<Attack>> MakeApgd(Params& params, Loss loss, const char* runs_name) {
  ApgdParameters parameters;
  parameters.norm = NormNamed(params.Text("norm"));
  parameters.eps = params.Number("eps");
  parameters.loss = loss;
  parameters.steps = params.Integer("steps");
  parameters.runs = params.Integer(runs_name);
  ASSAY_RETURN_IF_ERROR(params.status());
  return std::unique_ptr<Attack>(std::make_unique<Apgd>(parameters));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Attack>> MakeApgdCe(Params& params) {
  return MakeApgd(params, Loss::kCrossEntropy, "restarts");
}
absl::StatusOr<std::unique_ptr<Attack>> MakeApgdDlr(Params& params) {
  return MakeApgd(params, Loss::kRatio, "restarts");
}
absl::StatusOr<std::unique_ptr<Attack>> MakeApgdT(Params& params) {
  return MakeApgd(params, Loss::kTargetedRatio, "targets");
}

}  // namespace assay::engine
