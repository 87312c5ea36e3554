#include "core/corruptions/plan.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/errors.h"
#include "core/conditions/params.h"
#include "core/corruptions/frost_files.h"
#include "core/corruptions/jpeg_codec.h"
#include "core/corruptions/spatial.h"

namespace assay::corruptions {
namespace {

SeverityTable TableNamed(const std::string& name, const v1::ImageShape& shape) {
  if (name == "32") return SeverityTable::k32;
  if (name == "64") return SeverityTable::k64;
  if (name == "224") return SeverityTable::k224;
  if (name == "299") return SeverityTable::k299;
  return NearestTable(shape.height(), shape.width());
}

Fill FillNamed(const std::string& name) {
  if (name == "edge") return Fill::kEdge;
  return name == "black" ? Fill::kBlack : Fill::kReflect;
}

Cover CoverNamed(const std::string& name) {
  if (name == "black") return Cover::kBlack;
  if (name == "white") return Cover::kWhite;
  return name == "mean" ? Cover::kMean : Cover::kGrey;
}

absl::Status CheckChannels(const v1::Condition& condition, const v1::ImageShape& shape,
                           bool grayscale) {
  if (shape.channels() == 3 || (shape.channels() == 1 && grayscale)) return absl::OkStatus();
  return Error(Reason::kInvalidCondition,
               absl::StrCat(condition.id(), " needs RGB images",
                            grayscale ? " or one-channel images" : "", "; these have ",
                            shape.channels(), shape.channels() == 1 ? " channel" : " channels"));
}

// A corruption of the registry, ready for its arguments.
absl::StatusOr<const Corruption*> Registered(const v1::Condition& condition,
                                             const std::string& name, const v1::ImageShape& shape,
                                             const CorruptionContext& context) {
  const Corruption* corruption = FindCorruption(name);
  if (corruption == nullptr) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat("this engine has no corruption '", name, "'"))
        .ToStatus();
  }
  ASSAY_RETURN_IF_ERROR(CheckChannels(condition, shape, corruption->grayscale));
  if (corruption->photographs && context.frost == nullptr) {
    return Error(Reason::kInvalidCondition, kFrostNeedsPhotographs).ToStatus();
  }
  if (!(context.severity >= 1 && context.severity <= 5) && context.severity != 0) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat(condition.id(),
                              ": severities are from 1 to 5, or 0 for the image "
                              "itself"))
        .ToStatus();
  }
  if (name == "jpeg_compression" && std::max(shape.height(), shape.width()) > kMaxJpegSide) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat(condition.id(), " needs sides of at most ", kMaxJpegSide,
                              " pixels, the limit of JPEG"))
        .ToStatus();
  }
  return corruption;
}

// What a spatial change with its own parameters does; nullopt for other methods.
std::optional<std::function<void(RandomStream&, Image&)>> Spatial(const std::string& method,
                                                                  Params& params) {
  if (method == "rotate") {
    return [degrees = params.Number("degrees"), fill = FillNamed(params.Text("fill"))](
               RandomStream&, Image& image) { Rotate(degrees, fill, image); };
  }
  if (method == "translate") {
    return [x = params.Number("x"), y = params.Number("y"), fill = FillNamed(params.Text("fill"))](
               RandomStream&, Image& image) { Translate(x, y, fill, image); };
  }
  if (method == "scale") {
    return [factor = params.Number("factor"), fill = FillNamed(params.Text("fill"))](
               RandomStream&, Image& image) { Scale(factor, fill, image); };
  }
  if (method == "crop") {
    return
        [keep = params.Number("keep"), at = params.Text("at")](RandomStream& random, Image& image) {
          const bool anywhere = at == "random";
          const double x = anywhere ? random.Uniform(0, 1) : at == "center" ? 0.5 : 0;
          const double y = anywhere ? random.Uniform(0, 1) : at == "center" ? 0.5 : 0;
          const bool right = at == "top-right" || at == "bottom-right";
          const bool bottom = at == "bottom-left" || at == "bottom-right";
          Crop(keep, right ? 1 : x, bottom ? 1 : y, image);
        };
  }
  if (method == "flip") {
    return [axis = params.Text("axis")](RandomStream&, Image& image) {
      Flip(axis != "vertical", axis != "horizontal", image);
    };
  }
  return std::nullopt;
}

// The whole image when only one cell of a grid is kept, otherwise a square somewhere in it.
void OccludeSomewhere(Cover cover, double size, bool whole, RandomStream& random, Image& image) {
  Area area{0, image.height, 0, image.width};
  if (!whole) {
    const int smaller = std::min(image.height, image.width);
    const int side = std::clamp(static_cast<int>(std::lround(size * smaller)), 1, smaller);
    area.top = static_cast<int>(random.Below(static_cast<uint32_t>(image.height - side + 1)));
    area.left = static_cast<int>(random.Below(static_cast<uint32_t>(image.width - side + 1)));
    area.bottom = area.top + side;
    area.right = area.left + side;
  }
  Occlude(cover, area, image);
}

}  // namespace

absl::StatusOr<CorruptionPlan> CorruptionPlan::Make(const v1::Condition& condition,
                                                    const v1::ImageShape& shape,
                                                    const FrostPhotographs* frost) {
  CorruptionPlan plan;
  Params params(condition);
  if (auto spatial = Spatial(condition.method(), params)) {
    ASSAY_RETURN_IF_ERROR(CheckChannels(condition, shape, true));
    ASSAY_RETURN_IF_ERROR(params.status());
    plan.steps_.push_back(*std::move(spatial));
    return plan;
  }
  plan.grid_ = static_cast<int>(params.Integer("grid"));
  plan.cell_ = static_cast<int>(params.Integer("cell"));
  ASSAY_RETURN_IF_ERROR(params.status());
  if (plan.grid_ < 1 || plan.cell_ < 0 || plan.cell_ >= plan.grid_ * plan.grid_) {
    return Error(Reason::kInvalidCondition,
                 absl::StrCat(condition.id(), ": there is no cell ", plan.cell_, " in a grid of ",
                              plan.grid_, " x ", plan.grid_))
        .ToStatus();
  }
  if (condition.method() == "occlusion") {
    ASSAY_RETURN_IF_ERROR(CheckChannels(condition, shape, true));
    const Cover cover = CoverNamed(params.Text("color"));
    const double size = params.Number("size");
    const bool whole = plan.grid_ > 1;
    plan.steps_.push_back([=](RandomStream& random, Image& image) {
      OccludeSomewhere(cover, size, whole, random, image);
    });
    ASSAY_RETURN_IF_ERROR(params.status());
    return plan;
  }
  const CorruptionContext context{TableNamed(params.Text("table"), shape),
                                  params.Number("severity"), frost};
  ASSAY_RETURN_IF_ERROR(params.status());
  for (const std::string& name :
       std::vector<std::string>(absl::StrSplit(condition.method(), '+'))) {
    ASSAY_ASSIGN_OR_RETURN(const Corruption* corruption,
                           Registered(condition, name, shape, context));
    if (context.severity == 0) continue;
    plan.steps_.push_back([corruption, context](RandomStream& random, Image& image) {
      corruption->apply(context, random, image);
    });
  }
  return plan;
}

void CorruptionPlan::Apply(const RandomKey& key, int64_t sample, Image& image) const {
  const Image before = grid_ > 1 ? image : Image();
  for (size_t i = 0; i < steps_.size(); ++i) {
    RandomStream random(key, sample, static_cast<uint32_t>(i));
    steps_[i](random, image);
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
  const double last = plan.frames_ - 1;
  const std::string& method = condition.method();
  if (method == "rotate" || method == "translate" || method == "scale") {
    ASSAY_RETURN_IF_ERROR(CheckChannels(condition, shape, true));
    const Fill fill = FillNamed(params.Text("fill"));
    if (method == "rotate") {
      plan.step_ = [last, fill, degrees = params.Number("degrees")](const RandomKey&, int64_t,
                                                                    int frame, Image& image) {
        Rotate(degrees * frame / last, fill, image);
      };
    } else if (method == "translate") {
      plan.step_ = [last, fill, x = params.Number("x")](const RandomKey&, int64_t, int frame,
                                                        Image& image) {
        Translate(x * frame / last, 0, fill, image);
      };
    } else {
      plan.step_ = [last, fill, factor = params.Number("factor")](const RandomKey&, int64_t,
                                                                  int frame, Image& image) {
        Scale(1 + (factor - 1) * frame / last, fill, image);
      };
    }
    ASSAY_RETURN_IF_ERROR(params.status());
    return plan;
  }
  const SeverityTable table = TableNamed(params.Text("table"), shape);
  // The noises have a severity that stays and noise that changes from frame to frame; the others
  // grow from severity 1 to 5 and draw the same random numbers for every frame.
  const bool noise = condition.parameters().count("severity") > 0;
  const double severity = noise ? params.Number("severity") : 5;
  ASSAY_RETURN_IF_ERROR(params.status());
  ASSAY_ASSIGN_OR_RETURN(const Corruption* corruption,
                         Registered(condition, method, shape, {table, severity, frost}));
  plan.step_ = [=](const RandomKey& key, int64_t sample, int frame, Image& image) {
    const double steps = std::max(1.0, last - 1);
    const CorruptionContext context{
        table, noise ? severity : std::min(5.0, 1 + 4 * (frame - 1) / steps), frost};
    RandomStream random(key, sample, noise ? static_cast<uint32_t>(frame) : 0);
    corruption->apply(context, random, image);
  };
  return plan;
}

void SequencePlan::Apply(const RandomKey& key, int64_t sample, int frame, Image& image) const {
  if (frame > 0) step_(key, sample, frame, image);
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
