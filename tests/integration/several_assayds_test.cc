// Several assayds over one PostgreSQL: any api tells of all, a pause is of all, a drain of the one
// that is named, and what a worker does is seen everywhere.
#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/integration/command_fixture.h"
#include "tests/server/store/postgres_schema.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kSlow[] = "attack/mi-fgsm:eps=0.0001,steps=100000";

class SeveralAssaydsTest : public CommandFixture {
 protected:
  SeveralAssaydsTest() {
    server_ = Start("api", "api");
    client_ = server_->Connect();
    setenv("ASSAY_SERVER", server_->address().c_str(), 1);
  }
  ~SeveralAssaydsTest() override { unsetenv("ASSAY_SERVER"); }

  std::unique_ptr<ServerProcess> Start(const std::string& name, const std::string& role) {
    return std::make_unique<ServerProcess>(
        absl::StrCat(directory_.path(), "/", name),
        std::vector<std::string>{"--store", schema_.uri(), "--blobs", Blobs(), "--role", role,
                                 "--lease-seconds", "3", "--threads", "1", "--batch-size", "16"});
  }
  std::string Blobs() const { return directory_.path() + "/blobs"; }

  v1::ServerStatus Status() {
    const auto status = client_->GetServerStatus();
    EXPECT_TRUE(status.ok()) << status.status();
    return status.ok() ? *status : v1::ServerStatus();
  }
  // Whether the api comes to see so many workers that live.
  bool Sees(int workers) {
    return Eventually([&] {
      const auto status = Status();
      return std::count_if(status.workers().begin(), status.workers().end(),
                           [](const auto& worker) { return !worker.lost(); }) == workers;
    });
  }
  // One whose tasks never end, of sixteen samples each, some of which are done at once.
  std::string Endless(const std::string& id, int tasks) {
    GeneratedData data(16 * tasks, 3, 8, 4);
    const auto evaluation = client_->CreateEvaluation(
        Spec(Upload("slow"), Upload(data, "data-" + id), {kSlow}, 16), id);
    EXPECT_TRUE(evaluation.ok()) << evaluation.status();
    return "evaluations/" + id;
  }
  v1::Evaluation Get(const std::string& name) {
    const auto evaluation = client_->GetEvaluation(name);
    EXPECT_TRUE(evaluation.ok()) << evaluation.status();
    return evaluation.ok() ? *evaluation : v1::Evaluation();
  }
  v1::EvaluationSpec Short() {
    GeneratedData data(16, 3, 8, 4);
    return Spec(Upload("linear"), Upload(data), {"clean"});
  }

  const store::PostgresSchema schema_;
};

TEST_F(SeveralAssaydsTest, AnApiTellsOfAllWorkersOfTheirProgressAndOfOneThatIsKilled) {
  auto first = Start("first", "worker"), second = Start("second", "worker");
  ASSERT_TRUE(Sees(2));
  EXPECT_THAT(Status().workers(0).libtorch_version(), Not(IsEmpty()));
  EXPECT_EQ(Status().workers(0).device_kind(), "cpu");
  EXPECT_EQ(Status().workers(0).role(), "worker");
  const std::string endless = Endless("endless", 2);
  ASSERT_TRUE(Eventually([&] { return Status().control().running_tasks() == 2; }));
  const auto status = Status();
  EXPECT_EQ(status.workers(0).task().evaluation(), endless);
  EXPECT_EQ(status.workers(1).task().evaluation(), endless);
  EXPECT_TRUE(Eventually([&] { return Status().engines_size() == 2; }));
  // No task is done, and none of them runs here.
  EXPECT_TRUE(Eventually([&] {
    const v1::Progress progress = Get(endless).progress();
    return progress.work_done() > 0 && progress.tasks_done() == 0;
  }));
  EXPECT_TRUE(Eventually([&] {
    const auto now = Status();
    return std::any_of(now.workers().begin(), now.workers().end(), [](const auto& worker) {
      return worker.models_size() == 1 && worker.task().fraction_done() > 0;
    });
  }));
  ASSERT_EQ(Assay("admin workers"), 0) << Text("err");
  EXPECT_THAT(Text("out"), HasSubstr("endless attack/mi-fgsm"));
  ASSERT_EQ(Assay("top"), 0) << Text("err");
  EXPECT_THAT(Text("out"), HasSubstr("WORKER"));

  first->Kill();
  EXPECT_TRUE(Eventually([&] {
    const auto now = Status();
    return std::count_if(now.workers().begin(), now.workers().end(),
                         [](const auto& worker) { return worker.lost(); }) == 1;
  }));
  EXPECT_EQ(Status().control().running_tasks(), 1);
  ASSERT_EQ(Assay("admin workers"), 0);
  EXPECT_THAT(Text("out"), HasSubstr("lost for"));
  EXPECT_THAT(server_->Http("/metrics"), HasSubstr("assay_registered_workers{state=\"lost\"} 1\n"));
  // An orderly end leaves nothing behind.
  ASSERT_TRUE(client_->CancelEvaluation(endless).ok());
  EXPECT_EQ(second->Terminate(), 0);
  EXPECT_TRUE(Sees(0));
}

TEST_F(SeveralAssaydsTest, APauseThroughTheApiStopsClaimsEverywhereUntilItEnds) {
  auto first = Start("first", "worker"), second = Start("second", "worker");
  ASSERT_TRUE(Sees(2));
  ASSERT_EQ(Assay("admin pause --reason disks"), 0) << Text("err");
  const auto spec = Short();
  const auto waits = client_->CreateEvaluation(spec, "waits");
  ASSERT_TRUE(waits.ok()) << waits.status();
  EXPECT_EQ(waits->waiting_reason(), "the queue is paused (disks)");
  ASSERT_EQ(Assay("evaluation show waits"), 0);
  EXPECT_THAT(Text("out"), HasSubstr("the queue is paused (disks)"));
  // It holds over a restart of any.
  first->Kill();
  first = Start("first", "worker");
  for (const auto* worker : {first.get(), second.get()}) {
    EXPECT_TRUE(Eventually([&] {
      return worker->Http("/metrics").find("assay_queue_paused 1\n") != std::string::npos;
    }));
  }
  EXPECT_EQ(Get("evaluations/waits").state(), v1::Evaluation::QUEUED);
  ASSERT_EQ(Assay("admin resume"), 0) << Text("err");
  EXPECT_EQ(Await("evaluations/waits").state(), v1::Evaluation::SUCCEEDED);
}

TEST_F(SeveralAssaydsTest, ADrainIsOfTheWorkerThatIsNamedAndWaitsForItsTasks) {
  auto first = Start("first", "worker"), second = Start("second", "worker");
  ASSERT_TRUE(Sees(2));
  const std::string endless = Endless("endless", 2);
  ASSERT_TRUE(Eventually([&] { return Status().control().running_tasks() == 2; }));
  const std::string name = Status().workers(0).instance();
  EXPECT_EQ(Assay(absl::StrCat("admin drain --wait --timeout 1 --instance ", name)), 7);
  ASSERT_EQ(Assay(absl::StrCat("admin drain --wait --release --instance ", name)), 0)
      << Text("err");
  EXPECT_THAT(Text("err"), HasSubstr(absl::StrCat("drained: no task runs on ", name)));
  const auto status = Status();
  for (const auto& worker : status.workers()) {
    EXPECT_EQ(worker.draining(), worker.instance() == name);
    EXPECT_EQ(worker.has_task(), worker.instance() != name);
  }
  EXPECT_FALSE(status.control().draining()) << "the api takes work";
  EXPECT_EQ(Assay("admin drain --instance nobody/1"), 5) << Text("err");
  ASSERT_EQ(Assay("admin resume"), 0);
  EXPECT_TRUE(Eventually([&] { return Status().control().running_tasks() == 2; }));
  ASSERT_TRUE(client_->CancelEvaluation(endless).ok());
}

TEST_F(SeveralAssaydsTest, AnEvaluationThatNobodyCanRunSaysSo) {
  WriteData(8);
  ASSERT_EQ(Evaluate("-c clean --id lonely --detach"), 0) << Text("err");
  EXPECT_THAT(Text("err"), HasSubstr("evaluations/lonely waits: no worker is registered"));
  ASSERT_EQ(Evaluate("-c clean --id pinned --pin-numerics 'NVIDIA H200' --detach"), 0)
      << Text("err");
  auto worker = Start("worker", "worker");
  EXPECT_EQ(Await("evaluations/lonely").state(), v1::Evaluation::SUCCEEDED);
  EXPECT_TRUE(Eventually([&] {
    return Get("evaluations/pinned").waiting_reason() ==
           "no worker has a device of the kind 'NVIDIA H200' (pin_numerics); registered: cpu";
  }));
  EXPECT_EQ(Get("evaluations/pinned").state(), v1::Evaluation::QUEUED);
  ASSERT_EQ(Assay("evaluation cancel pinned"), 0) << Text("err");
  ASSERT_EQ(Evaluate("-c clean --id here --pin-numerics cpu"), 0) << Text("err");
}

TEST_F(SeveralAssaydsTest, AnApiLoadsAndUnloadsModelsWhereThereAreEngines) {
  const std::string model = Upload("linear");
  v1::ImageShape shape;
  shape.set_channels(3);
  shape.set_height(8);
  shape.set_width(8);
  EXPECT_FALSE(client_->LoadModel(model, &shape).ok());
  auto worker = Start("worker", "worker");
  ASSERT_TRUE(Sees(1));
  const auto loaded = client_->LoadModel(model, &shape);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state(), v1::Model::READY);
  EXPECT_EQ(worker->Engines().size(), 1u);
  EXPECT_EQ(client_->GetModel(model)->state(), v1::Model::READY);
  EXPECT_TRUE(client_->GetModel(model)->validation().has_details());
  const auto unloaded = client_->UnloadModel(model);
  ASSERT_TRUE(unloaded.ok()) << unloaded.status();
  EXPECT_EQ(unloaded->state(), v1::Model::UNLOADED);
  EXPECT_THAT(worker->Engines(), IsEmpty());
}

TEST_F(SeveralAssaydsTest, WhatIsStoredThereIsCheckedAsAFileIs) {
  auto worker = Start("worker", "worker");
  const v1::Evaluation evaluation = Run(Short());
  ASSERT_EQ(evaluation.state(), v1::Evaluation::SUCCEEDED);
  ASSERT_EQ(Assay("admin check"), 0) << Text("err");
  EXPECT_THAT(Text("err"), HasSubstr("0 corrupt, 0 missing"));
  const auto model = client_->GetModel(evaluation.spec().model());
  ASSERT_TRUE(model.ok());
  const std::string path =
      absl::StrCat(Blobs(), "/", model->digest().substr(0, 2), "/", model->digest());
  std::ofstream(path, std::ios::app) << "x";
  ASSERT_EQ(Assay("admin check -o json"), 5) << Text("err");
  const auto json = nlohmann::json::parse(Text("out"), nullptr, false);
  ASSERT_TRUE(json.is_object()) << Text("out");
  EXPECT_EQ(json["summary"]["corrupt_blobs"], 1);
  EXPECT_THAT(json["findings"].dump(), HasSubstr(model->name()));
}

}  // namespace
}  // namespace assay::testing
