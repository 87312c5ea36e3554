#include "core/report/early_decision.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/sample_order.h"
#include "core/conditions/condition.h"
#include "core/report/gate_sequence.h"
#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kClasses = 4;

v1::Condition Parsed(const std::string& expression) {
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return conditions.ok() ? conditions->front() : v1::Condition();
}

std::vector<v1::Condition> Conditions(const std::vector<std::string>& expressions) {
  const auto conditions = ParseConditions(expressions);
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return conditions.ok() ? *conditions : std::vector<v1::Condition>();
}

// `samples` predictions of which each is right with probability `accuracy`, class by class where
// there is one for each.
std::vector<v1::Outcome> Random(int64_t samples, const std::vector<double>& accuracy,
                                uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform;
  std::vector<v1::Outcome> outcomes;
  for (int64_t i = 0; i < samples; ++i) {
    const int label = static_cast<int>(random() % kClasses);
    const bool right = uniform(random) < accuracy[static_cast<size_t>(label) % accuracy.size()];
    const int wrong = (label + 1 + static_cast<int>(random() % (kClasses - 1))) % kClasses;
    outcomes.push_back(Predicted(i, label, right ? label : wrong));
  }
  return outcomes;
}

v1::StopWhenDecided Stop(const std::vector<std::string>& gates, double level = 0.95) {
  v1::StopWhenDecided stop;
  for (const std::string& gate : gates) stop.add_gates(gate);
  stop.set_confidence_level(level);
  return stop;
}

v1::Decision Decided(const ReportInput& input, const std::vector<int64_t>& order,
                     const v1::StopWhenDecided& stop) {
  const auto decision = DecideEarly(input, order, stop);
  EXPECT_TRUE(decision.ok()) << decision.status();
  return decision.ok() ? *decision : v1::Decision();
}

std::vector<std::string> Verdicts(const v1::Decision& decision) {
  std::vector<std::string> verdicts;
  for (const v1::Decision::Gate& gate : decision.gates()) verdicts.push_back(gate.verdict());
  return verdicts;
}

// Without the outcomes after the first `samples` of the order.
ReportInput Beginning(ReportInput input, const std::vector<int64_t>& order, size_t samples) {
  for (ConditionOutcomes& run : input.conditions) {
    auto& all = run.outcomes;
    all.erase(std::remove_if(all.begin(), all.end(),
                             [&](const v1::Outcome& outcome) {
                               const auto found =
                                   std::find(order.begin(), order.end(), outcome.sample());
                               return found - order.begin() >= static_cast<int64_t>(samples);
                             }),
              all.end());
  }
  return input;
}

TEST(EarlyDecisionTest, EveryComparisonIsDecidedOnItsSide) {
  const std::vector<int64_t> order = SampleOrder(1, 2000);
  const ReportInput input = Input(kClasses, {Clean(Random(2000, {0.7}, 1))});
  const v1::Decision decision =
      Decided(input, order,
              Stop({"accuracy(clean) >= 0.5", "accuracy(clean) > 0.5", "accuracy(clean) <= 0.5",
                    "accuracy(clean) < 0.5", "accuracy(clean) >= 0.9", "accuracy(clean) > 0.9",
                    "accuracy(clean) <= 0.9", "accuracy(clean) < 0.9"}));
  for (const v1::Decision::Gate& gate : decision.gates()) {
    EXPECT_LT(gate.samples(), 500);
    const double threshold = gate.expression().back() == '5' ? 0.5 : 0.9;
    EXPECT_TRUE(threshold <= gate.lower() || threshold >= gate.upper()) << gate.DebugString();
  }
  EXPECT_THAT(Verdicts(decision), ElementsAre("passed", "passed", "failed", "failed", "failed",
                                              "failed", "passed", "passed"));
  EXPECT_TRUE(AllDecided(decision));
  // All of them were there, so nothing was saved.
  EXPECT_EQ(decision.samples(), 2000);
  EXPECT_FALSE(decision.stopped_early());
}

TEST(EarlyDecisionTest, ThresholdsAtTheEndsNeedNoLuck) {
  const std::vector<int64_t> order = SampleOrder(1, 50);
  const ReportInput input = Input(kClasses, {Clean(Random(50, {0.5}, 2))});
  const v1::Decision decision =
      Decided(input, order,
              Stop({"accuracy(clean) >= 0", "accuracy(clean) > 0", "accuracy(clean) <= 1",
                    "accuracy(clean) < 1", "accuracy(clean) > 1", "accuracy(clean) < 0",
                    "min_class_accuracy(clean) >= 0", "disparity(clean) <= 1"}));
  EXPECT_THAT(Verdicts(decision), ElementsAre("passed", "passed", "passed", "passed", "failed",
                                              "failed", "passed", "passed"));
  // One right and one wrong answer are enough for > 0 and < 1.
  EXPECT_LE(decision.gates(1).samples() + decision.gates(3).samples(), 20);
}

TEST(EarlyDecisionTest, WhatComesLaterChangesNoVerdict) {
  const std::vector<int64_t> order = SampleOrder(5, 1500);
  const ReportInput input = Input(kClasses, {Clean(Random(1500, {0.8, 0.7, 0.75, 0.4}, 3))});
  const v1::StopWhenDecided stop =
      Stop({"accuracy(clean) >= 0.5", "class_accuracy(clean, 3) >= 0.6",
            "min_class_accuracy(clean) >= 0.6", "disparity(clean) <= 0.1", "cfps(clean, 2) < 0.6"});
  const v1::Decision whole = Decided(input, order, stop);
  ASSERT_TRUE(AllDecided(whole)) << whole.DebugString();
  for (const size_t samples : {1, 10, 100, 300, 700, 1499}) {
    const v1::Decision part = Decided(Beginning(input, order, samples), order, stop);
    EXPECT_EQ(part.samples(), static_cast<int64_t>(samples));
    EXPECT_EQ(part.stopped_early(), AllDecided(part));
    for (int i = 0; i < part.gates_size(); ++i) {
      if (whole.gates(i).samples() <= static_cast<int64_t>(samples)) {
        EXPECT_EQ(part.gates(i).DebugString(), whole.gates(i).DebugString());
      } else {
        EXPECT_EQ(part.gates(i).verdict(), "undecided") << part.gates(i).DebugString();
      }
    }
  }
}

TEST(EarlyDecisionTest, OnlySamplesThatEveryConditionHasCount) {
  const std::vector<int64_t> order = SampleOrder(2, 400);
  std::vector<v1::Outcome> attacked;
  for (size_t i = 0; i < 37; ++i) {
    const int label = static_cast<int>(order[i] % kClasses);
    attacked.push_back(Survivor(order[i], label, 1, 1));
  }
  // Beyond a gap.
  attacked.push_back(Survivor(order[50], 0, 1, 1));
  ReportInput input = Input(kClasses, {Clean(Random(400, {1}, 4)), Attack(attacked)});
  const v1::Decision decision = Decided(input, order, Stop({"accuracy(clean) >= 0.5"}));
  EXPECT_EQ(decision.samples(), 37);
  EXPECT_TRUE(decision.stopped_early());
  EXPECT_LT(decision.gates(0).samples(), 37);
}

TEST(EarlyDecisionTest, SeveralGatesShareWhatMayGoWrong) {
  const std::vector<int64_t> order = SampleOrder(1, 3000);
  const ReportInput input = Input(kClasses, {Clean(Random(3000, {0.6}, 5))});
  const std::string gate = "accuracy(clean) >= 0.5";
  const int64_t alone = Decided(input, order, Stop({gate})).gates(0).samples();
  const v1::StopWhenDecided four = Stop({gate, gate, gate, gate});
  EXPECT_EQ(Decided(input, order, four).gates(0).samples(),
            Decided(input, order, Stop({gate}, 1 - 0.05 / 4)).gates(0).samples());
  EXPECT_GT(Decided(input, order, four).gates(0).samples(), alone);
}

// What watches a gate counts what the report counts.
TEST(EarlyDecisionTest, SequencesAreOfTheCountsOfTheReport) {
  std::mt19937 random(8);
  constexpr int kSamples = 300;
  std::vector<v1::Outcome> clean, attacked, smoothed, bounds;
  for (int i = 0; i < kSamples; ++i) {
    const int label = static_cast<int>(random() % kClasses);
    const int other =
        static_cast<int>((static_cast<unsigned>(label) + 1 + random() % 3) % kClasses);
    switch (random() % 6) {
      case 0:
        clean.push_back(Undecided(i, label));
        attacked.push_back(Undecided(i, label));
        break;
      case 1:
        clean.push_back(Tied(i, label, label));
        attacked.push_back(NotAttacked(i, label, other));
        break;
      case 2:
      case 3:
        clean.push_back(Predicted(i, label, other));
        attacked.push_back(Fooled(i, label, other, 0.01));
        break;
      default:
        clean.push_back(Predicted(i, label, label));
        attacked.push_back(Survivor(i, label, 1, 1));
    }
    std::vector<int64_t> counts(kClasses);
    const auto right = static_cast<int64_t>(random() % 101);
    counts[static_cast<size_t>(label)] = right;
    counts[static_cast<size_t>(other)] = 100 - right;
    smoothed.push_back(Smoothed(i, label, counts, counts));
    bounds.push_back(Predicted(i, label, random() % 3 == 0 ? other : label));
    bounds.back().mutable_bounds()->set_certified(random() % 2 == 0);
    bounds.back().mutable_bounds()->set_margin(bounds.back().bounds().certified() ? 0.5 : -0.5);
  }
  ConditionOutcomes proven;
  proven.condition = Parsed("bounds/crown:eps=2/255");
  proven.outcomes = bounds;
  const ConditionOutcomes smoothing = Smoothing("0.25", 100, 100, "0.01", smoothed);
  const ReportInput input = Input(kClasses, {Clean(clean), Attack(attacked), smoothing, proven});
  const auto report = BuildReport(input);
  ASSERT_TRUE(report.ok()) << report.status();
  const std::string attack = "attack/pgd/linf/8-255", gaussian = "smoothing/gaussian/0.25";
  const std::string crown = proven.condition.id();
  for (const std::string& metric :
       {absl::StrCat("accuracy(clean)"), absl::StrCat("accuracy(", attack, ")"),
        absl::StrCat("accuracy(", gaussian, ")"), absl::StrCat("class_accuracy(clean, 2)"),
        absl::StrCat("class_accuracy(", gaussian, ", 1)"), absl::StrCat("cfps(clean, 0)"),
        absl::StrCat("cfps(", attack, ", 3)"), absl::StrCat("cfps(", gaussian, ", 3)"),
        absl::StrCat("success_rate(", attack, ")"), absl::StrCat("min_class_accuracy(clean)"),
        absl::StrCat("min_class_accuracy(", gaussian, ")"), absl::StrCat("disparity(clean)"),
        absl::StrCat("disparity(", attack, ")"),
        absl::StrCat("certified_accuracy(", gaussian, ", 0.25)"),
        absl::StrCat("certified_accuracy(", crown, ")")}) {
    SCOPED_TRACE(metric);
    const auto gate = ParseGate(absl::StrCat(metric, " >= 0.987"));
    ASSERT_TRUE(gate.ok()) << gate.status();
    const ConditionOutcomes* run = nullptr;
    for (const ConditionOutcomes& one : input.conditions) {
      if (one.condition.id() == gate->condition) run = &one;
    }
    ASSERT_NE(run, nullptr);
    const int class_index = gate->class_text.text.empty() ? -1 : gate->class_text.text[0] - '0';
    const auto resolved = Resolve(*run, input);
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    constexpr double kAlpha = 0.02;
    const auto sequence = NewGateSequence(*gate, kClasses, class_index, kAlpha);
    for (const ResolvedSample& sample : resolved->samples) sequence->Add(sample);
    sequence->Finish();
    const Measurement measured =
        Measure(*gate, *report, EntryOf(*report, gate->condition), class_index);
    ASSERT_TRUE(measured.value.has_value()) << measured.undefined;
    const Interval expected = measured.sequence(kAlpha, 1), ends = sequence->Ends();
    EXPECT_DOUBLE_EQ(ends.lower, expected.lower);
    EXPECT_DOUBLE_EQ(ends.upper, expected.upper);
    EXPECT_LE(ends.lower, *measured.value);
    EXPECT_GE(ends.upper, *measured.value);
  }
}

// Coverage under continuous looking, by simulation with fixed seeds: of `runs` evaluations whose
// truth is the threshold itself, how many get a verdict at any of `samples` looks. Either verdict
// is then wrong, for `>= t` and `< t` together.
double Decisions(const std::string& metric, const std::vector<double>& accuracy, double truth,
                 int runs, int64_t samples) {
  const auto gate = ParseGate(absl::StrCat(metric, " >= ", truth));
  EXPECT_TRUE(gate.ok()) << gate.status();
  int decided = 0;
  for (int run = 0; run < runs; ++run) {
    const ConditionOutcomes outcomes =
        Clean(Random(samples, accuracy, static_cast<uint32_t>(1000 + run)));
    const auto resolved = Resolve(outcomes, Input(kClasses, {outcomes}));
    EXPECT_TRUE(resolved.ok());
    const auto sequence = NewGateSequence(*gate, kClasses, 0, AlphaOfEnd(0.95, 1));
    for (const ResolvedSample& sample : resolved->samples) {
      sequence->Add(sample);
      if (sequence->Verdict() == GateVerdict::kUndecided) continue;
      ++decided;
      break;
    }
  }
  return static_cast<double>(decided) / runs;
}

TEST(EarlyDecisionTest, LooksAtEverySampleDecideWronglyAtMostAsOftenAsTheLevelSays) {
  // 5 % and three standard deviations of 400 runs. Every wrong class alike, so CFPS is a quarter.
  constexpr double kMost = 0.05 + 3 * 0.011;
  for (const double truth : {0.1, 0.5, 0.9}) {
    EXPECT_LE(Decisions("accuracy(clean)", {truth}, truth, 400, 1000), kMost) << truth;
    EXPECT_LE(Decisions("class_accuracy(clean, 0)", {truth}, truth, 400, 1000), kMost) << truth;
    EXPECT_LE(Decisions("min_class_accuracy(clean)", {truth}, truth, 400, 1000), kMost) << truth;
  }
  EXPECT_LE(Decisions("cfps(clean, 0)", {0.5}, 0.25, 400, 1000), kMost);
  EXPECT_LE(Decisions("min_class_accuracy(clean)", {0.9, 0.5, 0.9, 0.9}, 0.5, 400, 1000), kMost);
  EXPECT_LE(Decisions("disparity(clean)", {0.9, 0.5, 0.7, 0.7}, 0.4, 100, 1000), 0.05 + 3 * 0.022);
  // Of use, too.
  EXPECT_GE(Decisions("accuracy(clean)", {0.6}, 0.5, 100, 1000), 0.99);
  EXPECT_GE(Decisions("min_class_accuracy(clean)", {0.9, 0.5, 0.9, 0.9}, 0.7, 100, 1000), 0.99);
}

TEST(EarlyDecisionTest, ClassesWithoutSamplesAreLeftOutAtTheEnd) {
  const std::vector<int64_t> order = SampleOrder(1, 300);
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < 300; ++i) outcomes.push_back(Predicted(i, i % 2, i % 2));
  const ReportInput input = Input(kClasses, {Clean(outcomes)});
  const v1::StopWhenDecided stop = Stop({"min_class_accuracy(clean) >= 0.5"});
  const v1::Decision part = Decided(Beginning(input, order, 299), order, stop);
  EXPECT_EQ(part.gates(0).verdict(), "undecided");
  EXPECT_EQ(Decided(input, order, stop).gates(0).verdict(), "passed");
}

TEST(EarlyDecisionTest, BudgetsOfOneRunAreConditionsOfTheirOwn) {
  const std::vector<int64_t> order = SampleOrder(1, 200);
  ConditionOutcomes run;
  run.condition = Parsed("attack/fmn:eps=4/255+8/255");
  for (int i = 0; i < 200; ++i) run.outcomes.push_back(Fooled(i, i % 4, (i + 1) % 4, 6 / 255.0));
  const ReportInput input = Input(kClasses, {run});
  const v1::Decision decision = Decided(
      input, order,
      Stop({"accuracy(attack/fmn:eps=4/255) >= 0.5", "accuracy(attack/fmn:eps=8/255) >= 0.5"}));
  EXPECT_EQ(decision.gates(0).verdict(), "passed");
  EXPECT_EQ(decision.gates(1).verdict(), "failed");
}

TEST(EarlyDecisionTest, WhatCannotDecideIsRefusedWithWhatWould) {
  const auto conditions = Conditions({"clean", "attack/pgd", "corruption/fog:severity=1",
                                      "smoothing/gaussian:sigma=0.25,mode=predict,n=100"});
  const auto problems = [&](const std::vector<std::string>& gates, double level = 0.95) {
    std::vector<std::string> texts;
    for (const FieldViolation& violation :
         CheckStopWhenDecided(Stop(gates, level), conditions, {"cat", "dog"})) {
      texts.push_back(absl::StrCat(violation.field, ": ", violation.description));
    }
    return texts;
  };
  EXPECT_THAT(problems({"accuracy(clean) >= 0.5", "class_accuracy(clean, dog) > 0.1"}), IsEmpty());
  EXPECT_THAT(problems({}), ElementsAre(HasSubstr("stop_when_decided.gates: there are none")));
  EXPECT_THAT(problems({"accuracy(clean) > 0.5"}, 1), ElementsAre(HasSubstr("confidence_level")));
  EXPECT_THAT(problems({"accuracy(clean) >"}),
              ElementsAre(AllOf(HasSubstr("gates[0]"), HasSubstr("expected"))));
  EXPECT_THAT(problems({"accuracy(clean) > 0.5", "accuracy(cleen) > 0.5"}),
              ElementsAre(HasSubstr("gates[1]")));
  EXPECT_THAT(problems({"class_accuracy(clean, cow) > 0.5"}), ElementsAre(HasSubstr("cow")));
  EXPECT_THAT(problems({"mce() < 0.5"}), ElementsAre(HasSubstr("no interval")));
  EXPECT_THAT(problems({"check(attack/pgd, zero-gradients)"}), ElementsAre(HasSubstr("a check")));
  EXPECT_THAT(problems({"accuracy(clean) >= baseline - 1%"}),
              ElementsAre(HasSubstr("needs all samples")));
  EXPECT_THAT(
      problems({"certified_accuracy(smoothing/gaussian:sigma=0.25,mode=predict,n=100, 0.5) > 0.1"}),
      ElementsAre(HasSubstr("gives no radii")));
  EXPECT_THAT(CheckStopWhenDecided(Stop({"accuracy(clean) > 0.5"}),
                                   Conditions({"clean", "attack/universal"}), {}),
              SizeIs(1));
}

}  // namespace
}  // namespace assay::report
