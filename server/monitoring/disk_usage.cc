#include "server/monitoring/disk_usage.h"

#include <sys/statvfs.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace assay::monitoring {
namespace {

namespace fs = std::filesystem;

int64_t FileBytes(const fs::path& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

}  // namespace

int64_t BytesBelow(const std::string& directory) {
  int64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(directory, fs::directory_options::skip_permission_denied,
                                      error);
  while (!error && it != fs::recursive_directory_iterator()) {
    std::error_code gone;
    if (it->is_regular_file(gone)) bytes += FileBytes(it->path());
    it.increment(error);
  }
  return bytes;
}

DataDirectoryUsage::DataDirectoryUsage(std::string data_directory,
                                       std::chrono::milliseconds interval)
    : directory_(std::move(data_directory)), thread_([this, interval] { Loop(interval); }) {}

DataDirectoryUsage::~DataDirectoryUsage() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void DataDirectoryUsage::Loop(std::chrono::milliseconds interval) {
  while (true) {
    const int64_t bytes = BytesBelow(directory_ + "/blobs");
    MutexLock lock(mutex_);
    blob_bytes_ = bytes;
    if (lock.WaitFor(changed_, interval, [this] { return stop_; })) return;
  }
}

DiskUsage DataDirectoryUsage::Read() const {
  DiskUsage usage;
  struct statvfs system {};
  if (statvfs(directory_.c_str(), &system) == 0) {
    const auto block = static_cast<int64_t>(system.f_frsize);
    usage.size_bytes = static_cast<int64_t>(system.f_blocks) * block;
    usage.free_bytes = static_cast<int64_t>(system.f_bavail) * block;
  }
  for (const char* name : {"/assay.db", "/assay.db-wal", "/assay.db-shm"}) {
    usage.database_bytes += FileBytes(directory_ + name);
  }
  MutexLock lock(mutex_);
  usage.blob_bytes = blob_bytes_;
  return usage;
}

}  // namespace assay::monitoring
