#include "server/report/smoothing_parameters.h"

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/rational.h"

namespace assay::report {
namespace {

absl::Status BadParameter(const v1::Condition& condition, absl::string_view name) {
  return Error(Reason::kInternal, absl::StrCat("condition '", condition.id(),
                                               "' has no usable parameter '", name, "'"));
}

absl::StatusOr<Rational> Parameter(const v1::Condition& condition, const std::string& name) {
  const auto found = condition.parameters().find(name);
  if (found == condition.parameters().end()) return BadParameter(condition, name);
  const absl::StatusOr<Rational> value = Rational::Parse(found->second);
  if (!value.ok() || value->numerator() <= 0) return BadParameter(condition, name);
  return value;
}

absl::StatusOr<int64_t> PositiveInteger(const v1::Condition& condition, const std::string& name) {
  ASSAY_ASSIGN_OR_RETURN(const Rational value, Parameter(condition, name));
  if (value.denominator() != 1) return BadParameter(condition, name);
  return value.numerator();
}

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

absl::StatusOr<SmoothingParameters> ParseSmoothingParameters(const v1::Condition& condition) {
  SmoothingParameters parameters;
  ASSAY_ASSIGN_OR_RETURN(const Rational sigma, Parameter(condition, "sigma"));
  ASSAY_ASSIGN_OR_RETURN(const Rational alpha, Parameter(condition, "alpha"));
  ASSAY_ASSIGN_OR_RETURN(parameters.n0, PositiveInteger(condition, "n0"));
  ASSAY_ASSIGN_OR_RETURN(parameters.n, PositiveInteger(condition, "n"));
  if (alpha.numerator() >= alpha.denominator()) return BadParameter(condition, "alpha");
  parameters.sigma = sigma.ToDouble();
  parameters.alpha = alpha.ToDouble();
  return parameters;
}

absl::Status CheckCounts(const v1::SmoothingOutcome& outcome, const SmoothingParameters& parameters,
                         int num_classes) {
  ASSAY_RETURN_IF_ERROR(CheckHistogram(outcome.selection(), parameters.n0, num_classes));
  ASSAY_RETURN_IF_ERROR(CheckHistogram(outcome.estimation(), parameters.n, num_classes));
  if (outcome.undecided_draws() < 0 || outcome.tied_draws() < 0) {
    return Error(Reason::kInternal, "a smoothing outcome has a negative number of draws");
  }
  return absl::OkStatus();
}

}  // namespace assay::report
