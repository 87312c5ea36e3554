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
#include "server/store/sqlite.h"

namespace assay::store {

// Not thread-safe.
class DatabaseReader {
 public:
  // `path` of the SQLite file, or the URI of the PostgreSQL, of a store that is open. `cancelled`
  // is asked now and then by whatever takes long in SQLite, which then fails.
  static absl::StatusOr<std::unique_ptr<DatabaseReader>> Open(const std::string& path,
                                                              std::function<bool()> cancelled);

  // What SQLite finds wrong with the file, and records that name others which are not there; at
  // most a hundred of each. Nothing of PostgreSQL, which is asked by its own means.
  absl::StatusOr<std::vector<std::string>> FindProblems();
  // How many blobs are named, about: one that several name counts several times.
  absl::StatusOr<int64_t> CountReferences();
  // Digests that something names, sorted, of those that begin with `first` to `last` ("00", "ff").
  absl::StatusOr<std::vector<std::string>> References(const std::string& first,
                                                      const std::string& last);
  // Full names of what names the blob; at most ten.
  absl::StatusOr<std::vector<std::string>> UsersOf(const std::string& digest);

 private:
  explicit DatabaseReader(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  const std::unique_ptr<Database> database_;
};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_DATABASE_READER_H_
