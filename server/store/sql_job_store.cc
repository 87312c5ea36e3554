#include "server/store/sql_job_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/uri.h"
#include "nlohmann/json.hpp"
#include "server/store/postgres.h"
#include "server/store/postgres_job_store.h"
#include "server/store/sql_schema.h"
#include "server/store/sqlite_file.h"
#include "server/store/sqlite_job_store.h"

namespace assay::store {
namespace {

constexpr int kDefaultPageSize = 100;
constexpr int kMaxPageSize = 1000;

absl::Status ReleaseAllLeases(Database& database) {
  return database.Run(
      "UPDATE tasks SET state = 0, lease_micros = 0, owner = NULL, attempts = attempts - 1 "
      "WHERE state = 1");
}

}  // namespace

int PageLimit(const Page& page) {
  return page.size <= 0 ? kDefaultPageSize : std::min(page.size, kMaxPageSize);
}

std::string EncodePageToken(const std::string& key) { return absl::WebSafeBase64Escape(key); }

absl::Status InvalidPageToken() {
  return InvalidFields({{"page_token", "is not a token that this list has returned"}});
}

absl::StatusOr<std::string> DecodePageToken(const std::string& prefix, const std::string& token) {
  std::string key;
  if (token.empty()) return key;
  if (!absl::WebSafeBase64Unescape(token, &key) || !absl::StartsWith(key, prefix)) {
    return InvalidPageToken();
  }
  return key;
}

std::string LabelsJson(const Labels& labels) { return nlohmann::json(labels).dump(); }

std::string HasLabels(Dialect dialect, absl::string_view table, absl::string_view column,
                      absl::string_view row) {
  return absl::StrCat(
      "NOT EXISTS (SELECT 1 FROM ", JsonEach(dialect), " wanted WHERE NOT EXISTS (SELECT 1 FROM ",
      table, " l WHERE l.", column, " = ", row,
      " AND l.key = wanted.key AND (wanted.value = '' OR l.value = wanted.value)))");
}

std::optional<std::string> OrNull(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

absl::StatusOr<std::unique_ptr<JobStore>> OpenSqliteJobStore(const std::string& path,
                                                             const Clock& clock, Sharing sharing) {
  ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, OpenSqliteFile(path, clock));
  if (sharing == Sharing::kExclusive) ASSAY_RETURN_IF_ERROR(ReleaseAllLeases(*database));
  return std::make_unique<SqlJobStore>(std::move(database));
}

absl::StatusOr<std::unique_ptr<JobStore>> OpenPostgresJobStore(const std::string& uri,
                                                               const Clock* clock) {
  ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<PostgresDatabase> database,
                         PostgresDatabase::Open(uri, clock));
  ASSAY_RETURN_IF_ERROR(BringUpToDate(*database, WithoutPassword(uri)));
  return std::make_unique<SqlJobStore>(std::move(database));
}

absl::StatusOr<std::optional<std::string>> SqlJobStore::FindRequest(const std::string& table,
                                                                    const std::string& request_id) {
  if (request_id.empty()) return std::nullopt;
  Statement row =
      db_.Query(absl::StrCat("SELECT name FROM ", table, " WHERE request_id = ?"), request_id);
  if (row.Next()) return row.Text(0);
  ASSAY_RETURN_IF_ERROR(row.status());
  return std::nullopt;
}

}  // namespace assay::store
