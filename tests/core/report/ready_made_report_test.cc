// Reports of ready-made sets: what the blocks' own reports say, and the same aggregates as for
// corruptions made by the evaluation.
#include "core/report/ready_made_report.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/report/corruption_summary.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

// What the server reports of 10,000 images under `clean`, in two classes of 5,000; all mistakes are
// of the first class.
v1::Report Clean(const std::string& name, double error) {
  v1::Report report;
  report.set_evaluation("evaluations/" + name);
  report.set_dataset("datasets/" + name);
  report.set_model("models/m");
  report.set_seed(7);
  report.set_confidence_level(0.9);
  report.set_complete(true);
  report.add_class_names("cat");
  report.add_class_names("dog");
  report.add_numerics()->set_device("cpu");
  v1::ConditionReport& entry = *report.add_conditions();
  entry.set_id("clean");
  entry.set_family("clean");
  entry.set_samples(10'000);
  const auto mistakes = std::llround(error * 10'000);
  entry.set_correct(10'000 - mistakes);
  for (int i = 0; i < 2; ++i) {
    v1::ClassReport& one = *entry.add_classes();
    one.set_index(i);
    one.set_samples(5000);
    one.set_correct(i == 0 ? 5000 - mistakes : 5000);
    one.set_false_positives(i == 0 ? 0 : mistakes);
  }
  return report;
}

// The errors of AlexNet on ImageNet-C, halved, as if they were measured on a ready-made set.
std::vector<ReadyMadePart> HalfOfAlexNet() {
  std::vector<ReadyMadePart> parts = {{"", 0, Clean("c", AlexNetErrors().clean_error() / 2)}};
  for (const auto& row : AlexNetErrors().corruptions()) {
    for (int severity = 1; severity <= 5; ++severity) {
      parts.push_back(
          {row.corruption(), severity,
           Clean(absl::StrCat(row.corruption(), severity), row.errors(severity - 1) / 2)});
    }
  }
  return parts;
}

TEST(ReadyMadeReport, ProvenanceIsOfAllParts) {
  std::vector<ReadyMadePart> parts = HalfOfAlexNet();
  parts.resize(3);
  for (int i = 0; i < 3; ++i) {
    v1::Provenance& provenance = *parts[static_cast<size_t>(i)].report.mutable_provenance();
    provenance.set_model_digest("m");
    provenance.set_dataset_digest(absl::StrCat("d", i));
    provenance.set_model_seconds(i + 1);
    // The second one ran first.
    const int64_t start = i == 1 ? 100 : 1000 * (i + 1);
    provenance.mutable_create_time()->set_seconds(start);
    provenance.mutable_start_time()->set_seconds(start + 1);
    provenance.mutable_end_time()->set_seconds(start + 2);
  }
  const v1::Provenance all = CombineReadyMade("set", parts, nullptr, {}).provenance();
  EXPECT_EQ(all.model_digest(), "m");
  EXPECT_EQ(all.dataset_digest(), "");
  EXPECT_EQ(all.model_seconds(), 6);
  EXPECT_EQ(all.create_time().seconds(), 100);
  EXPECT_EQ(all.start_time().seconds(), 101);
  EXPECT_EQ(all.end_time().seconds(), 3002);
}

TEST(ReadyMadeReport, HasTheAggregatesOfTheBenchmark) {
  const v1::Report report = CombineReadyMade("ImageNet-C", HalfOfAlexNet(), nullptr, Square(224));
  ASSERT_EQ(report.conditions_size(), 76);
  const v1::CorruptionSummary& summary = report.corruption_summary();
  ASSERT_EQ(summary.corruptions_size(), 15);
  EXPECT_NEAR(summary.mce(), 0.5, 1e-12);
  EXPECT_NEAR(summary.relative_mce(), 0.5, 1e-12);
  double sum = 0;
  for (const auto& row : AlexNetErrors().corruptions()) {
    for (double error : row.errors()) sum += error / 2;
  }
  EXPECT_NEAR(summary.mean_error(), sum / 75, 1e-12);
  EXPECT_THAT(summary.normaliser(), testing::HasSubstr("AlexNet"));
  EXPECT_EQ(summary.corruptions(0).weakest_class(), 0);
  EXPECT_EQ(summary.corruptions(0).strongest_sink(), 1);
}

TEST(ReadyMadeReport, OfSmallImagesIsUnnormalisedUnlessAReferenceIsGiven) {
  const std::vector<ReadyMadePart> parts = HalfOfAlexNet();
  for (int side : {32, 64, 299}) {
    const v1::Report report = CombineReadyMade("C", parts, nullptr, Square(side));
    EXPECT_TRUE(report.corruption_summary().has_mean_error());
    EXPECT_FALSE(report.corruption_summary().has_mce());
    EXPECT_THAT(report.corruption_summary().normaliser(),
                testing::AllOf(testing::HasSubstr("unnormalised (mean corruption error)"),
                               testing::HasSubstr("alexnet-mean")));
  }
  const v1::Report report = CombineReadyMade("C", parts, &AlexNetErrors(), Square(32));
  EXPECT_NEAR(report.corruption_summary().mce(), 0.5, 1e-12);
}

TEST(ReadyMadeReport, NamesEveryBlockAndWhereItCameFrom) {
  std::vector<ReadyMadePart> parts = {{"", 0, Clean("c", 0.1)}, {"fog", 3, Clean("f3", 0.2)}};
  parts[1].report.add_numerics()->set_device("cuda");
  parts[1].report.set_class_names(1, "class 1");
  const v1::Report report = CombineReadyMade("CIFAR-10-C", parts, nullptr, Square(32));
  EXPECT_EQ(report.evaluation(), "2 evaluations");
  EXPECT_EQ(report.dataset(), "CIFAR-10-C");
  EXPECT_EQ(report.model(), "models/m");
  EXPECT_EQ(report.seed(), 7);
  EXPECT_EQ(report.confidence_level(), 0.9);
  EXPECT_THAT(report.class_names(), testing::ElementsAre("cat", "dog"));
  EXPECT_EQ(report.numerics_size(), 2);  // each once
  EXPECT_TRUE(report.complete());
  ASSERT_EQ(report.conditions_size(), 2);
  EXPECT_EQ(report.conditions(0).id(), "clean");
  const v1::ConditionReport& block = report.conditions(1);
  EXPECT_EQ(block.id(), "CIFAR-10-C/fog/3");
  EXPECT_EQ(block.family(), "corruption");
  EXPECT_EQ(block.method(), "fog");
  EXPECT_EQ(block.parameters().at("severity"), "3");
  EXPECT_EQ(block.parameters().at("evaluation"), "evaluations/f3");
  EXPECT_EQ(block.parameters().at("dataset"), "datasets/f3");
  EXPECT_EQ(block.correct(), 8000);
  EXPECT_EQ(block.classes(1).name(), "dog");
  EXPECT_FALSE(report.corruption_summary().has_mean_error()) << "there is one block of 75";
  parts[1].report.set_complete(false);
  EXPECT_FALSE(CombineReadyMade("C", parts, nullptr, Square(32)).complete());
}

}  // namespace
}  // namespace assay::report
