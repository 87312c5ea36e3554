// Flip rates, counted by hand.
#include "core/conditions/condition.h"
#include "core/report/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

v1::Outcome Sequence(int64_t sample, int label, const std::vector<int>& predictions) {
  v1::Outcome outcome = Predicted(sample, label, predictions[0]);
  outcome.set_undecided(predictions[0] < 0);
  for (int prediction : predictions) outcome.mutable_sequence()->add_predictions(prediction);
  return outcome;
}

absl::StatusOr<v1::Report> ReportOf(const std::string& expression,
                                    std::vector<v1::Outcome> outcomes) {
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  ReportInput input;
  input.num_classes = 3;
  input.expected_samples = static_cast<int64_t>(outcomes.size());
  input.conditions.push_back({conditions->at(0), std::move(outcomes)});
  return BuildReport(input);
}

const std::vector<v1::Outcome>& Outcomes() {
  static const auto* const outcomes = new std::vector<v1::Outcome>{
      Sequence(0, 0, {0, 0, 1, 1, 0}), Sequence(1, 0, {0, 0, 0, 0, 0}),
      Sequence(2, 1, {2, 1, 2, 1, 2}), Sequence(3, 1, {1, -1, -1, 1, 1})};
  return *outcomes;
}

TEST(SequenceReport, CountsChangesFromFrameToFrame) {
  const auto report = ReportOf("sequence/rotate:frames=5", Outcomes());
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::ConditionReport& entry = report->conditions(0);
  EXPECT_EQ(entry.sequence().frames(), 5);
  // 2, 0, 4, and 3: undecided frames agree with nothing, not even with each other.
  EXPECT_EQ(entry.sequence().flip_rate().numerator(), 9);
  EXPECT_EQ(entry.sequence().flip_rate().denominator(), 16);
  EXPECT_DOUBLE_EQ(entry.sequence().flip_rate().value(), 9.0 / 16);
  EXPECT_FALSE(entry.sequence().flip_rate().has_lower());
  ASSERT_EQ(entry.sequence().classes_size(), 3);
  EXPECT_DOUBLE_EQ(entry.sequence().classes(0).flip_rate().value(), 2.0 / 8);
  EXPECT_DOUBLE_EQ(entry.sequence().classes(1).flip_rate().value(), 7.0 / 8);
  EXPECT_FALSE(entry.sequence().classes(2).flip_rate().has_value());
  EXPECT_EQ(entry.sequence().classes(2).flip_rate().undefined_reason(), "the class has no samples");
  // Class-wise accuracy is that of the images as they are.
  EXPECT_EQ(entry.correct(), 3);
  EXPECT_FALSE(report->has_corruption_summary());
}

TEST(SequenceReport, ComparesNoiseWithTheFirstFrame) {
  const auto report = ReportOf("sequence/gaussian_noise:frames=5", Outcomes());
  ASSERT_TRUE(report.ok()) << report.status();
  // 2, 0, 2 and 2.
  EXPECT_EQ(report->conditions(0).sequence().flip_rate().numerator(), 6);
  const auto previous = ReportOf("sequence/gaussian_noise:frames=5,compare=previous", Outcomes());
  EXPECT_EQ(previous->conditions(0).sequence().flip_rate().numerator(), 9);
}

TEST(SequenceReport, RefusesOutcomesWithoutAPredictionForEveryFrame) {
  EXPECT_FALSE(ReportOf("sequence/rotate:frames=4", Outcomes()).ok());
}

}  // namespace
}  // namespace assay::report
