// Pictures in the format that the name of a file asks for.
#ifndef ASSAY_CLIENT_CLI_BASE_PICTURE_FILE_H_
#define ASSAY_CLIENT_CLI_BASE_PICTURE_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay::cli {

enum class PictureFormat { kSvg, kPng, kPdf };

// By the end of the name: ".svg", ".png", ".pdf". kInvalidField otherwise.
absl::StatusOr<PictureFormat> PictureFormatOf(const std::string& option, const std::string& path);

// The bytes of a file of that format, of a document of SVG. A unit of the SVG becomes `scale`
// pixels of a PNG, or `scale` times 1/96 inch of a PDF; SVG stays as it is. Letters are those of
// this machine. Equal pictures give equal bytes. kInternal where the SVG cannot be drawn, kTooLarge
// for a PNG of more than 20,000 pixels on a side.
absl::StatusOr<std::string> PictureBytes(const std::string& svg, PictureFormat format,
                                         double scale);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_PICTURE_FILE_H_
