// A comparison as a page: that its numbers, and nothing unescaped, are in there. How it looks and
// behaves in a browser: comparison_page_test.py.
#include "client/render/comparison_page.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "client/render/comparison_tables.h"
#include "client/render/numbers.h"
#include "client/render/render.h"
#include "gmock/gmock.h"
#include "tests/client/render/made_up_comparison.h"
#include "tests/client/render/well_formed.h"

namespace assay::render {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

const v1::Comparison& Two() {
  static const auto* const comparison = new v1::Comparison(MadeUpComparison(TwoModels()));
  return *comparison;
}

const v1::Comparison& Four() {
  static const auto* const comparison = new v1::Comparison(MadeUpComparison(FourModels()));
  return *comparison;
}

TEST(ComparisonPageTest, SaysWhoIsComparedAndWhatCameOfIt) {
  const std::string page = RenderComparison(Two(), Format::kHtml, false);
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_THAT(page, HasSubstr("<h1>Comparison of resnet-0f3c12, resnet-adv-88ab01</h1>"));
  EXPECT_THAT(page, HasSubstr("datasets/cifar10-test: 600 samples of 10 classes, seed 7"));
  EXPECT_THAT(page, ContainsRegex("<p class=\"verdict [a-z]+\">B against A: "));
  EXPECT_THAT(page, HasSubstr("assay compare \\\n  evaluations/resnet-0f3c12 \\\n"));
}

TEST(ComparisonPageTest, HasTheNumbersOfTheComparison) {
  const std::string page = ComparisonPage(Four());
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_THAT(page, HasSubstr("<h1>Comparison of 4 models</h1>"));
  for (const auto& condition : Four().conditions()) {
    EXPECT_THAT(page, HasSubstr(condition.id().substr(condition.id().rfind('/') + 1)));
    for (const auto& accuracy : condition.accuracies()) {
      EXPECT_THAT(page, HasSubstr(PercentWithInterval(accuracy)));
    }
    for (const auto& pair : condition.pairs()) {
      EXPECT_THAT(page, HasSubstr(PercentWithInterval(pair.all().agreement())));
      EXPECT_THAT(page, HasSubstr(PointsWithInterval(pair.all().accuracy_difference())));
      EXPECT_THAT(page, HasSubstr(PercentWithInterval(pair.retrained_heads().agreement_after())));
      for (const auto& entry : pair.classes()) {
        EXPECT_THAT(page, HasSubstr(PointsWithInterval(entry.outcomes().accuracy_difference())));
      }
    }
  }
  ASSERT_EQ(Four().transfers_size(), 1);
  for (const auto& row : Four().transfers(0).rows()) {
    for (const auto& rate : row.success_rates()) {
      EXPECT_THAT(page, HasSubstr(PercentWithInterval(rate)));
    }
  }
  for (const char* id :
       {"models", "accuracy", "likeness", "transfer", "conditions", "provenance"}) {
    EXPECT_THAT(page, HasSubstr(absl::StrCat("<section id=\"", id, "\"")));
  }
  for (const char* matrix : {">agree %<", ">error consist.<", ">JS bits<", ">linear CKA<",
                             ">10-NN Jaccard<", ">new heads agree %<"}) {
    EXPECT_THAT(page, HasSubstr(absl::StrCat("<th scope=\"col\"", matrix)));
  }
}

TEST(ComparisonPageTest, WhatIsMissingIsLeftOutWithItsReason) {
  MadeUpModels what = TwoModels();
  what.vectors = false;
  what.oracle = false;
  const std::string page = ComparisonPage(MadeUpComparison(what));
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_THAT(page, HasSubstr("kept no features; evaluate with --keep-features penultimate"));
  EXPECT_THAT(page, HasSubstr("kept no softmax outputs; evaluate with --keep-probabilities"));
  for (const char* text :
       {"Retrained heads", "Outputs and features", ">Oracle<", "id=\"transfer\""}) {
    EXPECT_THAT(page, Not(HasSubstr(text)));
  }
}

TEST(ComparisonPageTest, NamesThatAreMarkupStayText) {
  const std::string page = ComparisonPage(MadeUpComparison(HostileModels()));
  EXPECT_EQ(FirstFlaw(page), "");
  EXPECT_THAT(page, Not(HasSubstr("<script>owned")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;owned=true"));
}

TEST(ComparisonPageTest, StaysSmall) {
  EXPECT_LT(ComparisonPage(Two()).size(), 200'000u);
  const v1::Comparison many = MadeUpComparison(TwoOfManyClasses());
  const std::string page = ComparisonPage(many);
  EXPECT_LT(page.size(), 10'000'000u);
  EXPECT_THAT(page, HasSubstr("the classes with the lowest and the highest change."));
}

TEST(ComparisonPageTest, IsTheSameEveryTime) {
  EXPECT_EQ(ComparisonPage(Two()), ComparisonPage(MadeUpComparison(TwoModels())));
}

}  // namespace
}  // namespace assay::render
