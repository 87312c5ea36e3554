// How a check is made: a value against its limits, a verdict, and a message that says what was seen
// and what to do. docs/checks.md explains each.
#ifndef ASSAY_CORE_REPORT_CHECKS_H_
#define ASSAY_CORE_REPORT_CHECKS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "assay/v1/reports.pb.h"
#include "google/protobuf/repeated_ptr_field.h"

namespace assay::report {

// "12.5 %"
std::string Percent(double share);
// "1 of 3 samples"; `what` in the singular.
std::string Of(int64_t count, int64_t all, const std::string& what);
double Share(int64_t count, int64_t all);

// What a value may be: at most `threshold` (or at least), and when it is not just a warning.
struct Limit {
  double threshold = 0;
  // Beyond: FAILED. Without: a warning is the worst.
  std::optional<double> fails = std::nullopt;
  bool at_least = false;
};

// Appends to a list of checks, which must outlive it.
class Checks {
 public:
  explicit Checks(google::protobuf::RepeatedPtrField<v1::Check>* list) : list_(list) {}

  v1::Check& Add(const char* name, v1::Check::Verdict verdict, const std::string& message);
  void NotApplicable(const char* name, const std::string& why);
  // `seen` says what was seen, `todo` what to do where that is beyond the limit.
  void Judge(const char* name, double value, const Limit& limit, const std::string& seen,
             const std::string& todo);

 private:
  google::protobuf::RepeatedPtrField<v1::Check>* const list_;
};

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_CHECKS_H_
