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
