#include "core/conditions/condition.h"

#include "core/base/errors.h"
#include "core/conditions/params.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Ids(const std::vector<std::string>& expressions) {
  const auto conditions = ParseConditions(expressions);
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  std::vector<std::string> ids;
  if (conditions.ok()) {
    for (const auto& condition : *conditions) ids.push_back(condition.id());
  }
  return ids;
}

std::string ErrorOf(const std::string& expression) {
  const auto conditions = ParseConditions({expression});
  EXPECT_FALSE(conditions.ok()) << expression;
  EXPECT_EQ(ReasonOf(conditions.status()), Reason::kInvalidCondition);
  return std::string(conditions.status().message());
}

TEST(Conditions, HaveStableIdsThatNameTheHeadlineParameters) {
  EXPECT_THAT(Ids({"clean"}), ElementsAre("clean"));
  EXPECT_THAT(Ids({"attack/pgd"}), ElementsAre("attack/pgd/linf/8-255"));
  EXPECT_THAT(Ids({"attack/pgd:norm=l2"}), ElementsAre("attack/pgd/l2/0.5"));
  EXPECT_THAT(Ids({"corruption/gaussian_noise:severity=3"}),
              ElementsAre("corruption/gaussian_noise/3"));
  EXPECT_THAT(Ids({"smoothing/gaussian"}), ElementsAre("smoothing/gaussian/0.25"));
}

TEST(Conditions, WritingADefaultOutDoesNotChangeTheId) {
  EXPECT_THAT(Ids({"attack/pgd:norm=linf,eps=8/255,steps=20,step=2/255,restarts=1"}),
              ElementsAre("attack/pgd/linf/8-255"));
  EXPECT_THAT(Ids({"attack/pgd:restarts=1,eps=16/510,norm=LINF"}),
              ElementsAre("attack/pgd/linf/8-255"));
}

TEST(Conditions, EveryOtherParameterThatDiffersFollows) {
  EXPECT_THAT(Ids({"attack/pgd:eps=2/255,steps=50,step=2/1275"}),
              ElementsAre("attack/pgd/linf/2-255/steps=50,step=2-1275"));
  EXPECT_THAT(Ids({"smoothing/gaussian:sigma=0.5,n=1000"}),
              ElementsAre("smoothing/gaussian/0.5/n=1000"));
}

TEST(Conditions, ListsAndRangesMakeOneConditionEachAndRepetitionsVanish) {
  EXPECT_THAT(Ids({"corruption/contrast:severity=1-3", "corruption/contrast:severity=3+5"}),
              ElementsAre("corruption/contrast/1", "corruption/contrast/2", "corruption/contrast/3",
                          "corruption/contrast/5"));
  EXPECT_THAT(Ids({"corruption/contrast"}).size(), 5);
  EXPECT_THAT(Ids({"attack/pgd:eps=1/255+5/255+0.1"}),
              ElementsAre("attack/pgd/linf/1-255", "attack/pgd/linf/5-255", "attack/pgd/linf/0.1"));
}

TEST(Conditions, CarryEveryParameterInCanonicalText) {
  const auto conditions = ParseConditions({"attack/pgd:eps=4/255"});
  ASSERT_TRUE(conditions.ok());
  Params params(conditions->at(0));
  EXPECT_EQ(params.Text("norm"), "linf");
  EXPECT_DOUBLE_EQ(params.Number("eps"), 4.0 / 255);
  EXPECT_DOUBLE_EQ(params.Number("step"), 1.0 / 255);
  EXPECT_EQ(params.Integer("steps"), 20);
  EXPECT_TRUE(params.status().ok());
  params.Integer("eps");
  EXPECT_FALSE(params.status().ok());
}

TEST(Conditions, ErrorsSayWhatWouldBeRight) {
  EXPECT_THAT(ErrorOf("attack/pdg"), HasSubstr("did you mean 'attack/pgd'?"));
  EXPECT_THAT(ErrorOf("claen"), HasSubstr("did you mean 'clean'?"));
  EXPECT_THAT(ErrorOf("attack/pgd:epsilon=8/255"), HasSubstr("did you mean 'eps'?"));
  EXPECT_THAT(ErrorOf("corruption/contrast:severity=6"), HasSubstr("a number from 0 to 5"));
  EXPECT_THAT(ErrorOf("attack/pgd:eps=-8/255"), HasSubstr("a number above 0"));
  EXPECT_THAT(ErrorOf("attack/pgd:eps=2"), HasSubstr("at most 1 for norm=linf"));
  EXPECT_THAT(ErrorOf("attack/pgd:eps=abc"), HasSubstr("is not a number"));
  EXPECT_THAT(ErrorOf("attack/pgd:norm=l7"), HasSubstr("must be one of linf, l2"));
  EXPECT_THAT(ErrorOf("attack/pgd:steps=2.5"), HasSubstr("is not an integer"));
  EXPECT_THAT(ErrorOf("attack/pgd:steps"), HasSubstr("parameter=value"));
  EXPECT_THAT(ErrorOf("attack/pgd:eps=1/255,eps=2/255"), HasSubstr("given twice"));
  EXPECT_THAT(ErrorOf("clean:x=1"), HasSubstr("has no parameters"));
  EXPECT_THAT(ErrorOf("smoothing/gaussian:alpha=0"), HasSubstr("a number above 0"));
  EXPECT_THAT(ErrorOf("smoothing/gaussian:alpha=1"), HasSubstr("below 1"));
  EXPECT_THAT(ErrorOf("corruption/contrast:severity=3-1"), HasSubstr("empty range"));
}

// alpha^(1/n) < 1/2 can only abstain: for alpha .001 the first n that can certify is 10 (specs:
// B3.3).
// Every run would be the first again.
TEST(Conditions, RestartsThatCannotDifferAreRefusedButReadWhereTheyAreStored) {
  for (const std::string method : {"attack/pgd:", "attack/transfer:surrogates=m,"}) {
    EXPECT_THAT(ErrorOf(method + "start=none,restarts=2"), HasSubstr("restarts need start=random"));
  }
  v1::Condition stored = ParseConditions({"attack/pgd:restarts=2"})->at(0);
  const double work = WorkPerSample(stored);
  (*stored.mutable_parameters())["start"] = "none";
  EXPECT_EQ(WorkPerSample(stored), work);
}

TEST(Conditions, SmoothingThatCanOnlyAbstainNamesTheSmallestUsefulN) {
  EXPECT_THAT(ErrorOf("smoothing/gaussian:n=9"),
              HasSubstr("the smallest n that can certify is 10"));
  EXPECT_THAT(Ids({"smoothing/gaussian:n=10"}), ElementsAre("smoothing/gaussian/0.25/n=10"));
}

TEST(Conditions, AllProblemsComeAtOnce) {
  const auto conditions = ParseConditions(
      {"claen", "attack/pgd:eps=-1,steps=0", "clean", "corruption/contrast:severity=9"});
  ASSERT_FALSE(conditions.ok());
  std::vector<std::string> fields;
  for (const auto& violation : ViolationsOf(conditions.status())) fields.push_back(violation.field);
  EXPECT_THAT(fields, ElementsAre("conditions[0]", "conditions[1]", "conditions[3]"));
  EXPECT_FALSE(ParseConditions({}).ok());
}

TEST(Conditions, ATargetMustBeAClassOfTheModel) {
  const auto check = [](const std::string& expression) {
    return CheckTargetClass(ParseConditions({expression})->at(0), 10);
  };
  EXPECT_TRUE(check("attack/pgd").ok());
  EXPECT_TRUE(check("attack/pgd:target=every").ok());
  EXPECT_TRUE(check("attack/pgd:target=9").ok());
  EXPECT_EQ(ReasonOf(check("attack/pgd:target=10")), Reason::kInvalidCondition);
  EXPECT_THAT(check("attack/pgd:target=10").message(),
              HasSubstr("target=10, but the model has 10 classes (0 to 9)"));
}

v1::Condition Only(const std::string& expression) {
  const auto parsed = ParseConditions({expression});
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? parsed->at(0) : v1::Condition();
}

TEST(Conditions, ARatioOfLogitsNeedsClassesAlsoAsAPart) {
  for (const auto& [expression, classes] : {std::pair{"attack/apgd-dlr", 3},
                                            {"attack/apgd-t", 4},
                                            {"attack/apgd-ce", 0},
                                            {"attack/pgd", 0},
                                            {"attack/pgd:loss=dlr", 3},
                                            {"attack/bim:loss=dlr,target=every", 4},
                                            {"attack/transfer:loss=dlr,target=2,surrogates=m", 4},
                                            {"attack/autoattack", 4},
                                            {"attack/autoattack:version=rand", 3},
                                            {"attack/autoattack:version=custom,parts=fab", 0},
                                            {"clean", 0}}) {
    EXPECT_EQ(ClassesNeeded(Only(expression)), classes) << expression;
  }
}

TEST(Conditions, AverageOverPassesThemselvesOrInAPart) {
  for (const char* expression :
       {"attack/pgd:eot=20", "attack/apgd-ce:eot=2", "attack/autoattack:version=rand"}) {
    EXPECT_TRUE(AveragesPasses(Only(expression))) << expression;
  }
  for (const char* expression : {"attack/pgd", "attack/autoattack", "attack/square", "clean"}) {
    EXPECT_FALSE(AveragesPasses(Only(expression))) << expression;
  }
}

TEST(Conditions, OfTheStagesOfAutoAttackSquareIsTheBlackBox) {
  std::vector<std::string> black_boxes;
  for (const v1::Condition& stage : Stages(Only("attack/autoattack:version=plus"))) {
    if (IsBlackBox(stage)) black_boxes.push_back(stage.method());
  }
  EXPECT_EQ(black_boxes, std::vector<std::string>{"square"});
  EXPECT_TRUE(Stages(Only("attack/pgd")).empty());
}

TEST(Conditions, WorkGrowsWithTheCost) {
  const auto conditions = ParseConditions(
      {"clean", "attack/pgd:steps=10", "attack/pgd:steps=100", "smoothing/gaussian:n0=100,n=1000"});
  ASSERT_TRUE(conditions.ok());
  EXPECT_EQ(WorkPerSample(conditions->at(0)), 1);
  EXPECT_EQ(WorkPerSample(conditions->at(1)), 32);
  EXPECT_EQ(WorkPerSample(conditions->at(2)), 302);
  EXPECT_EQ(WorkPerSample(conditions->at(3)), 1100);
}

}  // namespace
}  // namespace assay
