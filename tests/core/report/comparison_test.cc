// Two or more models on the same samples, against independent computations.
#include "core/report/comparison.h"

#include <string>
#include <utility>
#include <vector>

#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/statistics/paired_difference.h"
#include "gmock/gmock.h"
#include "tests/core/report/compared.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ConditionOutcomes Corruption(std::vector<v1::Outcome> outcomes) {
  ConditionOutcomes condition = Clean(std::move(outcomes));
  condition.condition.set_id("corruption/fog/3");
  condition.condition.set_family("corruption");
  condition.condition.set_method("fog");
  return condition;
}

// Of conditions that each have a run of every model.
absl::StatusOr<v1::Comparison> Compared(int num_classes,
                                        const std::vector<std::vector<ConditionOutcomes>>& runs,
                                        std::optional<int> oracle = std::nullopt) {
  const int64_t samples = static_cast<int64_t>(runs[0][0].outcomes.size());
  ComparisonBuilder builder(Evaluations(runs[0].size(), num_classes, samples), 0.95, oracle);
  for (const auto& of_models : runs) ASSAY_RETURN_IF_ERROR(builder.Add(of_models));
  return std::move(builder).Build();
}

v1::PairedOutcomes OnlyPair(const ConditionOutcomes& first, const ConditionOutcomes& second,
                            int num_classes = 3) {
  const auto comparison = Compared(num_classes, {{first, second}});
  EXPECT_TRUE(comparison.ok()) << comparison.status();
  return comparison.ok() ? comparison->conditions(0).pairs(0).all() : v1::PairedOutcomes();
}

constexpr char kLabels[] = "212122220102000110120200201101000221000000001102220020110110";
constexpr char kFirst[] = "112222220202012200220210101000001221000000000202200010120111";
constexpr char kSecond[] = "112121200002000200120102121101221211020202200122220210010111";

TEST(Comparison, AgreesWithIndependentComputations) {
  // Kappa: cohen_kappa_score of scikit-learn 1.9.1 on whether each is right. McNemar and Holm:
  // statsmodels 0.15.0, mcnemar(exact=True) and multipletests. Intervals: scipy 1.17.1.
  const auto comparison =
      Compared(3, {{Clean(Answers(kLabels, kFirst)), Clean(Answers(kLabels, kSecond))}});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::ConditionComparison& condition = comparison->conditions(0);
  ExpectRate(condition.accuracies(0), 41, 60);
  ExpectRate(condition.accuracies(1), 36, 60);
  ASSERT_EQ(condition.pairs_size(), 1);
  const v1::PairedOutcomes& all = condition.pairs(0).all();
  EXPECT_EQ(all.samples(), 60);
  EXPECT_EQ(all.both_right(), 26);
  EXPECT_EQ(all.only_first_right(), 15);
  EXPECT_EQ(all.only_second_right(), 10);
  EXPECT_EQ(all.both_wrong(), 9);
  ExpectRate(all.agreement(), 34, 60);
  EXPECT_NEAR(all.agreement().lower(), 0.4324096535546156, 1e-12);
  EXPECT_NEAR(all.agreement().upper(), 0.6941185731578272, 1e-12);
  ExpectRate(all.error_agreement(), 8, 9);
  EXPECT_NEAR(all.error_agreement().lower(), 0.517503485082663, 1e-12);
  EXPECT_NEAR(all.error_consistency().kappa(), 0.10071942446043158, 1e-14);
  EXPECT_DOUBLE_EQ(all.error_consistency().observed(), 35.0 / 60);
  EXPECT_NEAR(all.accuracy_difference().value(), -5.0 / 60, 1e-15);
  EXPECT_NEAR(all.accuracy_difference().p_value(), 0.42435622215270996, 1e-14);

  ASSERT_EQ(condition.pairs(0).classes_size(), 3);
  const int64_t samples[] = {28, 16, 16}, only_first[] = {10, 1, 4}, only_second[] = {3, 6, 1};
  const int64_t agreed[] = {15, 8, 11}, alike[] = {2, 3, 3}, both_wrong[] = {2, 4, 3};
  const double kappas[] = {-0.022471910112359383, 0.2, 1.0 / 3};
  const double p_values[] = {0.09228515625, 0.125, 0.375};
  const double adjusted[] = {0.27685546875, 0.27685546875, 0.375};
  const int64_t first_taken[] = {5, 7, 7}, second_taken[] = {5, 8, 11};
  for (int c = 0; c < 3; ++c) {
    const v1::ClassComparison& entry = condition.pairs(0).classes(c);
    const v1::PairedOutcomes& outcomes = entry.outcomes();
    EXPECT_EQ(entry.index(), c);
    EXPECT_EQ(entry.name(), "class " + std::to_string(c));
    EXPECT_EQ(outcomes.samples(), samples[c]);
    EXPECT_EQ(outcomes.only_first_right(), only_first[c]);
    EXPECT_EQ(outcomes.only_second_right(), only_second[c]);
    ExpectRate(outcomes.agreement(), agreed[c], samples[c]);
    ExpectRate(outcomes.error_agreement(), alike[c], both_wrong[c]);
    EXPECT_NEAR(outcomes.error_consistency().kappa(), kappas[c], 1e-14);
    EXPECT_NEAR(outcomes.accuracy_difference().p_value(), p_values[c], 1e-14);
    EXPECT_NEAR(entry.adjusted_p_value(), adjusted[c], 1e-14);
    ExpectRate(entry.first_cfps(), first_taken[c], 19);
    ExpectRate(entry.second_cfps(), second_taken[c], 24);
    EXPECT_NEAR(
        entry.cfps_change(),
        static_cast<double>(second_taken[c]) / 24 - static_cast<double>(first_taken[c]) / 19,
        1e-15);
  }
}

TEST(Comparison, CarriesWhatIdentifiesIt) {
  const auto comparison = Compared(2, {{Clean(Answers("01", "01")), Clean(Answers("01", "00"))}});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->evaluations(0).name(), "evaluations/a");
  EXPECT_EQ(comparison->evaluations(1).model(), "models/b");
  EXPECT_EQ(comparison->dataset(), "datasets/d");
  EXPECT_EQ(comparison->seed(), 7);
  EXPECT_EQ(comparison->samples(), 2);
  EXPECT_EQ(comparison->confidence_level(), 0.95);
  EXPECT_THAT(comparison->class_names(), ElementsAre("class 0", "class 1"));
  EXPECT_EQ(comparison->conditions(0).id(), "clean");
  EXPECT_FALSE(comparison->conditions(0).own_images());
  EXPECT_EQ(comparison->notes_size(), 0);
}

TEST(Comparison, HasAnIntervalForTheDifferenceOfPairedAccuracies) {
  // The second mends three samples and breaks one.
  const v1::PairedOutcomes pair = OnlyPair(Clean(Answers("0000000000", "0000001111")),
                                           Clean(Answers("0000000000", "1000000001")));
  EXPECT_EQ(pair.only_first_right(), 1);
  EXPECT_EQ(pair.only_second_right(), 3);
  EXPECT_NEAR(pair.accuracy_difference().value(), 0.2, 1e-15);
  const Interval expected = PairedDifferenceInterval(3, 1, 10, 0.95);
  EXPECT_EQ(pair.accuracy_difference().lower(), expected.lower);
  EXPECT_EQ(pair.accuracy_difference().upper(), expected.upper);
}

TEST(Comparison, KappaIsOneForTheSameErrorsZeroForIndependentOnesAndUndefinedWithoutAny) {
  const std::string labels = "000000000000", some = "000000001111";
  EXPECT_EQ(OnlyPair(Clean(Answers(labels, some)), Clean(Answers(labels, some)))
                .error_consistency()
                .kappa(),
            1);
  // Right on 8 of 12 and on 6 of 12, together on 4: as chance has it.
  const v1::ErrorConsistency independent =
      OnlyPair(Clean(Answers(labels, some)), Clean(Answers(labels, "000011110011")))
          .error_consistency();
  EXPECT_NEAR(independent.kappa(), 0, 1e-15);
  EXPECT_DOUBLE_EQ(independent.expected(), 0.5);

  const std::string all_wrong(12, '2');
  for (const auto& [answers, word] : {std::pair{labels, "right"}, {all_wrong, "wrong"}}) {
    const v1::ErrorConsistency same =
        OnlyPair(Clean(Answers(labels, answers)), Clean(Answers(labels, answers)))
            .error_consistency();
    EXPECT_FALSE(same.has_kappa());
    EXPECT_EQ(same.expected(), 1);
    EXPECT_THAT(same.undefined_reason(), HasSubstr(std::string("always ") + word));
  }
  // One always right, the other never: no agreement, and none is expected.
  const v1::ErrorConsistency opposite =
      OnlyPair(Clean(Answers(labels, labels)), Clean(Answers(labels, all_wrong)))
          .error_consistency();
  EXPECT_EQ(opposite.kappa(), 0);
}

TEST(Comparison, SamplesWithoutAnAnswerAreWrongAndAgreeWithNothing) {
  const v1::PairedOutcomes pair =
      OnlyPair(Clean({Undecided(0, 0), Tied(1, 0, 1), Undecided(2, 1), Predicted(3, 1, 1)}),
               Clean({Undecided(0, 0), Tied(1, 0, 1), Predicted(2, 1, 1), Predicted(3, 1, 1)}));
  ExpectRate(pair.agreement(), 1, 4);
  EXPECT_EQ(pair.both_wrong(), 2);
  ExpectRate(pair.error_agreement(), 0, 2);
  EXPECT_EQ(pair.only_second_right(), 1);
}

TEST(Comparison, UndefinedNumbersSayWhy) {
  const auto comparison =
      Compared(3, {{Clean(Answers("0011", "0011")), Clean(Answers("0011", "0012"))}});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairComparison& pair = comparison->conditions(0).pairs(0);
  EXPECT_EQ(pair.all().error_agreement().undefined_reason(), "no sample that both get wrong");
  const v1::ClassComparison& changed = pair.classes(2);
  EXPECT_EQ(changed.first_cfps().undefined_reason(), "no sample was taken for another class");
  ExpectRate(changed.second_cfps(), 1, 1);
  EXPECT_FALSE(changed.has_cfps_change());
  // No samples of class 2.
  EXPECT_EQ(changed.outcomes().agreement().undefined_reason(), "no samples");
  EXPECT_EQ(changed.outcomes().accuracy_difference().undefined_reason(), "no samples");
  EXPECT_EQ(changed.outcomes().error_consistency().undefined_reason(), "no samples");
  EXPECT_FALSE(changed.has_adjusted_p_value());
  EXPECT_FALSE(changed.outcomes().accuracy_difference().has_p_value());
}

TEST(Comparison, HolmCountsOnlyClassesWithSamples) {
  // Class 1: six mended, none broken: p = 2 / 2^6. Class 2: nothing changed: p = 1. No class 0.
  const auto comparison = Compared(
      5, {{Clean(Answers("11111122", "00000022")), Clean(Answers("11111122", "11111122"))}});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairComparison& pair = comparison->conditions(0).pairs(0);
  EXPECT_FALSE(pair.classes(0).has_adjusted_p_value());
  EXPECT_DOUBLE_EQ(pair.classes(1).adjusted_p_value(), 2 * 2.0 / 64);
  EXPECT_DOUBLE_EQ(pair.classes(2).adjusted_p_value(), 1);
}

TEST(Comparison, SmoothingIsComparedByWhatItCertifies) {
  // Of 1,000 draws, 1,000 certify and 510 abstain.
  const std::vector<int64_t> certain = {1000, 0}, split = {510, 490};
  const auto run = [&](const std::vector<std::vector<int64_t>>& counts) {
    std::vector<v1::Outcome> outcomes;
    for (size_t i = 0; i < counts.size(); ++i) {
      outcomes.push_back(Smoothed(static_cast<int64_t>(i), 0, {100, 0}, counts[i]));
    }
    return Smoothing("0.25", 100, 1000, "0.001", outcomes);
  };
  const v1::PairedOutcomes pair =
      OnlyPair(run({certain, certain, split}), run({certain, split, split}), 2);
  EXPECT_EQ(pair.both_right(), 1);
  EXPECT_EQ(pair.only_first_right(), 1);
  // To abstain is an answer, and both give it.
  ExpectRate(pair.agreement(), 2, 3);
  ExpectRate(pair.error_agreement(), 1, 1);
}

TEST(Comparison, MinimumNormAttacksAreComparedAtEachBudget) {
  const auto conditions = ParseConditions({"attack/fmn:norm=l2,eps=0.5+1"});
  ASSERT_TRUE(conditions.ok()) << conditions.status();
  const auto run = [&](std::vector<v1::Outcome> outcomes) {
    return ConditionOutcomes{conditions->at(0), std::move(outcomes)};
  };
  const auto comparison = Compared(3, {{run({Fooled(0, 0, 1, 0.4), Fooled(1, 1, 2, 0.8)}),
                                        run({Fooled(0, 0, 2, 0.9), Fooled(1, 1, 2, 0.3)})}});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  ASSERT_EQ(comparison->conditions_size(), 2);
  EXPECT_EQ(comparison->conditions(0).id(), "attack/fmn/l2/0.5");
  EXPECT_TRUE(comparison->conditions(0).own_images());
  EXPECT_EQ(comparison->conditions(0).pairs(0).all().only_first_right(), 1);
  EXPECT_EQ(comparison->conditions(0).pairs(0).all().only_second_right(), 1);
  EXPECT_EQ(comparison->conditions(1).id(), "attack/fmn/l2/1");
  EXPECT_EQ(comparison->conditions(1).pairs(0).all().both_wrong(), 2);
  ExpectRate(comparison->conditions(1).pairs(0).all().error_agreement(), 1, 2);
  EXPECT_THAT(comparison->notes(), ElementsAre(HasSubstr("adversarial examples of its own")));
}

TEST(Comparison, HasEveryPairOnceAndClassesOfThoseWithTheFirst) {
  const auto comparison =
      Compared(2, {{Clean(Answers("0011", "0011")), Clean(Answers("0011", "0010")),
                    Clean(Answers("0011", "1000"))}});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const auto& pairs = comparison->conditions(0).pairs();
  ASSERT_EQ(pairs.size(), 3);
  const int expected[][3] = {{0, 1, 2}, {0, 2, 2}, {1, 2, 0}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pairs[i].first(), expected[i][0]);
    EXPECT_EQ(pairs[i].second(), expected[i][1]);
    EXPECT_EQ(pairs[i].classes_size(), expected[i][2]);
  }
  EXPECT_DOUBLE_EQ(pairs[0].all().accuracy_difference().value(), -0.25);
  EXPECT_DOUBLE_EQ(pairs[1].all().accuracy_difference().value(), -0.75);
  EXPECT_DOUBLE_EQ(pairs[2].all().accuracy_difference().value(), -0.5);
}

TEST(Comparison, ModelsMayHaveDifferentNumbersOfClasses) {
  std::vector<ReportInput> evaluations = Evaluations(2, 3, 2);
  evaluations[1].num_classes = 5;
  ComparisonBuilder builder(std::move(evaluations), 0.95, std::nullopt);
  ASSERT_TRUE(builder.Add({Clean(Answers("01", "02")), Clean(Answers("01", "04"))}).ok());
  const auto comparison = std::move(builder).Build();
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->class_names_size(), 5);
  EXPECT_EQ(comparison->conditions(0).pairs(0).classes_size(), 5);
  EXPECT_THAT(comparison->notes(), ElementsAre(HasSubstr("numbers of classes")));
}

TEST(Comparison, RefusesRunsOfOtherSamplesAndBrokenOutcomes) {
  for (const ConditionOutcomes& other :
       {Clean(Answers("01", "01")), Clean(Answers("000", "000")),
        Clean({Predicted(0, 0, 0), Predicted(1, 1, 1), Predicted(7, 0, 0)}),
        Clean({Predicted(0, 0, 0), Predicted(1, 1, 1), Predicted(2, 0, 9)})}) {
    const auto comparison = Compared(2, {{Clean(Answers("010", "010")), other}});
    EXPECT_EQ(ReasonOf(comparison.status()), Reason::kInternal) << comparison.status();
  }
}

// --- the oracle

TEST(ComparisonWithOracle, MeasuresOthersWhereTheOracleIsRight) {
  // Under fog the oracle (b) keeps 4 of 6, of which a keeps 2 and c all. Clean, a has 5 of 6.
  const std::string labels = "000111";
  const auto comparison =
      Compared(2,
               {{Clean(Answers(labels, "000110")), Clean(Answers(labels, labels)),
                 Clean(Answers(labels, labels))},
                {Corruption(Answers(labels, "001001")), Corruption(Answers(labels, "000100")),
                 Corruption(Answers(labels, "000110"))}},
               1);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->oracle(), "evaluations/b");
  const v1::OracleComparison& clean = comparison->conditions(0).oracle();
  ASSERT_EQ(clean.models_size(), 2);
  ExpectRate(clean.models(0).accuracy(), 5, 6);
  EXPECT_EQ(clean.models(0).fmr_undefined_reason(), "nothing is perturbed");

  const v1::OracleComparison& fog = comparison->conditions(1).oracle();
  ASSERT_EQ(fog.models_size(), 2);
  EXPECT_EQ(fog.models(0).evaluation(), 0);
  ExpectRate(fog.models(0).accuracy(), 2, 4);
  EXPECT_NEAR(fog.models(0).fmr(), (2.0 / 4) / (5.0 / 6), 1e-15);
  EXPECT_EQ(fog.models(1).evaluation(), 2);
  ExpectRate(fog.models(1).accuracy(), 4, 4);
  EXPECT_EQ(fog.models(1).fmr(), 1);
}

TEST(ComparisonWithOracle, UndefinedNumbersSayWhy) {
  const auto fmr_reason = [](const std::vector<std::vector<ConditionOutcomes>>& runs) {
    const auto comparison = Compared(2, runs, 1);
    EXPECT_TRUE(comparison.ok()) << comparison.status();
    const v1::OracleModel& model = comparison->conditions().rbegin()->oracle().models(0);
    EXPECT_FALSE(model.has_fmr());
    return model.fmr_undefined_reason();
  };
  const auto all_wrong = Answers("00", "11"), all_right = Answers("00", "00");
  EXPECT_EQ(fmr_reason({{Corruption(all_right), Corruption(all_right)}}),
            "clean accuracy is not among the conditions");
  EXPECT_EQ(fmr_reason({{Clean(all_wrong), Clean(all_right)},
                        {Corruption(all_right), Corruption(all_right)}}),
            "no clean image is right");
  EXPECT_EQ(fmr_reason({{Clean(all_right), Clean(all_right)},
                        {Corruption(all_right), Corruption(all_wrong)}}),
            "the oracle gets no sample right");
}

TEST(ComparisonWithOracle, SaysNothingWhereModelsSawImagesOfTheirOwn) {
  const ConditionOutcomes clean = Clean(Answers("0", "0")), attack = Attack({Survivor(0, 0, 1, 1)});
  const auto comparison = Compared(2, {{clean, clean}, {attack, attack}}, 0);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->conditions(1).oracle().models_size(), 0);
  EXPECT_THAT(comparison->conditions(1).oracle().undefined_reason(),
              HasSubstr("the oracle did not see the images"));

  const auto refused = Compared(2, {{attack, attack}}, 0);
  ASSERT_EQ(ReasonOf(refused.status()), Reason::kInvalidArgument);
  EXPECT_EQ(ViolationsOf(refused.status())[0].field, "oracle");
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("clean and corruption do"));
}

}  // namespace
}  // namespace assay::report
