#include "server/report/certification_report.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/smoothing_certificate.h"
#include "server/report/statistics.h"

namespace assay::report {
namespace {

// The curve has a point every quarter of sigma: radii scale with sigma, and 3.8 sigma is the cap of
// a usual budget.
constexpr int kStepsPerSigma = 4;
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

int64_t CountOf(const v1::SmoothingOutcome& outcome, int32_t index) {
  for (const v1::ClassCount& entry : outcome.estimation()) {
    if (entry.index() == index) return entry.count();
  }
  return 0;
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
// abstain.
double RadiusCap(const SmoothingParameters& parameters) {
  v1::SmoothingOutcome unanimous;
  unanimous.add_selection()->set_count(parameters.n0);
  unanimous.add_estimation()->set_count(parameters.n);
  return Certify(unanimous, parameters.sigma, parameters.n, parameters.alpha).radius;
}

// 0 to the first step above the cap, and the largest radius that was reached, where the curve ends.
std::vector<double> RadiusGrid(double sigma, double cap, double largest) {
  std::vector<double> grid;
  for (int i = 0; grid.empty() || grid.back() <= cap; ++i) {
    grid.push_back(sigma * i / kStepsPerSigma);
  }
  const auto place = std::lower_bound(grid.begin(), grid.end(), largest);
  if (place == grid.end() || *place != largest) grid.insert(place, largest);
  return grid;
}

// What the certified accuracy may be too high by, at all radii at once: the samples are a draw from
// a population, and every certificate may be wrong. Each of the two takes half of the error
// probability.
double SimultaneousMargin(int64_t samples, double alpha, double confidence_level) {
  const double rho = (1 - confidence_level) / 2;
  return BernsteinUpperShare(samples, alpha, rho) + DkwOneSidedWidth(samples, rho);
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
  const double margin = SimultaneousMargin(group.size(), alpha, rates.confidence_level());
  for (double radius : grid) {
    const auto first =
        std::lower_bound(group.correct_radii.begin(), group.correct_radii.end(), radius);
    v1::CertifiedPoint& point = *report->add_curve();
    point.set_radius(radius);
    *point.mutable_accuracy() =
        rates.Make(group.correct_radii.end() - first, group.size(), kNoSamples);
    point.set_simultaneous_lower(std::max(0.0, point.accuracy().value() - margin));
  }
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
  const double n = static_cast<double>(condition.smoothing->n);
  const double samples = static_cast<double>(condition.samples.size());
  for (const ResolvedSample& sample : condition.samples) {
    const double pa =
        static_cast<double>(CountOf(sample.outcome->smoothing(), sample.certificate.top_class)) / n;
    int index = 0;
    while (pa > report->acr_bands(index).upper()) ++index;
    v1::AcrBand& band = *report->mutable_acr_bands(index);
    band.set_samples(band.samples() + 1);
    if (!sample.correct) continue;
    band.set_acr_contribution(band.acr_contribution() + sample.certificate.radius / samples);
  }
}

}  // namespace

void FillCertification(const ResolvedCondition& condition, RateMaker& rates,
                       v1::ConditionReport* report) {
  const SmoothingParameters& parameters = *condition.smoothing;
  v1::CertificationReport& total = *report->mutable_certification();
  total.set_sigma(parameters.sigma);
  total.set_n0(parameters.n0);
  total.set_n(parameters.n);
  total.set_alpha(parameters.alpha);
  const double cap = RadiusCap(parameters);
  total.set_radius_cap(cap);
  total.set_acr_notice(kAcrNotice);

  Group all;
  std::vector<Group> classes(static_cast<size_t>(condition.num_classes));
  std::vector<double> pa_top_class;
  int64_t draws = 0, undecided_draws = 0, tied_draws = 0, at_cap = 0;
  const double n = static_cast<double>(parameters.n);
  for (const ResolvedSample& sample : condition.samples) {
    const v1::SmoothingOutcome& outcome = sample.outcome->smoothing();
    const double pa_true = static_cast<double>(CountOf(outcome, sample.label())) / n;
    Add(sample, condition.num_classes, pa_true, &all);
    Add(sample, condition.num_classes, pa_true, &classes[static_cast<size_t>(sample.label())]);
    pa_top_class.push_back(static_cast<double>(LargestCount(outcome)) / n);
    if (sample.correct && sample.certificate.radius >= cap * (1 - kCapTolerance)) {
      ++at_cap;
    }
    for (const v1::ClassCount& entry : outcome.selection()) draws += entry.count();
    for (const v1::ClassCount& entry : outcome.estimation()) draws += entry.count();
    undecided_draws += outcome.undecided_draws();
    tied_draws += outcome.tied_draws();
  }
  total.set_draws(draws + undecided_draws + tied_draws);
  total.set_undecided_draws(undecided_draws);
  total.set_tied_draws(tied_draws);
  *total.mutable_share_at_cap() = rates.Make(at_cap, all.size(), kNoSamples);

  std::sort(all.correct_radii.begin(), all.correct_radii.end());
  const double largest = all.correct_radii.empty() ? 0 : all.correct_radii.back();
  const std::vector<double> grid = RadiusGrid(parameters.sigma, cap, largest);
  FillGroup(all, grid, parameters.alpha, rates, &total);
  FillBands(condition, &total);
  if (all.size() > 0) {
    *total.mutable_pa_true_class() = Distribution(all.pa_true_class, rates.confidence_level());
    *total.mutable_pa_top_class() = Distribution(pa_top_class, rates.confidence_level());
  }
  for (size_t c = 0; c < classes.size(); ++c) {
    Group& group = classes[c];
    std::sort(group.correct_radii.begin(), group.correct_radii.end());
    v1::ClassCertificationReport& own =
        *report->mutable_classes(static_cast<int>(c))->mutable_certification();
    FillGroup(group, grid, parameters.alpha, rates, &own);
    if (group.size() == 0) continue;
    *own.mutable_pa_true_class() = Distribution(group.pa_true_class, rates.confidence_level());
  }
}

}  // namespace assay::report
