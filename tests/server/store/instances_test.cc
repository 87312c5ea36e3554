// The assayds of one store know of each other, and of pauses.
#include <string>
#include <vector>

#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = InstanceOrder::Kind;

constexpr int64_t kMinute = 60'000'000;
constexpr int64_t kDay = 1440 * kMinute;

class InstancesTest : public JobStoreTest {
 protected:
  void Beat(const std::string& name, const std::string& device = "cpu") {
    v1::ServerStatus status;
    status.add_workers()->set_device(device);
    v1::ListModelsResponse models;
    models.add_models()->set_name("models/" + name);
    ASSERT_THAT(store_->UpdateInstance(name, status, models), IsOk());
  }
  std::vector<std::string> Names(int64_t silent_micros = kDay) {
    std::vector<std::string> names;
    const auto all = store_->ListInstances(silent_micros);
    EXPECT_THAT(all, IsOk());
    if (!all.ok()) return names;
    for (const InstanceRecord& record : *all) names.push_back(record.name);
    return names;
  }
  int64_t Order(const std::string& instance, Kind kind) {
    InstanceOrder order;
    order.instance = instance;
    order.kind = kind;
    order.model.set_name("models/m");
    const auto id = store_->AddOrder(order);
    EXPECT_THAT(id, IsOk());
    return id.value_or(0);
  }
  std::vector<Kind> Orders(const std::string& instance) {
    std::vector<Kind> kinds;
    const auto orders = store_->ListOrders(instance);
    EXPECT_THAT(orders, IsOk());
    if (!orders.ok()) return kinds;
    for (const InstanceOrder& order : *orders) kinds.push_back(order.kind);
    return kinds;
  }
};

TEST_F(InstancesTest, WhatOneSaidLastIsSeenByOthersWithItsAge) {
  ASSERT_THAT(store_->RegisterInstance("b/1", kDay), IsOk());
  EXPECT_THAT(Names(), IsEmpty()) << "it has said nothing yet";
  Beat("b/1", "cuda:0");
  Beat("a/2");
  clock_.AdvanceSeconds(20);
  Beat("b/1", "cuda:1");
  const auto others = Open();
  const auto all = others->ListInstances(kDay);
  ASSERT_THAT(all, IsOk());
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].name, "a/2");
  EXPECT_EQ((*all)[0].silent_micros, 20'000'000);
  EXPECT_EQ((*all)[1].silent_micros, 0);
  EXPECT_EQ((*all)[1].heartbeat_micros, clock_.NowMicros());
  EXPECT_EQ((*all)[1].status.workers(0).device(), "cuda:1");
  EXPECT_EQ((*all)[1].models.models(0).name(), "models/b/1");
  EXPECT_THAT(Names(10'000'000), ElementsAre("b/1"));
  ASSERT_THAT(store_->RemoveInstance("b/1"), IsOk());
  ASSERT_THAT(store_->RemoveInstance("b/1"), IsOk());
  EXPECT_THAT(Names(), ElementsAre("a/2"));
}

TEST_F(InstancesTest, WhoHasBeenSilentForADayIsForgottenWhenOneRegisters) {
  Beat("old");
  clock_.AdvanceSeconds(86'000);
  Beat("silent");
  clock_.AdvanceSeconds(1'000);
  ASSERT_THAT(store_->RegisterInstance("new", kDay), IsOk());
  EXPECT_THAT(Names(10 * kDay), ElementsAre("silent"));
}

TEST_F(InstancesTest, OrdersAreDoneInTheirOrderAndOnce) {
  Beat("a");
  Beat("b");
  const int64_t first = Order("a", Kind::kDrain);
  Order("b", Kind::kUnload);
  Order("a", Kind::kLoad);
  EXPECT_THAT(Orders("a"), ElementsAre(Kind::kDrain, Kind::kLoad));
  EXPECT_EQ((*store_->ListOrders("b"))[0].model.name(), "models/m");
  ASSERT_THAT(store_->RemoveOrder(first), IsOk());
  EXPECT_THAT(Orders("a"), ElementsAre(Kind::kLoad));
  InstanceOrder nobodys;
  nobodys.instance = "c";
  EXPECT_THAT(store_->AddOrder(nobodys), HasReason(Reason::kNotFound));
}

TEST_F(InstancesTest, OrdersGoWithTheProcessThatTheyWereFor) {
  Beat("a");
  Order("a", Kind::kDrain);
  Beat("a");
  EXPECT_THAT(Orders("a"), ElementsAre(Kind::kDrain)) << "a heartbeat does nothing to them";
  // Its successor in the same container has the same name.
  ASSERT_THAT(store_->RegisterInstance("a", kDay), IsOk());
  Beat("a");
  EXPECT_THAT(Orders("a"), IsEmpty());
}

TEST_F(InstancesTest, AStoreThatIsPausedGivesNoTasksToAnybody) {
  Create("e", MakeTasks(3));
  EXPECT_EQ(*store_->GetPause(), std::nullopt);
  const ClaimedTask claim = Claim();
  const auto paused = store_->PauseClaims("disks");
  ASSERT_THAT(paused, IsOk());
  EXPECT_EQ(paused->since_micros, clock_.NowMicros());
  clock_.AdvanceSeconds(10);
  const auto others = Open();
  EXPECT_FALSE((*others->ClaimTask("w", kLease, "")).has_value());
  EXPECT_FALSE((*others->ClaimTask("w", kLease, "models/m")).has_value());
  // What runs goes on.
  EXPECT_THAT(store_->RenewLease(claim, kLease), IsOk());
  Commit(claim);
  const auto again = others->PauseClaims("new disks");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->since_micros, paused->since_micros);
  Reopen();
  EXPECT_EQ((*store_->GetPause())->reason, "new disks");
  EXPECT_TRUE(QueueIsEmpty());
  ASSERT_THAT(others->ResumeClaims(), IsOk());
  EXPECT_EQ(*store_->GetPause(), std::nullopt);
  Claim();
}

// --- pins

TEST_F(InstancesTest, APinnedEvaluationIsRunByDevicesOfItsKindAlone) {
  v1::Evaluation pinned = MakeEvaluation("pinned");
  pinned.mutable_spec()->set_pin_numerics("NVIDIA H200");
  ASSERT_THAT(store_->CreateEvaluation(pinned, MakeTasks(2), ""), IsOk());
  const auto claim = [&](const std::string& kind, const std::string& model = "") -> std::string {
    const auto claimed = store_->ClaimTask("w", kLease, model, kind);
    EXPECT_THAT(claimed, IsOk());
    return claimed.ok() && claimed->has_value() ? (*claimed)->task.evaluation : "";
  };
  EXPECT_EQ(claim("cpu"), "");
  EXPECT_EQ(claim(""), "");
  EXPECT_EQ(claim("cpu", "models/m"), "");
  Create("any", MakeTasks(2));
  EXPECT_EQ(claim("cpu"), "evaluations/any") << "the one before it is passed over";
  EXPECT_EQ(claim("NVIDIA H200"), "evaluations/pinned");
  EXPECT_EQ(claim("NVIDIA H200", "models/m"), "evaluations/pinned");
  EXPECT_EQ(claim("NVIDIA H200"), "evaluations/any");
  ASSERT_THAT(store_->CancelEvaluation("evaluations/pinned"), IsOk());
  EXPECT_THAT(store_->DeleteEvaluation("evaluations/pinned"), IsOk());
}

// --- progress

TEST_F(InstancesTest, ProgressTravelsWithRenewalsAndEndsWithTheClaim) {
  Create("e", MakeTasks(3));
  const ClaimedTask first = Claim("w1"), second = Claim("w2");
  ASSERT_THAT(store_->RenewLease(first, kLease, TaskProgress{4, 1.5}), IsOk());
  ASSERT_THAT(store_->RenewLease(second, kLease, TaskProgress{2, 0.5}), IsOk());
  ASSERT_THAT(store_->RenewLease(second, kLease), IsOk());
  const auto others = Open();
  const auto seen = [&] {
    const auto record = others->GetEvaluation("evaluations/e");
    EXPECT_THAT(record, IsOk());
    return record.ok() ? *record : EvaluationRecord();
  };
  EXPECT_EQ(seen().running_samples, 6);
  EXPECT_DOUBLE_EQ(seen().running_work, 2);
  EXPECT_EQ(seen().proto.progress().samples_done(), 0);
  EXPECT_EQ(others->ListEvaluations({}, {})->records[0].running_samples, 6);
  Commit(first);
  EXPECT_EQ(seen().running_samples, 2);
  EXPECT_EQ(seen().proto.progress().samples_done(), 10);
  // What comes after a lease that ran out begins anew.
  clock_.AdvanceSeconds(31);
  const ClaimedTask again = Claim("w3");
  ASSERT_EQ(again.task.id, second.task.id);
  EXPECT_EQ(seen().running_samples, 0);
  EXPECT_THAT(store_->RenewLease(second, kLease, TaskProgress{9, 2}),
              HasReason(Reason::kLeaseLost));
  EXPECT_EQ(seen().running_samples, 0);
  ASSERT_THAT(store_->RenewLease(again, kLease, TaskProgress{1, 0.1}), IsOk());
  ASSERT_THAT(store_->ReleaseTask(again, false, 0), IsOk());
  EXPECT_EQ(seen().running_samples, 0);
}

}  // namespace
}  // namespace assay::store
