// Verdicts of gates. The ends of intervals were computed by scipy 1.17, beta.ppf, and so were the
// numbers of further samples, by trying one number after the other, and the ends of paired
// differences, by the tails of the test for one discordance rate after the other.
#include "core/report/gates.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/conditions/condition.h"
#include "core/statistics/confidence_sequence.h"
#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Of each class: right, and taken for the next one.
constexpr int kRight[] = {90, 80, 96};

// 300 samples: clean 266 right; 66 of these fooled by the attack.
v1::Report TestReport(double level = 0.95) {
  std::vector<v1::Outcome> clean = FromConfusionMatrix({{90, 10, 0}, {0, 80, 20}, {4, 0, 96}});
  std::vector<v1::Outcome> attacked;
  int fooled = 0;
  for (const v1::Outcome& one : clean) {
    const int label = one.label();
    if (one.prediction() != label) {
      attacked.push_back(NotAttacked(one.sample(), label, one.prediction()));
    } else if (fooled < 66) {
      attacked.push_back(Fooled(one.sample(), label, (label + 1) % 3, 0.01));
      ++fooled;
    } else {
      attacked.push_back(Survivor(one.sample(), label, 11, 10));
    }
  }
  ReportInput input = Input(3, {Clean(std::move(clean)), Attack(std::move(attacked))});
  input.class_names = {"cat", "wolf, grey", "dog"};
  input.confidence_level = level;
  v1::Report report = *BuildReport(input);

  v1::ConditionReport& smoothing = *report.add_conditions();
  smoothing.set_id("smoothing/gaussian/0.25");
  smoothing.set_family("smoothing");
  smoothing.set_samples(300);
  smoothing.mutable_certification()->set_mode("fixed");
  const std::pair<double, int> kCurve[] = {{0, 70}, {0.25, 55}, {0.4, 5}};
  for (const auto& [radius, count] : kCurve) {
    v1::CertifiedPoint& point = *smoothing.mutable_certification()->add_curve();
    point.set_radius(radius);
    point.mutable_accuracy()->set_value(count / 300.0);
    point.mutable_accuracy()->set_numerator(count);
    point.mutable_accuracy()->set_denominator(300);
  }
  v1::ConditionReport& bounds = *report.add_conditions();
  bounds.set_id("bounds/ibp/1-255");
  bounds.set_family("bounds");
  v1::Rate& certified = *bounds.mutable_bounds()->mutable_certified_accuracy();
  certified.set_value(0.2);
  certified.set_numerator(60);
  certified.set_denominator(300);
  v1::ConditionReport& fog = *report.add_conditions();
  fog.set_id("corruption/fog/3");
  fog.set_family("corruption");
  *fog.mutable_accuracy() = report.conditions(0).accuracy();
  report.mutable_corruption_summary()->set_mean_error(0.25);
  report.mutable_corruption_summary()->set_mce(0.76);
  return report;
}

GateResult JudgeWith(const std::string& text, const GateInput& input) {
  const auto gate = ParseGate(text);
  EXPECT_TRUE(gate.ok()) << text << ": " << gate.status();
  return gate.ok() ? JudgeGate(*gate, input) : GateResult();
}

GateResult JudgeIn(const std::string& text, const v1::Report& report) {
  return JudgeWith(text, {&report});
}

GateResult Judge(const std::string& text) { return JudgeIn(text, TestReport()); }

TEST(Gates, EveryMetricHasItsValueAndInterval) {
  struct Case {
    const char* metric;
    double value, lower, upper;
  };
  const Case kCases[] = {
      {"accuracy(clean)", 266 / 300.0, 0.845240, 0.920224},
      {"accuracy(attack/pgd:eps=8/255)", 200 / 300.0, 0.610208, 0.719795},
      {"class_accuracy(clean, cat)", 0.9, 0.823777, 0.950995},
      {"class_accuracy(clean, 'wolf, grey')", 0.8, 0.708157, 0.873344},
      {"class_accuracy(clean, 2)", 0.96, 0.900743, 0.988996},
      // 34 mistakes: 10 taken for the second class, 20 for the third and 4 for the first.
      {"cfps(clean, dog)", 20 / 34.0, 0.406969, 0.753529},
      {"success_rate(attack/pgd/linf/8-255)", 66 / 266.0, 0.197402, 0.304546},
      // Three classes at once, each at 1 - 0.05/3.
      {"min_class_accuracy(clean)", 0.8, 0.687548, 0.886383},
      {"disparity(clean)", 0.16, 0, 0.304564},
      {"certified_accuracy(smoothing/gaussian:sigma=0.25, 0.25)", 55 / 300.0, 0.141201, 0.231846},
      // Between two points: the lower end of the next, the upper end of the one before.
      {"certified_accuracy(smoothing/gaussian:sigma=0.25, 0.1)", 55 / 300.0, 0.141201, 0.285369},
      // Nothing is certified behind the end of the curve.
      {"certified_accuracy(smoothing/gaussian:sigma=0.25, 3)", 0, 0, 0.012221},
      {"certified_accuracy(bounds/ibp:eps=1/255)", 0.2, 0.156231, 0.249804}};
  for (const Case& one : kCases) {
    const GateResult result = Judge(absl::StrCat(one.metric, " >= 0.5"));
    ASSERT_TRUE(result.value.has_value() && result.interval.has_value()) << GateLine(result);
    EXPECT_NEAR(*result.value, one.value, 1e-12) << one.metric;
    EXPECT_NEAR(result.interval->lower, one.lower, 1e-6) << one.metric;
    EXPECT_NEAR(result.interval->upper, one.upper, 1e-6) << one.metric;
    EXPECT_EQ(result.threshold, 0.5);
  }
}

// accuracy(clean) is 0.8867 [0.8452, 0.9202].
TEST(Gates, AreJudgedOnTheSafeSideOfTheInterval) {
  struct Case {
    const char* comparison;
    GateVerdict verdict;
  };
  const Case kCases[] = {{">= 0.84", GateVerdict::kPassed},    {"> 0.84", GateVerdict::kPassed},
                         {">= 0.85", GateVerdict::kUndecided}, {"> 0.92", GateVerdict::kUndecided},
                         {">= 0.93", GateVerdict::kFailed},    {"> 0.93", GateVerdict::kFailed},
                         {"<= 0.93", GateVerdict::kPassed},    {"< 0.93", GateVerdict::kPassed},
                         {"<= 0.92", GateVerdict::kUndecided}, {"< 0.85", GateVerdict::kUndecided},
                         {"<= 0.84", GateVerdict::kFailed},    {"< 0.84", GateVerdict::kFailed}};
  for (const Case& one : kCases) {
    const GateResult result = Judge(absl::StrCat("accuracy(clean) ", one.comparison));
    EXPECT_EQ(result.verdict, one.verdict) << GateLine(result);
    EXPECT_EQ(result.holds, one.verdict == GateVerdict::kPassed) << GateLine(result);
  }
}

TEST(Gates, StrictOnesAreStrictAtTheEndsThemselves) {
  // No wolf was right and all cats: [0, u] and [l, 1].
  ReportInput input = Input(2, {Clean(FromConfusionMatrix({{10, 0}, {10, 0}}))});
  input.class_names = {"cat", "wolf"};
  const v1::Report report = *BuildReport(input);
  EXPECT_EQ(JudgeIn("class_accuracy(clean, wolf) >= 0", report).verdict, GateVerdict::kPassed);
  EXPECT_EQ(JudgeIn("class_accuracy(clean, wolf) > 0", report).verdict, GateVerdict::kUndecided);
  EXPECT_EQ(JudgeIn("class_accuracy(clean, wolf) < 0", report).verdict, GateVerdict::kFailed);
  EXPECT_EQ(JudgeIn("class_accuracy(clean, wolf) <= 0", report).verdict, GateVerdict::kUndecided);
  EXPECT_EQ(JudgeIn("class_accuracy(clean, cat) >= 1", report).verdict, GateVerdict::kUndecided);
  EXPECT_EQ(JudgeIn("class_accuracy(clean, cat) <= 1", report).verdict, GateVerdict::kPassed);
  EXPECT_EQ(JudgeIn("class_accuracy(clean, cat) < 1", report).verdict, GateVerdict::kUndecided);
  EXPECT_EQ(JudgeIn("class_accuracy(clean, cat) > 1", report).verdict, GateVerdict::kFailed);
}

TEST(Gates, TheLevelIsTheReports) {
  EXPECT_EQ(JudgeIn("accuracy(clean) >= 0.86", TestReport(0.5)).verdict, GateVerdict::kPassed);
  EXPECT_EQ(JudgeIn("accuracy(clean) >= 0.84", TestReport(0.999)).verdict, GateVerdict::kUndecided);
}

TEST(Gates, UndecidedSaysHowManySamplesWouldDecide) {
  EXPECT_EQ(Judge("accuracy(clean) >= 0.88").more_samples, 8868);
  EXPECT_EQ(Judge("accuracy(clean) >= 0.9").more_samples, 1773);
  EXPECT_EQ(Judge("class_accuracy(clean, cat) >= 0.85").more_samples, 102);
  EXPECT_THAT(Judge("accuracy(clean) >= 0.88").why,
              HasSubstr("about 8,868 more samples would decide it"));
  EXPECT_THAT(Judge("class_accuracy(clean, cat) >= 0.85").why,
              HasSubstr("more samples of the class would decide it"));
  EXPECT_THAT(Judge("cfps(clean, dog) <= 0.5").why, HasSubstr("more misclassified samples"));
  EXPECT_THAT(Judge("accuracy(clean) >= 0.88666").why, HasSubstr("more than 10 million samples"));
  const GateResult equal = Judge("class_accuracy(clean, cat) >= 90%");
  EXPECT_THAT(equal.why, HasSubstr("no number of samples decides it"));
  EXPECT_FALSE(equal.more_samples.has_value());
}

// Between two radii the limits are 55 and 70 of 300.
TEST(Gates, UndecidedSaysWhereOnlyAnotherRadiusCouldBeDecided) {
  const std::string gate = "certified_accuracy(smoothing/gaussian:sigma=0.25, 0.1) >= ";
  constexpr char kNever[] = "no number of samples decides it: ask for a radius of the curve";
  const v1::Report report = TestReport();
  for (const GateResult& result :
       {JudgeIn(gate + "0.2", report), JudgeWith(gate + "baseline - 1%", {&report, &report})}) {
    EXPECT_EQ(result.verdict, GateVerdict::kUndecided) << GateLine(result);
    EXPECT_THAT(result.why, HasSubstr(kNever));
    EXPECT_FALSE(result.more_samples.has_value());
  }
  EXPECT_TRUE(JudgeIn(gate + "0.15", report).more_samples.has_value());
  EXPECT_TRUE(JudgeIn(gate + "0.25", report).more_samples.has_value());
}

TEST(Gates, UndecidedPassesWhereThatIsAsked) {
  const v1::Report report = TestReport();
  GateInput input{&report};
  EXPECT_FALSE(JudgeWith("accuracy(clean) >= 0.9", input).holds);
  input.undecided_passes = true;
  EXPECT_TRUE(JudgeWith("accuracy(clean) >= 0.9", input).holds);
  EXPECT_FALSE(JudgeWith("accuracy(clean) >= 0.99", input).holds);
}

TEST(Gates, WhatIsUndefinedIsUndecided) {
  ReportInput input = Input(3, {Clean(FromConfusionMatrix({{5, 0, 0}, {0, 5, 0}}))});
  input.class_names = {"cat", "wolf", "dog"};
  const v1::Report report = *BuildReport(input);
  const GateResult cfps = JudgeIn("cfps(clean, cat) <= 0.5", report);
  EXPECT_EQ(cfps.verdict, GateVerdict::kUndecided);
  EXPECT_EQ(cfps.why, "undefined: no sample was taken for another class");
  EXPECT_FALSE(cfps.value.has_value());
  EXPECT_THAT(JudgeIn("class_accuracy(clean, dog) > 0", report).why,
              HasSubstr("the class has no samples"));
  // The other two decide, and that one is left out is said.
  EXPECT_THAT(JudgeIn("min_class_accuracy(clean) > 0.1", report).why,
              HasSubstr("without samples, and not in it: 1 of 3 classes"));
  v1::Report summary = TestReport();
  summary.mutable_corruption_summary()->clear_mce();
  EXPECT_EQ(JudgeIn("mce() <= 0.9", summary).verdict, GateVerdict::kUndecided);
}

// 100 samples of each class: the first 90, 80 and 96 are right.
TEST(Gates, SlicesAreJudgedLikeTheRest) {
  const auto report_of = [](const std::string& evaluation, int right_of_first) {
    ReportInput input =
        Input(3, {Clean(FromConfusionMatrix(
                     {{right_of_first, 100 - right_of_first, 0}, {0, 80, 20}, {4, 0, 96}}))});
    input.evaluation = evaluation;
    std::vector<std::string> thirds;
    for (int i = 0; i < 300; ++i) thirds.push_back(i < 3 ? "" : i < 100 ? "first" : "rest");
    input.columns = {Texts("third", thirds)};
    return *BuildReport(input);
  };
  const v1::Report report = report_of("evaluations/e", 90);
  const GateResult first = JudgeIn("slice_accuracy(clean, third=first) >= 0.8", report);
  EXPECT_EQ(first.verdict, GateVerdict::kPassed);
  // scipy 1.17: beta.ppf(0.025, 87, 11), beta.ppf(0.975, 88, 10).
  EXPECT_NEAR(*first.value, 87 / 97.0, 1e-12);
  EXPECT_NEAR(first.interval->lower, 0.8185711466, 1e-9);
  EXPECT_NEAR(first.interval->upper, 0.9494447136, 1e-9);
  // Few samples decide nothing by themselves, and the interval says so.
  const GateResult few = JudgeIn("slice_accuracy(clean, 'third=(missing)') >= 0.5", report);
  EXPECT_EQ(few.verdict, GateVerdict::kUndecided);
  EXPECT_EQ(few.value, 1);
  EXPECT_GT(*few.more_samples, 0);
  EXPECT_THAT(JudgeIn("slice_accuracy(clean, third=firs) >= 0.5", report).why,
              HasSubstr("did you mean 'first'?"));
  EXPECT_THAT(JudgeIn("slice_accuracy(clean, forth=first) >= 0.5", report).why,
              HasSubstr("has no column 'forth'"));

  const v1::Report before = report_of("evaluations/before", 50);
  GateInput input{&report, &before};
  const GateResult against =
      JudgeWith("slice_accuracy(clean, third=first) >= baseline - 0.01", input);
  EXPECT_EQ(against.verdict, GateVerdict::kPassed) << GateLine(against);
  EXPECT_EQ(against.method, "separate");
  // A report of before there were slices.
  v1::Report old = before;
  for (v1::ConditionReport& condition : *old.mutable_conditions()) condition.clear_slices();
  input.baseline = &old;
  EXPECT_THAT(JudgeWith("slice_accuracy(clean, third=first) >= baseline - 0.01", input).why,
              HasSubstr("the baseline has no column 'third' to have slices by; there are none"));
}

// A slice that is in no report is undefined, not wrong.
TEST(Gates, ConfidenceWithoutACleanConditionIsUndefined) {
  ReportInput input = Input(2, {Attack({Survivor(0, 0, 3, 2)})});
  const GateResult result =
      JudgeIn("slice_accuracy(attack/pgd, confidence=0..1) >= 0.5", *BuildReport(input));
  EXPECT_EQ(result.verdict, GateVerdict::kUndecided);
  EXPECT_THAT(result.why, HasSubstr("does not have the condition clean"));
}

TEST(Gates, CorruptionErrorsAreJudgedByTheirValues) {
  EXPECT_EQ(Judge("mce() <= 0.76").verdict, GateVerdict::kPassed);
  EXPECT_EQ(Judge("mce() < 0.76").verdict, GateVerdict::kFailed);
  EXPECT_EQ(Judge("mean_corruption_error() <= 20%").verdict, GateVerdict::kFailed);
  EXPECT_THAT(Judge("mce() <= 0.76").why, HasSubstr("it has no interval"));
}

TEST(Gates, ChecksPassOrDoNot) {
  v1::Report report = TestReport();
  v1::ConditionReport& attack = *report.mutable_conditions(1);
  attack.mutable_attack()->clear_checks();
  v1::Check& check = *attack.mutable_attack()->add_checks();
  check.set_name("zero-gradients");
  check.set_message("what was seen");
  const std::pair<v1::Check::Verdict, GateVerdict> kCases[] = {
      {v1::Check::PASSED, GateVerdict::kPassed},
      {v1::Check::NOT_APPLICABLE, GateVerdict::kPassed},
      {v1::Check::WARNING, GateVerdict::kFailed},
      {v1::Check::FAILED, GateVerdict::kFailed}};
  for (const auto& [verdict, expected] : kCases) {
    attack.mutable_attack()->mutable_checks(0)->set_verdict(verdict);
    const GateResult result = JudgeIn("check(attack/pgd, zero-gradients)", report);
    EXPECT_EQ(result.verdict, expected);
    EXPECT_EQ(result.why, absl::StrCat(v1::Check::Verdict_Name(verdict), ": what was seen"));
  }
  attack.mutable_attack()->clear_checks();
  EXPECT_EQ(JudgeIn("check(attack/pgd, zero-gradients)", report).verdict, GateVerdict::kUndecided);
}

// Samples that came first are no random choice.
TEST(Gates, NothingIsDecidedWhileSamplesAreMissing) {
  v1::Report report = TestReport();
  report.mutable_conditions(0)->set_missing(1200);
  for (const char* gate : {"accuracy(clean) >= 0.1", "accuracy(clean) <= 0.1",
                           "check(clean, class-order)", "mce() <= 0.9"}) {
    const GateResult result = JudgeIn(gate, report);
    EXPECT_EQ(result.verdict, GateVerdict::kUndecided) << gate;
    EXPECT_EQ(result.why, "still missing: 1,200 samples") << gate;
  }
  EXPECT_EQ(JudgeIn("accuracy(attack/pgd) >= 0.1", report).verdict, GateVerdict::kPassed);
}

TEST(Gates, WhatIsNotThereIsAnErrorThatHoldsNothingUp) {
  const GateResult result = Judge("class_accuracy(clean, cot) >= 0.5");
  EXPECT_EQ(result.verdict, GateVerdict::kError);
  EXPECT_FALSE(result.holds);
  EXPECT_FALSE(result.error.ok());
  EXPECT_THAT(result.why, HasSubstr("did you mean 'cat'?"));
}

TEST(Gates, LinesTellEverything) {
  EXPECT_EQ(GateLine(Judge("accuracy(clean) >= 0.84")),
            "PASSED accuracy(clean) >= 0.84: 0.8867 [0.8452, 0.9202]; the lower end is at least "
            "the threshold");
  EXPECT_THAT(GateLine(Judge("min_class_accuracy(clean) >= 0.9")),
              AllOf(StartsWith("FAILED min_class_accuracy(clean) >= 0.9: 0.8 [0.6875, 0.8864]; "),
                    HasSubstr("(worst is 'wolf, grey')")));
}

// --- against a baseline

// Both of three classes of 100 samples, of which the first `right` are right.
std::vector<SampleResult> Results(const int (&right)[3]) {
  std::vector<SampleResult> results;
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 100; ++i) results.push_back({c * 100 + i, c, i < right[c], 0});
  }
  return results;
}

// 280 of 300 right.
v1::Report BaselineReport() {
  ReportInput input = Input(3, {Clean(FromConfusionMatrix({{92, 8, 0}, {0, 90, 10}, {2, 0, 98}}))});
  input.evaluation = "evaluations/before";
  input.class_names = {"cat", "wolf, grey", "dog"};
  return *BuildReport(input);
}

TEST(GatesAgainstABaseline, PairedSamplesDecideWhatSeparateIntervalsCannot) {
  const v1::Report report = TestReport(), baseline = BaselineReport();
  GateInput input{&report, &baseline};
  // The same 266 are right, and 14 more in the baseline: [-0.0821, -0.0089] if paired, and by two
  // intervals at 97.5 % [-0.1226, 0.0306].
  const GateResult separate = JudgeWith("accuracy(clean) >= baseline", input);
  EXPECT_EQ(separate.verdict, GateVerdict::kUndecided);
  EXPECT_EQ(separate.method, "separate");
  EXPECT_NEAR(separate.difference_interval->lower, -0.122633, 1e-6);
  EXPECT_NEAR(separate.difference_interval->upper, 0.030640, 1e-6);
  EXPECT_THAT(separate.why, HasSubstr("by separate intervals, not paired"));
  input.pairs["clean"] = {Results(kRight), Results({92, 90, 98})};
  const GateResult paired = JudgeWith("accuracy(clean) >= baseline", input);
  EXPECT_EQ(paired.verdict, GateVerdict::kFailed);
  EXPECT_EQ(paired.method, "paired");
  EXPECT_NEAR(*paired.difference, -14 / 300.0, 1e-12);
  EXPECT_NEAR(paired.difference_interval->lower, -0.082103, 1e-4);
  EXPECT_NEAR(paired.difference_interval->upper, -0.008871, 1e-4);
  EXPECT_NEAR(*paired.threshold, 280 / 300.0, 1e-12);
  EXPECT_THAT(paired.why, HasSubstr("paired on 300 samples, 0 right only here and 14 only in the "
                                    "baseline"));
  EXPECT_EQ(JudgeWith("accuracy(clean) >= baseline - 10%", input).verdict, GateVerdict::kPassed);
  EXPECT_EQ(JudgeWith("accuracy(clean) >= baseline - 5%", input).verdict, GateVerdict::kUndecided);
  EXPECT_THAT(JudgeWith("accuracy(clean) >= baseline - 5%", input).why,
              HasSubstr("more samples, in both, would decide it"));
}

TEST(GatesAgainstABaseline, ClassesPairTheirOwnSamples) {
  const v1::Report report = TestReport(), baseline = BaselineReport();
  GateInput input{&report, &baseline};
  input.pairs["clean"] = {Results(kRight), Results({92, 90, 98})};
  const GateResult result =
      JudgeWith("class_accuracy(clean, 'wolf, grey') >= baseline + 1%", input);
  EXPECT_THAT(result.why, HasSubstr("paired on 100 samples, 0 right only here and 10 only"));
  EXPECT_EQ(result.verdict, GateVerdict::kFailed);
}

// Half of the width is 1.96 * sqrt(0.8 / n), and a little more: 31,400 samples bring it to 0.01.
TEST(GatesAgainstABaseline, FewPairedSamplesSayHowManyWouldDecide) {
  ReportInput condition = Input(2, {Clean(FromConfusionMatrix({{5, 5}, {0, 10}}))});
  condition.class_names = {"cat", "dog"};
  const v1::Report report = *BuildReport(condition);
  GateInput input{&report, &report};
  SamplePairs& pairs = input.pairs["clean"];
  for (int i = 0; i < 10; ++i) {
    pairs.here.push_back({i, 0, i < 5, 0});
    pairs.baseline.push_back({i, 0, i == 0 || (i >= 5 && i < 9), 0});
  }
  const GateResult result = JudgeWith("class_accuracy(clean, cat) >= baseline - 0.01", input);
  EXPECT_EQ(result.verdict, GateVerdict::kUndecided);
  EXPECT_THAT(result.why, HasSubstr("4 right only here and 4 only in the baseline"));
  ASSERT_TRUE(result.more_samples.has_value()) << result.why;
  EXPECT_GT(*result.more_samples, 31'000);
  EXPECT_LT(*result.more_samples, 32'000);
}

// 0.1 is no radius of the curve: the report knows only that 55 to 70 are certified there.
TEST(GatesAgainstABaseline, PairedCertificatesAreCountedAtTheRadiusItself) {
  const v1::Report report = TestReport();
  GateInput input{&report, &report};
  SamplePairs& pairs = input.pairs["smoothing/gaussian/0.25"];
  for (int i = 0; i < 300; ++i) {
    pairs.here.push_back({i, i / 100, i < 70, i < 59 ? 0.25 : i == 59 ? 0.1 - 5e-10 : 0.05});
    pairs.baseline.push_back({i, i / 100, i < 70, i < 58 ? 0.25 : 0.05});
  }
  const GateResult result =
      JudgeWith("certified_accuracy(smoothing/gaussian:sigma=0.25, 0.1) >= baseline - 10%", input);
  EXPECT_EQ(result.method, "paired");
  EXPECT_EQ(result.value, 60 / 300.0);
  EXPECT_NEAR(result.interval->lower, 0.156231, 1e-6);
  EXPECT_NEAR(result.interval->upper, 0.249804, 1e-6);
  EXPECT_EQ(result.baseline, 58 / 300.0);
  EXPECT_NEAR(*result.difference, 2 / 300.0, 1e-15);
  EXPECT_NEAR(*result.threshold, 58 / 300.0 - 0.1, 1e-15);
  EXPECT_THAT(result.why, Not(HasSubstr("between the radii")));
}

TEST(GatesAgainstABaseline, OtherSamplesAreNotPaired) {
  const v1::Report report = TestReport(), baseline = BaselineReport();
  GateInput input{&report, &baseline};
  SamplePairs& pairs = input.pairs["clean"];
  pairs = {Results(kRight), Results({92, 90, 98})};
  pairs.baseline[7].label = 2;
  EXPECT_EQ(JudgeWith("accuracy(clean) >= baseline", input).method, "separate");
  pairs.baseline.resize(299);
  EXPECT_EQ(JudgeWith("accuracy(clean) >= baseline", input).method, "separate");
}

TEST(GatesAgainstABaseline, FactorsCompareSeparateIntervals) {
  const v1::Report report = TestReport(), baseline = BaselineReport();
  GateInput input{&report, &baseline};
  input.pairs["clean"] = {Results(kRight), Results({92, 90, 98})};
  const GateResult result = JudgeWith("accuracy(clean) >= baseline * 0.9", input);
  EXPECT_EQ(result.method, "separate");
  EXPECT_NEAR(*result.threshold, 0.84, 1e-12);
  EXPECT_NEAR(result.difference_interval->lower, -0.026462, 1e-6);
  EXPECT_NEAR(result.difference_interval->upper, 0.120008, 1e-6);
  EXPECT_EQ(JudgeWith("accuracy(clean) >= baseline * 0.8", input).verdict, GateVerdict::kPassed);
}

TEST(GatesAgainstABaseline, AllMetricsHaveOne) {
  const v1::Report report = TestReport();
  for (const char* metric : {"cfps(clean, dog)", "min_class_accuracy(clean)", "disparity(clean)",
                             "success_rate(attack/pgd)", "certified_accuracy(bounds/ibp:eps=1/255)",
                             "certified_accuracy(smoothing/gaussian:sigma=0.25, 0.25)", "mce()",
                             "mean_corruption_error()"}) {
    const GateResult result =
        JudgeWith(absl::StrCat(metric, " <= baseline + 90%"), {&report, &report});
    EXPECT_EQ(result.verdict, GateVerdict::kPassed) << GateLine(result);
    EXPECT_EQ(result.difference, 0) << GateLine(result);
  }
  EXPECT_EQ(JudgeWith("mce() <= baseline", {&report, &report}).verdict, GateVerdict::kPassed);
  EXPECT_EQ(JudgeWith("mce() < baseline", {&report, &report}).verdict, GateVerdict::kFailed);
}

TEST(GatesAgainstABaseline, WhatCannotBeComparedIsAnError) {
  const v1::Report report = TestReport();
  v1::Report baseline = BaselineReport();
  EXPECT_THAT(JudgeIn("accuracy(clean) >= baseline", report).why, HasSubstr("give --baseline"));
  EXPECT_THAT(JudgeWith("accuracy(attack/pgd) >= baseline", {&report, &baseline}).why,
              HasSubstr("the baseline has no condition 'attack/pgd/linf/8-255'"));
  baseline.set_class_names(0, "hat");
  EXPECT_THAT(JudgeWith("accuracy(clean) >= baseline", {&report, &baseline}).why,
              HasSubstr("has other classes"));
  baseline.set_dataset("datasets/other");
  const GateResult result = JudgeWith("accuracy(clean) >= baseline", {&report, &baseline});
  EXPECT_THAT(result.why,
              HasSubstr("evaluations/before is of datasets/other, and this is of datasets/d"));
  EXPECT_EQ(result.verdict, GateVerdict::kError);
  // A gate that does not speak of the baseline does not mind.
  EXPECT_EQ(JudgeWith("accuracy(clean) >= 0.5", {&report, &baseline}).verdict,
            GateVerdict::kPassed);
}

// Of a ready-made set under the same name.
TEST(GatesAgainstABaseline, ConditionsOfOtherDataAreAnError) {
  v1::Report report = TestReport(), baseline = TestReport();
  const auto set_dataset = [](const char* dataset, v1::Report* of) {
    (*of->mutable_conditions(4)->mutable_parameters())["dataset"] = dataset;
  };
  const char* const fog = "accuracy(corruption/fog:severity=3) >= baseline - 90%";
  set_dataset("datasets/here", &report);
  EXPECT_EQ(JudgeWith(fog, {&report, &baseline}).verdict, GateVerdict::kPassed);
  set_dataset("datasets/here", &baseline);
  EXPECT_EQ(JudgeWith(fog, {&report, &baseline}).verdict, GateVerdict::kPassed);
  set_dataset("datasets/there", &baseline);
  for (const char* gate : {fog, "mce() <= baseline"}) {
    const GateResult result = JudgeWith(gate, {&report, &baseline});
    EXPECT_EQ(result.verdict, GateVerdict::kError) << GateLine(result);
    EXPECT_THAT(result.why, HasSubstr("is of datasets/there, and this is of datasets/here"));
  }
  EXPECT_EQ(JudgeWith("accuracy(clean) >= baseline - 90%", {&report, &baseline}).verdict,
            GateVerdict::kPassed);
}

// It may be a file that somebody has edited.
TEST(GatesAgainstABaseline, NoBaselineDoesHarm) {
  const v1::Report report = TestReport();
  v1::Report baseline = BaselineReport();
  baseline.mutable_conditions(0)->clear_classes();
  baseline.mutable_conditions(0)->mutable_accuracy()->set_numerator(301);
  for (const char* gate : {"accuracy(clean) >= baseline", "cfps(clean, dog) <= baseline",
                           "min_class_accuracy(clean) >= baseline"}) {
    const GateResult result = JudgeWith(gate, {&report, &baseline});
    EXPECT_EQ(result.verdict, GateVerdict::kUndecided) << GateLine(result);
    EXPECT_THAT(result.why, StartsWith("undefined in the baseline: ")) << GateLine(result);
  }
}

TEST(GatesAgainstABaseline, CountsThatAreNoSharesAreUndefined) {
  const v1::Report report = TestReport();
  for (const int64_t numerator : {-1, 301}) {
    v1::Report baseline = TestReport();
    baseline.mutable_conditions(0)->mutable_classes(0)->mutable_accuracy()->set_numerator(
        numerator);
    baseline.mutable_conditions(2)
        ->mutable_certification()
        ->mutable_curve(1)
        ->mutable_accuracy()
        ->set_numerator(numerator);
    for (const char* gate :
         {"class_accuracy(clean, cat) >= baseline", "min_class_accuracy(clean) >= baseline",
          "disparity(clean) <= baseline",
          "certified_accuracy(smoothing/gaussian:sigma=0.25, 0.25) >= baseline"}) {
      const GateResult result = JudgeWith(gate, {&report, &baseline});
      EXPECT_EQ(result.verdict, GateVerdict::kUndecided) << GateLine(result);
      EXPECT_THAT(result.why, StartsWith("undefined in the baseline: ")) << GateLine(result);
    }
  }
}

TEST(GatesAgainstABaseline, ABaselineThatIsNotCompleteDecidesNothing) {
  const v1::Report report = TestReport();
  v1::Report baseline = BaselineReport();
  baseline.mutable_conditions(0)->set_missing(5);
  EXPECT_THAT(JudgeWith("accuracy(clean) >= baseline - 90%", {&report, &baseline}).why,
              HasSubstr("still missing: 5 samples"));
}

TEST(GatesAgainstABaseline, OnlyWhatCanBePairedIsAskedFor) {
  std::vector<GateExpression> gates;
  for (const char* text : {"accuracy(clean) >= baseline", "class_accuracy(clean, 0) >= baseline",
                           "accuracy(attack/pgd) >= 0.5", "success_rate(attack/pgd) <= baseline",
                           "certified_accuracy(smoothing/gaussian:sigma=0.25, 0.1) >= baseline",
                           "accuracy(corruption/fog:severity=3) >= baseline * 0.9"}) {
    gates.push_back(*ParseGate(text));
  }
  EXPECT_THAT(ConditionsToPair(gates, TestReport()),
              ElementsAre("clean", "smoothing/gaussian/0.25"));
}

// --- sample by sample

TEST(SampleResults, AreThoseThatTheReportCounts) {
  const ReportInput input =
      Input(2, {Clean({Predicted(3, 0, 0), Predicted(1, 1, 0), Tied(0, 1, 1), Undecided(2, 0)})});
  const auto results = SampleResults(input.conditions[0], "clean", input);
  ASSERT_TRUE(results.ok()) << results.status();
  std::vector<bool> correct;
  for (const SampleResult& one : *results) correct.push_back(one.correct);
  EXPECT_THAT(correct, ElementsAre(false, false, false, true));
}

TEST(SampleResults, OfADistanceAreThoseOfTheBudget) {
  const auto conditions = ParseConditions({"attack/fmn:eps=4/255+8/255"});
  ASSERT_TRUE(conditions.ok());
  ConditionOutcomes run =
      Attack({Fooled(0, 0, 1, 0.001), Fooled(1, 0, 1, 0.02), Survivor(2, 1, 5, 4)});
  run.condition = conditions->at(0);
  const ReportInput input = Input(2, {run});
  const auto right = [&](const char* id) {
    int64_t count = 0;
    const auto results = SampleResults(run, id, input);
    EXPECT_TRUE(results.ok()) << results.status();
    if (results.ok()) {
      count = std::count_if(results->begin(), results->end(),
                            [](const SampleResult& one) { return one.correct; });
    }
    return count;
  };
  EXPECT_EQ(right("attack/fmn/linf/4-255"), 2);
  EXPECT_EQ(right("attack/fmn/linf/8-255"), 1);
  EXPECT_FALSE(SampleResults(run, "attack/fmn/linf/1-255", input).ok());
}

TEST(SampleResults, OfSmoothingHaveRadii) {
  const ReportInput input =
      Input(2, {Smoothing("0.5", 10, 100, "0.01",
                          {Smoothed(0, 0, {10}, {100}), Smoothed(1, 0, {5, 5}, {55, 45})})});
  const auto results = SampleResults(input.conditions[0], "smoothing/gaussian/0.5", input);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_TRUE(results->at(0).correct);
  // 0.5 * norm.ppf(0.01 ** (1 / 100)), scipy.
  EXPECT_NEAR(results->at(0).radius, 0.8476597, 1e-6);
  EXPECT_FALSE(results->at(1).correct);
}

// --- evaluations that were to stop when decided

GateResult JudgeStopping(const std::string& text, const v1::Evaluation& evaluation,
                         const v1::Report& report) {
  const auto gate = ParseGate(text);
  EXPECT_TRUE(gate.ok()) << gate.status();
  GateInput input;
  input.report = &report;
  input.stopping = &evaluation;
  return gate.ok() ? JudgeGate(*gate, input) : GateResult();
}

v1::Decision::Gate& AddDecided(const std::string& text, const char* verdict, double lower,
                               double upper, v1::Evaluation* evaluation) {
  evaluation->mutable_spec()->mutable_stop_when_decided()->add_gates(text);
  v1::Decision::Gate& gate = *evaluation->mutable_decision()->add_gates();
  gate.set_expression(text);
  gate.set_verdict(verdict);
  gate.set_samples(120);
  gate.set_lower(lower);
  gate.set_upper(upper);
  return gate;
}

TEST(EarlyGates, AreJudgedByTheDecisionAndByNothingElse) {
  v1::Report report = TestReport();
  v1::Evaluation evaluation;
  // The report's own interval would say something else about each of these.
  AddDecided("accuracy(clean) >= 0.95", "passed", 0.96, 0.99, &evaluation);
  AddDecided("accuracy(clean) >= 0.1", "failed", 0.01, 0.09, &evaluation);
  AddDecided("accuracy(clean) > 0.2", "undecided", 0.1, 0.99, &evaluation);
  const GateResult passed = JudgeStopping("accuracy(clean) >= 0.95", evaluation, report);
  EXPECT_EQ(passed.verdict, GateVerdict::kPassed);
  EXPECT_TRUE(passed.holds);
  EXPECT_DOUBLE_EQ(passed.interval->lower, 0.96);
  EXPECT_EQ(passed.why,
            "the lower end is at least the threshold, after 120 samples in random order, by a "
            "confidence sequence");
  EXPECT_EQ(JudgeStopping("accuracy(clean) >= 0.1", evaluation, report).verdict,
            GateVerdict::kFailed);
  EXPECT_EQ(JudgeStopping("accuracy(clean) > 0.2", evaluation, report).verdict,
            GateVerdict::kUndecided);
  // However they are written.
  for (const char* same : {"accuracy( clean )>20%", "accuracy(clean) > 0.20"}) {
    EXPECT_EQ(JudgeStopping(same, evaluation, report).verdict, GateVerdict::kUndecided) << same;
  }
  EXPECT_EQ(JudgeStopping("accuracy(clean) >= 0.2", evaluation, report).verdict,
            GateVerdict::kPassed);
  // One that was not watched has an interval where all samples are there.
  EXPECT_EQ(JudgeStopping("accuracy(clean) > 0.3", evaluation, report).verdict,
            GateVerdict::kPassed);
  report.set_samples_allowed(5000);
  const GateResult other = JudgeStopping("accuracy(clean) > 0.3", evaluation, report);
  EXPECT_EQ(other.verdict, GateVerdict::kUndecided);
  EXPECT_FALSE(other.interval.has_value());
  EXPECT_THAT(other.why, HasSubstr("the evaluation stopped early"));
  EXPECT_EQ(JudgeStopping("accuracy(clean) >= 0.95", evaluation, report).verdict,
            GateVerdict::kPassed);
  // At another level it was not decided.
  report.set_confidence_level(0.99);
  const GateResult level = JudgeStopping("accuracy(clean) >= 0.95", evaluation, report);
  EXPECT_EQ(level.verdict, GateVerdict::kError);
  EXPECT_THAT(level.why, HasSubstr("ask for the level 0.95"));
}

TEST(EarlyGates, ThatStayUndecidedTellHowManyMoreSamplesWould) {
  const v1::Report report = TestReport();
  v1::Evaluation evaluation;
  // 266 of 300 right, which is 0.8867.
  AddDecided("accuracy(clean) >= 0.85", "undecided", 0.82, 0.93, &evaluation);
  const GateResult result = JudgeStopping("accuracy(clean) >= 0.85", evaluation, report);
  ASSERT_TRUE(result.more_samples.has_value()) << result.why;
  const int64_t all = 300 + *result.more_samples;
  const auto lower = [](int64_t n) {
    const double right = 266.0 / 300 * static_cast<double>(n);
    return SequenceLower(static_cast<int64_t>(right + 0.5), n, 0.025);
  };
  EXPECT_GE(lower(all), 0.85);
  EXPECT_LT(lower(all - 10), 0.85);
  EXPECT_THAT(result.why, HasSubstr("a confidence sequence over all samples"));
}

TEST(EarlyGates, AReportOfOneThatStoppedEarlyIsNoBaseline) {
  const v1::Report report = TestReport();
  v1::Report baseline = report;
  baseline.set_samples_allowed(5000);
  const auto gate = ParseGate("accuracy(clean) >= baseline - 0.9");
  ASSERT_TRUE(gate.ok());
  GateInput input;
  input.report = &report;
  input.baseline = &baseline;
  const GateResult result = JudgeGate(*gate, input);
  EXPECT_EQ(result.verdict, GateVerdict::kUndecided);
  EXPECT_THAT(result.why, HasSubstr("the baseline stopped early"));
}

}  // namespace
}  // namespace assay::report
