#include "core/report/report.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "core/report/resolved_outcomes.h"
#include "core/report/sections.h"
#include "gmock/gmock.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "gtest/gtest.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;

// Maps are written in the order of their keys.
std::string Deterministic(const v1::Report& report) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  report.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

v1::NumericsFingerprint Numerics(const std::string& device) {
  v1::NumericsFingerprint numerics;
  numerics.set_device(device);
  numerics.set_digest("digest of " + device);
  return numerics;
}

// Clean, attack and smoothing over 300 samples of 5 classes with every kind of outcome.
ReportInput Mixed() {
  std::mt19937 random(7);
  const auto below = [&](uint32_t n) { return static_cast<int>(random() % n); };
  std::vector<v1::Outcome> clean, attack, smoothing;
  for (int i = 0; i < 300; ++i) {
    const int label = below(5);
    const int other = (label + 1 + below(4)) % 5;
    clean.push_back(i % 50 == 0   ? Undecided(i, label)
                    : i % 37 == 0 ? Tied(i, label, other)
                                  : Predicted(i, label, below(3) == 0 ? other : label));
    attack.push_back(i % 5 == 0   ? NotAttacked(i, label, other)
                     : i % 3 == 0 ? Fooled(i, label, other, 0.001 * below(1000))
                                  : Survivor(i, label, 10 + below(90), 10));
    const int64_t k = 1000 - below(600);
    std::vector<int64_t> counts(5), selection(5);
    counts[static_cast<size_t>(i % 4 == 0 ? other : label)] = k;
    counts[static_cast<size_t>(i % 4 == 0 ? label : other)] = 1000 - k;
    selection[static_cast<size_t>(label)] = 60;
    selection[static_cast<size_t>(other)] = 40;
    smoothing.push_back(Smoothed(i, label, selection, counts));
  }
  ReportInput input =
      Input(5, {Clean(clean), Attack(attack), Smoothing("0.25", 100, 1000, "0.001", smoothing)});
  input.numerics = {Numerics("cpu"), Numerics("gpu")};
  return input;
}

TEST(Report, CarriesWhatIdentifiesIt) {
  ReportInput input = Input(3, {Attack({Survivor(0, 0, 1, 1)})});
  input.seed = 42;
  input.class_names = {"cat", ""};
  input.numerics = {Numerics("b"), Numerics("a"), Numerics("b")};
  const absl::StatusOr<v1::Report> report = BuildReport(input);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->evaluation(), "evaluations/e");
  EXPECT_EQ(report->model(), "models/m");
  EXPECT_EQ(report->dataset(), "datasets/d");
  EXPECT_EQ(report->seed(), 42);
  EXPECT_EQ(report->confidence_level(), 0.95);
  EXPECT_TRUE(report->complete());
  EXPECT_THAT(report->class_names(), ElementsAre("cat", "class 1", "class 2"));
  ASSERT_EQ(report->numerics_size(), 2);
  EXPECT_EQ(report->numerics(0).device(), "a");
  EXPECT_EQ(report->numerics(1).device(), "b");
  const v1::ConditionReport& condition = report->conditions(0);
  EXPECT_EQ(condition.id(), "attack/pgd/linf/8-255");
  EXPECT_EQ(condition.family(), "attack");
  EXPECT_EQ(condition.method(), "pgd");
  EXPECT_EQ(condition.parameters().at("eps"), "8/255");
  EXPECT_EQ(condition.classes(0).name(), "cat");
}

TEST(Report, OutcomesThatAreReadGiveTheSameBytes) {
  ReportInput held = Mixed();
  held.passes.set_forwards(7);
  held.passes.set_needed_backwards(3);
  ReportInput read = held;
  read.confidence = ConfidenceColumn(held);
  read.numerics.clear();
  read.passes.Clear();
  size_t asked = 0;
  read.read_outcomes = [&](size_t condition) -> absl::StatusOr<StoredOutcomes> {
    EXPECT_EQ(condition, asked++);
    StoredOutcomes stored{held.conditions[condition].outcomes, {}, {}};
    // A task of each on another device.
    if (condition < 2) stored.numerics = {held.numerics[1 - condition]};
    if (condition == 1) stored.passes = held.passes;
    return stored;
  };
  for (ConditionOutcomes& condition : read.conditions) condition.outcomes.clear();
  const auto report = BuildReport(read);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(asked, 3u);
  EXPECT_EQ(Deterministic(*report), Deterministic(*BuildReport(held)));
}

TEST(Report, WhatGoesWrongInReadingIsPassedOn) {
  ReportInput input = Mixed();
  input.read_outcomes = [](size_t) -> absl::StatusOr<StoredOutcomes> {
    return Error(Reason::kNotFound, "deleted meanwhile");
  };
  input.confidence = ConfidenceColumn(input);
  EXPECT_EQ(ReasonOf(BuildReport(input).status()), Reason::kNotFound);
  input.expected_samples = 299;
  input.read_outcomes = nullptr;
  EXPECT_EQ(ReasonOf(BuildReport(input).status()), Reason::kInternal);
}

TEST(Report, SaysWhichClassesAreMissingWhereThatWasAllowed) {
  ReportInput input = Input(4, {Clean({Predicted(0, 0, 0), Predicted(1, 2, 2)})});
  input.class_names = {"ant", "bee", "cat"};
  input.validation.emplace().set_num_classes(4);
  EXPECT_THAT(BuildReport(input)->notes(), ElementsAre()) << "nothing was allowed";
  input.allow_missing_classes = true;
  EXPECT_THAT(BuildReport(input)->notes(),
              ElementsAre("the dataset names 3 classes, but the model has 4 logits, which was "
                          "allowed: class i was taken for logit i",
                          "there are no samples of bee, which was allowed"));
  input.class_names.push_back("dog");
  EXPECT_THAT(BuildReport(input)->notes(),
              ElementsAre("there are no samples of bee, dog, which was allowed"));
  // More may come.
  input.expected_samples = 3;
  EXPECT_THAT(BuildReport(input)->notes(), ElementsAre());
}

TEST(Report, IsCompleteWhenEveryConditionHasEverySample) {
  ReportInput input =
      Input(2, {Clean({Predicted(0, 0, 0), Predicted(1, 1, 1)}), Attack({Survivor(0, 0, 1, 1)})});
  absl::StatusOr<v1::Report> report = BuildReport(input);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->complete());
  EXPECT_EQ(report->conditions(0).missing(), 0);
  EXPECT_EQ(report->conditions(1).missing(), 1);
  std::swap(input.conditions[0], input.conditions[1]);
  report = BuildReport(input);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->complete());
  std::swap(input.conditions[0], input.conditions[1]);
  input.conditions[1].outcomes.push_back(Survivor(1, 1, 1, 1));
  report = BuildReport(input);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete());
}

TEST(Report, DoesNotDependOnTheOrderOfOutcomes) {
  ReportInput input = Mixed();
  const absl::StatusOr<v1::Report> first = BuildReport(input);
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string expected = Deterministic(*first);
  std::mt19937 random(1);
  for (int round = 0; round < 5; ++round) {
    for (ConditionOutcomes& condition : input.conditions) {
      std::shuffle(condition.outcomes.begin(), condition.outcomes.end(), random);
    }
    std::shuffle(input.numerics.begin(), input.numerics.end(), random);
    const absl::StatusOr<v1::Report> again = BuildReport(input);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(Deterministic(*again), expected);
  }
}

TEST(Report, DoesNotDependOnHowTasksSplitTheSamples) {
  const ReportInput whole = Mixed();
  const absl::StatusOr<v1::Report> first = BuildReport(whole);
  ASSERT_TRUE(first.ok()) << first.status();
  for (size_t task_size : {1, 7, 64, 299}) {
    ReportInput split = whole;
    for (ConditionOutcomes& condition : split.conditions) {
      // Later tasks finish first.
      std::vector<v1::Outcome> merged;
      for (size_t end = condition.outcomes.size(); end > 0;) {
        const size_t begin = (end - 1) / task_size * task_size;
        for (size_t i = begin; i < end; ++i) merged.push_back(condition.outcomes[i]);
        end = begin;
      }
      condition.outcomes = merged;
    }
    split.numerics.insert(split.numerics.end(), whole.numerics.begin(), whole.numerics.end());
    const absl::StatusOr<v1::Report> again = BuildReport(split);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(Deterministic(*again), Deterministic(*first)) << task_size;
  }
}

TEST(Report, EverySampleIsInOneCellOrCountedAsTieOrUndecided) {
  const absl::StatusOr<v1::Report> report = BuildReport(Mixed());
  ASSERT_TRUE(report.ok()) << report.status();
  for (const v1::ConditionReport& condition : report->conditions()) {
    int64_t cells = 0;
    for (const v1::CountRow& row : condition.confusion_matrix()) {
      for (int64_t count : row.counts()) cells += count;
    }
    EXPECT_EQ(cells + condition.ties() + condition.undecided(), condition.samples());
    EXPECT_GT(condition.samples(), 0);
  }
}

TEST(Report, RefusesConfidenceLevelsOutsideTheOpenUnitInterval) {
  for (double level : {0.0, 1.0, -0.5, 95.0, std::numeric_limits<double>::quiet_NaN()}) {
    ReportInput input = Input(2, {Clean({Predicted(0, 0, 0)})});
    input.confidence_level = level;
    const absl::Status status = BuildReport(input).status();
    EXPECT_EQ(ReasonOf(status), Reason::kInvalidArgument) << level;
    ASSERT_EQ(ViolationsOf(status).size(), 1u);
    EXPECT_EQ(ViolationsOf(status)[0].field, "confidence_level");
  }
}

TEST(Report, RefusesBrokenOutcomes) {
  const auto reason = [](int classes, std::vector<v1::Outcome> outcomes) {
    return ReasonOf(BuildReport(Input(classes, {Clean(std::move(outcomes))})).status());
  };
  EXPECT_EQ(reason(2, {Predicted(0, 2, 0)}), Reason::kInternal);
  EXPECT_EQ(reason(2, {Predicted(0, -1, 0)}), Reason::kInternal);
  EXPECT_EQ(reason(2, {Predicted(0, 0, 2)}), Reason::kInternal);
  EXPECT_EQ(reason(2, {Predicted(0, 0, -1)}), Reason::kInternal);
  EXPECT_EQ(reason(2, {Predicted(-1, 0, 0)}), Reason::kInternal);
  EXPECT_EQ(reason(2, {Predicted(4, 0, 0), Predicted(3, 0, 0), Predicted(4, 0, 0)}),
            Reason::kInternal);
  EXPECT_EQ(reason(0, {}), Reason::kInternal);
  EXPECT_EQ(reason(2, {Predicted(4, 0, 0), Predicted(3, 0, 0)}), std::nullopt);
}

TEST(Report, RefusesMoreOutcomesThanSamplesAndRepeatedConditions) {
  ReportInput input = Input(2, {Clean({Predicted(0, 0, 0), Predicted(1, 0, 0)})});
  input.expected_samples = 1;
  EXPECT_EQ(ReasonOf(BuildReport(input).status()), Reason::kInternal);
  EXPECT_EQ(ReasonOf(BuildReport(Input(2, {Clean({}), Clean({})})).status()), Reason::kInternal);
}

TEST(Report, ErrorsNameTheSampleAndTheCondition) {
  const absl::Status status = BuildReport(Input(2, {Clean({Predicted(17, 5, 0)})})).status();
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("sample 17 under 'clean'"));
}

// CIFAR-10-C in one report (15 corruptions at 5 severities), and ImageNet's thousand classes. The
// limits are far above what a quiet machine needs (tenths of a second) and far below what quadratic
// work would take.
TEST(Report, IsQuickForManyConditionsAndForManyClasses) {
  struct Case {
    int classes, conditions;
  };
  for (const Case& c : {Case{10, 75}, Case{100, 75}, Case{1000, 5}}) {
    std::mt19937 random(3);
    std::vector<ConditionOutcomes> conditions;
    for (int i = 0; i < c.conditions; ++i) {
      std::vector<v1::Outcome> outcomes;
      for (int s = 0; s < 10'000; ++s) {
        const int label = s % c.classes;
        const bool right = random() % 3 != 0;
        outcomes.push_back(Predicted(
            s, label,
            right ? label : static_cast<int>(random() % static_cast<uint32_t>(c.classes))));
      }
      conditions.push_back(Clean(std::move(outcomes)));
      conditions.back().condition.set_id("corruption/" + std::to_string(i));
    }
    const ReportInput input = Input(c.classes, std::move(conditions));
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<v1::Report> report = BuildReport(input);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(report.ok()) << report.status();
    RecordProperty("milliseconds_" + std::to_string(c.classes),
                   static_cast<int>(elapsed.count() * 1000));
    EXPECT_LT(elapsed.count(), 10) << c.classes << " classes";
  }
}

TEST(Report, IsQuickForCertificatesOfAWholeTestSet) {
  for (int classes : {10, 1000}) {
    std::vector<v1::Outcome> outcomes;
    for (int s = 0; s < 10'000; ++s) {
      std::vector<int64_t> selection(static_cast<size_t>(classes)), counts(selection.size());
      const size_t label = static_cast<size_t>(s % classes);
      selection[label] = 100;
      counts[label] = 100'000 - 9 * s;
      outcomes.push_back(Smoothed(s, static_cast<int>(label), selection, counts));
    }
    const ReportInput input = Input(classes, {Smoothing("0.25", 100, 100'000, "0.001", outcomes)});
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<v1::Report> report = BuildReport(input);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(report.ok()) << report.status();
    RecordProperty("milliseconds_" + std::to_string(classes),
                   static_cast<int>(elapsed.count() * 1000));
    EXPECT_LT(elapsed.count(), 10) << classes << " classes";
  }
}

TEST(ReportTest, OfAnEvaluationThatStoppedEarlySaysWhatItsIntervalsAreWorth) {
  ReportInput input = Input(2, {Clean({Predicted(3, 0, 0), Predicted(7, 1, 1)})});
  EXPECT_EQ(BuildReport(input)->notes_size(), 0);
  input.samples_allowed = 10'000;
  const auto report = BuildReport(input);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete());
  EXPECT_EQ(report->samples_allowed(), 10'000);
  ASSERT_EQ(report->notes_size(), 1);
  EXPECT_THAT(report->notes(0), ::testing::HasSubstr("stopped after 2 of at most 10,000 samples"));
}

// A share of alpha that depended on when it stopped would be no share fixed beforehand.
TEST(ReportTest, CertificatesShareAlphaAmongAllSamplesThatThereCouldHaveBeen) {
  const auto radius = [](int64_t expected, int64_t allowed) {
    ConditionOutcomes run = Smoothing("0.5", 10, 1000, "0.1", {Smoothed(0, 0, {10}, {1000})});
    (*run.condition.mutable_parameters())["scope"] = "dataset";
    ReportInput input = Input(2, {run});
    input.expected_samples = expected;
    input.samples_allowed = allowed;
    const auto resolved = Resolve(input.conditions[0], input);
    EXPECT_TRUE(resolved.ok()) << resolved.status();
    return resolved.ok() ? resolved->samples[0].certificate.radius : -1;
  };
  EXPECT_EQ(radius(1, 1000), radius(1000, 0));
  EXPECT_GT(radius(1, 0), radius(1, 1000));
}

}  // namespace
}  // namespace assay::report
