#include "core/report/smoothing_parameters.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/smoothing_setting.h"

namespace assay::report {
namespace {

absl::Status CheckHistogram(const google::protobuf::RepeatedPtrField<v1::ClassCount>& histogram,
                            int64_t draws, int num_classes) {
  absl::flat_hash_set<int32_t> seen;
  int64_t rest = draws;
  for (const v1::ClassCount& entry : histogram) {
    if (entry.index() < 0 || entry.index() >= num_classes) {
      return Error(Reason::kInternal, absl::StrCat("a smoothing count names class ", entry.index(),
                                                   " of ", num_classes));
    }
    if (!seen.insert(entry.index()).second) {
      return Error(Reason::kInternal,
                   absl::StrCat("a smoothing histogram has class ", entry.index(), " twice"));
    }
    if (entry.count() < 0 || entry.count() > rest) {
      return Error(Reason::kInternal,
                   absl::StrCat("smoothing counts do not fit ", draws, " draws"));
    }
    rest -= entry.count();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SmoothingSetting> SmoothingParameters(const v1::Condition& condition,
                                                     const CertificationOptions& options) {
  ASSAY_ASSIGN_OR_RETURN(SmoothingSetting setting, ParseSmoothingSetting(condition));
  setting.samples = std::max<int64_t>(1, options.samples);
  setting.dimension = options.dimension;
  if (options.alpha == 0 && options.n == 0) return setting;
  std::vector<FieldViolation> violations;
  // The negation also refuses NaN.
  const double largest_alpha = setting.mode == SmoothingMode::kAnytime ? 0.5 : 1;
  if (options.alpha != 0 && !(options.alpha > 0 && options.alpha < largest_alpha)) {
    violations.push_back({"alpha", absl::StrCat(options.alpha, " is not between 0 and ",
                                                largest_alpha, " (usual: 0.001)")});
  }
  if (options.n < 0 || options.n > setting.n) {
    violations.push_back(
        {"n", absl::StrCat(options.n, " is not between 1 and the ", setting.n, " draws of '",
                           condition.id(),
                           "'; curve_with_tenfold_n tells how more draws would move the curve")});
  }
  if (!violations.empty()) return InvalidFields(std::move(violations));
  if (options.alpha != 0) setting.alpha = options.alpha;
  setting.as_if_n = options.n;
  const int64_t n = options.n != 0 ? options.n : setting.n;
  const int64_t smallest = SmallestUsefulN(setting);
  if (n < smallest) {
    return InvalidFields(
        {{options.n != 0 ? "n" : "alpha",
          absl::StrCat("n=", n, " can only abstain at alpha=", setting.sample_alpha(), " in '",
                       condition.id(), "'; the smallest n that can certify is ", smallest)}});
  }
  return setting;
}

absl::Status CheckCounts(const v1::SmoothingOutcome& outcome, const SmoothingSetting& setting,
                         int num_classes) {
  ASSAY_RETURN_IF_ERROR(CheckHistogram(outcome.selection(), setting.n0, num_classes));
  ASSAY_RETURN_IF_ERROR(CheckHistogram(outcome.estimation(), setting.n, num_classes));
  if (outcome.undecided_draws() < 0 || outcome.tied_draws() < 0) {
    return Error(Reason::kInternal, "a smoothing outcome has a negative number of draws");
  }
  if (setting.mode == SmoothingMode::kAnytime) {
    const int64_t draws = EstimationDraws(outcome, setting);
    if (draws > setting.n) {
      return Error(Reason::kInternal,
                   absl::StrCat("an outcome of at most ", setting.n, " draws has ", draws));
    }
    if (outcome.best_count() < 0 || outcome.best_count() > outcome.best_draws() ||
        outcome.best_draws() > draws) {
      return Error(Reason::kInternal,
                   absl::StrCat("the best moment of a smoothing outcome has ", outcome.best_count(),
                                " of ", outcome.best_draws(), " draws"));
    }
  }
  return absl::OkStatus();
}

}  // namespace assay::report
