// Grayscale images in the format of MNIST (idx_format.h).
#ifndef ASSAY_CLIENT_DATA_IDX_READER_H_
#define ASSAY_CLIENT_DATA_IDX_READER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/data/open_options.h"
#include "client/data/reader_base.h"

namespace assay::client {

// Without `labels_path`, labels are looked for beside the images: "X-images-idx3-ubyte" has
// "X-labels-idx1-ubyte", either of them with or without ".gz". Class names come from
// classes.txt there (class_names.h).
absl::StatusOr<std::unique_ptr<ReaderBase>> OpenIdx(const std::string& path,
                                                    const OpenOptions& options);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_IDX_READER_H_
