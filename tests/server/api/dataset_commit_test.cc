#include "server/api/dataset_commit.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/base/manifest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::HasSubstr;

v1::DatasetManifest Manifest(v1::PixelType type, int classes = 0) {
  v1::DatasetManifest manifest;
  *manifest.mutable_shape() = MakeShape(1, 1, 2);
  manifest.set_pixel_type(type);
  for (int i = 0; i < classes; ++i) manifest.add_class_names(absl::StrCat("class ", i));
  return manifest;
}

template <typename Pixel>
std::string Chunk(const std::vector<int32_t>& labels, const std::vector<Pixel>& pixels) {
  std::string bytes(labels.size() * sizeof(int32_t) + pixels.size() * sizeof(Pixel), '\0');
  std::memcpy(bytes.data(), labels.data(), labels.size() * sizeof(int32_t));
  if (!pixels.empty()) {
    std::memcpy(bytes.data() + labels.size() * sizeof(int32_t), pixels.data(),
                pixels.size() * sizeof(Pixel));
  }
  return bytes;
}

TEST(CheckChunkTest, TheLargestLabelIsFound) {
  const auto label = CheckChunk(Manifest(v1::UINT8),
                                Chunk<uint8_t>({3, 7, 0}, {0, 1, 2, 3, 4, 255}), 3, "chunk", 0);
  ASSERT_THAT(label, IsOk());
  EXPECT_EQ(*label, 7);
}

TEST(CheckChunkTest, AnUnexpectedSizeIsToldWithBothSizes) {
  for (const int samples : {1, 3}) {
    const auto label = CheckChunk(Manifest(v1::UINT8), Chunk<uint8_t>({3, 7}, {0, 1, 2, 3}),
                                  samples, "manifest.chunks[4]", 0);
    EXPECT_THAT(label, HasReason(Reason::kInvalidDataset));
    EXPECT_THAT(std::string(label.status().message()), HasSubstr("manifest.chunks[4]"));
    EXPECT_THAT(std::string(label.status().message()), HasSubstr("12 bytes"));
    EXPECT_THAT(std::string(label.status().message()), HasSubstr(absl::StrCat(6 * samples)));
  }
}

TEST(CheckChunkTest, LabelsMustNotBeNegativeAndBeBelowTheNumberOfNames) {
  const auto negative =
      CheckChunk(Manifest(v1::UINT8), Chunk<uint8_t>({3, -1}, {0, 1, 2, 3}), 2, "chunk", 100);
  EXPECT_THAT(negative, HasReason(Reason::kInvalidDataset));
  EXPECT_THAT(std::string(negative.status().message()), HasSubstr("sample 101 has label -1"));
  const auto large =
      CheckChunk(Manifest(v1::UINT8, 3), Chunk<uint8_t>({2, 3}, {0, 1, 2, 3}), 2, "chunk", 100);
  EXPECT_THAT(large, HasReason(Reason::kInvalidDataset));
  EXPECT_THAT(std::string(large.status().message()), HasSubstr("sample 101 has label 3"));
  EXPECT_THAT(CheckChunk(Manifest(v1::UINT8, 4), Chunk<uint8_t>({2, 3}, {0, 1, 2, 3}), 2, "c", 0),
              IsOk());
}

TEST(CheckChunkTest, FloatPixelsMustBeFiniteAndBetweenZeroAndOne) {
  const v1::DatasetManifest manifest = Manifest(v1::FLOAT32);
  EXPECT_THAT(CheckChunk(manifest, Chunk<float>({0, 1}, {0.0F, 1.0F, 0.5F, 1e-30F}), 2, "c", 0),
              IsOk());
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad :
       {-0.001F, 1.001F, 255.0F, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    const auto label =
        CheckChunk(manifest, Chunk<float>({0, 1}, {0.0F, 1.0F, 0.5F, bad}), 2, "chunk", 50);
    EXPECT_THAT(label, HasReason(Reason::kInvalidDataset)) << bad;
    EXPECT_THAT(std::string(label.status().message()), HasSubstr("sample 51"));
  }
}

class PrepareDatasetTest : public ApiFixture {
 protected:
  v1::DatasetManifest Stored(const std::vector<int>& chunks) {
    v1::DatasetManifest manifest;
    *manifest.mutable_shape() = MakeShape(1, 1, 1);
    manifest.set_pixel_type(v1::UINT8);
    int first = 0;
    for (const int samples : chunks) {
      const auto digest = blobs_->Put(ChunkBytes(samples, first));
      EXPECT_THAT(digest, IsOk());
      manifest.add_chunks()->set_digest(*digest);
      manifest.mutable_chunks()->rbegin()->set_samples(samples);
      first += samples;
    }
    return manifest;
  }
};

TEST_F(PrepareDatasetTest, TheRecordSumsUpTheChunks) {
  const v1::DatasetManifest manifest = Stored({4, 3});
  const auto record = PrepareDataset(context(), "d", manifest, "upload");
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->name(), "datasets/d");
  EXPECT_EQ(record->samples(), 7);
  EXPECT_EQ(record->size_bytes(), 7 * 5);
  EXPECT_EQ(record->max_label(), 6);
  EXPECT_EQ(record->digest(), ManifestDigest(manifest));
  EXPECT_EQ(record->create_time().seconds(), clock_.NowMicros() / 1'000'000);
}

TEST_F(PrepareDatasetTest, WithoutAnIdTheDigestNamesTheDataset) {
  const v1::DatasetManifest manifest = Stored({4});
  const auto record = PrepareDataset(context(), "", manifest, "upload");
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->name(), "datasets/" + ManifestDigest(manifest).substr(0, 12));
}

TEST_F(PrepareDatasetTest, AChunkThatIsNotThereIsNamed) {
  v1::DatasetManifest manifest = Stored({4});
  manifest.add_chunks()->set_digest(Sha256Hex("never uploaded"));
  manifest.mutable_chunks(1)->set_samples(1);
  const auto record = PrepareDataset(context(), "d", manifest, "upload");
  EXPECT_THAT(record, HasReason(Reason::kChunkMissing));
  EXPECT_THAT(std::string(record.status().message()), HasSubstr(Sha256Hex("never uploaded")));
}

TEST_F(PrepareDatasetTest, AChunkOfAnotherSizeIsNamedByItsPlace) {
  v1::DatasetManifest manifest = Stored({4, 3});
  manifest.mutable_chunks(1)->set_samples(4);
  const auto record = PrepareDataset(context(), "d", manifest, "upload");
  EXPECT_THAT(record, HasReason(Reason::kInvalidDataset));
  EXPECT_THAT(std::string(record.status().message()), HasSubstr("manifest.chunks[1]"));
}

TEST_F(PrepareDatasetTest, EveryProblemOfTheManifestIsToldAtOnce) {
  v1::DatasetManifest manifest = Stored({4});
  manifest.set_pixel_type(v1::PIXEL_TYPE_UNSPECIFIED);
  manifest.mutable_chunks(0)->set_digest("nonsense");
  const auto record = PrepareDataset(context(), "Not An Id", manifest, "upload");
  EXPECT_THAT(Fields(record.status()),
              ::testing::UnorderedElementsAre("manifest.pixel_type", "manifest.chunks[0].digest",
                                              "dataset_id"));
}

}  // namespace
}  // namespace assay::api
