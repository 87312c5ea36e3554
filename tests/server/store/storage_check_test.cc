#include "server/store/storage_check.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/store/directory_blobs.h"
#include "server/store/postgres.h"
#include "server/store/sqlite.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Response = v1::CheckStorageResponse;
using Finding = Response::Finding;

class StorageCheckTest : public ::testing::Test {
 protected:
  StorageCheckTest() {
#ifdef ASSAY_TEST_POSTGRES
    store_ = *OpenPostgresJobStore(schema_.uri(), &clock_);
#else
    store_ = *OpenSqliteJobStore(directory_.File("jobs.db"), clock_);
#endif
    blobs_ = *DirectoryBlobs::Open(directory_.File("blobs"), nullptr, &clock_);
  }

  std::string Database() const {
#ifdef ASSAY_TEST_POSTGRES
    return schema_.uri();
#else
    return directory_.File("jobs.db");
#endif
  }
  // A model of this content, stored and settled.
  void AddModel(const std::string& id, const std::string& content) {
    ASSERT_THAT(blobs_->Put(content, id), IsOk());
    ASSERT_THAT(store_->CreateModel(MakeModel(id, content), ""), IsOk());
    blobs_->Settle({Sha256Hex(content)}, id);
  }
  std::string PathOf(const std::string& content) const { return blobs_->Path(Sha256Hex(content)); }
  void Overwrite(const std::string& content, const std::string& bytes) {
    std::ofstream(PathOf(content), std::ios::binary) << bytes;
  }

  std::unique_ptr<StorageCheck> NewCheck(
      bool repair = false, std::function<bool()> cancelled = [] { return false; }) {
    auto reader = DatabaseReader::Open(Database(), std::move(cancelled));
    EXPECT_THAT(reader, IsOk());
    return std::make_unique<StorageCheck>(*std::move(reader), *blobs_, repair, [this] {
      return blobs_->Sweep([this](const std::string& digest) {
        const auto used = *store_->BlobsInUse();
        return std::count(used.begin(), used.end(), digest) > 0;
      });
    });
  }
  // The findings; the summary is in summary_.
  std::vector<Finding> Run(StorageCheck& check) {
    std::vector<Finding> findings;
    summary_.Clear();
    while (true) {
      Response message;
      const auto more = check.Next(&message);
      EXPECT_THAT(more, IsOk());
      if (!more.ok() || !*more) return findings;
      EXPECT_FALSE(summary_.has_value()) << "the summary comes last";
      if (message.has_finding()) findings.push_back(message.finding());
      if (message.has_summary()) summary_.value = message.summary();
    }
  }
  std::vector<Finding> Check(bool repair = false) { return Run(*NewCheck(repair)); }

  struct {
    std::optional<Response::Summary> value;
    bool has_value() const { return value.has_value(); }
    void Clear() { value.reset(); }
    const Response::Summary* operator->() const { return &*value; }
  } summary_;
  TempDirectory directory_;
#ifdef ASSAY_TEST_POSTGRES
  PostgresSchema schema_;
#endif
  ManualClock clock_;
  std::unique_ptr<JobStore> store_;
  std::unique_ptr<DirectoryBlobs> blobs_;
};

TEST_F(StorageCheckTest, WhatIsWholeHasNoFindings) {
  AddModel("a", "first");
  AddModel("b", std::string(3 << 20, 'x'));
  EXPECT_THAT(Check(), IsEmpty());
  ASSERT_TRUE(summary_.has_value());
  EXPECT_EQ(summary_->checked_blobs(), 2);
  EXPECT_EQ(summary_->checked_bytes(), (3 << 20) + 5);
}

TEST_F(StorageCheckTest, ACorruptBlobIsNamedWithThoseWhoUseIt) {
  AddModel("a", "first");
  AddModel("b", "second");
  Overwrite("second", "secand");
  const auto findings = Check();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind(), Finding::CORRUPT_BLOB);
  EXPECT_EQ(findings[0].digest(), Sha256Hex("second"));
  EXPECT_THAT(findings[0].users(), ElementsAre("models/b"));
  EXPECT_THAT(findings[0].text(), HasSubstr(Sha256Hex("secand")));
  EXPECT_EQ(summary_->corrupt_blobs(), 1);
  EXPECT_TRUE(*blobs_->Has(Sha256Hex("second"))) << "nothing is changed without repair";
}

TEST_F(StorageCheckTest, RepairMovesACorruptBlobAsideSoThatAnUploadReplacesIt) {
  AddModel("b", "second");
  Overwrite("second", "sec");
  const auto findings = Check(/*repair=*/true);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(findings[0].repaired());
  EXPECT_EQ(summary_->repaired(), 1);
  EXPECT_FALSE(*blobs_->Has(Sha256Hex("second")));
  EXPECT_TRUE(fs::exists(directory_.File("blobs/corrupt/" + Sha256Hex("second"))));
  const auto missing = Check();
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].kind(), Finding::MISSING_BLOB);
  ASSERT_THAT(blobs_->Put("second"), IsOk());
  EXPECT_THAT(Check(), IsEmpty());
}

TEST_F(StorageCheckTest, AMissingBlobIsNamedWithEverybodyWhoNamesIt) {
  AddModel("m", "model");
  ASSERT_THAT(blobs_->Put("chunk"), IsOk());
  ASSERT_THAT(store_->CreateDataset(MakeDataset("d", {"chunk"}), ""), IsOk());
  v1::OutcomeBatch outcomes;
  ASSERT_THAT(store_->CreateEvaluation(MakeEvaluation("e"), MakeTasks(1), ""), IsOk());
  const auto claim = store_->ClaimTask("w", kLease, "");
  ASSERT_TRUE(claim.ok() && claim->has_value());
  outcomes = MakeOutcomes((*claim)->task);
  outcomes.mutable_adversarials()->set_digest(Sha256Hex("kept"));
  outcomes.add_vectors()->set_digest(Sha256Hex("vectors"));
  ASSERT_THAT(store_->CommitTask(**claim, outcomes, MakeNumerics(), {}), IsOk());
  for (const char* content : {"model", "chunk"}) fs::remove(PathOf(content));
  std::map<std::string, std::vector<std::string>> users;
  for (const Finding& finding : Check()) {
    EXPECT_EQ(finding.kind(), Finding::MISSING_BLOB);
    users[finding.digest()] = {finding.users().begin(), finding.users().end()};
  }
  const std::map<std::string, std::vector<std::string>> expected = {
      {Sha256Hex("model"), {"models/m"}},
      {Sha256Hex("chunk"), {"datasets/d"}},
      {Sha256Hex("kept"), {"evaluations/e"}},
      {Sha256Hex("vectors"), {"evaluations/e"}}};
  EXPECT_EQ(users, expected);
  EXPECT_EQ(summary_->missing_blobs(), 4);
}

TEST_F(StorageCheckTest, OrphansAreBlobsThatNobodyHoldsEither) {
  ASSERT_THAT(blobs_->Put("held", "upload"), IsOk());
  ASSERT_THAT(blobs_->Put("left", "other"), IsOk());
  blobs_->Settle({Sha256Hex("left")}, "other");
  const auto findings = Check();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind(), Finding::ORPHANED_BLOB);
  EXPECT_EQ(findings[0].digest(), Sha256Hex("left"));
  EXPECT_EQ(summary_->orphaned_bytes(), 4);
  Check(/*repair=*/true);
  EXPECT_EQ(summary_->repaired(), 1);
  EXPECT_FALSE(fs::exists(PathOf("left")));
  EXPECT_TRUE(fs::exists(PathOf("held")));
}

TEST_F(StorageCheckTest, AFileThatIsNoBlobIsToldAndLeftAlone) {
  AddModel("a", "first");
  const std::string stray = fs::path(PathOf("first")).parent_path() / "notes.txt";
  std::ofstream(stray) << "x";
  const auto findings = Check(/*repair=*/true);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind(), Finding::UNKNOWN_FILE);
  EXPECT_EQ(findings[0].digest(), "notes.txt");
  EXPECT_TRUE(fs::exists(stray));
}

TEST_F(StorageCheckTest, ReferencesAreReadInPartsThatMakeNoDifference) {
  for (int i = 0; i < 40; ++i) AddModel(absl::StrCat("m", i), absl::StrCat("content ", i));
  fs::remove(PathOf("content 7"));
  Overwrite("content 11", "other");
  const auto check = NewCheck();
  check->most_references = 1;
  EXPECT_EQ(Run(*check).size(), 2u);
  EXPECT_EQ(summary_->missing_blobs(), 1);
  EXPECT_EQ(summary_->corrupt_blobs(), 1);
  EXPECT_EQ(summary_->orphaned_blobs(), 0);
}

TEST_F(StorageCheckTest, WhatIsDeletedAndStoredMeanwhileIsNoFinding) {
  AddModel("a", "first");
  AddModel("b", "second");
  const auto check = NewCheck();
  int looks = 0;
  check->on_references = [&] {
    ++looks;
    ASSERT_THAT(store_->DeleteModel("models/b"), IsOk());
    fs::remove(PathOf("second"));
    AddModel("c", "third");
  };
  EXPECT_THAT(Run(*check), IsEmpty());
  EXPECT_EQ(looks, 1);
}

#ifdef ASSAY_TEST_POSTGRES
TEST_F(StorageCheckTest, PagesThatPostgresCannotReadAreAFinding) {
  for (int i = 0; i < 500; ++i) AddModel(absl::StrCat("m", i), absl::StrCat("content ", i));
  std::string file;
  {
    const auto database = PostgresDatabase::Open(schema_.uri());
    ASSERT_THAT(database, IsOk());
    Statement row = (*database)->Query(
        "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('models')");
    ASSERT_TRUE(row.Next());
    file = row.Text(0);
    ASSERT_THAT((*database)->RunScript("CHECKPOINT"), IsOk());
  }
  ASSERT_GT(fs::file_size(file), 2u * 8192u);
  std::fstream pages(file, std::ios::in | std::ios::out | std::ios::binary);
  pages.seekp(8192);
  pages << std::string(8192, '\x55');
  pages.close();
  // Forgets the pages that it holds.
  PostgresServer::Get().Restart();
  const auto reader = DatabaseReader::Open(schema_.uri(), [] { return false; });
  ASSERT_THAT(reader, IsOk());
  const auto problems = (*reader)->FindProblems();
  ASSERT_THAT(problems, IsOk());
  EXPECT_THAT(*problems, ElementsAre(HasSubstr("models, pages 0 to")));
}
#else
TEST_F(StorageCheckTest, ADatabaseThatIsBrokenIsAFinding) {
  for (int i = 0; i < 200; ++i) AddModel(absl::StrCat("m", i), absl::StrCat("content ", i));
  store_.reset();
  const auto size = fs::file_size(directory_.File("jobs.db"));
  std::fstream file(directory_.File("jobs.db"), std::ios::in | std::ios::out | std::ios::binary);
  // Everything behind the pages of the schema.
  file.seekp(static_cast<std::streamoff>(size / 2));
  file << std::string(static_cast<size_t>(size / 2), '\x55');
  file.close();
  const auto findings = Check();
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].kind(), Finding::DATABASE);
  EXPECT_GT(summary_->database_problems(), 0);
}

#endif

TEST_F(StorageCheckTest, ARecordThatNamesOneWhichIsNotThereIsAFinding) {
  ASSERT_THAT(store_->CreateEvaluation(MakeEvaluation("e"), MakeTasks(2), ""), IsOk());
#ifdef ASSAY_TEST_POSTGRES
  const auto database = PostgresDatabase::Open(Database());
  constexpr char kUnchecked[] = "SET session_replication_role = replica";
#else
  const auto database = SqliteDatabase::Open(Database(), clock_);
  constexpr char kUnchecked[] = "PRAGMA foreign_keys = OFF";
#endif
  ASSERT_THAT(database, IsOk());
  ASSERT_THAT((*database)->RunScript(kUnchecked), IsOk());
  ASSERT_THAT((*database)->RunScript("UPDATE tasks SET evaluation = 77 WHERE first_sample = 0"),
              IsOk());
  const auto findings = Check();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind(), Finding::DATABASE);
  EXPECT_THAT(findings[0].text(), HasSubstr("tasks"));
  EXPECT_THAT(findings[0].text(), HasSubstr("name"));
  EXPECT_THAT(findings[0].text(), HasSubstr("one of evaluations that is not there"));
}

TEST_F(StorageCheckTest, ACheckThatIsCancelledEndsWithinTheDatabaseToo) {
  for (int i = 0; i < 2000; ++i) {
    ASSERT_THAT(store_->CreateModel(MakeModel(absl::StrCat("m", i), absl::StrCat(i)), ""), IsOk());
  }
  const auto reader = DatabaseReader::Open(Database(), [] { return true; });
  ASSERT_THAT(reader, IsOk());
  EXPECT_FALSE((*reader)->FindProblems().ok());
}

class BlobCountTest : public StorageCheckTest {};

TEST_F(BlobCountTest, CountsWhatIsThere) {
  EXPECT_EQ(blobs_->Count().blobs, 0);
  ASSERT_THAT(blobs_->Put("12345", "a"), IsOk());
  ASSERT_THAT(blobs_->Put("12345", "b"), IsOk());
  ASSERT_THAT(blobs_->Put("678", "a"), IsOk());
  EXPECT_EQ(blobs_->Count().blobs, 2);
  EXPECT_EQ(blobs_->Count().bytes, 8);
  blobs_->Settle({Sha256Hex("678")}, "a");
  const auto removed = blobs_->Sweep([](const std::string&) { return false; });
  ASSERT_THAT(removed, IsOk());
  EXPECT_EQ(removed->blobs, 1);
  EXPECT_EQ(removed->bytes, 3);
  EXPECT_EQ(blobs_->Count().blobs, 1);
  EXPECT_EQ(blobs_->Count().bytes, 5);
  // One that is replaced by its right bytes.
  Overwrite("12345", "1234567");
  blobs_ = *DirectoryBlobs::Open(directory_.File("blobs"), nullptr, &clock_);
  EXPECT_EQ(blobs_->Count().bytes, 7);
  ASSERT_THAT(blobs_->Put("12345"), IsOk());
  EXPECT_EQ(blobs_->Count().blobs, 1);
  EXPECT_EQ(blobs_->Count().bytes, 5);
  ASSERT_THAT(blobs_->MoveAside(Sha256Hex("12345")), IsOk());
  EXPECT_EQ(blobs_->Count().blobs, 0);
  EXPECT_EQ(blobs_->Count().bytes, 0);
  EXPECT_THAT(blobs_->MoveAside(Sha256Hex("12345")), HasReason(Reason::kChunkMissing));
}

}  // namespace
}  // namespace assay::store
