// The security curve of attacks that find distances, as people see it.
#include <string>

#include "client/render/render.h"
#include "gmock/gmock.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Robust accuracy falls by one sample of `points` - 1 at every hundredth.
v1::Report Report(int points) {
  v1::Report report;
  v1::ConditionReport& condition = *report.add_conditions();
  condition.set_id("attack/fmn/l2/0.5");
  for (int i = 0; i < points; ++i) {
    v1::SecurityPoint& point = *condition.mutable_attack()->add_security_curve();
    point.set_eps(0.01 * i);
    v1::Rate& rate = *point.mutable_robust_accuracy();
    rate.set_denominator(points - 1);
    rate.set_numerator(points - 1 - i);
    rate.set_value(static_cast<double>(points - 1 - i) / (points - 1));
    rate.set_lower(0);
    rate.set_upper(1);
  }
  return report;
}

TEST(SecurityCurveTable, HasEveryPointOfAShortCurve) {
  const std::string text = RenderReport(Report(5), Format::kTable);
  EXPECT_THAT(text, HasSubstr("distance"));
  for (const char* value : {"100.0", "75.0", "50.0", "25.0", "0.01", "0.02", "0.03", "0.04"}) {
    EXPECT_THAT(text, HasSubstr(value));
  }
}

TEST(SecurityCurveTable, HasElevenPointsOfALongOneTheFirstAndTheLastAmongThem) {
  const std::string text = RenderReport(Report(101), Format::kMarkdown);
  size_t rows = 0;
  for (size_t at = text.find("| 0."); at != std::string::npos; at = text.find("| 0.", at + 1)) {
    ++rows;
  }
  EXPECT_THAT(text, HasSubstr("100.0"));
  EXPECT_THAT(text, HasSubstr("0.9 |"));
  EXPECT_THAT(text, Not(HasSubstr("0.95 |")));
  EXPECT_THAT(text, HasSubstr(" 1 |"));
  SCOPED_TRACE(text);
  EXPECT_GE(rows, 9u);
}

TEST(SecurityCurveTable, IsThereForAttacksThatFindDistancesOnly) {
  v1::Report report = Report(5);
  report.mutable_conditions(0)->mutable_attack()->clear_security_curve();
  EXPECT_THAT(RenderReport(report, Format::kTable), Not(HasSubstr("robust accuracy %")));
}

}  // namespace
}  // namespace assay::render
