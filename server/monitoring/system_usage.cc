#include "server/monitoring/system_usage.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace assay::monitoring {
namespace {

// The number after `key` at the start of a line; in its own unit.
std::optional<int64_t> Entry(const std::string& path, absl::string_view key) {
  std::ifstream file(path);
  std::string word;
  int64_t value = 0;
  while (file >> word) {
    if (word == key && file >> value) return value;
    file.clear();
    file.ignore(1000, '\n');
  }
  return std::nullopt;
}

std::optional<int64_t> Number(const std::string& path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // "max", too
}

// "/user.slice/assay.service", from the line "0::PATH" that version 2 has.
std::optional<std::string> ControlGroup(const std::string& root) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("0::", 0) == 0) return line.substr(3);
  }
  return std::nullopt;
}

}  // namespace

std::optional<ProcessUsage> ReadProcess(int pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::stringstream text;
  text << file.rdbuf();
  // The second field is the program's name in parentheses, which may hold anything.
  const std::string line = text.str();
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  // From field 3, the state, on; utime is 14, stime 15, rss 24.
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  for (int field = 16; field < 24; ++field) fields >> skipped;
  int64_t pages = 0;
  if (!(fields >> pages)) return std::nullopt;
  ProcessUsage usage;
  usage.resident_bytes = pages * sysconf(_SC_PAGESIZE);
  usage.cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return usage;
}

std::optional<MemoryUsage> ReadMemory(const std::string& root) {
  const std::string meminfo = root + "/proc/meminfo";
  const auto total = Entry(meminfo, "MemTotal:"), available = Entry(meminfo, "MemAvailable:");
  if (!total || !available) return std::nullopt;
  MemoryUsage usage;
  usage.size_bytes = *total * 1024;
  usage.used_bytes = (*total - *available) * 1024;
  // A limit holds for all groups below.
  auto group = ControlGroup(root);
  while (group.has_value()) {
    const std::string directory = absl::StrCat(root, "/sys/fs/cgroup", *group);
    const auto limit = Number(directory + "/memory.max");
    const auto current = Number(directory + "/memory.current");
    if (limit && current && *limit < usage.size_bytes) {
      usage.size_bytes = *limit;
      const int64_t cache = Entry(directory + "/memory.stat", "inactive_file").value_or(0);
      usage.used_bytes = std::max<int64_t>(0, *current - cache);
    }
    const size_t slash = group->rfind('/');
    if (slash == std::string::npos || *group == "/") break;
    group = group->substr(0, slash);
  }
  return usage;
}

}  // namespace assay::monitoring
