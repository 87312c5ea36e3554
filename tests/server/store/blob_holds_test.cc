// What uploads hold, and what sweeps leave.
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "server/store/blob_sweeper.h"
#include "server/store/directory_blobs.h"
#include "tests/server/scheduler/hooked_store.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

namespace fs = std::filesystem;

constexpr double kHour = 3600;

// Whether `condition` comes to hold before a generous deadline.
bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

class BlobHoldsTest : public JobStoreTest {
 protected:
  BlobHoldsTest() { ReopenBlobs(); }

  // As after a restart.
  void ReopenBlobs() {
    auto blobs = DirectoryBlobs::Open(directory_.File("blobs"), nullptr, &clock_);
    if (!blobs.ok()) std::abort();
    blobs_ = *std::move(blobs);
  }
  // Uploads, unless it is there, and stores what names it.
  void CreateModel(const std::string& id, const std::string& content, const std::string& upload) {
    if (!*blobs_->Has(Sha256Hex(content), upload)) {
      ASSERT_THAT(blobs_->Put(content, upload), IsOk());
    }
    ASSERT_THAT(store_->CreateModel(MakeModel(id, content), ""), IsOk());
    blobs_->Settle({Sha256Hex(content)}, upload);
  }
  void DeleteModel(const std::string& id) {
    ASSERT_THAT(store_->DeleteModel("models/" + id), IsOk());
  }
  // Bytes freed. `meanwhile` happens between the look at what is stored and the removal.
  int64_t Sweep(const std::function<void()>& meanwhile = [] {}) {
    std::optional<std::set<std::string>> used;
    const auto freed = blobs_->Sweep([&](const std::string& digest) {
      if (!used) {
        const auto digests = store_->BlobsInUse();
        EXPECT_THAT(digests, IsOk());
        used.emplace(digests->begin(), digests->end());
        meanwhile();
      }
      return used->count(digest) > 0;
    });
    EXPECT_THAT(freed, IsOk());
    return freed.ok() ? freed->bytes : -1;
  }
  bool IsThere(const std::string& content) const {
    return fs::exists(blobs_->Path(Sha256Hex(content)));
  }

  std::string reserve() const { return directory_.File("reserve"); }

  std::unique_ptr<DirectoryBlobs> blobs_;
};

TEST_F(BlobHoldsTest, WhatADeletedResourceNamedIsFreedAtOnce) {
  CreateModel("m", "content", "upload");
  EXPECT_EQ(Sweep(), 0);
  DeleteModel("m");
  EXPECT_EQ(Sweep(), 7);
  EXPECT_FALSE(IsThere("content"));
}

TEST_F(BlobHoldsTest, WhatAnotherResourceNamesStays) {
  CreateModel("m", "content", "one");
  CreateModel("n", "content", "other");
  DeleteModel("m");
  EXPECT_EQ(Sweep(), 0);
  DeleteModel("n");
  EXPECT_EQ(Sweep(), 7);
}

TEST_F(BlobHoldsTest, WhatAnUploadWasToldJustBeforeTheDeletionStaysUntilItsResourceIsStored) {
  CreateModel("m", "content", "first");
  EXPECT_TRUE(*blobs_->Has(Sha256Hex("content"), "second"));
  DeleteModel("m");
  EXPECT_EQ(Sweep(), 0);
  CreateModel("m", "content", "second");
  EXPECT_EQ(Sweep(), 0);
  DeleteModel("m");
  EXPECT_EQ(Sweep(), 7);
}

TEST_F(BlobHoldsTest, UploadsOfTheSameContentAtOnceDoNotEndEachOther) {
  ASSERT_THAT(blobs_->Put("content", "first"), IsOk());
  EXPECT_TRUE(*blobs_->Has(Sha256Hex("content"), "second"));
  // And a third one, which was told that it was missing, brings it again.
  ASSERT_THAT(blobs_->Put("content", "third"), IsOk());
  CreateModel("m", "content", "first");
  DeleteModel("m");
  EXPECT_EQ(Sweep(), 0);
  blobs_->Settle({Sha256Hex("content")}, "second");
  EXPECT_EQ(Sweep(), 0);
  blobs_->Settle({Sha256Hex("content")}, "second");
  EXPECT_EQ(Sweep(), 0) << "an upload ends once, however often it says so";
  blobs_->Settle({Sha256Hex("content")}, "third");
  EXPECT_EQ(Sweep(), 7);
}

TEST_F(BlobHoldsTest, AnUploadThatNeverEndsHoldsForADay) {
  ASSERT_THAT(blobs_->Put("content", "upload"), IsOk());
  clock_.AdvanceSeconds(23 * kHour);
  EXPECT_EQ(Sweep(), 0);
  EXPECT_TRUE(*blobs_->Has(Sha256Hex("content"), "upload")) << "asking again renews";
  clock_.AdvanceSeconds(23 * kHour);
  EXPECT_EQ(Sweep(), 0);
  clock_.AdvanceSeconds(kHour);
  EXPECT_EQ(Sweep(), 7);
}

TEST_F(BlobHoldsTest, AnAbandonedUploadDoesNotKeepWhatIsDeletedAfterItsDay) {
  EXPECT_THAT(blobs_->Put("content", "abandoned"), IsOk());
  clock_.AdvanceSeconds(20 * kHour);
  EXPECT_TRUE(*blobs_->Has(Sha256Hex("content"), "upload"));
  clock_.AdvanceSeconds(5 * kHour);
  CreateModel("m", "content", "upload");
  DeleteModel("m");
  EXPECT_EQ(Sweep(), 7);
}

TEST_F(BlobHoldsTest, ARestartForgetsNoHold) {
  CreateModel("settled", "a", "one");
  CreateModel("held", "bb", "two");
  EXPECT_TRUE(*blobs_->Has(Sha256Hex("bb"), "three"));
  ReopenBlobs();
  // Upload "three" goes on after the restart; "four" comes and goes meanwhile.
  CreateModel("held-too", "bb", "four");
  for (const char* id : {"settled", "held", "held-too"}) DeleteModel(id);
  EXPECT_EQ(Sweep(), 1);
  EXPECT_TRUE(IsThere("bb"));
  clock_.AdvanceSeconds(24 * kHour);
  EXPECT_EQ(Sweep(), 2);
}

TEST_F(BlobHoldsTest, WhatIsToldDuringASweepIsSpared) {
  CreateModel("m", "content", "first");
  DeleteModel("m");
  EXPECT_EQ(Sweep([&] { EXPECT_TRUE(*blobs_->Has(Sha256Hex("content"), "second")); }), 0);
  EXPECT_EQ(Sweep(), 0);
}

TEST_F(BlobHoldsTest, WhatIsToldStoredAndSettledDuringASweepIsSpared) {
  CreateModel("m", "content", "first");
  DeleteModel("m");
  EXPECT_EQ(Sweep([&] { CreateModel("n", "content", "second"); }), 0);
  EXPECT_TRUE(IsThere("content"));
  EXPECT_EQ(Sweep(), 0);
}

TEST_F(BlobHoldsTest, WhatIsBroughtAgainDuringASweepIsSpared) {
  CreateModel("m", "content", "first");
  DeleteModel("m");
  EXPECT_EQ(Sweep([&] { EXPECT_THAT(blobs_->Put("content", "second"), IsOk()); }), 0);
  EXPECT_TRUE(IsThere("content"));
}

TEST_F(BlobHoldsTest, ASweepRemovesUnfinishedWritesOfOthersOnly) {
  auto own = blobs_->Create(Sha256Hex("own"), 3);
  ASSERT_THAT(own, IsOk());
  const std::string stale = directory_.File("blobs/tmp/0123");
  std::ofstream(stale) << "x";
  for (const auto& entry : fs::directory_iterator(directory_.File("blobs/tmp"))) {
    fs::last_write_time(entry.path(), fs::file_time_type::clock::now() - std::chrono::hours(2));
  }
  EXPECT_EQ(Sweep(), 0);
  EXPECT_FALSE(fs::exists(stale));
  EXPECT_THAT((*own)->Append("own"), IsOk());
  EXPECT_THAT((*own)->Commit(), IsOk());
}

TEST_F(BlobHoldsTest, TheSweeperSweepsAtItsStartWhenAskedAndEveryHour) {
  CreateModel("before", "a", "one");
  CreateModel("asked", "bb", "one");
  DeleteModel("before");
  BlobSweeper sweeper(*store_, *blobs_, clock_, reserve());
  EXPECT_TRUE(Eventually([&] { return !IsThere("a"); }));
  DeleteModel("asked");
  sweeper.SweepSoon();
  EXPECT_TRUE(Eventually([&] { return !IsThere("bb"); }));
  // Nobody tells of an upload that was given up.
  ASSERT_THAT(blobs_->Put("ccc", "abandoned"), IsOk());
  clock_.AdvanceSeconds(25 * kHour);
  // The clock may move before the sweeper has looked at it.
  EXPECT_TRUE(Eventually([&] {
    clock_.AdvanceSeconds(kHour);
    return !IsThere("ccc");
  }));
}

TEST_F(BlobHoldsTest, AStoreThatFailsForAWhileLosesNothing) {
  CreateModel("used", "a", "one");
  CreateModel("unused", "bb", "one");
  DeleteModel("unused");
  HookedStore hooked(*store_);
  std::atomic<int> failures = 0;
  const auto hook = hooked.Install([&](const std::string& method) -> absl::Status {
    if (method != "BlobsInUse" || failures > 0) return absl::OkStatus();
    ++failures;
    return Error(Reason::kStorageFailed, "for a moment");
  });
  const BlobSweeper sweeper(hooked, *blobs_, clock_, reserve());
  ASSERT_TRUE(Eventually([&] { return failures == 1; }));
  EXPECT_TRUE(IsThere("bb"));
  // The clock may move before the sweeper has looked at it.
  EXPECT_TRUE(Eventually([&] {
    clock_.AdvanceSeconds(61);
    return !IsThere("bb");
  }));
  EXPECT_TRUE(IsThere("a"));
}

TEST_F(BlobHoldsTest, AFullDiskDoesNotKeepItselfFull) {
  BlobSweeper sweeper(*store_, *blobs_, clock_, reserve());
  const auto held_back = [&] {
    return fs::exists(reserve()) && fs::file_size(reserve()) == SpaceReserve::kBytes;
  };
  ASSERT_TRUE(Eventually(held_back));
  int calls = 0;
  const auto full = [&]() -> absl::Status {
    ++calls;
    return fs::exists(reserve()) ? Error(Reason::kStorageFull, "no space").ToStatus()
                                 : absl::OkStatus();
  };
  EXPECT_THAT(sweeper.WithReserve(full), IsOk());
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(Eventually(held_back)) << "for the next time";
  const auto refused = [&] { return absl::Status(Error(Reason::kInUse, "in use")); };
  EXPECT_THAT(sweeper.WithReserve(refused), HasReason(Reason::kInUse));
  EXPECT_TRUE(held_back());
}

TEST_F(BlobHoldsTest, WithoutAReserveThatIsLeftAFullDiskIsToldAsSuch) {
  SpaceReserve reserve_only(reserve());
  EXPECT_FALSE(reserve_only.Use());
  reserve_only.Restore();
  EXPECT_TRUE(reserve_only.Use());
  EXPECT_FALSE(reserve_only.Use());
  // More than the disk has is not taken.
  SpaceReserve too_much(reserve(), int64_t{1} << 60);
  too_much.Restore();
  EXPECT_FALSE(too_much.Use());
}

TEST_F(BlobHoldsTest, TheRoomOfDeletedRecordsIsGivenBack) {
  Create("e", MakeTasks(200));
  for (int i = 0; i < 200; ++i) {
    const ClaimedTask claim = Claim();
    v1::OutcomeBatch outcomes = MakeOutcomes(claim.task);
    for (auto& outcome : *outcomes.mutable_outcomes()) {
      outcome.mutable_smoothing()->mutable_estimation()->Add()->set_count(1);
      for (int k = 0; k < 500; ++k) outcome.mutable_smoothing()->add_selection()->set_index(k);
    }
    ASSERT_THAT(store_->CommitTask(claim, outcomes, MakeNumerics(), {}), IsOk());
  }
  ASSERT_EQ(StateOf("e"), v1::Evaluation::SUCCEEDED);
  const auto bytes = [&] { return fs::file_size(path()) + fs::file_size(path() + "-wal"); };
  const auto before = bytes();
  ASSERT_GT(before, 2'000'000u);
  ASSERT_THAT(store_->DeleteEvaluation("evaluations/e"), IsOk());
  int steps = 0;
  while (*store_->ReleaseSpace()) ++steps;
  EXPECT_GE(steps, 1) << "others have their turn in between";
  EXPECT_LT(bytes(), 300'000u);
  EXPECT_FALSE(*store_->ReleaseSpace());
}

}  // namespace
}  // namespace assay::store
