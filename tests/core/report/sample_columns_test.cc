#include "core/report/sample_columns.h"

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr double kNone = NAN;

std::vector<std::string> Values(const SampleColumn& column) {
  std::vector<std::string> values;
  for (const SampleSlice& slice : column.slices) values.push_back(slice.value);
  return values;
}

TEST(SampleColumnsTest, NumbersAreCutAtTheirQuartiles) {
  // numpy 2.4: quartiles 23.5, 40, 55, of which 25, 40 and 58 are the next numbers.
  const SampleColumn column = CutNumbers("age", {71, 18, 22, 25, 31, 40, 47, 52, 58, 64, 22}, {});
  EXPECT_THAT(Values(column), ElementsAre("18..25", "25..40", "40..58", "58..71"));
  EXPECT_THAT(column.slice_of, ElementsAre(3, 0, 0, 1, 1, 2, 2, 2, 3, 3, 0));
  EXPECT_EQ(column.slices[1].from, 25);
  EXPECT_EQ(column.slices[1].to, 40);
  EXPECT_EQ(column.slices[3].to, 71);
  EXPECT_FALSE(column.built_in);
}

TEST(SampleColumnsTest, EqualNumbersAreInOneRangeAndNoRangeIsEmpty) {
  // Quartiles 0, 0, 2.25: nothing lies below the first two.
  SampleColumn column = CutNumbers("x", {0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, {});
  EXPECT_THAT(Values(column), ElementsAre("0..2", "2..4"));
  EXPECT_THAT(column.slice_of, ElementsAre(0, 0, 0, 0, 0, 0, 0, 1, 1, 1));
  // Quartiles 2.25, 6.5, 9: the last range is one number.
  column = CutNumbers("x", {0, 1, 2, 3, 4, 9, 9, 9, 9, 9}, {});
  EXPECT_THAT(Values(column), ElementsAre("0..3", "3..9", "9"));
  EXPECT_EQ(column.slices[2].from, 9);
  EXPECT_EQ(column.slices[2].to, 9);
  for (int n = 5; n < 40; ++n) {
    std::vector<double> numbers;
    for (int i = 0; i < n; ++i) numbers.push_back((i * i) % 7 + (i % 3) * 0.5);
    column = CutNumbers("x", numbers, {});
    std::vector<int> samples(column.slices.size());
    for (const int32_t slice : column.slice_of) ++samples[static_cast<size_t>(slice)];
    for (const int count : samples) EXPECT_GT(count, 0) << n;
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < i; ++j) {
        const auto a = static_cast<size_t>(i), b = static_cast<size_t>(j);
        if (numbers[a] == numbers[b]) {
          EXPECT_EQ(column.slice_of[a], column.slice_of[b]);
        }
      }
    }
  }
}

TEST(SampleColumnsTest, FewDistinctNumbersAreValues) {
  const SampleColumn column = CutNumbers("x", {1, 0, kNone, 1, 2.5}, {});
  EXPECT_THAT(Values(column), ElementsAre("0", "1", "2.5", "(missing)"));
  EXPECT_THAT(column.slice_of, ElementsAre(1, 0, 3, 1, 2));
  EXPECT_EQ(column.slices[1].from, 1);
  EXPECT_EQ(column.slices[1].to, 1);
  EXPECT_THAT(Values(CutNumbers("x", {7, 7}, {})), ElementsAre("7"));
  EXPECT_THAT(Values(CutNumbers("x", {kNone}, {})), ElementsAre("(missing)"));
  EXPECT_THAT(Values(CutNumbers("x", {}, {})), IsEmpty());
}

TEST(SampleColumnsTest, GivenEdgesMakeOpenRanges) {
  const SampleColumn column = CutNumbers("age", {17.5, 18, 65, kNone, 30, 1e9}, {18, 40.5, 65});
  EXPECT_THAT(Values(column), ElementsAre("..18", "18..40.5", "40.5..65", "65..", "(missing)"));
  EXPECT_THAT(column.slice_of, ElementsAre(0, 1, 3, 4, 1, 3));
  EXPECT_FALSE(column.slices[0].from.has_value());
  EXPECT_EQ(column.slices[0].to, 18);
  EXPECT_FALSE(column.slices[3].to.has_value());
}

TEST(SampleColumnsTest, RangesArePrintedWithAsManyDigitsAsTellThemApart) {
  EXPECT_THAT(Values(CutNumbers("x", {0.12345, 0.5, 0.61239, 0.7, 0.99999}, {})),
              ElementsAre("0.1235..0.5", "0.5..0.6124", "0.6124..0.7", "0.7..1"));
  EXPECT_THAT(
      Values(CutNumbers("x", {1.00001, 1.00002, 1.00003, 1.00004, 1.00005}, {})),
      ElementsAre("1.00001..1.00002", "1.00002..1.00003", "1.00003..1.00004", "1.00004..1.00005"));
  // Whole numbers in full.
  EXPECT_THAT(Values(CutNumbers("x", {1234567, 2, 3, 4, -5}, {})),
              ElementsAre("-5..2", "2..3", "3..4", "4..1234567"));
}

TEST(SampleColumnsTest, TextsAreValues) {
  const SampleColumn column = GroupTexts("site", {"b", "nobody's", "a"}, {0, -1, 2, 0, -1});
  EXPECT_THAT(Values(column), ElementsAre("a", "b", "(missing)"));
  EXPECT_THAT(column.slice_of, ElementsAre(1, 2, 0, 1, 2));
  EXPECT_FALSE(column.slices[0].from.has_value());
}

TEST(SampleColumnsTest, ATableHasThemInItsOrder) {
  const auto table = ReadMetadata("age,site\n1,x\n2,y\n");
  ASSERT_TRUE(table.ok());
  const std::vector<SampleColumn> columns = ColumnsOf(*table);
  ASSERT_EQ(columns.size(), 2u);
  EXPECT_EQ(columns[0].name, "age");
  EXPECT_THAT(Values(columns[0]), ElementsAre("1", "2"));
  EXPECT_THAT(Values(columns[1]), ElementsAre("x", "y"));
}

}  // namespace
}  // namespace assay::report
