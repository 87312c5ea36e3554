#include "core/base/labels.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace assay {
namespace {

constexpr size_t kMaxKey = 63;
constexpr size_t kMaxValue = 256;

bool IsAlphanumeric(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }

}  // namespace

bool IsLabelKey(absl::string_view key) {
  if (key.empty() || key.size() > kMaxKey) return false;
  if (!IsAlphanumeric(key.front()) || !IsAlphanumeric(key.back())) return false;
  return std::all_of(key.begin(), key.end(), [](char c) {
    return IsAlphanumeric(c) || c == '.' || c == '_' || c == '-' || c == '/';
  });
}

bool IsLabelValue(absl::string_view value) {
  if (value.empty() || value.size() > kMaxValue) return false;
  const auto is_space = [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); };
  if (is_space(value.front()) || is_space(value.back())) return false;
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

std::vector<FieldViolation> CheckLabels(const Labels& labels, LabelUse use,
                                        const std::string& field) {
  std::vector<FieldViolation> violations;
  if (labels.size() > kMostLabels) {
    violations.push_back({field, absl::StrCat("has ", labels.size(), " labels; at most ",
                                              kMostLabels, " are accepted")});
  }
  for (const auto& [key, value] : labels) {
    if (!IsLabelKey(key)) {
      violations.push_back(
          {field, absl::StrCat("key '", absl::CHexEscape(key), "' must be ", kLabelKeyRule)});
    } else if (!IsLabelValue(value) && !(use == LabelUse::kFilter && value.empty())) {
      violations.push_back(
          {absl::StrCat(field, "[", key, "]"), absl::StrCat("must be ", kLabelValueRule)});
    }
  }
  return violations;
}

std::string LabelsText(const Labels& labels) {
  return absl::StrJoin(labels, " ", absl::PairFormatter("="));
}

}  // namespace assay
