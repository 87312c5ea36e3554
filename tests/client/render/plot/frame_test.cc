#include "client/render/plot/frame.h"

#include <set>
#include <utility>

#include "gmock/gmock.h"

namespace assay::plot {
namespace {

using ::testing::HasSubstr;

TEST(FrameTest, ColourAndDashesTogetherTellFortySeriesApart) {
  std::set<std::pair<std::string, std::string>> looks;
  for (size_t i = 0; i < 40; ++i) looks.insert({SeriesClass(i), SeriesDashes(i)});
  EXPECT_EQ(looks.size(), 40u);
}

TEST(FrameTest, NeighboursDifferWithoutColour) {
  for (size_t i = 0; i < 12; ++i) {
    Markup one, next;
    DrawMarker(i, 0, 0, "", one);
    DrawMarker(i + 1, 0, 0, "", next);
    EXPECT_NE(std::move(one).Take(), std::move(next).Take()) << i;
    EXPECT_NE(SeriesDashes(i), SeriesDashes(i + 1)) << i;
  }
}

TEST(FrameTest, LegendTakesAsManyLinesAsItNeeds) {
  EXPECT_EQ(LegendLines({}, 400), 0);
  EXPECT_EQ(LegendLines({{0, "a"}, {1, "b"}}, 400), 1);
  EXPECT_EQ(LegendLines({{0, std::string(40, 'a')}, {1, std::string(40, 'b')}}, 400), 2);
}

TEST(FrameTest, LongNamesLoseTheirMiddle) {
  EXPECT_EQ(MiddleCut("attack/pgd", 10), "attack/pgd");
  EXPECT_EQ(MiddleCut("attack/pgd/linf", 10), "attac…linf");
  EXPECT_EQ(Characters("größe…"), 6u);
  EXPECT_EQ(MiddleCut("ääääää", 5), "ää…ää");
}

TEST(FrameTest, PictureSaysWhatItIs) {
  Markup out;
  OpenPicture(10, 20, "Title <1>", "What & why", out);
  const std::string text = std::move(out).Take();
  EXPECT_THAT(text, HasSubstr("role=\"img\""));
  EXPECT_THAT(text, HasSubstr("aria-label=\"Title &lt;1&gt;. What &amp; why\""));
  EXPECT_THAT(text, HasSubstr("<title>Title &lt;1&gt;</title>"));
  EXPECT_THAT(text, HasSubstr("viewBox=\"0 0 10 20\""));
}

}  // namespace
}  // namespace assay::plot
