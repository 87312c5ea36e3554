#include "core/corruptions/plan.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/errors.h"
#include "core/conditions/params.h"

namespace assay::corruptions {
namespace {

absl::Status CheckChannels(const v1::Condition& condition, const v1::ImageShape& shape,
                           bool grayscale) {
  if (shape.channels() == 3 || (shape.channels() == 1 && grayscale)) return absl::OkStatus();
  return Error(Reason::kInvalidCondition,
               absl::StrCat(condition.id(), " needs RGB images",
                            grayscale ? " or one-channel images" : "", "; these have ",
                            shape.channels(), shape.channels() == 1 ? " channel" : " channels"));
}

// The step of one corruption of the condition.
absl::StatusOr<Step> StepOf(const std::string& name, const v1::Condition& condition,
                            const Setting& setting) {
  const Corruption* corruption = FindCorruption(name);
  if (corruption == nullptr) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat("this engine has no corruption '", name, "'"))
        .ToStatus();
  }
  ASSAY_RETURN_IF_ERROR(CheckChannels(condition, setting.shape, corruption->grayscale));
  Params params(condition);
  ASSAY_ASSIGN_OR_RETURN(Step step, corruption->make(params, setting));
  ASSAY_RETURN_IF_ERROR(params.status());
  return step;
}

}  // namespace

Area GridCell(int grid, int cell, const Image& image) {
  const auto edge = [grid](int index, int size) {
    return static_cast<int>(int64_t{index} * size / grid);
  };
  const int row = cell / grid, column = cell % grid;
  return {edge(row, image.height), edge(row + 1, image.height), edge(column, image.width),
          edge(column + 1, image.width)};
}

absl::StatusOr<CorruptionPlan> CorruptionPlan::Make(const v1::Condition& condition,
                                                    const v1::ImageShape& shape,
                                                    const FrostPhotographs* frost) {
  CorruptionPlan plan;
  Params params(condition);
  if (params.Has("grid")) {
    plan.grid_ = static_cast<int>(params.Integer("grid"));
    plan.cell_ = static_cast<int>(params.Integer("cell"));
    ASSAY_RETURN_IF_ERROR(params.status());
  }
  if (plan.grid_ < 1 || plan.cell_ < 0 || plan.cell_ >= plan.grid_ * plan.grid_) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat(condition.id(), ": there is no cell ", plan.cell_, " in a grid of ",
                              plan.grid_, " x ", plan.grid_))
        .ToStatus();
  }
  for (const std::string& name :
       std::vector<std::string>(absl::StrSplit(condition.method(), '+'))) {
    ASSAY_ASSIGN_OR_RETURN(Step step, StepOf(name, condition, {shape, frost}));
    plan.steps_.push_back(std::move(step));
  }
  return plan;
}

void CorruptionPlan::Apply(const RandomKey& key, int64_t sample, Image& image) const {
  const Image before = grid_ > 1 ? image : Image();
  for (size_t i = 0; i < steps_.size(); ++i) {
    RandomStream random(key, sample, static_cast<uint32_t>(i));
    steps_[i](Progress(), random, image);
  }
  if (grid_ == 1) return;
  Image changed = before;
  std::swap(changed, image);
  const Area area = GridCell(grid_, cell_, image);
  const auto channels = static_cast<size_t>(image.channels);
  const auto width = static_cast<size_t>(area.right - area.left) * channels;
  for (int y = area.top; y < area.bottom; ++y) {
    const size_t first = (static_cast<size_t>(y) * static_cast<size_t>(image.width) +
                          static_cast<size_t>(area.left)) *
                         channels;
    std::copy_n(changed.pixels.data() + first, width, image.pixels.data() + first);
  }
}

absl::StatusOr<SequencePlan> SequencePlan::Make(const v1::Condition& condition,
                                                const v1::ImageShape& shape,
                                                const FrostPhotographs* frost) {
  SequencePlan plan;
  Params params(condition);
  plan.frames_ = static_cast<int>(params.Integer("frames"));
  ASSAY_RETURN_IF_ERROR(params.status());
  if (plan.frames_ < 2) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat(condition.id(), ": a sequence has at least 2 frames"))
        .ToStatus();
  }
  // The noises have a severity that stays and noise that changes from frame to frame; the others
  // grow, and draw the same random numbers for every frame.
  plan.draws_anew_ = params.Has("severity");
  ASSAY_ASSIGN_OR_RETURN(plan.step_, StepOf(condition.method(), condition, {shape, frost}));
  return plan;
}

void SequencePlan::Apply(const RandomKey& key, int64_t sample, int frame, Image& image) const {
  if (frame == 0) return;
  RandomStream random(key, sample, draws_anew_ ? static_cast<uint32_t>(frame) : 0);
  step_({frame, frames_ - 1}, random, image);
}

Image ImageFromPlanes(const float* planes, const v1::ImageShape& shape) {
  Image image{shape.height(), shape.width(), shape.channels(), {}};
  const size_t plane = static_cast<size_t>(shape.height()) * static_cast<size_t>(shape.width());
  const auto channels = static_cast<size_t>(shape.channels());
  image.pixels.resize(channels * plane);
  for (size_t c = 0; c < channels; ++c) {
    for (size_t i = 0; i < plane; ++i) {
      image.pixels[i * channels + c] =
          static_cast<uint8_t>(std::lround(planes[c * plane + i] * 255.0F));
    }
  }
  return image;
}

void ImageToPlanes(const Image& image, float* planes) {
  const size_t plane = static_cast<size_t>(image.height) * static_cast<size_t>(image.width);
  const auto channels = static_cast<size_t>(image.channels);
  for (size_t c = 0; c < channels; ++c) {
    for (size_t i = 0; i < plane; ++i) {
      planes[c * plane + i] = static_cast<float>(image.pixels[i * channels + c]) / 255.0F;
    }
  }
}

}  // namespace assay::corruptions
