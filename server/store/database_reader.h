// A second look at the database of a store that is in use, over a connection of its own: reading
// everything takes long, and must not hold up whoever uses the store.
#ifndef ASSAY_SERVER_STORE_DATABASE_READER_H_
#define ASSAY_SERVER_STORE_DATABASE_READER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/store/sql.h"

namespace assay::store {

// Not thread-safe.
class DatabaseReader {
 public:
  // `database` of a store that is open: the path of its SQLite file, or the URI of its PostgreSQL.
  // `cancelled` is asked now and then by whatever takes long, which then fails.
  static absl::StatusOr<std::unique_ptr<DatabaseReader>> Open(const std::string& database,
                                                              std::function<bool()> cancelled);

  // What SQLite finds wrong with the file, or which rows PostgreSQL cannot read; and records that
  // name others which are not there; at most a hundred of each.
  absl::StatusOr<std::vector<std::string>> FindProblems();
  // How many blobs are named, about: one that several name counts several times.
  absl::StatusOr<int64_t> CountReferences();
  // Digests that something names, sorted, of those that begin with `first` to `last` ("00", "ff").
  absl::StatusOr<std::vector<std::string>> References(const std::string& first,
                                                      const std::string& last);
  // Full names of what names the blob; at most ten.
  absl::StatusOr<std::vector<std::string>> UsersOf(const std::string& digest);

 private:
  DatabaseReader(std::unique_ptr<Database> database, std::function<bool()> cancelled)
      : database_(std::move(database)), cancelled_(std::move(cancelled)) {}
  absl::Status CheckNotCancelled() const;
  absl::StatusOr<std::vector<std::string>> FindSqliteProblems();
  absl::StatusOr<std::vector<std::string>> FindPostgresProblems();
  // Of PostgreSQL: reads every row of the table, what is stored aside included.
  absl::Status ReadTable(const std::string& table, std::vector<std::string>* problems);
  // Of PostgreSQL: rows that name others which are not there.
  absl::Status CheckKeys(std::vector<std::string>* problems);

  const std::unique_ptr<Database> database_;
  const std::function<bool()> cancelled_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_DATABASE_READER_H_
