// The contract of BlobStore, on a directory and on object storage.
#include "server/store/blob_store.h"

#include <atomic>
#include <fstream>
#include <iterator>
#include <thread>

#include "server/store/directory_blobs.h"
#include "tests/server/store/s3_fixture.h"

namespace assay::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kHour = 3600;

// Where the blobs are, and the time there.
class Place {
 public:
  virtual ~Place() = default;
  virtual absl::StatusOr<std::unique_ptr<BlobStore>> Open() = 0;
  virtual void AdvanceSeconds(double seconds) = 0;
  // Other bytes where a blob is.
  virtual void Overwrite(const std::string& digest, const std::string& bytes) = 0;
};

class Directory final : public Place {
 public:
  absl::StatusOr<std::unique_ptr<BlobStore>> Open() override {
    return DirectoryBlobs::Open(directory_.File("blobs"), nullptr, &clock_, Sharing::kShared);
  }
  void AdvanceSeconds(double seconds) override { clock_.AdvanceSeconds(seconds); }
  void Overwrite(const std::string& digest, const std::string& bytes) override {
    std::ofstream(directory_.File("blobs/" + digest.substr(0, 2) + "/" + digest)) << bytes;
  }

 private:
  TempDirectory directory_;
  ManualClock clock_;
};

class ObjectStorage final : public Place {
 public:
  absl::StatusOr<std::unique_ptr<BlobStore>> Open() override {
    // A machine of its own each time.
    return S3Blobs::Open(BlobsOptionsFor(server_, directory_, absl::StrCat("cache", ++opened_)),
                         CredentialsIn(directory_));
  }
  void AdvanceSeconds(double seconds) override { server_.AdvanceSeconds(seconds); }
  void Overwrite(const std::string& digest, const std::string& bytes) override {
    server_.PutObject("some/blobs/" + digest.substr(0, 2) + "/" + digest, bytes);
  }

 private:
  TempDirectory directory_;
  S3Server server_;
  int opened_ = 0;
};

struct Kind {
  const char* name;
  std::unique_ptr<Place> (*make)();
};

class BlobStoreTest : public ::testing::TestWithParam<Kind> {
 protected:
  BlobStoreTest() : place_(GetParam().make()) { Reopen(); }
  void Reopen() {
    store_.reset();
    store_ = OpenAnother();
  }
  std::unique_ptr<BlobStore> OpenAnother() {
    auto store = place_->Open();
    if (!store.ok()) {
      ADD_FAILURE() << store.status();
      std::abort();
    }
    return *std::move(store);
  }
  // Bytes freed, if nothing is in use but these. `meanwhile` happens between the look at what is
  // stored and the removal.
  int64_t Sweep(
      const std::set<std::string>& in_use = {}, const std::function<void()>& meanwhile = [] {}) {
    bool looked = false;
    const auto freed = store_->Sweep([&](const std::string& digest) {
      if (!looked) {
        looked = true;
        meanwhile();
      }
      return in_use.count(digest) > 0;
    });
    EXPECT_THAT(freed, IsOk());
    return freed.ok() ? freed->bytes : -1;
  }
  static std::string TextOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  // What is stored, past every cache.
  std::string Stored(const std::string& digest) {
    const auto reader = store_->OpenStored(digest);
    EXPECT_THAT(reader, IsOk());
    std::string bytes;
    while (reader.ok()) {
      const auto piece = (*reader)->Next();
      EXPECT_THAT(piece, IsOk());
      if (!piece.ok() || piece->empty()) break;
      bytes.append(piece->data(), piece->size());
    }
    return bytes;
  }

  const std::unique_ptr<Place> place_;
  std::unique_ptr<BlobStore> store_;
};

TEST_P(BlobStoreTest, WhatWasPutCanBeReadUnderItsSha256ByEverybody) {
  const auto digest = store_->Put("abc");
  ASSERT_THAT(digest, IsOk());
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(*digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const auto other = OpenAnother();
  for (BlobStore* store : {store_.get(), other.get()}) {
    EXPECT_TRUE(*store->Has(*digest));
    EXPECT_EQ(*store->Size(*digest), 3);
    EXPECT_EQ(*store->Read(*digest), "abc");
    const auto file = store->Fetch(*digest, nullptr);
    ASSERT_THAT(file, IsOk());
    EXPECT_EQ(TextOf(file->path()), "abc");
  }
}

TEST_P(BlobStoreTest, ABlobArrivesInPiecesAndIsInvisibleUntilCommit) {
  std::string content(3'000'000, 'x');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * i >> 8);
  const std::string digest = Sha256Hex(content);
  auto writer = store_->Create(digest, 3'000'000);
  ASSERT_THAT(writer, IsOk());
  for (size_t at = 0; at < content.size(); at += 700'000) {
    EXPECT_FALSE(*store_->Has(digest));
    ASSERT_THAT((*writer)->Append(absl::string_view(content).substr(at, 700'000)), IsOk());
  }
  EXPECT_EQ((*writer)->remaining_bytes(), 0);
  EXPECT_FALSE(*store_->Has(digest));
  ASSERT_THAT((*writer)->Commit(), IsOk());
  EXPECT_EQ(*OpenAnother()->Read(digest), content);
  EXPECT_THAT((*writer)->Append("x"), HasReason(Reason::kInternal));
  EXPECT_THAT((*writer)->Commit(), HasReason(Reason::kInternal));
}

TEST_P(BlobStoreTest, AnEmptyBlobIsABlob) {
  const auto digest = store_->Put("");
  ASSERT_THAT(digest, IsOk());
  EXPECT_EQ(*store_->Size(*digest), 0);
  EXPECT_EQ(*OpenAnother()->Read(*digest), "");
}

TEST_P(BlobStoreTest, WhatIsNotAsAnnouncedIsRefusedAndNotThere) {
  const std::string digest = Sha256Hex("abc");
  auto writer = store_->Create(digest, 3);
  ASSERT_THAT(writer, IsOk());
  ASSERT_THAT((*writer)->Append("abd"), IsOk());
  EXPECT_THAT((*writer)->Commit(), HasReason(Reason::kDigestMismatch));
  writer = store_->Create(digest, 3);
  ASSERT_THAT((*writer)->Append("ab"), IsOk());
  EXPECT_THAT((*writer)->Commit(), HasReason(Reason::kUploadIncomplete));
  writer = store_->Create(digest, 3);
  ASSERT_THAT((*writer)->Append("abc"), IsOk());
  EXPECT_THAT((*writer)->Append("d"), HasReason(Reason::kTooLarge));
  EXPECT_THAT((*writer)->Commit(), HasReason(Reason::kTooLarge));
  EXPECT_FALSE(*store_->Has(digest));
  EXPECT_THAT(*store_->FilesOf(digest.substr(0, 2)), IsEmpty());
}

TEST_P(BlobStoreTest, MalformedDigestAndSizeAreBothReported) {
  const auto writer = store_->Create("../../etc/passwd", -1);
  EXPECT_THAT(writer, HasReason(Reason::kInvalidArgument));
  EXPECT_EQ(ViolationsOf(writer.status()).size(), 2u);
}

TEST_P(BlobStoreTest, TheSameBlobTwiceEndsWellAlsoWhenBothWritersOverlap) {
  const std::string digest = Sha256Hex("abc");
  auto first = store_->Create(digest, 3);
  auto second = store_->Create(digest, 3);
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT((*first)->Append("abc"), IsOk());
  EXPECT_THAT((*second)->Append("abc"), IsOk());
  EXPECT_THAT((*first)->Commit(), IsOk());
  EXPECT_THAT((*second)->Commit(), IsOk());
  EXPECT_THAT(store_->Put("abc"), IsOk());
  EXPECT_THAT(*store_->FilesOf(digest.substr(0, 2)), ElementsAre(digest));
}

TEST_P(BlobStoreTest, AMissingBlobIsNamed) {
  const std::string digest = Sha256Hex("never");
  EXPECT_FALSE(*store_->Has(digest));
  EXPECT_FALSE(*store_->Has("not a digest"));
  for (const absl::Status& status :
       {store_->Size(digest).status(), store_->Read(digest).status(),
        store_->Fetch(digest, nullptr).status(), store_->StateOf(digest).status(),
        store_->OpenStored(digest).status(), store_->MoveAside(digest)}) {
    EXPECT_THAT(status, HasReason(Reason::kChunkMissing));
    EXPECT_THAT(std::string(status.message()), HasSubstr(digest));
  }
  EXPECT_THAT(store_->Size("x"), HasReason(Reason::kChunkMissing));
  EXPECT_THAT(store_->Read("x"), HasReason(Reason::kChunkMissing));
}

TEST_P(BlobStoreTest, JoinConcatenatesInOrder) {
  const std::string big(1'500'000, 'b');
  std::vector<std::string> parts;
  for (const std::string& content : {std::string("a"), big, std::string("c"), std::string("a")}) {
    parts.push_back(*store_->Put(content));
  }
  const std::string whole = "a" + big + "ca";
  // Somebody else than who brought the parts.
  Reopen();
  ASSERT_THAT(store_->Join(parts, Sha256Hex(whole)), IsOk());
  EXPECT_EQ(*OpenAnother()->Read(Sha256Hex(whole)), whole);
}

TEST_P(BlobStoreTest, JoinRefusesAWrongDigestAndNamesTheFirstMissingPart) {
  const std::string a = *store_->Put("a");
  const std::string b = *store_->Put("b");
  EXPECT_THAT(store_->Join({b, a}, Sha256Hex("ab")), HasReason(Reason::kDigestMismatch));
  const std::string x = Sha256Hex("x");
  const absl::Status missing = store_->Join({a, x, Sha256Hex("y")}, Sha256Hex("axy"));
  EXPECT_THAT(missing, HasReason(Reason::kChunkMissing));
  EXPECT_THAT(std::string(missing.message()), HasSubstr(x));
  EXPECT_FALSE(*store_->Has(Sha256Hex("ab")));
}

TEST_P(BlobStoreTest, ManyThreadsOfTwoStoresWriteTheSameBlobs) {
  const auto other = OpenAnother();
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      BlobStore& store = t % 2 == 0 ? *store_ : *other;
      for (int i = 0; i < 20; ++i) {
        if (!store.Put(absl::StrCat("blob ", i)).ok()) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(*other->Read(Sha256Hex(absl::StrCat("blob ", i))), absl::StrCat("blob ", i));
  }
}

TEST_P(BlobStoreTest, WhatWasBroughtOrToldIsHeldForADayAndSweptWithinThree) {
  const std::string brought = *store_->Put("brought", "upload"), told = *store_->Put("told");
  place_->AdvanceSeconds(23 * kHour);
  EXPECT_EQ(Sweep(), 0);
  place_->AdvanceSeconds(20 * kHour);
  // By another process than the one that sweeps.
  EXPECT_TRUE(*OpenAnother()->Has(told, "upload"));
  EXPECT_TRUE(store_->StateOf(told)->held);
  place_->AdvanceSeconds(23.9 * kHour);
  EXPECT_EQ(Sweep({brought}), 0);
  EXPECT_TRUE(*store_->Has(told, "upload"));
  place_->AdvanceSeconds(72 * kHour);
  EXPECT_FALSE(store_->StateOf(told)->held);
  EXPECT_EQ(Sweep({brought}), 4);
  EXPECT_FALSE(*store_->Has(told));
  EXPECT_EQ(*store_->Read(brought), "brought") << "what is in use stays for ever";
  place_->AdvanceSeconds(72 * kHour);
  EXPECT_EQ(Sweep(), 7);
  EXPECT_EQ(Sweep(), 0);
}

TEST_P(BlobStoreTest, WhatIsToldOrBroughtDuringASweepIsSpared) {
  const std::string told = *store_->Put("told"), again = *store_->Put("again");
  ASSERT_THAT(store_->Put("left"), IsOk());
  place_->AdvanceSeconds(72 * kHour);
  const auto other = OpenAnother();
  EXPECT_EQ(Sweep({},
                  [&] {
                    EXPECT_TRUE(*other->Has(told, "upload"));
                    EXPECT_THAT(other->Put("again", "upload"), IsOk());
                  }),
            4);
  EXPECT_TRUE(*store_->Has(told));
  EXPECT_TRUE(*store_->Has(again));
  EXPECT_EQ(Sweep(), 0);
}

TEST_P(BlobStoreTest, ARestartForgetsNoHold) {
  const std::string digest = *store_->Put("content", "upload");
  place_->AdvanceSeconds(23 * kHour);
  Reopen();
  EXPECT_EQ(Sweep(), 0);
  EXPECT_TRUE(*store_->Has(digest));
}

TEST_P(BlobStoreTest, WhatIsStoredIsReadPastCaches) {
  const std::string big(9'000'000, 'b');
  const std::string digest = *store_->Put(big);
  EXPECT_EQ(Stored(digest), big);
  const auto before = store_->StateOf(digest);
  EXPECT_EQ(before->bytes, 9'000'000);
  EXPECT_EQ((*store_->OpenStored(digest))->version(), before->version);
  place_->Overwrite(digest, "other");
  EXPECT_EQ(Stored(digest), "other");
}

TEST_P(BlobStoreTest, WhatWasMovedAsideIsMissingUntilItIsBroughtAgain) {
  const std::string digest = *store_->Put("content");
  const std::string shard = digest.substr(0, 2);
  place_->Overwrite(digest, "other");
  EXPECT_THAT(*store_->FilesOf(shard), ElementsAre(digest));
  ASSERT_THAT(store_->MoveAside(digest), IsOk());
  EXPECT_FALSE(*store_->Has(digest));
  EXPECT_THAT(store_->Read(digest), HasReason(Reason::kChunkMissing));
  EXPECT_THAT(*store_->FilesOf(shard), IsEmpty());
  ASSERT_THAT(store_->Put("content"), IsOk());
  EXPECT_EQ(Stored(digest), "content");
}

TEST_P(BlobStoreTest, CountsWhatIsThere) {
  EXPECT_EQ(store_->Count().blobs, 0);
  ASSERT_THAT(store_->Put("12345"), IsOk());
  ASSERT_THAT(store_->Put("678"), IsOk());
  EXPECT_EQ(store_->Count().blobs, 2);
  EXPECT_EQ(store_->Count().bytes, 8);
  Reopen();
  place_->AdvanceSeconds(72 * kHour);
  EXPECT_EQ(Sweep({Sha256Hex("12345")}), 3);
  EXPECT_EQ(store_->Count().blobs, 1);
  EXPECT_EQ(store_->Count().bytes, 5);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, BlobStoreTest,
    ::testing::Values(
        Kind{"Directory", [] { return std::unique_ptr<Place>(std::make_unique<Directory>()); }},
        Kind{"ObjectStorage",
             [] { return std::unique_ptr<Place>(std::make_unique<ObjectStorage>()); }}),
    [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace assay::store
