// What gates may speak of.
#include "core/report/gate_scope.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "gmock/gmock.h"

namespace assay::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

GateScope Scope(const std::vector<std::string>& conditions) {
  const auto parsed = ParseConditions(conditions);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  GateScope scope;
  scope.conditions = ScopeOf(*parsed);
  scope.class_names = {"cat", "wolf, grey", "7", "1"};
  return scope;
}

GateScope Usual() {
  return Scope({"clean", "attack/pgd:eps=8/255", "corruption/fog:severity=1-5",
                "attack/fmn:eps=4/255+8/255", "smoothing/gaussian:sigma=0.25",
                "bounds/ibp:eps=1/255"});
}

absl::Status Check(const std::string& text, const GateScope& scope) {
  const auto gate = ParseGate(text);
  EXPECT_TRUE(gate.ok()) << gate.status();
  return gate.ok() ? CheckGate(*gate, scope) : gate.status();
}

TEST(GateScope, ConditionsAreFoundAsTheyAreWrittenAndByTheirIds) {
  const std::pair<const char*, const char*> kCases[] = {
      {"clean", "clean"},
      {"attack/pgd:norm=linf,eps=8/255", "attack/pgd/linf/8-255"},
      {"attack/pgd", "attack/pgd/linf/8-255"},
      {"attack/pgd/linf/8-255", "attack/pgd/linf/8-255"},
      {"corruption/fog:severity=3", "corruption/fog/3"},
      // One run, and an entry for each budget.
      {"attack/fmn:eps=4/255", "attack/fmn/linf/4-255"}};
  for (const auto& [text, id] : kCases) {
    const auto found = FindCondition(text, Usual());
    ASSERT_TRUE(found.ok()) << text << ": " << found.status();
    EXPECT_EQ(found->id, id);
  }
}

TEST(GateScope, ConditionsThatAreNotThereAreToldWithTheNearest) {
  EXPECT_THAT(Check("accuracy(attack/pgd:eps=4/255) > 0.5", Usual()).message(),
              AllOf(HasSubstr("the evaluation has no condition 'attack/pgd/linf/4-255'"),
                    HasSubstr("did you mean 'attack/pgd/linf/8-255'?"),
                    HasSubstr("there are clean, attack/pgd/linf/8-255")));
  // An id, and no expression.
  EXPECT_THAT(Check("accuracy(attack/pgd/linf/2-255) > 0.5", Usual()).message(),
              HasSubstr("has no condition 'attack/pgd/linf/2-255'"));
  EXPECT_THAT(Check("accuracy(clean) > 0.5",
                    Scope({"corruption/fog:severity=1-5", "corruption/snow:severity=1-5",
                           "corruption/frost:severity=1-5"}))
                  .message(),
              HasSubstr(" and 3 more"));
}

TEST(GateScope, UnknownMethodsAreToldByTheConditionsThemselves) {
  const absl::Status status = Check("accuracy(attack/pdg:eps=8/255) > 0.5", Usual());
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidCondition);
  EXPECT_THAT(status.message(), HasSubstr("did you mean 'attack/pgd'?"));
}

TEST(GateScope, ExpressionsOfSeveralConditionsAreRefused) {
  EXPECT_THAT(Check("accuracy(corruption/fog:severity=1+2) > 0.5", Usual()).message(),
              HasSubstr("is 2 conditions (corruption/fog/1, corruption/fog/2); a gate is on one"));
  EXPECT_THAT(Check("accuracy(attack/fmn:eps=4/255+8/255) > 0.5", Usual()).message(),
              HasSubstr("is 2 conditions"));
}

TEST(GateScope, ClassesAreNamesFirstAndIndicesThen) {
  const std::vector<std::string> names = {"cat", "wolf, grey", "7", "1"};
  EXPECT_EQ(*FindClass({"wolf, grey", true}, names), 1);
  EXPECT_EQ(*FindClass({"0", false}, names), 0);
  EXPECT_EQ(*FindClass({"7", false}, names), 2);
  EXPECT_EQ(*FindClass({"1", false}, names), 3);
  EXPECT_THAT(FindClass({"0", true}, names).status().message(), HasSubstr("there is no class '0'"));
  EXPECT_THAT(FindClass({"4", false}, names).status().message(), HasSubstr("classes are 0 to 3"));
  EXPECT_THAT(FindClass({"-1", false}, names).status().message(), HasSubstr("no class -1"));
  EXPECT_THAT(FindClass({"cot", false}, names).status().message(),
              AllOf(HasSubstr("there is no class 'cot'"), HasSubstr("did you mean 'cat'?")));
  EXPECT_THAT(FindClass({"a", false}, {"a", "a"}).status().message(), HasSubstr("give the index"));
}

TEST(GateScope, ClassesThatAreNotKnownYetMayBeAny) {
  GateScope scope = Usual();
  EXPECT_FALSE(Check("cfps(clean, dog) < 0.5", scope).ok());
  scope.class_names.clear();
  EXPECT_TRUE(Check("cfps(clean, dog) < 0.5", scope).ok());
}

TEST(GateScope, SlicesAreColumnsAndValues) {
  GateScope scope = Usual();
  // Not known yet.
  EXPECT_TRUE(Check("slice_accuracy(clean, anything=at all) > 0.5", scope).ok());
  scope.columns = {{"lighting", {"day", "night", "a=b"}}, {"a=b", {"c"}}, {"brightness", {}}};
  for (const char* text :
       {"slice_accuracy(clean, lighting=night) > 0.5", "slice_accuracy(clean, a=b=c) > 0.5",
        "slice_accuracy(attack/pgd:norm=linf,eps=8/255, lighting=a=b) > 0.5",
        "slice_accuracy(clean, brightness=0.1..0.2) > 0.5"}) {
    EXPECT_TRUE(Check(text, scope).ok()) << text << ": " << Check(text, scope);
  }
  EXPECT_THAT(Check("slice_accuracy(clean, lightning=night) > 0.5", scope).message(),
              AllOf(HasSubstr("the evaluation has no column 'lightning'"),
                    HasSubstr("did you mean 'lighting'?"),
                    HasSubstr("there are lighting, a=b, brightness")));
  EXPECT_THAT(Check("slice_accuracy(clean, lighting=nigth) > 0.5", scope).message(),
              AllOf(HasSubstr("column 'lighting' has no value 'nigth'"),
                    HasSubstr("did you mean 'night'?")));
  EXPECT_THAT(Check("slice_accuracy(clean, a=b=d) > 0.5", scope).message(),
              HasSubstr("column 'a=b' has no value 'd'"));
  scope.columns = std::vector<ScopeColumn>();
  EXPECT_THAT(Check("slice_accuracy(clean, a=b) > 0.5", scope).message(),
              HasSubstr("there are none"));
}

TEST(GateScope, MetricsSuitTheirConditions) {
  const std::pair<const char*, const char*> kBad[] = {
      {"success_rate(clean) < 0.5", "success_rate is of attacks"},
      {"certified_accuracy(clean, 0.1) > 0.5", "is of smoothing/... and bounds/..."},
      {"certified_accuracy(smoothing/gaussian:sigma=0.25) > 0.5", "needs a radius"},
      {"certified_accuracy(bounds/ibp:eps=1/255, 0.1) > 0.5", "takes no radius for bounds"},
      {"check(clean, zero-gradients)", "'clean' has no check 'zero-gradients'; it has"},
      {"check(attack/pgd, class-order)", "has no check 'class-order'"},
      {"check(attack/pgd, zero-gradient)", "did you mean 'zero-gradients'?"}};
  for (const auto& [text, message] : kBad) {
    EXPECT_THAT(Check(text, Usual()).message(), HasSubstr(message)) << text;
  }
  for (const char* text :
       {"success_rate(attack/pgd) < 0.5", "certified_accuracy(bounds/ibp:eps=1/255) > 0.5",
        "certified_accuracy(smoothing/gaussian:sigma=0.25, 0.5) > 0.5", "check(clean, class-order)",
        "check(attack/pgd, zero-gradients)", "mce() <= 0.9"}) {
    EXPECT_TRUE(Check(text, Usual()).ok()) << text << ": " << Check(text, Usual());
  }
  EXPECT_THAT(Check("mce() <= 0.9", Scope({"clean"})).message(),
              HasSubstr("mce() needs corruptions, and the evaluation has none"));
}

}  // namespace
}  // namespace assay::report
