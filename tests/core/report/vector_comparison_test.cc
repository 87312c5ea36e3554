// Comparisons by kept vectors: softmax outputs and features.
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/errors.h"
#include "core/base/random.h"
#include "core/conditions/condition.h"
#include "core/report/comparison.h"
#include "core/similarity/bootstrap.h"
#include "core/similarity/linear_cka.h"
#include "core/similarity/neighbours.h"
#include "gmock/gmock.h"
#include "tests/core/report/compared.h"
#include "tests/core/report/outcomes.h"

namespace assay::report {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

Vectors Table(int size, std::vector<float> values, std::vector<int64_t> samples = {}) {
  if (samples.empty()) {
    samples.resize(values.size() / static_cast<size_t>(size));
    for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<int64_t>(i);
  }
  return {std::move(samples), size, std::move(values)};
}

// Of `count` samples, each about the corner of its label (the label-th unit vector, times `scale`).
Vectors Corners(const std::string& labels, int size, float scale, int64_t seed) {
  Vectors table = Table(size, std::vector<float>(labels.size() * static_cast<size_t>(size)));
  RandomStream random(RandomKey(seed, "corners"), 0, 0);
  random.FillNormal(0.3f, table.values.data(), table.values.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    table.values[i * static_cast<size_t>(size) + static_cast<size_t>(labels[i] - '0')] += scale;
  }
  return table;
}

struct Model {
  std::string predictions;
  KeptVectors kept;
  std::map<v1::VectorKind, Vectors> vectors;
};

KeptVectors Kept(bool probabilities, const std::string& features) {
  return {probabilities, features};
}

// One condition.
absl::StatusOr<v1::Comparison> Compared(const std::string& labels, const std::vector<Model>& models,
                                        int classes = 3) {
  std::vector<KeptVectors> kept;
  std::vector<ConditionOutcomes> runs;
  for (const Model& model : models) {
    kept.push_back(model.kept);
    runs.push_back(Clean(Answers(labels, model.predictions)));
  }
  ComparisonBuilder builder(
      Evaluations(models.size(), classes, static_cast<int64_t>(labels.size())), 0.95, std::nullopt,
      kept);
  ASSAY_RETURN_IF_ERROR(builder.Add(runs,
                                    [&](int i, v1::VectorKind kind, const WantedVectors&)
                                        -> absl::StatusOr<std::optional<Vectors>> {
                                      const auto& vectors = models[static_cast<size_t>(i)].vectors;
                                      const auto found = vectors.find(kind);
                                      if (found == vectors.end()) return std::nullopt;
                                      return found->second;
                                    }));
  return std::move(builder).Build();
}

std::string Cycle(size_t count) {
  std::string labels(count, '0');
  for (size_t i = 0; i < count; ++i) labels[i] = static_cast<char>('0' + i % 3);
  return labels;
}

TEST(Divergence, IsTheMeanOverTheSamplesAndOverThoseOfEachClass) {
  // 1 bit, 0 bits, and 0.3112781244591328 of scipy 1.17.1's jensenshannon(p, q, base=2)**2.
  const Model a{"001",
                Kept(true, ""),
                {{v1::PROBABILITIES, Table(3, {1, 0, 0, .5f, .25f, .25f, .5f, .5f, 0})}}};
  const Model b{"111",
                Kept(true, ""),
                {{v1::PROBABILITIES, Table(3, {0, 1, 0, .5f, .25f, .25f, .25f, .25f, .5f})}}};
  const auto comparison = Compared("001", {a, b});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairComparison& pair = comparison->conditions(0).pairs(0);
  const v1::Estimate& all = pair.all().divergence();
  EXPECT_NEAR(all.value(), (1 + 0 + 0.3112781244591328) / 3, 1e-12);
  EXPECT_EQ(all.samples(), 3);
  EXPECT_LE(all.lower(), all.value());
  EXPECT_GE(all.upper(), all.value());
  EXPECT_EQ(all.undefined_reason(), "");
  EXPECT_NEAR(pair.classes(0).outcomes().divergence().value(), 0.5, 1e-12);
  EXPECT_NEAR(pair.classes(1).outcomes().divergence().value(), 0.3112781244591328, 1e-12);
  EXPECT_EQ(pair.classes(2).outcomes().divergence().undefined_reason(), "no samples");
}

TEST(Divergence, IsOfTheSamplesThatBothHave) {
  const Model a{"0000", Kept(true, ""), {{v1::PROBABILITIES, Table(2, {1, 0, 1, 0}, {0, 2})}}};
  const Model b{"0000", Kept(true, ""), {{v1::PROBABILITIES, Table(2, {1, 0, 0, 1}, {1, 2})}}};
  const auto comparison = Compared("0000", {a, b}, 2);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::Estimate& all = comparison->conditions(0).pairs(0).all().divergence();
  EXPECT_EQ(all.samples(), 1);
  EXPECT_EQ(all.value(), 1);
}

TEST(KeptVectors, WhatIsMissingSaysWhichOptionWouldKeepIt) {
  const std::string labels = Cycle(30);
  const Model kept{
      labels,
      Kept(true, "penultimate"),
      {{v1::PROBABILITIES, Corners(labels, 3, 9, 1)}, {v1::FEATURES, Corners(labels, 3, 1, 1)}}};
  const Model other{labels, Kept(false, ""), {}};
  const auto comparison = Compared(labels, {kept, other});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairComparison& pair = comparison->conditions(0).pairs(0);
  EXPECT_EQ(pair.all().divergence().undefined_reason(),
            "evaluations/b kept no softmax outputs; evaluate with --keep-probabilities");
  for (const std::string& reason :
       {pair.cka().undefined_reason(), pair.neighbours().undefined_reason(),
        pair.retrained_heads().undefined_reason()}) {
    EXPECT_EQ(reason, "evaluations/b kept no features; evaluate with --keep-features penultimate");
  }
  EXPECT_FALSE(pair.cka().has_value());
  EXPECT_FALSE(pair.classes(0).outcomes().has_divergence());
  EXPECT_EQ(comparison->evaluations(0).features(), "penultimate");
  EXPECT_EQ(comparison->evaluations(1).features(), "");
}

TEST(KeptVectors, ConditionsWithoutAnImageOfEachSampleHaveNone) {
  const Model model{"012", Kept(true, "fc"), {}};
  const auto comparison = Compared("012", {model, model});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairComparison& pair = comparison->conditions(0).pairs(0);
  EXPECT_THAT(pair.all().divergence().undefined_reason(), HasSubstr("one image of each sample"));
  EXPECT_THAT(pair.cka().undefined_reason(), HasSubstr("one image of each sample"));
}

TEST(KeptVectors, AnAttackThatLooksForDistancesHasNoneAtABudget) {
  const auto conditions = ParseConditions({"attack/fmn:norm=l2,eps=0.5+1"});
  ASSERT_TRUE(conditions.ok());
  const ConditionOutcomes run{conditions->at(0), {Fooled(0, 0, 1, 0.4), Fooled(1, 1, 2, 0.8)}};
  ComparisonBuilder builder(Evaluations(2, 3, 2), 0.95, std::nullopt,
                            {Kept(true, "fc"), Kept(true, "fc")});
  const auto never = [](int, v1::VectorKind,
                        const WantedVectors&) -> absl::StatusOr<std::optional<Vectors>> {
    ADD_FAILURE() << "nothing is to be read";
    return std::nullopt;
  };
  ASSERT_TRUE(builder.Add({run, run}, never).ok());
  const auto comparison = std::move(builder).Build();
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  for (const v1::ConditionComparison& condition : comparison->conditions()) {
    EXPECT_THAT(condition.pairs(0).all().divergence().undefined_reason(), HasSubstr("no budget"));
    EXPECT_THAT(condition.pairs(0).cka().undefined_reason(), HasSubstr("no budget"));
  }
}

TEST(KeptVectors, ErrorsOfReadingAreReturned) {
  ComparisonBuilder builder(Evaluations(2, 3, 2), 0.95, std::nullopt,
                            {Kept(false, "fc"), Kept(false, "fc")});
  const absl::Status status = builder.Add(
      {Clean(Answers("01", "01")), Clean(Answers("01", "01"))},
      [](int, v1::VectorKind, const WantedVectors&) -> absl::StatusOr<std::optional<Vectors>> {
        return Error(Reason::kStorageFailed, "no disk").ToStatus();
      });
  EXPECT_EQ(ReasonOf(status), Reason::kStorageFailed);
}

// A reader that gives the samples alone that are used gives the same: here those that have
// outcomes.
TEST(FeatureComparison, ReadsTheSamplesThatItUsesAlone) {
  const std::string labels = Cycle(60);
  constexpr int kSize = 5;
  const Vectors all = Corners(Cycle(90), kSize, 1, 1);
  const auto compared = [&](bool sparing, size_t* most) {
    ComparisonBuilder builder(Evaluations(2, 3, 60), 0.95, std::nullopt,
                              {Kept(false, "f"), Kept(false, "f")});
    const auto read = [&](int, v1::VectorKind,
                          const WantedVectors& wanted) -> absl::StatusOr<std::optional<Vectors>> {
      if (!sparing) return all;
      Vectors part;
      part.size = kSize;
      for (size_t i = 0; i < all.samples.size(); ++i) {
        if (wanted.samples.has_value() &&
            !std::binary_search(wanted.samples->begin(), wanted.samples->end(), all.samples[i])) {
          continue;
        }
        part.samples.push_back(all.samples[i]);
        if (!wanted.values) continue;
        const auto row = all.values.begin() + static_cast<std::ptrdiff_t>(i * kSize);
        part.values.insert(part.values.end(), row, row + kSize);
      }
      *most = std::max(*most, part.values.size() / kSize);
      return part;
    };
    const ConditionOutcomes run = Clean(Answers(labels, labels));
    EXPECT_TRUE(builder.Add({run, run}, read).ok());
    return std::move(builder).Build()->DebugString();
  };
  size_t most = 0, none = 0;
  EXPECT_EQ(compared(true, &most), compared(false, &none));
  EXPECT_EQ(most, 60u);
}

TEST(FeatureComparison, IsWhatTheStatisticsSayOfAllSamples) {
  const std::string labels = Cycle(90);
  const Vectors first = Corners(labels, 3, 1, 1), second = Corners(labels, 5, 1, 2);
  const auto comparison = Compared(labels, {{labels, Kept(false, "fc"), {{v1::FEATURES, first}}},
                                            {labels, Kept(false, "fc"), {{v1::FEATURES, second}}}});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairComparison& pair = comparison->conditions(0).pairs(0);
  const Rows x = RowsView(first.values.data(), 90, 3), y = RowsView(second.values.data(), 90, 5);
  const LinearCka cka{CenteredFeatures(x), CenteredFeatures(y)};
  EXPECT_EQ(pair.cka().value(), cka.value());
  EXPECT_EQ(pair.cka().samples(), 90);
  EXPECT_EQ(pair.cka().lower(), cka.Bootstrapped(0.95, RandomKey(7, "comparison/cka")).lower);
  EXPECT_LT(pair.cka().lower(), pair.cka().value());
  EXPECT_GT(pair.cka().upper(), pair.cka().value());
  const std::vector<double> jaccard =
      NeighbourJaccard(NearestNeighbours(x, 10), NearestNeighbours(y, 10), 10);
  EXPECT_EQ(pair.neighbours().value(), Mean(jaccard));
  EXPECT_EQ(pair.neighbours().samples(), 90);
  EXPECT_THAT(comparison->notes(), Not(Contains(HasSubstr("part of the samples"))));
}

TEST(FeatureComparison, NewHeadsFindWhatTheFeaturesKnow) {
  // Features tell the classes apart; the models' own answers do not: the second is always one off.
  const std::string labels = Cycle(120);
  std::string off = labels;
  for (char& label : off) label = label == '2' ? '0' : static_cast<char>(label + 1);
  const auto comparison =
      Compared(labels, {{labels, Kept(false, "fc"), {{v1::FEATURES, Corners(labels, 3, 4, 1)}}},
                        {off, Kept(false, "fc"), {{v1::FEATURES, Corners(labels, 4, 4, 2)}}}});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::RetrainedHeads& heads = comparison->conditions(0).pairs(0).retrained_heads();
  EXPECT_EQ(heads.undefined_reason(), "");
  EXPECT_EQ(heads.trained_on(), 60);
  EXPECT_EQ(heads.judged_on(), 60);
  ExpectRate(heads.agreement_before(), 0, 60);
  ExpectRate(heads.agreement_after(), 60, 60);
  ExpectRate(heads.first_accuracy_before(), 60, 60);
  ExpectRate(heads.second_accuracy_before(), 0, 60);
  ExpectRate(heads.first_accuracy_after(), 60, 60);
  ExpectRate(heads.second_accuracy_after(), 60, 60);
}

TEST(FeatureComparison, TheHalvesAreTheSeedsAndTheSameUnderEveryCondition) {
  // Right on the even samples only: how many of those are judged depends on the split.
  const std::string labels(101, '0');
  std::string even = labels;
  for (size_t i = 1; i < even.size(); i += 2) even[i] = '1';
  const auto judged = [&](int64_t seed) {
    std::vector<ReportInput> evaluations = Evaluations(2, 2, 101);
    for (ReportInput& evaluation : evaluations) evaluation.seed = seed;
    ComparisonBuilder builder(evaluations, 0.95, std::nullopt,
                              {Kept(false, "f"), Kept(false, "f")});
    const auto read = [&](int, v1::VectorKind,
                          const WantedVectors&) -> absl::StatusOr<std::optional<Vectors>> {
      return Corners(labels, 2, 1, 1);
    };
    const ConditionOutcomes run = Clean(Answers(labels, even));
    ConditionOutcomes other = run;
    other.condition.set_id("corruption/fog/3");
    EXPECT_TRUE(builder.Add({run, run}, read).ok());
    EXPECT_TRUE(builder.Add({other, other}, read).ok());
    const auto comparison = std::move(builder).Build();
    std::vector<int64_t> right;
    for (const v1::ConditionComparison& condition : comparison->conditions()) {
      const v1::RetrainedHeads& heads = condition.pairs(0).retrained_heads();
      EXPECT_EQ(heads.trained_on(), 50);
      EXPECT_EQ(heads.judged_on(), 51);
      right.push_back(heads.first_accuracy_before().numerator());
    }
    EXPECT_EQ(right[0], right[1]);
    return right[0];
  };
  EXPECT_EQ(judged(1), judged(1));
  std::vector<int64_t> of_seeds;
  for (int64_t seed = 0; seed < 6; ++seed) of_seeds.push_back(judged(seed));
  EXPECT_NE(*std::min_element(of_seeds.begin(), of_seeds.end()),
            *std::max_element(of_seeds.begin(), of_seeds.end()));
}

TEST(FeatureComparison, OnlyPairsThatBothHaveFeaturesHaveNumbers) {
  const std::string labels = Cycle(60);
  const Model with{labels, Kept(false, "fc"), {{v1::FEATURES, Corners(labels, 3, 1, 1)}}};
  const auto comparison = Compared(labels, {with, {labels, Kept(false, ""), {}}, with});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const auto& pairs = comparison->conditions(0).pairs();
  EXPECT_THAT(pairs[0].cka().undefined_reason(), HasSubstr("evaluations/b kept no features"));
  EXPECT_EQ(pairs[1].cka().value(), 1);
  EXPECT_EQ(pairs[1].neighbours().value(), 1);
  EXPECT_THAT(pairs[2].cka().undefined_reason(), HasSubstr("evaluations/b kept no features"));
}

TEST(FeatureComparison, FeaturesThatSayNothingAreUndefined) {
  const std::string labels = Cycle(30);
  const Vectors dead = Table(2, std::vector<float>(60, 0));
  const Model model{labels, Kept(false, "fc"), {{v1::FEATURES, dead}}};
  const auto comparison = Compared(labels, {model, model});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairComparison& pair = comparison->conditions(0).pairs(0);
  EXPECT_THAT(pair.cka().undefined_reason(), HasSubstr("the same for every sample"));
  EXPECT_THAT(pair.neighbours().undefined_reason(), HasSubstr("the same for every sample"));
}

TEST(FeatureComparison, FewSamplesAreUndefinedWithTheirNumber) {
  const std::string labels = Cycle(9);
  const Model model{labels, Kept(false, "fc"), {{v1::FEATURES, Corners(labels, 3, 1, 1)}}};
  const auto comparison = Compared(labels, {model, model});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairComparison& pair = comparison->conditions(0).pairs(0);
  EXPECT_EQ(pair.cka().value(), 1);
  EXPECT_EQ(pair.neighbours().undefined_reason(), "10 neighbours need 11 samples at least");
  EXPECT_EQ(pair.retrained_heads().undefined_reason(), "fewer than 20 samples have features");
}

TEST(FeatureComparison, TooManySamplesAreDrawnFromAndItIsSaid) {
  // More than the 2,000 that neighbours are looked for among.
  const std::string labels = Cycle(2500);
  const Model model{labels, Kept(false, "fc"), {{v1::FEATURES, Corners(labels, 4, 1, 1)}}};
  const auto comparison = Compared(labels, {model, model});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const v1::PairComparison& pair = comparison->conditions(0).pairs(0);
  EXPECT_EQ(pair.cka().samples(), 2500);
  EXPECT_EQ(pair.neighbours().samples(), 2000);
  EXPECT_EQ(pair.retrained_heads().judged_on(), 1250);
  EXPECT_THAT(comparison->notes(), Contains(HasSubstr("part of the samples")));
}

TEST(FeatureComparison, HeadsThatWouldTakeTooLongSayWhy) {
  // 1e8 / (300 features x 5,000 classes) are 66 samples for 5,000 classes.
  const std::string labels = Cycle(200);
  const Model model{labels, Kept(false, "fc"), {{v1::FEATURES, Corners(labels, 300, 1, 1)}}};
  const auto comparison = Compared(labels, {model, model}, 5000);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->conditions(0).pairs(0).retrained_heads().undefined_reason(),
              HasSubstr("only 66 samples can be trained on"));
}

TEST(FeatureComparison, CkaThatFewSamplesInflateIsToldOf) {
  // 40 samples of 60 features, all of them noise.
  const std::string labels = Cycle(40);
  const auto noise = [&](int64_t seed) {
    return Model{labels, Kept(false, "fc"), {{v1::FEATURES, Corners(labels, 60, 0, seed)}}};
  };
  const auto comparison = Compared(labels, {noise(1), noise(2)});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_GT(comparison->conditions(0).pairs(0).cka().value(), 0.5);
  EXPECT_THAT(comparison->notes(), Contains(HasSubstr("linear CKA is biased upwards")));
}

}  // namespace
}  // namespace assay::report
