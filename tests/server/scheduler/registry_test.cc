// Several assayds over one store, in this process: an api without engines, and workers.
#include "server/scheduler/registry.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/scheduler/fake_engine_models.h"

namespace assay::scheduler {
namespace {

using store::HasReason;
using store::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RegistryTest : public EngineFixture {
 protected:
  struct Assayd {
    Assayd(RegistryTest& test, const std::string& name, std::vector<std::string> devices)
        : store(*store::OpenSqliteJobStore(test.directory_.File("jobs.db"), test.clock_)),
          pool(Options(test, std::move(devices)), *store, *test.blobs_, test.metrics_),
          control(test.clock_),
          registry(control, pool, *store, hub, test.clock_, name) {
      for (const std::string& device : pool.options().devices) control.AddWorker(device);
      EXPECT_THAT(registry.Share(*store, pool.options().devices.empty() ? "api" : "worker"),
                  IsOk());
    }
    static EnginePoolOptions Options(RegistryTest& test, std::vector<std::string> devices) {
      EnginePoolOptions options = test.options_;
      options.devices = std::move(devices);
      options.device_kinds = {{"cuda:0", "NVIDIA H200"}};
      return options;
    }

    std::unique_ptr<store::JobStore> store;
    EnginePool pool;
    Hub hub;
    WorkControl control;
    Registry registry;
  };

  // "host/1 cuda:0".
  static std::vector<std::string> Names(const Registry& registry) {
    std::vector<std::string> names;
    for (const auto& worker : registry.Workers()) {
      names.push_back(
          absl::StrCat(worker.instance(), " ", worker.device(), worker.lost() ? " lost" : ""));
    }
    return names;
  }
  static bool Sees(const Registry& registry, const std::vector<std::string>& names) {
    return Eventually([&] { return Names(registry) == names; });
  }
  v1::Model Described(const Registry& registry, const std::string& name) {
    v1::Model model;
    model.set_name(name);
    registry.DescribeState(&model);
    return model;
  }
};

TEST_F(RegistryTest, WithAStoreOfItsOwnThereAreNoOthersAndNothingIsWritten) {
  EnginePool pool(options_, *store_, *blobs_, metrics_);
  Hub hub;
  WorkControl control(clock_);
  control.AddWorker("cpu");
  Registry registry(control, pool, *store_, hub, clock_);
  EXPECT_THAT(Names(registry), ElementsAre(registry.instance() + " cpu"));
  EXPECT_TRUE(store_->ListInstances(1'000'000'000)->empty());
  EXPECT_THAT(registry.Drain("another/1", false), HasReason(Reason::kNotFound));
  EXPECT_FALSE(control.draining());
  EXPECT_THAT(registry.Drain("", false), IsOk());
  EXPECT_TRUE(control.draining());
  EXPECT_THAT(registry.Resume(), IsOk());
  EXPECT_FALSE(control.draining());
}

TEST_F(RegistryTest, EachSeesTheWorkersOfAll) {
  Assayd api(*this, "a/1", {});
  auto first = std::make_unique<Assayd>(*this, "b/2", std::vector<std::string>{"cpu", "cuda:0"});
  Assayd second(*this, "c/3", {"cpu"});
  EXPECT_TRUE(Sees(api.registry, {"b/2 cpu", "b/2 cuda:0", "c/3 cpu"}));
  EXPECT_TRUE(Sees(second.registry, {"c/3 cpu", "b/2 cpu", "b/2 cuda:0"})) << "its own first";
  const auto workers = api.registry.Workers();
  EXPECT_EQ(workers[1].device_kind(), "NVIDIA H200");
  EXPECT_EQ(workers[1].role(), "worker");
  EXPECT_FALSE(workers[1].version().empty());
  EXPECT_FALSE(workers[1].host().empty());
  WorkControl::RunningTask task;
  task.evaluation = "evaluations/e";
  task.samples = 10;
  ASSERT_TRUE(first->control.BeginClaim("cuda:0"));
  first->control.BeginTask("cuda:0", task, 0);
  first->control.UpdateTask("cuda:0", 4, 0.4);
  EXPECT_TRUE(Eventually([&] { return api.registry.RunningTasks() == 1; }));
  v1::ServerStatus status;
  api.registry.Describe(&status);
  EXPECT_EQ(status.instance(), "a/1");
  EXPECT_EQ(status.workers(1).task().evaluation(), "evaluations/e");
  EXPECT_EQ(status.workers(1).task().samples_done(), 4);
  EXPECT_EQ(status.control().running_tasks(), 1);
  EXPECT_EQ(api.registry.CountWorkers()["busy"], 1);
  EXPECT_EQ(api.registry.CountWorkers()["idle"], 2);
  // An orderly end is no loss.
  first.reset();
  EXPECT_TRUE(Sees(api.registry, {"c/3 cpu"}));
}

TEST_F(RegistryTest, OneThatEndsWithoutAWordIsLostAndThenForgotten) {
  Assayd api(*this, "a/1", {});
  v1::ServerStatus status;
  status.mutable_control()->set_running_tasks(1);
  auto& worker = *status.add_workers();
  worker.set_instance("dead/1");
  worker.set_device("cpu");
  ASSERT_THAT(store_->UpdateInstance("dead/1", status, {}), IsOk());
  EXPECT_TRUE(Sees(api.registry, {"dead/1 cpu"}));
  EXPECT_EQ(api.registry.RunningTasks(), 1);
  clock_.AdvanceSeconds(16);
  EXPECT_TRUE(Sees(api.registry, {"dead/1 cpu lost"}));
  EXPECT_EQ(api.registry.RunningTasks(), 0);
  EXPECT_EQ(api.registry.CountWorkers()["lost"], 1);
  clock_.AdvanceSeconds(300);
  EXPECT_TRUE(Sees(api.registry, {}));
}

TEST_F(RegistryTest, APauseIsOfAllAndHoldsOverARestartOfAny) {
  Assayd api(*this, "a/1", {});
  auto worker = std::make_unique<Assayd>(*this, "b/2", std::vector<std::string>{"cpu"});
  ASSERT_THAT(api.control.Pause("disks"), IsOk());
  EXPECT_TRUE(Eventually([&] { return worker->control.state().paused; }));
  EXPECT_EQ(worker->control.state().pause_reason, "disks");
  EXPECT_EQ(worker->control.state().pause_micros, api.control.state().pause_micros);
  EXPECT_FALSE(worker->control.BeginClaim("cpu"));
  worker.reset();
  worker = std::make_unique<Assayd>(*this, "b/3", std::vector<std::string>{"cpu"});
  EXPECT_FALSE(worker->control.BeginClaim("cpu")) << "from the beginning";
  // By the one, ended by the other.
  ASSERT_THAT(worker->registry.Resume(), IsOk());
  EXPECT_TRUE(worker->control.BeginClaim("cpu"));
  EXPECT_TRUE(Eventually([&] { return !api.control.state().paused; }));
}

TEST_F(RegistryTest, ADrainIsOfTheOneThatIsNamedUntilAllAreResumed) {
  Assayd api(*this, "a/1", {});
  Assayd first(*this, "b/2", {"cpu"}), second(*this, "c/3", {"cpu"});
  EXPECT_THAT(api.registry.Drain("nobody/1", false), HasReason(Reason::kNotFound));
  const int64_t releases = first.control.releases();
  ASSERT_THAT(api.registry.Drain("b/2", /*release=*/true), IsOk());
  EXPECT_TRUE(Eventually([&] { return first.control.draining(); }));
  EXPECT_EQ(first.control.releases(), releases + 1);
  EXPECT_TRUE(Eventually([&] {
    const auto workers = api.registry.Workers();
    return workers.size() == 2 && workers[0].draining() && !workers[1].draining();
  }));
  EXPECT_FALSE(second.control.draining());
  EXPECT_FALSE(api.control.draining());
  ASSERT_THAT(second.registry.Resume(), IsOk());
  EXPECT_TRUE(Eventually([&] { return !first.control.draining(); }));
  EXPECT_TRUE(Eventually([&] { return store_->ListOrders("b/2")->empty(); }));
}

TEST_F(RegistryTest, AModelIsLoadedByAWorkerWhereThisOneHasNoEngines) {
  Assayd api(*this, "a/1", {});
  const v1::Model good = AddModel("good", ""), bad = AddModel("bad", "load=nan");
  const auto refused = api.registry.Load(good, MakeShape(1, 1, 1));
  EXPECT_THAT(refused, HasReason(Reason::kWrongState));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("no worker is registered"));
  Assayd worker(*this, "b/2", {"cpu"});
  ASSERT_TRUE(Sees(api.registry, {"b/2 cpu"}));
  ASSERT_THAT(api.registry.Load(good, MakeShape(1, 1, 1)), IsOk());
  EXPECT_EQ(Described(api.registry, "models/good").state(), v1::Model::READY);
  EXPECT_THAT(worker.pool.LoadedOn("cpu"), ElementsAre("models/good"));
  EXPECT_THAT(api.registry.Workers()[0].models(), ElementsAre("models/good"));
  const auto failed = api.registry.Load(bad, MakeShape(1, 1, 1));
  EXPECT_FALSE(failed.ok());
  EXPECT_THAT(std::string(failed.message()), HasSubstr("on b/2: "));
  EXPECT_EQ(Described(api.registry, "models/bad").state(), v1::Model::UNAVAILABLE);
  EXPECT_FALSE(Described(api.registry, "models/bad").state_reason().empty());
  ASSERT_THAT(api.registry.Unload("models/good"), IsOk());
  EXPECT_TRUE(worker.pool.LoadedOn("cpu").empty());
  EXPECT_EQ(Described(api.registry, "models/good").state(), v1::Model::UNLOADED);
}

}  // namespace
}  // namespace assay::scheduler
