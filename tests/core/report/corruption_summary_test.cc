// The corruption summary against published aggregates.
#include "core/report/corruption_summary.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

// Errors in % by severity, from RobustBench's unaggregated results: the standard ResNet-50 on 5,000
// images of ImageNet-C, and the standard WideResNet-28-10 on CIFAR-10-C.
struct Published {
  const char* corruption;
  double resnet50[5];
  double wide_resnet[5];
};
constexpr Published kPublished[] = {
    {"gaussian_noise", {39.80, 51.22, 68.76, 85.78, 97.12}, {22.22, 42.12, 60.81, 67.39, 72.33}},
    {"shot_noise", {41.72, 55.14, 71.44, 89.74, 96.48}, {14.96, 24.27, 46.51, 54.65, 65.71}},
    {"impulse_noise", {51.46, 61.38, 70.96, 88.70, 97.56}, {17.11, 30.95, 42.63, 59.89, 72.92}},
    {"defocus_blur", {40.86, 48.46, 61.92, 72.48, 81.76}, {5.42, 6.62, 11.02, 22.56, 46.94}},
    {"glass_blur", {46.38, 60.26, 82.92, 86.94, 89.66}, {46.57, 44.25, 43.05, 56.81, 54.32}},
    {"motion_blur", {36.40, 46.58, 62.46, 78.42, 85.48}, {9.71, 16.15, 25.60, 25.17, 34.75}},
    {"zoom_blur", {47.42, 56.98, 64.40, 71.56, 78.06}, {12.29, 15.45, 22.52, 29.71, 42.02}},
    {"snow", {45.32, 68.80, 65.06, 76.56, 83.50}, {10.09, 19.57, 16.35, 19.49, 25.07}},
    {"frost", {38.94, 56.34, 69.36, 71.36, 77.42}, {10.45, 16.50, 27.39, 29.14, 41.30}},
    {"fog", {39.08, 44.00, 53.26, 59.76, 76.40}, {5.49, 6.44, 7.71, 10.41, 26.01}},
    {"brightness", {26.40, 27.78, 30.42, 35.04, 41.14}, {5.25, 5.62, 6.22, 7.19, 9.30}},
    {"contrast", {35.72, 41.76, 53.40, 79.02, 94.58}, {5.73, 7.84, 10.28, 16.41, 46.69}},
    {"elastic_transform", {33.16, 54.86, 45.44, 58.78, 82.98}, {9.53, 9.78, 14.14, 21.06, 26.59}},
    {"pixelate", {36.20, 35.66, 54.02, 70.70, 79.12}, {8.05, 13.96, 19.98, 39.65, 58.45}},
    {"jpeg_compression", {33.56, 37.66, 39.96, 52.14, 67.46}, {13.64, 20.35, 22.04, 25.85, 30.30}},
};

v1::ConditionReport Entry(const std::string& family, const std::string& method, double severity,
                          const std::string& table, double error_percent, int64_t samples) {
  v1::ConditionReport entry;
  entry.set_family(family);
  entry.set_method(method);
  entry.set_samples(samples);
  entry.set_correct(samples - std::llround(error_percent / 100 * static_cast<double>(samples)));
  if (family == "corruption") {
    (*entry.mutable_parameters())["severity"] = absl::StrCat(severity);
    (*entry.mutable_parameters())["table"] = table;
    (*entry.mutable_parameters())["grid"] = "1";
    (*entry.mutable_parameters())["cell"] = "0";
  }
  return entry;
}

v1::Report ResNet50(const std::string& table = "224") {
  v1::Report report;
  *report.add_conditions() = Entry("clean", "", 0, "", 23.28, 5000);
  for (const Published& row : kPublished) {
    for (int s = 0; s < 5; ++s) {
      *report.add_conditions() =
          Entry("corruption", row.corruption, s + 1, table, row.resnet50[s], 5000);
    }
  }
  return report;
}

TEST(CorruptionSummary, GivesThePublishedMceOfResNet50) {
  for (const char* table : {"224", "auto"}) {
    v1::Report report = ResNet50(table);
    FillCorruptionSummary(nullptr, Square(224), &report);
    const v1::CorruptionSummary& summary = report.corruption_summary();
    ASSERT_EQ(summary.corruptions_size(), 15);
    EXPECT_NEAR(summary.mean_error(), 0.60517, 5e-6);
    EXPECT_NEAR(summary.mce(), 0.76377, 5e-6);
    EXPECT_NEAR(summary.relative_mce(), 1.0731, 5e-5);
    EXPECT_THAT(summary.normaliser(), testing::HasSubstr("AlexNet"));
    EXPECT_THAT(summary.normaliser(), testing::HasSubstr("5,000"));
    // By hand: gaussian_noise has 342.68 against AlexNet's 440.8.
    EXPECT_EQ(summary.corruptions(0).corruption(), "gaussian_noise");
    EXPECT_NEAR(summary.corruptions(0).ce(), 342.68 / 440.80, 1e-9);
    EXPECT_NEAR(summary.corruptions(0).relative_ce(), (342.68 - 5 * 23.28) / (440.80 - 5 * 43.76),
                1e-9);
    EXPECT_NEAR(summary.corruptions(0).mean_error(), 0.68536, 1e-9);
  }
}

TEST(CorruptionSummary, GivesThePublishedMeanErrorOfWideResNetOnCifar) {
  v1::Report report;
  for (const Published& row : kPublished) {
    for (int s = 0; s < 5; ++s) {
      *report.add_conditions() =
          Entry("corruption", row.corruption, s + 1, "auto", row.wide_resnet[s], 10'000);
    }
  }
  FillCorruptionSummary(nullptr, Square(32), &report);
  const v1::CorruptionSummary& summary = report.corruption_summary();
  EXPECT_NEAR(summary.mean_error(), 0.2654, 5e-5);
  EXPECT_FALSE(summary.has_mce());
  EXPECT_FALSE(summary.has_relative_mce());
  EXPECT_THAT(summary.normaliser(), testing::StartsWith("none"));
}

TEST(CorruptionSummary, LeavesSeverity0Out) {
  v1::Report report;
  *report.add_conditions() = Entry("corruption", "fog", 0, "auto", 10, 100);
  FillCorruptionSummary(nullptr, Square(32), &report);
  EXPECT_FALSE(report.has_corruption_summary());
  *report.add_conditions() = Entry("corruption", "fog", 1, "auto", 20, 100);
  FillCorruptionSummary(nullptr, Square(32), &report);
  EXPECT_NEAR(report.corruption_summary().corruptions(0).mean_error(), 0.2, 1e-12);
}

TEST(CorruptionSummary, AlexNetIsItsOwnUnit) {
  v1::Report report;
  *report.add_conditions() = Entry("clean", "", 0, "", 43.76, 5000);
  for (const auto& row : AlexNetErrors().corruptions()) {
    for (int s = 0; s < 5; ++s) {
      *report.add_conditions() =
          Entry("corruption", row.corruption(), s + 1, "224", 100 * row.errors(s), 5000);
    }
  }
  FillCorruptionSummary(nullptr, Square(224), &report);
  EXPECT_NEAR(report.corruption_summary().mce(), 1, 1e-12);
  EXPECT_NEAR(report.corruption_summary().relative_mce(), 1, 1e-12);
}

TEST(CorruptionSummary, NeedsAllFifteenAndNeverTakesDrawnFrostForFrost) {
  v1::Report report = ResNet50();
  for (v1::ConditionReport& entry : *report.mutable_conditions()) {
    if (entry.method() == "frost") entry.set_method("frost-procedural");
  }
  FillCorruptionSummary(nullptr, Square(224), &report);
  const v1::CorruptionSummary& summary = report.corruption_summary();
  EXPECT_EQ(summary.corruptions_size(), 15);
  EXPECT_FALSE(summary.has_mean_error());
  EXPECT_FALSE(summary.has_mce());
  for (const v1::CorruptionError& entry : summary.corruptions()) {
    EXPECT_EQ(entry.has_ce(), entry.corruption() != "frost-procedural") << entry.corruption();
  }
}

TEST(CorruptionSummary, LeavesOutWhatIsNotThePublishedBenchmark) {
  v1::Report report = ResNet50();
  *report.add_conditions() = Entry("corruption", "saturate", 1, "224", 90, 100);
  *report.add_conditions() = Entry("corruption", "fog+snow", 5, "224", 99, 100);
  *report.add_conditions() = Entry("corruption", "fog", 2.5, "224", 99, 100);
  v1::ConditionReport cell = Entry("corruption", "fog", 5, "224", 99, 100);
  (*cell.mutable_parameters())["grid"] = "4";
  *report.add_conditions() = cell;
  v1::ConditionReport rotated = Entry("corruption", "rotate", 5, "", 99, 100);
  rotated.mutable_parameters()->erase("severity");
  *report.add_conditions() = rotated;
  *report.add_conditions() = Entry("corruption", "speckle_noise", 1, "224", 50, 0);
  FillCorruptionSummary(nullptr, Square(224), &report);
  const v1::CorruptionSummary& summary = report.corruption_summary();
  EXPECT_NEAR(summary.mce(), 0.76377, 5e-6);
  EXPECT_NEAR(summary.mean_error(), 0.60517, 5e-6);
  ASSERT_EQ(summary.corruptions_size(), 17);
  const v1::CorruptionError& fog = summary.corruptions(9);
  EXPECT_EQ(fog.corruption(), "fog");
  EXPECT_THAT(fog.severities(), testing::ElementsAre(1, 2, 2.5, 3, 4, 5));
  EXPECT_DOUBLE_EQ(fog.errors(2), 0.99);
}

TEST(CorruptionSummary, KeepsTablesApart) {
  v1::Report report = ResNet50();
  *report.add_conditions() = Entry("corruption", "fog", 1, "64", 50, 100);
  FillCorruptionSummary(nullptr, Square(224), &report);
  const v1::CorruptionSummary& summary = report.corruption_summary();
  EXPECT_FALSE(summary.has_mean_error());
  EXPECT_FALSE(summary.has_mce());
  EXPECT_THAT(summary.normaliser(), testing::StartsWith("none"));
  EXPECT_EQ(summary.corruptions(15).corruption(), "fog/table=64");
}

TEST(CorruptionSummary, IsAbsentWithoutCorruptions) {
  v1::Report report;
  *report.add_conditions() = Entry("clean", "", 0, "", 10, 10);
  FillCorruptionSummary(nullptr, Square(32), &report);
  EXPECT_FALSE(report.has_corruption_summary());
}

TEST(CorruptionSummary, NamesTheWeakestClassTheStrongestSinkAndEveryClassesError) {
  v1::Report report;
  for (int severity : {1, 2}) {
    v1::ConditionReport entry = Entry("corruption", "fog", severity, "auto", 50, 30);
    const int64_t correct[] = {9, 2, 4, 0};
    const int64_t false_positives[] = {3, 1, 11, 0};
    for (int c = 0; c < 4; ++c) {
      v1::ClassReport& report_of_class = *entry.add_classes();
      report_of_class.set_index(c);
      // The last class has no samples, so it is not weak.
      report_of_class.set_samples(c < 3 ? 10 : 0);
      report_of_class.set_correct(correct[c]);
      report_of_class.set_false_positives(false_positives[c]);
    }
    *report.add_conditions() = entry;
  }
  FillCorruptionSummary(nullptr, Square(32), &report);
  const v1::CorruptionSummary& summary = report.corruption_summary();
  EXPECT_EQ(summary.corruptions(0).weakest_class(), 1);
  EXPECT_EQ(summary.corruptions(0).strongest_sink(), 2);
  ASSERT_EQ(summary.class_errors_size(), 4);
  EXPECT_NEAR(summary.class_errors(0).mean(), 0.1, 1e-12);
  EXPECT_NEAR(summary.class_errors(1).mean(), 0.8, 1e-12);
  EXPECT_FALSE(summary.class_errors(3).has_mean());
}

TEST(ReferenceErrors, OwnOnesReplaceAlexNet) {
  v1::ReferenceErrors own;
  own.set_name("mine");
  for (const std::string& name : CommonCorruptions()) {
    auto& entry = *own.add_corruptions();
    entry.set_corruption(name);
    entry.add_errors(0.5);
  }
  const auto resolved = ResolveReference(own);
  ASSERT_TRUE(resolved.ok());
  v1::Report report = ResNet50();
  FillCorruptionSummary(&*resolved, Square(224), &report);
  EXPECT_NEAR(report.corruption_summary().mce(), 0.60517 / 0.5, 1e-5);
  EXPECT_FALSE(report.corruption_summary().has_relative_mce());
  EXPECT_EQ(report.corruption_summary().normaliser(), "mine");
}

TEST(ReferenceErrors, AlexNetsMeansAreKnownByName) {
  v1::ReferenceErrors named;
  named.set_name("alexnet-mean");
  const auto resolved = ResolveReference(named);
  ASSERT_TRUE(resolved.ok());
  v1::Report report = ResNet50();
  FillCorruptionSummary(&*resolved, Square(224), &report);
  // ResNet-50's 60.517 % over AlexNet's, corruption by corruption; near the mCE of the subset.
  EXPECT_NEAR(report.corruption_summary().mce(), 0.7649, 0.01);
  EXPECT_NEAR(report.corruption_summary().corruptions(0).ce(), 0.68536 / 0.886428, 1e-9);
  EXPECT_THAT(report.corruption_summary().normaliser(), testing::HasSubstr("means"));
}

TEST(ReferenceErrors, WrongOnesAreRefused) {
  const auto fields = [](const v1::ReferenceErrors& reference) {
    return ViolationsOf(ResolveReference(reference).status()).size();
  };
  v1::ReferenceErrors reference;
  reference.set_name("resnet");
  EXPECT_EQ(fields(reference), 1u);
  auto& entry = *reference.add_corruptions();
  entry.set_corruption("fog");
  EXPECT_EQ(fields(reference), 1u);
  for (double error : {0.1, 1.1, -0.1, std::nan(""), 1.0}) entry.add_errors(error);
  EXPECT_EQ(fields(reference), 3u);
  entry.clear_errors();
  entry.add_errors(0.5);
  EXPECT_EQ(fields(reference), 0u);
  *reference.add_corruptions() = reference.corruptions(0);
  reference.set_clean_error(43.76);
  EXPECT_EQ(fields(reference), 2u);
}

}  // namespace
}  // namespace assay::report
