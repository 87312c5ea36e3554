// Common corruptions.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/condition.h"
#include "common/conditions/table.h"

namespace assay::conditions {
namespace {

Method CorruptionMethod(const std::string& name, const std::string& summary) {
  return {kFamilyCorruption,
          name,
          summary,
          {Headline(Expanding(WithDefault(
               Integer("severity", 0, 1, 5, "severity of the published table"),
               [](const Values&) { return "1-5"; }, "1-5"))),
           Choice("table", {"auto", "32", "64", "224", "299"},
                  "parameter table, by image side; auto: the nearest")},
          nullptr,
          [](Params&) { return 1.2; }};
}

}  // namespace

std::vector<Method> Corruptions() {
  return {
      CorruptionMethod("gaussian_noise", "Gaussian noise on every channel value"),
      CorruptionMethod("shot_noise", "Poisson noise of a low photon count"),
      CorruptionMethod("impulse_noise", "salt and pepper on channel values"),
      CorruptionMethod("defocus_blur", "blur by a disk, as of a lens out of focus"),
      CorruptionMethod("glass_blur", "neighbouring pixels shuffled, as seen through frosted glass"),
      CorruptionMethod("motion_blur", "blur along a random direction"),
      CorruptionMethod("zoom_blur", "average of the image at growing zoom"),
      CorruptionMethod("snow", "falling flakes over a whitened image"),
      CorruptionMethod("frost-procedural",
                       "ice crystals drawn by Assay; not the published frost photographs"),
      CorruptionMethod("fog", "plasma fractal fog"),
      CorruptionMethod("brightness", "value raised in HSV"),
      CorruptionMethod("contrast", "contrast reduced towards the mean of each channel"),
      CorruptionMethod("elastic_transform", "small affine and elastic distortion"),
      CorruptionMethod("pixelate", "resized down and up again"),
      CorruptionMethod("jpeg_compression", "JPEG at a low quality"),
      CorruptionMethod("speckle_noise", "Gaussian noise that grows with the value"),
      CorruptionMethod("gaussian_blur", "blur by a Gaussian"),
      CorruptionMethod("spatter", "drops of water or mud"),
      CorruptionMethod("saturate", "saturation changed in HSV"),
  };
}

}  // namespace assay::conditions
