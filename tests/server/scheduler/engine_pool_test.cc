#include "server/scheduler/engine_pool.h"

#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/scheduler/numerics_memory.h"
#include "tests/server/scheduler/fake_engine_models.h"
#include "tests/server/scheduler/hooked_store.h"

namespace assay::scheduler {
namespace {

using store::HasReason;
using store::IsOk;
using ::testing::HasSubstr;

class EnginePoolTest : public EngineFixture {
 protected:
  EnginePool& pool() {
    if (!pool_) pool_.emplace(options_, *store_, *blobs_, metrics_);
    return *pool_;
  }
  absl::StatusOr<EnginePool::Lease> Acquire(const v1::Model& model,
                                            const std::string& device = "cpu",
                                            const v1::ImageShape& shape = MakeShape(1, 1, 1)) {
    return pool().Acquire(device, model, shape, Never);
  }
  // Takes an engine and gives it back.
  int Use(const v1::Model& model, const std::string& device = "cpu") {
    auto lease = Acquire(model, device);
    EXPECT_THAT(lease, IsOk());
    return lease.ok() ? lease->process().pid() : 0;
  }
  v1::Model Described(v1::Model model) {
    pool().DescribeState(&model);
    return model;
  }
  v1::Model::State StateOf(const v1::Model& model) { return Described(model).state(); }
  static bool Alive(int pid) { return kill(pid, 0) == 0; }

  std::optional<EnginePool> pool_;
};

TEST_F(EnginePoolTest, AnEngineIsUsedAgainForTheSameModelDeviceAndShape) {
  const v1::Model model = AddModel("m", "");
  const int pid = Use(model);
  EXPECT_EQ(Use(model), pid);
  EXPECT_NE(Use(model, "cuda:0"), pid) << "another device needs its own";
  auto other_shape = Acquire(model, "cpu", MakeShape(3, 8, 8));
  ASSERT_THAT(other_shape, IsOk());
  EXPECT_NE(other_shape->process().pid(), pid) << "a model is validated for one shape";
}

TEST_F(EnginePoolTest, TheLeastRecentlyUsedEngineMakesRoom) {
  options_.max_engines_per_device = 2;
  const v1::Model a = AddModel("a", ""), b = AddModel("b", ""), c = AddModel("c", "");
  const int pid_a = Use(a);
  const int pid_b = Use(b);
  EXPECT_EQ(Use(a), pid_a);
  Use(c);
  EXPECT_FALSE(Alive(pid_b)) << "b was used least recently";
  EXPECT_TRUE(Alive(pid_a));
  EXPECT_EQ(StateOf(a), v1::Model::READY);
  EXPECT_EQ(StateOf(b), v1::Model::UNLOADED);
  EXPECT_EQ(StateOf(c), v1::Model::READY);
  EXPECT_EQ(Use(a), pid_a);
}

TEST_F(EnginePoolTest, AnEngineAtWorkIsNotEvictedAndDevicesDoNotCompete) {
  options_.max_engines_per_device = 1;
  const v1::Model a = AddModel("a", ""), b = AddModel("b", "");
  const int elsewhere = Use(b, "cuda:0");
  auto lease = Acquire(a);
  ASSERT_THAT(lease, IsOk());
  Use(b);
  EXPECT_TRUE(lease->process().alive());
  EXPECT_TRUE(Alive(elsewhere));
}

TEST_F(EnginePoolTest, OnlyOneEngineStaysWhereOneIsTheLimit) {
  options_.max_engines_per_device = 1;
  const v1::Model a = AddModel("a", ""), b = AddModel("b", "");
  const int pid = Use(a);
  Use(b);
  EXPECT_FALSE(Alive(pid));
}

TEST_F(EnginePoolTest, DevicesTellWhatTheirEnginesUseAndHaveUsed) {
  options_.devices = {"cpu:0", "cpu:1"};
  options_.threads = 3;
  const v1::Model a = AddModel("a", ""), b = AddModel("b", "");
  Use(a, "cpu:0");
  auto lease = Acquire(b, "cpu:0");
  ASSERT_THAT(lease, IsOk());
  const auto loaded = pool().Devices();
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].device, "cpu:0");
  EXPECT_EQ(loaded[0].threads, 3);
  EXPECT_EQ(loaded[0].engines, 2);
  EXPECT_EQ(loaded[0].engines_at_work, 1);
  EXPECT_GT(loaded[0].engine_memory_bytes, 0);
  EXPECT_GT(loaded[0].usage.memory_size_bytes, 0);
  EXPECT_EQ(loaded[1].device, "cpu:1");
  EXPECT_EQ(loaded[1].engines, 0);
  EXPECT_EQ(loaded[1].engine_memory_bytes, 0);
  pool().Unload(a.name());
  pool().Unload(b.name());
  const auto ended = pool().Devices();
  EXPECT_EQ(ended[0].engines, 0);
  EXPECT_EQ(ended[0].engine_memory_bytes, 0);
  EXPECT_GT(ended[0].engine_cpu_seconds, 0) << "of the dead";
  EXPECT_GE(ended[0].engine_cpu_seconds, loaded[0].engine_cpu_seconds) << "only grows";
  EXPECT_EQ(pool().Devices()[0].engine_cpu_seconds, ended[0].engine_cpu_seconds);
}

TEST_F(EnginePoolTest, StatesFollowTheEngine) {
  const v1::Model model = AddModel("m", "");
  EXPECT_EQ(StateOf(model), v1::Model::UNLOADED);
  Use(model);
  EXPECT_EQ(StateOf(model), v1::Model::READY);
  EXPECT_THAT(metrics_.Render(), HasSubstr("assay_models{state=\"READY\"} 1"));
  const auto record = store_->GetModel(model.name());
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->validation().num_classes(), 10) << "the findings are stored";
  pool().Unload(model.name());
  EXPECT_EQ(StateOf(model), v1::Model::UNLOADED);
  EXPECT_THAT(metrics_.Render(), HasSubstr("assay_models{state=\"READY\"} 0"));
}

TEST_F(EnginePoolTest, AModelThatDoesNotLoadIsUnavailableAndSaysWhy) {
  const v1::Model model = AddModel("m", "load=nan");
  EXPECT_THAT(Acquire(model), HasReason(Reason::kModelNotFinite));
  EXPECT_EQ(StateOf(model), v1::Model::UNAVAILABLE);
  EXPECT_THAT(Described(model).state_reason(), HasSubstr("not finite"));
  EXPECT_THAT(Acquire(AddModel("dies", "load=abort")), HasReason(Reason::kEngineLost));
  for (const char* series :
       {"{reason=\"refused\"} 1", "{reason=\"engine_lost\"} 1", "{reason=\"server\"} 0"}) {
    EXPECT_THAT(metrics_.Render(),
                HasSubstr(absl::StrCat("assay_model_load_failures_total", series)));
  }
}

TEST_F(EnginePoolTest, AnErrorOfTheServerIsNotShownInTheModelsState) {
  options_.engine_binary = directory_.File("secret-place/assay-engine");
  const v1::Model model = AddModel("m", "");
  EXPECT_THAT(Acquire(model), HasReason(Reason::kInternal));
  EXPECT_EQ(StateOf(model), v1::Model::UNAVAILABLE);
  EXPECT_THAT(Described(model).state_reason(), HasSubstr("internal error"));
  EXPECT_THAT(metrics_.Render(), HasSubstr("assay_model_load_failures_total{reason=\"server\"} 1"));
}

TEST_F(EnginePoolTest, AModelIsLoadingWhileItsEngineStartsAndTheStartCanBeCancelled) {
  const v1::Model model = AddModel("m", "load=hang");
  std::atomic<bool> cancelled = false;
  absl::Status status;
  pool();
  std::thread caller([&] {
    status =
        pool().Acquire("cpu", model, MakeShape(1, 1, 1), [&] { return cancelled.load(); }).status();
  });
  EXPECT_TRUE(Eventually([&] { return StateOf(model) == v1::Model::LOADING; }));
  cancelled = true;
  caller.join();
  EXPECT_THAT(status, HasReason(Reason::kCancelled));
  EXPECT_EQ(StateOf(model), v1::Model::UNLOADED) << "nothing is wrong with the model";
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("assay_model_load_failures_total{reason=\"refused\"} 0"));
}

TEST_F(EnginePoolTest, ALoadThatHangsFailsAfterTheTimeout) {
  options_.load_timeout_seconds = 0.2;
  const v1::Model model = AddModel("m", "load=hang");
  EXPECT_THAT(Acquire(model), HasReason(Reason::kModelFailed));
  EXPECT_EQ(StateOf(model), v1::Model::UNAVAILABLE);
}

TEST_F(EnginePoolTest, UnloadKillsAnEngineAtWork) {
  const std::string gate = directory_.File("gate");
  const v1::Model model = AddModel("m", "run=wait:" + gate);
  auto lease = Acquire(model);
  ASSERT_THAT(lease, IsOk());
  const int pid = lease->process().pid();
  std::atomic<bool> begun = false;
  absl::Status status;
  std::thread caller([&] {
    status = lease->process().Run(
        engine_rpc::v1::RunRequest(), [&](const auto& /*event*/) { begun = true; }, Never, 60);
  });
  EXPECT_TRUE(Eventually([&] { return begun.load(); }));
  pool().Unload(model.name());
  caller.join();
  EXPECT_THAT(status, HasReason(Reason::kEngineLost));
  EXPECT_FALSE(Alive(pid));
  EXPECT_EQ(StateOf(model), v1::Model::UNLOADED);
  { const auto ended = *std::move(lease); }
  EXPECT_EQ(StateOf(model), v1::Model::UNLOADED) << "the end of the lease changes nothing";
  EXPECT_NE(Use(model), pid) << "the model can be loaded again";
}

TEST_F(EnginePoolTest, UnloadKillsAnEngineThatIsStillLoading) {
  const v1::Model model = AddModel("m", "load=hang");
  for (const bool deleted : {false, true}) {
    SCOPED_TRACE(deleted);
    pool();
    absl::Status status;
    std::thread caller([&] { status = Acquire(model).status(); });
    EXPECT_TRUE(Eventually([&] { return StateOf(model) == v1::Model::LOADING; }));
    deleted ? pool().Forget(model.name()) : pool().Unload(model.name());
    caller.join();
    EXPECT_THAT(status, HasReason(Reason::kEngineLost));
    EXPECT_EQ(StateOf(model), v1::Model::UNLOADED);
    EXPECT_EQ(Described(model).state_reason(), "");
    EXPECT_THAT(metrics_.Render(),
                HasSubstr(absl::StrCat("assay_models{state=\"UNLOADED\"} ", deleted ? 0 : 1)));
  }
}

TEST_F(EnginePoolTest, ADeletedModelLeavesNoState) {
  const v1::Model model = AddModel("m", "load=error");
  EXPECT_THAT(Acquire(model), HasReason(Reason::kModelFailed));
  EXPECT_THAT(metrics_.Render(), HasSubstr("assay_models{state=\"UNAVAILABLE\"} 1"));
  pool().Forget(model.name());
  for (const char* state : {"UNAVAILABLE", "UNLOADED"}) {
    EXPECT_THAT(metrics_.Render(),
                HasSubstr(absl::StrCat("assay_models{state=\"", state, "\"} 0")));
  }
}

TEST_F(EnginePoolTest, AnEngineThatDiedIdleIsReplaced) {
  const v1::Model model = AddModel("m", "");
  const int pid = Use(model);
  ASSERT_EQ(kill(pid, SIGKILL), 0);
  ASSERT_TRUE(Eventually([&] {
    // A look that leaves the exit status to the pool.
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid;
  }));
  const int replacement = Use(model);
  EXPECT_NE(replacement, pid);
  EXPECT_EQ(StateOf(model), v1::Model::READY);
  EXPECT_THAT(metrics_.Render(), HasSubstr("assay_engine_restarts_total{reason=\"died_idle\"} 1"));
}

TEST_F(EnginePoolTest, AnEngineThatDiedAtWorkIsNotHandedOutAgain) {
  const v1::Model model = AddModel("m", "run=abort");
  int pid = 0;
  {
    auto lease = Acquire(model);
    ASSERT_THAT(lease, IsOk());
    pid = lease->process().pid();
    EXPECT_THAT(lease->process().Run(
                    engine_rpc::v1::RunRequest(), [](const auto& /*event*/) {}, Never, 60),
                HasReason(Reason::kEngineLost));
  }
  EXPECT_EQ(StateOf(model), v1::Model::UNLOADED);
  EXPECT_NE(Use(model), pid);
}

TEST_F(EnginePoolTest, TheBatchOfAGpuIsMeasuredOnceAndKeptByTheStore) {
  const v1::Model model = AddModel("m", "");
  int batch = 0;
  {
    auto lease = Acquire(model, "cuda:0");
    ASSERT_THAT(lease, IsOk());
    batch = lease->validation().numerics().batch_size();
    EXPECT_EQ(batch, lease->process().pid()) << "the fake engine chose its own";
  }
  // As after a restart of the server.
  pool_.reset();
  auto again = Acquire(model, "cuda:0");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->validation().numerics().batch_size(), batch);
  EXPECT_NE(again->process().pid(), batch);

  // Other settings are another choice.
  auto elsewhere = Acquire(model, "cuda:1");
  ASSERT_THAT(elsewhere, IsOk());
  EXPECT_EQ(elsewhere->validation().numerics().batch_size(), elsewhere->process().pid());
}

TEST_F(EnginePoolTest, TwoCardsOfAKindShareAChoiceAndAnotherKindHasItsOwn) {
  options_.devices = {"cuda:0", "cuda:1", "cuda:2"};
  options_.device_kinds = {{"cuda:0", "A"}, {"cuda:1", "A"}, {"cuda:2", "B"}};
  options_.libtorch_version = "2.9";
  const v1::Model model = AddModel("m", "");
  const auto batch = [&](const std::string& device) {
    auto lease = Acquire(model, device);
    EXPECT_THAT(lease, IsOk());
    return lease.ok() ? lease->validation().numerics().batch_size() : 0;
  };
  const int first = batch("cuda:0");
  EXPECT_EQ(batch("cuda:1"), first);
  EXPECT_NE(batch("cuda:2"), first);
  // As on another machine, where the same card has another number.
  pool_.reset();
  options_.device_kinds = {{"cuda:0", "B"}, {"cuda:1", "B"}, {"cuda:2", "A"}};
  EXPECT_EQ(batch("cuda:2"), first);
  // Another library chooses anew.
  pool_.reset();
  options_.libtorch_version = "2.10";
  EXPECT_NE(batch("cuda:2"), first);
}

TEST_F(EnginePoolTest, WhoMeasuresAtTheSameTimeTakesTheChoiceOfTheFirst) {
  store::HookedStore hooked(*store_);
  pool_.emplace(options_, hooked, *blobs_, metrics_);
  bool other = false;
  const auto hook = hooked.Install([&](const std::string& method) {
    if (method != "SetNumerics" || other) return absl::OkStatus();
    other = true;
    // Under the key that this one is about to use.
    v1::NumericsFingerprint chosen;
    chosen.set_batch_size(48);
    return store_
        ->SetNumerics(
            absl::StrCat(Sha256Hex(ModelContent(" name=m")), " 1x1x1 cuda:0 LibTorch  batch=0"),
            chosen)
        .status();
  });
  auto lease = Acquire(AddModel("m", ""), "cuda:0");
  ASSERT_THAT(lease, IsOk());
  EXPECT_TRUE(other);
  EXPECT_EQ(lease->validation().numerics().batch_size(), 48);
}

TEST_F(EnginePoolTest, AChoiceFromBeforeKindsWereToldApartStays) {
  const v1::Model model = AddModel("m", "");
  v1::NumericsFingerprint chosen;
  chosen.set_batch_size(24);
  ASSERT_THAT(store_->SetNumerics(absl::StrCat(model.digest(), " 1x1x1 cuda:0 batch=0"), chosen),
              IsOk());
  options_.device_kinds = {{"cuda:0", "A"}, {"cuda:1", "A"}};
  for (const char* device : {"cuda:0", "cuda:1"}) {
    auto lease = Acquire(model, device);
    ASSERT_THAT(lease, IsOk());
    EXPECT_EQ(lease->validation().numerics().batch_size(), 24) << device;
  }
}

TEST_F(EnginePoolTest, OnACpuNothingIsChosenThatOutcomesDependOn) {
  options_.numerics_directory = directory_.File("cache/numerics");
  const v1::Model model = AddModel("m", "");
  int batch = 0;
  {
    auto lease = Acquire(model, "cpu");
    ASSERT_THAT(lease, IsOk());
    batch = lease->validation().numerics().batch_size();
  }
  pool_.reset();
  auto again = Acquire(model, "cpu");
  ASSERT_THAT(again, IsOk());
  EXPECT_NE(again->validation().numerics().batch_size(), batch);
  EXPECT_FALSE(std::filesystem::exists(options_.numerics_directory));
}

TEST_F(EnginePoolTest, NumericsAreRememberedBeyondTheDataDirectory) {
  options_.numerics_directory = directory_.File("cache/numerics");
  int stores = 0;
  const auto chosen = [&] {
    pool_.reset();
    store_ = *store::OpenSqliteJobStore(directory_.File(absl::StrCat(++stores, ".db")), clock_);
    auto lease = Acquire(AddModel("m", ""), "cuda:0");
    EXPECT_THAT(lease, IsOk());
    return lease.ok() ? lease->validation().numerics().batch_size() : 0;
  };
  const int batch = chosen();
  ASSERT_GT(batch, 0);
  EXPECT_EQ(chosen(), batch);

  // What cannot be read is chosen again, and remembered then.
  for (const auto& entry : std::filesystem::directory_iterator(options_.numerics_directory)) {
    std::ofstream(entry.path(), std::ios::trunc) << "damaged";
  }
  const int again = chosen();
  EXPECT_NE(again, batch);
  EXPECT_EQ(chosen(), again);

  // Without a place to remember in, it works all the same.
  options_.numerics_directory = "/dev/null/nowhere";
  EXPECT_GT(chosen(), 0);
}

TEST(NumericsMemory, TheFirstChoiceCountsForAll) {
  store::TempDirectory directory;
  const std::string path = directory.File("memory");
  const NumericsMemory memory(path), other(path);
  v1::NumericsFingerprint first, second;
  first.set_batch_size(16);
  second.set_batch_size(64);
  EXPECT_EQ(memory.Remember("key", first).batch_size(), 16);
  EXPECT_EQ(other.Remember("key", second).batch_size(), 16);
  EXPECT_EQ(other.Remember("another key", second).batch_size(), 64);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path), {}), 2)
      << "nothing else is left there";
}

TEST_F(EnginePoolTest, AFixedBatchSizeIsHandedToTheEngine) {
  options_.batch_size = 7;
  auto lease = Acquire(AddModel("m", ""));
  ASSERT_THAT(lease, IsOk());
  EXPECT_EQ(lease->validation().numerics().batch_size(), 7);
}

TEST_F(EnginePoolTest, EnsureLoadedStartsOneEngineHoweverManyAskForIt) {
  const v1::Model model = AddModel("m", "");
  std::vector<std::thread> clients;
  std::atomic<int> failures = 0;
  pool();
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      if (!pool().EnsureLoaded(model, MakeShape(1, 1, 1)).ok()) ++failures;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failures, 0);
  EXPECT_TRUE(Eventually([&] { return !FileText(directory_.File("engine-0.log")).empty(); }));
  EXPECT_EQ(FileText(directory_.File("engine-1.log")), "");
}

TEST_F(EnginePoolTest, EnsureLoadedIsContentWithAnEngineAtWork) {
  const v1::Model model = AddModel("m", "");
  const auto lease = Acquire(model);
  ASSERT_THAT(lease, IsOk());
  EXPECT_THAT(pool().EnsureLoaded(model, MakeShape(1, 1, 1)), IsOk());
  EXPECT_EQ(FileText(directory_.File("engine-1.log")), "");
}

TEST_F(EnginePoolTest, ALoadOnADeviceWaitsForTheOneBeforeIt) {
  const v1::Model hanging = AddModel("hanging", "load=hang");
  const v1::Model model = AddModel("m", "");
  std::atomic<bool> cancelled = false;
  pool();
  std::thread first([&] {
    EXPECT_THAT(
        pool().Acquire("cpu", hanging, MakeShape(1, 1, 1), [&] { return cancelled.load(); }),
        HasReason(Reason::kCancelled));
  });
  EXPECT_TRUE(Eventually([&] { return StateOf(hanging) == v1::Model::LOADING; }));
  EXPECT_THAT(pool().Acquire("cpu", model, MakeShape(1, 1, 1), [] { return true; }),
              HasReason(Reason::kCancelled))
      << "waiting can be cancelled";
  Use(model, "cuda:0");
  cancelled = true;
  first.join();
  Use(model);
}

}  // namespace
}  // namespace assay::scheduler
