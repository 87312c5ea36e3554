#include "server/access/audit_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/errors.h"
#include "nlohmann/json.hpp"

namespace assay::access {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlockBytes = 64 << 10;
// No entry is as long.
constexpr size_t kMostLineBytes = 1 << 20;
// Lines stand in the order in which calls ended, to a millisecond; clocks are set now and then.
constexpr int64_t kSlackMicros = 2'000'000;

struct File {
  std::string path;
  uint64_t inode = 0;
  int64_t size = 0;
  timespec written{};
};

std::optional<File> Look(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return File{path, info.st_ino, info.st_size, info.st_mtim};
}

bool IsCompressed(absl::string_view name) {
  for (const char* ending : {".gz", ".xz", ".bz2", ".zst", ".lz4"}) {
    if (absl::EndsWith(name, ending)) return true;
  }
  return false;
}

// The current one first, then those that were rotated, the last written first.
std::vector<File> FilesOf(const std::string& path) {
  std::vector<File> files;
  const fs::path whole(path);
  const std::string name = whole.filename().string();
  std::error_code error;
  const fs::path directory = whole.has_parent_path() ? whole.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string other = entry->path().filename().string();
    if (other.size() <= name.size() + 1 || !absl::StartsWith(other, name) ||
        (other[name.size()] != '.' && other[name.size()] != '-') || IsCompressed(other)) {
      continue;
    }
    if (auto file = Look(entry->path().string())) files.push_back(std::move(*file));
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    if (a.written.tv_sec != b.written.tv_sec) return a.written.tv_sec > b.written.tv_sec;
    if (a.written.tv_nsec != b.written.tv_nsec) return a.written.tv_nsec > b.written.tv_nsec;
    return a.path < b.path;
  });
  if (auto file = Look(path)) files.insert(files.begin(), std::move(*file));
  return files;
}

// Lines of a file from `end` to its beginning.
class BackwardLines {
 public:
  BackwardLines(int fd, int64_t end) : fd_(fd), start_(end) {}

  // The line before; false at the beginning of the file.
  bool Next(std::string* line) {
    if (!buffer_.empty() && buffer_.back() == '\n') buffer_.pop_back();
    size_t from = 0;
    while ((from = buffer_.rfind('\n')) == std::string::npos && start_ > 0) {
      if (buffer_.size() > kMostLineBytes) buffer_.clear();
      if (!Fill()) return false;
      if (first_ && buffer_.back() == '\n') buffer_.pop_back();
      first_ = false;
    }
    if (from == std::string::npos && buffer_.empty()) return false;
    const size_t begin = from == std::string::npos ? 0 : from + 1;
    *line = buffer_.substr(begin);
    buffer_.resize(begin);
    return true;
  }
  // Where the last line began.
  int64_t offset() const { return start_ + static_cast<int64_t>(buffer_.size()); }
  int64_t bytes_read() const { return read_; }

 private:
  bool Fill() {
    const int64_t size = std::min(kBlockBytes, start_);
    std::string block(static_cast<size_t>(size), '\0');
    const ssize_t count = pread(fd_, block.data(), block.size(), start_ - size);
    if (count != size) return false;
    start_ -= size;
    read_ += size;
    buffer_.insert(0, block);
    return true;
  }

  const int fd_;
  // What is in the buffer begins here.
  int64_t start_;
  int64_t read_ = 0;
  bool first_ = true;
  std::string buffer_;
};

std::optional<AuditEntry> ParseEntry(const std::string& line) {
  const nlohmann::json object =
      nlohmann::json::parse(line, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;
  const auto text = [&](const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  AuditEntry entry;
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, text("time"), &time, nullptr)) return std::nullopt;
  entry.time_micros = absl::ToUnixMicros(time);
  entry.who = text("who");
  entry.by = text("by");
  entry.peer = text("peer");
  entry.method = text("method");
  entry.resource = text("resource");
  entry.request_id = text("request_id");
  entry.code = text("code");
  entry.reason = text("reason");
  if (const auto found = object.find("allowed"); found != object.end() && found->is_boolean()) {
    entry.allowed = found->get<bool>();
  }
  if (const auto found = object.find("seconds"); found != object.end() && found->is_number()) {
    entry.seconds = found->get<double>();
  }
  return entry;
}

bool Fits(const AuditEntry& entry, const AuditQuery& query) {
  return entry.time_micros >= query.since_micros && entry.time_micros < query.until_micros &&
         (query.who.empty() || entry.who == query.who) &&
         absl::StrContains(entry.method, query.method) &&
         absl::StrContains(entry.resource, query.resource) &&
         (!query.denied_only || !entry.allowed);
}

// What ended before `since` began before it, and so did all that stands before.
bool IsBefore(const AuditEntry& entry, int64_t since_micros) {
  return entry.time_micros + static_cast<int64_t>(entry.seconds * 1e6) <
         std::max(since_micros, std::numeric_limits<int64_t>::min() + kSlackMicros) - kSlackMicros;
}

std::string Token(const File& file, int64_t offset) {
  return absl::StrCat(file.inode, ":", offset);
}

absl::Status BadToken() {
  return InvalidFields(
      {{"page_token", "is not one of this list, or its file is gone: begin anew"}});
}

}  // namespace

absl::StatusOr<AuditPage> ReadAudit(const std::string& path, const AuditQuery& query) {
  const std::vector<File> files = FilesOf(path);
  size_t index = 0;
  int64_t end = files.empty() ? 0 : files[0].size;
  if (!query.page_token.empty()) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(query.page_token, absl::MaxSplits(':', 1));
    uint64_t inode = 0;
    if (!absl::SimpleAtoi(parts.first, &inode) || !absl::SimpleAtoi(parts.second, &end)) {
      return BadToken();
    }
    while (index < files.size() && files[index].inode != inode) ++index;
    if (index == files.size() || end < 0 || end > files[index].size) return BadToken();
  }
  AuditPage page;
  int64_t bytes_read = 0;
  for (; index < files.size(); ++index, end = index < files.size() ? files[index].size : 0) {
    const File& file = files[index];
    const int fd = open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      // Rotated away this moment, or not ours to read.
      if (errno == ENOENT || errno == EACCES) continue;
      return Error(Reason::kInternal, absl::StrCat("the audit log ", file.path,
                                                   " cannot be read: ", std::strerror(errno)));
    }
    BackwardLines lines(fd, end);
    bool over = false;
    std::string line;
    while (page.next_token.empty() && !over && lines.Next(&line)) {
      std::optional<AuditEntry> entry = ParseEntry(line);
      if (entry.has_value() && IsBefore(*entry, query.since_micros)) {
        over = true;
      } else if (entry.has_value() && !entry->method.empty() && Fits(*entry, query)) {
        page.entries.push_back(std::move(*entry));
      }
      if (page.entries.size() >= query.most || bytes_read + lines.bytes_read() > kAuditBytesAPage) {
        page.next_token = Token(file, lines.offset());
      }
    }
    bytes_read += lines.bytes_read();
    close(fd);
    if (over) {
      page.next_token.clear();
      return page;
    }
    if (!page.next_token.empty()) {
      // Nothing is left, anywhere.
      if (lines.offset() == 0 && index + 1 == files.size()) page.next_token.clear();
      return page;
    }
  }
  return page;
}

}  // namespace assay::access
