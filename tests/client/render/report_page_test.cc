#include "client/render/report_page.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/render/numbers.h"
#include "gmock/gmock.h"
#include "tests/client/render/made_up_report.h"
#include "tests/client/render/sample_report.h"
#include "tests/client/render/well_formed.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr size_t kMegabyte = 1000000;

const std::string& CifarPage() {
  static const auto* const page = new std::string(ReportPage(MadeUpReport(Cifar())));
  return *page;
}

TEST(ReportPageTest, SaysWhatWasEvaluatedAndWhatCameOfIt) {
  const std::string page = ReportPage(SampleReport());
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_THAT(page, HasSubstr("<h1>Robustness of m</h1>"));
  EXPECT_THAT(page, HasSubstr("models/m on datasets/d: 9,007,199,254,740,993 samples of 3 classes, "
                              "seed 7"));
  EXPECT_THAT(page,
              HasSubstr("evaluations/demo: 3 conditions (1 clean, 1 attack, 1 smoothing), 95 % "
                        "intervals"));
  EXPECT_THAT(page,
              HasSubstr("<p class=\"verdict notice\">Lowest accuracy 40.0 [12.2, 73.8] % under "
                        "attack/pgd/linf/8-255; no checks were made; complete</p>"));
}

TEST(ReportPageTest, HasTheNumbersOfTheReport) {
  const v1::Report report = MadeUpReport(Cifar());
  const std::string& page = CifarPage();
  EXPECT_EQ(FirstFlaw(page), "");
  for (const auto& condition : report.conditions()) {
    EXPECT_THAT(page, HasSubstr(condition.id()));
    EXPECT_THAT(page, HasSubstr(PercentWithInterval(condition.accuracy())));
    for (const auto& own : condition.classes()) {
      EXPECT_THAT(page, HasSubstr(PercentWithInterval(own.accuracy())));
      EXPECT_THAT(page, HasSubstr(PercentWithInterval(own.cfps())));
    }
    for (const auto& point : condition.certification().curve()) {
      EXPECT_THAT(page, HasSubstr(absl::StrCat(PercentWithInterval(point.accuracy()),
                                               "</td><td class=\"n\">",
                                               Percent(point.simultaneous_lower()))));
    }
    for (const auto& row : condition.attack().targeted().success()) {
      for (const auto& rate : row.targets()) {
        if (!rate.has_value()) continue;
        EXPECT_THAT(page, HasSubstr(absl::StrCat(">", Percent(rate), "</td>")));
      }
    }
  }
  for (const auto& corruption : report.corruption_summary().corruptions()) {
    for (const double error : corruption.errors()) {
      EXPECT_THAT(page, HasSubstr(absl::StrCat("\">", Percent(error), "</td>")));
    }
  }
}

TEST(ReportPageTest, HasASectionForEverythingThatIsThere) {
  for (const char* id : {"accuracy", "budgets", "corruptions", "certificates", "conditions",
                         "checks", "provenance"}) {
    EXPECT_THAT(CifarPage(), HasSubstr(absl::StrCat("<section id=\"", id, "\"")));
  }
  for (const char* text :
       {"proven, without sampling", "robust conformal sets", "Dvoretzky", "turned into %",
        "Significant differences", "assay evaluate -m models/resnet-0f3c12",
        "numerics aaaaaaaaaaaa: cpu AVX2", "passes 723,114 forward", "zero-gradients"}) {
    EXPECT_THAT(CifarPage(), HasSubstr(text));
  }
}

TEST(ReportPageTest, CheckThatFailedIsInTheVerdict) {
  v1::Report report = SampleReport();
  v1::Check& check = *report.mutable_conditions(1)->mutable_attack()->add_checks();
  check.set_name("zero-gradients");
  check.set_verdict(v1::Check::FAILED);
  check.set_value(0.5);
  check.set_threshold(0.1);
  check.set_message("the gradient is masked");
  report.mutable_conditions(0)->add_checks()->set_verdict(v1::Check::PASSED);
  const std::string page = ReportPage(report);
  EXPECT_THAT(page, HasSubstr("verdict bad"));
  EXPECT_THAT(page, HasSubstr("checks: 1 FAILED, 1 passed; complete"));
  EXPECT_THAT(page, HasSubstr("<td class=\"bad\">FAILED</td><td class=\"wide\">"
                              "attack/pgd/linf/8-255</td><td class=\"wide\">0.5, should be at "
                              "most 0.1</td><td class=\"wide\">the gradient is masked</td>"));
  EXPECT_THAT(page, HasSubstr("<td class=\"bad\">1 FAILED</td>"));
}

TEST(ReportPageTest, ProofsCountByWhatTheyProve) {
  v1::Report report = SampleReport();
  EXPECT_THAT(ReportPage(report), Not(HasSubstr("certified accuracy.")));
  v1::ConditionReport& bounds = *report.add_conditions();
  bounds.set_id("bounds/ibp/2-255");
  bounds.set_family("bounds");
  bounds.mutable_accuracy()->set_value(0.8);
  bounds.mutable_bounds()->mutable_certified_accuracy()->set_value(0.125);
  v1::ConditionReport& sequence = *report.add_conditions();
  sequence.set_id("sequence/rotate/30");
  sequence.set_family("sequence");
  sequence.mutable_accuracy()->set_value(0.01);
  sequence.mutable_sequence();
  const std::string page = ReportPage(report);
  EXPECT_THAT(page, HasSubstr(">Lowest is the certified accuracy 12.5 [-, -] % under bounds/ibp"));
  EXPECT_THAT(page, HasSubstr("Of bounds it is the certified accuracy. Sequences"));
  EXPECT_THAT(page, HasSubstr("The accuracy of bounds and of sequences is that of the images"));
}

TEST(ReportPageTest, LineThatIsNotThereIsNotSpokenOf) {
  v1::Report report = SampleReport();
  EXPECT_THAT(ReportPage(report), HasSubstr("The dashed line is the clean accuracy."));
  report.mutable_conditions(0)->clear_accuracy();
  EXPECT_THAT(ReportPage(report), Not(HasSubstr("dashed line")));
}

TEST(ReportPageTest, CommandIsThereOrASentence) {
  EXPECT_THAT(CifarPage(), HasSubstr("--allow-missing-classes"));
  v1::Report report = MadeUpReport(Cifar());
  report.mutable_conditions(1)->set_id("CIFAR-10-C/fog/3");
  const std::string page = ReportPage(report);
  EXPECT_THAT(page, HasSubstr("No single command gives this report"));
  EXPECT_THAT(page, Not(HasSubstr("assay evaluate")));
}

TEST(ReportPageTest, SameReportGivesTheSameBytes) {
  EXPECT_EQ(ReportPage(MadeUpReport(Cifar())), CifarPage());
}

TEST(ReportPageTest, NothingPointsElsewhere) {
  for (const char* text : {"http:", "https:", "url(", "src=", "<link", "@import"}) {
    EXPECT_THAT(CifarPage(), Not(HasSubstr(text)));
  }
}

TEST(ReportPageTest, HostileNamesStayNames) {
  constexpr char kHostile[] = "</title></script><script>alert(1)</script>\"&'\x1b[2J\xe2\x80\xae";
  MadeUp made_up = Cifar();
  made_up.samples = 200;
  for (std::string& name : made_up.class_names) name = kHostile;
  v1::Report report = MadeUpReport(made_up);
  for (std::string* text : {report.mutable_model(), report.mutable_dataset(),
                            report.mutable_evaluation(), report.add_notes()}) {
    *text = kHostile;
  }
  for (auto& condition : *report.mutable_conditions()) {
    condition.set_id(kHostile);
    condition.set_method(kHostile);
    for (auto& check : *condition.mutable_checks()) check.set_message(kHostile);
    (*condition.mutable_parameters())[kHostile] = kHostile;
  }
  const std::string page = ReportPage(report);
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;&#39;?[2J?"));
  // One script and two style sheets, its own.
  const auto count = [&](const std::string& text) {
    size_t found = 0;
    for (size_t at = page.find(text); at != std::string::npos; at = page.find(text, at + 1))
      ++found;
    return found;
  };
  EXPECT_EQ(count("<script"), 1u);
  EXPECT_EQ(count("<style"), 2u);
  EXPECT_TRUE(std::none_of(page.begin(), page.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\n';
  }));
}

TEST(ReportPageTest, ReportWithoutAnythingIsAPage) {
  const std::string page = ReportPage(v1::Report());
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_THAT(page, HasSubstr("This report has no conditions."));
  EXPECT_THAT(page, HasSubstr("INCOMPLETE"));
}

TEST(ReportPageTest, MissingSamplesAreSaid) {
  v1::Report report = SampleReport();
  report.set_complete(false);
  const std::string page = ReportPage(report);
  EXPECT_THAT(page, HasSubstr("verdict notice"));
  EXPECT_THAT(page, HasSubstr("INCOMPLETE: samples are still missing"));
  EXPECT_THAT(page, HasSubstr("incomplete: this is what was known when it was asked for"));
  EXPECT_THAT(page, HasSubstr("still missing: 5 samples"));
}

TEST(ReportPageTest, OneClassIsEnough) {
  MadeUp made_up;
  made_up.samples = 20;
  made_up.class_names = {"only"};
  made_up.conditions = {"clean", "smoothing/gaussian:n=100"};
  const std::string page = ReportPage(MadeUpReport(made_up));
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_THAT(page, HasSubstr(">only</th>"));
}

TEST(ReportPageTest, TwentyConditionsOfTenClassesAreSmall) {
  EXPECT_GE(MadeUpReport(Cifar()).conditions_size(), 20);
  EXPECT_LT(CifarPage().size(), 2 * kMegabyte);
}

TEST(ReportPageTest, ThousandClassesShowTheirEndsAndStaySmall) {
  const v1::Report report = MadeUpReport(ManyClasses());
  EXPECT_GE(report.conditions_size(), 5);
  const std::string page = ReportPage(report);
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_LT(page.size(), 10 * kMegabyte);
  EXPECT_THAT(page, HasSubstr("Shown are 40 of 1,000 rows"));
  EXPECT_THAT(page, HasSubstr("<h4>Most confused classes</h4>"));
}

TEST(ReportPageTest, ThousandClassesUnderThirtyConditionsStaySmall) {
  v1::Report report = MadeUpReport(ManyClasses());
  for (int i = 0; report.conditions_size() < 30; ++i) {
    v1::ConditionReport copy = report.conditions(i);
    copy.set_id(absl::StrCat(copy.id(), "/again=", i));
    *report.add_conditions() = std::move(copy);
  }
  const std::string page = ReportPage(report);
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_LT(page.size(), 10 * kMegabyte);
  EXPECT_THAT(page, HasSubstr("Shown are 40 of 1,000 rows"));
  EXPECT_THAT(page, HasSubstr("they are in the report as CSV or JSON"));
  EXPECT_THAT(page, Not(HasSubstr("Search classes")));
}

TEST(ReportPageTest, ClassesWithoutAnAccuracyAreNotAmongTheShown) {
  v1::Report report;
  v1::ConditionReport& condition = *report.add_conditions();
  for (int i = 0; i < 50; ++i) {
    v1::ClassReport& own = *condition.add_classes();
    own.set_index(i);
    if (i % 10 == 0) own.mutable_accuracy()->set_value(0.5);
  }
  EXPECT_THAT(ReportPage(report), HasSubstr("Shown are 5 of 50 rows"));
}

TEST(ReportPageTest, GatesComeBeforeTheNumbers) {
  report::GateResult gate;
  gate.expression = "accuracy(clean) >= 0.9";
  gate.verdict = report::GateVerdict::kFailed;
  gate.why = "<b>too low</b>";
  const std::string page = ReportPage(SampleReport(), {gate});
  const size_t gates = page.find("accuracy(clean) &gt;= 0.9");
  ASSERT_NE(gates, std::string::npos);
  EXPECT_LT(gates, page.find("id=\"accuracy\""));
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;too low&lt;/b&gt;"));
}

TEST(ReportPageTest, VerdictIsBadUnlessAllGatesHold) {
  v1::Report report = SampleReport();
  report.mutable_conditions(0)->add_checks()->set_verdict(v1::Check::PASSED);
  report::GateResult good, bad;
  good.holds = true;
  EXPECT_THAT(ReportPage(report, {good, bad}),
              HasSubstr("<p class=\"verdict bad\">1 of 2 gates hold; Lowest accuracy"));
  EXPECT_THAT(ReportPage(report, {good, good}),
              HasSubstr("<p class=\"verdict good\">2 of 2 gates hold; Lowest accuracy"));
  EXPECT_THAT(ReportPage(report), HasSubstr("<p class=\"verdict good\">Lowest accuracy"));
}

}  // namespace
}  // namespace assay::render
