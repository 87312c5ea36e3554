#include "server/engine/example/shapes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace assay::example {
namespace {

using Image = std::vector<uint8_t>;

Image Draw(uint64_t seed, int64_t index) {
  Image image(kShapeBytes);
  DrawShape(seed, index, image.data());
  return image;
}

TEST(ShapesTest, SameSeedAndIndexDrawTheSamePictureInAnyOrder) {
  const Image first = Draw(7, 123);
  Draw(7, 124);
  Draw(8, 123);
  EXPECT_EQ(Draw(7, 123), first);
}

TEST(ShapesTest, NoTwoPicturesAreTheSame) {
  std::set<Image> images;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    for (int64_t index = 0; index < 200; ++index) images.insert(Draw(seed, index));
  }
  EXPECT_EQ(images.size(), 600u);
}

TEST(ShapesTest, WritesEveryByteOfThePictureAndNoOther) {
  std::vector<uint8_t> low(kShapeBytes + 2, 0x00), high(kShapeBytes + 2, 0xff);
  DrawShape(1, 5, low.data() + 1);
  DrawShape(1, 5, high.data() + 1);
  EXPECT_TRUE(std::equal(low.begin() + 1, low.end() - 1, high.begin() + 1));
  EXPECT_EQ(low.front(), 0x00);
  EXPECT_EQ(low.back(), 0x00);
  EXPECT_EQ(high.front(), 0xff);
  EXPECT_EQ(high.back(), 0xff);
}

TEST(ShapesTest, EveryTenPicturesInARowHoldEachClassOnce) {
  for (int64_t first : {0, 3, 990}) {
    std::set<int> labels;
    for (int64_t index = first; index < first + kShapeClasses; ++index) {
      labels.insert(ShapeLabel(index));
    }
    EXPECT_EQ(labels.size(), size_t{kShapeClasses});
    EXPECT_EQ(*labels.begin(), 0);
    EXPECT_EQ(*labels.rbegin(), kShapeClasses - 1);
  }
}

TEST(ShapesTest, ClassesHaveDistinctNames) {
  std::set<std::string> names;
  for (int label = 0; label < kShapeClasses; ++label) names.insert(ShapeName(label));
  EXPECT_EQ(names.size(), size_t{kShapeClasses});
  EXPECT_EQ(names.count(""), 0u);
}

double Brightness(const Image& image, size_t pixel) {
  return image[3 * pixel] + image[3 * pixel + 1] + image[3 * pixel + 2];
}

// What tells shapes apart wherever they lie and however they are turned: the bright pixels' number,
// and their second moments about their middle.
struct Outline {
  double area = 0;
  double elongation = 0;   // the larger principal axis over the smaller
  double compactness = 0;  // second moment over that of a disc of the same area: 1 for a disc
};

Outline Measure(const Image& image) {
  constexpr size_t kPixels = kShapeBytes / kShapeChannels;
  // The threshold between the two colours: the mean of the means of both sides, iterated.
  std::vector<double> values(kPixels);
  for (size_t i = 0; i < kPixels; ++i) values[i] = Brightness(image, i);
  double threshold = 0;
  for (const double value : values) threshold += value / kPixels;
  for (int round = 0; round < 20; ++round) {
    std::array<double, 2> sum{}, count{};
    for (const double value : values) {
      sum[value > threshold] += value;
      count[value > threshold] += 1;
    }
    threshold = (sum[0] / count[0] + sum[1] / count[1]) / 2;
  }
  double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < kPixels; ++i) {
    if (values[i] <= threshold) continue;
    const double column = static_cast<double>(i % kShapeSide);
    const double row = static_cast<double>(i / kShapeSide);
    n += 1;
    x += column;
    y += row;
    xx += column * column;
    yy += row * row;
    xy += column * row;
  }
  const double vx = xx / n - x * x / (n * n), vy = yy / n - y * y / (n * n);
  const double cov = xy / n - x * y / (n * n);
  const double mean = (vx + vy) / 2, spread = std::hypot((vx - vy) / 2, cov);
  constexpr double kPi = 3.14159265358979323846;
  return {n, std::sqrt((mean + spread) / (mean - spread)), 2 * mean * 2 * kPi / n};
}

Outline MedianOutline(const std::string& name) {
  std::vector<double> areas, elongations, compactnesses;
  for (int64_t index = 0; index < 2000; ++index) {
    if (ShapeName(ShapeLabel(index)) != name) continue;
    const Outline outline = Measure(Draw(11, index));
    areas.push_back(outline.area);
    elongations.push_back(outline.elongation);
    compactnesses.push_back(outline.compactness);
  }
  auto median = [](std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                     values.end());
    return values[values.size() / 2];
  };
  return {median(areas), median(elongations), median(compactnesses)};
}

// The expected values are the closed forms of the ideal figures: for a figure of area A and polar
// second moment J, compactness is 2 pi J / A^2.
TEST(ShapesTest, EachNameIsDrawnAsItsFigure) {
  struct Expected {
    const char* name;
    double least_elongation, most_elongation, compactness, tolerance;
  };
  const double pi = std::acos(-1.0);
  auto regular = [&](double corners) {
    const double half = pi / corners;
    return pi / (3 * corners) * (std::tan(half) + 3 / std::tan(half));
  };
  const double aspect = 1.375;  // the middle of the ellipse's and the diamond's range
  const double skew = (aspect + 1 / aspect) / 2;
  for (const Expected& expected : std::vector<Expected>{
           {"circle", 1, 1.06, 1, 0.02},
           {"ellipse", 1.2, 1.55, skew, 0.03},
           {"square", 1, 1.06, pi / 3, 0.02},
           {"diamond", 1.2, 1.55, pi / 3 * skew, 0.04},
           {"triangle", 1, 1.08, regular(3), 0.04},
           {"pentagon", 1, 1.06, regular(5), 0.02},
           {"hexagon", 1, 1.06, regular(6), 0.02},
       }) {
    const Outline outline = MedianOutline(expected.name);
    EXPECT_GE(outline.elongation, expected.least_elongation) << expected.name;
    EXPECT_LE(outline.elongation, expected.most_elongation) << expected.name;
    EXPECT_NEAR(outline.compactness, expected.compactness, expected.tolerance) << expected.name;
  }
  // These vary in thickness, so only bounds: a star and a cross reach out, a ring has its mass
  // outside.
  EXPECT_GT(MedianOutline("star").compactness, 1.25);
  EXPECT_LT(MedianOutline("star").compactness, 1.7);
  EXPECT_GT(MedianOutline("cross").compactness, 1.3);
  EXPECT_GT(MedianOutline("ring").compactness, 2);
}

TEST(ShapesTest, FiguresStandOutFromTheirBackground) {
  // Brighter in the median by far more than an attack's budget of 8 levels can undo, yet with
  // varying sizes and colours.
  std::set<int> sizes;
  double brightest = 0, darkest = 765;
  for (int64_t index = 0; index < 300; ++index) {
    const Image image = Draw(5, index);
    std::vector<double> values;
    for (size_t i = 0; i < kShapeBytes / kShapeChannels; ++i)
      values.push_back(Brightness(image, i));
    std::sort(values.begin(), values.end());
    const double low = values[values.size() / 4], high = values[values.size() * 95 / 100];
    EXPECT_GT(high - low, 3 * 30) << index;
    brightest = std::max(brightest, low);
    darkest = std::min(darkest, high);
    sizes.insert(static_cast<int>(Measure(image).area / 20));
  }
  EXPECT_GT(brightest, darkest) << "one threshold of brightness would find all figures";
  EXPECT_GT(sizes.size(), 8u);
}

}  // namespace
}  // namespace assay::example
