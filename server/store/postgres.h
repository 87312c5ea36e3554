// PostgreSQL (15 or newer) by libpq as a Database.
//
// Changes of the mode kWrite hold a lock of their transaction that is one for the whole database,
// so that they come one after the other as in SQLite; those of the mode kTask share it, and lock
// the rows that they depend on.
#ifndef ASSAY_SERVER_STORE_POSTGRES_H_
#define ASSAY_SERVER_STORE_POSTGRES_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/clock.h"
#include "server/store/sql.h"

struct pg_conn;
struct pg_result;

namespace assay::store {

// "postgresql://..." or "postgres://...": what may be given as the place of a store.
bool IsPostgresUri(absl::string_view text);

// One connection. When it is lost, what was going on fails with kUnavailable, and the next
// statement or transaction connects again. A network that swallows everything is given up within
// half a minute, by both sides, and is tried again once a second then.
class PostgresDatabase final : public Database {
 public:
  // What libpq takes: a URI, completed by its environment (PGPASSWORD, PGPASSFILE, PGSSLMODE, ...).
  // `clock`: instead of the database's, for tests; must outlive it.
  static absl::StatusOr<std::unique_ptr<PostgresDatabase>> Open(const std::string& uri,
                                                                const Clock* clock = nullptr);
  ~PostgresDatabase() override;

  absl::Status RunScript(const std::string& sql) override;
  absl::StatusOr<int64_t> NowMicros() override;
  int64_t connections() const override { return connections_; }
  absl::Status Notify(absl::string_view channel) override;

  // --- listening

  absl::Status Listen(absl::string_view channel);
  // Waits until a notification has come or the time is up; the channels that were notified, each
  // once. An error when the connection is lost: Listen again.
  absl::StatusOr<std::vector<std::string>> WaitForNotifications(int milliseconds);

 protected:
  absl::StatusOr<std::unique_ptr<Rows>> Start(const std::string& sql,
                                              std::vector<SqlValue> values) override;
  absl::Status Begin(Mode mode) override;
  absl::Status Commit() override;
  void Rollback() override;

 private:
  struct FreeResult {
    void operator()(pg_result* result) const;
  };
  using Result = std::unique_ptr<pg_result, FreeResult>;
  friend class PostgresRows;

  PostgresDatabase(std::string uri, const Clock* clock)
      : Database(Dialect::kPostgres), uri_(std::move(uri)), clock_(clock) {}
  // Whether the connection is there, as far as is known.
  bool Lives() const;
  // Connects, if the connection is not there (any more). Not within a transaction: its first half
  // is lost.
  absl::Status Connect();
  // Runs it, and once more where that finds the connection lost and nothing is lost with it.
  template <typename Attempt>
  absl::StatusOr<Result> Again(const Attempt& attempt);
  // The result, or the error that it is.
  absl::StatusOr<Result> Check(pg_result* result);

  const std::string uri_;
  const Clock* const clock_;
  pg_conn* connection_ = nullptr;
  bool in_transaction_ = false;
  bool lost_ = false;
  int64_t connections_ = 0;
  // Why there was no connection last, for the log.
  std::string failure_;
  // Nobody tries to connect before.
  std::chrono::steady_clock::time_point pause_until_;
  // Names of prepared statements, by text and types of values. The texts are constants of the
  // program, so their number is bounded.
  std::unordered_map<std::string, std::string> prepared_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_POSTGRES_H_
