// How much may be stored, and the error of whoever wants more.
#ifndef ASSAY_SERVER_API_QUOTA_H_
#define ASSAY_SERVER_API_QUOTA_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "server/api/context.h"

namespace assay::api {

// kQuotaExceeded with the details of google.rpc.QuotaFailure: `subject` is the flag that sets the
// limit, `text` says what is full and what can be done.
absl::Status QuotaExceeded(const std::string& subject, const std::string& text,
                           double retry_seconds);

// Bytes of blobs and database.
int64_t StoredBytes(const Context& context);

// Whether `more` bytes may be stored. Work that has begun goes on without asking.
absl::Status CheckDiskQuota(const Context& context, int64_t more);

// Who is charged for what `caller` makes: nobody on a server without tokens.
store::Owner OwnerOf(const access::Caller& caller);
// Whether `caller` may bring `more` bytes, beside what it has stored and uploaded:
// kQuotaExceeded. Calls of one moment do not see each other; what is made in the end does
// (Catalog).
absl::Status CheckStoredQuota(Context& context, const access::Caller& caller, int64_t more);

}  // namespace assay::api

#endif  // ASSAY_SERVER_API_QUOTA_H_
