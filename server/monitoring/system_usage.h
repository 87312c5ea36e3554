// What the kernel says of processes and of this machine's memory.
#ifndef ASSAY_SERVER_MONITORING_SYSTEM_USAGE_H_
#define ASSAY_SERVER_MONITORING_SYSTEM_USAGE_H_

#include <cstdint>
#include <optional>
#include <string>

namespace assay::monitoring {

struct ProcessUsage {
  int64_t resident_bytes = 0;
  // Of all of its threads, in user and system mode, since it started.
  double cpu_seconds = 0;
};

// nullopt when there is no such process. One that has ended but was not waited for has no memory
// and still its seconds.
std::optional<ProcessUsage> ReadProcess(int pid);

struct MemoryUsage {
  int64_t used_bytes = 0;
  int64_t size_bytes = 0;
};

// The memory that this process and its children share with others: the machine's, or that of the
// smallest control group (cgroup v2) around the process that has a limit, as containers do. Caches
// that the kernel would give up are not used. nullopt where /proc tells nothing. `root` is for
// tests: where /proc and /sys are.
std::optional<MemoryUsage> ReadMemory(const std::string& root = "");

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_SYSTEM_USAGE_H_
