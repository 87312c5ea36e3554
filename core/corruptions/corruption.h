// Common corruptions (Hendrycks and Dietterich, "Benchmarking neural network robustness to common
// corruptions and perturbations", ICLR 2019), spatial changes and occlusion: from the parameters of
// a condition to a step, which changes one image and depends on its arguments only. plan.h applies
// steps as conditions say: one after the other, in one cell of a grid, frame by frame.
//
// To add one: a file beside this one with its function, a line in registry.cc, a row in
// core/conditions/corruptions.cc and in the table of tests/core/corruptions/corruptions_test.cc, a
// section in docs/conditions/corruptions.md. Its function is either a SeverityFunction, with
// parameters by severity (Select in tables.h), or the Maker of a step with parameters of its own:
//
//   // Pixels below `level` turn black.
//   absl::StatusOr<Step> Threshold(Params& params, const Setting&) {
//     return [level = params.Number("level")](const Progress& progress, RandomStream&, Image&
//     image) {
//       const double now = progress.Between(0, level);
//       for (uint8_t& pixel : image.pixels) pixel = pixel < now ? 0 : pixel;
//     };
//   }
#ifndef ASSAY_CORE_CORRUPTIONS_CORRUPTION_H_
#define ASSAY_CORE_CORRUPTIONS_CORRUPTION_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "assay/v1/types.pb.h"
#include "core/base/random.h"
#include "core/conditions/params.h"

namespace assay::corruptions {

// 8-bit image, height x width x channels, channels interleaved (RGB when there are 3).
struct Image {
  int height = 0;
  int width = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;
};

// How far a change has come.
struct Progress {
  // Frame 1 to `last` of a sequence; 0 of 0: no sequence, the whole change at once.
  int frame = 0;
  int last = 0;

  // What goes evenly from `start`, for the image itself, to `end`.
  double Between(double start, double end) const {
    return last == 0 ? end : start + (end - start) * frame / last;
  }
};

// Changes `image` in place. Called from many threads at once; must depend on nothing but its
// arguments and the condition that it was made for.
using Step = std::function<void(const Progress& progress, RandomStream& random, Image& image)>;

class FrostPhotographs;  // frost_photographs.h

// What a step is made for beside its condition.
struct Setting {
  // Of every image.
  const v1::ImageShape& shape;
  // Null without; outlives the step.
  const FrostPhotographs* frost;
};

// Reads the parameters of a condition, once for all images; what is wrong with one of them is left
// in params.status(). kInvalidCondition for what makes no sense in this setting.
using Maker = absl::StatusOr<Step>(Params& params, const Setting& setting);

struct Corruption {
  const char* name;
  Maker* make;
  // Whether it makes sense on one-channel images.
  bool grayscale;
};

// nullptr for an unknown name.
const Corruption* FindCorruption(absl::string_view name);
const std::vector<Corruption>& AllCorruptions();

// --- corruptions with parameters by severity

// The published parameter tables, named by the side of the images that they were made for.
enum class SeverityTable { k32, k64, k224, k299 };

// The table whose side is nearest to that of an image (the smaller of height and width).
SeverityTable NearestTable(int height, int width);

struct CorruptionContext {
  SeverityTable table;
  // 1 to 5; between two rows of a table the parameters are interpolated (tables.h).
  double severity;
};

// Corrupts `image` in place; otherwise as a Step.
using SeverityFunction = void(const CorruptionContext& context, RandomStream& random, Image& image);

// The step of such a function: with the severity of the condition, which may be 0 for the image
// itself; in a sequence without one, with severities that grow from 1 to 5.
absl::StatusOr<Step> BySeverity(const std::function<SeverityFunction>& corrupt, Params& params,
                                const Setting& setting);

// The same for what has something to prepare that depends on the severity only: once for all images
// of a condition whose severity stays.
using PreparedCorruption = std::function<void(RandomStream& random, Image& image)>;
absl::StatusOr<Step> PreparedBySeverity(
    const std::function<PreparedCorruption(const CorruptionContext& context)>& prepare,
    Params& params, const Setting& setting);

// clip(value, 0, 1) * 255, truncated as numpy's uint8 conversion does; the last step of most
// corruptions.
uint8_t TruncateToByte(double unit_value);

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_CORRUPTION_H_
