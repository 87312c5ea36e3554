#include "server/report/conformal_report.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/params.h"

namespace assay::report {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double NormalQuantile(double p) {
  if (p <= 0) return -kInfinity;
  if (p >= 1) return kInfinity;
  return boost::math::quantile(boost::math::normal(), p);
}

// Sets of the samples of one group.
struct Sets {
  int64_t samples = 0;
  int64_t covered = 0;
  int64_t labels = 0;  // in all sets together

  void Add(const std::vector<bool>& set, int label) {
    ++samples;
    covered += set[static_cast<size_t>(label)] ? 1 : 0;
    labels += std::count(set.begin(), set.end(), true);
  }
  double MeanSize() const {
    return samples == 0 ? 0 : static_cast<double>(labels) / static_cast<double>(samples);
  }
};

absl::Status Check(const v1::Outcome& outcome, int num_classes) {
  bool good = outcome.conformal().scores_size() == num_classes;
  for (const float score : outcome.conformal().scores()) good = good && score >= 0 && score <= 1;
  if (good) return absl::OkStatus();
  return Error(Reason::kInternal,
               absl::StrCat("outcome of sample ", outcome.sample(),
                            ": needs a score in [0, 1] for each of ", num_classes, " classes"));
}

}  // namespace

double ConformalThreshold(std::vector<double> scores, double alpha) {
  const double wanted = (static_cast<double>(scores.size()) + 1) * (1 - alpha);
  // Of a product like 10 x 0.9 that is a little above the integer that it means.
  const auto rank = static_cast<size_t>(std::ceil(wanted - 1e-9));
  if (rank > scores.size()) return kInfinity;
  if (rank == 0) return -kInfinity;
  const auto nth = scores.begin() + static_cast<ptrdiff_t>(rank - 1);
  std::nth_element(scores.begin(), nth, scores.end());
  return *nth;
}

double MonteCarloError(int64_t n, double beta) {
  constexpr double kSinglePrecision = 0x1p-24;
  return std::sqrt(-std::log(beta) / (2 * static_cast<double>(n))) + kSinglePrecision;
}

bool InRobustSet(double score, double threshold, double error, double delta_over_sigma) {
  return NormalQuantile(score - error) - delta_over_sigma <= NormalQuantile(threshold + error);
}

bool Calibrates(int64_t seed, int64_t sample, double share) {
  const std::string digest = Sha256Hex(absl::StrCat(seed, "/conformal/", sample));
  const auto bits = std::stoull(digest.substr(0, 16), nullptr, 16);
  return static_cast<double>(bits) * 0x1p-64 < share;
}

absl::Status FillConformal(const v1::Condition& condition, int64_t seed,
                           const ResolvedCondition& resolved, RateMaker& rates,
                           v1::ConditionReport* report) {
  Params params(condition);
  const double alpha = params.Number("alpha"), beta = params.Number("beta");
  const double sigma = params.Number("sigma"), delta = params.Number("delta");
  const double share = params.Number("calibration");
  const double error = MonteCarloError(params.Integer("n"), beta);
  v1::ConformalReport& conformal = *report->mutable_conformal();
  conformal.set_score(params.Text("score"));
  ASSAY_RETURN_IF_ERROR(params.status());
  conformal.set_alpha(alpha);
  conformal.set_delta(delta);

  std::vector<double> calibration;
  std::vector<const v1::Outcome*> test;
  for (const ResolvedSample& sample : resolved.samples) {
    const v1::Outcome& outcome = *sample.outcome;
    ASSAY_RETURN_IF_ERROR(Check(outcome, resolved.num_classes));
    if (Calibrates(seed, outcome.sample(), share)) {
      calibration.push_back(outcome.conformal().scores(sample.label()));
    } else {
      test.push_back(&outcome);
    }
  }
  conformal.set_calibration_samples(static_cast<int64_t>(calibration.size()));
  conformal.set_test_samples(static_cast<int64_t>(test.size()));

  // Each of the two Monte-Carlo corrections may fail with probability beta.
  const double threshold = ConformalThreshold(calibration, alpha - 2 * beta);
  const double plain_threshold = ConformalThreshold(calibration, alpha);
  std::string undefined;
  if (threshold == kInfinity) {
    undefined = absl::StrCat(calibration.size(), " calibration samples are too few for alpha ",
                             alpha, " and beta ", beta);
    conformal.set_undefined_reason(undefined);
    test.clear();
  } else {
    conformal.set_threshold(threshold);
    if (test.empty()) undefined = "no test samples";
  }
  Sets robust, plain;
  std::vector<Sets> classes(static_cast<size_t>(resolved.num_classes));
  for (const v1::Outcome* outcome : test) {
    std::vector<bool> robust_set, plain_set;
    for (const double score : outcome->conformal().scores()) {
      robust_set.push_back(InRobustSet(score, threshold, error, delta / sigma));
      plain_set.push_back(score <= plain_threshold);
    }
    robust.Add(robust_set, outcome->label());
    plain.Add(plain_set, outcome->label());
    classes[static_cast<size_t>(outcome->label())].Add(robust_set, outcome->label());
  }
  *conformal.mutable_coverage() = rates.Make(robust.covered, robust.samples, undefined);
  conformal.set_mean_set_size(robust.MeanSize());
  *conformal.mutable_plain_coverage() = rates.Make(plain.covered, plain.samples, undefined);
  conformal.set_plain_mean_set_size(plain.MeanSize());
  for (size_t c = 0; c < classes.size(); ++c) {
    v1::ConformalClass& own = *conformal.add_classes();
    own.set_index(static_cast<int32_t>(c));
    *own.mutable_coverage() =
        rates.Make(classes[c].covered, classes[c].samples,
                   undefined.empty() ? "the class has no test samples" : undefined);
    own.set_mean_set_size(classes[c].MeanSize());
  }
  return absl::OkStatus();
}

}  // namespace assay::report
