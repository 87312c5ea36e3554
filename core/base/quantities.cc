#include "core/base/quantities.h"

#include <cctype>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay {
namespace {

struct Unit {
  absl::string_view name;
  double size;
};

// Of a number, which may have a fraction, and one of the units. The size of a number without one is
// that of "".
absl::StatusOr<int64_t> Parse(absl::string_view text, const std::vector<Unit>& units,
                              absl::string_view wanted) {
  const absl::Status wrong =
      Error(Reason::kInvalidArgument, absl::StrCat("must be ", wanted, "; got '", text, "'"));
  size_t end = 0;
  while (end < text.size() && (std::isdigit(static_cast<unsigned char>(text[end])) != 0 ||
                               (text[end] == '.' && end > 0))) {
    ++end;
  }
  double number = 0;
  if (!absl::SimpleAtod(text.substr(0, end), &number)) return wrong;
  absl::string_view name = text.substr(end);
  if (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    const double amount = std::round(number * unit.size);
    // Every integer up to here is a double.
    if (!(amount < 9e15)) return wrong;
    return static_cast<int64_t>(amount);
  }
  if (name.empty() && number == 0) return 0;
  return wrong;
}

}  // namespace

absl::StatusOr<int64_t> ParseDuration(absl::string_view text) {
  return Parse(text, {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}, {"w", 604'800}},
               "a time such as 30d (s, m, h, d or w), or 0");
}

absl::StatusOr<int64_t> ParseBytes(absl::string_view text) {
  return Parse(text,
               {{"", 1},
                {"B", 1},
                {"kB", 1e3},
                {"MB", 1e6},
                {"GB", 1e9},
                {"TB", 1e12},
                {"KiB", 1024.},
                {"MiB", 1024. * 1024},
                {"GiB", 1024. * 1024 * 1024},
                {"TiB", 1024. * 1024 * 1024 * 1024}},
               "a size such as 200GB or 500MiB (kB, MB, GB, TB; KiB, MiB, GiB, TiB), or 0");
}

}  // namespace assay
