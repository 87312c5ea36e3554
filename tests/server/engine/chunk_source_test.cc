// Which samples of which chunks a task reads.
#include "server/engine/chunk_source.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;

// Ten samples of 1 x 1 x 2 bytes in chunks of 4, 4 and 2: sample i has label 100 + i and the pixels
// i and 2 i.
class ChunkSourceTest : public ::testing::Test {
 protected:
  ChunkSourceTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "assay-chunks-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    directory_ = pattern;
    request_.set_pixel_type(v1::UINT8);
    int64_t first = 0;
    for (const int samples : {4, 4, 2}) {
      const std::string path = absl::StrCat(directory_, "/", first);
      std::ofstream file(path, std::ios::binary);
      for (int i = 0; i < samples; ++i) {
        const auto label = static_cast<int32_t>(100 + first + i);
        file.write(reinterpret_cast<const char*>(&label), sizeof(label));
      }
      for (int i = 0; i < samples; ++i) {
        file.put(static_cast<char>(first + i)).put(static_cast<char>(2 * (first + i)));
      }
      auto& chunk = *request_.add_chunks();
      chunk.set_path(path);
      chunk.set_first_sample(first);
      chunk.set_samples(samples);
      first += samples;
    }
  }
  ~ChunkSourceTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  // Positions of the samples, each checked against its label and its pixels.
  std::vector<int64_t> Read() {
    const auto source = OpenChunks(request_, {1, 1, 2});
    EXPECT_TRUE(source.ok()) << source.status();
    std::vector<int64_t> positions;
    if (!source.ok()) return positions;
    for (size_t i = 0; i < (*source)->size(); ++i) {
      const int64_t position = (*source)->index(i);
      float pixels[2];
      (*source)->ReadImage(i, pixels);
      EXPECT_EQ((*source)->label(i), 100 + position);
      EXPECT_FLOAT_EQ(pixels[0] * 255, static_cast<float>(position));
      EXPECT_FLOAT_EQ(pixels[1] * 255, static_cast<float>(2 * position));
      positions.push_back(position);
    }
    return positions;
  }

  std::string directory_;
  engine_rpc::v1::RunRequest request_;
};

TEST_F(ChunkSourceTest, ReadsARange) {
  request_.set_first_sample(3);
  request_.set_samples(6);
  EXPECT_THAT(Read(), ElementsAre(3, 4, 5, 6, 7, 8));
}

TEST_F(ChunkSourceTest, ReadsPositionsWhereverTheyAre) {
  for (const int64_t position : {0, 3, 5, 9}) request_.add_positions(position);
  request_.set_samples(4);
  EXPECT_THAT(Read(), ElementsAre(0, 3, 5, 9));
  // A chunk that has none of them need not be there.
  request_.mutable_chunks()->erase(request_.chunks().begin() + 1);
  request_.mutable_positions()->erase(request_.positions().begin() + 2);
  request_.set_samples(3);
  EXPECT_THAT(Read(), ElementsAre(0, 3, 9));
}

TEST_F(ChunkSourceTest, RefusesPositionsThatNoChunkHas) {
  request_.add_positions(2);
  request_.add_positions(10);
  request_.set_samples(2);
  const auto source = OpenChunks(request_, {1, 1, 2});
  ASSERT_FALSE(source.ok());
  EXPECT_THAT(std::string(source.status().message()), ::testing::HasSubstr("hold 1 of 2 samples"));
}

}  // namespace
}  // namespace assay::engine
