// Resource names: "models/m", "datasets/d", "evaluations/e".
#ifndef ASSAY_CORE_BASE_RESOURCE_NAMES_H_
#define ASSAY_CORE_BASE_RESOURCE_NAMES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay {

inline constexpr char kModels[] = "models";
inline constexpr char kDatasets[] = "datasets";
inline constexpr char kEvaluations[] = "evaluations";

// What an id must look like, for error texts.
inline constexpr char kIdRule[] =
    "1 to 80 of lower-case letters, digits, '.', '_' and '-', starting with a letter or digit";

bool IsValidId(absl::string_view id);

// "models", "m" -> "models/m".
std::string ResourceName(absl::string_view collection, absl::string_view id);

// "models/m" -> "m"; kInvalidArgument for the field `field` otherwise.
absl::StatusOr<std::string> ParseResourceName(absl::string_view collection, absl::string_view name,
                                              absl::string_view field);

// A valid id made of any text: "My Model.pt" -> "my-model". May be empty.
std::string Slug(absl::string_view text);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_RESOURCE_NAMES_H_
