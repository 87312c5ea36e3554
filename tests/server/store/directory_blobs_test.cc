// What is particular to blobs in a directory; what holds for all is in blob_store_test.cc.
#include "server/store/directory_blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <thread>

#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Fails the n-th call of a kind, counted from now, with an errno; writes at most `max_write` bytes
// at a time.
class FaultyFileOps final : public FileOps {
 public:
  struct Fault {
    int countdown = 0;  // 0: no fault planned; 1: the next call
    int error = 0;
    bool Strikes() {
      if (countdown == 0 || --countdown > 0) return false;
      errno = error;
      return true;
    }
  };
  int Open(const std::string& p, int flags, int mode) override {
    return open.Strikes() ? -1 : FileOps::Open(p, flags, mode);
  }
  int64_t Write(int fd, const void* data, size_t size) override {
    ++writes;
    return write.Strikes() ? -1 : FileOps::Write(fd, data, std::min(size, max_write));
  }
  int Fsync(int fd) override {
    ++syncs;
    return fsync.Strikes() ? -1 : FileOps::Fsync(fd);
  }
  int Rename(const std::string& from, const std::string& to) override {
    syncs_before_rename = syncs;
    return rename.Strikes() ? -1 : FileOps::Rename(from, to);
  }
  Fault open, write, fsync, rename;
  size_t max_write = 1 << 20;
  int writes = 0, syncs = 0, syncs_before_rename = 0;
};

class DirectoryBlobsTest : public ::testing::Test {
 protected:
  DirectoryBlobsTest() { Reopen(); }
  void Reopen() {
    auto store = DirectoryBlobs::Open(root(), &ops_);
    if (!store.ok()) {
      ADD_FAILURE() << store.status();
      std::abort();
    }
    store_ = *std::move(store);
  }
  std::string root() const { return directory_.File("deep/blobs"); }
  // Every regular file under the root, relative to it.
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(root())) {
      if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), root()).string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  // The directory of the blob with this content is there since an earlier run.
  void MakeShardOf(const std::string& content) {
    fs::create_directory(root() + "/" + Sha256Hex(content).substr(0, 2));
    Reopen();
  }
  absl::Status Upload(const std::string& content) { return store_->Put(content).status(); }
  static void MakeOld(const std::string& path, int64_t seconds) {
    const timespec then = {::time(nullptr) - seconds, 0};
    const timespec times[2] = {then, then};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

  TempDirectory directory_;
  FaultyFileOps ops_;
  std::unique_ptr<DirectoryBlobs> store_;
};

TEST_F(DirectoryBlobsTest, PutBlobCanBeReadBackUnderItsSha256) {
  const auto digest = store_->Put("abc");
  ASSERT_THAT(digest, IsOk());
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(*digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_TRUE(*store_->Has(*digest));
  EXPECT_EQ(*store_->Size(*digest), 3);
  EXPECT_EQ(*store_->Read(*digest), "abc");
  EXPECT_EQ(store_->Path(*digest), root() + "/ba/" + *digest);
  EXPECT_THAT(Files(), ElementsAre("ba/" + *digest));
}

TEST_F(DirectoryBlobsTest, BlobArrivesInPiecesAndIsInvisibleUntilCommit) {
  const std::string content(3'000'000, 'x');
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
  EXPECT_EQ(*store_->Read(digest), content);
  EXPECT_THAT((*writer)->Append("x"), HasReason(Reason::kInternal));
  EXPECT_THAT((*writer)->Commit(), HasReason(Reason::kInternal));
  EXPECT_THAT(Files(), ElementsAre(digest.substr(0, 2) + "/" + digest));
}

TEST_F(DirectoryBlobsTest, FileIsSyncedBeforeItsNameAndTheDirectoryAfterIt) {
  MakeShardOf("a");
  const int before = ops_.syncs;
  ASSERT_THAT(Upload("a"), IsOk());
  EXPECT_EQ(ops_.syncs_before_rename - before, 1);
  EXPECT_EQ(ops_.syncs - before, 2);
}

TEST_F(DirectoryBlobsTest, NewDirectoryIsSyncedBeforeABlobInItIsAcknowledged) {
  ops_.fsync = {2, EIO};
  EXPECT_THAT(Upload("a"), HasReason(Reason::kStorageFailed));
  EXPECT_THAT(Files(), IsEmpty());
  // The directory is there now, but nobody has synced it yet.
  const int before = ops_.syncs;
  ASSERT_THAT(Upload("a"), IsOk());
  EXPECT_EQ(ops_.syncs - before, 3);
  ASSERT_THAT(Upload("a"), IsOk());
  EXPECT_EQ(ops_.syncs - before, 5);
}

TEST_F(DirectoryBlobsTest, AbandonedWriterLeavesNoTrace) {
  {
    auto writer = store_->Create(Sha256Hex("abc"), 3);
    ASSERT_THAT(writer, IsOk());
    ASSERT_THAT((*writer)->Append("ab"), IsOk());
    EXPECT_EQ(Files().size(), 1u);
  }
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(DirectoryBlobsTest, OtherBytesThanAnnouncedAreRefused) {
  const std::string digest = Sha256Hex("abc");
  auto writer = store_->Create(digest, 3);
  ASSERT_THAT(writer, IsOk());
  ASSERT_THAT((*writer)->Append("abd"), IsOk());
  EXPECT_THAT((*writer)->Commit(), HasReason(Reason::kDigestMismatch));
  EXPECT_FALSE(*store_->Has(digest));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(DirectoryBlobsTest, FewerBytesThanAnnouncedAreRefused) {
  auto writer = store_->Create(Sha256Hex("abc"), 3);
  ASSERT_THAT(writer, IsOk());
  ASSERT_THAT((*writer)->Append("ab"), IsOk());
  EXPECT_EQ((*writer)->remaining_bytes(), 1);
  const absl::Status status = (*writer)->Commit();
  EXPECT_THAT(status, HasReason(Reason::kUploadIncomplete));
  EXPECT_THAT(std::string(status.message()), HasSubstr("2 of 3 bytes"));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(DirectoryBlobsTest, MoreBytesThanAnnouncedAreRefusedForGood) {
  auto writer = store_->Create(Sha256Hex("abc"), 3);
  ASSERT_THAT(writer, IsOk());
  ASSERT_THAT((*writer)->Append("abc"), IsOk());
  EXPECT_THAT((*writer)->Append("d"), HasReason(Reason::kTooLarge));
  EXPECT_THAT((*writer)->Commit(), HasReason(Reason::kTooLarge));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(DirectoryBlobsTest, ShortAndInterruptedWritesAreContinued) {
  ops_.max_write = 7;
  ops_.write = {2, EINTR};
  const std::string content = "a text that takes several writes";
  const auto digest = store_->Put(content);
  ASSERT_THAT(digest, IsOk());
  EXPECT_EQ(*store_->Read(*digest), content);
  EXPECT_EQ(ops_.writes, 6);
}

struct FaultCase {
  const char* name;
  FaultyFileOps::Fault FaultyFileOps::*which;
  FaultyFileOps::Fault fault;
  Reason reason;
};

class DirectoryBlobsFaultTest : public DirectoryBlobsTest,
                                public ::testing::WithParamInterface<FaultCase> {};

TEST_P(DirectoryBlobsFaultTest, NothingIsVisibleTheErrorIsClearAndARetryWorks) {
  const std::string content = "some content";
  const std::string digest = Sha256Hex(content);
  MakeShardOf(content);
  ops_.max_write = 5;
  ops_.*GetParam().which = GetParam().fault;
  const absl::Status status = Upload(content);
  EXPECT_THAT(status, HasReason(GetParam().reason));
  if (GetParam().reason == Reason::kStorageFull) {
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(root())));
  } else {
    EXPECT_THAT(std::string(status.message()), HasSubstr(root()));
  }
  EXPECT_FALSE(*store_->Has(digest));
  EXPECT_THAT(Files(), IsEmpty());

  ASSERT_THAT(Upload(content), IsOk());
  EXPECT_EQ(*store_->Read(digest), content);
}

TEST_P(DirectoryBlobsFaultTest, BlobThatWasThereBeforeSurvives) {
  ASSERT_THAT(Upload("some content"), IsOk());
  ops_.max_write = 5;
  ops_.*GetParam().which = GetParam().fault;
  EXPECT_THAT(Upload("some content"), HasReason(GetParam().reason));
  EXPECT_EQ(*store_->Read(Sha256Hex("some content")), "some content");
  EXPECT_EQ(Files().size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, DirectoryBlobsFaultTest,
    ::testing::Values(
        FaultCase{"CreateOnFullDisk", &FaultyFileOps::open, {1, ENOSPC}, Reason::kStorageFull},
        FaultCase{"CreateDenied", &FaultyFileOps::open, {1, EACCES}, Reason::kStorageFailed},
        FaultCase{"FullDisk", &FaultyFileOps::write, {1, ENOSPC}, Reason::kStorageFull},
        FaultCase{"FullDiskHalfWay", &FaultyFileOps::write, {2, ENOSPC}, Reason::kStorageFull},
        FaultCase{"Quota", &FaultyFileOps::write, {1, EDQUOT}, Reason::kStorageFull},
        FaultCase{"BrokenWrite", &FaultyFileOps::write, {3, EIO}, Reason::kStorageFailed},
        FaultCase{"BrokenSync", &FaultyFileOps::fsync, {1, EIO}, Reason::kStorageFailed},
        FaultCase{"FullDiskAtSync", &FaultyFileOps::fsync, {1, ENOSPC}, Reason::kStorageFull},
        FaultCase{"BrokenRename", &FaultyFileOps::rename, {1, EIO}, Reason::kStorageFailed},
        FaultCase{"DirectoryNotOpened", &FaultyFileOps::open, {2, EMFILE}, Reason::kStorageFailed},
        FaultCase{"DirectoryNotSynced", &FaultyFileOps::fsync, {2, EIO}, Reason::kStorageFailed}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST_F(DirectoryBlobsTest, FailedWriteIsNotForgottenByCommit) {
  auto writer = store_->Create(Sha256Hex("abcdef"), 6);
  ASSERT_THAT(writer, IsOk());
  ops_.write = {1, ENOSPC};
  EXPECT_THAT((*writer)->Append("abc"), HasReason(Reason::kStorageFull));
  EXPECT_THAT((*writer)->Append("def"), HasReason(Reason::kStorageFull));
  EXPECT_THAT((*writer)->Commit(), HasReason(Reason::kStorageFull));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(DirectoryBlobsTest, ReadErrorIsToldApartFromAMissingBlob) {
  const std::string digest = *store_->Put("abc");
  ops_.open = {1, EIO};
  EXPECT_THAT(store_->Read(digest), HasReason(Reason::kStorageFailed));
  EXPECT_EQ(*store_->Read(digest), "abc");
}

TEST_F(DirectoryBlobsTest, OpenFailsWhereADirectoryCannotBe) {
  const std::string file = directory_.File("file");
  std::ofstream(file) << "not a directory";
  EXPECT_THAT(DirectoryBlobs::Open(file + "/blobs"), HasReason(Reason::kStorageFailed));
  EXPECT_THAT(DirectoryBlobs::Open(file), HasReason(Reason::kStorageFailed));
}

TEST_F(DirectoryBlobsTest, ReopenedStoreHasItsBlobsAndLosesOnlyStaleWrites) {
  const std::string digest = *store_->Put("abc");
  const std::string stale = root() + "/tmp/stale";
  const std::string fresh = root() + "/tmp/fresh";
  std::ofstream(stale) << "x";
  std::ofstream(fresh) << "x";
  MakeOld(stale, 3700);
  MakeOld(fresh, 3500);
  Reopen();
  EXPECT_EQ(*store_->Read(digest), "abc");
  EXPECT_FALSE(fs::exists(stale));
  EXPECT_TRUE(fs::exists(fresh));
}

TEST_F(DirectoryBlobsTest, SweepRemovesWhatIsOldAndUnusedOnly) {
  const std::string used = *store_->Put("used");
  const std::string young = *store_->Put("young");
  const std::string old = *store_->Put("old one");
  MakeOld(store_->Path(used), BlobStore::kHoldSeconds + 100);
  MakeOld(store_->Path(young), BlobStore::kHoldSeconds - 100);
  MakeOld(store_->Path(old), BlobStore::kHoldSeconds + 100);
  std::ofstream(root() + "/tmp/write") << "in progress";
  const auto in_use = [&](const std::string& digest) { return digest == used; };

  const auto freed = store_->Sweep(in_use);
  ASSERT_THAT(freed, IsOk());
  EXPECT_EQ(freed->bytes, 7);
  EXPECT_TRUE(fs::exists(store_->Path(used)));
  EXPECT_TRUE(fs::exists(store_->Path(young)));
  EXPECT_FALSE(fs::exists(store_->Path(old)));
  EXPECT_TRUE(fs::exists(root() + "/tmp/write"));
  EXPECT_EQ(store_->Sweep(in_use)->bytes, 0);
  MakeOld(store_->Path(young), BlobStore::kHoldSeconds + 100);
  EXPECT_EQ(store_->Sweep(in_use)->bytes, 5);
}

TEST_F(DirectoryBlobsTest, BlobWhosePresenceWasToldOrThatCameAgainIsYoung) {
  const std::string told = *store_->Put("told");
  const std::string again = *store_->Put("again");
  MakeOld(store_->Path(told), BlobStore::kHoldSeconds + 100);
  MakeOld(store_->Path(again), BlobStore::kHoldSeconds + 100);
  EXPECT_TRUE(*store_->Has(told));
  EXPECT_THAT(Upload("again"), IsOk());
  EXPECT_EQ(store_->Sweep([](const std::string&) { return false; })->bytes, 0);
}

TEST_F(DirectoryBlobsTest, ManyThreadsOfTwoStoresWriteTheSameBlobs) {
  const auto other = DirectoryBlobs::Open(root());
  ASSERT_THAT(other, IsOk());
  // FaultyFileOps counts without locks, so both stores here use the plain operations.
  const auto plain = DirectoryBlobs::Open(root());
  ASSERT_THAT(plain, IsOk());
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      BlobStore& store = t % 2 == 0 ? **plain : **other;
      for (int i = 0; i < 20; ++i) {
        if (!store.Put(absl::StrCat("blob ", i)).ok()) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(Files().size(), 20u);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(*store_->Read(Sha256Hex(absl::StrCat("blob ", i))), absl::StrCat("blob ", i));
  }
}

}  // namespace
}  // namespace assay::store
