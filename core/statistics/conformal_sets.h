// Robust conformal prediction sets from smoothed scores: RSCP+ (Yan, Romano and Weng, "Provably
// robust conformal prediction with improved efficiency", ICLR 2024, arXiv 2404.19651).
#ifndef ASSAY_CORE_STATISTICS_CONFORMAL_SETS_H_
#define ASSAY_CORE_STATISTICS_CONFORMAL_SETS_H_

#include <cstdint>
#include <vector>

namespace assay {

// The ceil((m + 1)(1 - alpha))-th smallest of m scores; +infinity where that is more than m. One
// more score that is exchangeable with these is at most this with probability at least 1 - alpha.
double ConformalThreshold(std::vector<double> scores, double alpha);

// With probability at least 1 - beta the mean of n independent values in [0, 1] is at most this far
// above (or below) its expectation, rounding to single precision included. Hoeffding's inequality:
// sqrt(ln(1/beta) / (2 n)). The empirical Bernstein inequality of Maurer and Pontil (COLT 2009,
// theorem 4), with the unbiased sample variance of the values, n >= 2:
// sqrt(2 variance ln(2/beta) / n) + 7 ln(2/beta) / (3 (n - 1)).
double HoeffdingError(int64_t n, double beta);
double BernsteinError(double variance, int64_t n, double beta);

// Whether a class is in the robust set: Phi^-1(score) - delta / sigma <= Phi^-1(threshold), Phi^-1
// being -infinity from 0 down and +infinity from 1 up. The score is the mean score of the class
// less its Monte-Carlo error, the threshold one of mean scores plus theirs.
bool InRobustSet(double score, double threshold, double delta_over_sigma);

// Whether a sample calibrates: with probability `share`, by seed and sample alone, so that a sample
// stays where it is while others arrive.
bool Calibrates(int64_t seed, int64_t sample, double share);

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_CONFORMAL_SETS_H_
