// The sqlite3 C API with owners and statuses. Errors come out as kStorageFull (no room left) or
// kStorageFailed.
//
// Example:
//   Transaction transaction(database, Transaction::kWrite);
//   ASSAY_RETURN_IF_ERROR(transaction.status());
//   Statement row = database.Query("SELECT id FROM tasks WHERE state = ?", state);
//   while (row.Next()) Use(row.Int(0));
//   ASSAY_RETURN_IF_ERROR(row.status());
//   ASSAY_RETURN_IF_ERROR(database.Run("DELETE FROM tasks WHERE id = ?", id));
//   return transaction.Commit();
//
// Nothing here is thread-safe.
#ifndef ASSAY_SERVER_STORE_SQLITE_H_
#define ASSAY_SERVER_STORE_SQLITE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message_lite.h"

struct sqlite3;
struct sqlite3_stmt;

namespace assay::store {

class Database;

// How long a lock that another process holds is waited for.
inline constexpr int kLockWaitMilliseconds = 20'000;

// A prepared statement with its values. Goes back to the database's cache when destroyed.
class Statement {
 public:
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Whether there is a (next) row. False at the end and on errors, which status() tells apart.
  bool Next();
  const absl::Status& status() const { return status_; }
  // For a statement that must yield a row: the error, or `missing`, when Next() returned false.
  absl::Status ErrorOr(absl::Status missing) const {
    return status_.ok() ? std::move(missing) : status_;
  }

  // Columns of the current row, from 0.
  bool IsNull(int column) const;
  int64_t Int(int column) const;
  double Double(int column) const;
  std::string Text(int column) const;
  // kStorageFailed when the stored bytes are not such a message.
  absl::Status Message(int column, google::protobuf::MessageLite& message) const;

 private:
  friend class Database;
  template <typename... Values>
  Statement(Database& database, const std::string& sql, const Values&... values)
      : database_(database), sql_(sql) {
    Prepare();
    BindAll(1, values...);
  }
  void Prepare();

  void BindAll(int) {}
  template <typename First, typename... Rest>
  void BindAll(int position, const First& first, const Rest&... rest) {
    Bind(position, first);
    BindAll(position + 1, rest...);
  }
  void Bind(int position, int64_t value);
  void Bind(int position, int value) { Bind(position, int64_t{value}); }
  void Bind(int position, double value);
  void Bind(int position, const std::string& value);
  void Bind(int position, const char* value) { Bind(position, std::string(value)); }
  void Bind(int position, std::nullopt_t);
  void Bind(int position, const google::protobuf::MessageLite& message);
  template <typename Value>
  void Bind(int position, const std::optional<Value>& value) {
    if (value) {
      Bind(position, *value);
    } else {
      Bind(position, std::nullopt);
    }
  }
  void Check(int result);

  Database& database_;
  const std::string sql_;
  sqlite3_stmt* statement_ = nullptr;
  absl::Status status_;
};

// One connection.
class Database {
 public:
  // Opens the file, creates it if needed. A lock that another process holds is waited for.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One statement, its question marks bound in order. Messages are bound as their serialised bytes.
  template <typename... Values>
  Statement Query(const std::string& sql, const Values&... values) {
    return Statement(*this, sql, values...);
  }
  // Runs a statement whose rows do not matter.
  template <typename... Values>
  absl::Status Run(const std::string& sql, const Values&... values) {
    Statement statement(*this, sql, values...);
    while (statement.Next()) {
    }
    return statement.status();
  }
  // Runs several statements without values.
  absl::Status RunScript(const char* sql);

  int64_t last_insert_id() const;

  // Asked now and then by statements that take long; one that hears yes fails.
  void SetCancelled(std::function<bool()> cancelled);

 private:
  friend class Statement;
  friend class Transaction;
  explicit Database(sqlite3* connection) : connection_(connection) {}
  absl::Status ErrorStatus(int result) const;

  sqlite3* const connection_;
  std::function<bool()> cancelled_;
  // Statements not in use, by their text. The texts are constants of the program, so their number
  // is bounded.
  std::unordered_map<std::string, sqlite3_stmt*> idle_;
};

// A transaction, rolled back unless committed.
class Transaction {
 public:
  enum Mode {
    kRead,   // a consistent view
    kWrite,  // takes the write lock at once, so that it cannot fail half-way for want of it
  };
  Transaction(Database& database, Mode mode);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Whether it could begin.
  const absl::Status& status() const { return status_; }
  // Durable when this returns OK.
  absl::Status Commit();

 private:
  Database& database_;
  const absl::Status status_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SQLITE_H_
