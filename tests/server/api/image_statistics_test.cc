// Expected values: numpy 2.4, mean and std of 0.299 R + 0.587 G + 0.114 B.
#include "server/api/image_statistics.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/digest.h"
#include "gmock/gmock.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;

// A 2 x 2 image of three channels.
const std::vector<uint8_t> kImage = {255, 0, 0, 128, 0, 255, 64, 128, 10, 20, 255, 128};

class ImageStatisticsTest : public ApiFixture {
 protected:
  // A manifest of one stored chunk.
  template <typename Pixel>
  v1::DatasetManifest Store(v1::PixelType type, const v1::ImageShape& shape, int samples,
                            const std::vector<Pixel>& pixels) {
    std::string bytes(static_cast<size_t>(samples) * sizeof(int32_t), '\0');
    bytes.append(reinterpret_cast<const char*>(pixels.data()), pixels.size() * sizeof(Pixel));
    v1::DatasetManifest manifest;
    *manifest.mutable_shape() = shape;
    manifest.set_pixel_type(type);
    const auto digest = context().blobs.Put(bytes);
    EXPECT_THAT(digest, IsOk());
    manifest.add_chunks()->set_digest(*digest);
    manifest.mutable_chunks(0)->set_samples(samples);
    return manifest;
  }
  ImageStatistics Measured(const v1::DatasetManifest& manifest) {
    const auto statistics = StatisticsOf(context().catalog, context().blobs, manifest);
    EXPECT_THAT(statistics, IsOk());
    return statistics.ok() ? *statistics : ImageStatistics();
  }
};

TEST_F(ImageStatisticsTest, LumaOfColours) {
  const ImageStatistics bytes = Measured(Store(v1::UINT8, MakeShape(3, 2, 2), 1, kImage));
  ASSERT_EQ(bytes.brightness.size(), 1u);
  EXPECT_NEAR(bytes.brightness[0], 0.4156745, 1e-7);
  EXPECT_NEAR(bytes.contrast[0], 0.1381618, 1e-7);
  std::vector<float> floats;
  for (const uint8_t byte : kImage) floats.push_back(static_cast<float>(byte) / 255);
  const ImageStatistics same = Measured(Store(v1::FLOAT32, MakeShape(3, 2, 2), 1, floats));
  EXPECT_NEAR(same.brightness[0], bytes.brightness[0], 1e-6);
  EXPECT_NEAR(same.contrast[0], bytes.contrast[0], 1e-6);
}

TEST_F(ImageStatisticsTest, OtherChannelsAreAveraged) {
  EXPECT_THAT(Measured(Store<uint8_t>(v1::UINT8, MakeShape(1, 1, 2), 2, {0, 255, 51, 51})).contrast,
              ElementsAre(0.5, 0));
  const ImageStatistics two = Measured(Store<uint8_t>(v1::UINT8, MakeShape(2, 1, 1), 1, {255, 0}));
  EXPECT_EQ(two.brightness[0], 0.5);
  EXPECT_EQ(two.contrast[0], 0);
}

TEST_F(ImageStatisticsTest, WhiteImagesHaveNoContrastAtAnySize) {
  const size_t side = 512;
  const ImageStatistics white = Measured(
      Store(v1::UINT8, MakeShape(3, 512, 512), 1, std::vector<uint8_t>(3 * side * side, 255)));
  EXPECT_EQ(white.brightness[0], 1);
  EXPECT_EQ(white.contrast[0], 0);
}

TEST_F(ImageStatisticsTest, WhatWasMeasuredIsNotReadAgain) {
  const v1::DatasetManifest manifest = Store(v1::UINT8, MakeShape(3, 2, 2), 1, kImage);
  const ImageStatistics first = Measured(manifest);
  // The same bytes of another shape are other images.
  v1::DatasetManifest wide = manifest;
  *wide.mutable_shape() = MakeShape(1, 2, 6);
  EXPECT_NE(Measured(wide).brightness, first.brightness);
  const auto sweep = [&] {
    return context().blobs.Sweep([](const std::string&) { return false; });
  };
  context().blobs.Settle({manifest.chunks(0).digest()}, "");
  ASSERT_THAT(sweep(), IsOk());
  EXPECT_EQ(Measured(manifest).brightness, first.brightness);
  // What nobody names is forgotten.
  ASSERT_THAT(context().catalog.ReleaseSpace(), IsOk());
  EXPECT_THAT(context().catalog.GetStatistics(manifest.chunks(0).digest(), "3x2x2 UINT8"), IsOk());
  EXPECT_FALSE(
      context().catalog.GetStatistics(manifest.chunks(0).digest(), "3x2x2 UINT8")->has_value());
}

TEST_F(ImageStatisticsTest, CreationMeasures) {
  const auto dataset = CreateDataset("d", {4, 3});
  ASSERT_THAT(dataset, IsOk());
  for (const auto& chunk : dataset->manifest().chunks()) {
    const v1::ImageShape& shape = dataset->manifest().shape();
    const auto kept = context().catalog.GetStatistics(
        chunk.digest(), absl::StrCat(shape.channels(), "x", shape.height(), "x", shape.width(), " ",
                                     v1::PixelType_Name(dataset->manifest().pixel_type())));
    ASSERT_THAT(kept, IsOk());
    ASSERT_TRUE(kept->has_value());
    EXPECT_EQ((*kept)->size(), static_cast<size_t>(chunk.samples()) * 8);
  }
}

}  // namespace
}  // namespace assay::api
