// Who did what to which resource: JSON lines, each appended by one write, so that lines of a file
// that is rotated or shared never mix.
#ifndef ASSAY_SERVER_ACCESS_AUDIT_LOG_H_
#define ASSAY_SERVER_ACCESS_AUDIT_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "server/monitoring/metrics.h"

namespace assay::access {

struct AuditEntry {
  int64_t time_micros = 0;
  double seconds = 0;
  std::string who;
  std::string by;  // "token", "certificate", "nobody"
  std::string peer;
  std::string method;
  std::string resource;
  std::string request_id;
  bool allowed = false;
  std::string code;
  std::string reason;
};

// Thread-safe.
class AuditLog {
 public:
  // Appends to `path`, which is made if it is not there, for the server's user and group alone.
  // kInvalidArgument when that cannot be. `metrics` must outlive it.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(std::string path,
                                                        monitoring::Metrics& metrics);
  ~AuditLog();

  // False when it cannot be written: a full disk. That is counted, and said in the server's log.
  bool Write(const AuditEntry& entry);
  // Opens the path anew, after its file has been moved away. The old one stays when that fails.
  void Reopen();
  const std::string& path() const { return path_; }
  // Whether the last line was written; if not, tries once more.
  bool Works();

 private:
  AuditLog(std::string path, int fd, monitoring::Metrics& metrics)
      : path_(std::move(path)), metrics_(metrics), fd_(fd) {}
  bool Append(const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  monitoring::Metrics& metrics_;
  Mutex mutex_;
  int fd_ ABSL_GUARDED_BY(mutex_);
  bool works_ ABSL_GUARDED_BY(mutex_) = true;
  // Half of a line is at the end of the file.
  bool torn_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t lost_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace assay::access

#endif  // ASSAY_SERVER_ACCESS_AUDIT_LOG_H_
