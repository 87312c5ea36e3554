// Changes of position, size and direction: the evaluation-time counterpart of editing an image's
// attributes. A change by nothing changes no byte.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/corruptions/resample.h"

namespace assay::corruptions {

// Counterclockwise about the centre.
absl::StatusOr<Step> Rotate(Params& params, const Setting&) {
  return [degrees = params.Number("degrees"), fill = FillOf(params)](const Progress& progress,
                                                                     RandomStream&, Image& image) {
    const double angle = progress.Between(0, degrees) * (3.14159265358979323846 / 180);
    const double cosine = std::cos(angle), sine = std::sin(angle);
    const double x = (image.width - 1) / 2.0, y = (image.height - 1) / 2.0;
    // Rows count downwards.
    Resample({cosine, -sine, x - cosine * x + sine * y, sine, cosine, y - sine * x - cosine * y},
             fill, image);
  };
}

// To the right and down, as shares of width and height; sequences move to the right only.
absl::StatusOr<Step> Translate(Params& params, const Setting&) {
  return [x = params.Number("x"), y = params.Has("frames") ? 0 : params.Number("y"),
          fill = FillOf(params)](const Progress& progress, RandomStream&, Image& image) {
    Resample({1, 0, -progress.Between(0, x) * image.width, 0, 1, -y * image.height}, fill, image);
  };
}

// Enlarges (factor > 1) or shrinks the content about the centre; the image keeps its size.
absl::StatusOr<Step> Scale(Params& params, const Setting&) {
  return [end = params.Number("factor"), fill = FillOf(params)](const Progress& progress,
                                                                RandomStream&, Image& image) {
    const double factor = progress.Between(1, end);
    const double x = (image.width - 1) / 2.0, y = (image.height - 1) / 2.0;
    Resample({1 / factor, 0, x - x / factor, 0, 1 / factor, y - y / factor}, fill, image);
  };
}

// Keeps a window of `keep` (0 to 1] times the sides and stretches it over the whole image.
absl::StatusOr<Step> Crop(Params& params, const Setting&) {
  return [keep = params.Number("keep"), at = params.Text("at")](
             const Progress&, RandomStream& random, Image& image) {
    // Of the room that is left, the shares to the left of the window and above it.
    double left = at == "center" ? 0.5 : 0, top = left;
    if (at == "random") {
      left = random.Uniform(0, 1);
      top = random.Uniform(0, 1);
    }
    if (at == "top-right" || at == "bottom-right") left = 1;
    if (at == "bottom-left" || at == "bottom-right") top = 1;
    // Pixel centres: the window [a, a + keep W) onto [0, W).
    const auto offset = [&](double share, int size) {
      return share * (1 - keep) * size + keep / 2 - 0.5;
    };
    Resample({keep, 0, offset(left, image.width), 0, keep, offset(top, image.height)}, Fill::kEdge,
             image);
  };
}

absl::StatusOr<Step> Flip(Params& params, const Setting&) {
  return [axis = params.Text("axis")](const Progress&, RandomStream&, Image& image) {
    const auto channels = static_cast<size_t>(image.channels);
    const auto width = static_cast<size_t>(image.width);
    const auto height = static_cast<size_t>(image.height);
    const Image from = image;
    for (size_t y = 0; y < height; ++y) {
      for (size_t x = 0; x < width; ++x) {
        const size_t row = axis != "horizontal" ? height - 1 - y : y;
        const size_t column = axis != "vertical" ? width - 1 - x : x;
        std::copy_n(from.pixels.data() + (row * width + column) * channels, channels,
                    image.pixels.data() + (y * width + x) * channels);
      }
    }
  };
}

}  // namespace assay::corruptions
