// Examples as pictures of a page: small PNG files inside of it, so that nothing is loaded.
#ifndef ASSAY_CLIENT_RENDER_EXAMPLE_PICTURES_H_
#define ASSAY_CLIENT_RENDER_EXAMPLE_PICTURES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/render/examples.h"
#include "client/render/plot/markup.h"

namespace assay::render {

// One image of a page.
struct PagePicture {
  // "data:image/png;base64,..."
  std::string source;
  // In which it is shown: small ones are enlarged by a whole number.
  int width = 0;
  int height = 0;
};

// An example as pictures: the image, and where the condition changed it, what it became, and of
// attacks the difference.
struct ExamplePictures {
  PagePicture clean;
  PagePicture changed;
  PagePicture difference;
  // How much larger the difference is than it was; grey is none.
  double enlarged = 0;

  size_t bytes() const {
    return clean.source.size() + changed.source.size() + difference.source.size();
  }
};

// Images with sides above 112 are made smaller by a whole number, each pixel the mean of those that
// it stands for; the difference is that of the large ones. `shape` has 1 or 3 channels.
absl::StatusOr<ExamplePictures> MakePictures(const Example& example, const v1::ImageShape& shape,
                                             bool with_difference);

// By how much a difference of at most `largest` grey levels (of 255) is enlarged, so that it just
// fits around the middle grey: a whole number where it is small enough.
double Enlargement(double largest);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_EXAMPLE_PICTURES_H_
