#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/params.h"
#include "core/report/sections.h"
#include "core/statistics/statistics.h"

namespace assay::report {
namespace {

// All samples, or those of one class.
struct Group {
  int64_t size = 0;
  int64_t proven = 0;
  // Of the samples of which anything is known.
  std::vector<double> margins;

  void Add(const ResolvedSample& sample) {
    const v1::BoundsOutcome& bounds = sample.outcome->bounds();
    proven += sample.correct && bounds.certified() ? 1 : 0;
    if (bounds.margin() > std::numeric_limits<double>::lowest()) {
      margins.push_back(bounds.margin());
    }
    ++size;
  }
};

absl::Status Check(const ResolvedSample& sample) {
  const v1::BoundsOutcome& bounds = sample.outcome->bounds();
  const char* wrong = nullptr;
  if (!sample.outcome->has_bounds()) {
    wrong = "it has no bounds";
  } else if (!std::isfinite(bounds.margin())) {
    wrong = "the margin is not a number";
  } else if (sample.correct && bounds.certified() && bounds.margin() <= 0) {
    wrong = "certified without a margin";
  } else if (sample.column == ResolvedSample::kNoColumn && bounds.certified()) {
    wrong = "certified without a prediction";
  } else if (bounds.has_tightness() && !(bounds.tightness() >= 0 && bounds.tightness() <= 1)) {
    wrong = "the tightness is not in [0, 1]";
  }
  if (wrong == nullptr) return absl::OkStatus();
  return Error(Reason::kInternal,
               absl::StrCat("outcome of sample ", sample.outcome->sample(), ": ", wrong));
}

}  // namespace

absl::Status FillBounds(const SectionInput& input, v1::ConditionReport* report) {
  const ResolvedCondition& resolved = input.resolved;
  RateMaker& rates = input.rates;
  Params params(input.condition);
  v1::BoundsReport& bounds = *report->mutable_bounds();
  bounds.set_method(input.condition.method());
  bounds.set_eps(params.Number("eps"));
  ASSAY_RETURN_IF_ERROR(params.status());
  Group all;
  std::vector<Group> classes(static_cast<size_t>(resolved.num_classes));
  std::vector<double> tightness;
  int64_t certified = 0;
  for (const ResolvedSample& sample : resolved.samples) {
    ASSAY_RETURN_IF_ERROR(Check(sample));
    all.Add(sample);
    classes[static_cast<size_t>(sample.label())].Add(sample);
    certified += sample.outcome->bounds().certified() ? 1 : 0;
    if (sample.outcome->bounds().has_tightness()) {
      tightness.push_back(sample.outcome->bounds().tightness());
    }
  }
  *bounds.mutable_certified_accuracy() = rates.Make(all.proven, all.size, "no samples");
  bounds.set_certified(certified);
  bounds.set_mean_margin(Mean(all.margins));
  bounds.set_median_margin(Median(all.margins));
  if (!tightness.empty()) bounds.set_mean_tightness(Mean(tightness));
  for (size_t c = 0; c < classes.size(); ++c) {
    v1::BoundsClass& own = *bounds.add_classes();
    own.set_index(static_cast<int32_t>(c));
    *own.mutable_certified_accuracy() =
        rates.Make(classes[c].proven, classes[c].size, "the class has no samples");
    own.set_median_margin(Median(classes[c].margins));
  }
  return absl::OkStatus();
}

}  // namespace assay::report
