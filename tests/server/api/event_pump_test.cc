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
      ASSAY_ASSIGN_OR_RETURN(
          pump_, EventPump::Start(context, "evaluations/e", token, reports,
                                  [this](absl::StatusOr<v1::EvaluationEvent> event, bool last) {
                                    MutexLock lock(mutex_);
                                    deliveries_.push_back({std::move(event), last});
                                    changed_.notify_all();
                                  }));
      return absl::OkStatus();
    }
    ~Reader() {
      if (pump_ != nullptr) pump_->Detach();
    }
    std::optional<Delivery> Take() {
      MutexLock lock(mutex_);
      if (!lock.WaitFor(changed_, std::chrono::seconds(30),
                        [this] { return !deliveries_.empty(); })) {
        return std::nullopt;
      }
      Delivery delivery = std::move(deliveries_.front());
      deliveries_.pop_front();
      return delivery;
    }
    size_t waiting() {
      MutexLock lock(mutex_);
      return deliveries_.size();
    }
    EventPump& pump() { return *pump_; }

   private:
    std::shared_ptr<EventPump> pump_;
    Mutex mutex_;
    std::condition_variable changed_;
    std::deque<Delivery> deliveries_ ABSL_GUARDED_BY(mutex_);
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

TEST_F(EventPumpTest, DetachWaitsForARunningDelivery) {
  Submit("e");
  Mutex mutex;
  std::condition_variable changed;
  bool entered = false, release = false;
  std::atomic<bool> detached = false;
  const auto pump =
      EventPump::Start(context(), "evaluations/e", "", false,
                       [&](const absl::StatusOr<v1::EvaluationEvent>& /*event*/, bool /*last*/) {
                         MutexLock lock(mutex);
                         entered = true;
                         changed.notify_all();
                         lock.Wait(changed, [&] { return release; });
                         EXPECT_FALSE(detached);
                       });
  ASSERT_THAT(pump, IsOk());
  {
    MutexLock lock(mutex);
    lock.Wait(changed, [&] { return entered; });
  }
  std::thread other([&] {
    (*pump)->Detach();
    detached = true;
  });
  {
    MutexLock lock(mutex);
    release = true;
  }
  changed.notify_all();
  other.join();
  (*pump)->Ready();
  hub_.NotifyChanged("evaluations/e");
  WaitForPokes();
}

TEST_F(EventPumpTest, WhatDoesNotExistHasNoPump) {
  Reader reader;
  EXPECT_THAT(reader.Start(context()), HasReason(Reason::kNotFound));
}

}  // namespace
}  // namespace assay::api
