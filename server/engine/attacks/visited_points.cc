#include "server/engine/attacks/visited_points.h"

#include <cstring>

#include "server/engine/attacks/array_kernels.h"

namespace assay::engine {
namespace {

// To the bit.
bool Same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

void VisitedPoints::Clear() {
  last_.clear();
  before_.clear();
  far_.clear();
  count_ = 0;
}

void VisitedPoints::Start(const std::vector<float>& point) {
  Clear();
  if (wanted_) Remember(point);
}

Repetition VisitedPoints::Step(const float* gradient, const std::vector<float>& point,
                               int64_t left) {
  if (!wanted_) return {};
  int64_t period = 0;
  if (Same(point, last_)) {
    period = 1;
  } else if (Same(point, before_)) {
    period = 2;
  } else if (Same(point, far_)) {
    period = count_ + 1 - far_count_;
  }
  Remember(point);
  const bool stands_still = period == 1;
  if (period == 0 || (stands_still && AbsoluteSum(gradient, point.size()) == 0)) return {};
  return {static_cast<size_t>(period), left / period};
}

void VisitedPoints::Remember(const std::vector<float>& point) {
  before_.swap(last_);
  last_ = point;
  ++count_;
  const bool power_of_two = (count_ & (count_ - 1)) == 0;
  if (power_of_two) {
    far_ = point;
    far_count_ = count_;
  }
}

}  // namespace assay::engine
