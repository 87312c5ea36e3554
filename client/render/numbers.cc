#include "client/render/numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/report/gate_decision.h"

namespace assay::render {
namespace {

template <typename Float>
std::string Shortest(Float value) {
  if (!std::isfinite(value)) return "";
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, result.ptr);
}

}  // namespace

std::string Count(int64_t count) { return report::Grouped(count); }

std::string Percent(double share) {
  return std::isfinite(share) ? absl::StrFormat("%.1f", share * 100) : kUndefined;
}

std::string Percent(const v1::Rate& rate) {
  return rate.has_value() ? Percent(rate.value()) : kUndefined;
}

std::string PercentWithInterval(const v1::Rate& rate) {
  if (!rate.has_value()) return kUndefined;
  return absl::StrCat(Percent(rate.value()), " [",
                      rate.has_lower() ? Percent(rate.lower()) : kUndefined, ", ",
                      rate.has_upper() ? Percent(rate.upper()) : kUndefined, "]");
}

std::string Significant(double value, int digits) {
  return std::isfinite(value) ? absl::StrFormat("%.*g", digits, value) : kUndefined;
}

std::string Bytes(int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (value /= 1024; value >= 1023.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string Duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 3.6e8)));
  const int64_t hours = whole / 3600;
  if (hours == 0) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", hours, whole / 60 % 60, whole % 60);
}

std::string Exact(double value) { return Shortest(value); }
std::string Exact(float value) { return Shortest(value); }

}  // namespace assay::render
