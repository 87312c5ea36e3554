#include "client/render/repeat_command.h"

#include "core/conditions/condition.h"
#include "core/report/ready_made_report.h"
#include "gmock/gmock.h"

namespace assay::render {
namespace {

v1::Report ReportOf(const std::vector<std::string>& expressions) {
  v1::Report report;
  report.set_model("models/m");
  report.set_dataset("datasets/d");
  report.set_seed(7);
  report.set_confidence_level(0.95);
  const auto conditions = ParseConditions(expressions);
  EXPECT_TRUE(conditions.ok()) << conditions.status();
  for (const v1::Condition& condition : *conditions) {
    v1::ConditionReport& entry = *report.add_conditions();
    entry.set_id(condition.id());
    entry.set_family(condition.family());
    entry.set_method(condition.method());
    *entry.mutable_parameters() = condition.parameters();
    entry.set_samples(90);
    entry.set_missing(10);
  }
  return report;
}

TEST(ConditionExpressionTest, SaysWhatTheIdSaysAndNoMoreThanItMust) {
  for (const char* expression :
       {"clean", "attack/pgd:eps=8/255,norm=linf", "attack/pgd:eps=0.25,norm=l2,steps=50",
        "corruption/fog:severity=1", "bounds/ibp:eps=1/255",
        "smoothing/gaussian:n=1000,sigma=0.5"}) {
    EXPECT_EQ(ConditionExpression(ReportOf({expression}).conditions(0)), expression);
  }
}

TEST(ConditionExpressionTest, EveryMethodCanBeWrittenAgain) {
  for (const MethodHelp& method : AllMethods()) {
    const auto conditions = ParseConditions({method.expression});
    if (!conditions.ok()) continue;  // it needs a parameter
    const v1::Report report = ReportOf({method.expression});
    for (const auto& entry : report.conditions()) {
      const auto again = ParseConditions({ConditionExpression(entry)});
      ASSERT_TRUE(again.ok()) << entry.id() << ": " << again.status();
      ASSERT_EQ(again->size(), 1u) << entry.id();
      EXPECT_EQ(again->front().id(), entry.id());
      const auto& parameters = again->front().parameters();
      for (const auto& [name, value] : entry.parameters()) {
        EXPECT_EQ(parameters.at(name), value) << entry.id() << " " << name;
      }
    }
  }
}

TEST(ConditionExpressionTest, UnknownConditionsHaveNone) {
  v1::ConditionReport block;
  block.set_id("cifar-10-c/fog/3");
  block.set_family("corruption");
  block.set_method("fog");
  EXPECT_EQ(ConditionExpression(block), "");
}

TEST(RepeatCommandTest, NamesEverythingThatTheReportHas) {
  EXPECT_EQ(RepeatCommand(ReportOf({"clean", "attack/pgd:eps=2/255"})),
            "assay evaluate -m models/m -d datasets/d \\\n"
            "  -c clean \\\n"
            "     attack/pgd:eps=2/255,norm=linf \\\n"
            "  --seed 7 --limit 100");
  v1::Report report = ReportOf({"clean"});
  report.set_confidence_level(0.9);
  EXPECT_THAT(RepeatCommand(report), ::testing::HasSubstr(" --confidence-level 0.9"));
}

TEST(RepeatCommandTest, NamesAreWordsOfAShell) {
  v1::Report report = ReportOf({"clean"});
  report.set_model("models/a b");
  EXPECT_THAT(RepeatCommand(report), ::testing::HasSubstr("-m 'models/a b' -d"));
  report.set_model("models/$(reboot);'x'\x1b");
  EXPECT_THAT(RepeatCommand(report), ::testing::HasSubstr("-m 'models/$(reboot);'\\''x'\\''?' -d"));
}

TEST(RepeatCommandTest, IsNotThereWhereAConditionCannotBeWritten) {
  report::ReadyMadePart part;
  part.corruption = "fog";
  part.severity = 3;
  part.report = ReportOf({"clean"});
  EXPECT_EQ(RepeatCommand(report::CombineReadyMade("CIFAR-10-C", {part}, nullptr, {})), "");
  v1::Report report = ReportOf({"clean", "attack/pgd:eps=2/255"});
  report.mutable_conditions(1)->set_id("something else");
  EXPECT_EQ(RepeatCommand(report), "");
  EXPECT_EQ(RepeatCommand(v1::Report()), "");
}

TEST(RepeatCommandTest, IsNotThereWhereTheEvaluationStoppedEarly) {
  v1::Report report = ReportOf({"clean"});
  report.set_samples_allowed(10'000);
  EXPECT_EQ(RepeatCommand(report), "");
}

}  // namespace
}  // namespace assay::render
