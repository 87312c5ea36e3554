#include "server/engine/certification/stopping.h"

#include <algorithm>
#include <cmath>

#include "core/statistics/confidence_sequence.h"

namespace assay::engine {
namespace {

// How many times the draws so far to go on for, at most, when their price is reckoned.
constexpr double kHorizon = 4;

}  // namespace

StoppingRule::StoppingRule(const SmoothingSetting& setting)
    : mode_(setting.mode),
      n_(setting.n),
      alpha_(setting.sample_alpha()),
      wanted_evidence_(-std::log(alpha_)) {
  for (const double radius : setting.radii) {
    needed_.push_back(std::min(1.0, ProbabilityFor(setting, radius) + SamplerError(setting)));
    // The smallest count that certifies, n + 1 for none.
    auto low = static_cast<int64_t>(needed_.back() * static_cast<double>(n_));
    int64_t high = n_ + 1;
    while (needed_.back() < 1 && low < high) {
      const int64_t middle = low + (high - low) / 2;
      const bool certifies =
          middle > 0 && LogEvidenceAbove(middle, n_, needed_.back()) >= wanted_evidence_;
      certifies ? high = middle : low = middle + 1;
    }
    promising_.push_back(std::min(1.0, static_cast<double>(high) / static_cast<double>(n_)));
    if (high > n_) needed_.back() = 1;
  }
}

StoppingRule::State StoppingRule::Start() const {
  State state;
  state.given_up = needed_.size();
  // Radii that n draws cannot certify.
  while (state.given_up > 0 && needed_[state.given_up - 1] >= 1) --state.given_up;
  return state;
}

int64_t StoppingRule::NextLook(int64_t draws) const {
  if (mode_ != SmoothingMode::kAnytime) return n_;
  return std::min(n_, draws + std::max<int64_t>(10, draws / 100));
}

bool StoppingRule::Look(int64_t count, int64_t draws, State* state) const {
  if (mode_ != SmoothingMode::kAnytime) return draws >= n_;
  const double share = static_cast<double>(count) / static_cast<double>(draws);
  // Evidence for a side on which the observed share is not is below 1.
  const auto above = [&](double p) {
    return share > p && LogEvidenceAbove(count, draws, p) >= wanted_evidence_;
  };
  const auto left = static_cast<double>(n_ - draws);
  const double price =
      std::min(left, kHorizon * static_cast<double>(draws)) / static_cast<double>(n_);
  const auto not_worth_it = [&](double promising) {
    if (share >= promising) return false;
    return draws >= n_ || promising >= 1 ||
           LogPredictiveOdds(count, draws, n_, promising) < std::log(price / (1 - price));
  };
  if (above(std::max(0.5, state->best_lower))) {
    state->best_count = count;
    state->best_draws = draws;
    state->best_lower = AnytimeLower(count, draws, alpha_);
  }
  while (state->certified < state->given_up && state->best_lower >= needed_[state->certified]) {
    ++state->certified;
  }
  while (state->certified < state->given_up && not_worth_it(promising_[state->given_up - 1])) {
    --state->given_up;
  }
  return draws >= n_ || (!needed_.empty() && state->certified == state->given_up);
}

}  // namespace assay::engine
