#include "server/store/blob_cache.h"

#include <atomic>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

namespace fs = std::filesystem;

class BlobCacheTest : public ::testing::Test {
 protected:
  void Open(int64_t limit = 1000) {
    cache_.reset();
    auto cache = BlobCache::Open(directory_.File("cache"), limit);
    ASSERT_THAT(cache, IsOk());
    cache_ = *std::move(cache);
  }
  absl::StatusOr<LocalBlob> Get(const std::string& content) {
    return cache_->Get(
        Sha256Hex(content),
        [&](const std::string& path) {
          ++brought_;
          std::ofstream(path) << content;
          return absl::OkStatus();
        },
        nullptr);
  }
  bool IsThere(const std::string& content) const {
    const std::string digest = Sha256Hex(content);
    return fs::exists(directory_.File("cache/" + digest.substr(0, 2) + "/" + digest));
  }
  static std::string TextOf(const LocalBlob& blob) {
    std::ifstream file(blob.path());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  TempDirectory directory_;
  std::unique_ptr<BlobCache> cache_;
  std::atomic<int> brought_{0};
};

TEST_F(BlobCacheTest, ABlobIsBroughtOnce) {
  Open();
  EXPECT_EQ(TextOf(*Get("content")), "content");
  EXPECT_EQ(TextOf(*Get("content")), "content");
  EXPECT_EQ(brought_, 1);
  EXPECT_EQ(cache_->Counts().hits, 1);
  EXPECT_EQ(cache_->Counts().misses, 1);
  EXPECT_EQ(cache_->Counts().bytes, 7);
}

TEST_F(BlobCacheTest, TheLeastRecentlyUsedGoes) {
  Open(10);
  ASSERT_THAT(Get("aaaa"), IsOk());
  ASSERT_THAT(Get("bbbb"), IsOk());
  ASSERT_THAT(Get("aaaa"), IsOk());
  ASSERT_THAT(Get("cccc"), IsOk());
  EXPECT_TRUE(IsThere("aaaa"));
  EXPECT_FALSE(IsThere("bbbb"));
  EXPECT_TRUE(IsThere("cccc"));
  EXPECT_EQ(cache_->Counts().evicted, 1);
  EXPECT_EQ(cache_->Counts().bytes, 8);
}

TEST_F(BlobCacheTest, WhatIsInUseStaysAndGoesWhenItIsNot) {
  Open(10);
  {
    const auto a = Get("aaaa"), b = Get("bbbb"), c = Get("cccc");
    const auto copy = std::make_unique<LocalBlob>(*a);
    ASSERT_THAT(c, IsOk());
    for (const char* content : {"aaaa", "bbbb", "cccc"}) EXPECT_TRUE(IsThere(content)) << content;
    EXPECT_EQ(cache_->Counts().bytes, 12);
    EXPECT_FALSE(cache_->MakeRoom());
    cache_->Drop(Sha256Hex("aaaa"));
    EXPECT_EQ(TextOf(*copy), "aaaa");
  }
  EXPECT_LE(cache_->Counts().bytes, 10);
  // Larger than the cache: for as long as somebody has it.
  {
    const auto large = Get("a large one, which has no room");
    EXPECT_EQ(TextOf(*large), "a large one, which has no room");
  }
  EXPECT_FALSE(IsThere("a large one, which has no room"));
}

TEST_F(BlobCacheTest, ARestartKeepsBlobsAndTheirOrderAndDropsWhatWasOnItsWay) {
  Open();
  for (const char* content : {"aaaa", "bbbb", "cccc"}) ASSERT_THAT(Get(content), IsOk());
  std::ofstream(cache_->NewPath()) << "half";
  // The clock of files may not have moved between them.
  const auto now = fs::file_time_type::clock::now();
  const auto age = [&](const std::string& content, int seconds) {
    const std::string digest = Sha256Hex(content);
    fs::last_write_time(directory_.File("cache/" + digest.substr(0, 2) + "/" + digest),
                        now - std::chrono::seconds(seconds));
  };
  age("aaaa", 10);
  age("bbbb", 30);
  age("cccc", 20);
  Open(8);
  EXPECT_TRUE(fs::is_empty(directory_.File("cache/tmp")));
  EXPECT_FALSE(IsThere("bbbb"));
  brought_ = 0;
  EXPECT_EQ(TextOf(*Get("aaaa")), "aaaa");
  EXPECT_EQ(TextOf(*Get("cccc")), "cccc");
  EXPECT_EQ(brought_, 0);
}

TEST_F(BlobCacheTest, AFileOfAnEarlierProcessIsVerifiedAndOneThatIsWrongBroughtAgain) {
  Open();
  ASSERT_THAT(Get("content"), IsOk());
  ASSERT_THAT(Get("gone"), IsOk());
  // As a power failure leaves it.
  const auto file = [&](const std::string& content) {
    const std::string digest = Sha256Hex(content);
    return directory_.File("cache/" + digest.substr(0, 2) + "/" + digest);
  };
  std::ofstream(file("content")) << "con";
  Open();
  EXPECT_EQ(TextOf(*Get("content")), "content");
  EXPECT_EQ(cache_->Counts().bytes, 7 + 4);
  // As an operator cleans it.
  ASSERT_THAT(Get("gone"), IsOk());
  fs::remove(file("gone"));
  EXPECT_EQ(TextOf(*Get("gone")), "gone");
}

TEST_F(BlobCacheTest, OfManyWhoAskAtOnceOneBringsIt) {
  Open();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const auto blob = Get("content");
      if (blob.ok() && TextOf(*blob) == "content") ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 8);
  EXPECT_EQ(brought_, 1);
}

TEST_F(BlobCacheTest, AFailureIsNotRememberedAndLeavesNothing) {
  Open();
  const auto failed = cache_->Get(
      Sha256Hex("content"),
      [&](const std::string& path) -> absl::Status {
        std::ofstream(path) << "con";
        return Error(Reason::kUnavailable, "away");
      },
      nullptr);
  EXPECT_THAT(failed, HasReason(Reason::kUnavailable));
  EXPECT_TRUE(fs::is_empty(directory_.File("cache/tmp")));
  EXPECT_EQ(cache_->Counts().blobs, 0);
  EXPECT_EQ(TextOf(*Get("content")), "content");
}

TEST_F(BlobCacheTest, AFullDiskCostsTheOthersTheirPlace) {
  Open();
  ASSERT_THAT(Get("other"), IsOk());
  int tries = 0;
  const auto got = cache_->Get(
      Sha256Hex("content"),
      [&](const std::string& path) -> absl::Status {
        if (++tries == 1) return Error(Reason::kStorageFull, "full");
        std::ofstream(path) << "content";
        return absl::OkStatus();
      },
      nullptr);
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(TextOf(*got), "content");
  EXPECT_FALSE(IsThere("other"));
}

TEST_F(BlobCacheTest, WhoWaitsForABlobThatAnotherBringsCanBeCancelled) {
  Open();
  std::atomic<bool> bringing{false}, let_go{false};
  std::thread other([&] {
    cache_
        ->Get(
            Sha256Hex("content"),
            [&](const std::string&) -> absl::Status {
              bringing = true;
              while (!let_go) std::this_thread::yield();
              return Error(Reason::kUnavailable, "away");
            },
            nullptr)
        .IgnoreError();
  });
  while (!bringing) std::this_thread::yield();
  const auto cancelled = cache_->Get(
      Sha256Hex("content"), [](const std::string&) { return absl::OkStatus(); },
      [] { return true; });
  EXPECT_THAT(cancelled, HasReason(Reason::kCancelled));
  let_go = true;
  other.join();
}

TEST_F(BlobCacheTest, ADirectoryHasOneCache) {
  Open();
  EXPECT_THAT(BlobCache::Open(directory_.File("cache"), 1000), HasReason(Reason::kAlreadyExists));
}

TEST_F(BlobCacheTest, AFileThatIsMadeAlreadyIsTakenOver) {
  Open();
  const std::string path = cache_->NewPath();
  std::ofstream(path) << "content";
  cache_->Adopt(Sha256Hex("content"), path);
  EXPECT_EQ(TextOf(*Get("content")), "content");
  EXPECT_EQ(brought_, 0);
}

}  // namespace
}  // namespace assay::store
