// Accuracy proven by bounds, counted by hand.
#include <limits>

#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

v1::Outcome Bounded(int64_t sample, int label, int prediction, bool certified, double margin) {
  v1::Outcome outcome = Predicted(sample, label, prediction);
  outcome.mutable_bounds()->set_certified(certified);
  outcome.mutable_bounds()->set_margin(margin);
  return outcome;
}

ConditionOutcomes Bounds(std::vector<v1::Outcome> outcomes) {
  ConditionOutcomes condition;
  condition.condition.set_id("bounds/ibp/2-255");
  condition.condition.set_family("bounds");
  condition.condition.set_method("ibp");
  (*condition.condition.mutable_parameters())["eps"] = "2/255";
  condition.outcomes = std::move(outcomes);
  return condition;
}

TEST(BoundsReport, CertifiedAccuracyCountsWhatIsRightAndProven) {
  std::vector<v1::Outcome> outcomes = {Bounded(0, 0, 0, true, 0.5), Bounded(1, 0, 0, false, -1),
                                       Bounded(2, 0, 1, true, -3), Bounded(3, 1, 1, true, 0.25),
                                       Bounded(4, 1, 1, true, 1)};
  outcomes[0].mutable_bounds()->set_tightness(0.5);
  outcomes[3].mutable_bounds()->set_tightness(0.25);
  const v1::ConditionReport report = OnlyCondition(Input(3, {Bounds(outcomes)}));
  EXPECT_EQ(report.correct(), 4);
  const v1::BoundsReport& bounds = report.bounds();
  EXPECT_EQ(bounds.method(), "ibp");
  EXPECT_DOUBLE_EQ(bounds.eps(), 2.0 / 255);
  EXPECT_EQ(bounds.certified(), 4);
  EXPECT_EQ(bounds.certified_accuracy().numerator(), 3);
  EXPECT_EQ(bounds.certified_accuracy().denominator(), 5);
  EXPECT_LT(bounds.certified_accuracy().lower(), 0.6);
  EXPECT_DOUBLE_EQ(bounds.mean_margin(), (0.5 - 1 - 3 + 0.25 + 1) / 5);
  EXPECT_DOUBLE_EQ(bounds.median_margin(), 0.25);
  EXPECT_DOUBLE_EQ(bounds.mean_tightness(), 0.375);
  ASSERT_EQ(bounds.classes_size(), 3);
  EXPECT_EQ(bounds.classes(0).certified_accuracy().numerator(), 1);
  EXPECT_EQ(bounds.classes(0).certified_accuracy().denominator(), 3);
  EXPECT_DOUBLE_EQ(bounds.classes(0).median_margin(), -1);
  EXPECT_EQ(bounds.classes(1).certified_accuracy().numerator(), 2);
  EXPECT_EQ(bounds.classes(2).certified_accuracy().undefined_reason(), "the class has no samples");
}

TEST(BoundsReport, SlicesHaveWhatIsProvenAtTheBudget) {
  ReportInput input =
      Input(2, {Bounds({Bounded(0, 0, 0, true, 0.5), Bounded(1, 0, 0, false, -1),
                        Bounded(2, 0, 1, true, -3), Bounded(3, 1, 1, true, 0.25)})});
  input.columns = {Texts("part", {"a", "a", "a", "b"})};
  const v1::ConditionReport report = OnlyCondition(input);
  const v1::Slice& first = report.slices(0).slices(0);
  EXPECT_EQ(first.value(), "a");
  ASSERT_EQ(first.certified_accuracy_size(), 1);
  EXPECT_DOUBLE_EQ(first.certified_accuracy(0).radius(), 2.0 / 255);
  EXPECT_EQ(first.certified_accuracy(0).accuracy().numerator(), 1);
  EXPECT_EQ(first.certified_accuracy(0).accuracy().denominator(), 3);
  EXPECT_EQ(report.slices(0).slices(1).certified_accuracy(0).accuracy().numerator(), 1);
}

TEST(BoundsReport, UndecidedSamplesCountAgainstAccuracyAndHaveNoMargin) {
  v1::Outcome undecided = Undecided(1, 0);
  undecided.mutable_bounds()->set_margin(std::numeric_limits<double>::lowest());
  const v1::BoundsReport bounds =
      OnlyCondition(Input(2, {Bounds({Bounded(0, 0, 0, true, 2), undecided})})).bounds();
  EXPECT_EQ(bounds.certified_accuracy().numerator(), 1);
  EXPECT_EQ(bounds.certified_accuracy().denominator(), 2);
  EXPECT_DOUBLE_EQ(bounds.mean_margin(), 2);
  EXPECT_FALSE(bounds.has_mean_tightness());
}

TEST(BoundsReport, OutcomesThatContradictThemselvesAreRefused) {
  v1::Outcome tied = Tied(0, 0, 0);
  tied.mutable_bounds()->set_certified(true);
  v1::Outcome tight = Bounded(0, 0, 0, false, -1);
  tight.mutable_bounds()->set_tightness(1.5);
  for (const v1::Outcome& outcome :
       {Predicted(0, 0, 0), Bounded(0, 0, 0, true, -0.5),
        Bounded(0, 0, 0, false, std::numeric_limits<double>::quiet_NaN()), tied, tight}) {
    EXPECT_FALSE(BuildReport(Input(2, {Bounds({outcome})})).ok()) << outcome.DebugString();
  }
}

}  // namespace
}  // namespace assay::report
