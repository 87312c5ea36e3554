// Opens labelled images in the files that people have: CIFAR-10/100 binary, IDX (gzip too), NPY and
// NPZ, and a folder of class folders with PNG and JPEG files. Nothing is held in memory at once.
#ifndef ASSAY_CLIENT_DATA_OPEN_DATASET_H_
#define ASSAY_CLIENT_DATA_OPEN_DATASET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "client/data/dataset_reader.h"
#include "client/data/open_options.h"

namespace assay::client {

absl::StatusOr<std::unique_ptr<DatasetReader>> OpenDataset(const OpenOptions& options);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_OPEN_DATASET_H_
