// Exact numbers as users write them: "8/255", "0.25", "1e-3". Budgets stay exact from the command
// line to the engine.
#ifndef ASSAY_CORE_BASE_RATIONAL_H_
#define ASSAY_CORE_BASE_RATIONAL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay {

// numerator / denominator in lowest terms, denominator > 0.
class Rational {
 public:
  Rational() = default;
  // `denominator` must not be 0.
  Rational(int64_t numerator, int64_t denominator);

  // Reads an integer, a fraction of integers, or a decimal with an optional exponent, at most 15
  // significant digits.
  static absl::StatusOr<Rational> Parse(absl::string_view text);

  int64_t numerator() const { return numerator_; }
  int64_t denominator() const { return denominator_; }
  double ToDouble() const {
    return static_cast<double>(numerator_) / static_cast<double>(denominator_);
  }
  // Shortest of decimal and fraction that is exact: "2/255", "0.25", "1".
  std::string ToString() const;

  friend bool operator==(const Rational& a, const Rational& b) {
    return a.numerator_ == b.numerator_ && a.denominator_ == b.denominator_;
  }
  friend bool operator!=(const Rational& a, const Rational& b) { return !(a == b); }

 private:
  int64_t numerator_ = 0;
  int64_t denominator_ = 1;
};

}  // namespace assay

#endif  // ASSAY_CORE_BASE_RATIONAL_H_
