#include "server/engine/attacks/visited_points.h"

#include <algorithm>
#include <cstring>

#include "core/base/random.h"
#include "server/engine/attacks/array_kernels.h"

namespace assay::engine {
namespace {

// Values in two words, the unit that is multiplied.
constexpr size_t kValues = 4;

}  // namespace

VisitedPoints::VisitedPoints(size_t size) {
  if (size == 0) return;
  // Two for each unit, and two more for the shift.
  keys_.resize((size + kValues - 1) / kValues * 2 + 2);
  std::vector<uint32_t> bits(2 * keys_.size());
  RandomStream(RandomKey(0, "visited points"), 0, 0).FillBits(bits.data(), bits.size());
  std::memcpy(keys_.data(), bits.data(), keys_.size() * sizeof(uint64_t));
}

void VisitedPoints::Clear() {
  visited_.clear();
  count_ = 0;
}

void VisitedPoints::Start(const std::vector<float>& point) {
  Clear();
  if (keys_.empty()) return;
  visited_.push_back(Of(point));
  count_ = 1;
}

Repetition VisitedPoints::Step(const float* gradient, const std::vector<float>& point,
                               int64_t left) {
  if (keys_.empty()) return {};
  const Fingerprint here = Of(point);
  // Fewer steps than a period leave nothing out.
  const auto most = static_cast<size_t>(std::min<int64_t>(left, kRemembered));
  size_t period = 0;
  for (size_t ago = 1; ago <= std::min(most, count_) && period == 0; ++ago) {
    if (visited_[(count_ - ago) % kRemembered] == here) period = ago;
  }
  if (visited_.size() < kRemembered) {
    visited_.push_back(here);
  } else {
    visited_[count_ % kRemembered] = here;
  }
  ++count_;
  const bool stands_still = period == 1;
  if (period == 0 || (stands_still && AbsoluteSum(gradient, point.size()) == 0)) return {};
  return {period, left / static_cast<int64_t>(period)};
}

VisitedPoints::Fingerprint VisitedPoints::Of(const std::vector<float>& point) const {
  Fingerprint sums{};
  const uint64_t* key = keys_.data();
  const auto add = [&](const float* values, size_t bytes) {
    uint64_t words[2] = {};
    std::memcpy(words, values, bytes);
    sums[0] += static_cast<Wide>(words[0] + key[0]) * (words[1] + key[1]);
    sums[1] += static_cast<Wide>(words[0] + key[2]) * (words[1] + key[3]);
    key += 2;
  };
  size_t i = 0;
  for (; i + kValues <= point.size(); i += kValues) add(&point[i], kValues * sizeof(float));
  if (i < point.size()) add(&point[i], (point.size() - i) * sizeof(float));
  return sums;
}

}  // namespace assay::engine
