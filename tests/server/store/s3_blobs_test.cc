// What is particular to blobs in object storage; what holds for all is in blob_store_test.cc.
#include "server/store/s3_blobs.h"

#include <fstream>
#include <thread>

#include "server/store/database_reader.h"
#include "server/store/storage_check.h"
#include "tests/server/store/s3_fixture.h"

namespace assay::store {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::StartsWith;

class S3BlobsTest : public ::testing::Test {
 protected:
  S3BlobsTest() : options_(BlobsOptionsFor(server_, directory_)) {}
  S3Blobs& blobs() {
    if (blobs_ == nullptr) {
      auto opened = S3Blobs::Open(options_, CredentialsIn(directory_));
      if (!opened.ok()) {
        ADD_FAILURE() << opened.status();
        std::abort();
      }
      blobs_ = *std::move(opened);
    }
    return *blobs_;
  }
  // As on another machine.
  void Forget() {
    blobs_.reset();
    fs::remove_all(options_.cache_directory);
  }
  static std::string KeyOf(const std::string& content) {
    const std::string digest = Sha256Hex(content);
    return "some/blobs/" + digest.substr(0, 2) + "/" + digest;
  }
  int Requests(const std::string& begin) {
    int count = 0;
    for (const std::string& request : server_.Requests()) count += request.find(begin) == 0;
    return count;
  }

  TempDirectory directory_;
  S3Server server_;
  S3BlobsOptions options_;
  std::unique_ptr<S3Blobs> blobs_;
};

TEST_F(S3BlobsTest, BlobsLieAsInADirectory) {
  const std::string digest = *blobs().Put("abc");
  EXPECT_THAT(server_.Objects(), Contains(Key("some/blobs/ba/" + digest)));
  // So a directory can be copied there.
  server_.PutObject(KeyOf("copied"), "copied");
  EXPECT_TRUE(*blobs().Has(Sha256Hex("copied")));
  EXPECT_EQ(*blobs().Read(Sha256Hex("copied")), "copied");
}

TEST_F(S3BlobsTest, OpeningTellsWhatIsWrongWithTheStorage) {
  options_.location.bucket = "another-bucket";
  options_.s3.attempts = 1;
  const auto bucket = S3Blobs::Open(options_, CredentialsIn(directory_));
  EXPECT_THAT(bucket, HasReason(Reason::kUnavailable));
  EXPECT_THAT(std::string(bucket.status().message()), HasSubstr("NoSuchBucket"));
  options_.location.bucket = S3Server::kBucket;
  EXPECT_THAT(S3Blobs::Open(options_, CredentialsIn(directory_, "nobody")),
              HasReason(Reason::kUnavailable));
  EXPECT_THAT(S3Blobs::Open(options_, std::make_shared<AwsCredentials>(directory_.File("none"))),
              HasReason(Reason::kInvalidArgument));
  // And leaves the cache to the next attempt.
  EXPECT_THAT(S3Blobs::Open(options_, CredentialsIn(directory_)), IsOk());
}

TEST_F(S3BlobsTest, WhatWasBroughtOrFetchedIsReadFromTheCache) {
  const std::string digest = *blobs().Put("content");
  server_.Requests();
  EXPECT_EQ(*blobs().Read(digest), "content");
  EXPECT_THAT(blobs().Fetch(digest, nullptr), IsOk());
  EXPECT_EQ(Requests("GET"), 0);
  Forget();
  EXPECT_EQ(*blobs().Read(digest), "content");
  EXPECT_EQ(*blobs().Read(digest), "content");
  EXPECT_EQ(Requests("GET /assay-test/some/blobs/"), 1);
  EXPECT_EQ(blobs().CacheCounts().hits, 1);
  EXPECT_EQ(blobs().CacheCounts().misses, 1);
}

TEST_F(S3BlobsTest, WrongBytesAreNeverHandedOut) {
  const std::string digest = *blobs().Put("content");
  Forget();
  server_.Fail("GET .*" + digest, "wrong");
  EXPECT_EQ(*blobs().Read(digest), "content") << "they were wrong on the way";
  Forget();
  server_.PutObject(KeyOf("content"), "contend");
  const absl::Status wrong = blobs().Fetch(digest, nullptr).status();
  EXPECT_THAT(wrong, HasReason(Reason::kStorageFailed));
  EXPECT_THAT(std::string(wrong.message()), HasSubstr(digest));
  EXPECT_THAT(std::string(wrong.message()), HasSubstr(Sha256Hex("contend")));
  EXPECT_EQ(blobs().CacheCounts().bytes, 0);
}

TEST_F(S3BlobsTest, AFailureIsNoAbsence) {
  const std::string digest = *blobs().Put("content");
  options_.s3.attempts = 2;
  Forget();
  blobs();
  server_.SetAway(true);
  EXPECT_THAT(blobs().Has(digest), HasReason(Reason::kUnavailable));
  EXPECT_THAT(blobs().Read(digest), HasReason(Reason::kUnavailable));
  EXPECT_THAT(blobs().Put("other"), HasReason(Reason::kUnavailable));
  EXPECT_FALSE(blobs().Traffic().answers);
  server_.SetAway(false);
  EXPECT_FALSE(*blobs().Has(Sha256Hex("other")));
  EXPECT_EQ(*blobs().Read(digest), "content");
}

TEST_F(S3BlobsTest, LargeBlobsGoInPartsAndComeBack) {
  options_.s3.part_bytes = 1 << 20;
  const std::string content(2'500'000, 'x');
  const std::string digest = *blobs().Put(content);
  Forget();
  server_.Fail("GET .*" + digest, "cut", 2);
  EXPECT_EQ(*blobs().Read(digest), content);
}

TEST_F(S3BlobsTest, AskingForAYoungBlobIsOneRequest) {
  const std::string digest = *blobs().Put("content");
  server_.Requests();
  EXPECT_TRUE(*blobs().Has(digest));
  EXPECT_EQ(server_.Requests().size(), 1u);
}

// A sweeper of another process that says it is about to remove a blob.
class RemovalTest : public S3BlobsTest {
 protected:
  static std::string Mark(const std::string& content) {
    return "some/blobs/sweeping/" + Sha256Hex(content) + ".0123456789abcdef";
  }
  // Until somebody has asked for marks.
  void WaitForLook() {
    while (true) {
      for (const std::string& request : server_.Requests()) {
        if (request.find("sweeping") != std::string::npos) return;
      }
      std::this_thread::yield();
    }
  }
};

TEST_F(RemovalTest, WhoBringsABlobThatIsBeingRemovedBringsItAgainAfterwards) {
  blobs();
  server_.Requests();
  server_.PutObject(Mark("content"), "");
  std::thread upload([&] { EXPECT_THAT(blobs().Put("content"), IsOk()); });
  WaitForLook();
  // It had looked before the blob was brought.
  server_.RemoveObject(KeyOf("content"));
  server_.RemoveObject(Mark("content"));
  upload.join();
  EXPECT_THAT(server_.Objects(), Contains(Key(KeyOf("content"))));
}

TEST_F(RemovalTest, WhoAsksForABlobThatIsBeingRemovedHearsThatItIsNotThere) {
  const std::string digest = *blobs().Put("content");
  server_.AdvanceSeconds(3 * BlobStore::kHoldSeconds);
  server_.Requests();
  server_.PutObject(Mark("content"), "");
  std::thread upload([&] { EXPECT_FALSE(*blobs().Has(digest)); });
  WaitForLook();
  server_.RemoveObject(KeyOf("content"));
  server_.RemoveObject(Mark("content"));
  upload.join();
}

TEST_F(RemovalTest, NobodyWaitsForASweeperThatDied) {
  options_.sweep_seconds = 120;
  blobs();
  server_.PutObject(Mark("content"), "");
  server_.AdvanceSeconds(130);
  EXPECT_THAT(blobs().Put("content"), IsOk());
  server_.AdvanceSeconds(2 * BlobStore::kHoldSeconds);
  EXPECT_THAT(blobs().Sweep([](const std::string&) { return true; }), IsOk());
  EXPECT_THAT(server_.Objects(), Not(Contains(Key(Mark("content"))))) << "what it left is removed";
}

TEST_F(RemovalTest, ARemovalThatFailsIsNotRepeatedBeforeTheNextSweep) {
  const std::string digest = *blobs().Put("content");
  server_.AdvanceSeconds(3 * BlobStore::kHoldSeconds);
  server_.Fail("DELETE .*/" + digest.substr(0, 2) + "/" + digest, "status", 1, {{"status", 503}});
  server_.Requests();
  const auto nobody = [](const std::string&) { return false; };
  EXPECT_THAT(blobs().Sweep(nobody), HasReason(Reason::kUnavailable));
  EXPECT_EQ(Requests("DELETE /assay-test/" + KeyOf("content")), 1);
  EXPECT_EQ(blobs().Sweep(nobody)->blobs, 1);
}

TEST_F(RemovalTest, ASweepLeavesNothingOfItself) {
  ASSERT_THAT(blobs().Put("content"), IsOk());
  server_.AdvanceSeconds(1.5 * BlobStore::kHoldSeconds);
  EXPECT_TRUE(*blobs().Has(Sha256Hex("content"))) << "which makes a hold";
  EXPECT_EQ(server_.Objects().size(), 3u);
  server_.AdvanceSeconds(3 * BlobStore::kHoldSeconds);
  EXPECT_EQ(blobs().Sweep([](const std::string&) { return false; })->blobs, 1);
  EXPECT_EQ(server_.Objects().size(), 1u) << "assay-blobs alone";
}

TEST_F(S3BlobsTest, ACheckFindsAndMovesWhatIsWrong) {
  ManualClock clock;
  const auto store = *OpenSqliteJobStore(directory_.File("jobs.db"), clock);
  for (const std::string content : {"first", "second", "third"}) {
    ASSERT_THAT(blobs().Put(content), IsOk());
    ASSERT_THAT(store->CreateModel(MakeModel(content, content), ""), IsOk());
  }
  ASSERT_THAT(blobs().Put("orphan"), IsOk());
  server_.AdvanceSeconds(3 * BlobStore::kHoldSeconds);
  server_.PutObject(KeyOf("second"), "secand");
  server_.RemoveObject(KeyOf("third"));
  std::map<std::string, v1::CheckStorageResponse::Finding> findings;
  StorageCheck check(*DatabaseReader::Open(directory_.File("jobs.db"), [] { return false; }),
                     blobs(), /*repair=*/true, []() { return BlobCount(); });
  v1::CheckStorageResponse message;
  for (auto more = check.Next(&message); more.ok() && *more; more = check.Next(&message)) {
    if (message.has_finding()) findings[message.finding().digest()] = message.finding();
  }
  using Finding = v1::CheckStorageResponse::Finding;
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[Sha256Hex("second")].kind(), Finding::CORRUPT_BLOB);
  EXPECT_TRUE(findings[Sha256Hex("second")].repaired());
  EXPECT_EQ(findings[Sha256Hex("third")].kind(), Finding::MISSING_BLOB);
  EXPECT_EQ(findings[Sha256Hex("orphan")].kind(), Finding::ORPHANED_BLOB);
  EXPECT_FALSE(*blobs().Has(Sha256Hex("second")));
  EXPECT_THAT(server_.Objects(),
              Contains(Key(StartsWith("some/blobs/corrupt/" + Sha256Hex("second")))));
}

}  // namespace
}  // namespace assay::store
