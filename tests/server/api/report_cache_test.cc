#include "server/api/report_cache.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/api/report_publisher.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using Stub = v1::EvaluationService::Stub;

class ReportCacheTest : public ApiFixture {
 protected:
  // A report is computed of all outcomes: each reading of them is one computation. Where nothing is
  // known of the model they are read once more, for their classes.
  store::HookedStore::Scope CountComputations() {
    return hooked().Install([this](const std::string& method) -> absl::Status {
      if (method == "ReadOutcomes") ++computations_;
      return absl::OkStatus();
    });
  }
  // Evaluations that have ended, all of one model and one dataset.
  void Finish(const std::vector<std::string>& ids) {
    StartWorker();
    for (const std::string& id : ids) {
      Submit(id);
      ASSERT_TRUE(Ends("evaluations/" + id, v1::Evaluation::SUCCEEDED));
    }
    StopWorker();
  }
  store::EvaluationRecord Record(const std::string& id) {
    const auto record = store_->GetEvaluation("evaluations/" + id);
    EXPECT_THAT(record, IsOk());
    return record.ok() ? *record : store::EvaluationRecord();
  }
  // The number of samples in the report of the first condition.
  int64_t SamplesOf(ReportCache& cache, const store::EvaluationRecord& record) {
    const auto report = cache.Get(record);
    EXPECT_THAT(report, IsOk());
    return report.ok() ? (*report)->conditions(0).samples() : -1;
  }
  void Get(ReportCache& cache, const std::string& id) {
    EXPECT_EQ(SamplesOf(cache, Record(id)), 20) << id;
  }
  absl::StatusOr<v1::Report> Call(const std::string& name, double level = 0) {
    v1::GetReportRequest request;
    request.set_name(name);
    request.set_confidence_level(level);
    v1::Report report;
    ASSAY_RETURN_IF_ERROR(ApiFixture::Call(&Stub::GetReport, request, &report));
    return report;
  }
  ReportCache Cache(const ReportCache::Limits& limits) {
    return {hooked(), hooked(), context().blobs, limits};
  }

  std::atomic<int> computations_ = 0;
};

TEST_F(ReportCacheTest, CallersWatchersAndGaugesShareOneComputation) {
  Finish({"e"});
  const auto scope = CountComputations();
  const ReportPublisher publisher(context());
  std::string report;
  for (int i = 0; i < 3; ++i) {
    const auto called = Call("evaluations/e");
    ASSERT_THAT(called, IsOk());
    v1::WatchEvaluationRequest request;
    request.set_name("evaluations/e");
    request.set_interim_reports(true);
    grpc::ClientContext call;
    const auto watch = evaluations()->WatchEvaluation(&call, request);
    v1::EvaluationEvent event;
    ASSERT_TRUE(watch->Read(&event));
    EXPECT_EQ(event.report().SerializeAsString(), called->SerializeAsString());
    EXPECT_FALSE(watch->Read(&event));
    EXPECT_THAT(FromGrpcStatus(watch->Finish()), IsOk());
  }
  EXPECT_TRUE(Eventually([&] {
    return metrics_.Render().find("assay_accuracy_ratio{model=\"e\"") != std::string::npos;
  }));
  EXPECT_EQ(computations_, 1);
}

TEST_F(ReportCacheTest, WhoeverAsksMeanwhileWaitsForTheSameComputation) {
  Finish({"e"});
  constexpr int kCallers = 8;
  std::atomic<int> asking = 0;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "ReadOutcomes") return absl::OkStatus();
    ++computations_;
    EXPECT_TRUE(Eventually([&] { return asking == kCallers; }));
    return absl::OkStatus();
  });
  const store::EvaluationRecord record = Record("e");
  std::vector<std::shared_ptr<const v1::Report>> reports(kCallers);
  std::vector<std::thread> callers;
  for (auto& report : reports) {
    callers.emplace_back([&] {
      ++asking;
      const auto got = context().reports.Get(record);
      ASSERT_THAT(got, IsOk());
      report = *got;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(computations_, 1);
  for (const auto& report : reports) EXPECT_EQ(report, reports[0]);
}

TEST_F(ReportCacheTest, EachSetOfOptionsHasItsReport) {
  Finish({"e"});
  const auto scope = CountComputations();
  for (int i = 0; i < 2; ++i) {
    const auto usual = Call("evaluations/e");
    const auto wide = Call("evaluations/e", 0.99);
    ASSERT_THAT(usual, IsOk());
    ASSERT_THAT(wide, IsOk());
    EXPECT_EQ(usual->confidence_level(), 0.95);
    EXPECT_EQ(wide->confidence_level(), 0.99);
  }
  EXPECT_EQ(computations_, 2);
}

TEST_F(ReportCacheTest, AChangeMakesANewReportAndTheEarlierOneGoes) {
  ASSERT_THAT(CreateModel("m", ModelFile("")), IsOk());
  ASSERT_THAT(CreateDataset("d", {12, 8}), IsOk());
  ASSERT_THAT(CreateEvaluation("e", "models/m", "datasets/d", {"clean", "corruption/fog"}), IsOk());
  const auto scope = CountComputations();
  ReportCache& cache = context().reports;
  const store::EvaluationRecord before = Record("e");
  EXPECT_EQ(SamplesOf(cache, before), 0);
  const auto claim = store_->ClaimTask("test", 1'000'000, "");
  ASSERT_THAT(claim, IsOk());
  ASSERT_TRUE(claim->has_value());
  ASSERT_THAT(
      store_->CommitTask(**claim, store::MakeOutcomes((*claim)->task), store::MakeNumerics(), {}),
      IsOk());
  for (int i = 0; i < 3; ++i) EXPECT_GT(SamplesOf(cache, Record("e")), 0);
  // No engine has seen the model: each reads twice.
  EXPECT_EQ(computations_, 2 * 2);
  SamplesOf(cache, before);
  EXPECT_EQ(computations_, 2 * 3);
}

TEST_F(ReportCacheTest, WhatIsKnownOfTheModelIsPartOfTheQuestion) {
  Finish({"e"});
  const auto scope = CountComputations();
  const auto known = Call("evaluations/e");
  ASSERT_THAT(known, IsOk());
  ASSERT_THAT(store_->DeleteModel("models/e"), IsOk());
  const auto unknown = Call("evaluations/e");
  ASSERT_THAT(unknown, IsOk());
  EXPECT_EQ(computations_, 1 + 2);
}

TEST_F(ReportCacheTest, TheLeastRecentlyUsedReportMakesRoom) {
  Finish({"a", "b", "c"});
  const auto scope = CountComputations();
  ReportCache cache = Cache({/*reports=*/2, /*bytes=*/1 << 30});
  Get(cache, "a");
  Get(cache, "b");
  Get(cache, "a");
  EXPECT_EQ(computations_, 2);
  Get(cache, "c");
  Get(cache, "a");
  EXPECT_EQ(computations_, 3);
  Get(cache, "b");
  EXPECT_EQ(computations_, 4);
}

TEST_F(ReportCacheTest, TheBytesOfReportsAreBoundedToo) {
  Finish({"a", "b"});
  const auto scope = CountComputations();
  const auto report = context().reports.Get(Record("a"));
  ASSERT_THAT(report, IsOk());
  const size_t bytes = (*report)->SpaceUsedLong();
  computations_ = 0;
  ReportCache one = Cache({/*reports=*/100, /*bytes=*/bytes + bytes / 2});
  for (const char* id : {"a", "a", "b", "b"}) Get(one, id);
  EXPECT_EQ(computations_, 2);
  Get(one, "a");
  EXPECT_EQ(computations_, 3);
  computations_ = 0;
  ReportCache none = Cache({/*reports=*/100, /*bytes=*/bytes / 2});
  for (int i = 0; i < 3; ++i) Get(none, "a");
  EXPECT_EQ(computations_, 3) << "a report that is too large is computed, not kept";
}

TEST_F(ReportCacheTest, AnErrorIsNotKept) {
  Finish({"e"});
  std::atomic<bool> broken = true;
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "ReadOutcomes" || !broken) return absl::OkStatus();
    return Error(Reason::kStorageFailed, "for a moment");
  });
  EXPECT_THAT(Call("evaluations/e"), HasReason(Reason::kStorageFailed));
  broken = false;
  EXPECT_THAT(Call("evaluations/e"), IsOk());
}

TEST_F(ReportCacheTest, AnEvaluationThatTakesTheNameOfADeletedOneHasItsOwnReport) {
  Finish({"e"});
  ASSERT_THAT(Call("evaluations/e"), IsOk());
  v1::DeleteEvaluationRequest deletion;
  deletion.set_name("evaluations/e");
  google::protobuf::Empty nothing;
  ASSERT_THAT(ApiFixture::Call(&Stub::DeleteEvaluation, deletion, &nothing), IsOk());
  EXPECT_THAT(Call("evaluations/e"), HasReason(Reason::kNotFound));

  v1::CreateEvaluationRequest request;
  request.set_evaluation_id("e");
  request.mutable_spec()->set_model("models/e");
  request.mutable_spec()->set_dataset("datasets/e");
  request.mutable_spec()->add_conditions("clean");
  request.mutable_spec()->set_limit(7);
  v1::Evaluation evaluation;
  ASSERT_THAT(ApiFixture::Call(&Stub::CreateEvaluation, request, &evaluation), IsOk());
  StartWorker();
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  const auto report = Call("evaluations/e");
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->conditions(0).samples(), 7);
}

TEST_F(ReportCacheTest, AReportThatIsDeletedWhileItIsComputedIsNotKept) {
  Finish({"e"});
  const store::EvaluationRecord record = Record("e");
  const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
    if (method != "ReadOutcomes") return absl::OkStatus();
    if (++computations_ == 1) context().reports.Forget("evaluations/e");
    return absl::OkStatus();
  });
  EXPECT_EQ(SamplesOf(context().reports, record), 20);
  EXPECT_EQ(SamplesOf(context().reports, record), 20);
  EXPECT_EQ(computations_, 2);
}

// Of many successes the gauges show one for each model and dataset.
TEST_F(ReportCacheTest, TheGaugesComputeNoReportsThatTheyDoNotShow) {
  Finish({"e"});
  StartWorker();
  for (const char* id : {"f", "g", "h"}) {
    ASSERT_THAT(CreateEvaluation(id, "models/e", "datasets/e"), IsOk());
    ASSERT_TRUE(Ends(absl::StrCat("evaluations/", id), v1::Evaluation::SUCCEEDED));
  }
  const auto scope = CountComputations();
  const ReportPublisher publisher(context());
  ASSERT_TRUE(Eventually([&] {
    return metrics_.Render().find("assay_accuracy_ratio{model=\"e\"") != std::string::npos;
  }));
  // Another success makes it look through all of them again.
  Submit("other");
  EXPECT_TRUE(Eventually([&] {
    return metrics_.Render().find("assay_accuracy_ratio{model=\"other\"") != std::string::npos;
  }));
  // And of what it shows of e, the one before it.
  EXPECT_EQ(computations_, 3);
}

}  // namespace
}  // namespace assay::api
