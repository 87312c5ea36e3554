// Rotations and translations (Engstrom et al., "Exploring the landscape of spatial robustness",
// ICML 2019): the worst of a grid, bilinear, with black where the image was not. Sees logits only.
#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "server/engine/attacks/attack.h"
#include "server/engine/attacks/pixels.h"

namespace assay::engine {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Turns the image about its centre, counterclockwise as seen, then moves it: shares of what is
// allowed, from -1 to 1.
struct Transform {
  double turn = 0, right = 0, down = 0;
  double strength = 0;  // the largest of them, then their sum
  double total = 0;
};

// `count` values from -1 to 1; 0 alone for one.
std::vector<double> Grid(int64_t count) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(
        count == 1 ? 0 : static_cast<double>(2 * i - (count - 1)) / static_cast<double>(count - 1));
  }
  return values;
}

// All but the identity, mild ones first.
std::vector<Transform> MildToStrong(int64_t rotations, int64_t translations) {
  std::vector<Transform> all;
  for (const double turn : Grid(rotations)) {
    for (const double right : Grid(translations)) {
      for (const double down : Grid(translations)) {
        if (turn == 0 && right == 0 && down == 0) continue;
        const double shares[] = {std::abs(turn), std::abs(right), std::abs(down)};
        all.push_back({turn, right, down, std::max({shares[0], shares[1], shares[2]}),
                       shares[0] + shares[1] + shares[2]});
      }
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Transform& a, const Transform& b) {
    return std::tie(a.strength, a.total) < std::tie(b.strength, b.total);
  });
  return all;
}

struct SpatialParameters : AttackParameters {
  double max_degrees = 0;
  double max_shift = 0;  // of the side
  std::vector<Transform> transforms;
};

class SpatialState final : public AttackState {
 public:
  using Parameters = SpatialParameters;

  SpatialState(const SpatialParameters& parameters, const AttackTarget& target,
               const RandomKey& /*random*/)
      : parameters_(parameters), target_(target), point_(target.size) {
    if (need() != Need::kDone) Apply();
  }

  Need need() const override {
    return next_ < parameters_.transforms.size() ? Need::kForward : Need::kDone;
  }
  const std::vector<float>& point() const override { return point_; }
  void Step(const float* /*logits*/, const float* /*gradient*/) override {
    ++next_;
    if (need() != Need::kDone) Apply();
  }

 private:
  // For each pixel, looks up where it came from.
  void Apply() {
    const Transform& transform = parameters_.transforms[next_];
    const int height = target_.shape.height, width = target_.shape.width;
    const double angle = transform.turn * parameters_.max_degrees * kPi / 180;
    const double shift_right = transform.right * (parameters_.max_shift * width);
    const double shift_down = transform.down * (parameters_.max_shift * height);
    const double cosine = std::cos(angle), sine = std::sin(angle);
    const double middle_row = 0.5 * (height - 1), middle_column = 0.5 * (width - 1);
    const size_t plane = static_cast<size_t>(height) * static_cast<size_t>(width);
    for (int r = 0; r < height; ++r) {
      for (int c = 0; c < width; ++c) {
        // Rows grow downwards, so a counterclockwise turn takes (x, y) to
        // (x cos + y sin, y cos - x sin); this is its inverse.
        const double x = c - middle_column - shift_right, y = r - middle_row - shift_down;
        const double column = cosine * x - sine * y + middle_column;
        const double row = sine * x + cosine * y + middle_row;
        const double top = std::floor(row), left = std::floor(column);
        const double below = row - top, beside = column - left;
        const size_t at =
            static_cast<size_t>(r) * static_cast<size_t>(width) + static_cast<size_t>(c);
        for (size_t first = 0; first < target_.size; first += plane) {
          const auto pixel = [&](double pixel_row, double pixel_column) -> double {
            if (pixel_row < 0 || pixel_row > height - 1 || pixel_column < 0 ||
                pixel_column > width - 1) {
              return 0;
            }
            return target_.image[first + static_cast<size_t>(pixel_row * width + pixel_column)];
          };
          const double value =
              (1 - below) * ((1 - beside) * pixel(top, left) + beside * pixel(top, left + 1)) +
              below * ((1 - beside) * pixel(top + 1, left) + beside * pixel(top + 1, left + 1));
          point_[first + at] = static_cast<float>(Clip(value));
        }
      }
    }
  }

  const SpatialParameters& parameters_;
  const AttackTarget target_;
  std::vector<float> point_;
  size_t next_ = 0;
};

}  // namespace

NewAttack MakeSpatial(Params& params) {
  SpatialParameters parameters;
  parameters.norm = Norm::kNone;
  parameters.max_degrees = params.Number("max_rotation");
  parameters.max_shift = params.Number("max_translation") / 100;
  parameters.transforms = MildToStrong(params.Integer("rotations"), params.Integer("translations"));
  return std::make_unique<AttackOf<SpatialState>>(std::move(parameters));
}

}  // namespace assay::engine
