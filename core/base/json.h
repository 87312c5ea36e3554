// Protobuf messages as JSON for people and scripts: the protobuf mapping with snake_case names,
// 64-bit counts as numbers, and messages whose name ends in "Row" as their bare list. Fields that
// are not set are left out, but numbers, booleans and lists without presence are always there.
#ifndef ASSAY_CORE_BASE_JSON_H_
#define ASSAY_CORE_BASE_JSON_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "nlohmann/json.hpp"

namespace assay {

nlohmann::ordered_json ToJson(const google::protobuf::Message& message);

// The message of a text that ToJson made; fields that it does not know are passed over.
// kInvalidArgument for a text that is no JSON, or not of that form.
absl::Status FromJson(absl::string_view text, google::protobuf::Message* message);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_JSON_H_
