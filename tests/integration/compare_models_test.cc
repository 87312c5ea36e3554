// Two models on the same images, through a real server, engines and client: the comparison against
// a recount of the outcomes that were streamed.
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
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

  // Of the softmax outputs as they are streamed, in bits, by the definition with entropies.
  double MeanDivergence(const std::string& first, const std::string& second,
                        const std::string& condition) {
    std::vector<std::map<int64_t, std::vector<float>>> outputs(2);
    for (size_t i = 0; i < 2; ++i) {
      const auto status = client_->StreamVectors(
          i == 0 ? first : second, {condition}, v1::PROBABILITIES,
          [&](const v1::StreamVectorsResponse& batch) {
            const auto size = static_cast<size_t>(batch.size());
            for (int s = 0; s < batch.samples_size(); ++s) {
              std::vector<float>& row = outputs[i][batch.samples(s)];
              row.resize(size);
              std::memcpy(row.data(), batch.values().data() + static_cast<size_t>(s) * size * 4,
                          size * 4);
            }
            return absl::OkStatus();
          });
      EXPECT_TRUE(status.ok()) << status;
    }
    const auto entropy = [](const std::vector<double>& p) {
      double bits = 0;
      for (const double share : p) bits -= share > 0 ? share * std::log2(share) : 0;
      return bits;
    };
    const auto shares = [](const std::vector<float>& row) {
      std::vector<double> p(row.begin(), row.end());
      const double sum = std::accumulate(p.begin(), p.end(), 0.0);
      for (double& share : p) share /= sum;
      return p;
    };
    double sum = 0;
    for (const auto& [sample, row] : outputs[0]) {
      const std::vector<double> p = shares(row), q = shares(outputs[1].at(sample));
      std::vector<double> middle(p.size());
      for (size_t i = 0; i < p.size(); ++i) middle[i] = (p[i] + q[i]) / 2;
      sum += entropy(middle) - (entropy(p) + entropy(q)) / 2;
    }
    return sum / static_cast<double>(outputs[0].size());
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

TEST_F(CompareModelsTest, KeptVectorsAreComparedAndTheOptionsAreNamedWhereThereAreNone) {
  const std::vector<std::string> conditions = {"clean", "attack/pgd:norm=linf,eps=2/255,steps=5"};
  const auto evaluate = [&](const std::string& model, bool keep) {
    v1::EvaluationSpec spec = Spec(Upload(model), dataset_, conditions, 16);
    spec.set_keep_probabilities(keep);
    if (keep) spec.set_keep_features("penultimate");
    const v1::Evaluation evaluation = Run(spec);
    EXPECT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED) << evaluation.failure().message();
    return evaluation.name();
  };
  const std::string first = evaluate("tiny_cnn", true), second = evaluate("linear", true);
  const std::string bare = evaluate("tiny_cnn", false);
  const auto comparison = Compare({first, second, bare});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->evaluations(0).features(), "penultimate");
  for (const v1::ConditionComparison& condition : comparison->conditions()) {
    SCOPED_TRACE(condition.id());
    const v1::PairComparison& pair = condition.pairs(0);
    EXPECT_EQ(pair.all().divergence().samples(), 80);
    EXPECT_NEAR(pair.all().divergence().value(), MeanDivergence(first, second, condition.id()),
                1e-12);
    for (const v1::Estimate* const estimate :
         {&pair.all().divergence(), &pair.cka(), &pair.neighbours()}) {
      EXPECT_EQ(estimate->undefined_reason(), "");
      EXPECT_GE(estimate->value(), estimate->lower());
      EXPECT_LE(estimate->value(), estimate->upper());
    }
    EXPECT_EQ(pair.retrained_heads().trained_on(), 40);
    EXPECT_EQ(pair.retrained_heads().judged_on(), 40);
    EXPECT_THAT(condition.pairs(1).all().divergence().undefined_reason(),
                HasSubstr(bare + " kept no softmax outputs; evaluate with --keep-probabilities"));
    EXPECT_THAT(condition.pairs(1).cka().undefined_reason(), HasSubstr("--keep-features"));
  }
}

TEST_F(CompareModelsTest, AttacksOnEachModelMakeATransferMatrix) {
  const std::string a = Upload("tiny_cnn"), b = Upload("linear");
  const auto on = [](const std::string& model) {
    return "attack/transfer:eps=8/255,surrogates=" + model.substr(model.find('/') + 1);
  };
  std::vector<std::string> names;
  for (const std::string& model : {a, b}) {
    names.push_back(Run(Spec(model, dataset_, {on(a), on(b)}, 40)).name());
  }
  const auto comparison = Compare(names);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  ASSERT_EQ(comparison->transfers_size(), 1);
  const v1::TransferMatrix& matrix = comparison->transfers(0);
  ASSERT_EQ(matrix.rows_size(), 2);
  for (const v1::TransferMatrix::Row& row : matrix.rows()) {
    ASSERT_EQ(row.success_rates_size(), 2);
    for (int i = 0; i < 2; ++i) {
      int64_t attacked = 0, fooled = 0;
      for (const auto& [sample, outcome] :
           OutcomesOf(names[static_cast<size_t>(i)], row.condition())) {
        attacked += outcome.attack().attacked();
        fooled += outcome.attack().success();
      }
      EXPECT_EQ(row.success_rates(i).numerator(), fooled);
      EXPECT_EQ(row.success_rates(i).denominator(), attacked);
    }
  }
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
