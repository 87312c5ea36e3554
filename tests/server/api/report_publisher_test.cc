#include "server/api/report_publisher.h"

#include <atomic>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

class ReportPublisherTest : public ApiFixture {
 protected:
  bool Shows(const std::string& id) {
    return metrics_.Render().find(absl::StrCat("assay_accuracy_ratio{model=\"", id, "\",dataset=\"",
                                               id, "\",condition=\"clean\"} 1")) !=
           std::string::npos;
  }
};

TEST_F(ReportPublisherTest, ReportsOfEarlierAndLaterSuccessesBecomeGauges) {
  StartWorker();
  Submit("before");
  ASSERT_TRUE(Ends("evaluations/before", v1::Evaluation::SUCCEEDED));
  const ReportPublisher publisher(context());
  EXPECT_TRUE(Eventually([&] { return Shows("before"); }));
  Submit("failing", "run=error");
  Submit("after");
  EXPECT_TRUE(Eventually([&] { return Shows("after"); }));
  EXPECT_FALSE(Shows("failing"));
}

TEST_F(ReportPublisherTest, TheLatestIsShownWithTheOneBeforeItOfTheSameLineage) {
  // Three versions of one model, by a label, and a model beside them, on one dataset.
  ASSERT_THAT(CreateDataset("d", {20}), IsOk());
  const auto evaluate = [&](const std::string& id, const std::string& model,
                            const std::vector<std::string>& conditions) {
    ASSERT_THAT(CreateEvaluation(id, "models/" + model, "datasets/d", conditions), IsOk());
    ASSERT_TRUE(Ends("evaluations/" + id, v1::Evaluation::SUCCEEDED));
    clock_.AdvanceSeconds(1);
  };
  for (const char* id : {"v1", "v2", "v3", "other"}) {
    auto model = CreateModel(id, ModelFile(absl::StrCat("name=", id)));
    ASSERT_THAT(model, IsOk());
    if (std::string(id) == "other") continue;
    (*model->mutable_labels())["repository"] = "m";
    ASSERT_THAT(store_->CreateModel(*model, ""), IsOk());
  }
  StartWorker();
  const std::string noise = "corruption/gaussian_noise:severity=1";
  evaluate("a", "v1", {"clean", noise});
  evaluate("b", "v2", {noise});
  evaluate("c", "other", {"clean"});
  // One that stopped when it was decided is no measure for another.
  v1::Evaluation early = store::MakeEvaluation("early");
  early.mutable_spec()->set_model("models/v2");
  early.mutable_spec()->set_dataset("datasets/d");
  early.mutable_spec()->mutable_stop_when_decided();
  ASSERT_THAT(store_->CreateEvaluation(early, store::MakeTasks(1), ""), IsOk());
  ASSERT_THAT(store_->SetDecision(early.name(), {}, /*ends=*/true), IsOk());
  ASSERT_TRUE(Ends(early.name(), v1::Evaluation::SUCCEEDED));
  clock_.AdvanceSeconds(1);
  evaluate("d", "v3", {"clean"});
  const auto shows = [&](const std::string& labels) {
    return metrics_.Render().find("assay_previous_accuracy_ratio" + labels) != std::string::npos;
  };
  const ReportPublisher publisher(context());
  // The second version has no condition in common with the third.
  EXPECT_TRUE(Eventually(
      [&] { return shows("{model=\"v3\",dataset=\"d\",previous=\"v1\",condition=\"clean\"} 1"); }));
  EXPECT_FALSE(shows("{model=\"other\"")) << "the only one of its lineage";
  EXPECT_FALSE(shows("{model=\"v2\"")) << "not the latest any more";
  evaluate("e", "other", {"clean"});
  EXPECT_TRUE(Eventually([&] {
    return shows("{model=\"other\",dataset=\"d\",previous=\"other\",condition=\"clean\"} 1");
  }));
}

TEST_F(ReportPublisherTest, ADeletedEvaluationLeavesTheGauges) {
  StartWorker();
  Submit("e");
  const ReportPublisher publisher(context());
  EXPECT_TRUE(Eventually([&] { return Shows("e"); }));
  v1::DeleteEvaluationRequest request;
  request.set_name("evaluations/e");
  google::protobuf::Empty nothing;
  ASSERT_THAT(Call(&v1::EvaluationService::Stub::DeleteEvaluation, request, &nothing), IsOk());
  EXPECT_FALSE(Shows("e"));
}

TEST_F(ReportPublisherTest, AnOldEvaluationThatSucceedsLateIsNotMissed) {
  Submit("old");
  // More than a page of newer ones.
  for (int i = 0; i < 120; ++i) {
    v1::Evaluation newer = store::MakeEvaluation(absl::StrCat("n", i));
    ASSERT_THAT(store_->CreateEvaluation(newer, store::MakeTasks(1), ""), IsOk());
    ASSERT_THAT(store_->CancelEvaluation(newer.name()), IsOk());
  }
  const ReportPublisher publisher(context());
  StartWorker();
  ASSERT_TRUE(Ends("evaluations/old", v1::Evaluation::SUCCEEDED));
  EXPECT_TRUE(Eventually([&] { return Shows("old"); }));
}

TEST_F(ReportPublisherTest, AStoreThatFailsForAWhileDelaysTheGaugesOnly) {
  StartWorker();
  Submit("e");
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  std::atomic<int> failures = 0;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "ReadOutcomes" || ++failures > 1) return absl::OkStatus();
    return Error(Reason::kStorageFailed, "for a moment");
  });
  const ReportPublisher publisher(context());
  EXPECT_TRUE(Eventually([&] { return Shows("e"); }));
  EXPECT_GE(failures, 2);
}

}  // namespace
}  // namespace assay::api
