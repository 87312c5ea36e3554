// The tables of an Assay file, and how a file comes to have them.
#ifndef ASSAY_SERVER_STORE_SQLITE_SCHEMA_H_
#define ASSAY_SERVER_STORE_SQLITE_SCHEMA_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/store/sqlite.h"

namespace assay::store {

// Opens or creates the file, durable (WAL, synchronous=FULL), with the current tables. A file of a
// newer version, or of another program, is refused (kStorageFailed) and not changed.
absl::StatusOr<std::unique_ptr<Database>> OpenAssayDatabase(const std::string& path);

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SQLITE_SCHEMA_H_
