// A folder with one folder for each class, which holds its PNG and JPEG files, at any depth. Links
// are followed everywhere; a folder that is reached twice, which a loop of links does, is an error.
//
// The order of the classes, which decides whose logit is whose:
// - A text file says it, one name a line: the one given, otherwise classes.txt in the folder.
// - Names that are all numbers are in the order of the numbers (0, 1, 2, ..., 10).
// - Other names are sorted bytewise, as torchvision's ImageFolder has them.
// Samples lie in the order of their classes, then of their sorted paths.
//
// What would shift the classes is an error: an empty or missing class folder (unless those are
// allowed), one that the file of names does not have, and a folder of splits (train, val) or of
// groups of classes, unless the file of names says that those are the classes.
//
// All images must have one size. Grayscale images become RGB unless all are gray. What
// ignored_names.h names and files that are no images are passed over; images of a format that is
// not read are an error, because leaving them out would bend the result.
#ifndef ASSAY_CLIENT_DATA_FOLDER_READER_H_
#define ASSAY_CLIENT_DATA_FOLDER_READER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/data/open_options.h"
#include "client/data/reader_base.h"

namespace assay::client {

// Reads the header of every image.
absl::StatusOr<std::unique_ptr<ReaderBase>> OpenFolder(const std::string& path,
                                                       const OpenOptions& options);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_FOLDER_READER_H_
