// Priorities of evaluations as people write them: "low", "normal", "high".
#ifndef ASSAY_CORE_BASE_PRIORITY_H_
#define ASSAY_CORE_BASE_PRIORITY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "assay/v1/evaluations.pb.h"

namespace assay {

// nullopt for another text. That of "" is PRIORITY_UNSPECIFIED.
std::optional<v1::Priority> PriorityOf(absl::string_view text);

// "" for PRIORITY_UNSPECIFIED.
std::string PriorityName(v1::Priority priority);

// From the lowest to the highest.
std::vector<std::string> PriorityNames();

}  // namespace assay

#endif  // ASSAY_CORE_BASE_PRIORITY_H_
