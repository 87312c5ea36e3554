#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/params.h"
#include "core/report/sections.h"
#include "core/statistics/conformal_sets.h"

namespace assay::report {
namespace {

constexpr char kBernstein[] = "bernstein";

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

absl::Status Check(const v1::Outcome& outcome, int num_classes, bool variances) {
  const v1::ConformalOutcome& conformal = outcome.conformal();
  bool good = conformal.scores_size() == num_classes &&
              (!variances || conformal.variances_size() == num_classes);
  // Of n >= 2 values in [0, 1] the variance is at most n / (4 (n - 1)).
  for (const float score : conformal.scores()) good = good && score >= 0 && score <= 1;
  for (const float value : conformal.variances()) good = good && value >= 0 && value <= 0.5F;
  if (good) return absl::OkStatus();
  return Error(Reason::kInternal,
               absl::StrCat("outcome of sample ", outcome.sample(), ": needs a score in [0, 1]",
                            variances ? " and a variance in [0, 1/2]" : "", " for each of ",
                            num_classes, " classes"));
}

// The Monte-Carlo error of each class's mean score.
class Correction {
 public:
  Correction(std::string bound, int64_t n, double beta)
      : bernstein_(bound == kBernstein), n_(n), beta_(beta), hoeffding_(HoeffdingError(n, beta)) {}

  double operator()(const v1::ConformalOutcome& outcome, int label) const {
    return bernstein_ ? BernsteinError(outcome.variances(label), n_, beta_) : hoeffding_;
  }
  bool needs_variances() const { return bernstein_; }

 private:
  const bool bernstein_;
  const int64_t n_;
  const double beta_, hoeffding_;
};

}  // namespace

absl::Status FillConformal(const SectionInput& input, v1::ConditionReport* report) {
  const ResolvedCondition& resolved = input.resolved;
  RateMaker& rates = input.rates;
  Params params(input.condition);
  const double alpha = params.Number("alpha"), beta = params.Number("beta");
  const double sigma = params.Number("sigma"), delta = params.Number("delta");
  const double share = params.Number("calibration");
  const int64_t n = params.Integer("n");
  v1::ConformalReport& conformal = *report->mutable_conformal();
  conformal.set_score(params.Text("score"));
  conformal.set_bound(params.Text("bound"));
  ASSAY_RETURN_IF_ERROR(params.status());
  const Correction correction(conformal.bound(), n, beta);
  conformal.set_alpha(alpha);
  conformal.set_delta(delta);

  // Mean scores of the label, and upper bounds of their expectations.
  std::vector<double> plain_calibration, calibration;
  std::vector<const v1::Outcome*> test;
  for (const ResolvedSample& sample : resolved.samples) {
    const v1::Outcome& outcome = *sample.outcome;
    ASSAY_RETURN_IF_ERROR(Check(outcome, resolved.num_classes, correction.needs_variances()));
    if (Calibrates(input.evaluation.seed, outcome.sample(), share)) {
      const double score = outcome.conformal().scores(sample.label());
      plain_calibration.push_back(score);
      calibration.push_back(score + correction(outcome.conformal(), sample.label()));
    } else {
      test.push_back(&outcome);
    }
  }
  conformal.set_calibration_samples(static_cast<int64_t>(calibration.size()));
  conformal.set_test_samples(static_cast<int64_t>(test.size()));

  // Each of the two Monte-Carlo corrections may fail with probability beta.
  const double threshold = ConformalThreshold(calibration, alpha - 2 * beta);
  const double plain_threshold = ConformalThreshold(plain_calibration, alpha);
  std::string undefined;
  if (threshold == std::numeric_limits<double>::infinity()) {
    undefined = absl::StrCat(calibration.size(), " calibration samples are too few for alpha ",
                             alpha, " and beta ", beta);
    conformal.set_undefined_reason(undefined);
    test.clear();
  } else {
    conformal.set_threshold(threshold);
    if (test.empty()) undefined = "no test samples";
  }
  Sets robust, plain;
  double corrections = 0;
  std::vector<Sets> classes(static_cast<size_t>(resolved.num_classes));
  for (const v1::Outcome* outcome : test) {
    std::vector<bool> robust_set, plain_set;
    for (int k = 0; k < resolved.num_classes; ++k) {
      const double score = outcome->conformal().scores(k);
      const double error = correction(outcome->conformal(), k);
      corrections += error;
      robust_set.push_back(InRobustSet(score - error, threshold, delta / sigma));
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
  if (!test.empty()) {
    conformal.set_mean_correction(corrections / static_cast<double>(test.size()) /
                                  resolved.num_classes);
  }
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
