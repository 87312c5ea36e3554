// JPEG in memory by libjpeg with its defaults, which are also Pillow's and OpenCV's: 4:2:0 chroma,
// the slow integer transform, standard Huffman tables, smooth ("fancy") chroma upsampling.
#ifndef ASSAY_SERVER_ENGINE_CORRUPTIONS_JPEG_CODEC_H_
#define ASSAY_SERVER_ENGINE_CORRUPTIONS_JPEG_CODEC_H_

#include <string>

#include "absl/strings/string_view.h"
#include "server/engine/corruptions/corruption.h"

namespace assay::engine {

// The format's own limit.
inline constexpr int kMaxJpegSide = 65'500;

// Quality 1 to 100; sides of at most kMaxJpegSide, 1 or 3 channels.
std::string EncodeJpeg(const Image& image, int quality);

// `bytes` must be a whole JPEG of 1 or 3 channels that the caller has reason to trust: libjpeg
// repairs what it can of a damaged one and ends the process over the rest.
Image DecodeJpeg(absl::string_view bytes);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_CORRUPTIONS_JPEG_CODEC_H_
