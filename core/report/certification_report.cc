#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/report/sections.h"
#include "core/statistics/smoothing_certificate.h"
#include "core/statistics/statistics.h"

namespace assay::report {
namespace {

// The curve has a point every quarter of the unit in which the radii of a noise are measured.
constexpr int kStepsPerUnit = 4;
// The projection of the curve to more draws.
constexpr int64_t kTenfold = 10;
constexpr int64_t kMaxPaPoints = 101;
// The radius of n agreeing draws is computed in more than one way.
constexpr double kCapTolerance = 1e-12;
constexpr double kBandEdges[] = {0, 0.5, 0.9, 0.99, 0.999, 1};
constexpr char kNoSamples[] = "no samples";
constexpr char kAcrNotice[] =
    "The average certified radius is a poor measure of robustness (arXiv 2410.06895). It has no "
    "fixed scale: more noisy "
    "copies per sample raise the radius cap and with it the score of any classifier, even of one "
    "that always answers the "
    "same class. And easy samples with p_A close to 1 dominate it, so it can grow while fewer "
    "samples are robust. Read it "
    "together with the cap, the share at the cap and the bands of p_A; to compare models, prefer "
    "the distribution of p_A and "
    "certified accuracy at the radii that matter.";

// The samples of the whole condition, or of one class.
struct Group {
  // radius if the certified class is the label, else 0; in order of sample.
  std::vector<double> credited_radii;
  // Of the correct samples alone; ascending once summarised.
  std::vector<double> correct_radii;
  std::vector<double> pa_true_class;
  int64_t abstentions = 0;

  int64_t size() const { return static_cast<int64_t>(credited_radii.size()); }
};

// 0 where nothing was drawn.
double Share(int64_t count, int64_t draws) {
  return draws == 0 ? 0 : static_cast<double>(count) / static_cast<double>(draws);
}

int64_t LargestCount(const v1::SmoothingOutcome& outcome) {
  int64_t largest = 0;
  for (const v1::ClassCount& entry : outcome.estimation()) {
    largest = std::max(largest, entry.count());
  }
  return largest;
}

void Add(const ResolvedSample& sample, int num_classes, double pa_true, Group* group) {
  group->credited_radii.push_back(sample.correct ? sample.certificate.radius : 0);
  if (sample.correct) group->correct_radii.push_back(sample.certificate.radius);
  group->pa_true_class.push_back(pa_true);
  group->abstentions += sample.column == num_classes ? 1 : 0;
}

// Largest radius that the setting allows: that of n draws that all agree. 0 where even those
// abstain, and where no radius is asked for.
double RadiusCap(const SmoothingSetting& setting, int64_t n) {
  return Certify(SmoothingEvidence{0, n, n}, setting).radius;
}

// Draws that certificates of the condition may rest on.
int64_t Budget(const SmoothingSetting& setting) {
  return setting.as_if_n > 0 ? setting.as_if_n : setting.n;
}

// What radii scale with: sigma for Gaussian noise in L2, of which 3.8 are the cap of a usual
// budget.
double RadiusUnit(const SmoothingSetting& setting) {
  if (setting.noise == SmoothingNoise::kUniform) return RadiusOf(setting, 1);
  if (setting.norm != RadiusNorm::kLinf) return setting.scale;
  return setting.scale / std::sqrt(static_cast<double>(std::max<int64_t>(1, setting.dimension)));
}

// 0 to the first step above the cap, the radii that were asked for, and the largest radius that was
// reached, where the curve ends.
std::vector<double> RadiusGrid(const SmoothingSetting& setting, double cap, double largest) {
  if (setting.mode == SmoothingMode::kPredict) return {0};
  std::vector<double> grid(setting.radii.begin(), setting.radii.end());
  grid.push_back(largest);
  const double unit = RadiusUnit(setting);
  double radius = 0;
  grid.push_back(radius);
  for (int i = 1; radius <= cap; ++i) {
    radius = unit * i / kStepsPerUnit;
    grid.push_back(radius);
  }
  std::sort(grid.begin(), grid.end());
  grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
  return grid;
}

// What the certified accuracy may be too high by, at all radii at once: the samples are a draw from
// a population, and every certificate may be wrong. Each of the two takes half of the error
// probability.
double SimultaneousMargin(int64_t samples, double alpha, double confidence_level) {
  const double rho = (1 - confidence_level) / 2;
  return BernsteinUpperShare(samples, alpha, rho) + DkwOneSidedWidth(samples, rho);
}

// Certified accuracy at each radius of the grid; `correct_radii` ascending.
template <typename Curve>
void FillCurve(const std::vector<double>& correct_radii, int64_t samples,
               const std::vector<double>& grid, double alpha, RateMaker& rates, Curve* curve) {
  const double margin = SimultaneousMargin(samples, alpha, rates.confidence_level());
  for (double radius : grid) {
    const auto first = std::lower_bound(correct_radii.begin(), correct_radii.end(), radius);
    v1::CertifiedPoint& point = *curve->Add();
    point.set_radius(radius);
    *point.mutable_accuracy() = rates.Make(correct_radii.end() - first, samples, kNoSamples);
    point.set_simultaneous_lower(std::max(0.0, point.accuracy().value() - margin));
  }
}

// Fills what the report of a condition and of a class have in common.
template <typename Report>
void FillGroup(const Group& group, const std::vector<double>& grid, double alpha, RateMaker& rates,
               Report* report) {
  report->set_abstentions(group.abstentions);
  *report->mutable_abstention_rate() = rates.Make(group.abstentions, group.size(), kNoSamples);
  if (group.size() == 0) return;
  report->set_average_certified_radius(Mean(group.credited_radii));
  report->set_median_radius(Median(group.credited_radii));
  FillCurve(group.correct_radii, group.size(), grid, alpha, rates, report->mutable_curve());
}

// The curve if ten times as many draws had given the same shares.
void FillTenfoldCurve(const ResolvedCondition& condition, RateMaker& rates,
                      v1::CertificationReport* report) {
  const SmoothingSetting& setting = *condition.smoothing;
  if (setting.mode == SmoothingMode::kPredict || condition.samples.empty()) return;
  std::vector<double> radii;
  for (const ResolvedSample& sample : condition.samples) {
    SmoothingEvidence evidence = EvidenceOf(sample.outcome->smoothing(), setting);
    evidence.count *= kTenfold;
    evidence.draws *= kTenfold;
    const Certificate certificate = Certify(evidence, setting);
    if (certificate.prediction == sample.label()) radii.push_back(certificate.radius);
  }
  std::sort(radii.begin(), radii.end());
  const std::vector<double> grid = RadiusGrid(
      setting, RadiusCap(setting, kTenfold * Budget(setting)), radii.empty() ? 0 : radii.back());
  FillCurve(radii, static_cast<int64_t>(condition.samples.size()), grid, setting.sample_alpha(),
            rates, report->mutable_curve_with_tenfold_n());
}

// `values` must not be empty.
v1::PaDistribution Distribution(std::vector<double> values, double confidence_level) {
  v1::PaDistribution distribution;
  const int64_t n = static_cast<int64_t>(values.size());
  distribution.set_dkw_half_width(DkwHalfWidth(n, 1 - confidence_level));
  distribution.set_mean(Mean(values));
  distribution.set_median(Median(values));
  std::sort(values.begin(), values.end());
  std::vector<double> shown = values;
  shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
  if (static_cast<int64_t>(shown.size()) > kMaxPaPoints) {
    // Quantiles at equal steps instead, the smallest and the largest value included.
    shown.clear();
    for (int64_t i = 0; i < kMaxPaPoints; ++i) {
      shown.push_back(values[static_cast<size_t>((n - 1) * i / (kMaxPaPoints - 1))]);
    }
    shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
  }
  for (double pa : shown) {
    v1::PaPoint& point = *distribution.add_points();
    point.set_pa(pa);
    const auto above = std::upper_bound(values.begin(), values.end(), pa);
    point.set_cumulative(static_cast<double>(above - values.begin()) / static_cast<double>(n));
  }
  return distribution;
}

// One band per sample, by the share of estimation draws that agreed with the selected class.
void FillBands(const ResolvedCondition& condition, v1::CertificationReport* report) {
  for (size_t i = 0; i + 1 < std::size(kBandEdges); ++i) {
    v1::AcrBand& band = *report->add_acr_bands();
    band.set_lower(kBandEdges[i]);
    band.set_upper(kBandEdges[i + 1]);
  }
  const double samples = static_cast<double>(condition.samples.size());
  for (const ResolvedSample& sample : condition.samples) {
    const v1::SmoothingOutcome& outcome = sample.outcome->smoothing();
    const double pa = Share(CountOf(outcome, sample.certificate.top_class),
                            EstimationDraws(outcome, *condition.smoothing));
    int index = 0;
    while (pa > report->acr_bands(index).upper()) ++index;
    v1::AcrBand& band = *report->mutable_acr_bands(index);
    band.set_samples(band.samples() + 1);
    if (!sample.correct) continue;
    band.set_acr_contribution(band.acr_contribution() + sample.certificate.radius / samples);
  }
}

// What became of the radii that were to be decided.
void FillDecisions(const ResolvedCondition& condition, v1::CertificationReport* report) {
  const SmoothingSetting& setting = *condition.smoothing;
  for (const double radius : setting.radii) {
    v1::RadiusDecision& decision = *report->add_decisions();
    decision.set_radius(radius);
    for (const ResolvedSample& sample : condition.samples) {
      if (sample.certificate.prediction >= 0 && sample.certificate.radius >= radius) {
        decision.set_certified(decision.certified() + 1);
      } else if (Refutes(sample.outcome->smoothing(), setting, radius)) {
        decision.set_refuted(decision.refuted() + 1);
      } else {
        decision.set_open(decision.open() + 1);
      }
    }
  }
}

}  // namespace

absl::Status FillCertification(const SectionInput& input, v1::ConditionReport* report) {
  const ResolvedCondition& condition = input.resolved;
  RateMaker& rates = input.rates;
  const SmoothingSetting& setting = *condition.smoothing;
  v1::CertificationReport& total = *report->mutable_certification();
  total.set_sigma(setting.scale);
  total.set_n0(setting.n0);
  total.set_n(Budget(setting));
  total.set_alpha(setting.alpha);
  total.set_alpha_scope(setting.per_dataset ? "dataset" : "sample");
  total.set_mode(Name(setting.mode));
  total.set_noise(Name(setting.noise));
  total.set_norm(Name(setting.norm));
  total.set_sound(setting.sound);
  for (const double radius : setting.radii) total.add_wanted_radii(radius);
  FillDecisions(condition, &total);
  const bool certifies = setting.mode != SmoothingMode::kPredict;
  const double cap = certifies ? RadiusCap(setting, Budget(setting)) : 0;
  total.set_radius_cap(cap);
  if (certifies) total.set_acr_notice(kAcrNotice);

  Group all;
  std::vector<Group> classes(static_cast<size_t>(condition.num_classes));
  std::vector<double> pa_top_class, draws_of_samples;
  int64_t undecided_draws = 0, tied_draws = 0, at_cap = 0;
  for (const ResolvedSample& sample : condition.samples) {
    const v1::SmoothingOutcome& outcome = sample.outcome->smoothing();
    const int64_t n = EstimationDraws(outcome, setting);
    const double pa_true = Share(CountOf(outcome, sample.label()), n);
    Add(sample, condition.num_classes, pa_true, &all);
    Add(sample, condition.num_classes, pa_true, &classes[static_cast<size_t>(sample.label())]);
    pa_top_class.push_back(Share(LargestCount(outcome), n));
    if (certifies && sample.correct && sample.certificate.radius >= cap * (1 - kCapTolerance)) {
      ++at_cap;
    }
    int64_t draws = outcome.undecided_draws() + outcome.tied_draws();
    for (const v1::ClassCount& entry : outcome.selection()) draws += entry.count();
    for (const v1::ClassCount& entry : outcome.estimation()) draws += entry.count();
    draws_of_samples.push_back(static_cast<double>(draws));
    total.set_draws(total.draws() + draws);
    undecided_draws += outcome.undecided_draws();
    tied_draws += outcome.tied_draws();
  }
  total.set_mean_draws(Mean(draws_of_samples));
  total.set_median_draws(Median(draws_of_samples));
  total.set_undecided_draws(undecided_draws);
  total.set_tied_draws(tied_draws);
  if (certifies) *total.mutable_share_at_cap() = rates.Make(at_cap, all.size(), kNoSamples);

  std::sort(all.correct_radii.begin(), all.correct_radii.end());
  const double largest = all.correct_radii.empty() ? 0 : all.correct_radii.back();
  const std::vector<double> grid = RadiusGrid(setting, cap, largest);
  FillGroup(all, grid, setting.sample_alpha(), rates, &total);
  FillTenfoldCurve(condition, rates, &total);
  if (certifies) FillBands(condition, &total);
  if (all.size() > 0) {
    *total.mutable_pa_true_class() = Distribution(all.pa_true_class, rates.confidence_level());
    *total.mutable_pa_top_class() = Distribution(pa_top_class, rates.confidence_level());
  }
  for (size_t c = 0; c < classes.size(); ++c) {
    Group& group = classes[c];
    std::sort(group.correct_radii.begin(), group.correct_radii.end());
    v1::ClassCertificationReport& own =
        *report->mutable_classes(static_cast<int>(c))->mutable_certification();
    FillGroup(group, grid, setting.sample_alpha(), rates, &own);
    if (group.size() == 0) continue;
    *own.mutable_pa_true_class() = Distribution(group.pa_true_class, rates.confidence_level());
  }
  return absl::OkStatus();
}

}  // namespace assay::report
