// Checks of attacks in the report that people read.
#include <string>
#include <vector>

#include "client/render/render.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"

namespace assay::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Check MakeCheck(const std::string& name, v1::Check::Verdict verdict,
                    const std::string& message) {
  v1::Check check;
  check.set_name(name);
  check.set_verdict(verdict);
  check.set_message(message);
  return check;
}

v1::Report WithChecks(const std::vector<v1::Check>& checks) {
  v1::Report report;
  v1::ConditionReport& condition = *report.add_conditions();
  condition.set_id("attack/pgd/linf/8-255");
  for (const v1::Check& check : checks) *condition.mutable_attack()->add_checks() = check;
  return report;
}

v1::Check ZeroGradients() {
  v1::Check check = MakeCheck("zero-gradients", v1::Check::FAILED, "75 % were zero; look");
  check.set_value(0.75);
  check.set_threshold(0.01);
  return check;
}

TEST(ChecksTest, FailuresComeFirstAndTheRestIsCounted) {
  v1::Check rounding = MakeCheck("survives-rounding", v1::Check::WARNING, "half do");
  rounding.set_value(0.5);
  rounding.set_threshold(0.9);
  rounding.set_at_least(true);
  const std::string text = RenderReport(
      WithChecks({MakeCheck("tied-logits", v1::Check::PASSED, "0 of 9 samples"), rounding,
                  ZeroGradients(), MakeCheck("budget", v1::Check::NOT_APPLICABLE, "none"),
                  MakeCheck("softmax-output", v1::Check::PASSED, "fine")}),
      Format::kTable);
  EXPECT_THAT(text, HasSubstr("\n"
                              "FAILED zero-gradients (0.75, should be at most 0.01): 75 % were "
                              "zero; look\n"
                              "\n"
                              "warning survives-rounding (0.5, should be at least 0.9): half do\n"
                              "\n"
                              "checks: 2 passed, 1 failed, 1 to look at, 1 not applicable "
                              "(docs/checks.md)\n"));
  EXPECT_THAT(text, Not(HasSubstr("tied-logits")));
}

TEST(ChecksTest, WhereAllPassOneLineSaysSo) {
  const std::string text = RenderReport(
      WithChecks({MakeCheck("tied-logits", v1::Check::PASSED, "0 of 9 samples")}), Format::kTable);
  EXPECT_THAT(text, HasSubstr("\nchecks: 1 passed (docs/checks.md)\n"));
  EXPECT_THAT(RenderReport(WithChecks({}), Format::kTable), Not(HasSubstr("checks")));
}

TEST(ChecksTest, FailuresStandOutInColour) {
  EXPECT_THAT(RenderReport(WithChecks({ZeroGradients()}), Format::kTable, {}, {/*colour=*/true}),
              HasSubstr("\x1b[31mFAILED zero-gradients"));
}

TEST(ChecksTest, JsonHasAllOfThem) {
  const auto json = nlohmann::json::parse(
      RenderReport(WithChecks({ZeroGradients(), MakeCheck("budget", v1::Check::PASSED, "fine")}),
                   Format::kJson));
  const auto& checks = json["conditions"][0]["attack"]["checks"];
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0]["verdict"], "FAILED");
  EXPECT_EQ(checks[0]["value"], 0.75);
  EXPECT_FALSE(checks[1].contains("value"));
}

}  // namespace
}  // namespace assay::render
