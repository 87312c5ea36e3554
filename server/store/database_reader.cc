#include "server/store/database_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/store/postgres.h"

namespace assay::store {
namespace {

// Every column that names a blob (Catalog::BlobsInUse has the same).
constexpr char kReferences[] =
    "(SELECT digest FROM models UNION ALL SELECT digest FROM chunks "
    "UNION ALL SELECT metadata FROM manifests WHERE metadata IS NOT NULL "
    "UNION ALL SELECT adversarials FROM outcomes WHERE adversarials IS NOT NULL "
    "UNION ALL SELECT digest FROM kept_vectors) AS used";

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
    const std::string& path, std::function<bool()> cancelled) {
  if (IsPostgresUri(path)) {
    ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<Database> shared, PostgresDatabase::Open(path));
    return std::unique_ptr<DatabaseReader>(new DatabaseReader(std::move(shared)));
  }
  // Nothing that is read here has a time.
  static const SystemClock* const clock = new SystemClock;
  ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                         SqliteDatabase::Open(path, *clock));
  ASSAY_RETURN_IF_ERROR(database->RunScript("PRAGMA query_only = ON"));
  database->SetCancelled(std::move(cancelled));
  return std::unique_ptr<DatabaseReader>(new DatabaseReader(std::move(database)));
}

absl::StatusOr<std::vector<std::string>> DatabaseReader::FindProblems() {
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
