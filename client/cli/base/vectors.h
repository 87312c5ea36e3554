// Downloads kept vectors into NPY files.
#ifndef ASSAY_CLIENT_CLI_BASE_VECTORS_H_
#define ASSAY_CLIENT_CLI_BASE_VECTORS_H_

#include <string>

#include "absl/status/status.h"
#include "assay/v1/evaluations.pb.h"
#include "client/cli/base/session.h"

namespace assay::cli {

// Of each condition that has any, ID.probabilities.npy and ID.features.npy (float32, n x numbers),
// each with a file ID....samples.npy (int64, positions in the dataset), with '_' for '/', in
// `directory`, which is made if needed. kWrongState where the evaluation keeps neither.
absl::Status WriteVectors(Session& session, const v1::Evaluation& evaluation,
                          const std::string& directory);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_VECTORS_H_
