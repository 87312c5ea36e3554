// The sqlite3 C API as a Database. Errors come out as kStorageFull (no room left) or
// kStorageFailed.
#ifndef ASSAY_SERVER_STORE_SQLITE_H_
#define ASSAY_SERVER_STORE_SQLITE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/clock.h"
#include "server/store/sql.h"

struct sqlite3;
struct sqlite3_stmt;

namespace assay::store {

// How long a lock that another process holds is waited for.
inline constexpr int kLockWaitMilliseconds = 20'000;

// One connection to one file.
class SqliteDatabase final : public Database {
 public:
  // Opens the file, creates it if needed. A lock that another process holds is waited for. `clock`
  // must outlive it.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path,
                                                              const Clock& clock);
  ~SqliteDatabase() override;

  absl::Status RunScript(const std::string& sql) override;
  absl::StatusOr<int64_t> NowMicros() override { return clock_.NowMicros(); }
  absl::Status Notify(absl::string_view channel) override;

  // Asked now and then by statements that take long; one that hears yes fails.
  void SetCancelled(std::function<bool()> cancelled);

 protected:
  absl::StatusOr<std::unique_ptr<Rows>> Start(const std::string& sql,
                                              std::vector<SqlValue> values) override;
  absl::Status Begin(Mode mode) override;
  absl::Status Commit() override;
  void Rollback() override;

 private:
  friend class SqliteRows;
  SqliteDatabase(sqlite3* connection, const Clock& clock)
      : Database(Dialect::kSqlite), connection_(connection), clock_(clock) {}
  absl::Status ErrorStatus(int result) const;

  sqlite3* const connection_;
  const Clock& clock_;
  std::function<bool()> cancelled_;
  // Statements not in use, by their text. The texts are constants of the program, so their number
  // is bounded.
  std::unordered_map<std::string, sqlite3_stmt*> idle_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SQLITE_H_
