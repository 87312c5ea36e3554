// Shares of samples that are being drawn, and the ends of what is made of several of them, at error
// rates that hold at every number of samples at once.
#ifndef ASSAY_CORE_REPORT_SHARE_SEQUENCE_H_
#define ASSAY_CORE_REPORT_SHARE_SEQUENCE_H_

#include <cstdint>
#include <vector>

#include "core/statistics/statistics.h"

namespace assay::report {

// `count` of `of`.
struct Share {
  int64_t count = 0;
  int64_t of = 0;

  double value() const { return static_cast<double>(count) / static_cast<double>(of); }
};

// Whether it is certain that the share is above (below) the threshold. That is said of a share
// which is not, at any moment, with probability at most alpha.
bool ProvenAbove(const Share& share, double threshold, double alpha);
bool ProvenBelow(const Share& share, double threshold, double alpha);

// Each end is wrong, at any moment, with probability at most its alpha.
Interval SequenceEnds(const Share& share, double alpha_lower, double alpha_upper);

// Of the smallest of several shares, each end wrong with at most `alpha`. The lower end of every
// share may spend all of it: an error about the smallest needs one about the share that is
// smallest. The upper ends share it among `all`, since any of them may be the one that is wrong.
Interval SmallestSequenceEnds(const std::vector<Share>& shares, int64_t all, double alpha);

// The same of the largest minus the smallest. The upper end is wrong only if that of the largest
// share is, or the lower one of the smallest; the lower end if any of 2 x `all` is.
Interval DisparitySequenceEnds(const std::vector<Share>& shares, int64_t all, double alpha);

// Those without samples.
void LeaveOutUnseen(std::vector<Share>* shares);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_SHARE_SEQUENCE_H_
