// What was stored means for ever what it meant then (docs/decisions/0009-stored-means-the-same.md):
// a data directory that an earlier version wrote, killed in the middle of an evaluation, opens,
// gives the reports that that version gave, and goes on.
//
// stored/DATE is such a directory, without its lock, reserve and logs, and with the reports that
// the version itself made of it: of evaluations/done, and of evaluations/unfinished once it had
// finished that. Model: tests/models/make_test_models.cc, linear.pt; 12 random images. To add one
// when the schema, the outcomes or the reports have changed: evaluate so with the version to be
// released, kill it, truncate the WAL and VACUUM.
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/integration/server_process.h"

namespace assay::testing {
namespace {

using ::google::protobuf::util::MessageDifferencer;

class StoredTest : public ::testing::Test {
 protected:
  StoredTest() : data_(directory_.path() + "/data") {
    std::filesystem::copy(kStored, data_, std::filesystem::copy_options::recursive);
  }

  static v1::Report Expected(const std::string& evaluation) {
    std::ifstream file(absl::StrCat(kStored, "/", evaluation, ".report.binpb"), std::ios::binary);
    v1::Report report;
    EXPECT_TRUE(report.ParseFromIstream(&file));
    return report;
  }

  static absl::StatusOr<v1::Report> ReportOf(client::Client& client, const std::string& name) {
    v1::GetReportRequest request;
    request.set_name(name);
    return client.GetReport(request);
  }

  // What differs of all that the earlier version knew; newer versions may say more.
  static std::string Difference(MessageDifferencer& differencer, const v1::Report& expected,
                                const v1::Report& actual) {
    std::string differences;
    differencer.ReportDifferencesToString(&differences);
    differencer.set_scope(MessageDifferencer::PARTIAL);
    differencer.set_report_ignores(false);
    differencer.Compare(expected, actual);
    return differences;
  }

  static constexpr char kStored[] = ASSAY_SOURCE_DIR "/tests/integration/stored/2026-11-28";
  const TemporaryDirectory directory_;
  const std::string data_;
};

TEST_F(StoredTest, AFinishedEvaluationHasTheSameReport) {
  const ServerProcess server(data_, {"--batch-size", "4", "--threads", "1"});
  const auto client = server.Connect();
  const auto report = ReportOf(*client, "evaluations/done");
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::Report expected = Expected("done");
  ASSERT_EQ(expected.conditions_size(), 18);
  MessageDifferencer differencer;
  EXPECT_EQ(Difference(differencer, expected, *report), "");
  // The test can fail.
  v1::Report changed = *report;
  changed.mutable_conditions(3)->set_correct(changed.conditions(3).correct() + 1);
  EXPECT_NE(Difference(differencer, expected, changed), "");
}

// What that version did not measure is measured now, once.
TEST_F(StoredTest, ImagesOfAnOldDatasetHaveBrightnessAndContrast) {
  v1::Report first;
  for (const bool again : {false, true}) {
    const ServerProcess server(data_, {"--batch-size", "4", "--threads", "1"});
    const auto report = ReportOf(*server.Connect(), "evaluations/done");
    ASSERT_TRUE(report.ok()) << report.status();
    if (again) {
      EXPECT_EQ(report->DebugString(), first.DebugString());
      break;
    }
    first = *report;
    const auto& columns = first.conditions(0).slices();
    ASSERT_EQ(columns.size(), 3);
    EXPECT_EQ(columns[0].name(), "brightness");
    EXPECT_EQ(columns[1].name(), "contrast");
    for (int i = 0; i < 2; ++i) {
      int64_t samples = 0;
      for (const v1::Slice& slice : columns[i].slices()) samples += slice.samples();
      EXPECT_EQ(samples, 12);
      EXPECT_GT(columns[i].slices_size(), 1);
    }
  }
}

TEST_F(StoredTest, AnUnfinishedEvaluationFinishesAndReportsWhatItWouldHaveThen) {
  const ServerProcess server(data_, {"--batch-size", "4", "--threads", "1"});
  const auto client = server.Connect();
  v1::WatchEvaluationRequest request;
  request.set_name("evaluations/unfinished");
  const auto last = client->Watch(request, {});
  ASSERT_TRUE(last.ok()) << last.status();
  const auto evaluation = client->GetEvaluation("evaluations/unfinished");
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  ASSERT_EQ(evaluation->state(), v1::Evaluation::SUCCEEDED) << evaluation->failure().message();
  auto report = ReportOf(*client, "evaluations/unfinished");
  ASSERT_TRUE(report.ok()) << report.status();
  v1::Report expected = Expected("unfinished");
  // The rest ran on this machine, whose arithmetic is its own in the last bits.
  MessageDifferencer differencer;
  differencer.IgnoreField(v1::Report::descriptor()->FindFieldByName("numerics"));
  // Counted since.
  differencer.IgnoreField(v1::Report::descriptor()->FindFieldByName("passes"));
  google::protobuf::util::DefaultFieldComparator approximately;
  approximately.set_float_comparison(google::protobuf::util::DefaultFieldComparator::APPROXIMATE);
  approximately.SetDefaultFractionAndMargin(1e-3, 1e-6);
  differencer.set_field_comparator(&approximately);
  // A text with a number that is rounding and nothing else.
  for (v1::Report* each : {&expected, &*report}) {
    for (v1::ConditionReport& condition : *each->mutable_conditions()) {
      for (v1::Check& check : *condition.mutable_attack()->mutable_checks()) {
        if (check.name() == "gradient-error") check.clear_message();
      }
    }
  }
  EXPECT_EQ(Difference(differencer, expected, *report), "");
}

TEST_F(StoredTest, KeptExamplesModelsAndDatasetsAreThere) {
  const ServerProcess server(data_, {"--batch-size", "4", "--threads", "1"});
  const auto client = server.Connect();
  int64_t kept = 0;
  const absl::Status read = client->StreamAdversarials(
      "evaluations/done", {}, [&](const v1::StreamAdversarialsResponse& batch) {
        kept += batch.samples_size();
        return absl::OkStatus();
      });
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_EQ(kept, 48);
  const auto models = client->ListModels();
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 1u);
  EXPECT_EQ(models->at(0).name(), "models/linear-0a8e36d1700b");
  const auto datasets = client->ListDatasets();
  ASSERT_TRUE(datasets.ok()) << datasets.status();
  ASSERT_EQ(datasets->size(), 1u);
  EXPECT_EQ(datasets->at(0).name(), "datasets/images-62f83c9b6590");
}

}  // namespace
}  // namespace assay::testing
