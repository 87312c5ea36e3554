// Of samples that two models answered to, how many are right where: what every paired test is
// computed from.
#ifndef ASSAY_CORE_REPORT_PAIR_COUNTS_H_
#define ASSAY_CORE_REPORT_PAIR_COUNTS_H_

#include <cstdint>

namespace assay::report {

struct PairCounts {
  int64_t samples = 0;
  int64_t both_right = 0;
  // The discordant samples.
  int64_t only_first = 0;
  int64_t only_second = 0;

  int64_t first_right() const { return both_right + only_first; }
  int64_t second_right() const { return both_right + only_second; }
  int64_t both_wrong() const { return samples - both_right - only_first - only_second; }

  void Add(bool first_is_right, bool second_is_right) {
    ++samples;
    both_right += first_is_right && second_is_right ? 1 : 0;
    only_first += first_is_right && !second_is_right ? 1 : 0;
    only_second += !first_is_right && second_is_right ? 1 : 0;
  }
  void Add(const PairCounts& other) {
    samples += other.samples;
    both_right += other.both_right;
    only_first += other.only_first;
    only_second += other.only_second;
  }
};

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_PAIR_COUNTS_H_
