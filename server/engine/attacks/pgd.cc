// Projected gradient ascent on a loss of the logits inside a budget, in the forms of the field:
//
//   fgsm     one step of size eps from the image (Goodfellow, Shlens and Szegedy, "Explaining and
//            harnessing adversarial examples", ICLR 2015)
//   bim      several smaller ones (Kurakin, Goodfellow and Bengio, "Adversarial examples in the
//            physical world", ICLR workshop 2017)
//   pgd      from a uniform random point of the budget, `restarts` times (Madry et al., "Towards
//            deep learning models resistant to adversarial attacks", ICLR 2018)
//   mi-fgsm  along accumulated gradients (Dong et al., "Boosting adversarial attacks with
//            momentum", CVPR 2018)
//
// Each step is one of steepest ascent, projected; every iterate counts. Towards a class, the loss
// is that of the class, to be made small. For random models the gradient of a step is the mean of
// `eot` passes (Athalye et al., "Obfuscated gradients give a false sense of security", ICML 2018).
//
// Without momentum the next point follows from the point. So a run that comes back to a point goes
// on where its last points are all that is left: whole periods of the cycle are left out.
#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/budget.h"
#include "server/engine/attacks/gradient_sum.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/visited_points.h"

namespace assay::engine {
namespace {

enum class Loss { kCrossEntropy, kRatio, kMargin };
enum class Goal { kAnyButLabel, kClass, kLeastLikely, kRandom, kEvery };

struct AscentParameters : AttackParameters {
  double step = 0;
  int64_t steps = 0;
  int64_t restarts = 1;
  bool random_start = false;
  double momentum = 0;
  Loss loss = Loss::kCrossEntropy;
  Goal goal = Goal::kAnyButLabel;
  int target = 0;  // of kClass
  int64_t eot = 1;
};

// Of the 65,536 random streams of a sample, the last one chooses a random class, and the ones
// before it are for random starts.
constexpr uint32_t kStreamOfClass = 65535;
constexpr int64_t kMaxStarts = 65535;

class AscentState final : public AttackState {
 public:
  using Parameters = AscentParameters;

  AscentState(const AscentParameters& parameters, const AttackTarget& target,
              const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random),
        budget_(parameters.norm, parameters.eps, target.image, target.size),
        aims_(ChooseAims()),
        // Steps do not depend on the gradient's length, so the sum does for the mean.
        gradient_(parameters.eot),
        visited_(target.deterministic && parameters.momentum == 0 && parameters.eot == 1) {
    if (!aims_.empty()) StartRun();
  }

  Need need() const override {
    if (aim_ == aims_.size()) return Need::kDone;
    // The last iterate needs no gradient.
    return iteration_ < parameters_.steps ? Need::kGradient : Need::kForward;
  }

  const std::vector<float>& point() const override { return point_; }

  int wanted() const override { return aim_ == aims_.size() ? kAnyButLabel : aims_[aim_]; }

  std::vector<int> targets() const override {
    return parameters_.goal == Goal::kAnyButLabel ? std::vector<int>() : aims_;
  }

  bool NextTarget() override {
    ++aim_;
    restart_ = 0;
    if (aim_ == aims_.size()) return false;
    StartRun();
    return true;
  }

  void LogitGradient(const float* logits, float* derivative) const override {
    const int classes = target_.num_classes;
    const int wanted = this->wanted();
    const bool towards = wanted != kAnyButLabel;
    switch (parameters_.loss) {
      case Loss::kCrossEntropy:
        CrossEntropy(logits, classes, towards ? wanted : target_.label, derivative);
        if (towards) std::transform(derivative, derivative + classes, derivative, std::negate<>());
        return;
      case Loss::kRatio:
        if (towards) {
          TargetedDifferenceOfLogitsRatio(logits, classes, target_.label, wanted, derivative);
        } else {
          DifferenceOfLogitsRatio(logits, classes, target_.label, derivative);
        }
        return;
      case Loss::kMargin: {
        // The class's logit against the largest other one.
        const int own = towards ? wanted : target_.label;
        derivative[own] = towards ? 1.0F : -1.0F;
        derivative[RankedTarget(logits, classes, own, 1)] = -derivative[own];
        return;
      }
    }
  }

  void Step(const float* logits, const float* gradient) override {
    repetition_ = {};
    if (gradient == nullptr) {
      if (++restart_ < parameters_.restarts) {
        StartRun();
      } else {
        NextTarget();
      }
      return;
    }
    const float* direction = gradient_.Add(gradient, target_.size);
    if (direction == nullptr) return;
    if (parameters_.momentum > 0) direction = Accumulate(direction);
    budget_.Ascend(direction, parameters_.step, &point_);
    ++iteration_;
    // What was misclassified and not confirmed is counted each time.
    if (Fools(logits)) visited_.Clear();
    repetition_ = visited_.Step(direction, point_, parameters_.steps - iteration_);
    iteration_ += static_cast<int64_t>(repetition_.passes) * repetition_.times;
  }

  Repetition repetition() const override { return repetition_; }

 private:
  // The classes that the sample is to be taken for, one after the other.
  std::vector<int> ChooseAims() const {
    const int classes = target_.num_classes;
    // With one class there is nothing to attack.
    if (classes < 2) return {};
    const auto ranked = [&](int rank) {
      return RankedTarget(target_.clean_logits, classes, target_.label, rank);
    };
    switch (parameters_.goal) {
      case Goal::kAnyButLabel:
        return {kAnyButLabel};
      case Goal::kClass:
        return parameters_.target == target_.label ? std::vector<int>()
                                                   : std::vector<int>{parameters_.target};
      case Goal::kLeastLikely:
        return {ranked(classes - 1)};
      case Goal::kRandom: {
        RandomStream stream(random_, target_.index, target_.stream + kStreamOfClass);
        const auto drawn = static_cast<int>(stream.Below(static_cast<uint32_t>(classes - 1)));
        return {drawn < target_.label ? drawn : drawn + 1};
      }
      case Goal::kEvery: {
        std::vector<int> all;
        for (int rank = 1; rank < classes; ++rank) all.push_back(ranked(rank));
        return all;
      }
    }
    return {};
  }

  void StartRun() {
    if (parameters_.random_start) {
      const int64_t start = static_cast<int64_t>(aim_) * parameters_.restarts + restart_;
      RandomStream stream(random_, target_.index, target_.stream + static_cast<uint32_t>(start));
      budget_.RandomPoint(stream, &point_);
    } else {
      point_.assign(target_.image, target_.image + target_.size);
    }
    iteration_ = 0;
    visited_.Start(point_);
    gradient_.Restart();
    if (parameters_.momentum > 0) accumulated_.assign(target_.size, 0.0F);
  }

  bool Fools(const float* logits) const {
    const int wanted = this->wanted();
    return wanted == kAnyButLabel ? Margin(logits, target_.num_classes, target_.label) <= 0
                                  : Margin(logits, target_.num_classes, wanted) > 0;
  }

  // accumulated := momentum * accumulated + gradient / ||gradient||_1.
  const float* Accumulate(const float* gradient) {
    double norm = 0;
    for (size_t i = 0; i < target_.size; ++i) norm += std::abs(gradient[i]);
    // In double precision, as gradients of confident models are near the smallest floats.
    const double scale = norm > 0 ? 1 / norm : 0;
    for (size_t i = 0; i < target_.size; ++i) {
      accumulated_[i] =
          static_cast<float>(parameters_.momentum * accumulated_[i] + scale * gradient[i]);
    }
    return accumulated_.data();
  }

  const AscentParameters& parameters_;
  const AttackTarget target_;
  const RandomKey& random_;
  const Budget budget_;
  const std::vector<int> aims_;
  size_t aim_ = 0;
  int64_t restart_ = 0;
  int64_t iteration_ = 0;
  GradientSum gradient_;
  VisitedPoints visited_;
  Repetition repetition_;
  std::vector<float> point_, accumulated_;
};

class Ascent final : public AttackOf<AscentState> {
 public:
  using AttackOf::AttackOf;
  absl::Status CheckModel(const Shape& /*shape*/, int num_classes) const override {
    // How many runs of all restarts.
    const int64_t aims = parameters().goal == Goal::kEvery ? num_classes - 1 : 1;
    if (aims * parameters().restarts > kMaxStarts) {
      return Error(Reason::kInvalidCondition,
                   absl::StrCat(parameters().restarts, " restarts for each of ", num_classes,
                                " classes are more than ", kMaxStarts, " runs"));
    }
    return absl::OkStatus();
  }
};

// What every form is told: norm, eps, target, loss, eot.
AscentParameters Read(Params& params) {
  AscentParameters parameters;
  ReadBudget(params, parameters);
  parameters.eot = params.Integer("eot");
  const std::string loss = params.Text("loss");
  if (loss == "dlr") parameters.loss = Loss::kRatio;
  if (loss == "margin") parameters.loss = Loss::kMargin;
  const std::string target = params.Text("target");
  if (absl::SimpleAtoi(target, &parameters.target)) {
    parameters.goal = Goal::kClass;
  } else if (target == "least-likely") {
    parameters.goal = Goal::kLeastLikely;
  } else if (target == "random") {
    parameters.goal = Goal::kRandom;
  } else if (target == "every") {
    parameters.goal = Goal::kEvery;
  }
  return parameters;
}

}  // namespace

NewAttack MakePgd(Params& params) {
  AscentParameters parameters = Read(params);
  parameters.steps = params.Integer("steps");
  parameters.step = params.Number("step");
  parameters.restarts = params.Integer("restarts");
  parameters.random_start = params.Text("start") == "random";
  parameters.momentum = params.Number("momentum");
  return std::make_unique<Ascent>(parameters);
}

NewAttack MakeFgsm(Params& params) {
  AscentParameters parameters = Read(params);
  parameters.steps = 1;
  parameters.step = parameters.eps;
  return std::make_unique<Ascent>(parameters);
}

NewAttack MakeBim(Params& params) {
  AscentParameters parameters = Read(params);
  parameters.steps = params.Integer("steps");
  parameters.step = params.Number("step");
  return std::make_unique<Ascent>(parameters);
}

NewAttack MakeMiFgsm(Params& params) {
  AscentParameters parameters = Read(params);
  parameters.steps = params.Integer("steps");
  parameters.step = params.Number("step");
  parameters.momentum = params.Number("momentum");
  return std::make_unique<Ascent>(parameters);
}

}  // namespace assay::engine
