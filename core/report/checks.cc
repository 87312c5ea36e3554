#include "core/report/checks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/conditions/condition.h"

namespace assay::report {
namespace {

Finding Look(const CheckRow& row, const Facts& facts) {
  if ((row.needs & kModel) != 0 && !facts.evaluation->validation.has_value()) {
    return NotApplicable("no engine has validated the model yet");
  }
  if ((row.needs & kGradients) != 0 && !facts.no_gradients.empty()) {
    return NotApplicable(facts.no_gradients);
  }
  return row.measure(facts);
}

v1::Check Judged(const CheckRow& row, const Finding& finding) {
  v1::Check check;
  check.set_name(row.name);
  if (!finding.not_applicable.empty()) {
    check.set_verdict(v1::Check::NOT_APPLICABLE);
    check.set_message(finding.not_applicable);
    return check;
  }
  const Limit limit = finding.limit.has_value() ? *finding.limit : row.limit.value();
  const auto beyond = [&](double bound) {
    return limit.at_least ? finding.value < bound : finding.value > bound;
  };
  if (beyond(limit.threshold)) {
    const bool fails = limit.fails.has_value() && beyond(*limit.fails);
    check.set_verdict(fails ? v1::Check::FAILED : v1::Check::WARNING);
    check.set_message(
        absl::StrCat(finding.seen, "; ", finding.remedy.empty() ? row.remedy : finding.remedy));
  } else {
    check.set_verdict(v1::Check::PASSED);
    check.set_message(finding.seen);
  }
  if (limit.yes_or_no) return check;
  check.set_value(finding.value);
  check.set_threshold(limit.threshold);
  check.set_at_least(limit.at_least);
  return check;
}

}  // namespace

Finding NotApplicable(std::string why) {
  Finding finding;
  finding.not_applicable = std::move(why);
  return finding;
}

void FillChecks(const std::vector<CheckRow>& rows, const Facts& facts,
                google::protobuf::RepeatedPtrField<v1::Check>* checks) {
  for (const CheckRow& row : rows) {
    if ((row.needs & kCleanImages) != 0 && facts.report->family() != kFamilyClean) continue;
    *checks->Add() = Judged(row, Look(row, facts));
  }
}

std::string Percent(double share) { return absl::StrFormat("%.3g %%", 100 * share); }

std::string Of(int64_t count, int64_t all, const std::string& what) {
  return absl::StrCat(count, " of ", all, " ", what, all == 1 ? "" : "s");
}

double Share(int64_t count, int64_t all) {
  return static_cast<double>(count) / static_cast<double>(all);
}

}  // namespace assay::report
