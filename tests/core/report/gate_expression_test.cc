// What can be written as a gate, and what is said of what cannot.
#include "core/report/gate_expression.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "tests/source_tree.h"

namespace assay::report {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

GateExpression Good(const std::string& text) {
  const auto gate = ParseGate(text);
  EXPECT_TRUE(gate.ok()) << text << ": " << gate.status();
  return gate.ok() ? *gate : GateExpression();
}

std::string Bad(const std::string& text) {
  const auto gate = ParseGate(text);
  EXPECT_FALSE(gate.ok()) << text;
  EXPECT_EQ(ReasonOf(gate.status()), Reason::kInvalidArgument) << text;
  return std::string(gate.status().message());
}

TEST(GateExpression, HasAMetricAConditionAnOperatorAndAThreshold) {
  const GateExpression gate = Good("accuracy(attack/autoattack:norm=linf,eps=8/255) >= 0.45");
  EXPECT_EQ(gate.metric->metric, Metric::kAccuracy);
  EXPECT_EQ(gate.condition, "attack/autoattack:norm=linf,eps=8/255");
  EXPECT_EQ(gate.comparison, Comparison::kAtLeast);
  EXPECT_FALSE(gate.against_baseline);
  EXPECT_EQ(gate.offset, 0.45);
}

TEST(GateExpression, SpacesDoNotMatter) {
  for (const char* text : {"cfps(clean,cat)<0.2", "  cfps ( clean , cat )  <  0.2  "}) {
    const GateExpression gate = Good(text);
    EXPECT_EQ(gate.condition, "clean") << text;
    EXPECT_EQ(gate.class_text.text, "cat") << text;
    EXPECT_EQ(gate.comparison, Comparison::kBelow) << text;
    EXPECT_EQ(gate.text, text);
  }
}

TEST(GateExpression, ThresholdsAreNumbersFractionsAndPercentages) {
  const std::pair<const char*, double> kCases[] = {{"0.45", 0.45}, {"45%", 0.45},    {"45 %", 0.45},
                                                   {"9/20", 0.45}, {"4.5e-1", 0.45}, {"1", 1}};
  for (const auto& [text, value] : kCases) {
    EXPECT_EQ(Good(std::string("accuracy(clean) > ") + text).offset, value) << text;
  }
  EXPECT_EQ(Good("mce() <= 0.76").offset, 0.76);
  EXPECT_EQ(Good("mce() <= 1200%").offset, 12);
}

TEST(GateExpression, ThresholdsCanBeSaidByTheBaseline) {
  struct Case {
    const char* text;
    double factor, offset;
  };
  for (const Case& one : {Case{"baseline", 1, 0}, Case{"baseline - 0.01", 1, -0.01},
                          Case{"baseline-1%", 1, -0.01}, Case{"baseline + 1/50", 1, 0.02},
                          Case{"baseline * 0.9", 0.9, 0}, Case{"baseline*90%", 0.9, 0}}) {
    const GateExpression gate = Good(std::string("accuracy(clean) >= ") + one.text);
    EXPECT_TRUE(gate.against_baseline) << one.text;
    EXPECT_EQ(gate.factor, one.factor) << one.text;
    EXPECT_EQ(gate.offset, one.offset) << one.text;
  }
}

TEST(GateExpression, NamesWithCommasAndParenthesesAreQuoted) {
  const std::pair<const char*, const char*> kCases[] = {{"'wolf, grey'", "wolf, grey"},
                                                        {"\"crane (bird)\"", "crane (bird)"},
                                                        {"'it''s'", "it's"},
                                                        {"\"it's\"", "it's"},
                                                        {"'a=b'", "a=b"},
                                                        {"don't", "don't"},
                                                        {"\xe7\x8c\xab", "\xe7\x8c\xab"},
                                                        {"two words", "two words"}};
  for (const auto& [text, name] : kCases) {
    EXPECT_EQ(Good(absl::StrCat("cfps(clean, ", text, ") <= 0.2")).class_text.text, name) << text;
  }
  EXPECT_TRUE(Good("cfps(clean, '7') <= 0.2").class_text.quoted);
  EXPECT_FALSE(Good("cfps(clean, 7) <= 0.2").class_text.quoted);
  EXPECT_EQ(Good("accuracy('A (1)/fog/3') > 0").condition, "A (1)/fog/3");
}

TEST(GateExpression, CommasOfConditionsStayTheirs) {
  const GateExpression named = Good("class_accuracy(attack/pgd:norm=l2,eps=0.5, cat) > 0.1");
  EXPECT_EQ(named.condition, "attack/pgd:norm=l2,eps=0.5");
  EXPECT_EQ(named.class_text.text, "cat");
  const GateExpression radius =
      Good("certified_accuracy(smoothing/gaussian:sigma=1,n=100, 1/2) > 0");
  EXPECT_EQ(radius.condition, "smoothing/gaussian:sigma=1,n=100");
  EXPECT_EQ(radius.radius, 0.5);
  const GateExpression bounds =
      Good("certified_accuracy(bounds/crown:eps=1/255,intermediate=ibp) > 0");
  EXPECT_EQ(bounds.condition, "bounds/crown:eps=1/255,intermediate=ibp");
  EXPECT_FALSE(bounds.radius.has_value());
}

TEST(GateExpression, SlicesAreColumnsWithValues) {
  const GateExpression gate =
      Good("slice_accuracy(attack/pgd:norm=l2,eps=0.5, lighting=night) > 0");
  EXPECT_EQ(gate.condition, "attack/pgd:norm=l2,eps=0.5");
  EXPECT_EQ(gate.slice, "lighting=night");
  EXPECT_EQ(Good("slice_accuracy(clean, age=18..40) > 0").slice, "age=18..40");
  EXPECT_EQ(Good("slice_accuracy(clean, 'site=(missing)') > 0").slice, "site=(missing)");
  EXPECT_EQ(Good("slice_accuracy(clean, 'city=a, b''c') > 0").slice, "city=a, b'c");
  EXPECT_THAT(Bad("slice_accuracy(clean, night) > 0"),
              HasSubstr("at character 23: expected COLUMN=VALUE, got 'night'"));
  EXPECT_THAT(Bad("slice_accuracy(clean, city=a, b) > 0"),
              HasSubstr("what contains a comma must be quoted as a whole"));
  EXPECT_THAT(Bad("slice_accuracy(clean) > 0"), HasSubstr("expected ', COLUMN=VALUE'"));
}

TEST(GateExpression, ChecksHaveNoThreshold) {
  const GateExpression gate = Good("check(attack/pgd:steps=5, zero-gradients)");
  EXPECT_EQ(gate.check, "zero-gradients");
  EXPECT_FALSE(gate.comparison.has_value());
}

TEST(GateExpression, WhatIsMalformedIsToldByItsPlace) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "at character 1: expected a metric"},
      {"accuracy", "at character 9: expected '(' as in accuracy(CONDITION), got the end"},
      {"acuracy(clean) > 0.5",
       "at character 1: unknown metric 'acuracy'; did you mean 'accuracy'?"},
      {"zzz(clean) > 0.5", "unknown metric 'zzz'; known: accuracy, class_accuracy"},
      {"accuracy() > 0.5", "at character 10: expected a condition: accuracy(CONDITION)"},
      {"accuracy(clean > 0.5", "expected ')', got the end"},
      {"accuracy(clean) 0.5", "at character 17: expected >=, <=, > or <, got '0.5'"},
      {"accuracy(clean) == 0.5", "at character 17: expected >=, <=, > or <, got '== 0.5'"},
      {"accuracy(clean) => 0.5", "expected >=, <=, > or <"},
      {"accuracy(clean) \xe2\x89\xa5 0.5", "expected >=, <=, > or <"},
      {"accuracy(clean) >=",
       "at character 19: expected a number such as 0.45, 8/255 or 45%, or "
       "baseline, got the end"},
      {"accuracy(clean) >= half", "at character 20: expected a number"},
      {"accuracy(clean) >= 1/0", "expected a number"},
      {"accuracy(clean) >= nan", "expected a number"},
      {"accuracy(clean) >= 0.5 cats", "at character 24: expected the end, got 'cats'"},
      {"accuracy(clean) >= 0.5 and accuracy(clean) <= 1", "expected the end"},
      {"accuracy(clean) >= basline", "expected a number such as 0.45, 8/255 or 45%, or baseline"},
      {"accuracy(clean) >= baseline / 2", "at character 29: expected the end, or +, - or *"},
      {"accuracy(clean) >= baseline -", "expected a number such as 0.01 or 1%, got the end"},
      {"accuracy(clean) >= baseline * -1", "a factor must be above 0"},
      {"accuracy(clean) >= baseline - -1%", "write the sign before the number once"},
      {"cfps(clean) <= 0.2", "at character 11: expected ', a class': cfps(CONDITION, CLASS)"},
      {"cfps(attack/pgd:norm=l2,eps=1) <= 0.2",
       "at character 25: expected a class, got the parameter 'eps=1' of a condition"},
      {"cfps(clean, ) <= 0.2", "expected a class"},
      {"cfps(clean, crane (bird)) <= 0.2", "names that contain parentheses must be quoted"},
      {"cfps(clean, 'cat) <= 0.2", "at character 13: this quote is not closed"},
      {"cfps(clean, 'cat' x) <= 0.2", "expected ',' or ')' after the quoted text"},
      {"accuracy(clean, cat) > 0.5", "at character 17: expected ')': accuracy(CONDITION)"},
      {"certified_accuracy(smoothing/gaussian, -1) > 0", "a radius of at least 0"},
      {"mce(clean) <= 0.5", "expected ')': mce()"},
      {"check(clean, class-order) >= 1", "expected nothing more"},
      {"check(clean)", "expected ', the name of a check'"}};
  for (const auto& [text, message] : kCases) {
    EXPECT_THAT(Bad(text), HasSubstr(message)) << text;
    EXPECT_THAT(Bad(text), StartsWith("at character ")) << text;
  }
}

// A gate of 45 would let nothing pass, and one of mce() <= 76 everything.
TEST(GateExpression, PercentagesWithoutTheirSignAreNoticed) {
  EXPECT_THAT(Bad("accuracy(clean) >= 45"),
              HasSubstr("expected a share from 0 to 1, got 45; did you mean 45%?"));
  EXPECT_THAT(Bad("accuracy(clean) >= 145%"), HasSubstr("from 0 to 1"));
  EXPECT_THAT(Bad("accuracy(clean) >= -0.1"), HasSubstr("from 0 to 1"));
  EXPECT_THAT(Bad("mce() <= 76"), HasSubstr("did you mean 76%?"));
  EXPECT_THAT(Bad("accuracy(clean) >= baseline - 1"), HasSubstr("did you mean 1%?"));
  EXPECT_THAT(Bad("accuracy(clean) >= baseline * 90"), HasSubstr("did you mean 90%?"));
}

TEST(GateExpression, NoTextDoesHarm) {
  const std::string good = "cfps(attack/pgd:norm=l2,eps=8/255, \"a\"\"b\") >= baseline * 90%";
  for (size_t i = 0; i < good.size(); ++i) {
    (void)ParseGate(good.substr(0, i));
    (void)ParseGate(good.substr(i));
    for (const char c : std::string("('\",)%=\0\x80\xff", 10)) {
      std::string changed = good;
      changed[i] = c;
      (void)ParseGate(changed);
    }
  }
}

TEST(GateExpression, EveryMetricIsInTheManual) {
  const std::string manual = ReadFile(ASSAY_SOURCE_DIR "/docs/gates.md");
  for (const MetricRow& row : GateMetrics()) {
    EXPECT_THAT(manual, HasSubstr(absl::StrCat("| `", row.name, "("))) << row.name;
  }
}

}  // namespace
}  // namespace assay::report
