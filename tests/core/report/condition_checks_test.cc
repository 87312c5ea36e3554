// Faults of data and export that a report must name, from outcomes made by hand.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/conditions/condition.h"
#include "core/report/checks.h"
#include "gmock/gmock.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::HasSubstr;
using v1::Check;

// `per_class` samples of each class, of which every fifth is taken for the class after what
// `predict` says.
std::vector<v1::Outcome> Outcomes(int classes, int per_class,
                                  const std::function<int(int label)>& predict) {
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < classes * per_class; ++i) {
    const int label = i % classes;
    const int wrong = i / classes % 5 == 4 ? 1 : 0;
    outcomes.push_back(Predicted(i, label, (predict(label) + wrong) % classes));
  }
  return outcomes;
}

Check Find(const v1::ConditionReport& report, const std::string& name) {
  for (const Check& check : report.checks()) {
    if (check.name() == name) return check;
  }
  ADD_FAILURE() << "no check " << name;
  return Check();
}

Check ClassOrder(int classes, int per_class, const std::function<int(int label)>& predict) {
  return Find(OnlyCondition(Input(classes, {Clean(Outcomes(classes, per_class, predict))})),
              "class-order");
}

TEST(ClassOrder, PassesWhereClassesAreInOrder) {
  const Check check = ClassOrder(10, 20, [](int label) { return label; });
  EXPECT_EQ(check.verdict(), Check::PASSED) << check.DebugString();
  EXPECT_EQ(check.value(), 0);
}

TEST(ClassOrder, NamesLabelsThatStartAtOne) {
  // Nothing is labelled 0, as where labels count from 1.
  const Check check = ClassOrder(10, 20, [](int label) { return label == 0 ? 0 : label - 1; });
  EXPECT_EQ(check.verdict(), Check::FAILED);
  EXPECT_THAT(check.message(), HasSubstr("every label one lower"));
  EXPECT_THAT(check.message(), HasSubstr("start at 1"));
}

TEST(ClassOrder, NamesALogitForTheBackground) {
  const Check check = ClassOrder(11, 20, [](int label) { return std::min(label + 1, 10); });
  EXPECT_EQ(check.verdict(), Check::FAILED);
  EXPECT_THAT(check.message(), HasSubstr("every label one higher"));
}

TEST(ClassOrder, SaysWhatAnotherOrderWouldGive) {
  const Check check = ClassOrder(10, 20, [](int label) { return 9 - label; });
  EXPECT_EQ(check.verdict(), Check::FAILED);
  EXPECT_THAT(check.message(), HasSubstr("accuracy would be 80 % instead of 4 %"))
      << check.message();
  EXPECT_THAT(check.message(), HasSubstr("(class 0 for class 9, ")) << check.message();
}

TEST(ClassOrder, WarnsOfTwoSwappedClassesOfMany) {
  const Check check = ClassOrder(100, 20, [](int label) {
    return label == 7 ? 31 : label == 31 ? 7 : label;
  });
  EXPECT_EQ(check.verdict(), Check::WARNING) << check.DebugString();
  EXPECT_THAT(check.message(), HasSubstr("class 7 for class 31"));
}

TEST(ClassOrder, DoesNotCallABadModelMisordered) {
  // A deterministic scatter: predictions say nothing of the label.
  std::vector<v1::Outcome> outcomes;
  for (int i = 0; i < 60; ++i) outcomes.push_back(Predicted(i, i % 10, i * i * 7 / 3 % 10));
  const Check scattered = Find(OnlyCondition(Input(10, {Clean(outcomes)})), "class-order");
  EXPECT_EQ(scattered.verdict(), Check::PASSED) << scattered.DebugString();
  // Everything is taken for one class.
  EXPECT_EQ(ClassOrder(10, 20, [](int) { return 3; }).verdict(), Check::PASSED);
  // One class of two is taken for the other.
  EXPECT_EQ(ClassOrder(2, 50, [](int) { return 1; }).verdict(), Check::PASSED);
}

TEST(CleanAccuracy, OfAGuessNamesTheUsualCauses) {
  const auto guess = OnlyCondition(Input(4, {Clean(Outcomes(4, 10, [](int) { return 0; }))}));
  const Check check = Find(guess, "better-than-guessing");
  EXPECT_EQ(check.verdict(), Check::FAILED);
  for (const char* cause : {"order of classes", "start at 1", "normalisation", "BGR", "255"}) {
    EXPECT_THAT(check.message(), HasSubstr(cause));
  }
  const auto good =
      OnlyCondition(Input(4, {Clean(Outcomes(4, 10, [](int label) { return label; }))}));
  EXPECT_EQ(Find(good, "better-than-guessing").verdict(), Check::PASSED);
}

TEST(BatchDependence, FailsEveryCondition) {
  auto input = Input(4, {Clean(Outcomes(4, 10, [](int label) { return label; }))});
  const auto verdict = [&] { return Find(OnlyCondition(input), "batch-dependent").verdict(); };
  EXPECT_EQ(verdict(), Check::NOT_APPLICABLE) << "nothing has run";
  input.numerics.resize(1);
  EXPECT_EQ(verdict(), Check::NOT_APPLICABLE) << "a random model";
  input.numerics[0].set_batch_difference(0);
  EXPECT_EQ(verdict(), Check::PASSED);
  v1::NumericsFingerprint dependent;
  dependent.set_batch_difference(0.25);
  for (const char* expression : {"clean", "attack/pgd", "corruption/fog:severity=1"}) {
    auto conditions = ParseConditions({expression});
    ASSERT_TRUE(conditions.ok());
    input = Input(4, {{conditions->at(0), {}}});
    input.numerics = {dependent};
    const Check check = Find(OnlyCondition(input), "batch-dependent");
    EXPECT_EQ(check.verdict(), Check::FAILED) << expression;
    EXPECT_THAT(check.message(), HasSubstr("0.25"));
  }
}

TEST(ConditionChecks, AreThoseThatAreNamed) {
  const auto clean = OnlyCondition(Input(4, {Clean({Predicted(0, 0, 0)})}));
  std::vector<std::string> names, rows;
  for (const Check& check : clean.checks()) names.push_back(check.name());
  for (const CheckRow& row : ConditionChecks()) rows.push_back(row.name);
  EXPECT_EQ(names, rows);
}

}  // namespace
}  // namespace assay::report
