// JobStore in a PostgreSQL database (15 or newer), which several processes on several machines may
// use at once.
#ifndef ASSAY_SERVER_STORE_POSTGRES_JOB_STORE_H_
#define ASSAY_SERVER_STORE_POSTGRES_JOB_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "server/store/job_store.h"

namespace assay::store {

// Connects, and makes the tables or brings them up to date in the schema that comes first on the
// search path. `uri`: postgresql://USER@HOST/DATABASE, completed by libpq's environment. Leases and
// times are by the database's clock, unless there is a `clock`, for tests, which must outlive the
// store. One connection: calls of one store wait for each other, those of several do not.
absl::StatusOr<std::unique_ptr<JobStore>> OpenPostgresJobStore(const std::string& uri,
                                                               const Clock* clock = nullptr);

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_POSTGRES_JOB_STORE_H_
