// What was acknowledged survives: restarts, full disks, kills; and files that are not ours are left
// alone.
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "server/store/directory_blobs.h"
#include "server/store/sqlite.h"
#include "server/store/sqlite_file.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using v1::Evaluation;

using DurabilityTest = JobStoreTest;

std::string ReadFile(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

int64_t Number(Database& database, const std::string& sql) {
  Statement row = database.Query(sql);
  EXPECT_TRUE(row.Next()) << row.status();
  return row.Int(0);
}

TEST_F(DurabilityTest, EverythingAcknowledgedIsInTheFilesOfARunningStore) {
  ASSERT_THAT(store_->CreateModel(MakeModel("m"), ""), IsOk());
  Create("e", MakeTasks(3));
  Commit(Claim());
  const ClaimedTask running = Claim();
  // What a crash would leave: a copy taken while the store is open, before any checkpoint.
  const std::string copy = directory_.File("copy.db");
  std::filesystem::copy_file(path(), copy);
  std::filesystem::copy_file(path() + "-wal", copy + "-wal");
  const auto recovered = OpenSqliteJobStore(copy, clock_);
  ASSERT_THAT(recovered, IsOk());
  EXPECT_THAT((*recovered)->GetModel("models/m"), IsOk());
  const auto evaluation = (*recovered)->GetEvaluation("evaluations/e");
  ASSERT_THAT(evaluation, IsOk());
  EXPECT_EQ(evaluation->proto.SerializeAsString(), Get("e").proto.SerializeAsString());
  EXPECT_EQ(ReadAllOutcomes(**recovered, "evaluations/e")->size(), 1u);
  // The claim lives on, too: a worker that outlives the server's crash can commit.
  EXPECT_THAT((*recovered)->CommitTask(running, MakeOutcomes(running.task), MakeNumerics(), {}),
              IsOk());
}

TEST_F(DurabilityTest, CommitsAreSyncedToAWriteAheadLog) {
  const auto database = OpenSqliteFile(path(), clock_);
  ASSERT_THAT(database, IsOk());
  EXPECT_EQ(Number(**database, "PRAGMA synchronous"), 2);  // FULL
  EXPECT_EQ(Number(**database, "PRAGMA foreign_keys"), 1);
  EXPECT_EQ(Number(**database, "PRAGMA user_version"), 4);
  Statement mode = (*database)->Query("PRAGMA journal_mode");
  ASSERT_TRUE(mode.Next());
  EXPECT_EQ(mode.Text(0), "wal");
}

TEST_F(DurabilityTest, FileOfANewerVersionIsRefusedAndLeftAlone) {
  const std::string newer = directory_.File("newer.db");
  {
    const auto database = SqliteDatabase::Open(newer, clock_);
    ASSERT_THAT(database, IsOk());
    ASSERT_THAT((*database)->RunScript("CREATE TABLE t (x); PRAGMA user_version = 99"), IsOk());
  }
  const std::string before = ReadFile(newer);
  const auto store = OpenSqliteJobStore(newer, clock_);
  EXPECT_THAT(store, HasReason(Reason::kStorageFailed));
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("99"));
  EXPECT_EQ(ReadFile(newer), before);
  EXPECT_FALSE(std::filesystem::exists(newer + "-wal"));
}

TEST_F(DurabilityTest, FilesOfOtherProgramsAreRefusedAndLeftAlone) {
  const std::string foreign = directory_.File("foreign.db");
  {
    const auto database = SqliteDatabase::Open(foreign, clock_);
    ASSERT_THAT(database, IsOk());
    ASSERT_THAT((*database)->RunScript("CREATE TABLE t (x)"), IsOk());
  }
  const std::string text = directory_.File("text.db");
  std::ofstream(text) << std::string(5000, 't');
  for (const std::string& path : {foreign, text}) {
    const std::string before = ReadFile(path);
    EXPECT_THAT(OpenSqliteJobStore(path, clock_), HasReason(Reason::kStorageFailed));
    EXPECT_EQ(ReadFile(path), before);
  }
  EXPECT_THAT(OpenSqliteJobStore(directory_.File("no/such/directory.db"), clock_),
              HasReason(Reason::kStorageFailed));
}

TEST_F(DurabilityTest, ManyCanOpenANewFileAtOnce) {
  const std::string fresh = directory_.File("fresh.db");
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const auto store = OpenSqliteJobStore(fresh, clock_);
      if (!store.ok() || !(*store)->CreateModel(MakeModel(absl::StrCat("m", t)), "").ok()) {
        ++failures;
        ADD_FAILURE() << store.status();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ((*OpenSqliteJobStore(fresh, clock_))->ListModels({}, {})->records.size(), 8u);
}

// Makes SQLite's writes fail while it lives, through the hooks that its own tests use.
class FailingDisk {
 public:
  explicit FailingDisk(int error) {
    error_ = error;
    for (const char* call : kCalls) {
      saved_.push_back(vfs_->xGetSystemCall(vfs_, call));
      if (saved_.back() != nullptr) {
        vfs_->xSetSystemCall(vfs_, call, reinterpret_cast<sqlite3_syscall_ptr>(&Fail));
      }
    }
  }
  ~FailingDisk() {
    for (size_t i = 0; i < saved_.size(); ++i) {
      if (saved_[i] != nullptr) vfs_->xSetSystemCall(vfs_, kCalls[i], saved_[i]);
    }
  }

 private:
  // Stands for write(fd, data, size) and pwrite(fd, data, size, offset) alike.
  static ssize_t Fail(int, const void*, size_t, int64_t) {
    errno = error_;
    return -1;
  }
  static constexpr const char* kCalls[] = {"write", "pwrite", "pwrite64"};
  inline static int error_ = 0;
  sqlite3_vfs* const vfs_ = ::sqlite3_vfs_find(nullptr);
  std::vector<sqlite3_syscall_ptr> saved_;
};

TEST_F(DurabilityTest, FullOrBrokenDiskFailsTheCallClearlyAndNothingElse) {
  Create("e", MakeTasks(2));
  const ClaimedTask claim = Claim();
  const EvaluationRecord before = Get("e");
  const struct {
    int error;
    Reason reason;
  } cases[] = {{ENOSPC, Reason::kStorageFull},
               {EDQUOT, Reason::kStorageFull},
               {EIO, Reason::kStorageFailed}};
  for (const auto& test : cases) {
    {
      const FailingDisk disk(test.error);
      const absl::Status commit =
          store_->CommitTask(claim, MakeOutcomes(claim.task), MakeNumerics(), {});
      EXPECT_THAT(commit, HasReason(test.reason));
      EXPECT_THAT(std::string(commit.message()), Not(HasSubstr(path())));
      EXPECT_THAT(store_->CreateModel(MakeModel("m"), ""), HasReason(test.reason));
      EXPECT_THAT(store_->CreateEvaluation(MakeEvaluation("f"), MakeTasks(500), ""),
                  HasReason(test.reason));
      EXPECT_THAT(OpenSqliteJobStore(directory_.File("new.db"), clock_), HasReason(test.reason));
      // Reading goes on.
      EXPECT_EQ(Get("e").proto.SerializeAsString(), before.proto.SerializeAsString());
    }
    EXPECT_THAT(store_->GetModel("models/m"), HasReason(Reason::kNotFound));
    EXPECT_THAT(store_->GetEvaluation("evaluations/f"), HasReason(Reason::kNotFound));
    EXPECT_EQ(ReadAllOutcomes(*store_, "evaluations/e")->size(), 0u);
  }
  Commit(claim);
  Reopen();
  EXPECT_EQ(ReadAllOutcomes(*store_, "evaluations/e")->size(), 1u);
  EXPECT_THAT(store_->CreateEvaluation(MakeEvaluation("f"), MakeTasks(500), ""), IsOk());
}

TEST_F(DurabilityTest, TransactionThatIsNotCommittedLeavesNothing) {
  auto database = *SqliteDatabase::Open(directory_.File("plain.db"), clock_);
  ASSERT_THAT(database->RunScript("CREATE TABLE t (x)"), IsOk());
  {
    Transaction transaction(*database, Transaction::kWrite);
    ASSERT_THAT(transaction.status(), IsOk());
    ASSERT_THAT(database->Run("INSERT INTO t VALUES (?)", 1), IsOk());
  }
  EXPECT_EQ(Number(*database, "SELECT count(*) FROM t"), 0);
  {
    Transaction transaction(*database, Transaction::kWrite);
    ASSERT_THAT(database->Run("INSERT INTO t VALUES (?)", 1), IsOk());
    ASSERT_THAT(transaction.Commit(), IsOk());
  }
  EXPECT_EQ(Number(*database, "SELECT count(*) FROM t"), 1);
  EXPECT_THAT(database->Run("INSERT INTO nowhere VALUES (1)"), HasReason(Reason::kStorageFailed));
}

// Runs `work` in a child process, which tells what it has acknowledged by writing numbers to the
// pipe, and kills it in the midst of it, after `acknowledged` of them. Returns all that it told.
template <typename Work>
std::vector<int> RunAndKill(int acknowledged, Work work) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    work([&](int number) {
      if (::write(ends[1], &number, sizeof(number)) != sizeof(number)) ::_exit(1);
    });
    ::_exit(0);
  }
  ::close(ends[1]);
  std::vector<int> told;
  int number = 0;
  while (::read(ends[0], &number, sizeof(number)) == sizeof(number)) {
    told.push_back(number);
    if (static_cast<int>(told.size()) == acknowledged) ::kill(child, SIGKILL);
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
  return told;
}

TEST_F(DurabilityTest, KilledServerLosesNothingThatItAcknowledged) {
  constexpr int kTasks = 3000;
  Create("e", MakeTasks(kTasks));
  std::set<int> acknowledged;
  for (int round = 1; round <= 4; ++round) {
    store_.reset();
    const std::vector<int> told = RunAndKill(20 * round, [&](const auto& tell) {
      auto store = OpenSqliteJobStore(path(), clock_);
      if (!store.ok()) ::_exit(2);
      while (true) {
        const auto claim = (*store)->ClaimTask("child", 1, "");
        if (!claim.ok() || !claim->has_value()) ::_exit(3);
        if (!(*store)->CommitTask(**claim, MakeOutcomes((*claim)->task), MakeNumerics(), {}).ok()) {
          ::_exit(4);
        }
        tell(static_cast<int>((*claim)->task.first_sample));
      }
    });
    EXPECT_GE(told.size(), static_cast<size_t>(20 * round));
    acknowledged.insert(told.begin(), told.end());
    clock_.AdvanceSeconds(1);
    Reopen();
    std::set<int> stored;
    const auto outcomes = ReadAllOutcomes(*store_, "evaluations/e");
    ASSERT_THAT(outcomes, IsOk());
    for (const TaskOutcomes& task : *outcomes) {
      EXPECT_TRUE(stored.insert(static_cast<int>(task.first_sample)).second);
    }
    for (const int first_sample : acknowledged) EXPECT_EQ(stored.count(first_sample), 1u);
    // At most one commit a round was done but not yet told.
    EXPECT_LE(stored.size(), acknowledged.size() + static_cast<size_t>(round));
    EXPECT_EQ(Get("e").proto.progress().tasks_done(), static_cast<int64_t>(stored.size()));
  }
}

TEST_F(DurabilityTest, KilledUploadLosesNoBlobThatItAcknowledged) {
  const std::string root = directory_.File("blobs");
  const auto content = [](int number) {
    return absl::StrCat(number, std::string(static_cast<size_t>(20'000 + 997 * number), 'x'));
  };
  const std::vector<int> told = RunAndKill(25, [&](const auto& tell) {
    auto store = DirectoryBlobs::Open(root);
    if (!store.ok()) ::_exit(2);
    for (int number = 0; number < 100'000; ++number) {
      if (!(*store)->Put(content(number)).ok()) ::_exit(3);
      tell(number);
    }
  });
  const auto store = DirectoryBlobs::Open(root);
  ASSERT_THAT(store, IsOk());
  for (const int number : told) {
    const auto read = (*store)->Read(Sha256Hex(content(number)));
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(*read, content(number));
  }
  // The one that was being written is either whole or not there.
  const int next = told.back() + 1;
  if (*(*store)->Has(Sha256Hex(content(next)))) {
    EXPECT_EQ(*(*store)->Read(Sha256Hex(content(next))), content(next));
  }
}

TEST_F(DurabilityTest, WhoeverOpensTheFileAloneGivesTheTasksOfTheDeadBack) {
  Create("e", MakeTasks(3));
  Commit(Claim());
  const ClaimedTask dead = Claim();
  const ClaimedTask waiting = Claim();
  ASSERT_THAT(store_->ReleaseTask(waiting, /*count_attempt=*/true, /*wait_micros=*/5), IsOk());
  Reopen();
  EXPECT_TRUE(QueueIsEmpty()) << "others may use the file, too";
  store_.reset();
  store_ = *OpenSqliteJobStore(path(), clock_, Sharing::kExclusive);
  const ClaimedTask again = Claim();
  EXPECT_EQ(again.task.id, dead.task.id);
  EXPECT_EQ(again.attempt, 1) << "its death is not the task's fault";
  EXPECT_TRUE(QueueIsEmpty()) << "what waits for its next attempt, or is done, stays as it is";
  EXPECT_THAT(store_->CommitTask(dead, MakeOutcomes(dead.task), MakeNumerics(), {}),
              HasReason(Reason::kLeaseLost));
  EXPECT_EQ(Get("e").proto.progress().tasks_done(), 1);
}

}  // namespace
}  // namespace assay::store
