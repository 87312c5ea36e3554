// Two models on the same images, through a real server, engines and client: the comparison against
// a recount of the outcomes that were streamed.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;

class CompareModelsTest : public ZooFixture {
 protected:
  void SetUp() override {
    StartServer();
    dataset_ = Upload(data_);
  }
  v1::Evaluation Evaluate(const std::string& model, const std::vector<std::string>& conditions) {
    const v1::Evaluation evaluation = Run(Spec(Upload(model), dataset_, conditions, 16));
    EXPECT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();
    return evaluation;
  }
  absl::StatusOr<v1::Comparison> Compare(const std::vector<std::string>& names,
                                         const std::string& oracle = "") {
    v1::CompareEvaluationsRequest request;
    for (const std::string& name : names) request.add_names(name);
    request.set_oracle(oracle);
    return client_->CompareEvaluations(request);
  }
  // Of one condition, by sample.
  std::map<int64_t, v1::Outcome> OutcomesOf(const std::string& evaluation,
                                            const std::string& condition) {
    std::map<int64_t, v1::Outcome> found;
    for (const auto& [key, bytes] : Outcomes(evaluation)) {
      if (key.first != condition) continue;
      EXPECT_TRUE(found[key.second].ParseFromString(bytes));
    }
    return found;
  }

  GeneratedData data_{80, 3, 8, 4};
  std::string dataset_;
};

// Decided, without ties: what its prediction says.
bool Right(const v1::Outcome& outcome) {
  return !outcome.undecided() && !outcome.tie() && outcome.prediction() == outcome.label();
}

TEST_F(CompareModelsTest, CountsWhatTheOutcomesSayUnderEveryCondition) {
  const std::vector<std::string> conditions = {"clean", "corruption/gaussian_noise:severity=3",
                                               "attack/pgd:norm=linf,eps=2/255,steps=5"};
  const v1::Evaluation first = Evaluate("tiny_cnn", conditions);
  const v1::Evaluation second = Evaluate("linear", conditions);
  const auto comparison = Compare({first.name(), second.name()}, second.name());
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  ASSERT_EQ(comparison->conditions_size(), 3);
  EXPECT_EQ(comparison->samples(), 80);
  int64_t different = 0;
  for (const v1::ConditionComparison& condition : comparison->conditions()) {
    SCOPED_TRACE(condition.id());
    const auto a = OutcomesOf(first.name(), condition.id());
    const auto b = OutcomesOf(second.name(), condition.id());
    ASSERT_EQ(a.size(), 80u);
    int64_t only_first = 0, only_second = 0, agreed = 0, second_right = 0, both = 0;
    for (const auto& [sample, x] : a) {
      const v1::Outcome& y = b.at(sample);
      only_first += Right(x) && !Right(y);
      only_second += !Right(x) && Right(y);
      both += Right(x) && Right(y);
      second_right += Right(y);
      agreed += !x.undecided() && !x.tie() && !y.undecided() && !y.tie() &&
                x.prediction() == y.prediction();
    }
    const v1::PairedOutcomes& all = condition.pairs(0).all();
    EXPECT_EQ(all.only_first_right(), only_first);
    EXPECT_EQ(all.only_second_right(), only_second);
    EXPECT_EQ(all.both_right(), both);
    EXPECT_EQ(all.agreement().numerator(), agreed);
    EXPECT_EQ(condition.accuracies(1).numerator(), second_right);
    different += only_first + only_second;
    const bool attacked = condition.family() == "attack";
    EXPECT_EQ(condition.own_images(), attacked);
    if (attacked) {
      EXPECT_THAT(condition.oracle().undefined_reason(), HasSubstr("attacked by itself"));
    } else {
      EXPECT_EQ(condition.oracle().models(0).accuracy().numerator(), both);
      EXPECT_EQ(condition.oracle().models(0).accuracy().denominator(), second_right);
    }
  }
  EXPECT_GT(different, 0) << "the models are alike, and this test says nothing";

  // A restarted server says the same.
  server_->Kill();
  StartServer();
  const auto again = Compare({first.name(), second.name()}, second.name());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->DebugString(), comparison->DebugString());
}

TEST_F(CompareModelsTest, AModelComparedWithItselfAgreesWithItself) {
  const v1::Evaluation first = Evaluate("tiny_cnn", {"clean"});
  const v1::Evaluation second = Evaluate("tiny_cnn", {"clean"});
  const auto comparison = Compare({first.name(), second.name()});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairedOutcomes& all = comparison->conditions(0).pairs(0).all();
  EXPECT_EQ(all.agreement().numerator(), 80);
  EXPECT_EQ(all.accuracy_difference().value(), 0);
  EXPECT_EQ(all.accuracy_difference().p_value(), 1);
}

TEST_F(CompareModelsTest, OtherConditionsAreRefused) {
  const v1::Evaluation first = Evaluate("tiny_cnn", {"clean"});
  const v1::Evaluation second =
      Evaluate("linear", {"clean", "corruption/gaussian_noise:severity=3"});
  const auto refused = Compare({first.name(), second.name()});
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr(first.name() + " lacks corruption/gaussian_noise/3"));
}

}  // namespace
}  // namespace assay::testing
