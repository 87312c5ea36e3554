// Reads the files that people write for the model repository: the evaluation file of new versions
// (--on-new-version), and assay.yaml.
#ifndef ASSAY_SERVER_REPOSITORY_TRIGGER_FILE_H_
#define ASSAY_SERVER_REPOSITORY_TRIGGER_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "assay/v1/models.pb.h"
#include "server/repository/trigger.h"

namespace assay::repository {

// kInvalidArgument with the line of whatever cannot be right for any model and any data.
absl::StatusOr<Trigger> ReadTrigger(const std::string& text, const std::string& path);

// assay.yaml: how a model wants its images and gives its answer.
absl::StatusOr<v1::ModelInterface> ReadModelOptions(const std::string& text,
                                                    const std::string& path);

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_TRIGGER_FILE_H_
