#include "server/engine/attacks/minimum_norm.h"

#include <algorithm>
#include <cmath>

#include "server/engine/attacks/hyperplane.h"
#include "server/engine/attacks/losses.h"
#include "server/engine/attacks/registry.h"

namespace assay::engine {

void ReadMinimumNorm(Params& params, MinimumNormParameters& parameters) {
  parameters.norm = NormNamed(params.Text("norm"));
  parameters.polish = params.Integer("polish");
  parameters.refine = params.Integer("refine");
}

MinimumNormState::MinimumNormState(const MinimumNormParameters& parameters,
                                   const AttackTarget& target)
    : delta_(target.size),
      parameters_(parameters),
      target_(target),
      point_(target.image, target.image + target.size) {}

Need MinimumNormState::need() const {
  switch (phase_) {
    case Phase::kMethod:
    case Phase::kPolish:
    case Phase::kRank:
      return Need::kGradient;
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
      BeginEnd();
    }
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
    point_[i] = std::min(std::max(target_.image[i] + delta_[i], 0.0F), 1.0F);
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
  return parameters_.norm == Norm::kL0 ? std::floor(middle) : middle;
}

}  // namespace assay::engine
