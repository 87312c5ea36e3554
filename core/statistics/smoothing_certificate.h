// What randomized smoothing proves about one sample, derived from the class counts that an outcome
// keeps: CERTIFY and PREDICT of Cohen, Rosenfeld and Kolter (ICML 2019, algorithm 1), the same with
// a confidence sequence in place of the fixed number of draws, and other noises (Yang et al.,
// "Randomized smoothing of all shapes and sizes", ICML 2020). The engine stops by these rules, and
// reports and exports share this one definition.
#ifndef ASSAY_CORE_STATISTICS_SMOOTHING_CERTIFICATE_H_
#define ASSAY_CORE_STATISTICS_SMOOTHING_CERTIFICATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "assay/v1/outcomes.pb.h"

namespace assay {

enum class SmoothingNoise { kGaussian, kUniform, kLaplace };
enum class SmoothingMode { kFixed, kAnytime, kPredict };
enum class RadiusNorm { kL2, kL1, kLinf };

// The parameters of a smoothing condition (core/conditions/smoothing_setting.h reads them).
struct SmoothingSetting {
  // Of the noise: standard deviation (Gaussian), half-width (uniform), scale (Laplace).
  double scale = 0;
  // Estimation draws; in anytime mode at most.
  int64_t n = 0;
  // Failure probability of one sample's certificate, or of all together if `per_dataset`.
  double alpha = 0;
  // Selection draws; none in predict mode.
  int64_t n0 = 0;
  SmoothingNoise noise = SmoothingNoise::kGaussian;
  RadiusNorm norm = RadiusNorm::kL2;
  SmoothingMode mode = SmoothingMode::kFixed;
  // Anytime mode: radii to decide, ascending; none: all n draws are made.
  std::vector<double> radii = {};
  // Images on the 1/255 grid and discretised noise.
  bool sound = false;
  bool per_dataset = false;

  // Not of the condition, for whoever knows them. Samples that share alpha (if per_dataset):
  int64_t samples = 1;
  // Pixel values of an image (channels x height x width), for the norm Linf and for `sound`.
  int64_t dimension = 0;
  // Certify as if the observed shares had come from this many draws, where there were more; 0: from
  // those that there were.
  int64_t as_if_n = 0;

  double sample_alpha() const { return per_dataset ? alpha / static_cast<double>(samples) : alpha; }
};

// "gaussian", "l2", "fixed" and so on, as conditions spell them.
std::string Name(SmoothingNoise noise);
std::string Name(SmoothingMode mode);
std::string Name(RadiusNorm norm);

// The radius at which smoothing keeps the class, given that its probability under noise is at least
// p, 1/2 <= p <= 1. With scale s and dimension d:
//   Gaussian L2    s Phi^-1(p)          Gaussian Linf   s Phi^-1(p) / sqrt(d)
//   uniform L1     2 s (p - 1/2)        uniform Linf    2 s (1 - (3/2 - p)^(1/d))
//   Laplace L1     -s ln(2 (1 - p))
double RadiusOf(const SmoothingSetting& setting, double p);
// Its inverse: the probability that a radius >= 0 needs; at least 1 where no probability is enough.
double ProbabilityFor(const SmoothingSetting& setting, double radius);

// By how much the probability of a class under the noise that is drawn can exceed that under the
// noise that the certificate is about: 0 but for `sound`, where it covers the 64-bit thresholds of
// the sampler and the rounding of the bounds themselves (docs/conditions/certification.md).
double SamplerError(const SmoothingSetting& setting);
// `sound`: noisy pixels are cut to [-k, k + 1] for this k, max(1, floor(6 sigma)).
int SoundRange(double sigma);

// The smallest n with which a sample can be certified (predicted) at all.
int64_t SmallestUsefulN(const SmoothingSetting& setting);

// One-sided Clopper-Pearson lower bound: the largest p for which k or more successes of n have
// probability at most alpha. Needs 0 <= k <= n, n >= 1, 0 < alpha < 1.
double ClopperPearsonLower(int64_t k, int64_t n, double alpha);

// The counts that a certificate is made of.
struct SmoothingEvidence {
  // Class that had the most selection draws (predict mode: estimation draws), the lowest index on
  // ties; -1 without any.
  int top_class = -1;
  // Draws of the top class among `draws`. Fixed mode: of all n. Anytime mode: at the moment at
  // which the lower bound was highest. Predict mode: of those of the top two classes.
  int64_t count = 0;
  int64_t draws = 0;
};
// Draws that are in no histogram count as draws of no class.
SmoothingEvidence EvidenceOf(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting);

struct Certificate {
  int top_class = -1;
  // The certified class: top_class, or -1 to abstain.
  int prediction = -1;
  // Lower bound, at level alpha, of the probability of the top class under noise: one-sided
  // Clopper-Pearson; anytime mode: AnytimeLower. Predict mode: 0, as nothing is bounded.
  double pa_lower = 0;
  // RadiusOf(pa_lower); 0 when abstaining.
  double radius = 0;
};
Certificate Certify(const SmoothingEvidence& evidence, const SmoothingSetting& setting);
Certificate Certify(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting);

// Anytime mode: whether the draws prove, at alpha, that no number of them would certify the radius.
// The evidence is a supermartingale whatever the probability from the needed one up, so it may be
// looked at where the draws stopped.
bool Refutes(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting, double radius);

// How many of the estimation draws gave a class.
int64_t CountOf(const v1::SmoothingOutcome& outcome, int32_t index);
// The number of estimation draws behind an outcome.
int64_t EstimationDraws(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting);

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_SMOOTHING_CERTIFICATE_H_
