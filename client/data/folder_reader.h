// A folder with one folder for each class, which holds its PNG and JPEG files, at any depth.
// Classes are numbered in the order of their sorted names, and samples lie in the order of the
// sorted paths, as torchvision's ImageFolder has them.
//
// All images must have one size. Grayscale images become RGB unless all are gray. Hidden files and
// files that are no images are passed over; images of a format that is not read are an error,
// because leaving them out would bend the result.
#ifndef ASSAY_CLIENT_DATA_FOLDER_READER_H_
#define ASSAY_CLIENT_DATA_FOLDER_READER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/data/reader_base.h"

namespace assay::client {

// Reads the header of every image.
absl::StatusOr<std::unique_ptr<ReaderBase>> OpenFolder(const std::string& path);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_FOLDER_READER_H_
