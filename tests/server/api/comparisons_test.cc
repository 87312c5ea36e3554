// CompareEvaluations: stored outcomes of several evaluations, read condition by condition.
#include "server/api/comparisons.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Stub = v1::EvaluationService::Stub;

class ComparisonsTest : public ApiFixture {
 protected:
  // 20 samples with the labels 0 to 9; of "half" every second sample is wrong, of "third" every
  // third, from the first.
  void SetUp() override {
    ApiFixture::SetUp();
    ASSERT_THAT(CreateDataset("d", {12, 8}), IsOk());
    ASSERT_THAT(CreateModel("half", ModelFile("wrong=2 name=half")), IsOk());
    ASSERT_THAT(CreateModel("third", ModelFile("wrong=3 name=third")), IsOk());
  }
  void Evaluate(const std::string& id, const std::vector<std::string>& conditions = {"clean"},
                int64_t seed = 0, int64_t limit = 0, const std::string& dataset = "d") {
    v1::CreateEvaluationRequest request;
    request.set_evaluation_id(id);
    request.mutable_spec()->set_model("models/" + id.substr(0, id.find('-')));
    request.mutable_spec()->set_dataset("datasets/" + dataset);
    for (const auto& condition : conditions) request.mutable_spec()->add_conditions(condition);
    request.mutable_spec()->set_seed(seed);
    request.mutable_spec()->set_limit(limit);
    request.mutable_spec()->set_task_samples(7);
    v1::Evaluation evaluation;
    ASSERT_THAT(Call(&Stub::CreateEvaluation, request, &evaluation), IsOk());
    ASSERT_TRUE(Ends(evaluation.name(), v1::Evaluation::SUCCEEDED));
  }
  absl::StatusOr<v1::Comparison> Compare(const std::vector<std::string>& ids, bool common = false,
                                         const std::string& oracle = "") {
    v1::CompareEvaluationsRequest request;
    for (const std::string& id : ids) request.add_names("evaluations/" + id);
    request.set_common(common);
    if (!oracle.empty()) request.set_oracle("evaluations/" + oracle);
    v1::Comparison comparison;
    ASSAY_RETURN_IF_ERROR(Call(&Stub::CompareEvaluations, request, &comparison));
    return comparison;
  }
};

TEST_F(ComparisonsTest, TwoModelsAreComparedOnWhatIsStored) {
  StartWorker();
  const std::vector<std::string> conditions = {"clean", "corruption/gaussian_noise:severity=1-2"};
  Evaluate("half", conditions);
  // The order of conditions does not matter.
  Evaluate("third", {conditions[1], conditions[0]});
  const auto comparison = Compare({"half", "third"}, false, "third");
  ASSERT_THAT(comparison, IsOk());
  EXPECT_EQ(comparison->samples(), 20);
  EXPECT_EQ(comparison->dataset(), "datasets/d");
  EXPECT_EQ(comparison->evaluations(1).model(), "models/third");
  EXPECT_EQ(comparison->class_names_size(), 10);
  EXPECT_EQ(comparison->confidence_level(), 0.95);
  ASSERT_EQ(comparison->conditions_size(), 3);
  EXPECT_EQ(comparison->conditions(0).id(), "clean");
  for (const v1::ConditionComparison& condition : comparison->conditions()) {
    // Of 0 to 19: 10 even, 7 divisible by three, 4 by six.
    EXPECT_EQ(condition.accuracies(0).numerator(), 10);
    EXPECT_EQ(condition.accuracies(1).numerator(), 13);
    const v1::PairedOutcomes& all = condition.pairs(0).all();
    EXPECT_EQ(all.both_wrong(), 4);
    EXPECT_EQ(all.only_first_right(), 3);
    EXPECT_EQ(all.only_second_right(), 6);
    EXPECT_EQ(all.error_agreement().numerator(), 4);
    EXPECT_EQ(condition.oracle().models(0).accuracy().numerator(), 7);
    EXPECT_EQ(condition.oracle().models(0).accuracy().denominator(), 13);
  }
  EXPECT_NEAR(comparison->conditions(1).oracle().models(0).fmr(), (7.0 / 13) / 0.5, 1e-15);
}

TEST_F(ComparisonsTest, ALevelIsTaken) {
  StartWorker();
  Evaluate("half");
  Evaluate("third");
  v1::CompareEvaluationsRequest request;
  request.add_names("evaluations/half");
  request.add_names("evaluations/third");
  request.set_confidence_level(0.5);
  v1::Comparison narrow;
  ASSERT_THAT(Call(&Stub::CompareEvaluations, request, &narrow), IsOk());
  EXPECT_EQ(narrow.confidence_level(), 0.5);
  const auto wide = Compare({"half", "third"});
  ASSERT_THAT(wide, IsOk());
  EXPECT_LT(narrow.conditions(0).pairs(0).all().accuracy_difference().upper(),
            wide->conditions(0).pairs(0).all().accuracy_difference().upper());
}

TEST_F(ComparisonsTest, ACancelledCallStopsBeforeTheNextCondition) {
  StartWorker();
  const std::vector<std::string> conditions = {"clean", "corruption/gaussian_noise:severity=1-2"};
  Evaluate("half", conditions);
  Evaluate("third", conditions);
  v1::CompareEvaluationsRequest request;
  request.add_names("evaluations/half");
  request.add_names("evaluations/third");
  int asked = 0;
  const auto comparison = ComparisonOf(context().catalog, context().evaluations, context().blobs,
                                       request, [&asked] { return ++asked == 2; });
  EXPECT_THAT(comparison.status(), HasReason(Reason::kCancelled));
  EXPECT_EQ(asked, 2);
}

TEST_F(ComparisonsTest, AComparisonOutlivesAModel) {
  StartWorker();
  Evaluate("half");
  Evaluate("third");
  const auto before = Compare({"half", "third"});
  ASSERT_THAT(before, IsOk());
  v1::DeleteModelRequest request;
  request.set_name("models/half");
  google::protobuf::Empty nothing;
  ASSERT_THAT(Call(&v1::ModelService::Stub::DeleteModel, request, &nothing), IsOk());
  const auto after = Compare({"half", "third"});
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->SerializeAsString(), before->SerializeAsString());
}

TEST_F(ComparisonsTest, WhatCannotBeComparedIsRefusedWithItsReason) {
  StartWorker();
  ASSERT_THAT(CreateDataset("e", {20, 4}), IsOk());
  Evaluate("half");
  Evaluate("third-seed", {"clean"}, 5);
  Evaluate("third-limit", {"clean"}, 0, 13);
  Evaluate("third-data", {"clean"}, 0, 20, "e");
  Evaluate("third-more", {"clean", "corruption/fog:severity=2"});
  // A limit that takes everything is none.
  Evaluate("third-same", {"clean"}, 0, 20);
  EXPECT_THAT(Compare({"half", "third-same"}), IsOk());
  for (const auto& [id, what] : {std::pair<std::string, std::string>{"third-seed", "has seed 5"},
                                 {"third-limit", "has 13 samples"},
                                 {"third-data", "has the data of datasets/e"},
                                 {"third-more", "evaluations/half lacks corruption/fog/2"}}) {
    const absl::Status status = Compare({"half", id}).status();
    EXPECT_THAT(status, HasReason(Reason::kInvalidArgument));
    EXPECT_THAT(Fields(status), ElementsAre("names[1]"));
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  }
  const auto common = Compare({"half", "third-more"}, true);
  ASSERT_THAT(common, IsOk());
  EXPECT_EQ(common->conditions_size(), 1);
  ASSERT_EQ(common->left_out_size(), 1);
  EXPECT_EQ(common->left_out(0).id(), "corruption/fog/2");
  EXPECT_THAT(common->left_out(0).evaluations(), ElementsAre("evaluations/third-more"));
}

TEST_F(ComparisonsTest, AnEvaluationThatHasNotSucceededIsRefusedWithItsState) {
  ASSERT_THAT(CreateEvaluation("half", "models/half", "datasets/d"), IsOk());
  ASSERT_THAT(CreateEvaluation("third", "models/third", "datasets/d"), IsOk());
  const absl::Status status = Compare({"half", "third"}).status();
  EXPECT_THAT(status, HasReason(Reason::kWrongState));
  EXPECT_THAT(std::string(status.message()), HasSubstr("evaluations/half is QUEUED"));
}

TEST_F(ComparisonsTest, NamesAreChecked) {
  const absl::Status unknown = Compare({"no", "third"}).status();
  EXPECT_THAT(unknown, HasReason(Reason::kNotFound));
  EXPECT_EQ(ResourceOf(unknown), "evaluations/no");
  EXPECT_THAT(Fields(Compare({"half", "../third"}).status()), ElementsAre("names[1]"));
  EXPECT_THAT(Fields(Compare({"half"}).status()), ElementsAre("names"));
  EXPECT_THAT(Fields(Compare({"half", "half"}).status()), ElementsAre("names[1]"));
  EXPECT_THAT(Fields(Compare({"half", "third"}, false, "other").status()), ElementsAre("oracle"));
}

}  // namespace
}  // namespace assay::api
