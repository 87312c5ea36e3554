// Files of earlier versions become files of this one, with all that is in them.
#include <filesystem>
#include <fstream>

#include "server/store/sqlite.h"
#include "server/store/sqlite_file.h"
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

// What the version of that day wrote (tests/integration/stored_test.cc).
constexpr char kVersion1[] = ASSAY_SOURCE_DIR "/tests/integration/stored/2026-11-28/assay.db";

int64_t Number(Database& database, const char* sql) {
  Statement row = database.Query(sql);
  EXPECT_TRUE(row.Next());
  return row.Int(0);
}

class SchemaTest : public ::testing::Test {
 protected:
  SchemaTest() {
    std::filesystem::copy_file(kVersion1, path_);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
  }
  const TempDirectory directory_;
  const std::string path_ = directory_.File("assay.db");
  ManualClock clock_;
};

TEST_F(SchemaTest, AFileOfVersion1GetsTheTablesThatCameLater) {
  int64_t outcomes = 0;
  {
    const auto before = SqliteDatabase::Open(path_, clock_);
    ASSERT_THAT(before, IsOk());
    ASSERT_EQ(Number(**before, "PRAGMA user_version"), 1);
    EXPECT_FALSE((*before)->Query("SELECT * FROM kept_vectors").Next());
    outcomes = Number(**before, "SELECT count(*) FROM outcomes");
    ASSERT_GT(outcomes, 0);
  }
  // Twice: the second finds it done.
  for (int i = 0; i < 2; ++i) {
    const auto database = OpenSqliteFile(path_, clock_);
    ASSERT_THAT(database, IsOk());
    EXPECT_EQ(Number(**database, "PRAGMA user_version"), 4);
    EXPECT_EQ(Number(**database, "SELECT count(*) FROM kept_vectors"), 0);
    EXPECT_EQ(Number(**database, "SELECT count(*) FROM outcomes"), outcomes);
  }
  // The same tables as in a new file.
  const auto tables = [](Database& database) {
    std::vector<std::string> all;
    Statement rows =
        database.Query("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name");
    while (rows.Next()) all.push_back(rows.Text(0));
    return all;
  };
  const auto old = OpenSqliteFile(path_, clock_);
  const auto fresh = OpenSqliteFile(directory_.File("new.db"), clock_);
  ASSERT_THAT(old, IsOk());
  ASSERT_THAT(fresh, IsOk());
  EXPECT_EQ(tables(**old), tables(**fresh));
}

TEST_F(SchemaTest, WorkGoesOnInAFileOfVersion1AndKeepsVectors) {
  const auto store = OpenSqliteJobStore(path_, clock_, Sharing::kExclusive);
  ASSERT_THAT(store, IsOk());
  const auto old = (*store)->BlobsInUse();
  ASSERT_THAT(old, IsOk());
  EXPECT_FALSE(old->empty());
  const auto claim = (*store)->ClaimTask("w", kLease, "");
  ASSERT_THAT(claim, IsOk());
  ASSERT_TRUE(claim->has_value());
  EXPECT_EQ((*claim)->task.evaluation, "evaluations/unfinished");
  v1::OutcomeBatch outcomes = MakeOutcomes((*claim)->task);
  outcomes.add_vectors()->set_digest(Sha256Hex("vectors"));
  ASSERT_THAT((*store)->CommitTask(**claim, outcomes, MakeNumerics(), {}), IsOk());
  const auto used = (*store)->BlobsInUse();
  ASSERT_THAT(used, IsOk());
  EXPECT_EQ(used->size(), old->size() + 1);
  EXPECT_THAT(*used, ::testing::Contains(Sha256Hex("vectors")));
  // Half of it would be known, which is wrong for the whole.
  EXPECT_EQ((*store)->GetEvaluation("evaluations/unfinished")->provenance.ByteSizeLong(), 0u);
}

}  // namespace
}  // namespace assay::store
