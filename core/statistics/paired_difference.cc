#include "core/statistics/paired_difference.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "core/statistics/double_policy.h"

namespace assay {
namespace {

using Binomial = boost::math::binomial_distribution<double, DoublePolicy>;

// Of the error that one end may have, the part that goes to the bound of p1 + p2.
constexpr double kNuisanceShare = 0.02;
// Numbers of discordant samples whose probability, relative to the likeliest one's, is below this
// are left out; what they have together is added to the tail.
constexpr double kNegligible = 1e-17;
constexpr double kUnderflow = 1e-280;
// A part of the terms decides where it is clear by more than rounding; terms below this do not
// help.
constexpr double kQuickMargin = 1e-9;
constexpr double kQuickNegligible = 1e-12;
// Halvings of the range of p1 + p2, and of the range of the difference.
constexpr int kNuisanceHalvings = 20;
constexpr int kDifferenceHalvings = 30;
// Of the distance from the observed difference to an end: what is given up at first where the proof
// needs it. It is doubled until it is enough, and the last step is halved so often.
constexpr double kSlack = 1e-5;
constexpr int kSlackHalvings = 8;

// P(X1 - X2 >= d), from above, where X1 and X2 of n samples are of the kinds that have probability
// p1 and p2. Given the number m of both kinds together, X1 is binomial with m trials at p1 / (p1 +
// p2) and must be at least k = (m + d) / 2, rounded up.
double Tail(int64_t n, int64_t d, double p1, double p2) {
  const double both = std::min(1.0, p1 + p2);
  if (both <= 0) return d <= 0 ? 1 : 0;
  const double theta = std::clamp(p1 / both, 0.0, 1.0);

  const auto rising = [&](int64_t m) {  // P(m + 1) / P(m)
    return static_cast<double>(n - m) / static_cast<double>(m + 1) * both / (1 - both);
  };
  const int64_t mode = std::min(n, static_cast<int64_t>(static_cast<double>(n + 1) * both));
  const double largest =
      boost::math::pdf(Binomial(static_cast<double>(n), both), static_cast<double>(mode));
  int64_t m = mode;
  double weight = largest;
  while (m > 0 && both < 1 && weight > kNegligible * largest) weight /= rising(--m);

  double mass = 0, tail = 0;
  const auto add = [&](double share) {
    mass += weight;
    tail += weight * share;
    weight *= m < n ? rising(m) : 0;
    ++m;
    return m <= n && (m <= mode || weight > kNegligible * largest);
  };
  bool more = true;
  while (more && m < std::abs(d)) more = add(d < 0 ? 1 : 0);
  if (more) {
    // P(X1 = k) and P(X1 >= k) given m.
    int64_t k = (m + d + 1) / 2;
    double at_k = 0, from_k = 0;
    const auto compute = [&] {
      const Binomial given(static_cast<double>(m), theta);
      at_k = boost::math::pdf(given, static_cast<double>(k));
      from_k =
          k == 0 ? 1 : boost::math::cdf(boost::math::complement(given, static_cast<double>(k - 1)));
    };
    // From m to m + 1: one more trial, and every second time k goes up with it.
    const auto step = [&] {
      const double trials = static_cast<double>(m), needed = static_cast<double>(k);
      if ((m + d) % 2 != 0) {
        from_k -= at_k * (1 - theta);
        at_k *= trials / (needed + 1) * theta;
        ++k;
      } else {
        at_k *= (1 - theta) * trials / (trials - needed);
        from_k += at_k * needed / trials;
      }
    };
    compute();
    while (add(std::clamp(from_k, 0.0, 1.0))) {
      step();
      // Steps lead out of an underflow no more.
      if (at_k < kUnderflow && theta > 0 && theta < 1) compute();
    }
  }
  return tail + std::max(0.0, 1 - mass);
}

// Whether that tail is at most `alpha`, as far as a part of its terms tells, from the likeliest m
// outwards: what they have is in the tail, and what is missing of the mass can be.
std::optional<bool> QuickAtMost(int64_t n, int64_t d, double p1, double p2, double alpha) {
  const double both = p1 + p2;
  if (!(p1 > 0 && p2 > 0 && both < 1)) return std::nullopt;
  const double theta = p1 / both, other = 1 - theta;
  const int64_t mode = std::min(n, static_cast<int64_t>(static_cast<double>(n + 1) * both));
  if (mode <= std::abs(d) || mode >= n) return std::nullopt;
  // P(m), P(X1 = k) and P(X1 >= k) given m, for k = (m + d) / 2 rounded up.
  struct Term {
    int64_t m, k;
    double weight, at_k, from_k;
  };
  Term up{mode, (mode + d + 1) / 2, 0, 0, 0};
  if (up.k < 1 || up.k > mode) return std::nullopt;
  const Binomial given(static_cast<double>(mode), theta);
  up.weight = boost::math::pdf(Binomial(static_cast<double>(n), both), static_cast<double>(mode));
  up.at_k = boost::math::pdf(given, static_cast<double>(up.k));
  up.from_k = boost::math::cdf(boost::math::complement(given, static_cast<double>(up.k - 1)));
  Term down = up;
  double mass = up.weight, tail = up.weight * up.from_k;
  const double odds = both / (1 - both);
  while (true) {
    if (tail > alpha + kQuickMargin) return false;
    if (tail + (1 - mass) <= alpha - kQuickMargin) return true;
    const bool rises = up.m < n && up.weight > kQuickNegligible;
    const bool falls = down.m > std::abs(d) + 1 && down.k > 1 && down.weight > kQuickNegligible;
    if (!rises && !falls) return std::nullopt;
    if (std::min(up.at_k, down.at_k) < kUnderflow) return std::nullopt;
    if (rises) {
      up.weight *= static_cast<double>(n - up.m) * odds / static_cast<double>(up.m + 1);
      const bool more = (up.m + d) % 2 == 0;
      const double trials = static_cast<double>(++up.m);
      if (more) {
        up.from_k -= up.at_k * other;
        up.at_k *= trials * theta / static_cast<double>(++up.k);
      } else {
        up.at_k *= other * trials / (trials - static_cast<double>(up.k));
        up.from_k += up.at_k * static_cast<double>(up.k) / trials;
      }
      mass += up.weight;
      tail += up.weight * up.from_k;
    }
    if (falls) {
      // The same steps back.
      const double trials = static_cast<double>(down.m), needed = static_cast<double>(down.k);
      down.weight *= trials / (static_cast<double>(n - down.m + 1) * odds);
      if ((down.m - 1 + d) % 2 == 0) {
        down.at_k *= needed / (trials * theta);
        down.from_k += down.at_k * other;
        --down.k;
      } else {
        down.from_k -= down.at_k * needed / trials;
        down.at_k *= (trials - needed) / (other * trials);
      }
      --down.m;
      mass += down.weight;
      tail += down.weight * down.from_k;
    }
  }
}

bool AtMost(int64_t n, int64_t d, double p1, double p2, double alpha) {
  const std::optional<bool> quick = QuickAtMost(n, d, p1, p2, alpha);
  return quick.has_value() ? *quick : Tail(n, d, p1, p2) <= alpha;
}

// Whether the tail is at most `alpha` wherever p1 - p2 = delta and p1 + p2 is in [low, high]. It
// grows with p1 and falls with p2, so that the largest p1 with the smallest p2 bounds it. `worst`:
// where to look first, since it failed there before, and where it failed.
bool AtMostEverywhere(int64_t n, int64_t d, double delta, double low, double high, double alpha,
                      int halvings, double* worst) {
  if (AtMost(n, d, (high + delta) / 2, std::max(0.0, (low - delta) / 2), alpha)) return true;
  const double middle = (low + high) / 2;
  if (halvings == 0) {
    *worst = middle;
    return false;
  }
  const auto half = [&](bool upper) {
    return AtMostEverywhere(n, d, delta, upper ? middle : low, upper ? high : middle, alpha,
                            halvings - 1, worst);
  };
  const bool upper_first = *worst >= middle;
  return half(upper_first) && half(!upper_first);
}

// The same for all p1 + p2 from |delta| to `most`.
bool Rejected(int64_t n, int64_t d, double delta, double most, double alpha, double* worst) {
  double from = std::abs(delta);
  // As p1 + p2 grows by 2h, the tail does by n h (P(D = d - 1) - P(D = d)), where D is X1 - X2 of
  // n - 1 samples. While p0^2 >= 4 p1 p2, that is p1 + p2 <= (1 + delta^2) / 2, the polynomial p2 +
  // p0 z + p1 z^2 has real roots only, so that D, up to a constant, is a sum of independent
  // yes-or-no variables: its mode is less than 1 from its mean (Darroch, Annals of Mathematical
  // Statistics 35, 1964), and beyond the mode its probabilities fall.
  if (static_cast<double>(d) >= static_cast<double>(n - 1) * delta + 2) {
    from = std::min(most, (1 + delta * delta) / 2);
    if (!AtMost(n, d, (from + delta) / 2, (from - delta) / 2, alpha)) return false;
  }
  return from >= most || AtMostEverywhere(n, d, delta, from, most, alpha, kNuisanceHalvings, worst);
}

// Unless it is to be proven, as if the tail were largest where p1 + p2 is.
double LowerEnd(int64_t only_first, int64_t only_second, int64_t n, double alpha, bool prove) {
  const int64_t d = only_first - only_second;
  if (d == -n) return -1;
  const double most =
      ClopperPearson(only_first + only_second, n, 1 - 2 * kNuisanceShare * alpha).upper;
  const double left = (1 - kNuisanceShare) * alpha;
  // The tail is mostly largest where p1 + p2 is: this finds the end, up to what is proven below.
  const double observed = static_cast<double>(d) / static_cast<double>(n);
  // Further away it is below `left` by Hoeffding's inequality.
  const double reach = std::sqrt(-2 * std::log(left) / static_cast<double>(n));
  double low = std::max({-1.0, -most, observed - reach}), high = observed;
  for (int i = 0; i < kDifferenceHalvings; ++i) {
    const double middle = (low + high) / 2;
    (AtMost(n, d, (most + middle) / 2, (most - middle) / 2, left) ? low : high) = middle;
  }
  if (!prove) return low;
  // A difference below a rejected one is rejected too: lowering p2, then raising p1, leads from
  // there to here and only raises the tail.
  double worst = most;
  const auto proven = [&](double delta) {
    return delta <= -most || Rejected(n, d, delta, most, left, &worst);
  };
  double unproven = low, found = low;
  while (!proven(found)) {
    unproven = found;
    found = low - std::max(2 * (low - found), kSlack * (observed - low));
  }
  for (int i = 0; i < kSlackHalvings && found < unproven; ++i) {
    const double middle = (found + unproven) / 2;
    (proven(middle) ? found : unproven) = middle;
  }
  return std::max({found, -most, -1.0});
}

Interval Between(int64_t only_first, int64_t only_second, int64_t n, double confidence_level,
                 bool prove) {
  const double alpha = (1 - confidence_level) / 2;
  return {LowerEnd(only_first, only_second, n, alpha, prove),
          -LowerEnd(only_second, only_first, n, alpha, prove)};
}

}  // namespace

Interval PairedDifferenceInterval(int64_t only_first, int64_t only_second, int64_t n,
                                  double confidence_level) {
  return Between(only_first, only_second, n, confidence_level, /*prove=*/true);
}

Interval PairedDifferenceEstimate(int64_t only_first, int64_t only_second, int64_t n,
                                  double confidence_level) {
  return Between(only_first, only_second, n, confidence_level, /*prove=*/false);
}

}  // namespace assay
