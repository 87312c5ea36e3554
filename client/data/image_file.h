// Decodes PNG and JPEG files to the values that are stored in them, as Pillow and torchvision do:
// gamma, colour profiles and EXIF orientation are ignored. 8 bits a channel; gray or RGB. Which of
// the two a file is, its content tells, not its name.
#ifndef ASSAY_CLIENT_DATA_IMAGE_FILE_H_
#define ASSAY_CLIENT_DATA_IMAGE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace assay::client {

struct ImageFileInfo {
  int width = 0;
  int height = 0;
  bool gray = false;
};

// Reads the header only. kUnreadableInput for files that are no such image, for CMYK, and for 16
// bits a channel.
absl::StatusOr<ImageFileInfo> ReadImageHeader(const std::string& path);

// Decodes to `channels` planes (1 or 3; gray is repeated) of the width and height in `expected`.
// kUnreadableInput for damaged files, for transparent pixels, and when the file is no longer what
// its header said before.
absl::Status ReadImage(const std::string& path, const ImageFileInfo& expected, int channels,
                       char* planes);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_IMAGE_FILE_H_
