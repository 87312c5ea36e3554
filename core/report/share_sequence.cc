#include "core/report/share_sequence.h"

#include <algorithm>
#include <cmath>

#include "core/statistics/confidence_sequence.h"

namespace assay::report {

bool ProvenAbove(const Share& share, double threshold, double alpha) {
  if (threshold < 0) return true;
  if (threshold >= 1) return false;
  if (threshold == 0) return share.count > 0;
  // Evidence is above 1 on the side of the share only.
  if (static_cast<double>(share.count) <= threshold * static_cast<double>(share.of)) return false;
  return LogEvidenceAbove(share.count, share.of, threshold) >= -std::log(alpha);
}

bool ProvenBelow(const Share& share, double threshold, double alpha) {
  return ProvenAbove({share.of - share.count, share.of}, 1 - threshold, alpha);
}

Interval SequenceEnds(const Share& share, double alpha_lower, double alpha_upper) {
  return {SequenceLower(share.count, share.of, alpha_lower),
          SequenceUpper(share.count, share.of, alpha_upper)};
}

Interval SmallestSequenceEnds(const std::vector<Share>& shares, int64_t all, double alpha) {
  Interval ends{1, 1};
  for (const Share& share : shares) {
    const Interval own = SequenceEnds(share, alpha, alpha / static_cast<double>(all));
    ends.lower = std::min(ends.lower, own.lower);
    ends.upper = std::min(ends.upper, own.upper);
  }
  return ends;
}

Interval DisparitySequenceEnds(const std::vector<Share>& shares, int64_t all, double alpha) {
  const double two = alpha / 2, each = alpha / (2 * static_cast<double>(all));
  double smallest_lower = 1, largest_upper = 0, smallest_upper = 1, largest_lower = 0;
  for (const Share& share : shares) {
    const Interval wide = SequenceEnds(share, each, each), narrow = SequenceEnds(share, two, two);
    smallest_lower = std::min(smallest_lower, narrow.lower);
    largest_upper = std::max(largest_upper, narrow.upper);
    smallest_upper = std::min(smallest_upper, wide.upper);
    largest_lower = std::max(largest_lower, wide.lower);
  }
  return {std::max(0.0, largest_lower - smallest_upper),
          std::max(0.0, largest_upper - smallest_lower)};
}

void LeaveOutUnseen(std::vector<Share>* shares) {
  shares->erase(std::remove_if(shares->begin(), shares->end(),
                               [](const Share& share) { return share.of == 0; }),
                shares->end());
}

}  // namespace assay::report
