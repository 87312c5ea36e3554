#include "core/base/quantities.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

TEST(QuantitiesTest, TimesHaveUnits) {
  EXPECT_EQ(*ParseDuration("90s"), 90);
  EXPECT_EQ(*ParseDuration("30m"), 1800);
  EXPECT_EQ(*ParseDuration("1.5h"), 5400);
  EXPECT_EQ(*ParseDuration("30d"), 30 * 86'400);
  EXPECT_EQ(*ParseDuration("2w"), 14 * 86'400);
  EXPECT_EQ(*ParseDuration("0"), 0);
}

TEST(QuantitiesTest, SizesAreDecimalOrBinary) {
  EXPECT_EQ(*ParseBytes("200GB"), 200'000'000'000);
  EXPECT_EQ(*ParseBytes("200 GB"), 200'000'000'000);
  EXPECT_EQ(*ParseBytes("1.5MiB"), 1'572'864);
  EXPECT_EQ(*ParseBytes("4096"), 4096);
  EXPECT_EQ(*ParseBytes("8TiB"), int64_t{8} << 40);
}

TEST(QuantitiesTest, WhatIsNotClearIsRefusedWithWhatWouldBeRight) {
  for (const char* text : {"", "30", "d", "-1d", "30days", "1e3d", "30 d d", ".5d", "inf", "nand",
                           "99999999999999999d"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
  for (const char* text : {"", "GB", "-1GB", "200gb", "200 G", "1..5GB", "99999999999TiB"}) {
    EXPECT_FALSE(ParseBytes(text).ok()) << text;
  }
  EXPECT_THAT(std::string(ParseDuration("30").status().message()),
              HasSubstr("a time such as 30d (s, m, h, d or w), or 0; got '30'"));
}

}  // namespace
}  // namespace assay
