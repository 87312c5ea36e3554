// Labels: whatever the user wants to find a model or an evaluation by, such as commit=1a2b3c or
// stage=production.
#ifndef ASSAY_CORE_BASE_LABELS_H_
#define ASSAY_CORE_BASE_LABELS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/errors.h"

namespace assay {

using Labels = std::map<std::string, std::string>;

// What keys and values must look like, for error texts and help.
inline constexpr char kLabelKeyRule[] =
    "1 to 63 of letters, digits, '.', '_', '-' and '/', starting and ending with a letter or digit";
inline constexpr char kLabelValueRule[] =
    "1 to 256 bytes of UTF-8 without control characters or white space at its ends";
inline constexpr size_t kMostLabels = 64;
// Of an evaluation: whose token made it. The server's own.
inline constexpr char kOwnerLabel[] = "assay/owner";

bool IsLabelKey(absl::string_view key);
// That it is UTF-8 is left to who takes it: protobuf does.
bool IsLabelValue(absl::string_view value);

// A violation of `field` for each label that breaks the rules, and one when there are too many.
// kFilter: a label without a value stands for any value.
enum class LabelUse { kStored, kFilter };
std::vector<FieldViolation> CheckLabels(const Labels& labels, LabelUse use,
                                        const std::string& field);

// "commit=1a2b3c stage=production", by key; empty without labels.
std::string LabelsText(const Labels& labels);

// Of a protobuf map.
template <typename Map>
Labels LabelsOf(const Map& map) {
  return Labels(map.begin(), map.end());
}

}  // namespace assay

#endif  // ASSAY_CORE_BASE_LABELS_H_
