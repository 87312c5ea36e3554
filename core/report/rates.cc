#include "core/report/rates.h"

#include <string>

namespace assay::report {

v1::Rate RateMaker::Make(int64_t numerator, int64_t denominator,
                         absl::string_view undefined_reason) {
  v1::Rate rate;
  rate.set_numerator(numerator);
  rate.set_denominator(denominator);
  if (denominator == 0) {
    rate.set_undefined_reason(std::string(undefined_reason));
    return rate;
  }
  const auto [entry, inserted] = intervals_.try_emplace({numerator, denominator});
  if (inserted) entry->second = ClopperPearson(numerator, denominator, confidence_level_);
  rate.set_value(static_cast<double>(numerator) / static_cast<double>(denominator));
  rate.set_lower(entry->second.lower);
  rate.set_upper(entry->second.upper);
  return rate;
}

}  // namespace assay::report
