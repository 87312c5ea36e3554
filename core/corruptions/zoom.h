// The clipped zoom of the published scripts: the middle of an image, enlarged to the size of the
// whole.
#ifndef ASSAY_CORE_CORRUPTIONS_ZOOM_H_
#define ASSAY_CORE_CORRUPTIONS_ZOOM_H_

#include <cstddef>
#include <vector>

namespace assay::corruptions {

// The geometry along one axis of `size` pixels, zoomed by `factor` >= 1: a central crop of
// ceil(size / factor) pixels is interpolated linearly to round(crop * factor) pixels, corner to
// corner (scipy.ndimage.zoom, order 1), from which `size` pixels are kept after trimming the excess
// evenly.
class ZoomAxis {
 public:
  ZoomAxis(int size, double factor);

  // Kept pixel i is near_weight * in[near] + far_weight * in[far].
  struct Sample {
    size_t near;
    size_t far;
    double near_weight;
    double far_weight;
  };
  const std::vector<Sample>& samples() const { return samples_; }

 private:
  std::vector<Sample> samples_;
};

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_ZOOM_H_
