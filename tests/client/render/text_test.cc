#include "client/render/text.h"

#include "gtest/gtest.h"

namespace assay::render {
namespace {

TEST(TextTest, NothingPrintableCanMoveACursor) {
  EXPECT_EQ(Printable("a\x1b[31mb\nc\x7f"), "a?[31mb?c?");
  // C1 control, right-to-left override, broken UTF-8, an overlong slash, a surrogate.
  EXPECT_EQ(Printable("x\xc2\x9by"), "x?y");
  EXPECT_EQ(Printable("x\xe2\x80\xaey"), "x?y");
  EXPECT_EQ(Printable("\xff\xc3"), "??");
  EXPECT_EQ(Printable("\xc0\xaf"), "??");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "?");
  EXPECT_EQ(Printable("Hündin 犬"), "Hündin 犬");
}

TEST(TextTest, WidthIsThatOfATerminal) {
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("ü"), 1u);
  EXPECT_EQ(DisplayWidth("u\xcc\x88"), 1u);
  EXPECT_EQ(DisplayWidth("犬"), 2u);
  EXPECT_EQ(DisplayWidth("🐸"), 2u);
}

TEST(TextTest, PaddingAndCuttingCountColumns) {
  EXPECT_EQ(Padded("犬", 4, false), "犬  ");
  EXPECT_EQ(Padded("ü", 3, true), "  ü");
  EXPECT_EQ(Padded("long", 2, true), "long");
  EXPECT_EQ(Shortened("automobile", 5), "auto…");
  EXPECT_EQ(Shortened("犬犬犬", 4), "犬…");
  EXPECT_EQ(Shortened("cat", 3), "cat");
}

TEST(TextTest, WrappingKeepsWordsWhole) {
  EXPECT_EQ(Wrapped("one two three", 20), "one two three");
  EXPECT_EQ(Wrapped("one two three", 9), "one two\n  three");
  EXPECT_EQ(Wrapped("incomprehensibilities win", 5), "incomprehensibilities\n  win");
}

}  // namespace
}  // namespace assay::render
