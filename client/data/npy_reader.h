// Images in NPY files and NPZ archives: uint8, or float32 and float64 in [0,1], as (n, h, w)
// grayscale, (n, c, h, w) or (n, h, w, c). The channels are the axis of length 1 or 3, otherwise
// the one that is shorter than both sides. Class names come from classes.txt beside the file
// (class_names.h).
#ifndef ASSAY_CLIENT_DATA_NPY_READER_H_
#define ASSAY_CLIENT_DATA_NPY_READER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/data/open_options.h"
#include "client/data/reader_base.h"

namespace assay::client {

// Without `labels_path`, labels are looked for in the same directory: NAME_labels.npy, labels.npy,
// y.npy.
absl::StatusOr<std::unique_ptr<ReaderBase>> OpenNpy(const std::string& path,
                                                    const OpenOptions& options);

// "FILE.npz", whose arrays are found by their usual names (npz_archive.h), or "FILE.npz::MEMBER"
// for other names. Labels come from the same archive unless `labels_path` is given.
absl::StatusOr<std::unique_ptr<ReaderBase>> OpenNpz(const std::string& path,
                                                    const OpenOptions& options);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_NPY_READER_H_
