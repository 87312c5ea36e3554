#include "core/report/checks.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace assay::report {

std::string Percent(double share) { return absl::StrFormat("%.3g %%", 100 * share); }

std::string Of(int64_t count, int64_t all, const std::string& what) {
  return absl::StrCat(count, " of ", all, " ", what, all == 1 ? "" : "s");
}

double Share(int64_t count, int64_t all) {
  return static_cast<double>(count) / static_cast<double>(all);
}

v1::Check& Checks::Add(const char* name, v1::Check::Verdict verdict, const std::string& message) {
  v1::Check& check = *list_->Add();
  check.set_name(name);
  check.set_verdict(verdict);
  check.set_message(message);
  return check;
}

void Checks::NotApplicable(const char* name, const std::string& why) {
  Add(name, v1::Check::NOT_APPLICABLE, why);
}

void Checks::Judge(const char* name, double value, const Limit& limit, const std::string& seen,
                   const std::string& todo) {
  const auto beyond = [&](double bound) { return limit.at_least ? value < bound : value > bound; };
  v1::Check::Verdict verdict = v1::Check::PASSED;
  if (beyond(limit.threshold)) {
    verdict =
        limit.fails.has_value() && beyond(*limit.fails) ? v1::Check::FAILED : v1::Check::WARNING;
  }
  v1::Check& check =
      Add(name, verdict, verdict == v1::Check::PASSED ? seen : absl::StrCat(seen, "; ", todo));
  check.set_value(value);
  check.set_threshold(limit.threshold);
  check.set_at_least(limit.at_least);
}

}  // namespace assay::report
