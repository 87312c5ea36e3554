#include "client/render/plot/markup.h"

#include "gtest/gtest.h"

namespace assay::plot {
namespace {

TEST(MarkupTest, TextAndAttributesAreEscaped) {
  Markup out;
  out.Open("g", {{"aria-label", "\"&'<>"}}).Element("title", {}, "<script>alert(1)</script>");
  EXPECT_EQ(std::move(out).Take(),
            "<g aria-label=\"&quot;&amp;&#39;&lt;&gt;\">"
            "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title></g>");
}

TEST(MarkupTest, WhatIsOpenIsClosedAtTheEnd) {
  Markup inner;
  inner.Empty("line", {{"x1", 1.0}});
  Markup out;
  out.Open("svg").Open("g").Append(inner);
  EXPECT_EQ(std::move(out).Take(), "<svg><g><line x1=\"1\"/></g></svg>");
}

TEST(MarkupTest, CoordinatesHaveATenthAndNoSignOfNothing) {
  EXPECT_EQ(Coordinate(1.26), "1.3");
  EXPECT_EQ(Coordinate(2), "2");
  EXPECT_EQ(Coordinate(-0.04), "0");
  EXPECT_EQ(Coordinate(-12.5), "-12.5");
}

}  // namespace
}  // namespace assay::plot
