#include "client/data/idx_reader.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"
#include "tests/test_data.h"

namespace assay::client {
namespace {

using testing::ElementsAre;

const std::string kImages = Idx({3, 2, 4}, Pattern(24));
const std::string kLabels = Idx({3}, std::string("\7\0\2", 3));

TEST(IdxReader, ReadsTheFirstThousandTestImagesOfMnist) {
  ASSAY_TEST_DATA_OR_SKIP(path, "mnist/t10k-1000-images-idx3-ubyte.gz");
  const auto reader = OpenPath(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->size(), 1000);
  EXPECT_EQ((*reader)->shape().channels(), 1);
  EXPECT_EQ((*reader)->shape().height(), 28);
  EXPECT_EQ((*reader)->shape().width(), 28);
  EXPECT_TRUE((*reader)->class_names().empty());
  std::vector<int32_t> labels;
  std::string pixels;
  ASSERT_TRUE((*reader)->Read(0, 5, &labels, &pixels).ok());
  EXPECT_THAT(labels, ElementsAre(7, 2, 1, 0, 4));
  // The stroke of the first 7 begins in row 7 at column 6 with the gray values 84, 185, 159.
  EXPECT_EQ(pixels.find_first_not_of('\0'), 7u * 28 + 6);
  EXPECT_EQ(pixels.substr(7 * 28 + 6, 3), "\x54\xb9\x9f");
}

TEST(IdxReader, ReadsRangesOfPlainAndCompressedFiles) {
  TempDir dir;
  for (const bool gz : {false, true}) {
    const std::string path = gz ? dir.Write("z-images-idx3-ubyte.gz", Gzip(kImages))
                                : dir.Write("p-images-idx3-ubyte", kImages);
    // The labels are compressed when the images are not, and the other way round.
    gz ? dir.Write("z-labels-idx1-ubyte", kLabels)
       : dir.Write("p-labels-idx1-ubyte.gz", Gzip(kLabels));
    const auto reader = OpenPath(path);
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ((*reader)->shape().height(), 2);
    EXPECT_EQ((*reader)->shape().width(), 4);
    std::vector<int32_t> labels;
    std::string pixels;
    ASSERT_TRUE((*reader)->Read(1, 2, &labels, &pixels).ok());
    EXPECT_THAT(labels, ElementsAre(0, 2));
    EXPECT_EQ(pixels, Pattern(24).substr(8));
  }
  EXPECT_EQ(dir.Files(), 4) << "decompressed files must not be left behind";
}

TEST(IdxReader, ReadsConcatenatedGzipMembers) {
  TempDir dir;
  dir.Write("a-labels-idx1-ubyte", kLabels);
  const std::string path =
      dir.Write("a-images-idx3-ubyte.gz", Gzip(kImages.substr(0, 20)) + Gzip(kImages.substr(20)));
  const auto samples = ReadPath(path);
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->pixels, Pattern(24));
}

TEST(IdxReader, ReadsCompressedDataOfManyBuffers) {
  TempDir dir;
  const std::string data = Pattern(1000 * 64 * 64);
  dir.Write("a-labels-idx1-ubyte", Idx({1000}, std::string(1000, '\1')));
  const std::string path = dir.Write("a-images-idx3-ubyte.gz", Gzip(Idx({1000, 64, 64}, data)));
  const auto samples = ReadPath(path);
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->pixels, data);
}

TEST(IdxReader, TellsWhichLabelFilesWereTried) {
  TempDir dir;
  const std::string path = dir.Write("a-images-idx3-ubyte", kImages);
  ExpectUnreadable(OpenPath(path).status(), {path, dir.path() + "/a-labels-idx1-ubyte,",
                                             dir.path() + "/a-labels-idx1-ubyte.gz", "--labels"});
  const std::string odd = dir.Write("pictures", kImages);
  ExpectUnreadable(OpenPath(odd).status(), {odd, "--labels"});
  const std::string labels = dir.Write("answers", kLabels);
  const auto samples = ReadPath(odd, "auto", labels);
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_THAT(samples->labels, ElementsAre(7, 0, 2));
}

TEST(IdxReader, AcceptsNpyLabels) {
  TempDir dir;
  const auto samples = ReadPath(dir.Write("pictures", kImages), "auto",
                                dir.Write("l.npy", Npy("<i8", "(3,)", Bytes<int64_t>({4, 5, 6}))));
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_THAT(samples->labels, ElementsAre(4, 5, 6));
}

TEST(IdxReader, RefusesAGzipBomb) {
  TempDir dir;
  const std::string path = dir.Write("a-images-idx3-ubyte.gz", Gzip(std::string(100 << 20, '\0')));
  ExpectUnreadable(OpenPath(path).status(), {path, "250-fold", "uncompressed"});
}

struct BadIdx {
  const char* name;
  std::string images;
  std::string labels;
  std::vector<std::string> expected;
};

// Keeps addresses out of the names of tests.
void PrintTo(const BadIdx& file, std::ostream* out) { *out << file.name; }

class IdxReaderRefuses : public testing::TestWithParam<BadIdx> {};

TEST_P(IdxReaderRefuses, WithATextThatHelps) {
  TempDir dir;
  const std::string path = dir.Write("a-images-idx3-ubyte", GetParam().images);
  dir.Write("a-labels-idx1-ubyte", GetParam().labels);
  ExpectUnreadable(ReadPath(path).status(), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, IdxReaderRefuses,
    testing::Values(
        BadIdx{"FewerLabels", kImages, Idx({2}, "\1\1"), {"labels", "2 labels", "3 images"}},
        BadIdx{"ImagesAsLabels", kImages, kImages, {"3 dimensions"}},
        BadIdx{"LabelsAsImages", kLabels, kLabels, {"1 dimensions", "these are labels"}},
        BadIdx{"NoSamples", Idx({0, 28, 28}, ""), Idx({0}, ""), {"empty", "0x28x28"}},
        BadIdx{"AbsurdCount", Idx({~0u, ~0u, ~0u}, "x"), kLabels, {"no file can hold"}},
        BadIdx{"AbsurdSide", Idx({1, 1, 20000}, Pattern(20000)), Idx({1}, "\1"), {"1x1x20000"}},
        BadIdx{"Floats", std::string("\0\0\x0d\x03", 4) + kImages.substr(4), kLabels, {"type 13"}},
        BadIdx{"WrongMagic", "hello, world, this is text", kLabels, {"does not begin"}},
        BadIdx{"Empty", "", kLabels, {"truncated"}},
        BadIdx{"Truncated", kImages.substr(0, 39), kLabels, {"24 bytes", "23", "truncated"}},
        BadIdx{"TooLong", kImages + "x", kLabels, {"24 bytes", "25", "damaged"}},
        BadIdx{"TextInGzip", Gzip("a tar archive, perhaps"), kLabels, {"decompressed"}},
        BadIdx{"GzipWithGarbage", Gzip(kImages) + "garbage", kLabels, {"damaged"}}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace assay::client
