// A connection to a database that speaks SQL, with owners and statuses; sqlite.h and postgres.h are
// the two kinds. Errors come out as kStorageFull (no room left), kUnavailable (a database server
// that cannot be reached at the moment, or was busy otherwise) or kStorageFailed.
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
// Statements are written once, for both kinds: values are ? in order, or ?1, ?2 by number. Where
// the kinds differ, the functions at the end of this file have the words.
//
// Nothing here is thread-safe.
#ifndef ASSAY_SERVER_STORE_SQL_H_
#define ASSAY_SERVER_STORE_SQL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"

namespace assay::store {

enum class Dialect { kSqlite, kPostgres };

// Serialised messages.
struct Bytes {
  std::string value;
};
// A value that takes the place of a question mark; std::monostate is NULL.
using SqlValue = std::variant<std::monostate, int64_t, double, std::string, Bytes>;

// The rows of one statement, as a kind of database gives them.
class Rows {
 public:
  virtual ~Rows() = default;
  // Whether there is a (next) row; an error ends them.
  virtual absl::StatusOr<bool> Next() = 0;
  // Columns of the current row, from 0. Of a condition (a = b) Int is 0 or 1.
  virtual bool IsNull(int column) const = 0;
  virtual int64_t Int(int column) const = 0;
  virtual double Double(int column) const = 0;
  virtual std::string Text(int column) const = 0;
};

// A statement with its values, and the rows that it yields.
class Statement {
 public:
  explicit Statement(absl::StatusOr<std::unique_ptr<Rows>> rows);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Whether there is a (next) row. False at the end and on errors, which status() tells apart.
  bool Next();
  const absl::Status& status() const { return status_; }
  // For a statement that must yield a row: the error, or `missing`, when Next() returned false.
  absl::Status ErrorOr(absl::Status missing) const {
    return status_.ok() ? std::move(missing) : status_;
  }

  bool IsNull(int column) const { return rows_->IsNull(column); }
  int64_t Int(int column) const { return rows_->Int(column); }
  double Double(int column) const { return rows_->Double(column); }
  std::string Text(int column) const { return rows_->Text(column); }
  // kInternal when the stored bytes are not such a message.
  absl::Status Message(int column, google::protobuf::MessageLite& message) const;

 private:
  std::unique_ptr<Rows> rows_;
  absl::Status status_;
  bool ended_ = false;
};

// One connection.
class Database {
 public:
  // A transaction is one of
  enum class Mode {
    // a consistent view;
    kRead,
    // a change that nobody else's change comes between: they wait for each other;
    kWrite,
    // a change of a claimed task and of the sums over its evaluation, of which many may go on at a
    // time where the database can: what it reads and depends on must be locked (ForUpdate).
    kTask,
  };

  explicit Database(Dialect dialect) : dialect_(dialect) {}
  virtual ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Dialect dialect() const { return dialect_; }

  // One statement, its values in order. Messages are bound as their serialised bytes.
  template <typename... Values>
  Statement Query(const std::string& sql, const Values&... values) {
    return Statement(Start(sql, {ToValue(values)...}));
  }
  // Runs a statement whose rows do not matter.
  template <typename... Values>
  absl::Status Run(const std::string& sql, const Values&... values) {
    Statement statement(Start(sql, {ToValue(values)...}));
    while (statement.Next()) {
    }
    return statement.status();
  }
  // Runs an INSERT of one row into a table that numbers its rows in the column id; that number.
  template <typename... Values>
  absl::StatusOr<int64_t> Insert(const std::string& sql, const Values&... values) {
    Statement row = Query(sql + " RETURNING id", values...);
    if (!row.Next()) return row.ErrorOr(NoRow());
    const int64_t id = row.Int(0);
    // Runs it to its end.
    while (row.Next()) {
    }
    if (!row.status().ok()) return row.status();
    return id;
  }
  // Runs several statements without values.
  virtual absl::Status RunScript(const std::string& sql) = 0;
  // How often a server has been connected to: after a failover even what was committed may be
  // another row, or none.
  virtual int64_t connections() const { return 0; }
  // Microseconds since the Unix epoch: the database's own where several machines share it.
  virtual absl::StatusOr<int64_t> NowMicros() = 0;
  // Tells the listeners of `channel`, when the transaction is committed, that something has
  // changed. Nothing where nobody can listen. Not for what happens often: PostgreSQL commits
  // transactions that notify one after the other.
  virtual absl::Status Notify(absl::string_view channel) = 0;

  // What Query starts; for databases that stand before another one.
  virtual absl::StatusOr<std::unique_ptr<Rows>> Start(const std::string& sql,
                                                      std::vector<SqlValue> values) = 0;
  // The error of a query that should have had a row.
  static absl::Status NoRow();

 protected:
  friend class Transaction;
  virtual absl::Status Begin(Mode mode) = 0;
  virtual absl::Status Commit() = 0;
  virtual void Rollback() = 0;

 private:
  static SqlValue ToValue(int64_t value) { return value; }
  static SqlValue ToValue(int value) { return int64_t{value}; }
  static SqlValue ToValue(double value) { return value; }
  static SqlValue ToValue(const std::string& value) { return value; }
  static SqlValue ToValue(const char* value) { return std::string(value); }
  static SqlValue ToValue(const google::protobuf::MessageLite& message) {
    return Bytes{message.SerializeAsString()};
  }
  template <typename Value>
  static SqlValue ToValue(const std::optional<Value>& value) {
    if (!value) return std::monostate();
    return ToValue(*value);
  }

  const Dialect dialect_;
};

// There are tasks to claim; an evaluation has changed; assayds are told to do something.
inline constexpr absl::string_view kWorkChannel = "assay_work";
inline constexpr absl::string_view kChangeChannel = "assay_change";
inline constexpr absl::string_view kControlChannel = "assay_control";

// A transaction, rolled back unless committed.
class Transaction {
 public:
  static constexpr Database::Mode kRead = Database::Mode::kRead;
  static constexpr Database::Mode kWrite = Database::Mode::kWrite;
  static constexpr Database::Mode kTask = Database::Mode::kTask;

  Transaction(Database& database, Database::Mode mode)
      : database_(database), status_(database.Begin(mode)), open_(status_.ok()) {}
  ~Transaction() {
    if (open_) database_.Rollback();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Whether it could begin.
  const absl::Status& status() const { return status_; }
  // Durable when this returns OK.
  absl::Status Commit();

 private:
  Database& database_;
  const absl::Status status_;
  bool open_;
};

// --- words in which the kinds differ

// After a table of FROM: the index that is to be used. PostgreSQL chooses by itself.
std::string IndexedBy(Dialect dialect, absl::string_view index);
// At the end of a SELECT: its rows of `table` are not changed by others before this transaction
// ends. `skip_locked`: rows that others are changing are left out. SQLite has one writer at a time.
std::string ForUpdate(Dialect dialect, absl::string_view table, bool skip_locked = false);
// A table of the columns key and value (text), of the JSON object that is bound to its one question
// mark.
absl::string_view JsonEach(Dialect dialect);

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SQL_H_
