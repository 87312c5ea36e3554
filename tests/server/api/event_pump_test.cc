#include "server/api/event_pump.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

class EventPumpTest : public ApiFixture {
 protected:
  // What a pump delivers, to be taken one by one.
  struct Delivery {
    absl::StatusOr<v1::EvaluationEvent> event;
    bool last;
  };
  class Reader {
   public:
    absl::Status Start(Context& context, const std::string& token = "", bool reports = false) {
      pump_ = EventPump::Create(
          context, [inbox = inbox_](absl::StatusOr<v1::EvaluationEvent> event, bool last) {
            MutexLock lock(inbox->mutex);
            inbox->deliveries.push_back({std::move(event), last});
            inbox->changed.notify_all();
          });
      return pump_->Begin("evaluations/e", token, reports);
    }
    ~Reader() {
      if (pump_ != nullptr) pump_->Detach();
    }
    std::optional<Delivery> Take() {
      MutexLock lock(inbox_->mutex);
      if (!lock.WaitFor(inbox_->changed, std::chrono::seconds(30),
                        [this] { return !inbox_->deliveries.empty(); })) {
        return std::nullopt;
      }
      Delivery delivery = std::move(inbox_->deliveries.front());
      inbox_->deliveries.pop_front();
      return delivery;
    }
    size_t waiting() {
      MutexLock lock(inbox_->mutex);
      return inbox_->deliveries.size();
    }
    EventPump& pump() { return *pump_; }

   private:
    // Outlives a delivery that Detach does not wait for.
    struct Inbox {
      Mutex mutex;
      std::condition_variable changed;
      std::deque<Delivery> deliveries ABSL_GUARDED_BY(mutex);
    };
    const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
    std::shared_ptr<EventPump> pump_;
  };

  // The hub pokes subscribers in turn: two pokes of a fresh one show that everybody was poked after
  // this call.
  void WaitForPokes() {
    std::atomic<int> pokes = 0;
    const int64_t subscription = hub_.Subscribe("evaluations/e", [&] { ++pokes; });
    EXPECT_TRUE(Eventually([&] { return pokes >= 1; }));
    hub_.NotifyChanged("evaluations/e");
    EXPECT_TRUE(Eventually([&] { return pokes >= 2; }));
    hub_.Unsubscribe(subscription);
  }
};

TEST_F(EventPumpTest, TheCurrentStateIsTheFirstEvent) {
  Submit("e");
  Reader reader;
  ASSERT_THAT(reader.Start(context()), IsOk());
  const auto first = reader.Take();
  ASSERT_TRUE(first.has_value());
  ASSERT_THAT(first->event, IsOk());
  EXPECT_FALSE(first->last);
  EXPECT_EQ(first->event->sequence(), 1);
  EXPECT_EQ(first->event->evaluation().state(), v1::Evaluation::QUEUED);
}

TEST_F(EventPumpTest, AReasonToWaitIsTellableThoughNothingElseHasChanged) {
  context().control.AddWorker("cpu");
  Submit("e");
  Reader reader;
  ASSERT_THAT(reader.Start(context()), IsOk());
  auto event = reader.Take();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->event->evaluation().waiting_reason(), "");
  ASSERT_THAT(context().control.Pause("disks"), IsOk());
  reader.pump().Ready();
  event = reader.Take();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->event->evaluation().waiting_reason(), "the queue is paused (disks)");
  ASSERT_THAT(context().control.Resume(), IsOk());
  reader.pump().Ready();
  event = reader.Take();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->event->evaluation().waiting_reason(), "");
}

TEST_F(EventPumpTest, ProgressThatOthersStoredIsTold) {
  Submit("e");
  const auto claim = store_->ClaimTask("elsewhere", store::kLease, "");
  ASSERT_THAT(claim, IsOk());
  ASSERT_TRUE(claim->has_value());
  Reader reader;
  ASSERT_THAT(reader.Start(context()), IsOk());
  ASSERT_TRUE(reader.Take().has_value());
  ASSERT_THAT(store_->RenewLease(**claim, store::kLease, store::TaskProgress{5, 5}), IsOk());
  reader.pump().Ready();
  auto event = reader.Take();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->event->evaluation().progress().samples_done(), 5);
  EXPECT_DOUBLE_EQ(event->event->evaluation().progress().work_done(), 5);
  // What this process knows itself is not added to what is stored of the same.
  hub_.SetRunning("evaluations/e", (*claim)->task.id, {7, 7, "clean"});
  reader.pump().Ready();
  event = reader.Take();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->event->evaluation().progress().samples_done(), 7);
}

TEST_F(EventPumpTest, NothingIsDeliveredUntilTheReaderIsReadyAndThenEverythingAtOnce) {
  Submit("e");
  Reader reader;
  ASSERT_THAT(reader.Start(context()), IsOk());
  ASSERT_TRUE(reader.Take().has_value());
  for (int i = 1; i <= 5; ++i) {
    hub_.SetRunning("evaluations/e", 1, {i, static_cast<double>(i), "clean"});
  }
  WaitForPokes();
  EXPECT_EQ(reader.waiting(), 0u);
  reader.pump().Ready();
  const auto merged = reader.Take();
  ASSERT_TRUE(merged.has_value());
  EXPECT_EQ(merged->event->sequence(), 2);
  EXPECT_EQ(merged->event->evaluation().progress().samples_done(), 5);
  WaitForPokes();
  EXPECT_EQ(reader.waiting(), 0u);
}

TEST_F(EventPumpTest, WithoutNewsThereIsNoEvent) {
  Submit("e");
  Reader reader;
  ASSERT_THAT(reader.Start(context()), IsOk());
  ASSERT_TRUE(reader.Take().has_value());
  reader.pump().Ready();
  hub_.NotifyChanged("evaluations/e");
  WaitForPokes();
  WaitForPokes();
  EXPECT_EQ(reader.waiting(), 0u);
}

TEST_F(EventPumpTest, ATokenSkipsWhatItTold) {
  Submit("e");
  std::string token;
  {
    Reader reader;
    ASSERT_THAT(reader.Start(context()), IsOk());
    token = reader.Take()->event->resume_token();
  }
  Reader reader;
  ASSERT_THAT(reader.Start(context(), token), IsOk());
  WaitForPokes();
  WaitForPokes();
  EXPECT_EQ(reader.waiting(), 0u) << "nothing has happened since";
  hub_.SetRunning("evaluations/e", 1, {1, 1, "clean"});
  const auto next = reader.Take();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->event->evaluation().progress().samples_done(), 1);
}

TEST_F(EventPumpTest, AnOlderTokenTellsTheNews) {
  Submit("e");
  std::string token;
  {
    Reader reader;
    ASSERT_THAT(reader.Start(context()), IsOk());
    token = reader.Take()->event->resume_token();
  }
  ASSERT_THAT(store_->ClaimTask("test", 1'000'000, ""), IsOk());
  Reader reader;
  ASSERT_THAT(reader.Start(context(), token), IsOk());
  const auto next = reader.Take();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->event->evaluation().state(), v1::Evaluation::RUNNING);
}

TEST_F(EventPumpTest, TheEndIsTheLastEvent) {
  Submit("e");
  ASSERT_THAT(store_->CancelEvaluation("evaluations/e"), IsOk());
  Reader reader;
  ASSERT_THAT(reader.Start(context()), IsOk());
  const auto end = reader.Take();
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->last);
  EXPECT_EQ(end->event->evaluation().state(), v1::Evaluation::CANCELLED);
}

TEST_F(EventPumpTest, AnErrorOfTheStoreEndsThePump) {
  Submit("e");
  Reader reader;
  ASSERT_THAT(reader.Start(context()), IsOk());
  ASSERT_TRUE(reader.Take().has_value());
  const auto hook = hooked().Install([](const std::string& method) -> absl::Status {
    if (method != "GetEvaluation") return absl::OkStatus();
    return Error(Reason::kStorageFailed, "gone");
  });
  reader.pump().Ready();
  const auto error = reader.Take();
  ASSERT_TRUE(error.has_value());
  EXPECT_TRUE(error->last);
  EXPECT_THAT(error->event, HasReason(Reason::kStorageFailed));
}

TEST_F(EventPumpTest, DetachDoesNotWaitForARunningDeliveryAndNoneBeginsAfterIt) {
  Submit("e");
  Mutex mutex;
  std::condition_variable changed;
  bool release = false;
  std::atomic<int> entered = 0, left = 0;
  const auto pump = EventPump::Create(
      context(), [&](const absl::StatusOr<v1::EvaluationEvent>& /*event*/, bool /*last*/) {
        ++entered;
        MutexLock lock(mutex);
        lock.Wait(changed, [&] { return release; });
        ++left;
      });
  ASSERT_THAT(pump->Begin("evaluations/e", "", false), IsOk());
  ASSERT_TRUE(Eventually([&] { return entered == 1; }));
  pump->Detach();
  EXPECT_EQ(left, 0);
  {
    MutexLock lock(mutex);
    release = true;
  }
  changed.notify_all();
  ASSERT_TRUE(Eventually([&] { return left == 1; }));
  pump->Ready();
  hub_.SetRunning("evaluations/e", 1, {1, 1, "clean"});
  WaitForPokes();
  EXPECT_EQ(entered, 1);
}

TEST_F(EventPumpTest, APumpThatIsDetachedBeforeItBeginsDeliversNothing) {
  Submit("e");
  std::atomic<int> delivered = 0;
  const auto pump = EventPump::Create(
      context(),
      [&](const absl::StatusOr<v1::EvaluationEvent>& /*event*/, bool /*last*/) { ++delivered; });
  pump->Detach();
  ASSERT_THAT(pump->Begin("evaluations/e", "", false), IsOk());
  hub_.NotifyChanged("evaluations/e");
  WaitForPokes();
  EXPECT_EQ(delivered, 0);
}

TEST_F(EventPumpTest, WhatDoesNotExistHasNoPump) {
  Reader reader;
  EXPECT_THAT(reader.Start(context()), HasReason(Reason::kNotFound));
}

}  // namespace
}  // namespace assay::api
