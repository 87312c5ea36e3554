// Auto-PGD for Linf and L2 (Croce and Hein, "Reliable evaluation of adversarial robustness with an
// ensemble of diverse parameter-free attacks", ICML 2020): projected gradient steps with momentum,
// whose size is halved at checkpoints when progress stalls; and for L1 (Croce and Hein, "Mind the
// box: l1-APGD for sparse adversarial attacks on image classifiers", ICML 2021): steps that change
// few values, and an exact projection. Untargeted with cross-entropy (apgd-ce) or the
// difference-of-logits ratio (apgd-dlr), and targeted at the classes that the clean image comes
// nearest to, one after the other (apgd-t).
#include <algorithm>
#include <cmath>
#include <utility>

#include "server/engine/attacks/apgd_schedule.h"
#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/gradient_sum.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/pixels.h"

namespace assay::engine {
namespace {

enum class Loss { kCrossEntropy, kRatio, kTargetedRatio };

// Iterations in a budget of a multiple of eps.
struct Stage {
  double eps = 0;
  int64_t steps = 0;
};

struct ApgdParameters : AttackParameters {
  Loss loss = Loss::kCrossEntropy;
  int64_t steps = 0;
  // Restarts, or target classes.
  int64_t runs = 0;
  // Gradients averaged in each iteration, for models that draw random numbers.
  int64_t eot = 1;
  // Of one run. All but the last only prepare the start of the next.
  std::vector<Stage> stages;
};

// Three tenths of the steps in 3 eps, as many in 2 eps, and the rest in eps.
std::vector<Stage> LargerFirst(double eps, int64_t steps) {
  const int64_t part = (3 * steps + 9) / 10;
  std::vector<Stage> stages;
  int64_t left = steps;
  for (const int multiple : {3, 2}) {
    stages.push_back({multiple * eps, std::min(part, left)});
    left -= stages.back().steps;
  }
  stages.push_back({eps, left});
  return stages;
}

class ApgdState final : public AttackState {
 public:
  using Parameters = ApgdParameters;

  ApgdState(const ApgdParameters& parameters, const AttackTarget& target, const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random),
        runs_(parameters.loss == Loss::kTargetedRatio
                  ? std::min<int64_t>(parameters.runs, target.num_classes - 1)
                  : parameters.runs),
        mean_(parameters.eot, 1.0F / static_cast<float>(parameters.eot)) {
    for (const Stage& stage : parameters.stages) {
      const auto steps = static_cast<int>(stage.steps);
      stages_.push_back({Budget(parameters.norm, stage.eps, target.image, target.size),
                         ApgdSchedule(steps, 2 * stage.eps),
                         SparseSchedule(steps, stage.eps, target.size), stage.steps});
    }
    if (run_ < runs_) BeginRun();
  }

  Need need() const override {
    if (run_ >= runs_) return Need::kDone;
    // Nothing follows the last point, so its gradient is not needed.
    return confirming_ || iteration_ >= stages_[stage_].steps ? Need::kForward : Need::kGradient;
  }

  const std::vector<float>& point() const override { return x_; }

  // Of a model that draws random numbers, some of many passes is wrong by chance. So, as in the
  // published protocol, the last misclassified point of a run is tried once more, and that counts.
  bool counts() const override { return parameters_.eot == 1 || confirming_; }

  void LogitGradient(const float* logits, float* derivative) const override {
    LossAt(logits, derivative);
  }

  void Step(const float* logits, const float* gradient) override {
    if (confirming_) {
      run_ = runs_;  // not confirmed; the published protocol makes no second attempt
      return;
    }
    if (gradient != nullptr) {
      gradient = mean_.Add(gradient, target_.size);
      if (gradient == nullptr) return;
    }
    // The loss and the prediction are those of the last pass.
    std::vector<float> unused(static_cast<size_t>(target_.num_classes));
    const double loss = LossAt(logits, unused.data());
    if (parameters_.eot > 1 && stage_ + 1 == stages_.size() &&
        Margin(logits, target_.num_classes, target_.label) <= 0) {
      misclassified_ = x_;
    }
    if (gradient == nullptr) {
      EndStage(loss);
      return;
    }
    const float* const direction =
        parameters_.norm == Norm::kL1 ? RecordSparse(loss, gradient) : Record(loss, gradient);
    if (parameters_.norm == Norm::kL1) {
      MoveSparsely(direction);
    } else {
      Move(direction);
    }
    ++iteration_;
  }

 private:
  struct StageState {
    Budget budget;
    ApgdSchedule schedule;
    SparseSchedule sparse_schedule;
    int64_t steps = 0;
  };

  void BeginRun() {
    RandomStream stream(random_, target_.index, target_.stream + static_cast<uint32_t>(run_));
    stage_ = 0;
    stages_[0].budget.RandomBoundaryPoint(stream, &x_);
    iteration_ = 0;
    if (parameters_.loss == Loss::kTargetedRatio) {
      class_ = RankedTarget(target_.clean_logits, target_.num_classes, target_.label,
                            static_cast<int>(run_) + 1);
    }
  }

  // `loss` is that of the stage's last point.
  void EndStage(double loss) {
    if (stage_ + 1 < stages_.size()) {
      if (iteration_ > 0 && loss <= best_loss_) x_ = best_;
      ++stage_;
      iteration_ = 0;
      stages_[stage_].budget.Project(&x_);
      return;
    }
    if (!misclassified_.empty()) {
      x_ = misclassified_;
      confirming_ = true;
      return;
    }
    ++run_;
    if (run_ < runs_) BeginRun();
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

  void KeepBest(double loss, const float* gradient) {
    best_loss_ = loss;
    best_ = x_;
    best_gradient_.assign(gradient, gradient + target_.size);
  }

  // Both take the results at x_, which becomes the point to go on from, and return the gradient
  // there.
  const float* Record(double loss, const float* gradient) {
    ApgdSchedule& schedule = stages_[stage_].schedule;
    if (iteration_ == 0) {
      schedule.Start(loss);
      previous_ = x_;
      KeepBest(loss, gradient);
      return gradient;
    }
    const ApgdSchedule::Decision decision = schedule.Record(loss);
    if (decision.improved) KeepBest(loss, gradient);
    if (!decision.back_to_best) return gradient;
    x_ = best_;
    return best_gradient_.data();
  }

  const float* RecordSparse(double loss, const float* gradient) {
    SparseSchedule& schedule = stages_[stage_].sparse_schedule;
    if (iteration_ == 0) {
      if (stages_.size() == 1) {
        schedule.StartAtRandom(loss);
      } else {
        schedule.StartAt(loss, Changed(x_));
      }
      KeepBest(loss, gradient);
      return gradient;
    }
    const SparseSchedule::Decision decision = schedule.Record(loss);
    if (decision.improved) KeepBest(loss, gradient);
    if (!decision.checkpoint || !schedule.AtCheckpoint(Changed(best_))) return gradient;
    x_ = best_;
    return best_gradient_.data();
  }

  double Changed(const std::vector<float>& x) const {
    return Distance(Norm::kL0, x.data(), target_.image, target_.size);
  }

  // z = P(x + step * direction); x' = P(x + a (z - x) + (1 - a)(x - x_previous)).
  void Move(const float* gradient) {
    const StageState& stage = stages_[stage_];
    const auto a = iteration_ == 0 ? 1.0F : 0.75F;
    ahead_ = x_;
    stage.budget.Ascend(gradient, stage.schedule.step_size(), &ahead_);
    const size_t n = target_.size;
    float* const x = x_.data();
    float* const ahead = ahead_.data();
    float* const previous = previous_.data();
    for (size_t i = 0; i < n; ++i) {
      const float here = x[i];
      x[i] = here + a * (ahead[i] - here) + (1.0F - a) * (here - previous[i]);
      previous[i] = here;
    }
    stage.budget.Project(&x_);
  }

  // x' = P(x + step * s / ||s||_1), s the signs of the gradient where it is largest.
  void MoveSparsely(const float* gradient) {
    const StageState& stage = stages_[stage_];
    const size_t n = target_.size;
    ahead_.resize(n);
    for (size_t i = 0; i < n; ++i) ahead_[i] = std::abs(gradient[i]);
    const float threshold = Smallest(ahead_.data(), stage.sparse_schedule.first_changed(), n);
    size_t count = 0;
    for (size_t i = 0; i < n; ++i) {
      const float magnitude = std::abs(gradient[i]);
      count += magnitude >= threshold && magnitude > 0.0F ? 1 : 0;
    }
    if (count == 0) return;
    const auto length =
        static_cast<float>(stage.sparse_schedule.step_size() / static_cast<double>(count));
    for (size_t i = 0; i < n; ++i) {
      if (std::abs(gradient[i]) < threshold) continue;
      x_[i] += length * Sign(gradient[i]);
    }
    stage.budget.Project(&x_);
  }

  const ApgdParameters& parameters_;
  const AttackTarget target_;
  const RandomKey& random_;
  const int64_t runs_;
  std::vector<StageState> stages_;
  size_t stage_ = 0;
  int64_t run_ = 0;
  int64_t iteration_ = 0;
  bool confirming_ = false;
  int class_ = 0;  // of a targeted run
  double best_loss_ = 0;
  GradientSum mean_;
  std::vector<float> x_, previous_, ahead_, best_, best_gradient_, misclassified_;
};

NewAttack MakeApgd(Params& params, Loss loss, const char* runs_name) {
  ApgdParameters parameters;
  ReadBudget(params, parameters);
  parameters.loss = loss;
  parameters.steps = params.Integer("steps");
  parameters.runs = params.Integer(runs_name);
  parameters.eot = params.Integer("eot");
  if (params.Text("larger_eps") == "yes") {
    parameters.stages = LargerFirst(parameters.eps, parameters.steps);
  } else {
    parameters.stages = {{parameters.eps, parameters.steps}};
  }
  parameters.leaves_budget = parameters.stages.size() > 1;
  return std::make_unique<AttackOf<ApgdState>>(std::move(parameters));
}

}  // namespace

NewAttack MakeApgdCe(Params& params) { return MakeApgd(params, Loss::kCrossEntropy, "restarts"); }
NewAttack MakeApgdDlr(Params& params) { return MakeApgd(params, Loss::kRatio, "restarts"); }
NewAttack MakeApgdT(Params& params) { return MakeApgd(params, Loss::kTargetedRatio, "targets"); }

}  // namespace assay::engine
