#include <string>

#include "gmock/gmock.h"
#include "server/monitoring/judged_gates.h"
#include "server/monitoring/metrics.h"

namespace assay::monitoring {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

JudgedGates Gates(int64_t version, bool holds, int64_t end_micros) {
  JudgedGates gates;
  gates.series = "resnet";
  gates.version = version;
  gates.evaluation = "evaluations/e" + std::to_string(version);
  gates.model = "models/resnet-v" + std::to_string(version);
  gates.dataset = "datasets/d";
  gates.end_time_micros = end_micros;
  gates.gates = {{"accuracy(clean) >= 0.9", holds, !holds}};
  return gates;
}

TEST(GateGaugesTest, ANewerVersionTakesTheOlderOnesPlaceWhoeverEndsFirst) {
  Metrics metrics;
  metrics.PublishGates(Gates(2, false, 10));
  EXPECT_THAT(
      metrics.Render(),
      HasSubstr("assay_gate_passed{model=\"resnet-v2\",dataset=\"d\",gate=\"accuracy(clean) "
                ">= 0.9\"} 0"));
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_gate_undecided{model=\"resnet-v2\",dataset=\"d\","
                                          "gate=\"accuracy(clean) >= 0.9\"} 1"));
  metrics.PublishGates(Gates(3, true, 20));
  metrics.PublishGates(Gates(1, false, 30));
  const std::string page = metrics.Render();
  EXPECT_THAT(page, HasSubstr("assay_gate_passed{model=\"resnet-v3\",dataset=\"d\",gate=\"accuracy("
                              "clean) >= 0.9\"} 1"));
  EXPECT_THAT(page, Not(HasSubstr("resnet-v1")));
  EXPECT_THAT(page, Not(HasSubstr("resnet-v2")));
}

TEST(GateGaugesTest, GatesGoWithTheirEvaluation) {
  Metrics metrics;
  metrics.PublishGates(Gates(1, true, 10));
  metrics.WithdrawReport("evaluations/e2");
  EXPECT_THAT(metrics.Render(), HasSubstr("resnet-v1"));
  metrics.WithdrawReport("evaluations/e1");
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("resnet-v1")));
}

TEST(GateGaugesTest, EqualAndLongExpressionsAreSeriesOfTheirOwn) {
  Metrics metrics;
  JudgedGates gates = Gates(1, true, 10);
  const std::string expression(300, 'x');
  gates.gates = {{expression, true, false}, {expression, false, false}};
  metrics.PublishGates(gates);
  const std::string shown = std::string(200, 'x') + "...";
  EXPECT_THAT(metrics.Render(), HasSubstr("gate=\"" + shown + "\"} 1"));
  EXPECT_THAT(metrics.Render(), HasSubstr("gate=\"" + shown + " (2)\"} 0"));
}

TEST(GateGaugesTest, OldestModelsLeaveBeyondTheLimit) {
  Metrics metrics;
  for (size_t i = 0; i <= Metrics::kMaxReports; ++i) {
    JudgedGates gates = Gates(1, true, static_cast<int64_t>(i) + 1);
    gates.series = gates.model = "m" + std::to_string(i) + "x";
    metrics.PublishGates(gates);
  }
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("model=\"m0x\"")));
  EXPECT_THAT(metrics.Render(), HasSubstr("model=\"m1x\""));
}

TEST(RepositoryMetricsTest, KnownSeriesAreZeroAndCountsAreSet) {
  Metrics metrics;
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_repository_errors{kind=\"file\"} 0"));
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("\nassay_repository_look_timestamp_seconds ")));
  RepositorySnapshot snapshot;
  snapshot.versions = {{"stored", 4}};
  snapshot.errors = {{"file", 2}};
  snapshot.look_micros = 5'000'000;
  metrics.SetRepository(snapshot);
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_repository_versions{state=\"stored\"} 4"));
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_repository_errors{kind=\"file\"} 2"));
  EXPECT_THAT(metrics.Render(), HasSubstr("\nassay_repository_look_timestamp_seconds 5\n"));
  metrics.SetRepository({});
  EXPECT_THAT(metrics.Render(), HasSubstr("assay_repository_errors{kind=\"file\"} 0"));
}

}  // namespace
}  // namespace assay::monitoring
