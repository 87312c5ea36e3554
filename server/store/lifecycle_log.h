// What became of models, datasets and evaluations, in the log: one line each, once it is stored.
#ifndef ASSAY_SERVER_STORE_LIFECYCLE_LOG_H_
#define ASSAY_SERVER_STORE_LIFECYCLE_LOG_H_

#include <string>

#include "absl/strings/string_view.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"

namespace assay::store {

void LogCreated(const v1::Model& model);
void LogCreated(const v1::Dataset& dataset);
void LogCreated(const v1::Evaluation& evaluation);
// `kind` is "model", "dataset" or "evaluation".
void LogDeleted(absl::string_view kind, const std::string& name);
void LogRetried(const std::string& evaluation);
// SUCCEEDED, CANCELLED, or FAILED with why.
void LogEnded(const std::string& evaluation, v1::Evaluation::State state,
              const v1::Failure& failure = {});

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_LIFECYCLE_LOG_H_
