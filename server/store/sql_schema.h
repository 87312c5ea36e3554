// The tables of an Assay database, and how a database comes to have them.
#ifndef ASSAY_SERVER_STORE_SQL_SCHEMA_H_
#define ASSAY_SERVER_STORE_SQL_SCHEMA_H_

#include <string>

#include "absl/status/status.h"
#include "server/store/sql.h"

namespace assay::store {

// Whether these are tables of ours, or none at all: kStorageFailed for a newer version, or those of
// another program. Changes nothing. `where`: the database, for errors.
absl::Status CheckSchema(Database& database, const std::string& where);
// Makes the current tables of whatever version is there.
absl::Status BringUpToDate(Database& database, const std::string& where);

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SQL_SCHEMA_H_
