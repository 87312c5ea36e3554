// URIs in messages: never with their passwords.
#ifndef ASSAY_CORE_BASE_URI_H_
#define ASSAY_CORE_BASE_URI_H_

#include <string>

#include "absl/strings/string_view.h"

namespace assay {

// The URI without user and password, and without the values of parameters that are passwords.
std::string WithoutUser(absl::string_view uri);

// The URI without its password and without parameters that are passwords; whose it is stays.
std::string WithoutPassword(absl::string_view uri);

// The text with every URI in it without user and password.
std::string WithoutUsers(absl::string_view text);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_URI_H_
