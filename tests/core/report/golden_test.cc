// Reports against results that other people's software computed (ASSAY_TEST_DATA/golden): confusion
// matrices by scikit-learn, radii by the original certify code of randomized smoothing.
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/core/report/outcomes.h"
#include "tests/test_data.h"

namespace assay::report {
namespace {

nlohmann::json ReadJson(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

TEST(Golden, ClasswiseMetricsEqualThePublishedDefinitions) {
  ASSAY_TEST_DATA_OR_SKIP(path, "golden/classwise.json");
  const nlohmann::json models = ReadJson(path);
  int compared = 0;
  for (const auto& [model, conditions] : models.items()) {
    for (const char* name : {"clean", "pgd"}) {
      if (!conditions.contains(name)) continue;
      SCOPED_TRACE(model + " " + name);
      const nlohmann::json& golden = conditions.at(name);
      const auto matrix = golden.at("confusion_matrix").get<std::vector<std::vector<int>>>();
      const v1::ConditionReport report = OnlyCondition(
          Input(static_cast<int>(matrix.size()), {Clean(FromConfusionMatrix(matrix))}));
      EXPECT_EQ(report.samples(), golden.at("samples").get<int64_t>());
      EXPECT_EQ(report.correct(), golden.at("correct").get<int64_t>());
      for (size_t c = 0; c < matrix.size(); ++c) {
        const v1::ClassReport& entry = report.classes(static_cast<int>(c));
        EXPECT_DOUBLE_EQ(entry.accuracy().value(), golden.at("cwa")[c].get<double>());
        EXPECT_DOUBLE_EQ(entry.cfps().value(), golden.at("cfps")[c].get<double>());
        EXPECT_EQ(entry.false_positives(), golden.at("false_positives")[c].get<int64_t>());
        for (size_t j = 0; j < matrix.size(); ++j) {
          EXPECT_EQ(report.confusion_matrix(static_cast<int>(c)).counts(static_cast<int>(j)),
                    matrix[c][j]);
        }
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 100);
}

TEST(Golden, CertificatesEqualTheOriginalCertifyCode) {
  ASSAY_TEST_DATA_OR_SKIP(path, "golden/smoothing.json");
  int compared = 0;
  for (const nlohmann::json& block : ReadJson(path)) {
    const double sigma = block.at("sigma").get<double>();
    const double alpha = block.at("alpha").get<double>();
    const int64_t n = block.at("n").get<int64_t>();
    double credited = 0;
    std::vector<v1::Outcome> outcomes;
    int64_t correct = 0, abstentions = 0;
    for (const nlohmann::json& row : block.at("rows")) {
      const int label = row.at("label").get<int>();
      const int prediction = row.at("prediction").get<int>();
      const double radius = row.at("radius").get<double>();
      const v1::Outcome outcome = Smoothed(row.at("index").get<int64_t>(), label,
                                           row.at("counts_n0").get<std::vector<int64_t>>(),
                                           row.at("counts_n").get<std::vector<int64_t>>());
      // One sample alone: its radius is the average certified radius if it is labelled as
      // predicted.
      v1::Outcome as_predicted = outcome;
      if (prediction >= 0) as_predicted.set_label(prediction);
      const auto condition = [&](std::vector<v1::Outcome> samples) {
        return Smoothing(nlohmann::json(sigma).dump(), block.at("n0").get<int64_t>(), n,
                         nlohmann::json(alpha).dump(), std::move(samples));
      };
      const v1::ConditionReport alone = OnlyCondition(Input(10, {condition({as_predicted})}));
      EXPECT_EQ(alone.correct(), prediction >= 0 ? 1 : 0);
      EXPECT_EQ(alone.certification().abstentions(), prediction >= 0 ? 0 : 1);
      EXPECT_NEAR(alone.certification().average_certified_radius(), radius, 1e-9);
      outcomes.push_back(outcome);
      correct += prediction == label ? 1 : 0;
      abstentions += prediction < 0 ? 1 : 0;
      if (prediction == label) credited += radius;
      ++compared;
    }
    const double samples = static_cast<double>(outcomes.size());
    const v1::ConditionReport all = OnlyCondition(
        Input(10, {Smoothing(nlohmann::json(sigma).dump(), block.at("n0").get<int64_t>(), n,
                             nlohmann::json(alpha).dump(), outcomes)}));
    EXPECT_EQ(all.correct(), correct);
    EXPECT_EQ(all.certification().abstentions(), abstentions);
    EXPECT_NEAR(all.certification().average_certified_radius(), credited / samples, 1e-9);
    EXPECT_EQ(all.certification().curve(0).accuracy().numerator(), correct);
  }
  EXPECT_GE(compared, 100);
}

}  // namespace
}  // namespace assay::report
