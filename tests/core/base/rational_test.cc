#include "core/base/rational.h"

#include "gtest/gtest.h"

namespace assay {
namespace {

TEST(Rational, ReadsFractionsDecimalsAndExponentsExactly) {
  const struct {
    const char* text;
    int64_t numerator, denominator;
  } kCases[] = {{"8/255", 8, 255},
                {"10/255", 2, 51},
                {"0.25", 1, 4},
                {"1e-3", 1, 1000},
                {"0", 0, 1},
                {"3", 3, 1},
                {"-1/2", -1, 2},
                {"0.031", 31, 1000},
                {"2.50", 5, 2},
                {"1E2", 100, 1},
                {"+4/8", 1, 2},
                {".5", 1, 2},
                {"1e15", 1000000000000000, 1}};
  for (const auto& c : kCases) {
    const auto parsed = Rational::Parse(c.text);
    ASSERT_TRUE(parsed.ok()) << c.text;
    EXPECT_EQ(parsed->numerator(), c.numerator) << c.text;
    EXPECT_EQ(parsed->denominator(), c.denominator) << c.text;
  }
}

TEST(Rational, RefusesWhatIsNoNumber) {
  for (const char* text : {"", "a", "1/0", "1/", "/2", "1/2/3", "0x10", "1.2.3", "nan", "inf",
                           "--1", "1e", "12345678901234567", "1e99", "1/-2", " 1", "1 "}) {
    EXPECT_FALSE(Rational::Parse(text).ok()) << text;
  }
}

TEST(Rational, WritesTheShortestExactText) {
  EXPECT_EQ(Rational(8, 255).ToString(), "8/255");
  EXPECT_EQ(Rational(1, 4).ToString(), "0.25");
  EXPECT_EQ(Rational(-1, 8).ToString(), "-0.125");
  EXPECT_EQ(Rational(6, 3).ToString(), "2");
  EXPECT_EQ(Rational(1, 1000).ToString(), "0.001");
}

TEST(Rational, TextReadsBackAsTheSameNumber) {
  for (int64_t n = -20; n <= 20; ++n) {
    for (int64_t d = 1; d <= 300; ++d) {
      const Rational number(n, d);
      const auto back = Rational::Parse(number.ToString());
      ASSERT_TRUE(back.ok()) << number.ToString();
      EXPECT_EQ(*back, number) << number.ToString();
    }
  }
}

}  // namespace
}  // namespace assay
