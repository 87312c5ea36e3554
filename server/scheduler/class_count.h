// Class names of a dataset stand for the logits of a model, in their order: the numbers must agree.
#ifndef ASSAY_SERVER_SCHEDULER_CLASS_COUNT_H_
#define ASSAY_SERVER_SCHEDULER_CLASS_COUNT_H_

#include "absl/status/status.h"
#include "assay/v1/datasets.pb.h"

namespace assay::scheduler {

// kInvalidDataset when the dataset has class names, but not as many as the model has logits, and
// that is not allowed.
absl::Status CheckClassCount(const v1::DatasetManifest& manifest, int logits, bool allow_missing);

}  // namespace assay::scheduler

#endif  // ASSAY_SERVER_SCHEDULER_CLASS_COUNT_H_
