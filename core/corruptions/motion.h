// Motion blur as ImageMagick's MotionBlurImage does it: whole-pixel steps along a line, to one
// side.
#ifndef ASSAY_CORE_CORRUPTIONS_MOTION_H_
#define ASSAY_CORE_CORRUPTIONS_MOTION_H_

#include "core/corruptions/corruption.h"

namespace assay::corruptions {

//   out(x, y) = sum over i = 0..2 ceil(radius) of
//               k_i in(x + ceil(i cos a - 1/2), y + ceil(i sin a - 1/2)),
// where k_i ~ exp(-i^2 / (2 sigma^2)) sums to 1 and the edge is repeated beyond itself; rounded to
// bytes.
void MotionFilter(double radius, double sigma, double angle_degrees, Image& image);

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_MOTION_H_
