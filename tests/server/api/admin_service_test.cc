#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "assay/v1/admin.grpc.pb.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "server/api/retention.h"
#include "tests/server/api/api_fixture.h"
#include "tests/server/api/raw_calls.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Finding = v1::CheckStorageResponse::Finding;

class AdminServiceTest : public ApiFixture {
 protected:
  AdminServiceTest()
      : admin_(v1::AdminService::NewStub(channel())),
        sweeper_(hooked(), *blobs_, clock_, directory_.File("reserve"),
                 [this](const store::BlobCount& removed) {
                   metrics_.CountSwept(removed.blobs, removed.bytes);
                 }) {
    context().sweeper = &sweeper_;
    context().database = directory_.File("jobs.db");
  }
  ~AdminServiceTest() override {
    // The worker asks the context's control.
    StopWorker();
    controlled_.reset();
    context().retention = nullptr;
    context().sweeper = nullptr;
  }

  template <typename Request, typename Response>
  absl::Status Ask(grpc::Status (v1::AdminService::Stub::*method)(grpc::ClientContext*,
                                                                  const Request&, Response*),
                   const Request& request, Response* response) {
    grpc::ClientContext client;
    client.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return FromGrpcStatus((*admin_.*method)(&client, request, response));
  }
  v1::ServerStatus Status() {
    v1::ServerStatus status;
    EXPECT_THAT(
        Ask(&v1::AdminService::Stub::GetServerStatus, v1::GetServerStatusRequest(), &status),
        IsOk());
    return status;
  }
  absl::Status Pause(const std::string& reason = "") {
    v1::PauseQueueRequest request;
    request.set_reason(reason);
    v1::QueueControl control;
    return Ask(&v1::AdminService::Stub::PauseQueue, request, &control);
  }
  v1::QueueControl Drain(bool release = false) {
    v1::DrainServerRequest request;
    request.set_release_running(release);
    v1::QueueControl control;
    EXPECT_THAT(Ask(&v1::AdminService::Stub::DrainServer, request, &control), IsOk());
    return control;
  }
  void Resume() {
    v1::QueueControl control;
    ASSERT_THAT(Ask(&v1::AdminService::Stub::ResumeServer, v1::ResumeServerRequest(), &control),
                IsOk());
    EXPECT_FALSE(control.paused() || control.draining());
  }
  std::vector<v1::CheckStorageResponse> Check(bool repair = false) {
    grpc::ClientContext client;
    v1::CheckStorageRequest request;
    request.set_repair(repair);
    const auto reader = admin_->CheckStorage(&client, request);
    std::vector<v1::CheckStorageResponse> messages;
    v1::CheckStorageResponse message;
    while (reader->Read(&message)) messages.push_back(message);
    EXPECT_THAT(FromGrpcStatus(reader->Finish()), IsOk());
    return messages;
  }
  void StartControlledWorker() {
    scheduler::WorkerOptions options;
    options.owner = "controlled";
    options.device = "cpu";
    options.control = &context().control;
    options.cancel_grace_seconds = 0.3;
    context().control.AddWorker("cpu");
    controlled_ =
        std::make_unique<scheduler::Worker>(options, hooked(), *blobs_, *pool_, hub_, metrics_);
  }
  v1::Evaluation::State StateOf(const std::string& name) {
    const auto evaluation = GetEvaluation(name);
    EXPECT_THAT(evaluation, IsOk());
    return evaluation.ok() ? evaluation->state() : v1::Evaluation::STATE_UNSPECIFIED;
  }
  bool Serves(const std::string& service) {
    const auto health = HealthOf(channel(), service);
    EXPECT_THAT(health, IsOk());
    return health.value_or(0) == 1;
  }

  std::unique_ptr<v1::AdminService::Stub> admin_;
  store::BlobSweeper sweeper_;
  std::unique_ptr<scheduler::Worker> controlled_;
};

TEST_F(AdminServiceTest, StatusTellsWhatRunsAndWhatWaits) {
  const std::string go = directory_.File("go");
  const auto first = Submit("first", absl::StrCat("run=drip:", go));
  Submit("second");
  EXPECT_EQ(Status().evaluations().at("QUEUED"), 2);
  EXPECT_TRUE(Status().has_oldest_task_time());
  StartControlledWorker();
  ASSERT_TRUE(Eventually([&] {
    const auto status = Status();
    return status.workers_size() == 1 && status.workers(0).has_task() &&
           status.workers(0).task().samples_done() > 0;
  }));
  const v1::ServerStatus status = Status();
  EXPECT_FALSE(status.version().empty());
  EXPECT_EQ(status.control().running_tasks(), 1);
  const auto& task = status.workers(0).task();
  EXPECT_EQ(task.evaluation(), first.name());
  EXPECT_EQ(task.condition(), "clean");
  EXPECT_EQ(task.model(), "models/first");
  EXPECT_EQ(task.samples(), 20);
  EXPECT_EQ(task.attempt(), 1);
  ASSERT_EQ(status.engines_size(), 1);
  EXPECT_EQ(status.engines(0).model(), "models/first");
  EXPECT_EQ(status.engines(0).state(), v1::ServerStatus::Engine::BUSY);
  EXPECT_GT(status.engines(0).process().resident_bytes(), 0);
  ASSERT_EQ(status.running_size(), 1);
  EXPECT_EQ(status.running(0).name(), first.name());
  EXPECT_EQ(status.disk().blobs(), blobs_->Count().blobs);
  // This one, and maybe the last one, whose end is being told.
  EXPECT_GE(status.open_calls().at("assay.v1.AdminService/GetServerStatus"), 1);
  scheduler::Touch(go);
  ASSERT_TRUE(Ends(first.name(), v1::Evaluation::SUCCEEDED));
  ASSERT_TRUE(Ends("evaluations/second", v1::Evaluation::SUCCEEDED));
  EXPECT_TRUE(Eventually([&] { return Status().workers(0).tasks_done() == 2; }));
  EXPECT_EQ(Status().workers(0).samples_done(), 40);
  EXPECT_FALSE(Status().has_oldest_task_time());
}

TEST_F(AdminServiceTest, APausedQueueBeginsNothingAndAcceptsEverything) {
  ASSERT_THAT(Pause("disks"), IsOk());
  StartControlledWorker();
  Submit("e");
  EXPECT_TRUE(Serves("readiness"));
  const auto status = Status();
  EXPECT_TRUE(status.control().paused());
  EXPECT_EQ(status.control().pause_reason(), "disks");
  EXPECT_EQ(status.tasks().at("OPEN"), 1);
  EXPECT_EQ(StateOf("evaluations/e"), v1::Evaluation::QUEUED);
  Resume();
  EXPECT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
}

TEST_F(AdminServiceTest, APauseLetsRunningTasksEnd) {
  const std::string go = directory_.File("go");
  Submit("e", absl::StrCat("run=wait:", go));
  StartControlledWorker();
  ASSERT_TRUE(Eventually([&] { return Status().control().running_tasks() == 1; }));
  ASSERT_THAT(Pause(), IsOk());
  Submit("later");
  scheduler::Touch(go);
  ASSERT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  EXPECT_TRUE(Eventually([&] { return Status().control().running_tasks() == 0; }));
  EXPECT_EQ(StateOf("evaluations/later"), v1::Evaluation::QUEUED);
}

TEST_F(AdminServiceTest, AReasonHasALimit) {
  const absl::Status status = Pause(std::string(201, 'x'));
  EXPECT_THAT(status, HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(Fields(status), ElementsAre("reason"));
}

TEST_F(AdminServiceTest, ADrainRefusesNewWorkUntilItIsResumed) {
  Submit("e");
  EXPECT_TRUE(Serves("readiness"));
  EXPECT_TRUE(Drain().draining());
  EXPECT_FALSE(Serves("readiness"));
  EXPECT_FALSE(Serves("assay.v1.AdminService"));
  EXPECT_TRUE(Serves("liveness"));
  const auto refused = CreateEvaluation("f", "models/e", "datasets/e");
  EXPECT_THAT(refused, HasReason(Reason::kShuttingDown));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("assay admin resume"));
  EXPECT_TRUE(HasDetail(refused.status(), "RetryInfo"));
  EXPECT_THAT(GetEvaluation("evaluations/e"), IsOk());
  Resume();
  EXPECT_TRUE(Serves("readiness"));
  EXPECT_THAT(CreateEvaluation("f", "models/e", "datasets/e"), IsOk());
  // A server that stops is not made to serve by that.
  server().SetNotServing();
  Resume();
  EXPECT_FALSE(Serves("readiness"));
}

TEST_F(AdminServiceTest, ADrainThatReleasesGivesRunningTasksBackUncounted) {
  const std::string go = directory_.File("go");
  Submit("e", absl::StrCat("run=wait:", go));
  StartControlledWorker();
  ASSERT_TRUE(Eventually([&] { return Status().control().running_tasks() == 1; }));
  Drain(/*release=*/true);
  ASSERT_TRUE(Eventually([&] { return Status().control().running_tasks() == 0; }));
  EXPECT_EQ(Status().tasks().at("OPEN"), 1);
  EXPECT_EQ(Status().workers(0).tasks_done(), 0);
  scheduler::Touch(go);
  Resume();
  EXPECT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
}

TEST_F(AdminServiceTest, GarbageIsCollectedAtOnceAndCounted) {
  ASSERT_THAT(blobs_->Put("12345", "upload"), IsOk());
  v1::CollectGarbageResponse freed;
  ASSERT_THAT(Ask(&v1::AdminService::Stub::CollectGarbage, v1::CollectGarbageRequest(), &freed),
              IsOk());
  EXPECT_EQ(freed.deleted_blobs(), 0) << "an upload relies on it";
  blobs_->Settle({Sha256Hex("12345")}, "upload");
  // The sweeper of the start may be at it at the same time.
  ASSERT_THAT(Ask(&v1::AdminService::Stub::CollectGarbage, v1::CollectGarbageRequest(), &freed),
              IsOk());
  EXPECT_FALSE(std::filesystem::exists(blobs_->Path(Sha256Hex("12345"))));
  EXPECT_TRUE(Eventually([&] {
    const std::string page = metrics_.Render();
    return page.find("assay_blobs_swept_total 1\n") != std::string::npos &&
           page.find("assay_blobs_swept_bytes_total 5\n") != std::string::npos;
  }));
}

TEST_F(AdminServiceTest, ACheckStreamsFindingsAndEndsWithASummary) {
  const auto model = CreateModel("m", ModelFile(""));
  ASSERT_THAT(model, IsOk());
  std::ofstream(blobs_->Path(model->digest())) << "broken";
  const auto messages = Check();
  ASSERT_GE(messages.size(), 3u);
  EXPECT_EQ(messages.front().progress().phase(), "database");
  EXPECT_EQ(messages.back().summary().corrupt_blobs(), 1);
  const auto found = std::find_if(messages.begin(), messages.end(),
                                  [](const auto& message) { return message.has_finding(); });
  ASSERT_NE(found, messages.end());
  EXPECT_EQ(found->finding().kind(), Finding::CORRUPT_BLOB);
  EXPECT_THAT(found->finding().users(), ElementsAre("models/m"));
}

TEST_F(AdminServiceTest, ACancelledCheckEnds) {
  for (int i = 0; i < 20; ++i) ASSERT_THAT(blobs_->Put(absl::StrCat("blob ", i)), IsOk());
  for (int round = 0; round < 5; ++round) {
    grpc::ClientContext client;
    const auto reader = admin_->CheckStorage(&client, v1::CheckStorageRequest());
    v1::CheckStorageResponse message;
    ASSERT_TRUE(reader->Read(&message));
    client.TryCancel();
    while (reader->Read(&message)) {
    }
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(Check().back().has_summary());
}

// --- quota

TEST_F(AdminServiceTest, BeyondTheDiskQuotaUploadsAndNewEvaluationsAreRefused) {
  Submit("e");
  ASSERT_THAT(Check().back().summary().missing_blobs(), 0);
  const int64_t stored = blobs_->Count().bytes;
  context().disk_quota_bytes = stored + 10;
  const auto upload = [&](const std::string& content) {
    grpc::ClientContext client;
    v1::UploadChunksResponse response;
    const auto stream = chunks()->UploadChunks(&client, &response);
    v1::UploadChunksRequest request;
    request.mutable_header()->set_digest(Sha256Hex(content));
    request.mutable_header()->set_size_bytes(static_cast<int64_t>(content.size()));
    stream->Write(request);
    request.set_data(content);
    stream->Write(request);
    stream->WritesDone();
    return FromGrpcStatus(stream->Finish());
  };
  const absl::Status refused = upload("twelve bytes");
  EXPECT_THAT(refused, HasReason(Reason::kQuotaExceeded));
  EXPECT_TRUE(HasDetail(refused, "RetryInfo"));
  google::rpc::QuotaFailure failure;
  ASSERT_TRUE(HasDetail(refused, "QuotaFailure"));
  ASSERT_TRUE(failure.ParseFromString(
      std::string(*refused.GetPayload("type.googleapis.com/google.rpc.QuotaFailure"))));
  EXPECT_EQ(failure.violations(0).subject(), "--disk-quota");
  EXPECT_THAT(upload("ten bytes."), IsOk());
  EXPECT_THAT(upload("ten bytes."), IsOk()) << "what is there needs no room";
  EXPECT_THAT(CreateEvaluation("f", "models/e", "datasets/e"), HasReason(Reason::kQuotaExceeded));
  // What has begun goes on.
  StartWorker();
  EXPECT_TRUE(Ends("evaluations/e", v1::Evaluation::SUCCEEDED));
  context().disk_quota_bytes = 0;
  EXPECT_THAT(CreateEvaluation("f", "models/e", "datasets/e"), IsOk());
}

// --- retention

class RetentionTest : public AdminServiceTest {
 protected:
  static constexpr double kDay = 86'400;

  void Keep(int64_t days, std::vector<std::pair<std::string, std::string>> labels = {}) {
    RetentionOptions options;
    options.keep_seconds = days * 86'400;
    for (auto& label : labels) options.keep_labels.push_back(label);
    retention_ = std::make_unique<Retention>(context(), options);
    context().retention = retention_.get();
  }
  ~RetentionTest() override { context().retention = nullptr; }

  // One of model and dataset "m" that has ended now.
  void AddEnded(const std::string& id, v1::Evaluation::State state = v1::Evaluation::SUCCEEDED,
                const std::map<std::string, std::string>& labels = {}) {
    v1::Evaluation evaluation;
    evaluation.set_name("evaluations/" + id);
    evaluation.mutable_spec()->set_model("models/m");
    evaluation.mutable_spec()->set_dataset("datasets/m");
    for (const auto& [key, value] : labels)
      (*evaluation.mutable_spec()->mutable_labels())[key] = value;
    evaluation.add_conditions()->set_id("clean");
    ASSERT_THAT(store_->CreateEvaluation(evaluation, store::MakeTasks(1), ""), IsOk());
    if (state == v1::Evaluation::CANCELLED) {
      ASSERT_THAT(store_->CancelEvaluation(evaluation.name()), IsOk());
      return;
    }
    const auto claim = store_->ClaimTask("w", store::kLease, "");
    ASSERT_TRUE(claim.ok() && claim->has_value());
    if (state == v1::Evaluation::FAILED) {
      ASSERT_THAT(store_->FailEvaluation(evaluation.name(), v1::Failure()), IsOk());
      return;
    }
    ASSERT_THAT(
        store_->CommitTask(**claim, store::MakeOutcomes((*claim)->task), store::MakeNumerics(), {}),
        IsOk());
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto listing = store_->ListEvaluations({}, {});
    EXPECT_THAT(listing, IsOk());
    for (const auto& record : listing->records) names.push_back(record.proto.name().substr(12));
    std::sort(names.begin(), names.end());
    return names;
  }
  int64_t DeleteExpired() {
    const auto deleted = retention_->DeleteExpired();
    EXPECT_THAT(deleted, IsOk());
    return deleted.value_or(-1);
  }

  std::unique_ptr<Retention> retention_;
};

TEST_F(RetentionTest, WhatEndedLongAgoGoesButForTheLatestOfEachModelAndDataset) {
  Keep(30);
  AddEnded("a");
  AddEnded("failed", v1::Evaluation::FAILED);
  AddEnded("cancelled", v1::Evaluation::CANCELLED);
  clock_.AdvanceSeconds(10);
  AddEnded("b");
  clock_.AdvanceSeconds(29 * kDay);
  EXPECT_EQ(DeleteExpired(), 0);
  EXPECT_THAT(Names(), ElementsAre("a", "b", "cancelled", "failed"));
  clock_.AdvanceSeconds(2 * kDay);
  // Whether it is this thread or the retention's own that finds it due.
  DeleteExpired();
  EXPECT_THAT(Names(), ElementsAre("b")) << "the dashboards show it";
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("assay_evaluations_deleted_total{reason=\"expired\"} 3\n"));
  AddEnded("c");
  DeleteExpired();
  EXPECT_THAT(Names(), ElementsAre("c"));
}

TEST_F(RetentionTest, LabelsKeep) {
  Keep(1, {{"stage", "production"}, {"paper", ""}});
  AddEnded("kept", v1::Evaluation::SUCCEEDED, {{"keep", "true"}});
  AddEnded("not", v1::Evaluation::SUCCEEDED, {{"keep", "false"}});
  AddEnded("production", v1::Evaluation::SUCCEEDED, {{"stage", "production"}});
  AddEnded("test", v1::Evaluation::SUCCEEDED, {{"stage", "test"}});
  AddEnded("paper", v1::Evaluation::FAILED, {{"paper", "3"}});
  clock_.AdvanceSeconds(2 * kDay);
  AddEnded("new");
  DeleteExpired();
  EXPECT_THAT(Names(), ElementsAre("kept", "new", "paper", "production"));
}

TEST_F(RetentionTest, WhatIsUnfinishedStays) {
  Keep(1);
  Submit("m");
  clock_.AdvanceSeconds(10 * kDay);
  EXPECT_EQ(DeleteExpired(), 0);
  EXPECT_THAT(Names(), ElementsAre("m"));
}

TEST_F(RetentionTest, ItLooksByItselfEveryHour) {
  Keep(1);
  AddEnded("a");
  clock_.AdvanceSeconds(10);
  AddEnded("b");
  clock_.AdvanceSeconds(2 * kDay);
  EXPECT_TRUE(Eventually([&] { return Names() == std::vector<std::string>{"b"}; }));
}

TEST_F(RetentionTest, GarbageCollectionDeletesWhatIsExpired) {
  Keep(1);
  AddEnded("b");
  clock_.AdvanceSeconds(10);
  AddEnded("c");
  clock_.AdvanceSeconds(kDay + 5);
  v1::CollectGarbageResponse freed;
  ASSERT_THAT(Ask(&v1::AdminService::Stub::CollectGarbage, v1::CollectGarbageRequest(), &freed),
              IsOk());
  EXPECT_THAT(Names(), ElementsAre("c"));
}

TEST_F(RetentionTest, WithoutALimitNothingGoes) {
  Keep(0);
  AddEnded("a");
  AddEnded("b");
  clock_.AdvanceSeconds(10'000 * kDay);
  EXPECT_EQ(DeleteExpired(), 0);
  EXPECT_THAT(Names(), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace assay::api
