// HopSkipJump (Chen, Jordan and Wainwright, "HopSkipJumpAttack: a query-efficient decision-based
// attack", IEEE S&P 2020): a minimum-norm attack that sees only which class the model names. From a
// misclassified start it goes to the boundary by bisection, estimates the boundary's normal from
// the decisions at random points around, steps along it, and goes back to the boundary.
//
// Where this differs from the paper:
//  * Starts are noise images with cells of 1, 2, 4, ... pixels in turn, the first kind being the
//    paper's: a model that gives all fine noise to one class would leave that class without a
//    start.
//  * The tolerance of the bisection is d^-3/2 for Linf too, where the paper has d^-2: the radius of
//    the sampling follows from it, and would be below what float32 can tell apart.
#include <algorithm>
#include <cmath>
#include <utility>

#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/pixels.h"
#include "server/engine/base/task.h"

namespace assay::engine {
namespace {

// The published settings: noise images tried as start, sampled points in the first iteration, and
// the radius there.
constexpr int64_t kStartQueries = 100;
constexpr double kFirstBatch = 100;
constexpr double kLargestBatch = 10000;
constexpr double kFirstRadius = 0.1;

struct HopSkipJumpParameters : AttackParameters {
  int64_t queries = 0;
};

class HopSkipJumpState final : public AttackState {
 public:
  using Parameters = HopSkipJumpParameters;

  HopSkipJumpState(const HopSkipJumpParameters& parameters, const AttackTarget& target,
                   const RandomKey& random)
      : parameters_(parameters),
        target_(target),
        random_(random, target.index, target.stream),
        dimension_(static_cast<double>(target.size)),
        // Relative bisection below the spacing of float32 would go nowhere.
        tolerance_(std::max(1 / (dimension_ * std::sqrt(dimension_)), 1e-7)),
        point_(target.size),
        normal_(target.size),
        sum_(target.size) {
    Noise();
  }

  Need need() const override {
    return query_ < parameters_.queries && phase_ != Phase::kNoStart ? Need::kForward : Need::kDone;
  }
  const std::vector<float>& point() const override { return point_; }

  void Step(const float* logits, const float* /*gradient*/) override {
    const bool fooled = !Predict(logits, target_.num_classes).Is(target_.label);
    ++query_;
    switch (phase_) {
      case Phase::kStart:
        if (fooled) {
          adversarial_ = point_;
          StartBisection();
        } else if (query_ < kStartQueries) {
          Noise();
        } else {
          phase_ = Phase::kNoStart;
        }
        return;
      case Phase::kBisection:
        if (fooled) {
          adversarial_ = point_;
          high_ = middle_;
        } else {
          low_ = middle_;
        }
        Bisect();
        return;
      case Phase::kSampling:
        // The sampled direction, as clipping left it.
        AddDirection(&(fooled ? sum_ : normal_));
        fooled_ += fooled ? 1 : 0;
        if (++sampled_ < batch_) {
          Sample();
        } else {
          StartJump();
        }
        return;
      case Phase::kJump:
        if (fooled) {
          adversarial_ = point_;
          StartBisection();
        } else {
          jump_ /= 2;
          Jump();
        }
        return;
      case Phase::kNoStart:
        return;
    }
  }

 private:
  enum class Phase { kStart, kNoStart, kBisection, kSampling, kJump };

  double DistanceTo(const std::vector<float>& x) const {
    return Distance(parameters_.norm, x.data(), target_.image, target_.size);
  }

  // Uniform noise in square cells, whose side doubles from try to try up to the image's own.
  void Noise() {
    const auto height = static_cast<size_t>(target_.shape.height),
               width = static_cast<size_t>(target_.shape.width);
    int64_t kinds = 1;
    while ((size_t{1} << kinds) <= std::max(height, width)) ++kinds;
    const size_t side = size_t{1} << (query_ % kinds);
    const size_t columns = (width + side - 1) / side, rows = (height + side - 1) / side;
    std::vector<float> cells(rows * columns);
    for (size_t first = 0; first < target_.size; first += height * width) {
      for (float& value : cells) value = random_.Uniform();
      for (size_t i = 0; i < height * width; ++i) {
        point_[first + i] = cells[i / width / side * columns + i % width / side];
      }
    }
  }

  // Between the image (0) and `adversarial_` (1), along the straight line for L2 and through
  // shrinking boxes for Linf.
  void StartBisection() {
    phase_ = Phase::kBisection;
    far_ = adversarial_;
    far_distance_ = DistanceTo(far_);
    low_ = 0;
    high_ = 1;
    Bisect();
  }

  void Bisect() {
    if (high_ - low_ <= tolerance_) {
      StartSampling();
      return;
    }
    middle_ = 0.5 * (low_ + high_);
    const double reach = middle_ * far_distance_;
    for (size_t i = 0; i < point_.size(); ++i) {
      const double image = target_.image[i], change = far_[i] - image;
      const double moved = parameters_.norm == Norm::kLinf
                               ? std::min(std::max(change, -reach), reach)
                               : middle_ * change;
      point_[i] = static_cast<float>(image + moved);
    }
  }

  // At the boundary: decisions around it tell its normal.
  void StartSampling() {
    phase_ = Phase::kSampling;
    ++iteration_;
    distance_ = DistanceTo(adversarial_);
    radius_ =
        iteration_ == 1
            ? kFirstRadius
            : std::max(tolerance_ * distance_ *
                           (parameters_.norm == Norm::kLinf ? dimension_ : std::sqrt(dimension_)),
                       1e-6 * std::sqrt(dimension_));
    batch_ = static_cast<int64_t>(
        std::min(kFirstBatch * std::sqrt(static_cast<double>(iteration_)), kLargestBatch));
    sampled_ = fooled_ = 0;
    std::fill(sum_.begin(), sum_.end(), 0.0);
    std::fill(normal_.begin(), normal_.end(), 0.0);
    Sample();
  }

  // A random direction of L2 norm 1: from the sphere for L2, from the cube for Linf.
  void Sample() {
    direction_.resize(point_.size());
    if (parameters_.norm == Norm::kLinf) {
      for (float& value : direction_) value = 2 * random_.Uniform() - 1;
    } else {
      random_.FillNormal(1.0F, direction_.data(), direction_.size());
    }
    double squared = 0;
    for (const float value : direction_) squared += static_cast<double>(value) * value;
    const double scale = radius_ / std::sqrt(squared);
    for (size_t i = 0; i < point_.size(); ++i) {
      point_[i] = static_cast<float>(Clip(adversarial_[i] + scale * direction_[i]));
    }
  }

  void AddDirection(std::vector<double>* sum) const {
    double* const to = sum->data();
    const float* const point = point_.data();
    const float* const adversarial = adversarial_.data();
    for (size_t i = 0; i < sum->size(); ++i) {
      to[i] += (static_cast<double>(point[i]) - adversarial[i]) / radius_;
    }
  }

  // Mean of (phi - mean of phi) u over the samples u with decisions phi = 1 (fooled) or -1. So far
  // `sum_` is the sum of the fooled u, and `normal_` of the others.
  void StartJump() {
    const double mean = (2 * static_cast<double>(fooled_) - static_cast<double>(batch_)) /
                        static_cast<double>(batch_);
    const bool one_sided = fooled_ == 0 || fooled_ == batch_;
    double squared = 0;
    for (size_t i = 0; i < normal_.size(); ++i) {
      normal_[i] =
          one_sided ? sum_[i] - normal_[i] : (1 - mean) * sum_[i] - (1 + mean) * normal_[i];
      squared += normal_[i] * normal_[i];
    }
    for (double& value : normal_) {
      value = parameters_.norm == Norm::kLinf ? Sign(value)
                                              : value / std::max(std::sqrt(squared), 1e-300);
    }
    phase_ = Phase::kJump;
    jump_ = distance_ / std::sqrt(static_cast<double>(iteration_));
    Jump();
  }

  void Jump() {
    // A normal that points the wrong way never meets the other class; go on from where it was.
    if (jump_ < tolerance_ * distance_) {
      StartBisection();
      return;
    }
    for (size_t i = 0; i < point_.size(); ++i) {
      point_[i] = static_cast<float>(Clip(adversarial_[i] + jump_ * normal_[i]));
    }
  }

  const HopSkipJumpParameters& parameters_;
  const AttackTarget target_;
  RandomStream random_;
  const double dimension_, tolerance_;
  Phase phase_ = Phase::kStart;
  int64_t query_ = 0, iteration_ = 0;
  std::vector<float> point_;
  // The nearest misclassified point of this iteration; always on the wrong side of the boundary.
  std::vector<float> adversarial_;
  double distance_ = 0;
  // Bisection.
  std::vector<float> far_;
  double far_distance_ = 0, low_ = 0, high_ = 1, middle_ = 0;
  // Sampling.
  double radius_ = 0;
  int64_t batch_ = 0, sampled_ = 0, fooled_ = 0;
  std::vector<float> direction_;
  std::vector<double> normal_, sum_;
  double jump_ = 0;
};

}  // namespace

NewAttack MakeHopSkipJump(Params& params) {
  HopSkipJumpParameters parameters;
  parameters.norm = NormNamed(params.Text("norm"));
  parameters.eps = INFINITY;
  parameters.queries = params.Integer("queries");
  return std::make_unique<AttackOf<HopSkipJumpState>>(parameters);
}

}  // namespace assay::engine
