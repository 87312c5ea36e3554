#include <cmath>

#include "client/data/npy_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"
#include "tests/test_data.h"

namespace assay::client {
namespace {

using testing::ElementsAre;

const std::string kImages = Npy("|u1", "(2, 2, 2)", Pattern(8));
const std::string kLabels = Npy("<i8", "(2,)", Bytes<int64_t>({4, 9}));
const std::string kOtherLabels = Npy("<i8", "(2,)", Bytes<int64_t>({0, 0}));

TEST(NpzReader, PassesOverWhatMacOsAddsToArchives) {
  TempDir dir;
  const std::string junk = "not an array";
  const auto reader = OpenPath(dir.Write("a.npz", Zip({{"__MACOSX/._x.npy", junk, false},
                                                       {"._x.npy", junk, false},
                                                       {"other.npy", kImages, false}})));
  ExpectUnreadable(reader.status(), {"no array of images", "it has other)"});
  // Two of the same name, as macOS writes them for files of the same name in two folders.
  const auto twice = OpenPath(dir.Write("b.npz", Zip({{"__MACOSX/._x.npy", junk, false},
                                                      {"__MACOSX/._x.npy", junk, false},
                                                      {"x.npy", kImages, false},
                                                      {"y.npy", kLabels, false}})));
  EXPECT_TRUE(twice.ok()) << twice.status();
}

TEST(NpzReader, ReadsAnArchiveThatNumpyWrote) {
  ASSAY_TEST_DATA_OR_SKIP(golden, "golden/corruptions_cifar_16.npz");
  ASSAY_TEST_DATA_OR_SKIP(cifar, "cifar10_test_1000.bin");
  TempDir dir;
  const std::string labels = dir.Write("l.npy", Npy("|u1", "(16,)", std::string(16, '\0')));
  const auto reader = OpenPath(golden + "::brightness_1", "auto", labels);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->size(), 16);
  EXPECT_EQ((*reader)->shape().channels(), 3);
  EXPECT_EQ((*reader)->shape().height(), 32);
  EXPECT_EQ((*reader)->shape().width(), 32);
  Samples bright;
  ASSERT_TRUE((*reader)->Read(0, 16, &bright.labels, &bright.pixels).ok());
  // Brightness 1 adds 0.05 to the value channel of every pixel, so each image is its original but
  // about 12 grey levels up, if planes and rows lie where they should.
  const auto original = OpenPath(cifar);
  ASSERT_TRUE(original.ok());
  Samples plain;
  ASSERT_TRUE((*original)->Read(0, 16, &plain.labels, &plain.pixels).ok());
  double change = 0, distance = 0;
  for (size_t i = 0; i < plain.pixels.size(); ++i) {
    const int difference =
        static_cast<unsigned char>(bright.pixels[i]) - static_cast<unsigned char>(plain.pixels[i]);
    change += difference;
    distance += std::abs(difference);
  }
  const auto pixels = static_cast<double>(plain.pixels.size());
  EXPECT_NEAR(change / pixels, 0.05 * 255, 5);
  EXPECT_LT(distance / pixels, 15);
}

TEST(NpzReader, RefusesAnArchiveWithoutUsualNamesAndListsThem) {
  ASSAY_TEST_DATA_OR_SKIP(golden, "golden/corruptions_cifar_16.npz");
  ExpectUnreadable(OpenPath(golden).status(), {golden, "gaussian_noise_1", "...", "::MEMBER"});
  ExpectUnreadable(OpenPath(golden + "::brightness_1").status(), {"labels", "--labels"});
  ExpectUnreadable(OpenPath(golden + "::brightness_9").status(), {"brightness_9"});
}

TEST(NpzReader, ReadsStoredDeflatedAndZip64Members) {
  TempDir dir;
  for (const bool deflate : {false, true}) {
    for (const bool zip64 : {false, true}) {
      const auto samples = ReadPath(dir.Write(
          "a.npz",
          Zip({{"labels.npy", kLabels, deflate}, {"images.npy", kImages, deflate}}, zip64)));
      ASSERT_TRUE(samples.ok()) << samples.status();
      EXPECT_THAT(samples->labels, ElementsAre(4, 9));
      EXPECT_EQ(samples->pixels, Pattern(8));
    }
  }
  EXPECT_EQ(dir.Files(), 1);
}

TEST(NpzReader, ReadsDeflatedMembersThatEndWithinABuffer) {
  TempDir dir;
  // Long runs, whose last code stands for bytes on both sides of the end of a 256 KiB buffer: all
  // input is consumed before all output is there.
  for (int excess = 1; excess <= 260; ++excess) {
    const size_t side = 256 * 1024 + static_cast<size_t>(excess) - 128;
    const std::string labels =
        Npy("|u1", "(" + std::to_string(side) + ",)", std::string(side, 'L'));
    const std::string images =
        Npy("|u1", "(" + std::to_string(side) + ", 1, 1)", std::string(side, 'I'));
    ASSERT_EQ(images.size(), side + 128);
    const auto samples = ReadPath(
        dir.Write("a.npz", Zip({{"labels.npy", labels, true}, {"images.npy", images, true}})));
    ASSERT_TRUE(samples.ok()) << excess << " " << samples.status();
    ASSERT_EQ(samples->pixels, std::string(side, 'I'));
  }
}

TEST(NpzReader, FindsImagesAndTheirLabelsByTheUsualNames) {
  TempDir dir;
  for (const auto& [images, labels] :
       std::vector<std::pair<std::string, std::string>>{{"images", "labels"},
                                                        {"x", "y"},
                                                        {"X", "Y"},
                                                        {"data", "labels"},
                                                        {"data", "targets"},
                                                        {"x_test", "y_test"},
                                                        {"test_images", "test_labels"},
                                                        {"arr_0", "arr_1"},
                                                        {"images", "y"}}) {
    SCOPED_TRACE(images + " " + labels);
    const auto samples = ReadPath(dir.Write(
        "a.npz",
        Zip({{"x_train.npy", "unused"}, {images + ".npy", kImages}, {labels + ".npy", kLabels}})));
    ASSERT_TRUE(samples.ok()) << samples.status();
    EXPECT_THAT(samples->labels, ElementsAre(4, 9));
  }
}

TEST(NpzReader, PrefersThePartnerOfTheImages) {
  TempDir dir;
  const std::string path = dir.Write(
      "a.npz",
      Zip({{"labels.npy", kOtherLabels}, {"x_test.npy", kImages}, {"y_test.npy", kLabels}}));
  EXPECT_THAT(ReadPath(path)->labels, ElementsAre(4, 9));
  EXPECT_THAT(ReadPath(path + "::x_test")->labels, ElementsAre(4, 9));
}

TEST(NpzReader, TakesNamedMembersAndLabelsFromElsewhere) {
  TempDir dir;
  const std::string a = dir.Write("a.npz", Zip({{"odd.npy", kImages}, {"strange.npy", kLabels}}));
  const std::string b = dir.Write("b.npz", Zip({{"labels.npy", kOtherLabels}}));
  const auto named = ReadPath(a + "::odd", "auto", a + "::strange");
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_THAT(named->labels, ElementsAre(4, 9));
  const auto elsewhere = ReadPath(a + "::odd", "npz", b);
  ASSERT_TRUE(elsewhere.ok()) << elsewhere.status();
  EXPECT_THAT(elsewhere->labels, ElementsAre(0, 0));
}

TEST(NpzReader, NamesTheMemberInErrors) {
  TempDir dir;
  const std::string path = dir.Write(
      "a.npz", Zip({{"images.npy", Npy("|u1", "(2, 4)", Pattern(8))}, {"labels.npy", kLabels}}));
  ExpectUnreadable(OpenPath(path).status(), {path + "::images.npy", "(2, 4)"});
}

TEST(NpzReader, RefusesABomb) {
  TempDir dir;
  const std::string path =
      dir.Write("a.npz", Zip({{"images.npy", std::string(100 << 20, '\0'), true}}));
  ExpectUnreadable(OpenPath(path).status(), {path + "::images.npy", "250-fold", "uncompressed"});
}

// Replaces bytes of the first entry of the directory.
std::string Patched(std::string zip, size_t offset_in_entry, const std::string& bytes) {
  const size_t entry = zip.find("PK\x01\x02");
  return zip.replace(entry + offset_in_entry, bytes.size(), bytes);
}

// Adds one to the size of the directory, which stands 10 bytes before the end.
std::string LongerDirectory(std::string zip) {
  ++zip[zip.size() - 10];
  return zip;
}

struct BadZip {
  const char* name;
  std::string file;
  std::vector<std::string> expected;
};

// Keeps addresses out of the names of tests.
void PrintTo(const BadZip& file, std::ostream* out) { *out << file.name; }

class NpzReaderRefuses : public testing::TestWithParam<BadZip> {};

TEST_P(NpzReaderRefuses, WithATextThatHelps) {
  TempDir dir;
  const std::string path = dir.Write("a.npz", GetParam().file);
  const absl::Status status = ReadPath(path).status();
  ExpectUnreadable(status, GetParam().expected);
  ExpectUnreadable(status, {path});
}

const std::string kGood = Zip({{"images.npy", kImages, true}, {"labels.npy", kLabels, true}});
const std::string kStored = Zip({{"images.npy", kImages}, {"labels.npy", kLabels}});
const std::string kZip64 = Zip({{"images.npy", kImages, true}}, true);

INSTANTIATE_TEST_SUITE_P(
    All, NpzReaderRefuses,
    testing::Values(
        BadZip{"Empty", "", {"no zip directory"}},
        BadZip{"Text", std::string(70000, 'x'), {"no zip directory"}},
        BadZip{"NoMembers", Zip({}), {"it has none"}},
        BadZip{"Encrypted", Patched(kGood, 8, "\x01"), {"encrypted"}},
        BadZip{"OtherMethod", Patched(kGood, 10, "\x0e"), {"method 14", "numpy.savez"}},
        BadZip{"WrongChecksum", Patched(kGood, 16, "abcd"), {"damaged"}},
        BadZip{"SizeTooSmall", Patched(kGood, 24, std::string("\x40\0\0\0", 4)), {"more than 64"}},
        BadZip{"SizeTooLarge", Patched(kGood, 24, std::string("\0\0\1\0", 4)), {"65536"}},
        BadZip{"TwoSizes", Patched(kStored, 24, std::string("\x40\0\0\0", 4)), {"two different"}},
        BadZip{"DataOutside", Patched(kStored, 20, std::string("\0\0\0\x10", 4)), {"outside"}},
        BadZip{"HeaderOutside", Patched(kGood, 42, std::string("\0\0\0\x10", 4)), {"outside"}},
        BadZip{"HeaderElsewhere", Patched(kGood, 42, std::string("\1\0\0\0", 4)), {"no header"}},
        BadZip{"DirectoryOutside", LongerDirectory(kGood), {"directory outside"}},
        BadZip{"LongName", Patched(kGood, 28, "\xff\xff"), {"cut off"}},
        BadZip{"MissingZip64", Patched(kGood, 20, "\xff\xff\xff\xff"), {"zip64"}},
        // 46 bytes of entry, 10 of name, 4 of extra header: the plain size in 64 bits.
        BadZip{"Zip64SizeOverTheLimit",
               Patched(kZip64, 60, std::string("\0\0\0\0\0\1\0\0", 8)),
               {"1099511627776", "uncompressed"}},
        BadZip{"Zip64SizeNegative", Patched(kZip64, 60, std::string(8, '\xff')), {"outside"}},
        BadZip{"TwoOfOneName", Zip({{"images.npy", kImages}, {"images.npy", kImages}}), {"two"}},
        BadZip{"FewerLabels",
               Zip({{"images.npy", kImages}, {"labels.npy", Npy("|u1", "(1,)", "x")}}),
               {"labels.npy", "1 labels", "2 images"}}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace assay::client
