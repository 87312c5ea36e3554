#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/monitoring/metrics.h"
#include "tests/server/monitoring/reports.h"

namespace assay::monitoring {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string CleanAccuracy(const std::string& model, const std::string& dataset) {
  return absl::StrCat("assay_accuracy_ratio{model=\"", model, "\",dataset=\"", dataset,
                      "\",condition=\"clean\"} ");
}

TEST(RobustnessGaugesTest, AReportIsShownInEveryGauge) {
  Metrics metrics;
  metrics.PublishReport(MakeReport("e", "m", "d"), 1'700'000'000'250'000);
  const std::string page = metrics.Render();
  for (const char* series :
       {"assay_accuracy_ratio{model=\"m\",dataset=\"d\",condition=\"clean\"} 0.75",
        "assay_class_accuracy_ratio{model=\"m\",dataset=\"d\",condition=\"clean\",class=\"cat\"} "
        "0.5",
        "assay_class_accuracy_ratio{model=\"m\",dataset=\"d\",condition=\"clean\",class=\"dog\"} 1",
        "assay_class_false_positive_score_ratio{model=\"m\",dataset=\"d\",condition=\"clean\","
        "class=\"dog\"} 1",
        "assay_corruption_error_ratio{model=\"m\",dataset=\"d\",condition=\"corruption/fog/3\"} "
        "0.75",
        "assay_certified_accuracy_ratio{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/"
        "0.25\",radius=\"0.5\"} 0.",
        "assay_certified_radius{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/0.25\","
        "quantile=\"0.5\"} 0.5",
        "assay_certified_radius_count{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/"
        "0.25\"} 8",
        "assay_certified_radius_sum{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/"
        "0.25\"} "
        "3",
        "assay_average_certified_radius{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/"
        "0.25\"} 0.375",
        "assay_evaluation_timestamp_seconds{model=\"m\",dataset=\"d\"} 1700000000.25"}) {
    EXPECT_THAT(page, HasSubstr(series));
  }
  EXPECT_THAT(page, Not(HasSubstr("evaluations/"))) << "ids of evaluations are unbounded";
}

TEST(RobustnessGaugesTest, BoundsAndConformalSetsAreShownWhereTheySaySomething) {
  Metrics metrics;
  v1::Report report = MakeReport("e", "m", "d");
  v1::ConditionReport& bounds = *report.add_conditions();
  bounds.set_id("bounds/ibp/2-255");
  bounds.mutable_bounds()->mutable_certified_accuracy()->set_value(0.125);
  for (const bool defined : {true, false}) {
    v1::ConditionReport& sets = *report.add_conditions();
    sets.set_id(defined ? "conformal/rscp/0.25/0.125" : "conformal/rscp/0.5/0.25");
    sets.mutable_conformal()->set_mean_set_size(2.5);
    if (defined) sets.mutable_conformal()->mutable_coverage()->set_value(0.9375);
  }
  metrics.PublishReport(report, 1000);
  const std::string page = metrics.Render();
  EXPECT_THAT(page, HasSubstr("assay_proven_accuracy_ratio{model=\"m\",dataset=\"d\",condition="
                              "\"bounds/ibp/2-255\"} 0.125\n"));
  EXPECT_THAT(page, HasSubstr("assay_conformal_coverage_ratio{model=\"m\",dataset=\"d\",condition="
                              "\"conformal/rscp/0.25/0.125\"} 0.9375\n"));
  EXPECT_THAT(page, HasSubstr("assay_conformal_set_size{model=\"m\",dataset=\"d\",condition="
                              "\"conformal/rscp/0.25/0.125\"} 2.5\n"));
  EXPECT_THAT(page, Not(HasSubstr("assay_conformal_set_size{model=\"m\",dataset=\"d\",condition="
                                  "\"conformal/rscp/0.5/0.25\"}")));
}

TEST(RobustnessGaugesTest, TheLatestEvaluationOfAPairIsShownWhateverTheOrder) {
  Metrics metrics;
  v1::Report late = MakeReport("late", "m", "d");
  late.mutable_conditions(0)->mutable_accuracy()->set_value(0.5);
  metrics.PublishReport(late, 2000);
  metrics.PublishReport(MakeReport("early", "m", "d"), 1000);
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "d") + "0.5\n"));
  metrics.PublishReport(MakeReport("later", "m", "d"), 3000);
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "d") + "0.75\n"));
  metrics.PublishReport(MakeReport("e", "m", "other"), 1);
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "other") + "0.75\n"));
}

TEST(RobustnessGaugesTest, AWithdrawnEvaluationIsNotShownAnyMore) {
  Metrics metrics;
  metrics.PublishReport(MakeReport("a", "m", "d"), 1000);
  metrics.PublishReport(MakeReport("b", "m", "other"), 1000);
  metrics.WithdrawReport("evaluations/a");
  metrics.WithdrawReport("evaluations/never-published");
  EXPECT_THAT(metrics.Render(), Not(HasSubstr(CleanAccuracy("m", "d"))));
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "other")));
  metrics.PublishReport(MakeReport("c", "m", "d"), 500);
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "d"))) << "older, but all there is";
}

TEST(RobustnessGaugesTest, AnOlderEvaluationThatIsWithdrawnLeavesTheLatestAlone) {
  Metrics metrics;
  metrics.PublishReport(MakeReport("a", "m", "d"), 1000);
  metrics.PublishReport(MakeReport("b", "m", "d"), 2000);
  metrics.WithdrawReport("evaluations/a");
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "d")));
}

TEST(RobustnessGaugesTest, TheOldestPairsLeaveWhenThereAreTooMany) {
  Metrics metrics;
  const int pairs = static_cast<int>(Metrics::kMaxReports) + 5;
  for (int i = 0; i < pairs; ++i) {
    metrics.PublishReport(MakeReport(absl::StrCat("e", i), absl::StrCat("m", i), "d"), 1000 + i);
  }
  const std::string page = metrics.Render();
  for (int i = 0; i < pairs; ++i) {
    const bool shown = page.find(CleanAccuracy(absl::StrCat("m", i), "d")) != std::string::npos;
    EXPECT_EQ(shown, i >= 5) << i;
  }
}

TEST(RobustnessGaugesTest, ClassesWithoutSamplesAreLeftOut) {
  Metrics metrics;
  v1::Report report = MakeReport("e", "m", "d");
  report.mutable_conditions(0)->mutable_classes(0)->mutable_accuracy()->clear_value();
  metrics.PublishReport(report, 1);
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("condition=\"clean\",class=\"cat\"} 0.5")));
}

TEST(RobustnessGaugesTest, EqualClassNamesAndRadiiDoNotSpoilThePage) {
  Metrics metrics;
  v1::Report report = MakeReport("e", "m", "d");
  report.mutable_conditions(0)->mutable_classes(1)->set_name("cat");
  report.mutable_conditions(2)->mutable_certification()->mutable_curve(2)->set_radius(0.25 + 1e-9);
  metrics.PublishReport(report, 1);
  std::set<std::string> seen;
  const std::string page = metrics.Render();
  for (size_t at = 0; at < page.size(); at = page.find('\n', at) + 1) {
    const std::string line = page.substr(at, page.find('\n', at) - at);
    if (line.empty() || line[0] == '#') continue;
    EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
  }
  EXPECT_THAT(page, HasSubstr("class=\"cat (1)\"} 1"));
}

TEST(RobustnessGaugesTest, NamesThatAreStrangeAreEscaped) {
  Metrics metrics;
  v1::Report report = MakeReport("e", "m", "d");
  report.mutable_conditions(0)->mutable_classes(0)->set_name("a \"quoted\"\\\nname");
  metrics.PublishReport(report, 1);
  EXPECT_THAT(metrics.Render(), HasSubstr("class=\"a \\\"quoted\\\"\\\\\\nname\"} 0.5"));
}

}  // namespace
}  // namespace assay::monitoring
