#include "server/store/database_reader.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/store/postgres.h"
#include "server/store/sqlite.h"

namespace assay::store {
namespace {

// Every column that names a blob (Catalog::BlobsInUse has the same).
constexpr char kReferences[] =
    "(SELECT digest FROM models UNION ALL SELECT digest FROM chunks "
    "UNION ALL SELECT metadata FROM manifests WHERE metadata IS NOT NULL "
    "UNION ALL SELECT adversarials FROM outcomes WHERE adversarials IS NOT NULL "
    "UNION ALL SELECT digest FROM kept_vectors) names";

// Of PostgreSQL, which cannot be interrupted within a statement.
constexpr int64_t kPagesPerStep = 1000;
constexpr size_t kMostProblems = 100;

constexpr char kUsers[] =
    "SELECT name FROM models WHERE digest = ?1 "
    "UNION SELECT d.name FROM chunks c JOIN datasets d ON d.manifest = c.manifest "
    "WHERE c.digest = ?1 "
    "UNION SELECT e.name FROM chunks c JOIN evaluations e ON e.manifest = c.manifest "
    "WHERE c.digest = ?1 "
    "UNION SELECT d.name FROM manifests m JOIN datasets d ON d.manifest = m.id "
    "WHERE m.metadata = ?1 "
    "UNION SELECT e.name FROM manifests m JOIN evaluations e ON e.manifest = m.id "
    "WHERE m.metadata = ?1 "
    "UNION SELECT e.name FROM outcomes o JOIN tasks t ON t.id = o.task "
    "JOIN evaluations e ON e.id = t.evaluation WHERE o.adversarials = ?1 "
    "UNION SELECT e.name FROM kept_vectors k JOIN tasks t ON t.id = k.task "
    "JOIN evaluations e ON e.id = t.evaluation WHERE k.digest = ?1 LIMIT 10";

}  // namespace

absl::StatusOr<std::unique_ptr<DatabaseReader>> DatabaseReader::Open(
    const std::string& database, std::function<bool()> cancelled) {
  if (IsPostgresUri(database)) {
    ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<PostgresDatabase> connection,
                           PostgresDatabase::Open(database));
    ASSAY_RETURN_IF_ERROR(connection->RunScript("SET default_transaction_read_only = on"));
    return std::unique_ptr<DatabaseReader>(
        new DatabaseReader(std::move(connection), std::move(cancelled)));
  }
  // Nothing that is read here has a time.
  static const SystemClock* const clock = new SystemClock;
  ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> connection,
                         SqliteDatabase::Open(database, *clock));
  ASSAY_RETURN_IF_ERROR(connection->RunScript("PRAGMA query_only = ON"));
  connection->SetCancelled(cancelled);
  return std::unique_ptr<DatabaseReader>(
      new DatabaseReader(std::move(connection), std::move(cancelled)));
}

absl::Status DatabaseReader::CheckNotCancelled() const {
  if (cancelled_ == nullptr || !cancelled_()) return absl::OkStatus();
  return Error(Reason::kCancelled, "the check was cancelled");
}

absl::StatusOr<std::vector<std::string>> DatabaseReader::FindProblems() {
  return database_->dialect() == Dialect::kSqlite ? FindSqliteProblems() : FindPostgresProblems();
}

absl::Status DatabaseReader::ReadTable(const std::string& table,
                                       std::vector<std::string>* problems) {
  int64_t pages = 0;
  {
    Statement row = database_->Query(
        "SELECT pg_relation_size(CAST(? AS regclass)) / "
        "CAST(current_setting('block_size') AS bigint)",
        table);
    if (!row.Next()) return row.ErrorOr(Database::NoRow());
    pages = row.Int(0);
  }
  for (int64_t first = 0; first < pages; first += kPagesPerStep) {
    ASSAY_RETURN_IF_ERROR(CheckNotCancelled());
    // As text a row is read as a whole.
    Statement row = database_->Query(
        absl::StrCat("SELECT coalesce(sum(length(CAST(t.* AS text))), 0) FROM ", table,
                     " t WHERE t.ctid >= CAST(? AS tid) AND t.ctid < CAST(? AS tid)"),
        absl::StrCat("(", first, ",0)"), absl::StrCat("(", first + kPagesPerStep, ",0)"));
    if (row.Next()) continue;
    // Of the class "internal error": damaged data. Anything else says nothing of them.
    if (!absl::StrContains(row.status().message(), "(XX")) return row.ErrorOr(Database::NoRow());
    problems->push_back(absl::StrCat(table, ", pages ", first, " to ", first + kPagesPerStep - 1,
                                     ": ", row.status().message()));
    if (problems->size() >= kMostProblems) break;
  }
  return absl::OkStatus();
}

absl::Status DatabaseReader::CheckKeys(std::vector<std::string>* problems) {
  struct Key {
    std::string child, column, parent, parent_column;
  };
  std::vector<Key> keys;
  {
    Statement rows = database_->Query(
        "SELECT c.relname, ca.attname, p.relname, pa.attname FROM pg_constraint k "
        "JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid "
        "JOIN pg_attribute ca ON ca.attrelid = c.oid AND ca.attnum = k.conkey[1] "
        "JOIN pg_attribute pa ON pa.attrelid = p.oid AND pa.attnum = k.confkey[1] "
        "WHERE k.contype = 'f' AND array_length(k.conkey, 1) = 1 "
        "AND c.relnamespace = CAST(current_schema() AS regnamespace) ORDER BY 1, 2");
    while (rows.Next()) keys.push_back({rows.Text(0), rows.Text(1), rows.Text(2), rows.Text(3)});
    ASSAY_RETURN_IF_ERROR(rows.status());
  }
  for (const Key& key : keys) {
    ASSAY_RETURN_IF_ERROR(CheckNotCancelled());
    Statement row =
        database_->Query(absl::StrCat("SELECT count(*) FROM ", key.child, " c WHERE c.", key.column,
                                      " IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ", key.parent,
                                      " p WHERE p.", key.parent_column, " = c.", key.column, ")"));
    if (!row.Next()) return row.ErrorOr(Database::NoRow());
    if (row.Int(0) == 0) continue;
    problems->push_back(absl::StrCat(row.Int(0), row.Int(0) == 1 ? " row" : " rows", " of ",
                                     key.child, " (", key.column, ") name one of ", key.parent,
                                     " that is not there"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> DatabaseReader::FindPostgresProblems() {
  std::vector<std::string> tables, problems;
  {
    Statement rows = database_->Query(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1");
    while (rows.Next()) tables.push_back(rows.Text(0));
    ASSAY_RETURN_IF_ERROR(rows.status());
  }
  for (const std::string& table : tables) ASSAY_RETURN_IF_ERROR(ReadTable(table, &problems));
  ASSAY_RETURN_IF_ERROR(CheckKeys(&problems));
  return problems;
}

absl::StatusOr<std::vector<std::string>> DatabaseReader::FindSqliteProblems() {
  std::vector<std::string> problems;
  // It looks after its files and references itself.
  if (database_->dialect() == Dialect::kPostgres) return problems;
  Statement integrity = database_->Query("PRAGMA integrity_check(100)");
  while (integrity.Next()) {
    if (integrity.Text(0) != "ok") problems.push_back(integrity.Text(0));
  }
  // A file that is broken badly enough is an error instead of a row.
  if (!integrity.status().ok()) return integrity.status();
  Statement keys =
      database_->Query("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 100");
  while (keys.Next()) {
    problems.push_back(absl::StrCat("a row of ", keys.Text(0),
                                    keys.IsNull(1) ? "" : absl::StrCat(" (", keys.Int(1), ")"),
                                    " names one of ", keys.Text(2), " that is not there"));
  }
  ASSAY_RETURN_IF_ERROR(keys.status());
  return problems;
}

absl::StatusOr<int64_t> DatabaseReader::CountReferences() {
  Statement row = database_->Query(absl::StrCat("SELECT count(*) FROM ", kReferences));
  if (!row.Next()) return row.ErrorOr(Database::NoRow());
  return row.Int(0);
}

absl::StatusOr<std::vector<std::string>> DatabaseReader::References(const std::string& first,
                                                                    const std::string& last) {
  std::vector<std::string> digests;
  // 'g' comes after every digit of a digest.
  Statement rows = database_->Query(absl::StrCat("SELECT DISTINCT digest FROM ", kReferences,
                                                 " WHERE digest >= ? AND digest < ? ORDER BY 1"),
                                    first, absl::StrCat(last, "g"));
  while (rows.Next()) digests.push_back(rows.Text(0));
  ASSAY_RETURN_IF_ERROR(rows.status());
  return digests;
}

absl::StatusOr<std::vector<std::string>> DatabaseReader::UsersOf(const std::string& digest) {
  std::vector<std::string> users;
  Statement rows = database_->Query(kUsers, digest);
  while (rows.Next()) users.push_back(rows.Text(0));
  ASSAY_RETURN_IF_ERROR(rows.status());
  return users;
}

}  // namespace assay::store
