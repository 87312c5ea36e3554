#include "client/render/numbers.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace assay::render {
namespace {

TEST(NumbersTest, CountsHaveThousands) {
  EXPECT_EQ(Count(0), "0");
  EXPECT_EQ(Count(999), "999");
  EXPECT_EQ(Count(1000), "1,000");
  EXPECT_EQ(Count(1234567), "1,234,567");
  EXPECT_EQ(Count(-123456), "-123,456");
}

TEST(NumbersTest, UndefinedRatesAreADash) {
  v1::Rate rate;
  EXPECT_EQ(Percent(rate), "-");
  EXPECT_EQ(PercentWithInterval(rate), "-");
  rate.set_value(0.4567);
  rate.set_lower(0.4211);
  rate.set_upper(1);
  EXPECT_EQ(PercentWithInterval(rate), "45.7 [42.1, 100.0]");
  EXPECT_EQ(Percent(std::nan("")), "-");
}

TEST(NumbersTest, ExactNumbersReadBackAsTheSame) {
  for (const double value : {0.1, 1.0 / 3, 1e-300, 123456789.123}) {
    EXPECT_EQ(std::stod(Exact(value)), value);
  }
  EXPECT_EQ(Exact(0.1f), "0.1");
  EXPECT_EQ(Exact(std::numeric_limits<double>::infinity()), "");
}

TEST(NumbersTest, SizesAndDurationsAreShort) {
  EXPECT_EQ(Bytes(1023), "1023 B");
  EXPECT_EQ(Bytes(3 << 20), "3.0 MiB");
  EXPECT_EQ(Bytes(int64_t{1} << 40), "1.0 TiB");
  EXPECT_EQ(Duration(42.4), "0:42");
  EXPECT_EQ(Duration(3725), "1:02:05");
}

}  // namespace
}  // namespace assay::render
