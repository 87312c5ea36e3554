// Attacks that find distances, through a real server, engine and client: one run, and a report of
// every budget.
#include <algorithm>

#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::ElementsAre;

class SecurityCurveTest : public ZooFixture {
 protected:
  // Stored outcomes of one condition.
  std::vector<v1::Outcome> OutcomesOf(const std::string& evaluation, const std::string& condition) {
    std::vector<v1::Outcome> found;
    for (const auto& [key, bytes] : Outcomes(evaluation)) {
      if (key.first != condition) continue;
      found.emplace_back();
      EXPECT_TRUE(found.back().ParseFromString(bytes));
    }
    return found;
  }
};

TEST_F(SecurityCurveTest, OneRunIsReportedAtEveryBudgetAndAsACurve) {
  StartServer();
  GeneratedData data(60, 3, 8, 4);
  const std::string model = Upload("tiny_cnn"), dataset = Upload(data);
  const std::vector<std::string> conditions = {"clean", "attack/fmn:norm=l2,eps=0.2+0.05,steps=40",
                                               "attack/fmn:norm=l2,eps=0.5,steps=40"};
  const v1::Evaluation evaluation = Run(Spec(model, dataset, conditions));
  ASSERT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();
  const std::string id = "attack/fmn/l2/0.05+0.2+0.5/steps=40";
  ASSERT_EQ(evaluation.conditions_size(), 2);
  EXPECT_EQ(evaluation.conditions(1).id(), id);
  const auto outcomes = OutcomesOf(evaluation.name(), id);
  ASSERT_EQ(outcomes.size(), 60u);

  const auto report = ReportOf(evaluation.name());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->complete());
  std::vector<std::string> ids;
  for (const auto& condition : report->conditions()) ids.push_back(condition.id());
  EXPECT_THAT(ids, ElementsAre("clean", "attack/fmn/l2/0.05/steps=40", "attack/fmn/l2/0.2/steps=40",
                               "attack/fmn/l2/0.5/steps=40"));
  const auto robust = [&](double eps) {
    return std::count_if(outcomes.begin(), outcomes.end(), [&](const v1::Outcome& o) {
      return o.attack().attacked() && (!o.attack().success() || o.attack().distance() > eps);
    });
  };
  const double budgets[] = {0.05, 0.2, 0.5};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(report->conditions(1 + i).correct(), robust(budgets[i])) << budgets[i];
    EXPECT_EQ(report->conditions(1 + i).missing(), 0);
  }
  // The budgets tell the samples apart, or this test says nothing.
  EXPECT_GT(robust(0.05), robust(0.5));
  const auto& curve = report->conditions(2).attack().security_curve();
  ASSERT_GT(curve.size(), 2);
  EXPECT_EQ(curve[0].robust_accuracy().numerator(), report->conditions(0).correct());
  for (const v1::SecurityPoint& point : curve) {
    EXPECT_EQ(point.robust_accuracy().numerator(), robust(point.eps()));
  }

  // The gauges have one series for each budget. They are published after the end.
  const auto has_series = [&](const std::string& condition) {
    return server_->Http("/metrics").find("condition=\"" + condition + "\"") != std::string::npos;
  };
  for (size_t i = 1; i < ids.size(); ++i) {
    EXPECT_TRUE(Eventually([&] { return has_series(ids[i]); })) << ids[i];
  }
  EXPECT_FALSE(has_series(id));
}

TEST_F(SecurityCurveTest, DistancesDependOnNeitherTasksNorBudgets) {
  StartServer();
  GeneratedData data(40, 3, 8, 4);
  const std::string model = Upload("linear"), dataset = Upload(data);
  const std::vector<std::string> methods = {"attack/fmn:norm=linf", "attack/fmn:norm=l0",
                                            "attack/ddn:norm=l2", "attack/deepfool:norm=l2",
                                            "attack/cw:norm=l2,steps=50"};
  std::vector<std::string> listed, alone;
  for (const std::string& method : methods) {
    listed.push_back(method + ",eps=1");
    alone.push_back(method);
  }
  const v1::Evaluation one = Run(Spec(model, dataset, listed, 40));
  const v1::Evaluation many = Run(Spec(model, dataset, alone, 7));
  ASSERT_EQ(one.state(), v1::Evaluation::SUCCEEDED) << one.failure().message();
  ASSERT_EQ(many.state(), v1::Evaluation::SUCCEEDED) << many.failure().message();
  for (int c = 0; c < one.conditions_size(); ++c) {
    const auto first = OutcomesOf(one.name(), one.conditions(c).id());
    const auto second = OutcomesOf(many.name(), many.conditions(c).id());
    ASSERT_EQ(first.size(), 40u);
    ASSERT_EQ(second.size(), 40u);
    for (size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(first[i].SerializeAsString(), second[i].SerializeAsString())
          << one.conditions(c).id() << " " << i;
    }
  }
}

}  // namespace
}  // namespace assay::testing
