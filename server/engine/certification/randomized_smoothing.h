// Randomized smoothing: noisy copies of the samples through the model, and how often each class
// came out. It is CERTIFY of Cohen, Rosenfeld and Kolter, "Certified adversarial robustness via
// randomized smoothing" (ICML 2019, algorithm 1), many samples at once:
//
//   SampleUnderNoise(f, x, num, sigma):
//     for i = 1 to num:                              Plan: slots for the draws of all samples
//       x_i = x + N(0, sigma^2 I)                    MakeDraws, by Noise::Draw (noise.h)
//       counts[f(x_i)] += 1                          Count
//
//   Certify(f, sigma, x, n0, n, alpha):
//     counts0 = SampleUnderNoise(f, x, n0, sigma)    Active::selection
//     c_A = the top index of counts0                 Active::selected, set by Count
//     counts = SampleUnderNoise(f, x, n, sigma)      Active::estimation, until StoppingRule::Look
//                                                    (stopping.h) has had enough: n draws, or in
//                                                    anytime mode those that decide the radii
//     p_A = LowerConfBound(counts[c_A], n, 1-alpha)  Certify: ClopperPearsonLower, AnytimeLower
//     if p_A > 1/2: return c_A, sigma Phi^-1(p_A)    Certify, RadiusOf
//     else: return ABSTAIN                           Certify: prediction -1
//
// The engine ends with the counts, which are the outcome; the last three lines are derived from
// them whenever a report is made (core/statistics/smoothing_certificate.h).
#ifndef ASSAY_SERVER_ENGINE_CERTIFICATION_RANDOMIZED_SMOOTHING_H_
#define ASSAY_SERVER_ENGINE_CERTIFICATION_RANDOMIZED_SMOOTHING_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/base/task.h"

namespace assay::engine {

// Draws of different samples share batches, so that the device is full whatever n is and however
// few samples are left. The noisy image is not clipped. Draw d of a sample depends on (seed,
// condition, sample, d) only, a sample's draws are judged in their order, and those past the moment
// at which it stops (made ahead to fill the last batches) are ignored: no outcome depends on the
// batch.
absl::StatusOr<std::vector<v1::Outcome>> RunRandomizedSmoothing(const TaskContext& task);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CERTIFICATION_RANDOMIZED_SMOOTHING_H_
