// What classes are called in reports for people.
#ifndef ASSAY_CLIENT_RENDER_CLASS_LABELS_H_
#define ASSAY_CLIENT_RENDER_CLASS_LABELS_H_

#include <cstdint>
#include <string>

#include "assay/v1/reports.pb.h"
#include "client/render/report_style.h"

namespace assay::render {

// "1 sample", "2,000 samples".
std::string Counted(int64_t count, const std::string& noun);

// Printable, and no wider than the style has room for; "class 3" without a name.
std::string ClassLabel(const std::string& name, int32_t index, const ReportStyle& style);
std::string ClassLabel(const v1::ClassReport& report, const ReportStyle& style);
// The class of that index in the condition.
std::string ClassAt(const v1::ConditionReport& condition, int32_t index, const ReportStyle& style);

// Null where the condition does not have it.
const v1::ClassReport* FindClass(const v1::ConditionReport& condition, int32_t index);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_CLASS_LABELS_H_
