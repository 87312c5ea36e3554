#include "server/monitoring/robustness_gauges.h"

#include <prometheus/metric_family.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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
  metrics.PublishReport(MakeReport("e", "m", "d"), {1'700'000'000'250'000});
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
        "assay_accuracy_ratio_lower{model=\"m\",dataset=\"d\",condition=\"clean\"} 0.5\n",
        "assay_accuracy_ratio_upper{model=\"m\",dataset=\"d\",condition=\"clean\"} 0.875\n",
        "assay_condition_samples{model=\"m\",dataset=\"d\",condition=\"clean\"} 16\n",
        "assay_class_accuracy_ratio_lower{model=\"m\",dataset=\"d\",condition=\"clean\",class="
        "\"cat\"}"
        " 0.25\n",
        "assay_class_accuracy_ratio_upper{model=\"m\",dataset=\"d\",condition=\"clean\",class="
        "\"dog\"}"
        " 1\n",
        "assay_certified_accuracy_ratio_upper{model=\"m\",dataset=\"d\",condition=\"smoothing/"
        "gaussian/0.25\",radius=\"0.5\"} 0.75\n",
        "assay_true_class_probability{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/"
        "0.25\",quantile=\"0.05\"} 0\n",
        "assay_true_class_probability{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/"
        "0.25\",quantile=\"0.25\"} 0.5\n",
        "assay_true_class_probability{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/"
        "0.25\",quantile=\"0.5\"} 1\n",
        "assay_true_class_probability_sum{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/"
        "0.25\"} 6\n",
        "assay_true_class_probability_count{model=\"m\",dataset=\"d\",condition=\"smoothing/"
        "gaussian/"
        "0.25\"} 8\n",
        "assay_top_class_probability{model=\"m\",dataset=\"d\",condition=\"smoothing/gaussian/"
        "0.25\",quantile=\"0.05\"} 0.25\n",
        "assay_corruption_mean_error_ratio{model=\"m\",dataset=\"d\",corruption=\"fog\"} 0.75\n",
        "assay_mean_corruption_error_ratio{model=\"m\",dataset=\"d\"} 0.5\n",
        "assay_mce_ratio{model=\"m\",dataset=\"d\"} 0.625\n",
        "assay_evaluation_timestamp_seconds{model=\"m\",dataset=\"d\"} 1700000000.25"}) {
    EXPECT_THAT(page, HasSubstr(series));
  }
  EXPECT_THAT(page, Not(HasSubstr("evaluations/"))) << "ids of evaluations are unbounded";
}

TEST(RobustnessGaugesTest, WithoutAnIntervalThereIsOnlyTheValue) {
  Metrics metrics;
  v1::Report report = MakeReport("e", "m", "d");
  metrics.PublishReport(report, {1});
  EXPECT_THAT(
      metrics.Render(),
      HasSubstr("assay_accuracy_ratio_lower{model=\"m\",dataset=\"d\",condition=\"clean\"}"));
  EXPECT_THAT(
      metrics.Render(),
      HasSubstr(
          "assay_accuracy_ratio{model=\"m\",dataset=\"d\",condition=\"corruption/fog/3\"} 0.25"));
  EXPECT_THAT(metrics.Render(),
              Not(HasSubstr(
                  "assay_accuracy_ratio_lower{model=\"m\",dataset=\"d\",condition=\"corruption")));
  // Stopped when it was decided: its intervals are for another number of samples.
  report.set_samples_allowed(100);
  metrics.PublishReport(report, {2});
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "d")));
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("_lower{")));
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("_upper{")));
}

TEST(RobustnessGaugesTest, TheLatestVersionIsShownWithTheEvaluationBeforeIt) {
  Metrics metrics;
  v1::Report first = MakeReport("first", "m-v1", "d");
  *first.mutable_conditions(0)->mutable_accuracy() = MakeRate(0.875, 0.75, 0.9375);
  first.mutable_conditions(1)->set_id("corruption/fog/5");
  const v1::Report second = MakeReport("second", "m-v2", "d");
  const std::string labels = "{model=\"m-v2\",dataset=\"d\",previous=\"m-v1\"";
  metrics.PublishReport(first, {1'000'000, "m"});
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("assay_previous_accuracy_ratio{")));
  metrics.PublishReport(second, {2'000'000, "m", &first, 1'000'000});
  std::string page = metrics.Render();
  for (const std::string& series :
       {"assay_previous_accuracy_ratio" + labels + ",condition=\"clean\"} 0.875\n",
        "assay_previous_accuracy_ratio_lower" + labels + ",condition=\"clean\"} 0.75\n",
        "assay_previous_accuracy_ratio_upper" + labels + ",condition=\"clean\"} 0.9375\n",
        "assay_previous_evaluation_timestamp_seconds" + labels + "} 1\n"}) {
    EXPECT_THAT(page, HasSubstr(series));
  }
  EXPECT_THAT(page, Not(HasSubstr(labels + ",condition=\"corruption"))) << "it had no such one";
  // A third takes the place of the second, which no alert is to speak of any more.
  metrics.PublishReport(MakeReport("third", "m-v3", "d"), {3'000'000, "m", &second, 2'000'000});
  page = metrics.Render();
  EXPECT_THAT(page, Not(HasSubstr("previous=\"m-v1\"")));
  EXPECT_THAT(page, HasSubstr("{model=\"m-v3\",dataset=\"d\",previous=\"m-v2\""));
  EXPECT_THAT(page, HasSubstr("assay_evaluation_latest{model=\"m-v3\",dataset=\"d\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("assay_evaluation_latest{model=\"m-v2\",dataset=\"d\"} 0\n"));
  // On another dataset it is another matter.
  metrics.PublishReport(MakeReport("o", "m-v4", "other"), {4'000'000, "m"});
  EXPECT_THAT(metrics.Render(), HasSubstr("{model=\"m-v3\",dataset=\"d\",previous=\"m-v2\""));
  metrics.WithdrawReport("evaluations/second");
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("previous=\"m-v2\"")));
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m-v3", "d")));
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
  metrics.PublishReport(report, {1000});
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
  metrics.PublishReport(late, {2000});
  metrics.PublishReport(MakeReport("early", "m", "d"), {1000});
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "d") + "0.5\n"));
  metrics.PublishReport(MakeReport("later", "m", "d"), {3000});
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "d") + "0.75\n"));
  metrics.PublishReport(MakeReport("e", "m", "other"), {1});
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "other") + "0.75\n"));
}

TEST(RobustnessGaugesTest, AWithdrawnEvaluationIsNotShownAnyMore) {
  Metrics metrics;
  metrics.PublishReport(MakeReport("a", "m", "d"), {1000});
  metrics.PublishReport(MakeReport("b", "m", "other"), {1000});
  metrics.WithdrawReport("evaluations/a");
  metrics.WithdrawReport("evaluations/never-published");
  EXPECT_THAT(metrics.Render(), Not(HasSubstr(CleanAccuracy("m", "d"))));
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "other")));
  metrics.PublishReport(MakeReport("c", "m", "d"), {500});
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "d"))) << "older, but all there is";
}

TEST(RobustnessGaugesTest, AnOlderEvaluationThatIsWithdrawnLeavesTheLatestAlone) {
  Metrics metrics;
  metrics.PublishReport(MakeReport("a", "m", "d"), {1000});
  metrics.PublishReport(MakeReport("b", "m", "d"), {2000});
  metrics.WithdrawReport("evaluations/a");
  EXPECT_THAT(metrics.Render(), HasSubstr(CleanAccuracy("m", "d")));
}

TEST(RobustnessGaugesTest, TheOldestPairsLeaveWhenThereAreTooMany) {
  Metrics metrics;
  const int pairs = static_cast<int>(Metrics::kMaxReports) + 5;
  for (int i = 0; i < pairs; ++i) {
    metrics.PublishReport(MakeReport(absl::StrCat("e", i), absl::StrCat("m", i), "d"), {1000 + i});
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
  metrics.PublishReport(report, {1});
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("condition=\"clean\",class=\"cat\"} 0.5")));
}

TEST(RobustnessGaugesTest, EqualClassNamesAndRadiiDoNotSpoilThePage) {
  Metrics metrics;
  v1::Report report = MakeReport("e", "m", "d");
  report.mutable_conditions(0)->mutable_classes(1)->set_name("cat");
  report.mutable_conditions(2)->mutable_certification()->mutable_curve(2)->set_radius(0.25 + 1e-9);
  metrics.PublishReport(report, {1});
  std::set<std::string> seen;
  const std::string page = metrics.Render();
  for (size_t at = 0; at < page.size(); at = page.find('\n', at) + 1) {
    const std::string line = page.substr(at, page.find('\n', at) - at);
    if (line.empty() || line[0] == '#') continue;
    EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
  }
  EXPECT_THAT(page, HasSubstr("class=\"cat (1)\"} 1"));
}

// A report with one condition of so many classes: class i has accuracy i / count, CFPS i / 1000.
v1::Report ReportOfClasses(const std::string& id, int count) {
  v1::Report report = MakeReport(id, id, "d");
  report.mutable_conditions()->DeleteSubrange(1, 2);
  v1::ConditionReport& clean = *report.mutable_conditions(0);
  clean.clear_classes();
  for (int i = 0; i < count; ++i) {
    v1::ClassReport& c = *clean.add_classes();
    c.set_index(i);
    c.set_name(absl::StrCat("c", i));
    *c.mutable_accuracy() = MakeRate(i / static_cast<double>(count), 0, 1);
    *c.mutable_cfps() = MakeRate(i / 1000.0, 0, 1);
    for (int j = 0; j < count; ++j) clean.add_confusion_matrix()->add_counts(1);
  }
  return report;
}

// The classes that a gauge shows of a model.
std::vector<int> ShownClasses(const Metrics& metrics, const std::string& gauge,
                              const std::string& model) {
  const std::string start =
      absl::StrCat(gauge, "{model=\"", model, "\",dataset=\"d\",condition=\"clean\",class=\"c");
  std::vector<int> classes;
  const std::string page = metrics.Render();
  for (size_t at = page.find(start); at != std::string::npos; at = page.find(start, at + 1)) {
    classes.push_back(std::atoi(page.c_str() + at + start.size()));
  }
  return classes;
}

size_t CountSeries(const Metrics& metrics, const std::string& start) {
  size_t count = 0;
  for (absl::string_view line : absl::StrSplit(metrics.Render(), '\n')) {
    count += absl::StartsWith(line, start);
  }
  return count;
}

constexpr char kClassAccuracy[] = "assay_class_accuracy_ratio";
constexpr char kClassScore[] = "assay_class_false_positive_score_ratio";

TEST(RobustnessGaugesTest, OfManyClassesTheWorstAndTheBestTenAreShown) {
  Metrics metrics;
  metrics.PublishReport(ReportOfClasses("hundred", 100), {1});
  metrics.PublishReport(ReportOfClasses("more", 101), {2});
  metrics.PublishReport(ReportOfClasses("imagenet", 1000), {3});
  EXPECT_EQ(ShownClasses(metrics, kClassAccuracy, "hundred").size(), 100u);
  EXPECT_EQ(ShownClasses(metrics, kClassScore, "hundred").size(), 100u);
  std::vector<int> ends;
  for (int i = 0; i < 10; ++i) ends.push_back(i);
  for (int i = 990; i < 1000; ++i) ends.push_back(i);
  EXPECT_EQ(ShownClasses(metrics, kClassAccuracy, "imagenet"), ends);
  EXPECT_EQ(ShownClasses(metrics, kClassScore, "imagenet"), ends);
  EXPECT_EQ(ShownClasses(metrics, kClassAccuracy, "more").size(), 20u);
}

TEST(RobustnessGaugesTest, AClassGaugeHasEndsOfItsOwnAndSkipsWhatIsUndefined) {
  Metrics metrics;
  v1::Report report = ReportOfClasses("m", 200);
  for (int i = 0; i < 5; ++i) {
    report.mutable_conditions(0)->mutable_classes(i)->mutable_accuracy()->clear_value();
  }
  report.mutable_conditions(0)->mutable_classes(100)->mutable_cfps()->set_value(1);
  metrics.PublishReport(report, {1});
  const std::vector<int> accuracies = ShownClasses(metrics, kClassAccuracy, "m");
  ASSERT_EQ(accuracies.size(), 20u);
  EXPECT_EQ(accuracies[0], 5);
  EXPECT_THAT(ShownClasses(metrics, kClassScore, "m"), ::testing::Contains(100));
  EXPECT_THAT(accuracies, Not(::testing::Contains(100)));
}

TEST(RobustnessGaugesTest, TheNumberOfClassesCanBeChosen) {
  Metrics none(0), few(5), all(1000);
  for (Metrics* metrics : {&none, &few, &all}) {
    metrics->PublishReport(ReportOfClasses("m", 1000), {1});
    EXPECT_EQ(CountSeries(*metrics, CleanAccuracy("m", "d")), 1u);
  }
  EXPECT_EQ(CountSeries(none, "assay_class"), 0u);
  EXPECT_EQ(ShownClasses(few, kClassAccuracy, "m"), (std::vector<int>{0, 1, 2, 998, 999}));
  EXPECT_EQ(ShownClasses(all, kClassAccuracy, "m").size(), 1000u);
}

TEST(RobustnessGaugesTest, ThePageIsBoundedWhateverIsEvaluated) {
  Metrics metrics;
  // Of 200 conditions and 100 classes: 40,000 class gauges, which have no room at all.
  v1::Report wide = ReportOfClasses("wide", 100);
  for (int i = 1; i < 200; ++i) {
    *wide.add_conditions() = wide.conditions(0);
    wide.mutable_conditions(i)->set_id(absl::StrCat("condition-", i));
  }
  metrics.PublishReport(wide, {1000});
  EXPECT_EQ(CountSeries(metrics, "assay_accuracy_ratio{model=\"wide\""), 200u);
  EXPECT_EQ(CountSeries(metrics, "assay_class"), 0u);
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_gauges_left_out{gauges=\"class\"} 1\n"));
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_gauges_left_out{gauges=\"all\"} 0\n"));
  // 99 pairs more, newer and older: 200 class gauges each.
  for (int i = 0; i < 99; ++i) {
    metrics.PublishReport(ReportOfClasses(absl::StrCat("m", i), 100), {950 + i});
  }
  EXPECT_LE(CountSeries(metrics, "assay_"), Metrics::kMaxSeries + 500);
  EXPECT_EQ(ShownClasses(metrics, kClassAccuracy, "m98").size(), 100u) << "the newest has room";
  EXPECT_EQ(ShownClasses(metrics, std::string(kClassAccuracy) + "_lower", "m98").size(), 100u);
  EXPECT_EQ(ShownClasses(metrics, kClassAccuracy, "m0").size(), 0u) << "the oldest has none";
  EXPECT_EQ(CountSeries(metrics, "assay_accuracy_ratio{model=\"m0\""), 1u)
      << "what is of all samples has room first";
}

TEST(RobustnessGaugesTest, WhereRoomIsShortTheIntervalsOfClassesGoFirst) {
  // 6 series, 200 values and 400 ends of intervals.
  v1::Report report = ReportOfClasses("m", 100);
  report.clear_corruption_summary();
  const auto shown = [&](size_t room) {
    RobustnessGauges gauges({100, 100, room});
    gauges.Publish(report, {1});
    std::map<std::string, size_t> counts;
    for (const auto& family : gauges.Collect()) {
      for (const auto& metric : family.metric) {
        if (family.name == "assay_gauges_left_out") {
          counts[metric.label[0].value] = static_cast<size_t>(metric.gauge.value);
        } else {
          ++counts["series"];
        }
      }
    }
    return counts;
  };
  using Counts = std::map<std::string, size_t>;
  EXPECT_EQ(shown(606), (Counts{{"series", 606}, {"all", 0}, {"class", 0}, {"class_interval", 0}}));
  EXPECT_EQ(shown(605), (Counts{{"series", 206}, {"all", 0}, {"class", 0}, {"class_interval", 1}}));
  EXPECT_EQ(shown(205), (Counts{{"series", 6}, {"all", 0}, {"class", 1}, {"class_interval", 0}}));
  EXPECT_EQ(shown(5), (Counts{{"all", 1}, {"class", 0}, {"class_interval", 0}}));
}

TEST(RobustnessGaugesTest, TheSeriesAreAsManyAsAreCounted) {
  // The limit is what it says only if every series that is shown has been counted.
  v1::Report report = MakeReport("e", "m", "d");
  *report.mutable_conditions(0)->mutable_bounds()->mutable_certified_accuracy() =
      MakeRate(0.5, 0.25, 0.75);
  v1::ConformalReport& sets = *report.mutable_conditions(1)->mutable_conformal();
  *sets.mutable_coverage() = MakeRate(0.5, 0.25, 0.75);
  const v1::Report previous = MakeReport("p", "m", "d");
  size_t series = 0;
  RobustnessGauges all({100, 100, 10'000});
  all.Publish(report, {2, "", &previous, 1});
  for (const auto& family : all.Collect()) {
    if (family.name == "assay_gauges_left_out") continue;
    for (const auto& metric : family.metric) {
      const size_t quantiles = metric.summary.quantile.size();
      series += quantiles > 0 ? quantiles + 2 : 1;
    }
  }
  for (const size_t room : {series, series - 1}) {
    RobustnessGauges gauges({100, 100, room});
    gauges.Publish(report, {2, "", &previous, 1});
    double left_out = 0;
    for (const auto& family : gauges.Collect()) {
      if (family.name != "assay_gauges_left_out") continue;
      for (const auto& metric : family.metric) left_out += metric.gauge.value;
    }
    EXPECT_EQ(left_out, room == series ? 0 : 1) << room;
  }
}

TEST(RobustnessGaugesTest, APairWithoutRoomIsCounted) {
  RobustnessGauges gauges({100, 100, 300});
  v1::Report huge = ReportOfClasses("huge", 1);
  for (int i = 1; i < 400; ++i) {
    *huge.add_conditions() = huge.conditions(0);
    huge.mutable_conditions(i)->set_id(absl::StrCat("condition-", i));
  }
  gauges.Publish(huge, {2});
  gauges.Publish(ReportOfClasses("small", 100), {1});
  size_t series = 0;
  double left_out = -1;
  for (const auto& family : gauges.Collect()) {
    if (family.name == "assay_gauges_left_out") {
      left_out = family.metric[0].gauge.value;
    } else {
      series += family.metric.size();
    }
  }
  EXPECT_EQ(left_out, 1);
  // Accuracy with its interval, samples, time, whether it is the latest, two of
  // the corruptions and their mean; 100 classes.
  EXPECT_EQ(series, 6u + 3u + 200u) << "of the small one, whose intervals of classes have no room";
}

TEST(RobustnessGaugesTest, LongNamesAreCutBetweenCharactersAndStayDifferent) {
  Metrics metrics;
  v1::Report report = MakeReport("e", "m", "d");
  std::string name(119, 'x');
  name += "\u00e9";  // two bytes, of which one would fit
  report.mutable_conditions(0)->mutable_classes(0)->set_name(name + "cat");
  report.mutable_conditions(0)->mutable_classes(1)->set_name(name + "dog");
  metrics.PublishReport(report, {1});
  const std::string cut = "class=\"" + std::string(119, 'x') + "...";
  EXPECT_THAT(metrics.Render(), HasSubstr(cut + "\"} 0.5"));
  EXPECT_THAT(metrics.Render(), HasSubstr(cut + " (1)\"} 1"));
}

TEST(RobustnessGaugesTest, ANameThatLooksLikeASecondOneSpoilsNothing) {
  Metrics metrics;
  v1::Report report = ReportOfClasses("m", 3);
  const char* const names[] = {"cat", "cat", "cat (1)"};
  for (int i = 0; i < 3; ++i) report.mutable_conditions(0)->mutable_classes(i)->set_name(names[i]);
  metrics.PublishReport(report, {1});
  std::set<std::string> seen;
  for (absl::string_view text : absl::StrSplit(metrics.Render(), '\n')) {
    const std::string line(text);
    if (!absl::StartsWith(line, absl::StrCat(kClassAccuracy, "{"))) continue;
    EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
  }
  EXPECT_EQ(seen.size(), 3u);
}

TEST(RobustnessGaugesTest, NamesThatAreStrangeAreEscaped) {
  Metrics metrics;
  v1::Report report = MakeReport("e", "m", "d");
  report.mutable_conditions(0)->mutable_classes(0)->set_name("a \"quoted\"\\\nname");
  metrics.PublishReport(report, {1});
  EXPECT_THAT(metrics.Render(), HasSubstr("class=\"a \\\"quoted\\\"\\\\\\nname\"} 0.5"));
}

}  // namespace
}  // namespace assay::monitoring
