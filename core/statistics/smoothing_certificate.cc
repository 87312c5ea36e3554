#include "core/statistics/smoothing_certificate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "boost/math/distributions/binomial.hpp"
#include "boost/math/distributions/normal.hpp"
#include "core/statistics/binomial_ends.h"
#include "core/statistics/confidence_sequence.h"

namespace assay {
namespace {

using Normal = boost::math::normal_distribution<double>;

// What uniform noise keeps in Linf: see RadiusOf.
double InverseDimension(const SmoothingSetting& setting) {
  return 1 / static_cast<double>(std::max<int64_t>(1, setting.dimension));
}

// Class with the largest count, the lowest index on ties, and its count; -1 and 0 without any.
std::pair<int, int64_t> Largest(
    const google::protobuf::RepeatedPtrField<v1::ClassCount>& histogram) {
  int index = -1;
  int64_t largest = 0;
  for (const v1::ClassCount& count : histogram) {
    const bool wins =
        count.count() > largest || (count.count() == largest && count.index() < index);
    if (count.count() > 0 && wins) {
      largest = count.count();
      index = count.index();
    }
  }
  return {index, largest};
}

// Two-sided exact test that `count` of `draws` come from a fair coin, count >= draws / 2.
double FairCoinPValue(int64_t count, int64_t draws) {
  if (2 * count == draws) return 1;
  const boost::math::binomial_distribution<double> coin(static_cast<double>(draws), 0.5);
  return std::min(
      1.0, 2 * boost::math::cdf(boost::math::complement(coin, static_cast<double>(count - 1))));
}

}  // namespace

std::string Name(SmoothingNoise noise) {
  switch (noise) {
    case SmoothingNoise::kGaussian:
      return "gaussian";
    case SmoothingNoise::kUniform:
      return "uniform";
    case SmoothingNoise::kLaplace:
      return "laplace";
  }
  return "";
}

std::string Name(SmoothingMode mode) {
  switch (mode) {
    case SmoothingMode::kFixed:
      return "fixed";
    case SmoothingMode::kAnytime:
      return "anytime";
    case SmoothingMode::kPredict:
      return "predict";
  }
  return "";
}

std::string Name(RadiusNorm norm) {
  switch (norm) {
    case RadiusNorm::kL2:
      return "l2";
    case RadiusNorm::kL1:
      return "l1";
    case RadiusNorm::kLinf:
      return "linf";
  }
  return "";
}

double RadiusOf(const SmoothingSetting& setting, double p) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool linf = setting.norm == RadiusNorm::kLinf;
  switch (setting.noise) {
    case SmoothingNoise::kGaussian: {
      const double l2 = p >= 1 ? kInfinity : setting.scale * boost::math::quantile(Normal(), p);
      return linf ? l2 * std::sqrt(InverseDimension(setting)) : l2;
    }
    case SmoothingNoise::kUniform:
      // expm1: for many pixels the power is close to 1.
      return linf ? -2 * setting.scale * std::expm1(InverseDimension(setting) * std::log1p(0.5 - p))
                  : 2 * setting.scale * (p - 0.5);
    case SmoothingNoise::kLaplace:
      return p >= 1 ? kInfinity : -setting.scale * std::log(2 * (1 - p));
  }
  return 0;
}

double ProbabilityFor(const SmoothingSetting& setting, double radius) {
  const bool linf = setting.norm == RadiusNorm::kLinf;
  const double scaled = radius / setting.scale;
  switch (setting.noise) {
    case SmoothingNoise::kGaussian:
      return boost::math::cdf(Normal(),
                              linf ? scaled / std::sqrt(InverseDimension(setting)) : scaled);
    case SmoothingNoise::kUniform:
      if (!linf) return 0.5 + scaled / 2;
      return scaled >= 2 ? 1.5
                         : 0.5 - std::expm1(std::log1p(-scaled / 2) / InverseDimension(setting));
    case SmoothingNoise::kLaplace:
      return 1 - std::exp(-scaled) / 2;
  }
  return 1;
}

int SoundRange(double sigma) { return std::max(1, static_cast<int>(6 * sigma)); }

double SamplerError(const SmoothingSetting& setting) {
  if (!setting.sound) return 0;
  // Every threshold is within 4 units of 2^-64 of the exact probability, so a pixel's distribution
  // within as much for each of its values; pixels add up.
  constexpr double kThresholdError = 4 * 0x1p-64;
  const double values = 2 * 255.0 * (SoundRange(setting.scale) + 1) + 1;
  // And the bound itself is computed to about this.
  constexpr double kRounding = 1e-13;
  return kRounding + static_cast<double>(setting.dimension) * values * kThresholdError;
}

int64_t SmallestUsefulN(const SmoothingSetting& setting) {
  const double alpha = setting.sample_alpha();
  // n equal draws have probability 2^-n under a fair coin.
  const double halvings = std::log(alpha) / std::log(0.5);
  switch (setting.mode) {
    case SmoothingMode::kFixed:
      return static_cast<int64_t>(std::ceil(halvings));
    case SmoothingMode::kPredict:
      return static_cast<int64_t>(std::ceil(halvings + 1));
    case SmoothingMode::kAnytime:
      return AnytimeSmallestN(0.5, alpha);
  }
  return 1;
}

double ClopperPearsonLower(int64_t k, int64_t n, double alpha) {
  return BinomialLower(static_cast<double>(k), static_cast<double>(n), alpha);
}

int64_t CountOf(const v1::SmoothingOutcome& outcome, int32_t index) {
  int64_t count = 0;
  for (const v1::ClassCount& entry : outcome.estimation()) {
    if (entry.index() == index) count += entry.count();
  }
  return count;
}

int64_t EstimationDraws(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting) {
  if (setting.mode != SmoothingMode::kAnytime) return setting.n;
  int64_t draws = outcome.undecided_draws() + outcome.tied_draws() - setting.n0;
  for (const v1::ClassCount& count : outcome.selection()) draws += count.count();
  for (const v1::ClassCount& count : outcome.estimation()) draws += count.count();
  return std::max<int64_t>(0, draws);
}

SmoothingEvidence EvidenceOf(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting) {
  SmoothingEvidence evidence;
  int64_t all = setting.n;
  if (setting.mode == SmoothingMode::kPredict) {
    std::tie(evidence.top_class, evidence.count) = Largest(outcome.estimation());
    int64_t second = 0;
    for (const v1::ClassCount& count : outcome.estimation()) {
      if (count.index() != evidence.top_class) second = std::max(second, count.count());
    }
    evidence.draws = evidence.count + second;
  } else {
    evidence.top_class = Largest(outcome.selection()).first;
    if (setting.mode == SmoothingMode::kAnytime) {
      evidence.count = outcome.best_count();
      evidence.draws = all = outcome.best_draws();
    } else {
      evidence.count = CountOf(outcome, evidence.top_class);
      evidence.draws = all;
    }
  }
  if (setting.as_if_n > 0 && all > setting.as_if_n) {
    const auto shrink = [&](int64_t count) {
      return static_cast<int64_t>(static_cast<__int128>(count) * setting.as_if_n / all);
    };
    evidence.count = shrink(evidence.count);
    evidence.draws = shrink(evidence.draws);
  }
  return evidence;
}

Certificate Certify(const SmoothingEvidence& evidence, const SmoothingSetting& setting) {
  Certificate certificate;
  certificate.top_class = evidence.top_class;
  if (evidence.top_class < 0 || evidence.draws <= 0) return certificate;
  const double alpha = setting.sample_alpha();
  if (setting.mode == SmoothingMode::kPredict) {
    if (FairCoinPValue(evidence.count, evidence.draws) <= alpha) {
      certificate.prediction = evidence.top_class;
    }
    return certificate;
  }
  const double bound = setting.mode == SmoothingMode::kAnytime
                           ? AnytimeLower(evidence.count, evidence.draws, alpha)
                           : ClopperPearsonLower(evidence.count, evidence.draws, alpha);
  certificate.pa_lower = std::max(0.0, bound - SamplerError(setting));
  if (certificate.pa_lower < 0.5) return certificate;
  certificate.prediction = certificate.top_class;
  certificate.radius = RadiusOf(setting, certificate.pa_lower);
  return certificate;
}

Certificate Certify(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting) {
  return Certify(EvidenceOf(outcome, setting), setting);
}

bool Refutes(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting, double radius) {
  const int top_class = EvidenceOf(outcome, setting).top_class;
  if (top_class < 0) return false;
  // Noise as it is drawn may favour the class by the error of the sampler.
  const double needed = ProbabilityFor(setting, radius) - SamplerError(setting);
  if (needed >= 1) return true;
  return LogEvidenceBelow(CountOf(outcome, top_class), EstimationDraws(outcome, setting), needed) >=
         -std::log(setting.sample_alpha());
}

}  // namespace assay
