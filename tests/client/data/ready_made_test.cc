// Blocks of ready-made corrupted sets, and their names.
#include "client/data/ready_made.h"

#include <filesystem>
#include <string>
#include <vector>

#include "client/data/npy_writer.h"
#include "client/data/open_dataset.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"

namespace assay::client {
namespace {

namespace fs = std::filesystem;

class ReadyMade : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }

  // Image i of n is one grey of value i; its label is i % 4.
  void Write(int n) {
    const auto images =
        NpyWriter::Create((directory_ / "fog.npy").string(), NpyWriter::Type::kUint8, {2, 2, 3});
    const auto labels =
        NpyWriter::Create((directory_ / "labels.npy").string(), NpyWriter::Type::kInt64, {});
    for (int i = 0; i < n; ++i) {
      ASSERT_TRUE((*images)->Append(std::string(12, static_cast<char>(i))).ok());
      const int64_t label = i % 4;
      ASSERT_TRUE((*labels)->Append({reinterpret_cast<const char*>(&label), sizeof(label)}).ok());
    }
    ASSERT_TRUE((*images)->Finish().ok());
    ASSERT_TRUE((*labels)->Finish().ok());
  }

  std::string File() const { return (directory_ / "fog.npy").string(); }

  const TempDir temporary_;
  const fs::path directory_ = fs::path(temporary_.path()) / "CIFAR-10-C";
};

TEST_F(ReadyMade, ASeverityIsAFifthOfTheFile) {
  Write(20);
  for (int severity = 1; severity <= 5; ++severity) {
    OpenOptions options;
    options.paths = {File() + ":" + std::to_string(severity)};
    const auto reader = OpenDataset(options);
    ASSERT_TRUE(reader.ok()) << reader.status();
    ASSERT_EQ((*reader)->size(), 4);
    std::vector<int32_t> labels;
    std::string pixels;
    ASSERT_TRUE((*reader)->Read(1, 3, &labels, &pixels).ok());
    EXPECT_THAT(labels, testing::ElementsAre(1, 2, 3));
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(pixels[12 * i], static_cast<char>(4 * (severity - 1) + 1 + static_cast<int>(i)));
    }
    EXPECT_FALSE((*reader)->Read(4, 1, &labels, &pixels).ok());
  }
  OpenOptions whole;
  whole.paths = {File()};
  EXPECT_EQ((*OpenDataset(whole))->size(), 20);
}

TEST_F(ReadyMade, OtherFilesAndSeveritiesAreRefused) {
  Write(21);
  const auto reason = [](const std::string& path) {
    OpenOptions options;
    options.paths = {path};
    return ReasonOf(OpenDataset(options).status());
  };
  EXPECT_EQ(reason(File() + ":3"), Reason::kUnreadableInput);
  EXPECT_EQ(reason(File() + ":6"), Reason::kUnreadableInput);
  EXPECT_EQ(reason(File() + ":0"), Reason::kUnreadableInput);
  EXPECT_EQ(reason((directory_ / "snow.npy:1").string()), Reason::kUnreadableInput);
}

// "corruption severity path" of each block, the paths below `root`.
std::vector<std::string> Blocks(const fs::path& root) {
  const auto blocks = ReadyMadeBlocks(root.string());
  EXPECT_TRUE(blocks.ok()) << blocks.status();
  std::vector<std::string> texts;
  if (!blocks.ok()) return texts;
  for (const ReadyMadeBlock& block : *blocks) {
    texts.push_back(block.corruption + " " + std::to_string(block.severity) + " " +
                    fs::path(block.path).lexically_relative(root).string());
  }
  return texts;
}

TEST_F(ReadyMade, AFolderOfFilesIsASetOfFiveBlocksEach) {
  Write(20);
  fs::copy(directory_ / "fog.npy", directory_ / "contrast.npy");
  fs::copy(directory_ / "fog.npy", directory_ / ".fog.npy");
  fs::create_directories(directory_ / "__MACOSX");
  EXPECT_THAT(
      Blocks(directory_),
      testing::ElementsAre("contrast 1 contrast.npy:1", "contrast 2 contrast.npy:2",
                           "contrast 3 contrast.npy:3", "contrast 4 contrast.npy:4",
                           "contrast 5 contrast.npy:5", "fog 1 fog.npy:1", "fog 2 fog.npy:2",
                           "fog 3 fog.npy:3", "fog 4 fog.npy:4", "fog 5 fog.npy:5"));
  EXPECT_EQ(ReadyMadeName(directory_.string() + "/"), "CIFAR-10-C");
  // A single file is one dataset, of all severities.
  EXPECT_THAT(Blocks(File()), testing::IsEmpty());
  // As `assay corrupt` names them: which part of which corruption is a guess.
  fs::copy(directory_ / "fog.npy", directory_ / "fog_3.npy");
  EXPECT_EQ(ReasonOf(ReadyMadeBlocks(directory_.string()).status()), Reason::kUnreadableInput);
}

TEST_F(ReadyMade, FoldersOfSeveritiesAreASetInGroupsOrNot) {
  for (const char* folder :
       {"fog/1/cat", "fog/5/cat", "blur/zoom_blur/2/cat", "blur/zoom_blur/2/dog"}) {
    fs::create_directories(directory_ / folder);
  }
  EXPECT_THAT(Blocks(directory_),
              testing::ElementsAre("fog 1 fog/1", "fog 5 fog/5", "zoom_blur 2 blur/zoom_blur/2"));
  for (const char* dropping : {"__MACOSX/x", "fog/@eaDir", "fog/1/lost+found"}) {
    fs::create_directories(directory_ / dropping);
  }
  EXPECT_THAT(Blocks(directory_ / "fog"), testing::ElementsAre("fog 1 1", "fog 5 5"));
  EXPECT_THAT(Blocks(directory_ / "fog" / "1"), testing::IsEmpty());
  fs::create_directories(directory_ / "extra" / "fog" / "1" / "cat");
  const absl::Status twice = ReadyMadeBlocks(directory_.string()).status();
  EXPECT_THAT(std::string(twice.message()), testing::HasSubstr("is there twice"));
}

TEST_F(ReadyMade, ClassesThatAreNumbersAreNoSeverities) {
  // Digits 1 to 5 as classes, their images in them; and a training set of such.
  for (int i = 1; i <= 5; ++i) fs::create_directories(directory_ / "train" / std::to_string(i));
  EXPECT_THAT(Blocks(directory_ / "train"), testing::IsEmpty());
  EXPECT_THAT(Blocks(directory_), testing::IsEmpty());
  EXPECT_THAT(Blocks(directory_ / "nothing"), testing::IsEmpty());
}

TEST(DatasetStem, SaysWhichBlockOfWhichSet) {
  EXPECT_EQ(DatasetStem("data/CIFAR-10-C/fog.npy:3"), "CIFAR-10-C.fog.3");
  EXPECT_EQ(DatasetStem("fog.npy:3"), "fog.3");
  EXPECT_EQ(DatasetStem("data/imagenet-c/glass_blur/5"), "imagenet-c.glass_blur.5");
  EXPECT_EQ(DatasetStem("data/imagenet-c/glass_blur/5/"), "imagenet-c.glass_blur.5");
  EXPECT_EQ(DatasetStem("cifar/test_batch.bin"), "test_batch");
  EXPECT_EQ(DatasetStem("images/"), "images");
  EXPECT_EQ(DatasetStem("imagenet-c/fog/6"), "6");
}

}  // namespace
}  // namespace assay::client
