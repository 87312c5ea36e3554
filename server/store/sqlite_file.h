// The SQLite file of one machine.
#ifndef ASSAY_SERVER_STORE_SQLITE_FILE_H_
#define ASSAY_SERVER_STORE_SQLITE_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "server/store/sql.h"

namespace assay::store {

// Opens or creates the file, durable (WAL, synchronous=FULL), with the current tables. A file of a
// newer version, or of another program, is refused (kStorageFailed) and not changed. `clock` must
// outlive it.
absl::StatusOr<std::unique_ptr<Database>> OpenSqliteFile(const std::string& path,
                                                         const Clock& clock);

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SQLITE_FILE_H_
