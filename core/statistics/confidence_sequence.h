// Bounds of a probability that hold at every moment of a sequence of yes/no draws at once, so that
// one may look after every draw and stop whenever one likes. By Ville's inequality, from mixture
// martingales (Robbins, 1970; Howard et al., "Time-uniform, nonparametric, nonasymptotic confidence
// sequences", Annals of Statistics 49, 2021).
//
// After n draws with k successes, L(q) = q^k (1 - q)^(n - k) is the likelihood of q. The evidence
// for "above p0" is the mean of L(q) / L(p0) over q in (p0, 1], weighted by the Beta(1/2, 1/2)
// density of Krichevsky and Trofimov, cut to that interval. As long as the true probability is at
// most p0, each of these ratios is a supermartingale that starts at 1, and so is their mean: the
// probability that it ever reaches 1/alpha is at most alpha. One side only, so nothing of alpha is
// spent on the other, and the weight of all q below p0 is not lost.
#ifndef ASSAY_CORE_STATISTICS_CONFIDENCE_SEQUENCE_H_
#define ASSAY_CORE_STATISTICS_CONFIDENCE_SEQUENCE_H_

#include <cstdint>

namespace assay {

// Natural logarithm of the evidence that the probability is above (below) p0, 0 < p0 < 1, after n
// draws with k successes, 0 <= k <= n. Evidence for the side on which k/n is not, always below 1,
// may underflow to 0.
double LogEvidenceAbove(int64_t k, int64_t n, double p0);
double LogEvidenceBelow(int64_t k, int64_t n, double p0);

// Natural logarithm of the odds that after `budget` draws, of which the first n had k successes,
// the share of successes will be at least p0; n < budget, 0 < p0 < 1. A forecast, no claim at any
// error level: for deciding whether more draws are worth their price, as predictive power is used
// to end clinical trials early (Spiegelhalter, Freedman and Blackburn, Controlled Clinical Trials
// 7, 1986). Both sides of p0 have the same chance beforehand, and within each side the density of
// Beta(1/2, 1/2). What n draws tell about the final share has about the spread of what
// n budget / (budget - n) draws would tell about the probability, so the odds given are those of
// "the probability is at least p0" after so many.
double LogPredictiveOdds(int64_t k, int64_t n, int64_t budget, double p0);

// The p0 >= 1/2 up to which the evidence for "above p0" is at least 1/alpha; 0 where there is none.
// The true probability is below it, at any moment of the sequence, with probability at most alpha.
// Needs 0 < alpha <= 1/2: then the evidence falls with p0 wherever it is at least 1/alpha (there, a
// rise needs k - n p0 < 0.64 p0, but then no L(q) / L(p0) exceeds e^0.64 < 2), so that the bound
// exceeds the true probability only if the evidence at the true probability has reached 1/alpha.
double AnytimeLower(int64_t k, int64_t n, double alpha);

// The ends of an interval around the probability, for 0 < alpha <= 1/2: each of them is wrong, at
// any moment of the sequence, with probability at most alpha. SequenceLower is the p0 up to which
// the evidence for "above p0" is at least 1/alpha, 0 where there is none; SequenceUpper is the same
// from the other side. Below p0 = 1/2, too, the evidence falls wherever it is at least 1/alpha:
// there, a rise needs k - n p0 < sqrt(p0) / 2, but then n KL(k/n, p0), the logarithm of the largest
// L(q) / L(p0), is below (k - n p0)^2 / (n p0 (1 - p0)) < 1/2. For n = 0 they are 0 and 1.
double SequenceLower(int64_t k, int64_t n, double alpha);
double SequenceUpper(int64_t k, int64_t n, double alpha);

// The smallest n at which n successes of n have AnytimeLower of at least p0, for 1/2 <= p0 < 1.
int64_t AnytimeSmallestN(double p0, double alpha);

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_CONFIDENCE_SEQUENCE_H_
