// Reference errors of --reference: what corruption errors are divided by.
#ifndef ASSAY_CLIENT_CLI_BASE_REFERENCE_ERRORS_H_
#define ASSAY_CLIENT_CLI_BASE_REFERENCE_ERRORS_H_

#include <string>

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"

namespace assay::cli {

// `text`: the name of a table that the server has ("alexnet", "alexnet-mean"), or a JSON file:
//   {"name": "my baseline", "clean_error": 0.3,
//    "corruptions": [{"corruption": "fog", "errors": [0.4, 0.5, 0.6, 0.7, 0.8]}, ...]}
// kUnreadableInput for a file that cannot be read or is no such JSON.
absl::StatusOr<v1::ReferenceErrors> ReadReferenceErrors(const std::string& text);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_REFERENCE_ERRORS_H_
