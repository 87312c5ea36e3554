// Ends of the intervals of Clopper and Pearson (1934), for counts that need not be whole: what
// samples would say that have not been drawn, were their shares those of the samples that have.
// With whole counts they are the exact ends.
#ifndef ASSAY_CORE_STATISTICS_BINOMIAL_ENDS_H_
#define ASSAY_CORE_STATISTICS_BINOMIAL_ENDS_H_

namespace assay {

// The largest p for which k or more successes of n have probability at most alpha, and the smallest
// for which k or fewer have. 0 <= k <= n, n > 0, 0 < alpha < 1.
double BinomialLower(double k, double n, double alpha);
double BinomialUpper(double k, double n, double alpha);

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_BINOMIAL_ENDS_H_
