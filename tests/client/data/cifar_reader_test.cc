#include "client/data/cifar_reader.h"

#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"
#include "tests/test_data.h"

namespace assay::client {
namespace {

using testing::ElementsAre;

std::string Record10(int label, unsigned seed) {
  return std::string(1, static_cast<char>(label)) + Pattern(3072, seed);
}

std::string Record100(int coarse, int fine, unsigned seed) {
  return std::string{static_cast<char>(coarse), static_cast<char>(fine)} + Pattern(3072, seed);
}

TEST(CifarReader, ReadsTheFirstThousandTestImagesOfCifar10) {
  ASSAY_TEST_DATA_OR_SKIP(path, "cifar10_test_1000.bin");
  const auto reader = OpenPath(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->size(), 1000);
  EXPECT_EQ((*reader)->shape().channels(), 3);
  EXPECT_EQ((*reader)->shape().height(), 32);
  EXPECT_EQ((*reader)->shape().width(), 32);
  EXPECT_EQ((*reader)->pixel_type(), v1::UINT8);
  EXPECT_THAT((*reader)->class_names(), ElementsAre("airplane", "automobile", "bird", "cat", "deer",
                                                    "dog", "frog", "horse", "ship", "truck"));
  std::vector<int32_t> labels;
  std::string pixels;
  ASSERT_TRUE((*reader)->Read(0, 5, &labels, &pixels).ok());
  EXPECT_THAT(labels, ElementsAre(3, 8, 8, 0, 6));
  EXPECT_EQ(pixels, [&] {
    std::string expected;
    const std::string file = ReadAll(path);
    for (size_t i = 0; i < 5; ++i) expected += file.substr(i * 3073 + 1, 3072);
    return expected;
  }());
}

TEST(CifarReader, ReadsAnyRangeAndAppends) {
  TempDir dir;
  std::string file;
  for (int i = 0; i < 600; ++i) file += Record10(i % 10, static_cast<unsigned>(i));
  const auto reader = OpenPath(dir.Write("test_batch.bin", file));
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::vector<int32_t> labels = {-7};
  std::string pixels = "x";
  ASSERT_TRUE((*reader)->Read(13, 500, &labels, &pixels).ok());
  ASSERT_EQ(labels.size(), 501u);
  EXPECT_EQ(labels[0], -7);
  EXPECT_EQ(labels[1], 3);
  EXPECT_EQ(labels[500], 2);
  ASSERT_EQ(pixels.size(), 1 + 500u * 3072);
  EXPECT_EQ(pixels.substr(0, 1), "x");
  EXPECT_EQ(pixels.substr(1, 3072), Pattern(3072, 13));
  EXPECT_EQ(pixels.substr(1 + 499 * 3072), Pattern(3072, 512));
}

TEST(CifarReader, RefusesRangesOutsideAndLeavesTheOutputsAlone) {
  TempDir dir;
  const auto reader = OpenPath(dir.Write("a.bin", Record10(1, 0) + Record10(12, 0)), "cifar10");
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::vector<int32_t> labels;
  std::string pixels;
  for (const auto& [first, count] : std::vector<std::pair<int64_t, int64_t>>{
           {-1, 1}, {0, -1}, {0, 3}, {3, 0}, {1, INT64_MAX}, {INT64_MAX, 1}}) {
    EXPECT_EQ(ReasonOf((*reader)->Read(first, count, &labels, &pixels)), Reason::kInvalidArgument);
  }
  EXPECT_TRUE((*reader)->Read(2, 0, &labels, &pixels).ok());
  ExpectUnreadable((*reader)->Read(0, 2, &labels, &pixels),
                   {"a.bin", "sample 1 is 12", "0 to 9", "--format"});
  EXPECT_TRUE(labels.empty());
  EXPECT_TRUE(pixels.empty());
}

TEST(CifarReader, UsesTheFineLabelsOfCifar100) {
  TempDir dir;
  const auto reader = OpenPath(dir.Write("test.bin", Record100(11, 49, 5) + Record100(3, 99, 6)));
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::vector<int32_t> labels;
  std::string pixels;
  ASSERT_TRUE((*reader)->Read(0, 2, &labels, &pixels).ok());
  EXPECT_THAT(labels, ElementsAre(49, 99));
  EXPECT_EQ(pixels, Pattern(3072, 5) + Pattern(3072, 6));
}

TEST(CifarReader, NamesTheHundredFineClassesAlphabetically) {
  TempDir dir;
  const auto reader = OpenPath(dir.Write("test.bin", Record100(0, 0, 0)));
  ASSERT_TRUE(reader.ok()) << reader.status();
  const std::vector<std::string>& names = (*reader)->class_names();
  ASSERT_EQ(names.size(), 100u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 100u);
  // From the label file of the dataset.
  EXPECT_EQ(names[0], "apple");
  EXPECT_EQ(names[19], "cattle");
  EXPECT_EQ(names[49], "mountain");
  EXPECT_EQ(names[71], "sea");
  EXPECT_EQ(names[99], "worm");
}

TEST(CifarReader, AsksForTheFormatWhenTheSizeFitsBoth) {
  TempDir dir;
  const std::string both(3073 * 3074, '\1');
  const std::string path = dir.Write("a.bin", both);
  ExpectUnreadable(OpenPath(path).status(), {path, "--format cifar10", "--format cifar100"});
  const auto ten = OpenPath(path, "cifar10"), hundred = OpenPath(path, "cifar100");
  ASSERT_TRUE(ten.ok() && hundred.ok());
  EXPECT_EQ((*ten)->size(), 3074);
  EXPECT_EQ((*hundred)->size(), 3073);
}

TEST(CifarReader, RefusesOtherSizes) {
  TempDir dir;
  const std::string cut = dir.Write("cut.bin", Record10(1, 0) + Record10(2, 0).substr(1));
  ExpectUnreadable(OpenPath(cut).status(), {cut, "6145", "3073", "3074"});
  ExpectUnreadable(OpenPath(cut, "cifar10").status(), {cut, "6145", "3073", "truncated"});
  const std::string empty = dir.Write("empty.bin", "");
  ExpectUnreadable(OpenPath(empty).status(), {empty, "empty"});
  ExpectUnreadable(OpenPath(empty, "cifar100").status(), {empty, "empty"});
}

}  // namespace
}  // namespace assay::client
