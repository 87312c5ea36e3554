#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;

class WatchTest : public ApiFixture {
 protected:
  class Watch {
   public:
    Watch(v1::EvaluationService::Stub& stub, const std::string& name, const std::string& token = "",
          bool reports = false) {
      v1::WatchEvaluationRequest request;
      request.set_name(name);
      request.set_resume_token(token);
      request.set_interim_reports(reports);
      stream_ = stub.WatchEvaluation(&context_, request);
    }
    bool Next(v1::EvaluationEvent* event) { return stream_->Read(event); }
    void Break() { context_.TryCancel(); }
    absl::Status End() { return FromGrpcStatus(stream_->Finish()); }

   private:
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientReader<v1::EvaluationEvent>> stream_;
  };

  v1::Evaluation Cancel(const std::string& name) {
    v1::CancelEvaluationRequest request;
    request.set_name(name);
    v1::Evaluation evaluation;
    EXPECT_THAT(Call(&v1::EvaluationService::Stub::CancelEvaluation, request, &evaluation), IsOk());
    return evaluation;
  }
};

TEST_F(WatchTest, EventsLeadToTheEndAndTheReport) {
  Submit("e");
  Watch watch(*evaluations(), "evaluations/e");
  v1::EvaluationEvent event;
  ASSERT_TRUE(watch.Next(&event));
  EXPECT_EQ(event.sequence(), 1);
  EXPECT_EQ(event.evaluation().state(), v1::Evaluation::QUEUED);
  EXPECT_FALSE(event.has_report());
  StartWorker();
  int64_t sequence = 1;
  double work = 0;
  while (watch.Next(&event)) {
    EXPECT_EQ(event.sequence(), ++sequence);
    EXPECT_GE(event.evaluation().progress().work_done(), work);
    work = event.evaluation().progress().work_done();
  }
  EXPECT_THAT(watch.End(), IsOk());
  EXPECT_EQ(event.evaluation().state(), v1::Evaluation::SUCCEEDED);
  EXPECT_EQ(event.evaluation().progress().samples_done(), 20);
  ASSERT_TRUE(event.has_report());
  EXPECT_TRUE(event.report().complete());
}

TEST_F(WatchTest, AnEvaluationThatHasEndedIsToldInOneEvent) {
  Submit("e");
  Cancel("evaluations/e");
  for (int i = 0; i < 2; ++i) {
    Watch watch(*evaluations(), "evaluations/e");
    v1::EvaluationEvent event;
    ASSERT_TRUE(watch.Next(&event));
    EXPECT_EQ(event.evaluation().state(), v1::Evaluation::CANCELLED);
    EXPECT_FALSE(event.has_report());
    EXPECT_FALSE(watch.Next(&event));
    EXPECT_THAT(watch.End(), IsOk());
  }
}

TEST_F(WatchTest, ATokenResumesAfterWhatItTold) {
  Submit("e");
  std::string token;
  {
    Watch watch(*evaluations(), "evaluations/e");
    v1::EvaluationEvent event;
    ASSERT_TRUE(watch.Next(&event));
    token = event.resume_token();
    watch.Break();
    EXPECT_TRUE(absl::IsCancelled(watch.End()));
  }
  Watch watch(*evaluations(), "evaluations/e", token);
  // The first event is not the QUEUED state again but what happened since.
  Cancel("evaluations/e");
  v1::EvaluationEvent event;
  ASSERT_TRUE(watch.Next(&event));
  EXPECT_EQ(event.evaluation().state(), v1::Evaluation::CANCELLED);
  EXPECT_NE(event.resume_token(), token);
  EXPECT_FALSE(watch.Next(&event));
}

TEST_F(WatchTest, ATokenOfTheLastEventStillTellsTheEnd) {
  Submit("e");
  Cancel("evaluations/e");
  v1::EvaluationEvent event;
  Watch first(*evaluations(), "evaluations/e");
  ASSERT_TRUE(first.Next(&event));
  Watch second(*evaluations(), "evaluations/e", event.resume_token());
  ASSERT_TRUE(second.Next(&event));
  EXPECT_EQ(event.evaluation().state(), v1::Evaluation::CANCELLED);
}

TEST_F(WatchTest, ATokenThatIsNoneIsRefused) {
  Submit("e");
  for (const char* token : {"nonsense", "r", "r1x", "1"}) {
    Watch watch(*evaluations(), "evaluations/e", token);
    v1::EvaluationEvent event;
    EXPECT_FALSE(watch.Next(&event));
    EXPECT_THAT(Fields(watch.End()), ElementsAre("resume_token")) << token;
  }
}

TEST_F(WatchTest, WhatDoesNotExistCannotBeWatched) {
  v1::EvaluationEvent event;
  Watch missing(*evaluations(), "evaluations/no");
  EXPECT_FALSE(missing.Next(&event));
  const absl::Status status = missing.End();
  EXPECT_THAT(status, HasReason(Reason::kNotFound));
  EXPECT_EQ(ResourceOf(status), "evaluations/no");
  Watch malformed(*evaluations(), "no");
  EXPECT_FALSE(malformed.Next(&event));
  EXPECT_THAT(Fields(malformed.End()), ElementsAre("name"));
}

TEST_F(WatchTest, ProgressOfARunningTaskIsAnEvent) {
  Submit("e", "run=wait:" + directory_.File("gate"));
  Watch watch(*evaluations(), "evaluations/e");
  StartWorker();
  v1::EvaluationEvent event;
  bool seen = false;
  while (!seen && watch.Next(&event)) seen = event.evaluation().progress().work_done() == 10;
  EXPECT_TRUE(seen);
  EXPECT_EQ(event.evaluation().progress().current_condition(), "clean");
  scheduler::Touch(directory_.File("gate"));
  while (watch.Next(&event)) {
  }
  EXPECT_EQ(event.evaluation().state(), v1::Evaluation::SUCCEEDED);
}

TEST_F(WatchTest, InterimReportsComeWhenAskedFor) {
  ASSERT_THAT(CreateModel("m", ModelFile("")), IsOk());
  ASSERT_THAT(CreateDataset("d", {12, 8}), IsOk());
  v1::CreateEvaluationRequest request;
  request.set_evaluation_id("e");
  request.mutable_spec()->set_model("models/m");
  request.mutable_spec()->set_dataset("datasets/d");
  request.mutable_spec()->add_conditions("clean");
  request.mutable_spec()->set_task_samples(10);
  v1::Evaluation evaluation;
  ASSERT_THAT(Call(&v1::EvaluationService::Stub::CreateEvaluation, request, &evaluation), IsOk());
  Watch with(*evaluations(), "evaluations/e", "", /*reports=*/true);
  Watch without(*evaluations(), "evaluations/e");
  v1::EvaluationEvent event;
  ASSERT_TRUE(with.Next(&event));
  ASSERT_TRUE(without.Next(&event));

  // The first of two tasks is done; the second is somebody else's.
  const auto claim = store_->ClaimTask("test", 1'000'000, "");
  ASSERT_THAT(claim, IsOk());
  ASSERT_TRUE(claim->has_value());
  ASSERT_THAT(
      store_->CommitTask(**claim, store::MakeOutcomes((*claim)->task), store::MakeNumerics(), {}),
      IsOk());
  hub_.NotifyChanged("evaluations/e");
  ASSERT_TRUE(with.Next(&event));
  ASSERT_TRUE(event.has_report());
  EXPECT_FALSE(event.report().complete());
  EXPECT_EQ(event.report().conditions(0).samples(), 10);
  ASSERT_TRUE(without.Next(&event));
  EXPECT_FALSE(event.has_report());
}

TEST_F(WatchTest, AReaderThatVanishesStopsNothing) {
  Submit("e", "run=wait:" + directory_.File("gate"));
  StartWorker();
  {
    Watch watch(*evaluations(), "evaluations/e");
    v1::EvaluationEvent event;
    ASSERT_TRUE(watch.Next(&event));
    watch.Break();
    EXPECT_TRUE(absl::IsCancelled(watch.End()));
  }
  scheduler::Touch(directory_.File("gate"));
  EXPECT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
}

TEST_F(WatchTest, ManyReadersAllSeeTheEnd) {
  Submit("e", "run=wait:" + directory_.File("gate"));
  StartWorker();
  std::vector<std::unique_ptr<Watch>> watches;
  v1::EvaluationEvent event;
  for (int i = 0; i < 50; ++i) {
    watches.push_back(std::make_unique<Watch>(*evaluations(), "evaluations/e"));
    ASSERT_TRUE(watches.back()->Next(&event));
    if (i % 3 == 0) watches.back()->Break();
  }
  scheduler::Touch(directory_.File("gate"));
  for (size_t i = 0; i < watches.size(); ++i) {
    while (watches[i]->Next(&event)) {
    }
    if (i % 3 == 0) {
      EXPECT_TRUE(absl::IsCancelled(watches[i]->End()));
    } else {
      EXPECT_EQ(event.evaluation().state(), v1::Evaluation::SUCCEEDED);
      EXPECT_THAT(watches[i]->End(), IsOk());
    }
  }
}

TEST_F(WatchTest, AnEvaluationDeletedUnderTheWatchEndsIt) {
  Submit("e");
  std::atomic<bool> gone = false;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method == "GetEvaluation" && gone) return NotFound("evaluations", "evaluations/e");
    return absl::OkStatus();
  });
  Watch watch(*evaluations(), "evaluations/e");
  v1::EvaluationEvent event;
  ASSERT_TRUE(watch.Next(&event));
  gone = true;
  hub_.NotifyChanged("evaluations/e");
  EXPECT_FALSE(watch.Next(&event));
  EXPECT_THAT(watch.End(), HasReason(Reason::kNotFound));
}

}  // namespace
}  // namespace assay::api
