// Conditions that find distances: lists of budgets, and one run for all of them.
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Ids(const std::vector<v1::Condition>& conditions) {
  std::vector<std::string> ids;
  for (const auto& condition : conditions) ids.push_back(condition.id());
  return ids;
}

std::vector<v1::Condition> Parse(const std::vector<std::string>& expressions) {
  const auto conditions = ParseConditions(expressions);
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  return conditions.ok() ? *conditions : std::vector<v1::Condition>();
}

TEST(Budgets, AreOneConditionInAscendingOrderWithoutRepetition) {
  const auto conditions = Parse({"attack/fmn:norm=l2,eps=1+0.25+1/2+0.5"});
  EXPECT_THAT(Ids(conditions), ElementsAre("attack/fmn/l2/0.25+0.5+1"));
  EXPECT_EQ(conditions[0].parameters().at("eps"), "0.25+0.5+1");
  EXPECT_TRUE(IsMinimumNorm(conditions[0]));
  EXPECT_FALSE(IsMinimumNorm(Parse({"attack/pgd"})[0]));
}

TEST(Budgets, DefaultToThoseOfTheNorm) {
  EXPECT_THAT(Ids(Parse({"attack/fmn", "attack/fmn:norm=l2", "attack/fmn:norm=l1",
                         "attack/fmn:norm=l0", "attack/ddn", "attack/deepfool", "attack/cw"})),
              ElementsAre("attack/fmn/linf/8-255", "attack/fmn/l2/0.5", "attack/fmn/l1/12",
                          "attack/fmn/l0/24", "attack/ddn/l2/0.5", "attack/deepfool/l2/0.5",
                          "attack/cw/l2/0.5"));
}

// Otherwise a report would have two entries of one id, and the work would be done twice.
TEST(Budgets, OfConditionsThatDifferInNothingElseAreJoined) {
  EXPECT_THAT(
      Ids(Parse({"attack/fmn:eps=8/255", "clean", "attack/fmn:eps=2/255+8/255",
                 "attack/fmn:eps=1/255,steps=50", "attack/fmn:eps=2/255,steps=50"})),
      ElementsAre("attack/fmn/linf/2-255+8-255", "clean", "attack/fmn/linf/1-255+2-255/steps=50"));
}

TEST(Budgets, EachAloneIsTheConditionThatAUserWouldWrite) {
  const auto conditions = Parse({"attack/fmn:norm=l2,eps=0.25+0.5,steps=50"});
  const auto each = AtEachBudget(conditions[0]);
  ASSERT_EQ(each.size(), 2u);
  const char* const eps[] = {"0.25", "0.5"};
  for (size_t i = 0; i < 2; ++i) {
    const auto alone = Parse({std::string("attack/fmn:norm=l2,steps=50,eps=") + eps[i]});
    EXPECT_EQ(each[i].DebugString(), alone[0].DebugString());
  }
}

TEST(Budgets, HaveNoSayInWhatIsDrawnAtRandom) {
  const auto conditions = Parse({"attack/fmn:eps=1/255+8/255", "attack/fmn:eps=1/255,steps=50",
                                 "attack/pgd:eps=1/255", "attack/pgd:eps=8/255"});
  ASSERT_EQ(conditions.size(), 4u);
  EXPECT_EQ(RandomnessId(conditions[0]), RandomnessId(Parse({"attack/fmn:eps=2/255"})[0]));
  EXPECT_NE(RandomnessId(conditions[0]), RandomnessId(conditions[1]));
  EXPECT_EQ(RandomnessId(conditions[2]), conditions[2].id());
  EXPECT_EQ(RandomnessId(conditions[3]), conditions[3].id());
}

TEST(Budgets, AreChecked) {
  const auto error = [](const std::string& expression) {
    const auto conditions = ParseConditions({expression});
    EXPECT_EQ(ReasonOf(conditions.status()), Reason::kInvalidCondition) << expression;
    return std::string(conditions.status().message());
  };
  EXPECT_THAT(error("attack/fmn:eps=1/255+2"), HasSubstr("at most 1 for norm=linf"));
  EXPECT_THAT(error("attack/fmn:norm=l0,eps=1.5"), HasSubstr("an integer"));
  EXPECT_THAT(error("attack/fmn:eps=0"), HasSubstr("above 0"));
  EXPECT_THAT(error("attack/fmn:eps=1/255+"), HasSubstr("is not a number"));
  EXPECT_THAT(error("attack/ddn:norm=linf"), HasSubstr("must be one of l2"));
  std::string many = "attack/fmn:norm=l2,eps=1";
  for (int i = 2; i <= 101; ++i) many += "+" + std::to_string(i);
  EXPECT_THAT(error(many), HasSubstr("at most 100 budgets"));
}

}  // namespace
}  // namespace assay
