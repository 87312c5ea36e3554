#include "client/cli/base/picture_file.h"

#include <cstdint>
#include <string>

#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kSvg[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 40 30\" width=\"40\" "
    "height=\"30\"><style>.a { fill: #ff0000; }</style><rect class=\"a\" width=\"40\" "
    "height=\"30\"/><text x=\"2\" y=\"20\">x</text></svg>";

// Big-endian, as PNG has them.
uint32_t NumberAt(const std::string& bytes, size_t at) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<uint8_t>(bytes[at + i]);
  return number;
}

TEST(PictureFileTest, PngHasItsSize) {
  for (const double scale : {0.5, 1.0, 3.0}) {
    const auto bytes = PictureBytes(kSvg, PictureFormat::kPng, scale);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(bytes->substr(0, 8), "\x89PNG\r\n\x1a\n");
    EXPECT_EQ(NumberAt(*bytes, 16), 40 * scale);
    EXPECT_EQ(NumberAt(*bytes, 20), 30 * scale);
    EXPECT_EQ(*PictureBytes(kSvg, PictureFormat::kPng, scale), *bytes);
  }
}

TEST(PictureFileTest, PdfHasItsSizeAndNoTime) {
  const auto bytes = PictureBytes(kSvg, PictureFormat::kPdf, 2);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(bytes->substr(0, 5), "%PDF-");
  EXPECT_THAT(*bytes, HasSubstr("%%EOF"));
  // 40 x 30 units of 1/96 inch, twice as large, in points.
  EXPECT_THAT(*bytes, HasSubstr("/MediaBox [ 0 0 60 45 ]"));
  EXPECT_EQ(bytes->find("CreationDate"), std::string::npos);
  EXPECT_EQ(*PictureBytes(kSvg, PictureFormat::kPdf, 2), *bytes);
}

TEST(PictureFileTest, SvgStaysAsItIs) {
  EXPECT_EQ(*PictureBytes(kSvg, PictureFormat::kSvg, 1), kSvg);
}

TEST(PictureFileTest, TheNameTellsTheFormat) {
  EXPECT_EQ(*PictureFormatOf("-o", "a/b.SVG"), PictureFormat::kSvg);
  EXPECT_EQ(*PictureFormatOf("-o", "b.png"), PictureFormat::kPng);
  EXPECT_EQ(*PictureFormatOf("-o", "x.png.pdf"), PictureFormat::kPdf);
  for (const char* name : {"", "png", "a.jpg", "-"}) {
    EXPECT_THAT(PictureFormatOf("--output", name).status().message(),
                HasSubstr(".svg, .png or .pdf"));
  }
}

TEST(PictureFileTest, WhatCannotBeDrawnIsAnError) {
  EXPECT_EQ(ReasonOf(PictureBytes("<svg", PictureFormat::kPng, 1).status()), Reason::kInternal);
  EXPECT_EQ(ReasonOf(PictureBytes(kSvg, PictureFormat::kPng, 1000).status()), Reason::kTooLarge);
}

}  // namespace
}  // namespace assay::cli
