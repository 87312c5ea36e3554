// Pictures as PNG.
#ifndef ASSAY_CLIENT_RENDER_PNG_H_
#define ASSAY_CLIENT_RENDER_PNG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace assay::render {

// Height x width x channels of 8 bits, gray (1 channel) or RGB (3).
struct Picture {
  int height = 0;
  int width = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;
};

// The bytes of a PNG file; equal pictures give equal bytes. kInternal where pixels and sizes do not
// fit, or there are other channels.
absl::StatusOr<std::string> EncodePng(const Picture& picture);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_PNG_H_
