#include "server/store/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>
#include <variant>

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

// Goes back to the database's cache when destroyed.
class SqliteRows final : public Rows {
 public:
  SqliteRows(SqliteDatabase& database, const std::string& sql, sqlite3_stmt* statement)
      : database_(database), sql_(sql), statement_(statement) {}
  ~SqliteRows() override {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    // Two of the same text can be in use at once; one of them is enough to keep.
    if (!database_.idle_.emplace(sql_, statement_).second) sqlite3_finalize(statement_);
  }

  absl::Status Bind(const std::vector<SqlValue>& values) {
    int position = 0;
    for (const SqlValue& value : values) {
      const int result = BindOne(++position, value);
      if (result != SQLITE_OK) return database_.ErrorStatus(result);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Next() override {
    const int result = sqlite3_step(statement_);
    if (result == SQLITE_ROW) return true;
    if (result != SQLITE_DONE) return database_.ErrorStatus(result);
    // Lets go of the locks now, and not when the statement's scope ends.
    sqlite3_reset(statement_);
    return false;
  }

  bool IsNull(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  int64_t Int(int column) const override { return sqlite3_column_int64(statement_, column); }
  double Double(int column) const override { return sqlite3_column_double(statement_, column); }
  std::string Text(int column) const override {
    const void* const bytes = sqlite3_column_blob(statement_, column);
    const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
    return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
  }

 private:
  // Values outlive the statement's run in nobody's hands, so SQLite copies them.
  int BindOne(int position, const SqlValue& value) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      return sqlite3_bind_int64(statement_, position, *number);
    }
    if (const auto* real = std::get_if<double>(&value)) {
      return sqlite3_bind_double(statement_, position, *real);
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
      return sqlite3_bind_text64(statement_, position, text->data(), text->size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    }
    if (const auto* bytes = std::get_if<Bytes>(&value)) {
      return sqlite3_bind_blob64(statement_, position, bytes->value.data(), bytes->value.size(),
                                 SQLITE_TRANSIENT);
    }
    return sqlite3_bind_null(statement_, position);
  }

  SqliteDatabase& database_;
  const std::string sql_;
  sqlite3_stmt* const statement_;
};

absl::StatusOr<std::unique_ptr<Rows>> SqliteDatabase::Start(const std::string& sql,
                                                            std::vector<SqlValue> values) {
  sqlite3_stmt* statement = nullptr;
  if (const auto idle = idle_.find(sql); idle != idle_.end()) {
    statement = idle->second;
    idle_.erase(idle);
  } else {
    const int result = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (result != SQLITE_OK) return ErrorStatus(result);
  }
  auto rows = std::make_unique<SqliteRows>(*this, sql, statement);
  ASSAY_RETURN_IF_ERROR(rows->Bind(values));
  return rows;
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path,
                                                                     const Clock& clock) {
  sqlite3* connection = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &connection,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (connection == nullptr)
    return Error(Reason::kStorageFailed, "SQLite: out of memory").ToStatus();
  // Even a connection that failed to open must be closed.
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(connection, clock));
  if (result != SQLITE_OK) {
    return Error(Reason::kStorageFailed,
                 absl::StrCat("cannot open ", path, ": ", sqlite3_errmsg(connection)))
        .ToStatus();
  }
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, kLockWaitMilliseconds);
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  sqlite3_close_v2(connection_);
}

absl::Status SqliteDatabase::RunScript(const std::string& sql) {
  const int result = sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : ErrorStatus(result);
}

// The processes that share a file look for work by themselves.
absl::Status SqliteDatabase::Notify(absl::string_view /*channel*/) { return absl::OkStatus(); }

void SqliteDatabase::SetCancelled(std::function<bool()> cancelled) {
  // Virtual machine instructions of SQLite: some milliseconds.
  constexpr int kInstructions = 10'000;
  cancelled_ = std::move(cancelled);
  const auto ask = [](void* function) -> int {
    return (*static_cast<std::function<bool()>*>(function))() ? 1 : 0;
  };
  sqlite3_progress_handler(connection_, cancelled_ != nullptr ? kInstructions : 0, ask,
                           &cancelled_);
}

absl::Status SqliteDatabase::ErrorStatus(int result) const {
  // This is told to clients, so it names nothing of the server.
  if (IsFull(result, connection_)) {
    return Error(Reason::kStorageFull, "no space is left to store the data").ToStatus();
  }
  return Error(Reason::kStorageFailed,
               absl::StrCat("SQLite: ", sqlite3_errmsg(connection_), " (", result, ")"));
}

// Writers take the lock at once, so that none can fail half-way for want of it.
absl::Status SqliteDatabase::Begin(Mode mode) {
  return Run(mode == Mode::kRead ? "BEGIN DEFERRED" : "BEGIN IMMEDIATE");
}

absl::Status SqliteDatabase::Commit() { return Run("COMMIT"); }

// Some errors have rolled back already. If rolling back fails, SQLite does it when the file is
// opened next.
void SqliteDatabase::Rollback() {
  if (sqlite3_get_autocommit(connection_) == 0) (void)Run("ROLLBACK");
}

}  // namespace assay::store
