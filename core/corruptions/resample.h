// An image seen through an affine map, for spatial changes. Sampling is bilinear, results are
// rounded to the nearest grey level; the identity changes no byte.
#ifndef ASSAY_CORE_CORRUPTIONS_RESAMPLE_H_
#define ASSAY_CORE_CORRUPTIONS_RESAMPLE_H_

#include "core/corruptions/corruption.h"

namespace assay::corruptions {

// What comes in from beyond the edge: the image mirrored (b a | a b c), its edge repeated, or 0.
enum class Fill { kReflect, kEdge, kBlack };
// The parameter "fill".
Fill FillOf(Params& params);

// Where an output pixel is taken from: x' = xx x + xy y + x0, and y' likewise.
struct AffineMap {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
};
// At most four channels.
void Resample(const AffineMap& map, Fill fill, Image& image);

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_RESAMPLE_H_
