// JobStore in one SQLite file (WAL, synchronous=FULL). For one machine; several processes may open
// the same file.
#ifndef ASSAY_SERVER_STORE_SQLITE_JOB_STORE_H_
#define ASSAY_SERVER_STORE_SQLITE_JOB_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "server/store/job_store.h"
#include "server/store/sharing.h"

namespace assay::store {

// Opens or creates the file and brings its schema up to date. Where no other process uses the file,
// whoever held a lease is dead: leased tasks are given back, as by ReleaseTask without counting the
// attempt. `clock` must outlive the store. A
// file of a newer version is refused (kStorageFailed) and left alone.
absl::StatusOr<std::unique_ptr<JobStore>> OpenSqliteJobStore(const std::string& path,
                                                             const Clock& clock,
                                                             Sharing sharing = Sharing::kShared);

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_SQLITE_JOB_STORE_H_
