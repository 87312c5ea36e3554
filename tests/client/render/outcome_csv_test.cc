#include "client/render/outcome_csv.h"

#include <vector>

#include "absl/strings/str_split.h"
#include "core/conditions/condition.h"
#include "core/statistics/smoothing_certificate.h"
#include "gmock/gmock.h"

namespace assay::render {
namespace {

using ::testing::ElementsAre;

class OutcomeCsvTest : public ::testing::Test {
 protected:
  // The fields of the one row of `outcome` under `expression`.
  std::vector<std::string> Row(const std::string& expression, const v1::Outcome& outcome) {
    const auto conditions = ParseConditions({expression});
    EXPECT_TRUE(conditions.ok()) << conditions.status();
    auto csv = OutcomeCsv::Create(*conditions);
    EXPECT_TRUE(csv.ok()) << csv.status();
    v1::StreamOutcomesResponse batch;
    batch.set_condition((*conditions)[0].id());
    *batch.add_outcomes() = outcome;
    std::string line = csv->Rows(batch);
    EXPECT_EQ(line.back(), '\n');
    line.pop_back();
    std::vector<std::string> row = absl::StrSplit(line, ',');
    // The records, of which outcome_csv_reader_test.cc tells.
    EXPECT_EQ(row.size(), 25u);
    row.resize(23);
    return row;
  }

  static v1::ClassCount Count(int index, int64_t count) {
    v1::ClassCount result;
    result.set_index(index);
    result.set_count(count);
    return result;
  }
};

TEST_F(OutcomeCsvTest, HeaderNamesEveryColumn) {
  EXPECT_EQ(
      OutcomeCsv::Header(),
      "condition,sample,label,prediction,correct,confidence,tie,undecided,attacked,success,norm,"
      "forwards,backwards,survives_rounding,radius,draws,count_top,count_true,certified,margin,"
      "tightness,score_prediction,score_true,outcome_record,evaluation_record\n");
}

TEST_F(OutcomeCsvTest, CleanOutcomeLeavesOtherColumnsEmpty) {
  v1::Outcome outcome;
  outcome.set_sample(12);
  outcome.set_label(3);
  outcome.set_prediction(3);
  outcome.set_confidence(0.5f);
  EXPECT_THAT(Row("clean", outcome),
              ElementsAre("clean", "12", "3", "3", "1", "0.5", "0", "0", "", "", "", "", "", "", "",
                          "", "", "", "", "", "", "", ""));
  outcome.set_tie(true);
  EXPECT_EQ(Row("clean", outcome)[4], "0");
}

TEST_F(OutcomeCsvTest, NormBelongsToSuccessOnly) {
  v1::Outcome outcome;
  outcome.set_label(3);
  outcome.set_prediction(5);
  outcome.mutable_attack()->set_attacked(true);
  outcome.mutable_attack()->set_success(true);
  outcome.mutable_attack()->set_distance(0.03);
  outcome.mutable_attack()->set_forwards(22);
  outcome.mutable_attack()->set_backwards(20);
  const std::string pgd = "attack/pgd:norm=linf,eps=8/255";
  EXPECT_THAT(Row(pgd, outcome),
              ElementsAre("attack/pgd/linf/8-255", "0", "3", "5", "0", "0", "0", "0", "1", "1",
                          "0.03", "22", "20", "0", "", "", "", "", "", "", "", "", ""));
  outcome.set_prediction(3);
  outcome.mutable_attack()->set_success(false);
  EXPECT_THAT(Row(pgd, outcome),
              ElementsAre("attack/pgd/linf/8-255", "0", "3", "3", "1", "0", "0", "0", "1", "0", "",
                          "22", "20", "", "", "", "", "", "", "", "", "", ""));
}

// 1000 of 1000 at alpha .001: radius / sigma = 2.463263 (computed with the original code of Cohen
// et al.).
TEST_F(OutcomeCsvTest, SmoothingOutcomeIsCertified) {
  v1::Outcome outcome;
  outcome.set_label(4);
  *outcome.mutable_smoothing()->add_selection() = Count(7, 40);
  *outcome.mutable_smoothing()->add_selection() = Count(4, 60);
  *outcome.mutable_smoothing()->add_estimation() = Count(4, 1000);
  const std::string expression = "smoothing/gaussian:sigma=0.5,n0=100,n=1000,alpha=0.001";
  const auto row = Row(expression, outcome);
  EXPECT_EQ(row[3], "4");
  EXPECT_EQ(row[4], "1");
  EXPECT_NEAR(std::stod(row[14]), 0.5 * 2.463263, 1e-6);
  EXPECT_THAT(std::vector<std::string>(row.begin() + 15, row.end()),
              ElementsAre("1100", "1000", "1000", "", "", "", "", ""));
  EXPECT_THAT(std::vector<std::string>(row.begin() + 5, row.begin() + 14),
              ElementsAre("", "", "", "", "", "", "", "", ""));
}

TEST_F(OutcomeCsvTest, AbstentionIsNoPrediction) {
  v1::Outcome outcome;
  outcome.set_label(4);
  *outcome.mutable_smoothing()->add_selection() = Count(4, 100);
  *outcome.mutable_smoothing()->add_estimation() = Count(4, 510);
  *outcome.mutable_smoothing()->add_estimation() = Count(5, 480);
  outcome.mutable_smoothing()->set_undecided_draws(10);
  const auto row = Row("smoothing/gaussian:sigma=0.5,n0=100,n=1000,alpha=0.001", outcome);
  EXPECT_EQ(row[3], "-1");
  EXPECT_EQ(row[4], "0");
  EXPECT_EQ(row[14], "0");
  EXPECT_EQ(row[15], "1100");
}

TEST_F(OutcomeCsvTest, BoundsHaveTheirVerdictMarginAndTightness) {
  v1::Outcome outcome;
  outcome.set_label(1);
  outcome.set_prediction(1);
  outcome.mutable_bounds()->set_certified(true);
  outcome.mutable_bounds()->set_margin(0.25);
  auto row = Row("bounds/ibp", outcome);
  EXPECT_THAT(std::vector<std::string>(row.begin() + 14, row.end()),
              ElementsAre("", "", "", "", "1", "0.25", "", "", ""));
  outcome.mutable_bounds()->set_certified(false);
  outcome.mutable_bounds()->set_tightness(0.5);
  row = Row("bounds/ibp", outcome);
  EXPECT_EQ(row[18], "0");
  EXPECT_EQ(row[20], "0.5");
}

TEST_F(OutcomeCsvTest, ConformalOutcomesHaveTheScoresOfPredictionAndLabel) {
  v1::Outcome outcome;
  outcome.set_label(1);
  outcome.set_prediction(2);
  for (const float score : {1.0F, 0.75F, 0.25F}) outcome.mutable_conformal()->add_scores(score);
  const auto row = Row("conformal/rscp", outcome);
  EXPECT_THAT(std::vector<std::string>(row.begin() + 14, row.end()),
              ElementsAre("", "", "", "", "", "", "", "0.25", "0.75"));
}

// Column k/n, p_A and radius/sigma as the original code gives them at alpha .001.
TEST(CertifyTest, AgreesWithTheOriginalCode) {
  struct Case {
    int64_t k, n;
    double pa, radius;
  };
  for (const Case& c :
       {Case{100, 100, .933254301, 1.500475}, Case{99, 100, .911373111, 1.349259},
        Case{990, 1000, .976036187, 1.978010}, Case{999, 1000, .990804502, 2.357651},
        Case{9900, 10000, .986531159, 2.212420}, Case{100000, 100000, .999930925, 3.811457}}) {
    v1::SmoothingOutcome outcome;
    auto* selection = outcome.add_selection();
    selection->set_index(2);
    selection->set_count(1);
    auto* estimation = outcome.add_estimation();
    estimation->set_index(2);
    estimation->set_count(c.k);
    const Certificate certificate = Certify(outcome, {1.0, c.n, 0.001});
    EXPECT_EQ(certificate.prediction, 2);
    EXPECT_NEAR(certificate.pa_lower, c.pa, 1e-9) << c.k << "/" << c.n;
    EXPECT_NEAR(certificate.radius, c.radius, 1e-6) << c.k << "/" << c.n;
  }
}

TEST(CertifyTest, AbstainsWithoutAMajority) {
  v1::SmoothingOutcome outcome;
  EXPECT_EQ(Certify(outcome, {1.0, 1000, 0.001}).prediction, -1);
  for (const int index : {5, 3}) {
    auto* selection = outcome.add_selection();
    selection->set_index(index);
    selection->set_count(50);
  }
  const Certificate never_seen = Certify(outcome, {1.0, 1000, 0.001});
  // The lower index of the tied two.
  EXPECT_EQ(never_seen.top_class, 3);
  EXPECT_EQ(never_seen.prediction, -1);
  EXPECT_EQ(never_seen.pa_lower, 0);
  auto* estimation = outcome.add_estimation();
  estimation->set_index(3);
  estimation->set_count(549);
  EXPECT_EQ(Certify(outcome, {1.0, 1000, 0.001}).prediction, -1);
  estimation->set_count(550);
  EXPECT_NEAR(Certify(outcome, {1.0, 1000, 0.001}).radius, .001694, 1e-6);
}

}  // namespace
}  // namespace assay::render
