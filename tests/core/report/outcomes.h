// Makes outcomes and report inputs for the report tests.
#ifndef ASSAY_TESTS_CORE_REPORT_OUTCOMES_H_
#define ASSAY_TESTS_CORE_REPORT_OUTCOMES_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/report/report.h"
#include "gtest/gtest.h"

namespace assay::report {

// RGB images of that side.
inline v1::ImageShape Square(int side) {
  v1::ImageShape shape;
  shape.set_channels(3);
  shape.set_height(side);
  shape.set_width(side);
  return shape;
}

inline v1::Outcome Predicted(int64_t sample, int label, int prediction) {
  v1::Outcome outcome;
  outcome.set_sample(sample);
  outcome.set_label(label);
  outcome.set_prediction(prediction);
  return outcome;
}

inline v1::Outcome Undecided(int64_t sample, int label) {
  v1::Outcome outcome = Predicted(sample, label, -1);
  outcome.set_undecided(true);
  return outcome;
}

inline v1::Outcome Tied(int64_t sample, int label, int prediction) {
  v1::Outcome outcome = Predicted(sample, label, prediction);
  outcome.set_tie(true);
  return outcome;
}

// Wrong before the attack.
inline v1::Outcome NotAttacked(int64_t sample, int label, int prediction) {
  v1::Outcome outcome = Predicted(sample, label, prediction);
  outcome.mutable_attack()->set_clean_prediction(prediction);
  outcome.mutable_attack()->set_forwards(1);
  return outcome;
}

inline v1::Outcome Survivor(int64_t sample, int label, int64_t forwards, int64_t backwards) {
  v1::Outcome outcome = Predicted(sample, label, label);
  outcome.mutable_attack()->set_attacked(true);
  outcome.mutable_attack()->set_clean_prediction(label);
  outcome.mutable_attack()->set_forwards(forwards);
  outcome.mutable_attack()->set_backwards(backwards);
  return outcome;
}

inline v1::Outcome Fooled(int64_t sample, int label, int prediction, double distance) {
  v1::Outcome outcome = Predicted(sample, label, prediction);
  outcome.mutable_attack()->set_attacked(true);
  outcome.mutable_attack()->set_success(true);
  outcome.mutable_attack()->set_clean_prediction(label);
  outcome.mutable_attack()->set_distance(distance);
  return outcome;
}

// Counts as dense histograms; zeros are left out, as engines do.
inline v1::Outcome Smoothed(int64_t sample, int label, const std::vector<int64_t>& selection,
                            const std::vector<int64_t>& estimation) {
  v1::Outcome outcome = Predicted(sample, label, -1);
  v1::SmoothingOutcome& smoothing = *outcome.mutable_smoothing();
  const auto fill = [](const std::vector<int64_t>& counts, auto* histogram) {
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      v1::ClassCount& entry = *histogram->Add();
      entry.set_index(static_cast<int32_t>(i));
      entry.set_count(counts[i]);
    }
  };
  fill(selection, smoothing.mutable_selection());
  fill(estimation, smoothing.mutable_estimation());
  return outcome;
}

inline ConditionOutcomes Clean(std::vector<v1::Outcome> outcomes) {
  ConditionOutcomes condition;
  condition.condition.set_id("clean");
  condition.condition.set_family("clean");
  condition.outcomes = std::move(outcomes);
  return condition;
}

inline ConditionOutcomes Attack(std::vector<v1::Outcome> outcomes) {
  ConditionOutcomes condition;
  condition.condition.set_id("attack/pgd/linf/8-255");
  condition.condition.set_family("attack");
  condition.condition.set_method("pgd");
  (*condition.condition.mutable_parameters())["eps"] = "8/255";
  condition.outcomes = std::move(outcomes);
  return condition;
}

inline ConditionOutcomes Smoothing(const std::string& sigma, int64_t n0, int64_t n,
                                   const std::string& alpha, std::vector<v1::Outcome> outcomes) {
  ConditionOutcomes condition;
  condition.condition.set_id("smoothing/gaussian/" + sigma);
  condition.condition.set_family("smoothing");
  condition.condition.set_method("gaussian");
  auto& parameters = *condition.condition.mutable_parameters();
  parameters["sigma"] = sigma;
  parameters["n0"] = std::to_string(n0);
  parameters["n"] = std::to_string(n);
  parameters["alpha"] = alpha;
  condition.outcomes = std::move(outcomes);
  return condition;
}

// A column of texts; empty: missing.
inline SampleColumn Texts(const std::string& name, const std::vector<std::string>& texts) {
  std::vector<std::string> values;
  std::vector<int32_t> value_of;
  for (const std::string& text : texts) {
    const auto found = std::find(values.begin(), values.end(), text);
    value_of.push_back(text.empty() ? -1 : static_cast<int32_t>(found - values.begin()));
    if (!text.empty() && found == values.end()) values.push_back(text);
  }
  return GroupTexts(name, values, value_of);
}

// Every condition complete.
inline ReportInput Input(int num_classes, std::vector<ConditionOutcomes> conditions) {
  ReportInput input;
  input.evaluation = "evaluations/e";
  input.model = "models/m";
  input.dataset = "datasets/d";
  input.num_classes = num_classes;
  for (const ConditionOutcomes& condition : conditions) {
    input.expected_samples =
        std::max(input.expected_samples, static_cast<int64_t>(condition.outcomes.size()));
  }
  input.conditions = std::move(conditions);
  return input;
}

// Outcomes with a given confusion matrix (row: true class).
inline std::vector<v1::Outcome> FromConfusionMatrix(const std::vector<std::vector<int>>& matrix) {
  std::vector<v1::Outcome> outcomes;
  for (size_t i = 0; i < matrix.size(); ++i) {
    for (size_t j = 0; j < matrix[i].size(); ++j) {
      for (int k = 0; k < matrix[i][j]; ++k) {
        outcomes.push_back(Predicted(static_cast<int64_t>(outcomes.size()), static_cast<int>(i),
                                     static_cast<int>(j)));
      }
    }
  }
  return outcomes;
}

// The report's only condition; fails the test when there is no report.
inline v1::ConditionReport OnlyCondition(const ReportInput& input) {
  const absl::StatusOr<v1::Report> report = BuildReport(input);
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok() || report->conditions_size() != 1) return v1::ConditionReport();
  return report->conditions(0);
}

}  // namespace assay::report

#endif  // ASSAY_TESTS_CORE_REPORT_OUTCOMES_H_
