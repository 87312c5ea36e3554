// Common corruptions (Hendrycks and Dietterich, "Benchmarking neural network robustness to common
// corruptions and perturbations", ICLR 2019): pure functions (image, severity, random stream) ->
// image. plan.h makes them, and what goes beyond the published list, of conditions.
//
// To add one: a file beside this one with its function, a line in registry.cc, a row in
// tests/core/corruptions/corruptions_test.cc and in core/conditions/corruptions.cc, a line in
// docs/conditions/corruptions.md.
#ifndef ASSAY_CORE_CORRUPTIONS_CORRUPTION_H_
#define ASSAY_CORE_CORRUPTIONS_CORRUPTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/random.h"

namespace assay::corruptions {

// 8-bit image, height x width x channels, channels interleaved (RGB when there are 3).
struct Image {
  int height = 0;
  int width = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;
};

// The published parameter tables, named by the side of the images that they were made for.
enum class SeverityTable { k32, k64, k224, k299 };

// The table whose side is nearest to that of an image (the smaller of height and width).
SeverityTable NearestTable(int height, int width);

class FrostPhotographs;  // frost_photographs.h

struct CorruptionContext {
  SeverityTable table;
  // 1 to 5; between two rows of a table the parameters are interpolated (tables.h).
  double severity;
  // Needed by "frost" only.
  const FrostPhotographs* frost = nullptr;
};

// Corrupts `image` in place. Called from many threads at once; must depend on nothing but its
// arguments.
using CorruptionFunction = void (*)(const CorruptionContext& context, RandomStream& random,
                                    Image& image);

struct Corruption {
  const char* name;
  CorruptionFunction apply;
  // Whether it makes sense on one-channel images.
  bool grayscale;
  // Whether it lays the published photographs over the image.
  bool photographs = false;
};

// nullptr for an unknown name.
const Corruption* FindCorruption(absl::string_view name);
const std::vector<Corruption>& AllCorruptions();

// clip(value, 0, 1) * 255, truncated as numpy's uint8 conversion does; the last step of most
// corruptions.
uint8_t TruncateToByte(double unit_value);

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_CORRUPTION_H_
