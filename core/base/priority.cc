#include "core/base/priority.h"

namespace assay {
namespace {

struct Row {
  absl::string_view name;
  v1::Priority priority;
};
constexpr Row kRows[] = {
    {"low", v1::PRIORITY_LOW}, {"normal", v1::PRIORITY_NORMAL}, {"high", v1::PRIORITY_HIGH}};

}  // namespace

std::optional<v1::Priority> PriorityOf(absl::string_view text) {
  if (text.empty()) return v1::PRIORITY_UNSPECIFIED;
  for (const Row& row : kRows) {
    if (row.name == text) return row.priority;
  }
  return std::nullopt;
}

std::string PriorityName(v1::Priority priority) {
  for (const Row& row : kRows) {
    if (row.priority == priority) return std::string(row.name);
  }
  return "";
}

std::vector<std::string> PriorityNames() {
  std::vector<std::string> names;
  for (const Row& row : kRows) names.emplace_back(row.name);
  return names;
}

}  // namespace assay
