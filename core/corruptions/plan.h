// From a condition to what happens to an image. One for each condition; the engine and `assay
// corrupt` apply the same ones with the same random keys, so they make the same bytes.
//
//   ASSAY_ASSIGN_OR_RETURN(const auto plan, CorruptionPlan::Make(condition, shape, photographs));
//   plan.Apply(RandomKey(seed, condition.id()), sample, image);
#ifndef ASSAY_CORE_CORRUPTIONS_PLAN_H_
#define ASSAY_CORE_CORRUPTIONS_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/types.pb.h"
#include "core/base/random.h"
#include "core/corruptions/corruption.h"
#include "core/corruptions/frost_photographs.h"

namespace assay::corruptions {

// Part of an image in pixels: rows [top, bottom), columns [left, right).
struct Area {
  int top;
  int bottom;
  int left;
  int right;
};
// Cell `cell` of a grid of `grid` x `grid` cells, row by row. Empty when the image has fewer pixels
// than the grid has cells.
Area GridCell(int grid, int cell, const Image& image);

// A condition of the family "corruption": one or several corruptions, applied left to right, on the
// whole image or on one cell of a grid; nothing at severity 0. Immutable, so safe from many
// threads.
class CorruptionPlan {
 public:
  // `shape` is that of every image; `frost` may be null and must outlive the plan.
  // kInvalidCondition for a corruption that does not exist or makes no sense for such images, and
  // for frost without photographs.
  static absl::StatusOr<CorruptionPlan> Make(const v1::Condition& condition,
                                             const v1::ImageShape& shape,
                                             const FrostPhotographs* frost);

  // Part i of a combination draws from stream i.
  void Apply(const RandomKey& key, int64_t sample, Image& image) const;

 private:
  std::vector<Step> steps_;
  int grid_ = 1;
  int cell_ = 0;
};

// A condition of the family "sequence": frames of growing or drifting change, the image itself
// first. Immutable.
class SequencePlan {
 public:
  // As above.
  static absl::StatusOr<SequencePlan> Make(const v1::Condition& condition,
                                           const v1::ImageShape& shape,
                                           const FrostPhotographs* frost);

  int frames() const { return frames_; }
  // Turns `image` into frame 0 (which leaves it as it is) to frames() - 1.
  void Apply(const RandomKey& key, int64_t sample, int frame, Image& image) const;

 private:
  int frames_ = 0;
  bool draws_anew_ = false;
  Step step_;
};

// Channels x height x width pixels in [0, 1], rounded to bytes, and back.
Image ImageFromPlanes(const float* planes, const v1::ImageShape& shape);
void ImageToPlanes(const Image& image, float* planes);

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_PLAN_H_
