// Labels over the API: which are refused, and lists that are filtered by them.
#include "core/base/labels.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Evaluations = v1::EvaluationService::Stub;
using Models = v1::ModelService::Stub;

class LabelsTest : public ApiFixture {
 protected:
  LabelsTest() {
    EXPECT_THAT(CreateModel("m", ModelFile("")), IsOk());
    EXPECT_THAT(CreateDataset("d", {12, 8}), IsOk());
  }
  absl::Status Create(const std::string& id, const Labels& labels) {
    v1::CreateEvaluationRequest request;
    request.set_evaluation_id(id);
    request.mutable_spec()->set_model("models/m");
    request.mutable_spec()->set_dataset("datasets/d");
    request.mutable_spec()->add_conditions("clean");
    for (const auto& [key, value] : labels) {
      (*request.mutable_spec()->mutable_labels())[key] = value;
    }
    v1::Evaluation evaluation;
    return Call(&Evaluations::CreateEvaluation, request, &evaluation);
  }
  absl::StatusOr<std::vector<std::string>> List(const v1::ListEvaluationsRequest& request) {
    v1::ListEvaluationsResponse response;
    ASSAY_RETURN_IF_ERROR(Call(&Evaluations::ListEvaluations, request, &response));
    std::vector<std::string> names;
    for (const auto& evaluation : response.evaluations()) names.push_back(evaluation.name());
    return names;
  }
  static v1::ListEvaluationsRequest With(const Labels& labels) {
    v1::ListEvaluationsRequest request;
    for (const auto& [key, value] : labels) (*request.mutable_labels())[key] = value;
    return request;
  }
};

TEST_F(LabelsTest, EvaluationsAreFoundByThem) {
  ASSERT_THAT(Create("a", {{"stage", "prod"}, {"commit", "1"}}), IsOk());
  ASSERT_THAT(Create("b", {{"stage", "test"}}), IsOk());
  ASSERT_THAT(Create("c", {}), IsOk());
  EXPECT_THAT(*List(With({})), ElementsAre("evaluations/c", "evaluations/b", "evaluations/a"));
  EXPECT_THAT(*List(With({{"stage", ""}})), ElementsAre("evaluations/b", "evaluations/a"));
  EXPECT_THAT(*List(With({{"stage", "prod"}, {"commit", "1"}})), ElementsAre("evaluations/a"));
  v1::ListEvaluationsRequest request = With({{"stage", ""}});
  request.set_model("models/m");
  request.set_dataset("datasets/d");
  request.add_states(v1::Evaluation::QUEUED);
  request.set_page_size(1);
  EXPECT_THAT(*List(request), ElementsAre("evaluations/b"));
  request.set_states(0, v1::Evaluation::FAILED);
  EXPECT_THAT(*List(request), IsEmpty());
}

TEST_F(LabelsTest, ThoseThatBreakARuleAreFieldViolations) {
  const absl::Status status =
      Create("e", {{"stage", "prod"}, {"bad key", "1"}, {"long", std::string(300, 'x')}});
  EXPECT_THAT(status, HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(ViolationsOf(status),
              ElementsAre(Field(&FieldViolation::field, "spec.labels"),
                          Field(&FieldViolation::field, "spec.labels[long]")));
  v1::ListEvaluationsRequest request = With({{"-", ""}});
  request.set_model("m");
  request.set_dataset("datasets/UPPER");
  request.add_states(v1::Evaluation::STATE_UNSPECIFIED);
  EXPECT_THAT(ViolationsOf(List(request).status()),
              UnorderedElementsAre(Field(&FieldViolation::field, "labels"),
                                   Field(&FieldViolation::field, "model"),
                                   Field(&FieldViolation::field, "dataset"),
                                   Field(&FieldViolation::field, "states")));
}

TEST_F(LabelsTest, ModelsTakeMoreWhenTheyAreMadeAgain) {
  const std::string content = ModelFile("");
  v1::CreateModelRequest request;
  request.set_model_id("m");
  request.set_digest(Sha256Hex(content));
  request.add_chunks(Sha256Hex(content));
  (*request.mutable_labels())["stage"] = "prod";
  v1::Model model;
  ASSERT_THAT(Call(&Models::CreateModel, request, &model), IsOk());
  EXPECT_THAT(model.labels(), ElementsAre(Pair("stage", "prod")));
  v1::ListModelsRequest list;
  (*list.mutable_labels())["stage"] = "prod";
  v1::ListModelsResponse listed;
  ASSERT_THAT(Call(&Models::ListModels, list, &listed), IsOk());
  ASSERT_EQ(listed.models_size(), 1);
  (*list.mutable_labels())["stage"] = "test";
  ASSERT_THAT(Call(&Models::ListModels, list, &listed), IsOk());
  EXPECT_EQ(listed.models_size(), 0);
  (*request.mutable_labels())["a\nb"] = "1";
  const absl::Status status = Call(&Models::CreateModel, request, &model);
  EXPECT_THAT(ViolationsOf(status),
              ElementsAre(Field(&FieldViolation::description,
                                AllOf(HasSubstr("a\\nb"), HasSubstr("1 to 63")))));
}

TEST_F(LabelsTest, AreInTheProvenanceOfTheReport) {
  StartWorker();
  ASSERT_THAT(Create("e", {{"stage", "prod"}}), IsOk());
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  v1::GetReportRequest request;
  request.set_name("evaluations/e");
  v1::Report report;
  ASSERT_THAT(Call(&Evaluations::GetReport, request, &report), IsOk());
  EXPECT_THAT(report.provenance().labels(), ElementsAre(Pair("stage", "prod")));
  EXPECT_EQ(report.provenance().model_digest(), Sha256Hex(ModelFile("")));
}

}  // namespace
}  // namespace assay::api
