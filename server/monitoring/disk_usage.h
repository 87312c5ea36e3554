// What is on the disk: of the file system that holds the data directory, and of what assayd stores
// there.
//
//   const DataDirectoryUsage usage("/srv/assay");
//   usage.Read().free_bytes
#ifndef ASSAY_SERVER_MONITORING_DISK_USAGE_H_
#define ASSAY_SERVER_MONITORING_DISK_USAGE_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "core/base/mutex.h"

namespace assay::monitoring {

struct DiskUsage {
  // Of the file system; free is what a process without privileges can still write. Absent where
  // the file system cannot be asked.
  std::optional<int64_t> size_bytes, free_bytes;
  // Of the database with its log. Lengths of files, not blocks.
  int64_t database_bytes = 0;
  // Of blobs/, as it was at most `interval` and the time of a walk through it ago. Absent until the
  // first walk has ended.
  std::optional<int64_t> blob_bytes;
};

// The lengths of all files below a directory, added up. What goes away meanwhile does not count; 0
// where there is no such directory.
int64_t BytesBelow(const std::string& directory);

// Thread-safe. There may be very many blobs, and a scrape must not wait for a slow disk: a thread
// of its own walks through them.
class DataDirectoryUsage {
 public:
  static constexpr std::chrono::milliseconds kInterval{30'000};

  explicit DataDirectoryUsage(std::string data_directory,
                              std::chrono::milliseconds interval = kInterval);
  ~DataDirectoryUsage();
  DataDirectoryUsage(const DataDirectoryUsage&) = delete;
  DataDirectoryUsage& operator=(const DataDirectoryUsage&) = delete;
  DiskUsage Read() const;

 private:
  void Loop(std::chrono::milliseconds interval);

  const std::string directory_;
  mutable Mutex mutex_;
  std::condition_variable changed_;
  std::optional<int64_t> blob_bytes_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace assay::monitoring

#endif  // ASSAY_SERVER_MONITORING_DISK_USAGE_H_
