#include "server/engine/attacks/nearest.h"

#include <algorithm>

#include "server/engine/attacks/losses.h"

namespace assay::engine {

Need NearestState::need() const {
  if (!confirms()) return method_->need();
  return candidates_.empty() ? Need::kDone : Need::kForward;
}

const std::vector<float>& NearestState::point() const {
  return confirms() ? candidates_.front().point : method_->point();
}

void NearestState::LogitGradient(const float* logits, float* derivative) const {
  method_->LogitGradient(logits, derivative);
}

void NearestState::Step(const float* logits, const float* gradient) {
  if (confirms()) {
    candidates_.erase(candidates_.begin());
    return;
  }
  if (Margin(logits, target_.num_classes, target_.label) <= 0) Consider(gradient == nullptr);
  method_->Step(logits, gradient);
}

void NearestState::Consider(bool verified) {
  constexpr size_t kMaxCandidates = 4;
  const std::vector<float>& point = method_->point();
  const double distance = attack_.Measure(point.data(), target_);
  // Nothing farther than a verified candidate can matter.
  const auto dominated = [&](const Candidate& c) { return c.verified && c.distance <= distance; };
  if (std::any_of(candidates_.begin(), candidates_.end(), dominated)) return;
  const auto place = std::upper_bound(
      candidates_.begin(), candidates_.end(), distance,
      [](double value, const Candidate& candidate) { return value < candidate.distance; });
  const auto added = candidates_.insert(place, Candidate{point, distance, verified});
  if (verified) candidates_.erase(added + 1, candidates_.end());
  // The farthest stays: it is verified, or the one that is most surely across the boundary.
  if (candidates_.size() > kMaxCandidates) candidates_.erase(candidates_.end() - 2);
}

}  // namespace assay::engine
