#include "client/cli/base/png_file.h"

#include "client/cli/base/output_file.h"
#include "client/render/png.h"
#include "core/base/errors.h"

namespace assay::cli {

absl::Status WritePng(const std::string& path, const corruptions::Image& image) {
  ASSAY_ASSIGN_OR_RETURN(const std::string png, render::EncodePng({image.height, image.width,
                                                                   image.channels, image.pixels}));
  return WriteOutput(path, png);
}

}  // namespace assay::cli
