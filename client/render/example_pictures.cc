#include "client/render/example_pictures.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/render/png.h"
#include "core/base/errors.h"

namespace assay::render {
namespace {

constexpr int kLargestSide = 112;
constexpr int kWantedSide = 96;
constexpr double kMiddleGrey = 128;
// On either side of it, the same for both.
constexpr double kRoom = 127;

int Larger(const v1::ImageShape& shape) { return std::max(shape.height(), shape.width()); }

// From channels x height x width of grey levels (0 to 255) to a picture, whose pixels stand for
// `step` x `step` of those each, fewer at the ends.
Picture Shrunk(const std::vector<double>& planes, const v1::ImageShape& shape, int step) {
  const int height = (shape.height() + step - 1) / step;
  const int width = (shape.width() + step - 1) / step;
  Picture picture{height, width, shape.channels(), {}};
  picture.pixels.reserve(static_cast<size_t>(height) * static_cast<size_t>(width) *
                         static_cast<size_t>(shape.channels()));
  for (int top = 0; top < shape.height(); top += step) {
    for (int left = 0; left < shape.width(); left += step) {
      const int bottom = std::min(top + step, shape.height());
      const int right = std::min(left + step, shape.width());
      for (int c = 0; c < shape.channels(); ++c) {
        double sum = 0;
        for (int y = top; y < bottom; ++y) {
          for (int x = left; x < right; ++x) {
            sum += planes[static_cast<size_t>((c * shape.height() + y) * shape.width() + x)];
          }
        }
        const double mean = sum / ((bottom - top) * (right - left));
        picture.pixels.push_back(static_cast<uint8_t>(std::lround(std::clamp(mean, 0.0, 255.0))));
      }
    }
  }
  return picture;
}

absl::StatusOr<PagePicture> PictureOf(const std::vector<double>& planes,
                                      const v1::ImageShape& shape) {
  const int step = (Larger(shape) + kLargestSide - 1) / kLargestSide;
  const Picture picture = Shrunk(planes, shape, step);
  ASSAY_ASSIGN_OR_RETURN(const std::string png, EncodePng(picture));
  const int scale = std::max(1, kWantedSide / std::max(picture.height, picture.width));
  return PagePicture{absl::StrCat("data:image/png;base64,", absl::Base64Escape(png)),
                     picture.width * scale, picture.height * scale};
}

std::vector<double> GreyLevels(const std::vector<float>& planes) {
  std::vector<double> levels;
  levels.reserve(planes.size());
  for (const float value : planes) levels.push_back(double{value} * 255);
  return levels;
}

}  // namespace

double Enlargement(double largest) {
  if (!(largest > 0)) return 1;
  const double factor = kRoom / largest;
  return factor >= 1 ? std::floor(factor + 1e-6) : factor;
}

absl::StatusOr<ExamplePictures> MakePictures(const Example& example, const v1::ImageShape& shape,
                                             bool with_difference) {
  const auto elements = static_cast<size_t>(shape.channels()) *
                        static_cast<size_t>(shape.height()) * static_cast<size_t>(shape.width());
  if (example.clean.size() != elements ||
      (!example.changed.empty() && example.changed.size() != elements)) {
    return Error(Reason::kInternal,
                 absl::StrCat("an example of ", elements, " values has ", example.clean.size(),
                              " and ", example.changed.size()));
  }
  const std::vector<double> clean = GreyLevels(example.clean);
  ExamplePictures pictures;
  ASSAY_ASSIGN_OR_RETURN(pictures.clean, PictureOf(clean, shape));
  if (example.changed.empty()) return pictures;
  std::vector<double> changed = GreyLevels(example.changed);
  ASSAY_ASSIGN_OR_RETURN(pictures.changed, PictureOf(changed, shape));
  if (!with_difference) return pictures;
  double largest = 0;
  for (size_t i = 0; i < elements; ++i) {
    changed[i] -= clean[i];
    largest = std::max(largest, std::abs(changed[i]));
  }
  pictures.enlarged = Enlargement(largest);
  for (double& level : changed) level = kMiddleGrey + level * pictures.enlarged;
  ASSAY_ASSIGN_OR_RETURN(pictures.difference, PictureOf(changed, shape));
  return pictures;
}

}  // namespace assay::render
