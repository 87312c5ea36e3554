#include "client/render/class_labels.h"

#include "absl/strings/str_cat.h"
#include "client/render/numbers.h"
#include "client/render/text.h"

namespace assay::render {

std::string Counted(int64_t count, const std::string& noun) {
  return absl::StrCat(Count(count), " ", noun, count == 1 ? "" : "s");
}

std::string ClassLabel(const std::string& name, int32_t index, const ReportStyle& style) {
  return Shortened(Printable(name.empty() ? absl::StrCat("class ", index) : name),
                   style.class_width);
}

std::string ClassLabel(const v1::ClassReport& report, const ReportStyle& style) {
  return ClassLabel(report.name(), report.index(), style);
}

std::string ClassAt(const v1::ConditionReport& condition, int32_t index, const ReportStyle& style) {
  const v1::ClassReport* found = FindClass(condition, index);
  return ClassLabel(found == nullptr ? "" : found->name(), index, style);
}

const v1::ClassReport* FindClass(const v1::ConditionReport& condition, int32_t index) {
  // Classes stand at their index, as a rule.
  if (index >= 0 && index < condition.classes_size() && condition.classes(index).index() == index) {
    return &condition.classes(index);
  }
  for (const auto& report : condition.classes()) {
    if (report.index() == index) return &report;
  }
  return nullptr;
}

}  // namespace assay::render
