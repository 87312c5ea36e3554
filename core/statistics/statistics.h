// Exact statistics behind the reports: binomial intervals, tests for two-by-two tables, corrections
// and bands. Pure functions of numbers; nothing here knows of models or outcomes.
#ifndef ASSAY_CORE_STATISTICS_STATISTICS_H_
#define ASSAY_CORE_STATISTICS_STATISTICS_H_

#include <cstdint>
#include <vector>

namespace assay {

struct Interval {
  double lower = 0;
  double upper = 1;
};

// Two-sided exact interval of Clopper and Pearson (1934) for a probability of which k successes in
// n trials were seen, 0 <= k <= n, n > 0: each end is wrong with probability at most half of 1 -
// confidence_level.
Interval ClopperPearson(int64_t k, int64_t n, double confidence_level);

// Fisher's exact test of equal proportions in two groups, two-sided: the probability, given the
// margins, of all tables that are at most as likely as the observed one. Keeps a table of
// log-factorials, so that thousands of pairs are quick. Immutable.
class FisherExact {
 public:
  // `max_total`: the largest n1 + n2 that will be asked for.
  explicit FisherExact(int64_t max_total);
  // k1 of n1 against k2 of n2 with 0 <= k <= n; 1 where a group is empty.
  double TwoSidedPValue(int64_t k1, int64_t n1, int64_t k2, int64_t n2) const;

 private:
  double LogChoose(int64_t n, int64_t k) const;

  std::vector<double> log_factorials_;
};

// McNemar's exact test for paired samples, two-sided: `only_first` samples where only the first of
// the pair was right, and `only_second`. 1 without a discordant pair.
double McNemarExactTwoSided(int64_t only_first, int64_t only_second);

// Holm's step-down adjustment: p-values that can be compared with the family-wise level, in the
// order given.
std::vector<double> HolmAdjusted(const std::vector<double>& p_values);

// Half-width of the Dvoretzky-Kiefer-Wolfowitz band (with Massart's constant) around the
// distribution function of n > 0 samples that holds everywhere at once with probability 1 - alpha:
// on both sides, and on one side (alpha <= 1/2).
double DkwHalfWidth(int64_t n, double alpha);
double DkwOneSidedWidth(int64_t n, double alpha);

// Upper bound, wrong with probability at most rho, on the share of n independent events of
// probability at most alpha that happen: Bernstein's inequality, alpha + sqrt(2 alpha (1 - alpha)
// ln(1/rho) / n) + ln(1/rho) / (3n).
double BernsteinUpperShare(int64_t n, double alpha, double rho);

// Of the values themselves (divided by their number, not by one less); 0 for none.
double StandardDeviation(const std::vector<double>& values);
double Mean(const std::vector<double>& values);
// Of an even number of values, the mean of the middle two; 0 for none.
double Median(std::vector<double> values);

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_STATISTICS_H_
