// The matrix of targeted attacks, as people see it.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/render/render.h"
#include "client/render/text.h"
#include "gmock/gmock.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Class s turned into t: s of t + s times; nobody has tried class 0.
v1::Report Report(const std::vector<std::string>& names) {
  v1::Report report;
  v1::ConditionReport& condition = *report.add_conditions();
  condition.set_id("attack/pgd/linf/8-255/target=every");
  v1::TargetedReport& targeted = *condition.mutable_attack()->mutable_targeted();
  const int classes = static_cast<int>(names.size());
  for (int s = 0; s < classes; ++s) {
    v1::ClassReport& c = *condition.add_classes();
    c.set_index(s);
    c.set_name(names[static_cast<size_t>(s)]);
    auto& row = *targeted.add_success();
    for (int t = 0; t < classes; ++t) {
      v1::Rate& rate = *row.add_targets();
      if (s == t || t == 0) continue;
      rate.set_numerator(s);
      rate.set_denominator(s + t);
      rate.set_value(static_cast<double>(s) / (s + t));
      rate.set_lower(0);
      rate.set_upper(1);
    }
    targeted.add_leaving()->set_mean(0.25);
    v1::ClassMean& reaching = *targeted.add_reaching();
    if (s > 0) reaching.set_mean(0.125);
  }
  return report;
}

TEST(TargetedTable, HasARowForEachClassAndAColumnForEachTarget) {
  const std::string text = RenderReport(Report({"airplane", "cat", "dog"}), Format::kTable);
  EXPECT_THAT(text, HasSubstr("turned into %   cat   dog  mean\n"
                              "airplane        0.0   0.0  25.0\n"
                              "cat               -  33.3  25.0\n"
                              "dog            66.7     -  25.0\n"
                              "mean           12.5  12.5\n"));
}

TEST(TargetedTable, RowThatEndsEarlyHasNothingForTheRest) {
  v1::Report report = Report({"airplane", "cat", "dog"});
  auto& rows = *report.mutable_conditions(0)->mutable_attack()->mutable_targeted();
  rows.mutable_success(2)->mutable_targets()->DeleteSubrange(1, 2);
  const std::string text = RenderReport(report, Format::kTable);
  EXPECT_THAT(text, HasSubstr("turned into %   cat   dog  mean\n"
                              "airplane        0.0   0.0  25.0\n"
                              "cat               -  33.3  25.0\n"
                              "dog               -     -  25.0\n"));
}

TEST(TargetedTable, OfElevenClassesFitsInAHundredColumns) {
  const std::vector<std::string> names(11, "a class with a very long name");
  const std::string text = RenderReport(Report(names), Format::kTable);
  EXPECT_THAT(text, HasSubstr("turned into %"));
  bool inside = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    inside |= absl::StrContains(line, "turned into %");
    if (inside) {
      EXPECT_LE(DisplayWidth(line), 100u) << line;
    }
  }
}

TEST(TargetedTable, OfManyClassesNamesTheEasiestPairs) {
  std::vector<std::string> names;
  for (int i = 0; i < 30; ++i) names.push_back(absl::StrCat("c", i));
  const std::string text = RenderReport(Report(names), Format::kTable);
  // 29 of 30 is the largest.
  EXPECT_THAT(text, HasSubstr("easiest: from  to      turned into %\n"
                              "c29            c1  96.7 [0.0, 100.0]\n"));
  EXPECT_THAT(text, Not(HasSubstr("\nc10            c9 ")));
}

TEST(TargetedTable, IsNotThereWithoutTargets) {
  v1::Report report = Report({"a", "b"});
  report.mutable_conditions(0)->mutable_attack()->clear_targeted();
  EXPECT_THAT(RenderReport(report, Format::kTable), Not(HasSubstr("turned into")));
}

}  // namespace
}  // namespace assay::render
