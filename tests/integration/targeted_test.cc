// Attacks on every class, from the condition to the matrix in the report.
#include <map>
#include <utility>

#include "core/base/errors.h"
#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;

class TargetedTest : public ZooFixture {};

TEST_F(TargetedTest, TheMatrixOfTheReportIsThatOfTheStreamedOutcomes) {
  StartServer();
  constexpr int kClasses = 4;
  GeneratedData data(160, 3, 8, kClasses);
  const std::string model = Upload("tiny_cnn"), dataset = Upload(data);
  const v1::Evaluation evaluation =
      Run(Spec(model, dataset, {"attack/pgd:eps=0.03,steps=5,target=every"}, 50));
  ASSERT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();

  int aimed[kClasses][kClasses] = {}, reached[kClasses][kClasses] = {};
  int outcomes = 0;
  const absl::Status status =
      client_->StreamOutcomes(evaluation.name(), {}, [&](const v1::StreamOutcomesResponse& batch) {
        for (const v1::Outcome& outcome : batch.outcomes()) {
          ++outcomes;
          const v1::AttackOutcome& attack = outcome.attack();
          EXPECT_EQ(attack.targets_size(), attack.attacked() ? kClasses - 1 : 0);
          for (const v1::TargetOutcome& target : attack.targets()) {
            ++aimed[outcome.label()][target.target()];
            reached[outcome.label()][target.target()] += target.success() ? 1 : 0;
            EXPECT_LE(target.distance(), 0.03 * (1 + 1e-6));
          }
        }
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(outcomes, 160);

  const auto report = ReportOf(evaluation.name());
  ASSERT_TRUE(report.ok()) << report.status();
  const v1::TargetedReport& targeted = report->conditions(0).attack().targeted();
  ASSERT_EQ(targeted.success_size(), kClasses);
  int successes = 0, failures = 0;
  for (int s = 0; s < kClasses; ++s) {
    for (int t = 0; t < kClasses; ++t) {
      EXPECT_EQ(targeted.success(s).targets(t).numerator(), reached[s][t]) << s << " to " << t;
      EXPECT_EQ(targeted.success(s).targets(t).denominator(), aimed[s][t]) << s << " to " << t;
      successes += reached[s][t];
      failures += aimed[s][t] - reached[s][t];
    }
  }
  // The budget is such that there is something to compare.
  EXPECT_GT(successes, 10);
  EXPECT_GT(failures, 10);
}

TEST_F(TargetedTest, ATargetThatTheModelDoesNotHaveFailsTheEvaluationWithAReason) {
  StartServer();
  GeneratedData data(8, 3, 8, 4);
  const std::string model = Upload("linear"), dataset = Upload(data);
  const v1::Evaluation evaluation = Run(Spec(model, dataset, {"attack/fgsm:target=4"}));
  EXPECT_EQ(evaluation.state(), v1::Evaluation::FAILED);
  EXPECT_THAT(evaluation.failure().message(), HasSubstr("target=4, but the model has 4 classes"));
  // The run has told the server how many classes the model has.
  const absl::Status again =
      client_->CreateEvaluation(Spec(model, dataset, {"attack/fgsm:target=4"}), "").status();
  EXPECT_EQ(ReasonOf(again), Reason::kInvalidCondition);
  EXPECT_THAT(again.message(), HasSubstr("target=4, but the model has 4 classes (0 to 3)"));
}

}  // namespace
}  // namespace assay::testing
