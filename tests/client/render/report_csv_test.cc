#include "client/render/report_csv.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "tests/client/render/made_up_report.h"

namespace assay::render {
namespace {

using ::testing::HasSubstr;

TEST(ReportCsvTest, ProofsAndSetsHaveRowsOfAllAndOfClasses) {
  v1::Report report;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(conditions {
             id: "x"
             samples: 4
             classes { index: 0 name: "a,b" samples: 4 }
             bounds {
               certified_accuracy { value: 0.5 lower: 0.1 upper: 0.9 denominator: 4 }
               classes {
                 index: 0
                 certified_accuracy { value: 0.5 lower: 0.1 upper: 0.9 denominator: 4 }
               }
             }
             certification { mode: "fixed" average_certified_radius: 0.5 }
             conformal {
               coverage { value: 1 lower: 0.3 upper: 1 denominator: 2 }
               mean_set_size: 1.5
               classes {
                 index: 0
                 coverage { denominator: 0 }
                 mean_set_size: 0
               }
             }
             sequence {
               flip_rate { value: 0.25 denominator: 12 }
               classes {
                 index: 0
                 flip_rate { value: 0.25 denominator: 12 }
               }
             }
             attack {
               security_curve {
                 eps: 0.125
                 robust_accuracy { value: 0.75 denominator: 4 }
               }
             }
           })pb",
      &report));
  const std::string csv = ReportCsv(report);
  for (const char* row :
       {"\nx,,,certified_accuracy,0.5,0.1,0.9,4\n",
        "\nx,\"a,b\",,certified_accuracy,0.5,0.1,0.9,4\n", "\nx,,,coverage,1,0.3,1,2\n",
        "\nx,,,mean_set_size,1.5,,,4\n", "\nx,\"a,b\",,coverage,,,,0\n",
        "\nx,\"a,b\",,mean_set_size,,,,4\n", "\nx,,,plain_mean_set_size,,,,4\n",
        "\nx,,,average_certified_radius,0.5,,,4\n", "\nx,,,median_radius,0,,,4\n",
        "\nx,,,flip_rate,0.25,,,12\n", "\nx,\"a,b\",,flip_rate,0.25,,,12\n",
        "\nx,,,robust_accuracy@0.125,0.75,,,4\n"}) {
    EXPECT_THAT(csv, HasSubstr(row));
  }
}

TEST(ReportCsvTest, RadiiOfNoSamplesAndOfPredictionsAreUndefined) {
  v1::Report report;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(conditions {
             id: "x"
             samples: 4
             classes {
               index: 0
               name: "a"
               samples: 4
               certification { median_radius: 0.25 }
             }
             classes {
               index: 1
               name: "b"
               certification {}
             }
             certification { mode: "fixed" }
           })pb",
      &report));
  std::string csv = ReportCsv(report);
  EXPECT_THAT(csv, HasSubstr("\nx,a,,median_radius,0.25,,,4\n"));
  EXPECT_THAT(csv, HasSubstr("\nx,b,,average_certified_radius,,,,0\n"));
  EXPECT_THAT(csv, HasSubstr("\nx,b,,median_radius,,,,0\n"));
  report.mutable_conditions(0)->mutable_certification()->set_mode("predict");
  csv = ReportCsv(report);
  EXPECT_THAT(csv, HasSubstr("\nx,,,average_certified_radius,,,,4\n"));
  EXPECT_THAT(csv, HasSubstr("\nx,a,,median_radius,,,,4\n"));
}

TEST(ReportCsvTest, EveryRowHasEightColumnsAndIsThereOnce) {
  const std::vector<std::string> lines =
      absl::StrSplit(ReportCsv(MadeUpReport(Cifar())), '\n', absl::SkipEmpty());
  std::set<std::vector<std::string>> keys;
  for (const std::string& line : lines) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    ASSERT_EQ(cells.size(), 8u) << line;
    EXPECT_TRUE(keys.insert({cells.begin(), cells.begin() + 4}).second) << line;
  }
  EXPECT_GT(lines.size(), 1000u);
}

}  // namespace
}  // namespace assay::render
