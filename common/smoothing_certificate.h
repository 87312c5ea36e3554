// What randomized smoothing proves about one sample: CERTIFY of Cohen, Rosenfeld and Kolter (ICML
// 2019, algorithm 1), derived from the class counts that an outcome keeps. Reports and exports
// share this one definition.
#ifndef ASSAY_COMMON_SMOOTHING_CERTIFICATE_H_
#define ASSAY_COMMON_SMOOTHING_CERTIFICATE_H_

#include <cstdint>

#include "assay/v1/outcomes.pb.h"

namespace assay {

struct Certificate {
  // Class that had the most selection draws, the lowest index on ties; -1 without any. Its
  // estimation draws bound p_A.
  int top_class = -1;
  // The certified class: top_class, or -1 to abstain.
  int prediction = -1;
  // One-sided Clopper-Pearson lower bound, at level alpha, of the probability of the top class
  // under noise.
  double pa_lower = 0;
  // sigma * Phi^-1(pa_lower), in the norm L2; 0 when abstaining.
  double radius = 0;
};

// One-sided Clopper-Pearson lower bound: the largest p for which k or more successes of n have
// probability at most alpha. Needs 0 <= k <= n, n >= 1, 0 < alpha < 1.
double ClopperPearsonLower(int64_t k, int64_t n, double alpha);

// `n` is the number of estimation draws, draws that are in no histogram included. Needs sigma > 0,
// n >= 1, 0 < alpha < 1.
Certificate Certify(const v1::SmoothingOutcome& outcome, double sigma, int64_t n, double alpha);

}  // namespace assay

#endif  // ASSAY_COMMON_SMOOTHING_CERTIFICATE_H_
