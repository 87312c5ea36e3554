// Makes what comparisons are tested with.
#ifndef ASSAY_TESTS_CORE_REPORT_COMPARED_H_
#define ASSAY_TESTS_CORE_REPORT_COMPARED_H_

#include <string>
#include <vector>

#include "core/report/report_input.h"
#include "gtest/gtest.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {

// Digits: labels and predictions, a sample each.
inline std::vector<v1::Outcome> Answers(const std::string& labels, const std::string& predictions) {
  std::vector<v1::Outcome> outcomes;
  for (size_t i = 0; i < labels.size(); ++i) {
    outcomes.push_back(Predicted(static_cast<int64_t>(i), labels[i] - '0', predictions[i] - '0'));
  }
  return outcomes;
}

inline std::vector<ReportInput> Evaluations(size_t count, int num_classes, int64_t samples) {
  std::vector<ReportInput> evaluations(count);
  for (size_t i = 0; i < count; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    evaluations[i].evaluation = "evaluations/" + name;
    evaluations[i].model = "models/" + name;
    evaluations[i].dataset = "datasets/d";
    evaluations[i].seed = 7;
    evaluations[i].num_classes = num_classes;
    evaluations[i].expected_samples = samples;
  }
  return evaluations;
}

inline void ExpectRate(const v1::Rate& rate, int64_t numerator, int64_t denominator) {
  EXPECT_EQ(rate.numerator(), numerator);
  EXPECT_EQ(rate.denominator(), denominator);
}

}  // namespace assay::report

#endif  // ASSAY_TESTS_CORE_REPORT_COMPARED_H_
