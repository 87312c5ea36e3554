#include "client/render/classwise_document.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/client/render/sample_report.h"

namespace assay::render {
namespace {

using ::testing::ElementsAre;

// Four classes of ten samples each; only 1 and 3 are confused.
v1::ConditionReport Condition() {
  v1::ConditionReport condition;
  const int64_t counts[4][4] = {{10, 0, 0, 0}, {0, 6, 0, 4}, {1, 0, 9, 0}, {0, 2, 0, 8}};
  for (int i = 0; i < 4; ++i) {
    v1::ClassReport& own = *condition.add_classes();
    own.set_index(i);
    own.set_name(absl::StrCat("c", i));
    own.set_samples(10);
    v1::CountRow& row = *condition.add_confusion_matrix();
    for (int j = 0; j < 4; ++j) row.add_counts(counts[i][j]);
  }
  return condition;
}

std::vector<std::string> Texts(const std::vector<Cell>& row) {
  std::vector<std::string> texts;
  for (const Cell& cell : row) texts.push_back(cell.text);
  return texts;
}

TEST(MostConfusedTest, AreThoseThatErrorsLeaveOrReach) {
  EXPECT_THAT(MostConfused(Condition(), 2), ElementsAre(1, 3));
  EXPECT_THAT(MostConfused(Condition(), 4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(MostConfused(v1::ConditionReport(), 4), ElementsAre());
}

TEST(ConfusionTableTest, CountsAreShadedByTheirShareOfTheClass) {
  const Table table = ConfusionTable(Condition(), {0, 1, 2, 3}, {});
  ASSERT_EQ(table.columns.size(), 5u);
  EXPECT_THAT(Texts(table.rows[1]), ElementsAre("c1", "0", "6", "0", "4"));
  EXPECT_EQ(table.rows[1][4].shade, 0.4);
  EXPECT_EQ(table.rows[0][0].shade, std::nullopt);
}

TEST(ConfusionTableTest, SomeClassesHaveAColumnForTheOthers) {
  const Table table = ConfusionTable(Condition(), {2, 3}, {});
  EXPECT_EQ(table.columns[3].title, "others");
  EXPECT_THAT(Texts(table.rows[0]), ElementsAre("c2", "9", "0", "1"));
  EXPECT_THAT(Texts(table.rows[1]), ElementsAre("c3", "0", "8", "2"));
}

TEST(ConfusionTableTest, AbstentionsAreTheLastColumn) {
  v1::ConditionReport condition = Condition();
  condition.set_has_abstain_column(true);
  for (int i = 0; i < 4; ++i) condition.mutable_confusion_matrix(i)->add_counts(i);
  const Table table = ConfusionTable(condition, {0, 3}, {});
  EXPECT_EQ(table.columns[4].title, "abstained");
  EXPECT_THAT(Texts(table.rows[1]), ElementsAre("c3", "0", "8", "2", "3"));
}

TEST(DifferencesTableTest, MostSignificantComeFirst) {
  v1::ConditionReport condition = Condition();
  const auto add = [&](int first, int second, double difference, double p) {
    v1::ClassDifference& pair = *condition.add_significant_differences();
    pair.set_first(first);
    pair.set_second(second);
    pair.set_accuracy_difference(difference);
    pair.set_adjusted_p_value(p);
  };
  add(0, 1, 0.4, 0.01);
  add(1, 2, -0.3, 0.001);
  add(0, 3, 0.2, 0.01);
  const Table table = DifferencesTable(condition, 2, {});
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_THAT(Texts(table.rows[0]), ElementsAre("c1", "c2", "-30.0", "0.001"));
  EXPECT_THAT(Texts(table.rows[1]), ElementsAre("c0", "c1", "+40.0", "0.01"));
}

}  // namespace
}  // namespace assay::render
