// A worker whose blobs are in object storage.
#include <memory>
#include <optional>
#include <string>

#include "core/conditions/condition.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/scheduler/planner.h"
#include "server/scheduler/worker.h"
#include "tests/server/scheduler/fake_engine_models.h"
#include "tests/server/store/s3_fixture.h"

namespace assay::scheduler {
namespace {

using store::IsOk;

class FetchTest : public EngineFixture {
 protected:
  FetchTest() : options_s3_(store::BlobsOptionsFor(server_, directory_)) {
    options_s3_.s3.attempts = 2;
    worker_options_.owner = "worker";
    worker_options_.device = "cpu";
    worker_options_.lease_seconds = 0.1;  // of a clock that stands still; renewed every 33 ms
    worker_options_.max_attempts = 2;
    worker_options_.retry_wait_seconds = 0;
  }
  ~FetchTest() override {
    worker_.reset();
    pool_.reset();
  }

  // Queues an evaluation of 20 samples, whose blobs are brought by somebody else.
  void Submit(const std::string& id) {
    const v1::Model model = AddModel(id, "");
    const v1::Dataset dataset = AddDataset(id, {10, 10});
    chunk_ = dataset.manifest().chunks(1).digest();
    {
      auto other = store::S3Blobs::Open(store::BlobsOptionsFor(server_, directory_, "other"),
                                        store::CredentialsIn(directory_));
      ASSERT_THAT(other, IsOk());
      for (const std::string& digest :
           {model.digest(), dataset.manifest().chunks(0).digest(), chunk_}) {
        ASSERT_THAT((*other)->Put(*blobs_->Read(digest)), IsOk());
      }
    }
    v1::Evaluation evaluation;
    evaluation.set_name("evaluations/" + id);
    evaluation.mutable_spec()->set_model(model.name());
    evaluation.mutable_spec()->set_dataset(dataset.name());
    const auto parsed = ParseConditions({"clean"});
    ASSERT_THAT(parsed, IsOk());
    *evaluation.add_conditions() = parsed->front();
    ASSERT_THAT(store_->CreateEvaluation(evaluation, PlanTasks(*parsed, 0, 20, 20), ""), IsOk());
    hub_.NotifyWork();
  }
  void Start() {
    auto opened = store::S3Blobs::Open(options_s3_, store::CredentialsIn(directory_));
    ASSERT_THAT(opened, IsOk());
    remote_ = *std::move(opened);
    pool_.emplace(options_, *store_, *remote_, metrics_);
    worker_ = std::make_unique<Worker>(worker_options_, *store_, *remote_, *pool_, hub_, metrics_);
  }
  v1::Evaluation Get(const std::string& id) {
    const auto record = store_->GetEvaluation("evaluations/" + id);
    EXPECT_THAT(record, IsOk());
    return record.ok() ? record->proto : v1::Evaluation();
  }
  bool Ends(const std::string& id, v1::Evaluation::State state) {
    return Eventually([&] { return Get(id).state() == state; });
  }
  bool IsWorkerState(const std::string& state) {
    return Eventually([&] {
      hub_.NotifyWork();  // what it would do after a while
      return metrics_.Render().find(absl::StrCat("assay_workers{device=\"cpu\",state=\"", state,
                                                 "\"} 1\n")) != std::string::npos;
    });
  }

  store::S3Server server_;
  store::S3BlobsOptions options_s3_;
  std::string chunk_;
  WorkerOptions worker_options_;
  Hub hub_;
  std::unique_ptr<store::S3Blobs> remote_;
  std::optional<EnginePool> pool_;
  std::unique_ptr<Worker> worker_;
};

TEST_F(FetchTest, ATaskIsRunOnBlobsThatAreFetched) {
  Submit("e");
  Start();
  ASSERT_TRUE(Ends("e", v1::Evaluation::SUCCEEDED)) << Get("e").DebugString();
  EXPECT_EQ(remote_->CacheCounts().misses, 2) << "of the model and of a chunk";
}

TEST_F(FetchTest, AWorkerWaitsForStorageThatIsAwayAndNoAttemptIsLost) {
  worker_options_.max_attempts = 1;
  Start();
  ASSERT_TRUE(IsWorkerState("idle"));
  server_.Fail("GET .*/[0-9a-f]{64}$", "status", 1'000'000, {{"status", 503}});
  Submit("e");
  EXPECT_TRUE(IsWorkerState("blocked"));
  EXPECT_FALSE(remote_->Traffic().answers);
  EXPECT_EQ(Get("e").state(), v1::Evaluation::RUNNING);
  server_.Heal();
  ASSERT_TRUE(Eventually([&] {
    hub_.NotifyWork();
    return Get("e").state() == v1::Evaluation::SUCCEEDED;
  }));
}

TEST_F(FetchTest, AnEvaluationThatIsCancelledMeanwhileIsNotWaitedFor) {
  Start();
  server_.Fail("GET .*/[0-9a-f]{64}$", "status", 1'000'000, {{"status", 503}});
  Submit("e");
  ASSERT_TRUE(IsWorkerState("blocked"));
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  EXPECT_TRUE(IsWorkerState("idle"));
  server_.Heal();
  Submit("f");
  EXPECT_TRUE(Ends("f", v1::Evaluation::SUCCEEDED));
}

TEST_F(FetchTest, ABlobThatIsNotThereFailsTheEvaluationAfterItsAttempts) {
  Submit("e");
  server_.RemoveObject("some/blobs/" + chunk_.substr(0, 2) + "/" + chunk_);
  Start();
  ASSERT_TRUE(Ends("e", v1::Evaluation::FAILED));
  EXPECT_EQ(Get("e").failure().reason(), "STORAGE_FAILED");
  EXPECT_THAT(Get("e").failure().message(), ::testing::HasSubstr("given up after 2 attempts"));
}

}  // namespace
}  // namespace assay::scheduler
