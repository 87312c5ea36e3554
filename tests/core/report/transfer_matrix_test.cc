// Attacks on one model shown to the others, as they are in comparisons.
#include <optional>
#include <string>
#include <vector>

#include "core/conditions/condition.h"
#include "core/report/comparison.h"
#include "gmock/gmock.h"
#include "tests/core/report/compared.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

v1::Condition Condition(const std::string& expression) {
  const auto conditions = ParseConditions({expression});
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return conditions->at(0);
}

// Four samples of class 0: '+' is robust, '-' fooled, 'x' wrong before the attack.
ConditionOutcomes Attacked(const v1::Condition& condition, const std::string& samples) {
  ConditionOutcomes run{condition, {}};
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto sample = static_cast<int64_t>(i);
    run.outcomes.push_back(samples[i] == '+'   ? Survivor(sample, 0, 1, 1)
                           : samples[i] == '-' ? Fooled(sample, 0, 1, 0.01)
                                               : NotAttacked(sample, 0, 1));
  }
  return run;
}

TEST(TransferMatrix, HasARowForEachSurrogateAndAColumnForEachEvaluation) {
  const v1::Condition on_b = Condition("attack/transfer:surrogates=b,steps=5");
  const v1::Condition on_a = Condition("attack/transfer:surrogates=a,steps=5");
  ComparisonBuilder builder(Evaluations(3, 2, 4), 0.95, std::nullopt);
  // What was asked for first comes second: rows are in the order of the evaluations.
  ASSERT_TRUE(
      builder.Add({Attacked(on_b, "++-x"), Attacked(on_b, "----"), Attacked(on_b, "xx-+")}).ok());
  ASSERT_TRUE(
      builder.Add({Attacked(on_a, "---x"), Attacked(on_a, "-+++"), Attacked(on_a, "xxxx")}).ok());
  const auto comparison = std::move(builder).Build();
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  ASSERT_EQ(comparison->transfers_size(), 1);
  const v1::TransferMatrix& matrix = comparison->transfers(0);
  EXPECT_EQ(matrix.parameters().at("steps"), "5");
  EXPECT_EQ(matrix.parameters().count("surrogates"), 0u);
  ASSERT_EQ(matrix.rows_size(), 2);
  EXPECT_EQ(matrix.rows(0).surrogate(), 0);
  EXPECT_EQ(matrix.rows(0).condition(), on_a.id());
  ASSERT_EQ(matrix.rows(0).success_rates_size(), 3);
  // Of those that were right before: the diagonal is the attack on the model itself.
  ExpectRate(matrix.rows(0).success_rates(0), 3, 3);
  ExpectRate(matrix.rows(0).success_rates(1), 1, 4);
  EXPECT_EQ(matrix.rows(0).success_rates(2).undefined_reason(), "no sample was attacked");
  EXPECT_EQ(matrix.rows(1).surrogate(), 1);
  ExpectRate(matrix.rows(1).success_rates(0), 1, 3);
  ExpectRate(matrix.rows(1).success_rates(1), 4, 4);
  ExpectRate(matrix.rows(1).success_rates(2), 1, 2);
}

TEST(TransferMatrix, OtherParametersAreOtherMatrices) {
  ComparisonBuilder builder(Evaluations(2, 2, 4), 0.95, std::nullopt);
  for (const char* const expression :
       {"attack/transfer:surrogates=a,eps=2/255", "attack/transfer:surrogates=a,eps=8/255",
        "attack/transfer:surrogates=b,eps=2/255"}) {
    const v1::Condition condition = Condition(expression);
    ASSERT_TRUE(builder.Add({Attacked(condition, "++++"), Attacked(condition, "----")}).ok());
  }
  const auto comparison = std::move(builder).Build();
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  ASSERT_EQ(comparison->transfers_size(), 2);
  EXPECT_EQ(comparison->transfers(0).parameters().at("eps"), "2/255");
  EXPECT_EQ(comparison->transfers(0).rows_size(), 2);
  EXPECT_EQ(comparison->transfers(1).rows_size(), 1);
}

TEST(TransferMatrix, OtherSurrogatesAndOtherAttacksHaveNone) {
  ComparisonBuilder builder(Evaluations(2, 2, 4), 0.95, std::nullopt);
  for (const char* const expression :
       {"attack/transfer:surrogates=elsewhere", "attack/transfer:surrogates=a+b", "attack/pgd"}) {
    const v1::Condition condition = Condition(expression);
    ASSERT_TRUE(builder.Add({Attacked(condition, "++++"), Attacked(condition, "----")}).ok());
  }
  const auto comparison = std::move(builder).Build();
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->conditions_size(), 3);
  EXPECT_EQ(comparison->transfers_size(), 0);
}

}  // namespace
}  // namespace assay::report
