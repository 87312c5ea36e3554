#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Stub = v1::EvaluationService::Stub;

class EvaluationServiceTest : public ApiFixture {
 protected:
  // A model and a dataset of 20 samples, "models/m" and "datasets/d".
  void AddModelAndDataset(const std::string& behaviour = "") {
    ASSERT_THAT(CreateModel("m", ModelFile(behaviour)), IsOk());
    ASSERT_THAT(CreateDataset("d", {12, 8}), IsOk());
  }
  v1::CreateEvaluationRequest Request(const std::string& id) {
    v1::CreateEvaluationRequest request;
    request.set_evaluation_id(id);
    request.mutable_spec()->set_model("models/m");
    request.mutable_spec()->set_dataset("datasets/d");
    request.mutable_spec()->add_conditions("clean");
    return request;
  }
  absl::StatusOr<v1::Evaluation> Create(const v1::CreateEvaluationRequest& request) {
    v1::Evaluation evaluation;
    ASSAY_RETURN_IF_ERROR(Call(&Stub::CreateEvaluation, request, &evaluation));
    return evaluation;
  }
  template <typename Request, typename Response>
  absl::Status OnName(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                      const std::string& name) {
    Request request;
    request.set_name(name);
    Response response;
    return Call(method, request, &response);
  }
  absl::StatusOr<v1::Report> GetReport(const std::string& name, double level = 0) {
    v1::GetReportRequest request;
    request.set_name(name);
    request.set_confidence_level(level);
    v1::Report report;
    ASSAY_RETURN_IF_ERROR(Call(&Stub::GetReport, request, &report));
    return report;
  }
  // The samples of each condition.
  absl::StatusOr<std::map<std::string, std::vector<int64_t>>> Outcomes(
      const std::string& name, const std::vector<std::string>& conditions = {}) {
    v1::StreamOutcomesRequest request;
    request.set_name(name);
    for (const auto& condition : conditions) request.add_conditions(condition);
    grpc::ClientContext context;
    const auto stream = evaluations()->StreamOutcomes(&context, request);
    std::map<std::string, std::vector<int64_t>> samples;
    v1::StreamOutcomesResponse response;
    while (stream->Read(&response)) {
      for (const auto& outcome : response.outcomes()) {
        samples[response.condition()].push_back(outcome.sample());
      }
    }
    ASSAY_RETURN_IF_ERROR(FromGrpcStatus(stream->Finish()));
    return samples;
  }
};

TEST_F(EvaluationServiceTest, AnEvaluationIsPlannedRunAndReported) {
  AddModelAndDataset();
  StartWorker();
  v1::CreateEvaluationRequest request = Request("e");
  request.mutable_spec()->add_conditions("corruption/gaussian_noise:severity=1-2");
  request.mutable_spec()->set_task_samples(5);
  request.mutable_spec()->set_seed(42);
  const auto created = Create(request);
  ASSERT_THAT(created, IsOk());
  EXPECT_EQ(created->name(), "evaluations/e");
  EXPECT_EQ(created->state(), v1::Evaluation::QUEUED);
  EXPECT_EQ(created->conditions_size(), 3);
  EXPECT_EQ(created->progress().tasks(), 12);
  EXPECT_EQ(created->progress().samples(), 60);
  EXPECT_EQ(created->spec().SerializeAsString(), request.spec().SerializeAsString());
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));

  const auto report = GetReport("evaluations/e");
  ASSERT_THAT(report, IsOk());
  EXPECT_TRUE(report->complete());
  ASSERT_EQ(report->conditions_size(), 3);
  EXPECT_EQ(report->conditions(0).id(), "clean");
  EXPECT_EQ(report->conditions(0).samples(), 20);
  EXPECT_EQ(report->conditions(0).accuracy().value(), 1) << "the fake engine is always right";
  EXPECT_EQ(report->seed(), 42);
  EXPECT_DOUBLE_EQ(report->confidence_level(), 0.95);

  const auto outcomes = Outcomes("evaluations/e");
  ASSERT_THAT(outcomes, IsOk());
  ASSERT_EQ(outcomes->size(), 3u);
  std::vector<int64_t> all;
  for (int64_t i = 0; i < 20; ++i) all.push_back(i);
  for (const auto& [condition, samples] : *outcomes) EXPECT_EQ(samples, all) << condition;
}

TEST_F(EvaluationServiceTest, ALimitTakesTheFirstSamplesOnly) {
  AddModelAndDataset();
  StartWorker();
  v1::CreateEvaluationRequest request = Request("e");
  request.mutable_spec()->set_limit(13);
  ASSERT_THAT(Create(request), IsOk());
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  const auto report = GetReport("evaluations/e");
  ASSERT_THAT(report, IsOk());
  EXPECT_TRUE(report->complete());
  EXPECT_EQ(report->conditions(0).samples(), 13);
}

TEST_F(EvaluationServiceTest, EveryViolationIsToldAtOnce) {
  AddModelAndDataset();
  v1::CreateEvaluationRequest request;
  request.set_evaluation_id("Not An Id");
  request.mutable_spec()->set_model("models/no");
  request.mutable_spec()->set_dataset("nonsense");
  request.mutable_spec()->add_conditions("clean");
  request.mutable_spec()->add_conditions("attack/nonsense");
  request.mutable_spec()->add_conditions("corruption/gaussian_noise:severity=9");
  request.mutable_spec()->set_limit(-1);
  request.mutable_spec()->set_task_samples(-1);
  request.mutable_spec()->set_priority(static_cast<v1::Priority>(9));
  request.mutable_spec()->mutable_deadline()->set_seconds(-1);
  const auto evaluation = Create(request);
  EXPECT_THAT(evaluation, HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(Fields(evaluation.status()),
              UnorderedElementsAre("evaluation_id", "spec.model", "spec.dataset",
                                   "spec.conditions[1]", "spec.conditions[2]", "spec.limit",
                                   "spec.task_samples", "spec.priority", "spec.deadline"));
  EXPECT_LT(evaluation.status().message().size(), 4096u);
}

TEST_F(EvaluationServiceTest, ConditionsAloneHaveAReasonOfTheirOwn) {
  AddModelAndDataset();
  v1::CreateEvaluationRequest request = Request("e");
  request.mutable_spec()->add_conditions("attack/nonsense");
  EXPECT_THAT(Create(request), HasReason(Reason::kInvalidCondition));
  request.mutable_spec()->clear_conditions();
  EXPECT_THAT(Create(request), HasReason(Reason::kInvalidCondition));
  request = Request("e");
  request.mutable_spec()->set_limit(21);
  const auto evaluation = Create(request);
  EXPECT_THAT(Fields(evaluation.status()), ElementsAre("spec.limit"));
  EXPECT_THAT(std::string(evaluation.status().message()), HasSubstr("20 samples"));
}

TEST_F(EvaluationServiceTest, WhatIsKnownOfTheModelMustFitTheDataset) {
  AddModelAndDataset();
  v1::ModelValidation validation;
  *validation.mutable_input_shape() = MakeShape(3, 1, 1);
  validation.set_num_classes(9);
  ASSERT_THAT(store_->SetModelValidation("models/m", validation), IsOk());
  const auto evaluation = Create(Request("e"));
  EXPECT_THAT(Fields(evaluation.status()), ElementsAre("spec.dataset", "spec.dataset"));
  EXPECT_THAT(std::string(evaluation.status().message()), HasSubstr("label 9"));
  EXPECT_THAT(std::string(evaluation.status().message()), HasSubstr("1 channels"));
}

TEST_F(EvaluationServiceTest, ClassNamesMustBeAsManyAsKnownLogitsUnlessThatIsAllowed) {
  EXPECT_THAT(CreateModel("m", ModelFile("name=m")), IsOk());
  AddDataset("d", {20}, 12);
  v1::ModelValidation validation;
  *validation.mutable_input_shape() = MakeShape(1, 1, 1);
  validation.set_num_classes(10);
  ASSERT_THAT(store_->SetModelValidation("models/m", validation), IsOk());
  const absl::Status refused = Create(Request("e")).status();
  EXPECT_THAT(Fields(refused), ElementsAre("spec.dataset"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("names 12 classes, but the model has 10"));
  v1::CreateEvaluationRequest request = Request("e");
  request.mutable_spec()->set_allow_missing_classes(true);
  ASSERT_THAT(Create(request), IsOk());
  StartWorker();
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  const auto report = GetReport("evaluations/e");
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->notes(), ElementsAre(HasSubstr("12 classes, but the model has 10 logits")));
  // Labels that the model does not have are never allowed.
  validation.set_num_classes(9);
  ASSERT_THAT(store_->SetModelValidation("models/m", validation), IsOk());
  request.set_evaluation_id("f");
  EXPECT_THAT(std::string(Create(request).status().message()), HasSubstr("label 9"));
}

TEST_F(EvaluationServiceTest, ARepeatedRequestReturnsTheFirstResult) {
  AddModelAndDataset();
  v1::CreateEvaluationRequest request = Request("");
  request.set_request_id("uuid");
  context().max_queued_evaluations = 1;
  const auto first = Create(request);
  ASSERT_THAT(first, IsOk());
  const auto second = Create(request);
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(first->name(), second->name());
  context().max_queued_evaluations = 2;
  const auto taken = [&] {
    v1::CreateEvaluationRequest other = Request(first->name().substr(12));
    return Create(other);
  }();
  EXPECT_THAT(taken, HasReason(Reason::kAlreadyExists));
  EXPECT_EQ(ResourceOf(taken.status()), first->name());
}

TEST_F(EvaluationServiceTest, ValidateOnlyChecksEverythingAndStoresNothing) {
  AddModelAndDataset();
  v1::CreateEvaluationRequest request = Request("e");
  request.set_validate_only(true);
  const auto evaluation = Create(request);
  ASSERT_THAT(evaluation, IsOk());
  EXPECT_EQ(evaluation->conditions_size(), 1);
  EXPECT_THAT(GetEvaluation("evaluations/e"), HasReason(Reason::kNotFound));
  ASSERT_THAT(Create(Request("e")), IsOk());
  EXPECT_THAT(Create(request), HasReason(Reason::kAlreadyExists));
  request.mutable_spec()->set_model("models/no");
  EXPECT_THAT(Fields(Create(request).status()), ElementsAre("spec.model"));
}

TEST_F(EvaluationServiceTest, TheQuotaOfUnfinishedEvaluationsIsKept) {
  AddModelAndDataset();
  context().max_queued_evaluations = 2;
  ASSERT_THAT(Create(Request("a")), IsOk());
  ASSERT_THAT(Create(Request("b")), IsOk());
  const auto refused = Create(Request("c"));
  EXPECT_THAT(refused, HasReason(Reason::kQuotaExceeded));
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status()));
  EXPECT_TRUE(HasDetail(refused.status(), "RetryInfo"));
  ASSERT_THAT(OnName(&Stub::CancelEvaluation, "evaluations/a"), IsOk());
  EXPECT_THAT(Create(Request("c")), IsOk());
}

TEST_F(EvaluationServiceTest, AStoppingServerTakesNoWorkAndStillAnswers) {
  Submit("e");
  ASSERT_THAT(OnName(&Stub::CancelEvaluation, "evaluations/e"), IsOk());
  context().draining = true;
  for (const absl::Status& status :
       {Create(Request("f")).status(), OnName(&Stub::RetryEvaluation, "evaluations/e")}) {
    EXPECT_THAT(status, HasReason(Reason::kShuttingDown));
    EXPECT_TRUE(absl::IsUnavailable(status));
    EXPECT_TRUE(HasDetail(status, "RetryInfo"));
  }
  EXPECT_THAT(GetEvaluation("evaluations/e"), IsOk());
  EXPECT_THAT(GetReport("evaluations/e"), IsOk());
}

TEST_F(EvaluationServiceTest, WhatDoesNotExistIsNamed) {
  const std::string no = "evaluations/no";
  for (const absl::Status& status :
       {GetEvaluation(no).status(), OnName(&Stub::CancelEvaluation, no),
        OnName(&Stub::RetryEvaluation, no), OnName(&Stub::DeleteEvaluation, no),
        OnName(&Stub::GetReport, no), Outcomes(no).status()}) {
    EXPECT_THAT(status, HasReason(Reason::kNotFound));
    EXPECT_EQ(ResourceOf(status), no);
  }
  const std::string bad = "evaluations/../../etc";
  for (const absl::Status& status :
       {GetEvaluation(bad).status(), OnName(&Stub::CancelEvaluation, bad),
        OnName(&Stub::RetryEvaluation, bad), OnName(&Stub::DeleteEvaluation, bad),
        OnName(&Stub::GetReport, bad), Outcomes(bad).status()}) {
    EXPECT_THAT(Fields(status), ElementsAre("name"));
  }
}

TEST_F(EvaluationServiceTest, EvaluationsAreListedInPagesNewestFirst) {
  AddModelAndDataset();
  for (const char* id : {"a", "b", "c", "d", "e"}) ASSERT_THAT(Create(Request(id)), IsOk());
  std::vector<std::string> names;
  v1::ListEvaluationsRequest request;
  request.set_page_size(2);
  int pages = 0;
  do {
    v1::ListEvaluationsResponse response;
    ASSERT_THAT(Call(&Stub::ListEvaluations, request, &response), IsOk());
    for (const auto& evaluation : response.evaluations()) names.push_back(evaluation.name());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(names, ElementsAre("evaluations/e", "evaluations/d", "evaluations/c", "evaluations/b",
                                 "evaluations/a"));
  request.set_page_token("nonsense");
  v1::ListEvaluationsResponse response;
  EXPECT_THAT(Fields(Call(&Stub::ListEvaluations, request, &response)), ElementsAre("page_token"));
}

TEST_F(EvaluationServiceTest, CancelRetryAndDeleteFollowTheStates) {
  Submit("e", "run=wait:" + directory_.File("gate"));
  const std::string name = "evaluations/e";
  EXPECT_THAT(OnName(&Stub::RetryEvaluation, name), HasReason(Reason::kWrongState));
  EXPECT_THAT(OnName(&Stub::DeleteEvaluation, name), HasReason(Reason::kInUse));
  StartWorker();
  ASSERT_TRUE(Ends(name, v1::Evaluation::RUNNING));
  ASSERT_THAT(OnName(&Stub::CancelEvaluation, name), IsOk());
  const auto cancelled = GetEvaluation(name);
  ASSERT_THAT(cancelled, IsOk());
  EXPECT_EQ(cancelled->state(), v1::Evaluation::CANCELLED);
  EXPECT_TRUE(cancelled->has_end_time());
  const absl::Status again = OnName(&Stub::CancelEvaluation, name);
  EXPECT_THAT(again, HasReason(Reason::kWrongState));
  EXPECT_TRUE(absl::IsFailedPrecondition(again));
  scheduler::Touch(directory_.File("gate"));
  ASSERT_THAT(OnName(&Stub::RetryEvaluation, name), IsOk());
  ASSERT_TRUE(Ends(name, v1::Evaluation::SUCCEEDED));
  EXPECT_THAT(OnName(&Stub::RetryEvaluation, name), HasReason(Reason::kWrongState));
  ASSERT_THAT(OnName(&Stub::DeleteEvaluation, name), IsOk());
  EXPECT_THAT(GetEvaluation(name), HasReason(Reason::kNotFound));
}

TEST_F(EvaluationServiceTest, RunningTasksCountInTheProgress) {
  Submit("e", "run=wait:" + directory_.File("gate"));
  StartWorker();
  EXPECT_TRUE(Eventually([&] {
    const auto evaluation = GetEvaluation("evaluations/e");
    return evaluation.ok() && evaluation->progress().samples_done() == 1 &&
           evaluation->progress().work_done() == 10 &&
           evaluation->progress().current_condition() == "clean";
  }));
  v1::ListEvaluationsResponse list;
  ASSERT_THAT(Call(&Stub::ListEvaluations, v1::ListEvaluationsRequest(), &list), IsOk());
  ASSERT_EQ(list.evaluations_size(), 1);
  EXPECT_EQ(list.evaluations(0).progress().samples_done(), 1);
  EXPECT_EQ(list.evaluations(0).progress().work_done(), 10);
}

TEST_F(EvaluationServiceTest, AFailureTellsItsReason) {
  Submit("e", "run=error");
  StartWorker();
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::FAILED));
  const auto evaluation = GetEvaluation("evaluations/e");
  ASSERT_THAT(evaluation, IsOk());
  EXPECT_EQ(evaluation->failure().reason(), "MODEL_FAILED");
  EXPECT_THAT(evaluation->failure().message(), HasSubstr("boom"));
  const auto report = GetReport("evaluations/e");
  ASSERT_THAT(report, IsOk());
  EXPECT_FALSE(report->complete());
  EXPECT_EQ(report->conditions(0).missing(), 20);
}

TEST_F(EvaluationServiceTest, AReportTakesALevelAndChecksIt) {
  Submit("e");
  StartWorker();
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  const auto report = GetReport("evaluations/e", 0.9);
  ASSERT_THAT(report, IsOk());
  EXPECT_DOUBLE_EQ(report->confidence_level(), 0.9);
  for (const double level : {-0.5, 1.0, 95.0}) {
    EXPECT_THAT(Fields(GetReport("evaluations/e", level).status()),
                ElementsAre("confidence_level"));
  }
}

TEST_F(EvaluationServiceTest, AReportOutlivesItsModel) {
  Submit("e");
  StartWorker();
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  const auto before = GetReport("evaluations/e");
  ASSERT_THAT(before, IsOk());
  v1::DeleteModelRequest request;
  request.set_name("models/e");
  google::protobuf::Empty nothing;
  ASSERT_THAT(Call(&v1::ModelService::Stub::DeleteModel, request, &nothing), IsOk());
  const auto after = GetReport("evaluations/e");
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->SerializeAsString(), before->SerializeAsString());
}

TEST_F(EvaluationServiceTest, OutcomesOfSomeConditionsCanBeChosen) {
  AddModelAndDataset();
  StartWorker();
  v1::CreateEvaluationRequest request = Request("e");
  request.mutable_spec()->add_conditions("corruption/gaussian_noise:severity=1-2");
  ASSERT_THAT(Create(request), IsOk());
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  const auto outcomes = Outcomes("evaluations/e", {"corruption/gaussian_noise/2"});
  ASSERT_THAT(outcomes, IsOk());
  ASSERT_EQ(outcomes->size(), 1u);
  EXPECT_EQ(outcomes->begin()->first, "corruption/gaussian_noise/2");
  const auto unknown = Outcomes("evaluations/e", {"clean", "corruption/gaussian_noise/3"});
  EXPECT_THAT(Fields(unknown.status()), ElementsAre("conditions"));
}

TEST_F(EvaluationServiceTest, ConditionsAreResolvedWithoutStoringAnything) {
  v1::ResolveConditionsRequest request;
  request.add_conditions("corruption/gaussian_noise:severity=1-3");
  v1::ResolveConditionsResponse response;
  ASSERT_THAT(Call(&Stub::ResolveConditions, request, &response), IsOk());
  EXPECT_EQ(response.conditions_size(), 3);
  request.add_conditions("nonsense");
  EXPECT_THAT(Call(&Stub::ResolveConditions, request, &response),
              HasReason(Reason::kInvalidCondition));
}

TEST_F(EvaluationServiceTest, AServerWithTooManyCallsWaitingRefusesTheNext) {
  std::atomic<int> waiting = 0;
  std::atomic<bool> release = false;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method == "GetEvaluation") {
      ++waiting;
      EXPECT_TRUE(Eventually([&] { return release.load(); }));
    }
    return absl::OkStatus();
  });
  // All four threads and all hundred places of the queue.
  struct Pending {
    grpc::ClientContext context;
    v1::GetEvaluationRequest request;
    v1::Evaluation response;
  };
  std::vector<std::unique_ptr<Pending>> calls;
  std::atomic<int> answered = 0, refused = 0;
  for (int i = 0; i < 110; ++i) {
    // The threads first, then the queue.
    if (i == 4) {
      ASSERT_TRUE(Eventually([&] { return waiting == 4; }));
    }
    Pending& call = *calls.emplace_back(std::make_unique<Pending>());
    call.request.set_name("evaluations/no");
    evaluations()->async()->GetEvaluation(
        &call.context, &call.request, &call.response, [&](const grpc::Status& status) {
          const absl::Status answer = FromGrpcStatus(status);
          if (ReasonOf(answer) == Reason::kQuotaExceeded && HasDetail(answer, "RetryInfo")) {
            ++refused;
          }
          ++answered;
        });
  }
  EXPECT_TRUE(Eventually([&] { return refused == 6; }));
  release = true;
  EXPECT_TRUE(Eventually([&] { return answered == 110; }));
  EXPECT_EQ(refused, 6);
}

}  // namespace
}  // namespace assay::api
