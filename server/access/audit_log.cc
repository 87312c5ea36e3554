#include "server/access/audit_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/errors.h"
#include "core/base/log.h"
#include "nlohmann/json.hpp"

namespace assay::access {
namespace {

constexpr size_t kMaxText = 300;

int OpenFile(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

std::string Text(const nlohmann::ordered_json& object) {
  // What clients send may be no UTF-8.
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string Time(int64_t micros) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMicros(micros),
                          absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(std::string path,
                                                         monitoring::Metrics& metrics) {
  const int fd = OpenFile(path);
  if (fd < 0) {
    return InvalidFields(
        {{"--audit-log", absl::StrCat(path, " cannot be written: ", std::strerror(errno))}});
  }
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(path), fd, metrics));
}

AuditLog::~AuditLog() { close(fd_); }

bool AuditLog::Append(const std::string& line) {
  // What was cut off by a full disk stays a line of its own.
  const std::string whole = torn_ ? "\n" + line : line;
  const ssize_t written = write(fd_, whole.data(), whole.size());
  if (written == static_cast<ssize_t>(whole.size())) {
    torn_ = false;
    return true;
  }
  if (written > 0) torn_ = true;
  return false;
}

bool AuditLog::Write(const AuditEntry& entry) {
  nlohmann::ordered_json object;
  object["time"] = Time(entry.time_micros);
  object["who"] = entry.who;
  object["by"] = entry.by;
  object["peer"] = entry.peer;
  object["method"] = entry.method.substr(0, kMaxText);
  if (!entry.resource.empty()) object["resource"] = entry.resource.substr(0, kMaxText);
  if (!entry.request_id.empty()) object["request_id"] = entry.request_id.substr(0, kMaxText);
  object["allowed"] = entry.allowed;
  object["code"] = entry.code;
  if (!entry.reason.empty()) object["reason"] = entry.reason;
  object["seconds"] = std::round(entry.seconds * 1000) / 1000;
  const std::string line = Text(object);

  MutexLock lock(mutex_);
  if (Append(line)) {
    works_ = true;
    return true;
  }
  ++lost_;
  metrics_.CountAuditFailure();
  if (works_) {
    LogError(absl::StrCat("--audit-log ", path_, " cannot be written (", std::strerror(errno),
                          "): calls that change something are refused until it can"));
  }
  works_ = false;
  return false;
}

bool AuditLog::Works() {
  MutexLock lock(mutex_);
  if (works_) return true;
  nlohmann::ordered_json object;
  object["event"] = "audit log works again";
  object["lines_lost"] = lost_;
  works_ = Append(Text(object));
  if (works_) {
    LogInfo(absl::StrCat("--audit-log ", path_, " can be written again; lines lost: ", lost_));
    lost_ = 0;
  }
  return works_;
}

void AuditLog::Reopen() {
  const int fd = OpenFile(path_);
  if (fd < 0) {
    LogError(absl::StrCat("--audit-log ", path_, " cannot be opened anew (", std::strerror(errno),
                          "): the old file is used"));
    return;
  }
  MutexLock lock(mutex_);
  close(fd_);
  fd_ = fd;
  torn_ = false;
}

}  // namespace assay::access
