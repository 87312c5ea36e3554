// Reading JSON that nobody vouches for: what is absent or of another type is an error, not an
// exception.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_JSON_ACCESS_H_
#define ASSAY_SERVER_ENGINE_IMPORT_JSON_ACCESS_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace assay::engine {

using Json = nlohmann::json;

// Errors are kInvalidModel; `name` in their texts.

// Of bounded depth. Python writes infinities and NaN as bare words, which JSON does not have; they
// become the strings "Infinity", "-Infinity" and "NaN", as newer PyTorch writes them.
absl::StatusOr<Json> ParseJson(const std::string& name, std::string text);

// The member of that name; nullptr if it is not there, is null, or `object` is no object.
const Json* Member(const Json& object, const char* name);

absl::StatusOr<const Json*> ObjectIn(const Json& object, const char* name);
absl::StatusOr<const Json*> ArrayIn(const Json& object, const char* name);
absl::StatusOr<std::string> StringIn(const Json& object, const char* name);

absl::StatusOr<int64_t> ToInt(const Json& value);
// Integers too, and the three words above.
absl::StatusOr<double> ToDouble(const Json& value);

// The alternative that a union of the schema holds: its name and its value.
absl::StatusOr<std::pair<std::string, const Json*>> Alternative(const Json& value);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_JSON_ACCESS_H_
