// When a sample has had enough draws.
#ifndef ASSAY_SERVER_ENGINE_CERTIFICATION_STOPPING_H_
#define ASSAY_SERVER_ENGINE_CERTIFICATION_STOPPING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/statistics/smoothing_certificate.h"

namespace assay::engine {

// Fixed and predict mode: after n draws. Anytime mode: when every wanted radius is decided, or
// after n draws. A radius is certified when the evidence that p_A is above what it needs reaches
// 1/alpha (core/statistics/confidence_sequence.h). It is given up when going on is not worth its
// price: when the chance that by the last of the n draws the selected class has the share that just
// certifies it (LogPredictiveOdds) is below the share of n that the next stretch of draws takes,
// four times as many as there were or all that are left. A certificate so counts as much as n
// draws. Early on, when draws are few and chances uncertain, only hopeless radii go; later those
// that are likely to spend much for little. Giving up makes no certificate, so whatever its rule it
// costs nothing of alpha. It costs certificates that were still possible, of samples close to a
// radius: without it most draws of a run are spent on those (bench/README.md has both prices).
//
// Evidence holds at every draw at once, so it may be looked at as often as one likes: here after
// every 10 draws up to 1,000, and then whenever there are a hundredth more. The moments depend on
// the sample's own number of draws only, so no batch moves them. Immutable, so thread-safe.
class StoppingRule {
 public:
  // Uses the setting's dimension.
  explicit StoppingRule(const SmoothingSetting& setting);

  // Of one sample.
  struct State {
    // Radii below the first index are certified, from the second on given up.
    size_t certified = 0;
    size_t given_up = 0;
    // The moment at which the lower bound of p_A was highest.
    int64_t best_count = 0;
    int64_t best_draws = 0;
    double best_lower = 0;
  };
  State Start() const;

  // The number of draws at which to look next, given that `draws` have been looked at.
  int64_t NextLook(int64_t draws) const;
  // Looks at a sample with `count` draws of the selected class among `draws`; true: it has had
  // enough.
  bool Look(int64_t count, int64_t draws, State* state) const;

 private:
  const SmoothingMode mode_;
  const int64_t n_;
  const double alpha_, wanted_evidence_;
  // For each radius the p_A that it needs, and the share of n draws that just certifies it; 1 where
  // none does.
  std::vector<double> needed_, promising_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CERTIFICATION_STOPPING_H_
