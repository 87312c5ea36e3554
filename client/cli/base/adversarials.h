// Downloads kept adversarial examples into NPY files.
#ifndef ASSAY_CLIENT_CLI_BASE_ADVERSARIALS_H_
#define ASSAY_CLIENT_CLI_BASE_ADVERSARIALS_H_

#include <string>

#include "absl/status/status.h"
#include "client/cli/base/session.h"

namespace assay::cli {

// Of each condition that has any, ID.npy (float32, N x C x H x W) and ID.samples.npy (int64,
// positions in the dataset), with '_' for '/', in `directory`, which is made if needed.
absl::Status WriteAdversarials(Session& session, const std::string& evaluation,
                               const std::string& directory);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_ADVERSARIALS_H_
