// JPEG in memory by libjpeg with its defaults, which are also Pillow's and OpenCV's: 4:2:0 chroma,
// the slow integer transform, standard Huffman tables, smooth ("fancy") chroma upsampling.
#ifndef ASSAY_CORE_CORRUPTIONS_JPEG_CODEC_H_
#define ASSAY_CORE_CORRUPTIONS_JPEG_CODEC_H_

#include <string>

#include "absl/strings/string_view.h"
#include "core/corruptions/corruption.h"

namespace assay::corruptions {

// The format's own limit.
inline constexpr int kMaxJpegSide = 65'500;

// Quality 1 to 100; sides of at most kMaxJpegSide, 1 or 3 channels.
std::string EncodeJpeg(const Image& image, int quality);

// `bytes` must be a whole JPEG of 1 or 3 channels that the caller has reason to trust: libjpeg
// repairs what it can of a damaged one and ends the process over the rest.
Image DecodeJpeg(absl::string_view bytes);

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_JPEG_CODEC_H_
