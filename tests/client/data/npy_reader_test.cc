#include "client/data/npy_reader.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/data/test_files.h"
#include "tests/test_data.h"

namespace assay::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kTwoLabels = Npy("<i8", "(2,)", Bytes<int64_t>({1, 0}));

std::vector<float> Floats(const std::string& pixels) {
  std::vector<float> values(pixels.size() / sizeof(float));
  std::copy_n(pixels.data(), pixels.size(), reinterpret_cast<char*>(values.data()));
  return values;
}

std::string Swapped(std::string bytes, size_t item) {
  for (size_t i = 0; i < bytes.size(); i += item) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + item));
  }
  return bytes;
}

TEST(NpyReader, ReadsBytesWithChannelsFirst) {
  TempDir dir;
  dir.Write("labels.npy", kTwoLabels);
  const auto reader = OpenPath(dir.Write("a.npy", Npy("|u1", "(2, 3, 2, 4)", Pattern(48))));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->shape().channels(), 3);
  EXPECT_EQ((*reader)->shape().height(), 2);
  EXPECT_EQ((*reader)->shape().width(), 4);
  EXPECT_EQ((*reader)->pixel_type(), v1::UINT8);
  EXPECT_TRUE((*reader)->class_names().empty());
  std::vector<int32_t> labels;
  std::string pixels;
  ASSERT_TRUE((*reader)->Read(1, 1, &labels, &pixels).ok());
  EXPECT_THAT(labels, ElementsAre(0));
  EXPECT_EQ(pixels, Pattern(48).substr(24));
}

TEST(NpyReader, MovesTheChannelsToTheFront) {
  TempDir dir;
  dir.Write("labels.npy", kTwoLabels);
  // Pixels (R, G, B) of two images of 1 row and 2 columns.
  const auto samples =
      ReadPath(dir.Write("a.npy", Npy("|u1", "(2, 1, 2, 3)", "RGBrgbSHCshc")), "npy");
  // One row is also one channel: the shape does not tell.
  ExpectUnreadable(samples.status(), {"(2, 1, 2, 3)", "reshape"});
  const auto wide =
      ReadPath(dir.Write("a.npy", Npy("|u1", "(2, 2, 2, 3)", "RGBrgbSHCshcRGBrgbSHCshx")));
  ASSERT_TRUE(wide.ok()) << wide.status();
  EXPECT_EQ(wide->pixels, "RrSsGgHhBbCcRrSsGgHhBbCx");
}

TEST(NpyReader, TakesThreeDimensionsForGrayscale) {
  TempDir dir;
  dir.Write("labels.npy", kTwoLabels);
  const auto reader = OpenPath(dir.Write("a.npy", Npy("|u1", "(2, 5, 3)", Pattern(30))));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->shape().channels(), 1);
  EXPECT_EQ((*reader)->shape().height(), 5);
  EXPECT_EQ((*reader)->shape().width(), 3);
}

TEST(NpyReader, TakesTheShortAxisForManyChannels) {
  TempDir dir;
  dir.Write("labels.npy", kTwoLabels);
  for (const char* shape : {"(2, 4, 6, 5)", "(2, 6, 5, 4)"}) {
    const auto reader = OpenPath(dir.Write("a.npy", Npy("|u1", shape, Pattern(240))));
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ((*reader)->shape().channels(), 4);
    EXPECT_EQ((*reader)->shape().height(), 6);
    EXPECT_EQ((*reader)->shape().width(), 5);
  }
}

TEST(NpyReader, ReadsFloatsOfEitherSizeOrderAndLayout) {
  TempDir dir;
  dir.Write("labels.npy", Npy("|u1", "(1,)", "\3"));
  const std::vector<double> wide = {0, 0.1, 0.25, 1, 0.5, 0.75, 1.0 / 3, 0.9, 0.7, 0.2, 0.3, 0.4};
  const std::vector<float> narrow(wide.begin(), wide.end());
  const struct {
    const char* dtype;
    std::string data;
  } cases[] = {{"<f4", Bytes(narrow)},
               {"<f8", Bytes(wide)},
               {">f4", Swapped(Bytes(narrow), 4)},
               {">f8", Swapped(Bytes(wide), 8)}};
  for (const auto& test : cases) {
    SCOPED_TRACE(test.dtype);
    const auto first = ReadPath(dir.Write("a.npy", Npy(test.dtype, "(1, 3, 2, 2)", test.data)));
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(first->pixels, Bytes(narrow));
    const auto reader = OpenPath(dir.Write("a.npy", Npy(test.dtype, "(1, 2, 2, 3)", test.data)));
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ((*reader)->pixel_type(), v1::FLOAT32);
    Samples last;
    ASSERT_TRUE((*reader)->Read(0, 1, &last.labels, &last.pixels).ok());
    const auto& n = narrow;
    EXPECT_THAT(Floats(last.pixels), ElementsAre(n[0], n[3], n[6], n[9], n[1], n[4], n[7], n[10],
                                                 n[2], n[5], n[8], n[11]));
  }
}

TEST(NpyReader, NamesSampleAndValueOfFloatsOutOfRange) {
  TempDir dir;
  dir.Write("labels.npy", Npy("|u1", "(3,)", std::string(3, '\0')));
  const auto read = [&](float value) {
    std::vector<float> pixels(12, 0.5f);
    pixels[9] = value;
    return ReadPath(dir.Write("a.npy", Npy("<f4", "(3, 2, 2)", Bytes(pixels)))).status();
  };
  ExpectUnreadable(read(200), {"a.npy", "sample 2", "200", "divide them by 255"});
  ExpectUnreadable(read(-2.5f), {"sample 2", "-2.5", "normalise"});
  ExpectUnreadable(read(1e6f), {"sample 2", "1000000", "[0, 1]"});
  ExpectUnreadable(read(std::numeric_limits<float>::quiet_NaN()), {"sample 2", "nan"});
  ExpectUnreadable(read(std::numeric_limits<float>::infinity()), {"sample 2", "inf"});
  EXPECT_TRUE(read(1.0f).ok());
}

TEST(NpyReader, ClipsWhatRoundingLeavesOutsideAndSaysSo) {
  TempDir dir;
  dir.Write("labels.npy", Npy("|u1", "(2,)", std::string(2, '\0')));
  const auto check = [&](const std::string& dtype, const std::string& data) {
    const auto reader = OpenPath(dir.Write("a.npy", Npy(dtype, "(2, 1, 3)", data)));
    ASSERT_TRUE(reader.ok()) << reader.status();
    // Twice, as an upload does.
    for (int pass = 0; pass < 2; ++pass) {
      Samples samples;
      ASSERT_TRUE((*reader)->Read(0, 2, &samples.labels, &samples.pixels).ok());
      EXPECT_THAT(Floats(samples.pixels), ElementsAre(1, 0, 0.5f, 1, 1, 0));
    }
    EXPECT_THAT((*reader)->Notes(), ElementsAre(HasSubstr("a.npy: 3 pixel values were outside")));
  };
  check("<f4", Bytes<float>({1.0000001f, -1e-7f, 0.5f, 1, 1.0000008f, 0}));
  check("<f8", Bytes<double>({1 + 1e-15, -1e-6, 0.5, 1, 1 + 1e-6, 0}));
}

TEST(NpyReader, PrintsEnoughDigitsOfWhatItDoesNotClip) {
  TempDir dir;
  dir.Write("labels.npy", Npy("|u1", "(1,)", std::string(1, '\0')));
  ExpectUnreadable(
      ReadPath(dir.Write("a.npy", Npy("<f4", "(1, 1, 1)", Bytes<float>({1.000002f})))).status(),
      {"1.00000203"});
}

TEST(NpyReader, RemarksOnImagesThatAreAllBlackAndOnLabelsFromOne) {
  TempDir dir;
  const auto notes = [&](const std::string& dtype, const std::string& data,
                         const std::string& labels) {
    dir.Write("labels.npy", Npy("|u1", "(2,)", labels));
    const auto reader = OpenPath(dir.Write("a.npy", Npy(dtype, "(2, 1, 1)", data)));
    Samples samples;
    EXPECT_TRUE((*reader)->Read(0, 2, &samples.labels, &samples.pixels).ok());
    return (*reader)->Notes();
  };
  const std::string from_zero("\0\1", 2), from_one("\1\2", 2);
  EXPECT_THAT(notes("|u1", std::string("\0\1", 2), from_zero), ElementsAre(HasSubstr("over 1,")));
  EXPECT_THAT(notes("|u1", std::string("\0\2", 2), from_zero), ElementsAre());
  EXPECT_THAT(notes("<f4", Bytes<float>({0, 1 / 255.f}), from_zero),
              ElementsAre(HasSubstr("twice")));
  EXPECT_THAT(notes("<f4", Bytes<float>({0, 2 / 255.f}), from_zero), ElementsAre());
  EXPECT_THAT(notes("|u1", std::string("\0\2", 2), from_one),
              ElementsAre(HasSubstr("no sample has label 0")));
}

TEST(NpyReader, SaysThatLabelsAreText) {
  TempDir dir;
  const std::string path = dir.Write("a.npy", Npy("|u1", "(2, 2, 2)", Pattern(8)));
  const auto status = [&](const std::string& bytes) {
    return OpenPath(path, "auto", dir.Write("l.npy", bytes)).status();
  };
  const std::vector<std::string> advice = {"l.npy", "text", "numpy.unique", "return_inverse=True",
                                           "classes.txt"};
  ExpectUnreadable(status(Npy("<U10", "(2,)", Pattern(80))), advice);
  ExpectUnreadable(status(Npy(">U5", "(2,)", Pattern(40))), advice);
  ExpectUnreadable(status(Npy("|S3", "(2,)", Pattern(6))), advice);
  ExpectUnreadable(status(Npy("<U1000000", "(2,)", Pattern(6))), {"l.npy", "truncated"});
  ExpectUnreadable(status(Npy("|O", "(2,)", Pattern(99))), {"Python objects", "numpy.unique"});
}

TEST(NpyReader, AdvisesWhatKeepsThePixels) {
  TempDir dir;
  dir.Write("labels.npy", kTwoLabels);
  const auto expect = [&](const std::string& dtype, size_t bytes,
                          const std::vector<std::string>& parts) {
    const absl::Status status =
        OpenPath(dir.Write("a.npy", Npy(dtype, "(2, 2, 2)", Pattern(8 * bytes)))).status();
    ExpectUnreadable(status, parts);
    return std::string(status.message());
  };
  EXPECT_THAT(expect("<f2", 2, {"array.astype('float32')"}), Not(HasSubstr("astype('uint8')")));
  EXPECT_THAT(expect("<f16", 16, {"array.astype('float32')"}), Not(HasSubstr("astype('uint8')")));
  expect("|b1", 1, {"array.astype('uint8') * 255"});
  expect("<u2", 2, {"(array / 65535).astype('float32')"});
  expect("|i1", 1, {"array.view('uint8')"});
  expect("<i8", 8, {"of values 0 to 255 save array.astype('uint8')"});
  expect("<c8", 8, {"'<c8'"});
}

TEST(NpyReader, FindsLabelsBesideInOrder) {
  TempDir dir;
  const std::string path = dir.Write("test.npy", Npy("|u1", "(2, 2, 2)", Pattern(8)));
  ExpectUnreadable(OpenPath(path).status(),
                   {path, "test_labels.npy", "labels.npy", "y.npy", "--labels"});
  const auto labels = [&] { return ReadPath(path)->labels; };
  dir.Write("y.npy", Npy("<i8", "(2,)", Bytes<int64_t>({5, 5})));
  EXPECT_THAT(labels(), ElementsAre(5, 5));
  dir.Write("labels.npy", Npy("<i8", "(2,)", Bytes<int64_t>({6, 6})));
  EXPECT_THAT(labels(), ElementsAre(6, 6));
  dir.Write("test_labels.npy", Npy("<i8", "(2,)", Bytes<int64_t>({7, 7})));
  EXPECT_THAT(labels(), ElementsAre(7, 7));
}

TEST(NpyReader, ReadsLabelsOfEveryIntegerType) {
  TempDir dir;
  const std::string path = dir.Write("a.npy", Npy("|u1", "(2, 2, 2)", Pattern(8)));
  const struct {
    const char* dtype;
    std::string data;
  } cases[] = {
      {"|i1", Bytes<int8_t>({1, 100})},
      {"|u1", Bytes<uint8_t>({1, 100})},
      {"<i2", Bytes<int16_t>({1, 100})},
      {"<u2", Bytes<uint16_t>({1, 100})},
      {"<i4", Bytes<int32_t>({1, 100})},
      {"<u4", Bytes<uint32_t>({1, 100})},
      {"<i8", Bytes<int64_t>({1, 100})},
      {"<u8", Bytes<uint64_t>({1, 100})},
      {">i2", Swapped(Bytes<int16_t>({1, 100}), 2)},
      {">i4", Swapped(Bytes<int32_t>({1, 100}), 4)},
      {">u8", Swapped(Bytes<uint64_t>({1, 100}), 8)},
  };
  for (const auto& test : cases) {
    for (const char* shape : {"(2,)", "(2, 1)"}) {
      const auto samples =
          ReadPath(path, "auto", dir.Write("l.npy", Npy(test.dtype, shape, test.data)));
      ASSERT_TRUE(samples.ok()) << test.dtype << " " << samples.status();
      EXPECT_THAT(samples->labels, ElementsAre(1, 100)) << test.dtype;
    }
  }
}

TEST(NpyReader, RefusesLabelsThatAreNone) {
  TempDir dir;
  const std::string path = dir.Write("a.npy", Npy("|u1", "(2, 2, 2)", Pattern(8)));
  const auto status = [&](const std::string& bytes) {
    return OpenPath(path, "auto", dir.Write("l.npy", bytes)).status();
  };
  ExpectUnreadable(status(Npy("<i8", "(2,)", Bytes<int64_t>({0, -1}))),
                   {"l.npy", "sample 1", "is -1", "negative"});
  ExpectUnreadable(status(Npy("|i1", "(2,)", Bytes<int8_t>({-128, 0}))), {"sample 0", "is -128"});
  ExpectUnreadable(status(Npy("<u8", "(2,)", Bytes<uint64_t>({0, ~0ull}))),
                   {"sample 1", "18446744073709551615"});
  ExpectUnreadable(status(Npy("<i8", "(2,)", Bytes<int64_t>({0, 1LL << 31}))),
                   {"sample 1", "2147483648"});
  ExpectUnreadable(status(Npy("<i8", "(3,)", Bytes<int64_t>({0, 1, 2}))),
                   {"l.npy", "3 labels", "2 images"});
  ExpectUnreadable(status(Npy("<f4", "(2,)", Bytes<float>({0, 1}))), {"<f4", "astype('int64')"});
  ExpectUnreadable(status(Npy("<i8", "(1, 2)", Bytes<int64_t>({0, 1}))), {"(1, 2)", "argmax"});
  ExpectUnreadable(status("cat\ndog\n"), {"l.npy", "not a file of labels"});
  ExpectUnreadable(OpenPath(path, "auto", dir.At("none.npy")).status(), {"none.npy", "path"});
}

struct BadNpy {
  const char* name;
  std::string file;
  std::vector<std::string> expected;
};

// Keeps addresses out of the names of tests.
void PrintTo(const BadNpy& file, std::ostream* out) { *out << file.name; }

class NpyReaderRefuses : public testing::TestWithParam<BadNpy> {};

TEST_P(NpyReaderRefuses, WithATextThatHelps) {
  TempDir dir;
  dir.Write("labels.npy", kTwoLabels);
  const std::string path = dir.Write("a.npy", GetParam().file);
  const absl::Status status = ReadPath(path).status();
  ExpectUnreadable(status, GetParam().expected);
  ExpectUnreadable(status, {path});
}

std::string Header(const std::string& text) { return NpyWithHeader(text, Pattern(8)); }

INSTANTIATE_TEST_SUITE_P(
    All, NpyReaderRefuses,
    testing::Values(
        BadNpy{"FortranOrder",
               Header("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2, 2)}"),
               {"Fortran", "ascontiguousarray"}},
        BadNpy{"Structured",
               Header("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (2,)}"),
               {"structured"}},
        BadNpy{"Objects", Npy("|O", "(2, 2, 2)", Pattern(8)), {"'|O'"}},
        BadNpy{"Strings", Npy("<U1", "(2, 1, 1)", Pattern(2)), {"<U1"}},
        BadNpy{"HalfFloats", Npy("<f2", "(2, 2, 2)", Pattern(16)), {"<f2", "astype"}},
        BadNpy{"Integers", Npy("<i8", "(2, 2, 2)", Pattern(64)), {"<i8", "astype('uint8')"}},
        BadNpy{"LongItems", Npy("|u99999", "(2, 2, 2)", Pattern(8)), {"u99999"}},
        BadNpy{"Flat", Npy("|u1", "(2, 4)", Pattern(8)), {"(2, 4)", "reshape"}},
        BadNpy{"Scalar", Npy("|u1", "()", Pattern(1)), {"()"}},
        BadNpy{"TwoWaysToRead", Npy("|u1", "(1, 3, 3, 3)", Pattern(27)), {"(1, 3, 3, 3)"}},
        BadNpy{"NoSamples", Npy("|u1", "(0, 4, 4)", ""), {"no samples"}},
        BadNpy{"NoPixels", Npy("|u1", "(2, 0, 4)", ""), {"1x0x4"}},
        BadNpy{"TooLargeImages", Npy("|u1", "(1, 1, 20000)", Pattern(20000)), {"1x1x20000"}},
        BadNpy{"Overflow", Npy("|u1", "(4294967296, 4294967296, 4)", ""), {"no file can hold"}},
        BadNpy{"OverflowToTheRightSize",
               Npy("<f8", "(2147483648, 1073741824, 1)", ""),
               {"no file can hold"}},
        BadNpy{"DigitsWithoutEnd", Npy("|u1", "(99999999999999999999, 2, 2)", ""), {"header"}},
        BadNpy{
            "ManyDimensions",
            Npy("|u1", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)", "x"),
            {"header"}},
        BadNpy{"NegativeDimension", Npy("|u1", "(-2, 2, 2)", Pattern(8)), {"header"}},
        BadNpy{"NoShape", Header("{'descr': '|u1', 'fortran_order': False}"), {"header"}},
        BadNpy{"TwoShapes",
               Header("{'descr': '|u1', 'fortran_order': False, 'shape': (8,), 'shape': (8,)}"),
               {"header"}},
        BadNpy{"UnknownKey",
               Header("{'descr': '|u1', 'fortran_order': False, 'shape': (8,), 'x': (1,)}"),
               {"header"}},
        BadNpy{"TextBehindTheHeader",
               Header("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2)} x"),
               {"header"}},
        BadNpy{"Truncated", Npy("|u1", "(2, 2, 2)", Pattern(7)), {"8 bytes", "7", "truncated"}},
        BadNpy{"TooLong", Npy("|u1", "(2, 2, 2)", Pattern(9)), {"8 bytes", "9", "damaged"}},
        BadNpy{"FutureVersion", std::string("\x93NUMPY\x09\x00\x00\x00", 10), {"version 9"}},
        BadNpy{"HugeHeader", std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12), {"4294967295"}},
        BadNpy{"Zip", Zip({{"x.npy", "x", false}}), {"zip", "--format npz"}},
        BadNpy{"Text", "1,2,3\n4,5,6\n", {"numpy.save"}}, BadNpy{"Empty", "", {"numpy.save"}}),
    [](const auto& test) { return test.param.name; });

TEST(NpyReader, ReadsHeadersOfOtherVersionsAndWriters) {
  TempDir dir;
  dir.Write("labels.npy", kTwoLabels);
  const std::string text = "{\"shape\": (2L, 2L, 2L), 'fortran_order':False,\"descr\":'<u1'}\n";
  std::string version2("\x93NUMPY\x02\x00", 8);
  version2 += std::string{static_cast<char>(text.size()), 0, 0, 0} + text + Pattern(8);
  for (const std::string& file : {version2, NpyWithHeader(text, Pattern(8))}) {
    const auto samples = ReadPath(dir.Write("a.npy", file));
    ASSERT_TRUE(samples.ok()) << samples.status();
    EXPECT_EQ(samples->pixels, Pattern(8));
  }
}

TEST(NpyReader, ReadsTheLastSampleOfAFileThatFitsInNoMemory) {
  TempDir dir;
  // 64 GiB that the file system need not store.
  constexpr int64_t kSamples = 1 << 20, kSide = 256;
  const std::string labels =
      dir.Write("l.npy", Npy("|u1", "(1048576,)", std::string(kSamples, '\2')));
  const std::string header = Npy("|u1", "(1048576, 256, 256)", "");
  const std::string path = dir.Write("a.npy", header);
  std::error_code error;
  std::filesystem::resize_file(
      path, header.size() + static_cast<uintmax_t>(kSamples * kSide * kSide), error);
  if (error) GTEST_SKIP() << "no sparse files here: " << error.message();
  const auto reader = OpenPath(path, "auto", labels);
  ASSERT_TRUE(reader.ok()) << reader.status();
  Samples samples;
  ASSERT_TRUE((*reader)->Read(kSamples - 1, 1, &samples.labels, &samples.pixels).ok());
  EXPECT_EQ(samples.pixels, std::string(kSide * kSide, '\0'));
}

}  // namespace
}  // namespace assay::client
