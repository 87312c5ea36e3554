#include "core/base/rational.h"

#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay {
namespace {

constexpr int kMaxDigits = 15;

absl::Status NotANumber(absl::string_view text) {
  return Error(Reason::kInvalidArgument,
               absl::StrCat("'", text.substr(0, 40),
                            "' is not a number such as 8/255, 0.25, 3 or 1e-3 with at most ",
                            kMaxDigits, " significant digits"));
}

// An unsigned or signed integer of at most kMaxDigits digits.
bool ParseInteger(absl::string_view text, int64_t* value) {
  absl::string_view digits = text;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  if (digits.empty() || digits.size() > kMaxDigits) return false;
  for (char c : digits) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return absl::SimpleAtoi(text[0] == '+' ? text.substr(1) : text, value);
}

}  // namespace

Rational::Rational(int64_t numerator, int64_t denominator) {
  if (denominator < 0) {
    numerator = -numerator;
    denominator = -denominator;
  }
  const int64_t divisor = std::gcd(numerator, denominator);
  numerator_ = numerator / divisor;
  denominator_ = denominator / divisor;
}

absl::StatusOr<Rational> Rational::Parse(absl::string_view text) {
  const absl::string_view whole = text;
  const size_t slash = text.find('/');
  if (slash != absl::string_view::npos) {
    int64_t numerator = 0, denominator = 0;
    if (!ParseInteger(text.substr(0, slash), &numerator) ||
        !ParseInteger(text.substr(slash + 1), &denominator) || denominator <= 0) {
      return NotANumber(whole);
    }
    return Rational(numerator, denominator);
  }
  int64_t exponent = 0;
  const size_t e = text.find_first_of("eE");
  if (e != absl::string_view::npos) {
    if (!ParseInteger(text.substr(e + 1), &exponent)) return NotANumber(whole);
    text = text.substr(0, e);
  }
  std::string digits(text);
  const size_t point = digits.find('.');
  if (point != std::string::npos) {
    exponent -= static_cast<int64_t>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  int64_t value = 0;
  if (!ParseInteger(digits, &value) || exponent < -18 || exponent > 18) return NotANumber(whole);
  // Strip zeros first, so that 0.2500 and 1e15 stay within range.
  while (exponent < 0 && value % 10 == 0 && value != 0) {
    value /= 10;
    ++exponent;
  }
  if (value == 0) return Rational(0, 1);
  int64_t power = 1;
  for (int64_t i = 0; i < (exponent < 0 ? -exponent : exponent); ++i) power *= 10;
  if (exponent <= 0) return Rational(value, power);
  int64_t product = 0;
  if (__builtin_mul_overflow(value, power, &product)) return NotANumber(whole);
  return Rational(product, 1);
}

std::string Rational::ToString() const {
  if (denominator_ == 1) return absl::StrCat(numerator_);
  // A decimal is exact when the denominator has no prime factor but 2 and 5.
  int64_t rest = denominator_;
  int twos = 0, fives = 0;
  for (; rest % 2 == 0; rest /= 2) ++twos;
  for (; rest % 5 == 0; rest /= 5) ++fives;
  const int places = std::max(twos, fives);
  const std::string fraction = absl::StrCat(numerator_, "/", denominator_);
  if (rest != 1 || places > kMaxDigits) return fraction;
  __int128 scaled = numerator_ < 0 ? -static_cast<__int128>(numerator_) : numerator_;
  for (int i = twos; i < places; ++i) scaled *= 2;
  for (int i = fives; i < places; ++i) scaled *= 5;
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(scaled % 10)));
    scaled /= 10;
  } while (scaled > 0);
  while (static_cast<int>(digits.size()) <= places) digits.insert(digits.begin(), '0');
  digits.insert(digits.size() - static_cast<size_t>(places), ".");
  return absl::StrCat(numerator_ < 0 ? "-" : "", digits);
}

}  // namespace assay
