#include "server/store/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::store {
namespace {

// What the system said to the last operation that failed: to one on the write-ahead log, or to any
// other.
int SystemError(sqlite3* connection) {
  int error = 0;
  sqlite3_file* log = nullptr;
  if (sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
      log != nullptr && log->pMethods != nullptr) {
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
  }
  return error != 0 ? error : sqlite3_system_errno(connection);
}

// SQLite itself tells a full disk, but neither a full quota nor a disk that is full when its index
// of the log grows.
bool IsFull(int result, sqlite3* connection) {
  const int primary = result & 0xff;
  if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN) return primary == SQLITE_FULL;
  const int error = SystemError(connection);
  return error == ENOSPC || error == EDQUOT;
}

}  // namespace

void Statement::Prepare() {
  const auto idle = database_.idle_.find(sql_);
  if (idle != database_.idle_.end()) {
    statement_ = idle->second;
    database_.idle_.erase(idle);
    return;
  }
  Check(sqlite3_prepare_v3(database_.connection_, sql_.data(), static_cast<int>(sql_.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  // Two of the same text can be in use at once; one of them is enough to keep.
  if (!database_.idle_.emplace(sql_, statement_).second) sqlite3_finalize(statement_);
}

void Statement::Check(int result) {
  if (result != SQLITE_OK && status_.ok()) status_ = database_.ErrorStatus(result);
}

bool Statement::Next() {
  if (!status_.ok()) return false;
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) {
    // Lets go of the locks now, and not when the statement's scope ends.
    sqlite3_reset(statement_);
    return false;
  }
  status_ = database_.ErrorStatus(result);
  return false;
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }

double Statement::Double(int column) const { return sqlite3_column_double(statement_, column); }

std::string Statement::Text(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

absl::Status Statement::Message(int column, google::protobuf::MessageLite& message) const {
  const void* const bytes = sqlite3_column_blob(statement_, column);
  if (message.ParseFromArray(bytes, sqlite3_column_bytes(statement_, column))) {
    return absl::OkStatus();
  }
  // Trying again would not mend it.
  return Error(Reason::kInternal,
               absl::StrCat("a stored ", message.GetTypeName(), " cannot be read"));
}

void Statement::Bind(int position, int64_t value) {
  if (status_.ok()) Check(sqlite3_bind_int64(statement_, position, value));
}

void Statement::Bind(int position, double value) {
  if (status_.ok()) Check(sqlite3_bind_double(statement_, position, value));
}

void Statement::Bind(int position, const std::string& value) {
  if (!status_.ok()) return;
  Check(sqlite3_bind_text64(statement_, position, value.data(), value.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8));
}

void Statement::Bind(int position, std::nullopt_t) {
  if (status_.ok()) Check(sqlite3_bind_null(statement_, position));
}

void Statement::Bind(int position, const google::protobuf::MessageLite& message) {
  if (!status_.ok()) return;
  const std::string bytes = message.SerializeAsString();
  Check(sqlite3_bind_blob64(statement_, position, bytes.data(), bytes.size(), SQLITE_TRANSIENT));
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* connection = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &connection,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (connection == nullptr)
    return Error(Reason::kStorageFailed, "SQLite: out of memory").ToStatus();
  // Even a connection that failed to open must be closed.
  std::unique_ptr<Database> database(new Database(connection));
  if (result != SQLITE_OK) {
    return Error(Reason::kStorageFailed,
                 absl::StrCat("cannot open ", path, ": ", sqlite3_errmsg(connection)))
        .ToStatus();
  }
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, kLockWaitMilliseconds);
  return database;
}

Database::~Database() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  sqlite3_close_v2(connection_);
}

absl::Status Database::RunScript(const char* sql) {
  const int result = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : ErrorStatus(result);
}

int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(connection_); }

void Database::SetCancelled(std::function<bool()> cancelled) {
  // Virtual machine instructions of SQLite: some milliseconds.
  constexpr int kInstructions = 100'000;
  cancelled_ = std::move(cancelled);
  const auto ask = [](void* function) -> int {
    return (*static_cast<std::function<bool()>*>(function))() ? 1 : 0;
  };
  sqlite3_progress_handler(connection_, cancelled_ != nullptr ? kInstructions : 0, ask,
                           &cancelled_);
}

absl::Status Database::ErrorStatus(int result) const {
  // This is told to clients, so it names nothing of the server.
  if (IsFull(result, connection_)) {
    return Error(Reason::kStorageFull, "no space is left to store the data").ToStatus();
  }
  return Error(Reason::kStorageFailed,
               absl::StrCat("SQLite: ", sqlite3_errmsg(connection_), " (", result, ")"));
}

Transaction::Transaction(Database& database, Mode mode)
    : database_(database),
      status_(database.Run(mode == kWrite ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED")) {}

Transaction::~Transaction() {
  // Some errors have rolled back already. If rolling back fails, SQLite does it when the file is
  // opened next.
  if (status_.ok() && sqlite3_get_autocommit(database_.connection_) == 0) {
    (void)database_.Run("ROLLBACK");
  }
}

absl::Status Transaction::Commit() { return database_.Run("COMMIT"); }

}  // namespace assay::store
