// The audit log read again, from its end: its file and those that it was rotated into.
#ifndef ASSAY_SERVER_ACCESS_AUDIT_READER_H_
#define ASSAY_SERVER_ACCESS_AUDIT_READER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/access/audit_log.h"

namespace assay::access {

struct AuditQuery {
  // Calls that came in [since, until).
  int64_t since_micros = std::numeric_limits<int64_t>::min();
  int64_t until_micros = std::numeric_limits<int64_t>::max();
  // Exactly; empty: anybody.
  std::string who;
  // Parts of them.
  std::string method;
  std::string resource;
  bool denied_only = false;
  size_t most = 100;
  // Of the page before.
  std::string page_token;
};

struct AuditPage {
  // The last that was written first.
  std::vector<AuditEntry> entries;
  // Empty: there are no more.
  std::string next_token;
};

// So much is read for one page; what is not found by then, the next one goes on to look for.
inline constexpr int64_t kAuditBytesAPage = 16 << 20;

// Files are `path` and those beside it that are called so with "." or "-" and more behind, as
// logrotate calls them, the last written first; compressed ones are left out. Lines that are no
// entries are passed over. A page goes on where the last one ended, also when the files were
// rotated between. kInvalidArgument naming "page_token" for one that is none, or whose file is
// gone.
absl::StatusOr<AuditPage> ReadAudit(const std::string& path, const AuditQuery& query);

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_AUDIT_READER_H_
