#include <algorithm>

#include "core/corruptions/corruption.h"
#include "opencv2/core/utility.hpp"

namespace assay::corruptions {

// A line of the registry: the name, the function, and whether one-channel images will do. The line
// declares the function, too, which a file beside this one defines.
#define BY_SEVERITY(name, function, grayscale)                   \
  SeverityFunction function;                                     \
  all.push_back({name,                                           \
                 [](Params& params, const Setting& setting) {    \
                   return BySeverity(function, params, setting); \
                 },                                              \
                 grayscale})
#define WITH_PARAMETERS(name, function, grayscale) \
  Maker function;                                  \
  all.push_back({name, function, grayscale})

const std::vector<Corruption>& AllCorruptions() {
  static const auto* const corruptions = [] {
    // Samples are corrupted in parallel; OpenCV must not start threads of its own for large images
    // on top of that.
    cv::setNumThreads(0);
    std::vector<Corruption> all;
    BY_SEVERITY("gaussian_noise", GaussianNoise, true);
    WITH_PARAMETERS("shot_noise", ShotNoise, true);
    BY_SEVERITY("impulse_noise", ImpulseNoise, true);
    BY_SEVERITY("defocus_blur", DefocusBlur, true);
    BY_SEVERITY("glass_blur", GlassBlur, true);
    BY_SEVERITY("motion_blur", MotionBlur, true);
    BY_SEVERITY("zoom_blur", ZoomBlur, true);
    BY_SEVERITY("snow", Snow, false);
    WITH_PARAMETERS("frost", Frost, false);
    // Drawn; must never be taken for the published one.
    BY_SEVERITY("frost-procedural", FrostProcedural, false);
    BY_SEVERITY("fog", Fog, true);
    BY_SEVERITY("brightness", Brightness, true);
    BY_SEVERITY("contrast", Contrast, true);
    BY_SEVERITY("elastic_transform", ElasticTransform, true);
    BY_SEVERITY("pixelate", Pixelate, true);
    WITH_PARAMETERS("jpeg_compression", JpegCompression, true);
    BY_SEVERITY("speckle_noise", SpeckleNoise, true);
    BY_SEVERITY("gaussian_blur", GaussianBlur, true);
    BY_SEVERITY("spatter", Spatter, false);
    BY_SEVERITY("saturate", Saturate, false);
    WITH_PARAMETERS("rotate", Rotate, true);
    WITH_PARAMETERS("translate", Translate, true);
    WITH_PARAMETERS("scale", Scale, true);
    WITH_PARAMETERS("crop", Crop, true);
    WITH_PARAMETERS("flip", Flip, true);
    WITH_PARAMETERS("occlusion", Occlusion, true);
    return new std::vector<Corruption>(std::move(all));
  }();
  return *corruptions;
}

const Corruption* FindCorruption(absl::string_view name) {
  const std::vector<Corruption>& all = AllCorruptions();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Corruption& corruption) {
    return name == corruption.name;
  });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace assay::corruptions
