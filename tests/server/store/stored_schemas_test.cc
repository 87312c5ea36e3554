// A database of each version that was ever released becomes one of this version, with all that is
// in it, and its work goes on. stored/ has them as SQL: the tables as that version made them, and
// an evaluation of which 48 of 72 tasks were done. A new version gets its files when it is
// released.
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/store/sql.h"
#ifdef ASSAY_TEST_POSTGRES
#include "server/store/postgres.h"
#else
#include "server/store/sqlite.h"
#include "server/store/sqlite_file.h"
#endif
#include "tests/server/store/store_test_util.h"

namespace assay::store {
namespace {

using ::testing::Contains;

class StoredSchemaTest : public JobStoreTest, public ::testing::WithParamInterface<int> {
 protected:
#ifdef ASSAY_TEST_POSTGRES
  static constexpr char kKind[] = "postgres";
  std::unique_ptr<Database> Connect(bool old) {
    return *PostgresDatabase::Open(old ? old_schema_.uri() : schema_.uri());
  }
  absl::StatusOr<std::unique_ptr<JobStore>> OpenOld() {
    return OpenPostgresJobStore(old_schema_.uri(), &clock_);
  }
  // Every column and index.
  std::string Describe(Database& database) {
    std::string text;
    Statement columns = database.Query(
        "SELECT table_name, column_name, data_type, is_nullable, is_identity, collation_name, "
        "column_default FROM information_schema.columns WHERE table_schema = current_schema() "
        "ORDER BY table_name, ordinal_position");
    while (columns.Next()) {
      for (int i = 0; i < 7; ++i) absl::StrAppend(&text, columns.Text(i), " ");
      absl::StrAppend(&text, "\n");
    }
    Statement indexes = database.Query(
        "SELECT replace(indexdef, current_schema(), 'schema') FROM pg_indexes "
        "WHERE schemaname = current_schema() ORDER BY indexname");
    while (indexes.Next()) absl::StrAppend(&text, indexes.Text(0), "\n");
    EXPECT_THAT(columns.status(), IsOk());
    EXPECT_THAT(indexes.status(), IsOk());
    return text;
  }
  const PostgresSchema old_schema_;
#else
  static constexpr char kKind[] = "sqlite";
  std::unique_ptr<Database> Connect(bool old) {
    return *SqliteDatabase::Open(old ? directory_.File("old.db") : path(), clock_);
  }
  absl::StatusOr<std::unique_ptr<JobStore>> OpenOld() {
    return OpenSqliteJobStore(directory_.File("old.db"), clock_);
  }
  std::string Describe(Database& database) {
    std::string text;
    Statement rows =
        database.Query("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name");
    while (rows.Next()) absl::StrAppend(&text, rows.Text(0), "\n");
    return text;
  }
#endif

  // The stored database of the version, in the place from which OpenOld opens.
  void Restore(int version) {
    const std::string path = absl::StrCat(ASSAY_SOURCE_DIR "/tests/server/store/stored/version",
                                          version, ".", kKind, ".sql");
    std::ifstream file(path);
    const std::string script{std::istreambuf_iterator<char>(file),
                             std::istreambuf_iterator<char>()};
    ASSERT_FALSE(script.empty()) << path;
    ASSERT_THAT(Connect(/*old=*/true)->RunScript(script), IsOk());
  }
};

TEST_P(StoredSchemaTest, GetsTheTablesOfANewDatabase) {
  Restore(GetParam());
  EXPECT_NE(Describe(*Connect(true)), Describe(*Connect(false)));
  // Twice: the second finds it done.
  for (int i = 0; i < 2; ++i) ASSERT_THAT(OpenOld(), IsOk());
  EXPECT_EQ(Describe(*Connect(true)), Describe(*Connect(false)));
}

TEST_P(StoredSchemaTest, KeepsWhatIsInItAndItsWorkGoesOn) {
  Restore(GetParam());
  auto opened = OpenOld();
  ASSERT_THAT(opened, IsOk());
  JobStore& old = **opened;
  const std::string name = "evaluations/unfinished";
  const auto before = old.GetEvaluation(name);
  ASSERT_THAT(before, IsOk());
  EXPECT_EQ(before->proto.state(), v1::Evaluation::RUNNING);
  EXPECT_EQ(before->proto.progress().tasks(), 72);
  EXPECT_EQ(before->proto.progress().tasks_done(), 48);
  EXPECT_EQ(ReadAllOutcomes(old, name)->size(), 48u);
  EXPECT_EQ(old.ListModels({}, {})->records.size(), 1u);
  const auto dataset = old.GetDataset(before->proto.spec().dataset());
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(dataset->manifest().chunks_size(), 1);
  const bool labels = GetParam() >= 2;
  EXPECT_EQ(old.ListModels({}, {{"team", "a"}})->records.size(), labels ? 1u : 0u);
  EvaluationFilter filter;
  filter.labels = {{"team", "b"}};
  EXPECT_EQ(old.ListEvaluations({}, filter)->records.size(), labels ? 1u : 0u);
  const auto blobs = *old.BlobsInUse();
  EXPECT_THAT(blobs, Contains(dataset->manifest().chunks(0).digest()));
  if (labels) {
    EXPECT_THAT(blobs, Contains("aa" + std::string(62, '0')));
    EXPECT_THAT(blobs, Contains("bb" + std::string(62, '0')));
  }
  EXPECT_EQ(before->provenance.model_seconds(), labels ? 1.5 : 0);
  EXPECT_EQ(before->provenance.has_energy_joules(), GetParam() >= 3);

  // Whoever held the lease is gone.
  clock_.AdvanceSeconds(1e9);
  int committed = 0;
  while (true) {
    const auto claim = old.ClaimTask("w", kLease, "");
    ASSERT_THAT(claim, IsOk());
    if (!claim->has_value()) break;
    ASSERT_THAT(
        old.CommitTask(**claim, MakeOutcomes((*claim)->task), MakeNumerics(), {"9.9.9", 1, 1, 1.0}),
        IsOk());
    ++committed;
  }
  EXPECT_EQ(committed, 24);
  const auto after = old.GetEvaluation(name);
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->proto.state(), v1::Evaluation::SUCCEEDED);
  EXPECT_EQ(after->proto.progress().work_done(), after->proto.progress().work());
  EXPECT_EQ(ReadAllOutcomes(old, name)->size(), 72u);
  EXPECT_EQ(after->provenance.model_seconds(), labels ? 25.5 : 0);
  // Of what began before it was measured, nothing is known of the whole.
  EXPECT_EQ(after->provenance.has_energy_joules(), GetParam() >= 3);

  EXPECT_THAT(old.CreateEvaluation(MakeEvaluation("new"), MakeTasks(2), "request"), IsOk());
  EXPECT_THAT(old.DeleteEvaluation(name), IsOk());
  EXPECT_THAT(old.GetEvaluation("evaluations/new"), IsOk());
}

INSTANTIATE_TEST_SUITE_P(Versions, StoredSchemaTest, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace assay::store
