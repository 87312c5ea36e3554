#include "server/engine/attacks/minimum_norm.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "server/engine/attacks/array_kernels.h"
#include "server/engine/attacks/hyperplane.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/pixels.h"

namespace assay::engine {
namespace {

// Steps of a walk, and their lengths: the first moves values by a hundredth (root mean square), and
// the last crosses the whole of [0, 1].
constexpr int kWalkSteps = 20;
constexpr double kFirstStep = 0.01;
constexpr double kLonger = 1.25;
// Forward passes that bring what a walk found to the boundary.
constexpr int64_t kApproach = 10;
// Where walks after the first start: at a share of the way from the image to an image of noise
// between two levels. Noise of the whole range first, near the image and farther; then white and
// black, which a model that looks at the brightness may need; then noise between random levels.
struct Start {
  float share, low, high;
};
constexpr Start kStarts[] = {{0.125F, 0, 1}, {0.25F, 0, 1}, {0.5F, 0, 1},
                             {1, 0, 1},      {1, 1, 1},     {1, 0, 0}};

// Of the cross-entropy of the logits stretched to a range of ten. That of the logits themselves is
// zero for a model that is very sure, and that of the margin where two classes have no gradient,
// whatever the others have.
void StretchedCrossEntropy(const float* logits, int num_classes, int label, float* derivative) {
  const auto [low, high] = std::minmax_element(logits, logits + num_classes);
  const float range = *high - *low;
  std::vector<float> stretched(logits, logits + num_classes);
  // Also when it is not a number.
  if (range > 0) {
    for (float& z : stretched) z = (z - *low) / range * 10;
  }
  CrossEntropy(stretched.data(), num_classes, label, derivative);
}

}  // namespace

void ReadMinimumNorm(Params& params, MinimumNormParameters& parameters) {
  parameters.norm = NormNamed(params.Text("norm"));
  parameters.eps = std::numeric_limits<double>::infinity();
  parameters.restarts = params.Integer("restarts");
  parameters.polish = params.Integer("polish");
  parameters.refine = params.Integer("refine");
}

MinimumNormState::MinimumNormState(const MinimumNormParameters& parameters,
                                   const AttackTarget& target, const RandomKey& random)
    : delta_(target.size),
      parameters_(parameters),
      target_(target),
      random_(random),
      point_(target.image, target.image + target.size) {}

Need MinimumNormState::need() const {
  switch (phase_) {
    case Phase::kMethod:
    case Phase::kWalk:
    case Phase::kPolish:
    case Phase::kRank:
      return Need::kGradient;
    case Phase::kApproach:
    case Phase::kSearch:
      return Need::kForward;
    case Phase::kDone:
      break;
  }
  return Need::kDone;
}

void MinimumNormState::LogitGradient(const float* logits, float* derivative) const {
  if (phase_ == Phase::kMethod) {
    MethodGradient(logits, derivative);
  } else if (phase_ == Phase::kWalk) {
    StretchedCrossEntropy(logits, target_.num_classes, target_.label, derivative);
  } else {
    MinimumNormState::MethodGradient(logits, derivative);
  }
}

void MinimumNormState::MethodGradient(const float* logits, float* derivative) const {
  derivative[target_.label] = 1;
  derivative[RankedTarget(logits, target_.num_classes, target_.label, 1)] = -1;
}

void MinimumNormState::Step(const float* logits, const float* gradient) {
  const double margin = Margin(logits, target_.num_classes, target_.label);
  if (phase_ == Phase::kMethod) {
    Remember(margin);
    if (Move(logits, margin, gradient)) {
      Place();
    } else {
      AfterMethod();
    }
    return;
  }
  if (phase_ == Phase::kWalk) {
    Remember(margin);
    if (!best_.empty()) {
      BeginApproach();
    } else if (!Walk(gradient)) {
      BeginWalk();
    }
    return;
  }
  if (phase_ == Phase::kApproach) {
    Remember(margin);
    (margin <= 0 ? high_ : low_) = Middle();
    ContinueApproach();
    return;
  }
  if (phase_ == Phase::kPolish) {
    Remember(margin);
    if (polished_ < parameters_.polish && Polish(margin, gradient)) {
      ++polished_;
      Place();
    } else {
      BeginSearch();
    }
    return;
  }
  if (phase_ == Phase::kRank) {
    // What each change does for the margin, to first order.
    const auto gain = [&](uint32_t i) { return gradient[i] * (target_.image[i] - point_[i]); };
    std::sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) {
      return gain(a) != gain(b) ? gain(a) > gain(b) : a < b;
    });
    phase_ = Phase::kSearch;
  } else {
    (margin <= 0 ? high_ : low_) = Middle();
  }
  ContinueSearch();
}

void MinimumNormState::Place() {
  for (size_t i = 0; i < target_.size; ++i) {
    point_[i] = Clip(target_.image[i] + delta_[i]);
  }
}

void MinimumNormState::Remember(double margin) {
  // Not a number is not an adversarial example.
  if (!(margin <= 0)) return;
  const double distance = Distance(parameters_.norm, point_.data(), target_.image, target_.size);
  if (distance >= best_distance_) return;
  best_distance_ = distance;
  best_ = delta_;
}

void MinimumNormState::AfterMethod() {
  if (best_.empty() && parameters_.restarts > 0) {
    BeginWalk();
  } else {
    BeginEnd();
  }
}

void MinimumNormState::BeginWalk() {
  if (walks_ > parameters_.restarts) {
    phase_ = Phase::kDone;
    return;
  }
  phase_ = Phase::kWalk;
  walked_ = 0;
  if (walks_ == 0) {
    std::fill(delta_.begin(), delta_.end(), 0.0F);
  } else {
    RandomStream random(random_, target_.index, target_.stream + static_cast<uint32_t>(walks_));
    const auto turn = static_cast<size_t>(walks_ - 1);
    Start start{1, random.Uniform(), random.Uniform()};
    if (turn < std::size(kStarts)) start = kStarts[turn];
    for (size_t i = 0; i < target_.size; ++i) {
      const float noise = start.low + (start.high - start.low) * random.Uniform();
      delta_[i] = start.share * (noise - target_.image[i]);
    }
  }
  ++walks_;
  Place();
}

bool MinimumNormState::Walk(const float* gradient) {
  const double slope = Length(Norm::kL2, gradient, target_.size);
  if (walked_ >= kWalkSteps || !(slope > 0)) return false;
  const double length =
      kFirstStep * std::sqrt(static_cast<double>(target_.size)) * std::pow(kLonger, walked_);
  ++walked_;
  // In double precision: for the smallest gradients the scale is beyond a float.
  const double scale = length / slope;
  for (size_t i = 0; i < target_.size; ++i) {
    delta_[i] = static_cast<float>(point_[i] + scale * gradient[i]) - target_.image[i];
  }
  Place();
  return true;
}

void MinimumNormState::BeginApproach() {
  phase_ = Phase::kApproach;
  far_ = best_;
  ContinueApproach();
}

void MinimumNormState::ContinueApproach() {
  const bool there = probes_ >= kApproach;
  const auto share = static_cast<float>(there ? high_ : Middle());
  for (size_t i = 0; i < target_.size; ++i) delta_[i] = share * far_[i];
  if (!there) {
    ++probes_;
  } else {
    probes_ = 0;
    low_ = 0;
    high_ = 1;
    phase_ = Phase::kMethod;
    StartAgain();
  }
  Place();
}

void MinimumNormState::BeginEnd() {
  if (best_.empty()) {
    phase_ = Phase::kDone;
  } else if (parameters_.polish > 0 && parameters_.norm != Norm::kL0) {
    phase_ = Phase::kPolish;
    delta_ = best_;
    Place();
  } else {
    BeginSearch();
  }
}

bool MinimumNormState::Polish(double margin, const float* gradient) {
  // What the image has to lose to be on the boundary.
  double offset = margin;
  for (size_t i = 0; i < target_.size; ++i) {
    offset += static_cast<double>(gradient[i]) * (target_.image[i] - point_[i]);
  }
  // Also when it is not a number.
  if (!(offset > 0)) return false;
  // A little further, so that rounding does not leave the point on the near side.
  constexpr double kBeyond = 1.0005;
  StepToHyperplane(parameters_.norm, target_.image, gradient, kBeyond * offset, target_.size,
                   delta_.data());
  return true;
}

void MinimumNormState::BeginSearch() {
  if (parameters_.refine == 0) {
    phase_ = Phase::kDone;
    return;
  }
  if (parameters_.norm != Norm::kL0) {
    phase_ = Phase::kSearch;
    ContinueSearch();
    return;
  }
  delta_ = best_;
  Place();
  for (uint32_t i = 0; i < target_.size; ++i) {
    if (point_[i] != target_.image[i]) order_.push_back(i);
  }
  high_ = static_cast<double>(order_.size());
  phase_ = order_.size() > 1 ? Phase::kRank : Phase::kDone;
}

void MinimumNormState::ContinueSearch() {
  const bool l0 = parameters_.norm == Norm::kL0;
  if (probes_ >= parameters_.refine || (l0 && high_ - low_ <= 1)) {
    phase_ = Phase::kDone;
    return;
  }
  ++probes_;
  if (l0) {
    const auto kept = static_cast<size_t>(Middle());
    std::fill(delta_.begin(), delta_.end(), 0.0F);
    for (size_t k = 0; k < kept; ++k) delta_[order_[k]] = best_[order_[k]];
  } else {
    const auto share = static_cast<float>(Middle());
    for (size_t i = 0; i < target_.size; ++i) delta_[i] = share * best_[i];
  }
  Place();
}

double MinimumNormState::Middle() const {
  const double middle = (low_ + high_) / 2;
  return parameters_.norm == Norm::kL0 && phase_ == Phase::kSearch ? std::floor(middle) : middle;
}

}  // namespace assay::engine
