#include "tests/server/faults/faulty_disk.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/strip.h"

namespace assay::store {
namespace {

namespace fs = std::filesystem;

FaultyDisk* current = nullptr;

std::optional<std::string> ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::set<std::string> Names(const std::string& directory) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

// --- the VFS: the default one behind, whose files lie after ours in memory

struct alignas(std::max_align_t) File {
  sqlite3_file base;
  char path[504];

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File& Of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
sqlite3_file* RealOf(sqlite3_file* file) { return Of(file).real(); }
sqlite3_vfs* Behind(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

// What the default VFS would say.
int ErrorOf(int error, int io_error) { return error == ENOSPC ? SQLITE_FULL : io_error; }

int Close(sqlite3_file* file) {
  return RealOf(file)->pMethods != nullptr ? RealOf(file)->pMethods->xClose(RealOf(file))
                                           : SQLITE_OK;
}
int Read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  return RealOf(file)->pMethods->xRead(RealOf(file), data, size, offset);
}
int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  bool half = false;
  const int error = current->Strike(/*write=*/true, &half);
  if (error != 0 && !half) return ErrorOf(error, SQLITE_IOERR_WRITE);
  current->WillChange(Of(file).path);
  const int written =
      RealOf(file)->pMethods->xWrite(RealOf(file), data, half ? size / 2 : size, offset);
  return half ? ErrorOf(error, SQLITE_IOERR_WRITE) : written;
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int error = current->Strike()) return ErrorOf(error, SQLITE_IOERR_TRUNCATE);
  current->WillChange(Of(file).path);
  return RealOf(file)->pMethods->xTruncate(RealOf(file), size);
}
int Sync(sqlite3_file* file, int flags) {
  if (const int error = current->Strike()) return ErrorOf(error, SQLITE_IOERR_FSYNC);
  const int result = RealOf(file)->pMethods->xSync(RealOf(file), flags);
  if (result == SQLITE_OK) current->HasSynced(Of(file).path);
  return result;
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return RealOf(file)->pMethods->xFileSize(RealOf(file), size);
}
int Lock(sqlite3_file* file, int kind) { return RealOf(file)->pMethods->xLock(RealOf(file), kind); }
int Unlock(sqlite3_file* file, int kind) {
  return RealOf(file)->pMethods->xUnlock(RealOf(file), kind);
}
int CheckReservedLock(sqlite3_file* file, int* reserved) {
  return RealOf(file)->pMethods->xCheckReservedLock(RealOf(file), reserved);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  if (operation == SQLITE_FCNTL_LAST_ERRNO && current->last_error() != 0) {
    *static_cast<int*>(argument) = current->last_error();
    return SQLITE_OK;
  }
  return RealOf(file)->pMethods->xFileControl(RealOf(file), operation, argument);
}
int SectorSize(sqlite3_file* file) { return RealOf(file)->pMethods->xSectorSize(RealOf(file)); }
// Of the promises of the real device the one that is kept here: what lies beside a write stays as it
// is. Writes may be torn and put off. (Without it SQLite pads its log to whole sectors, behind what
// it syncs.)
int DeviceCharacteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** memory) {
  return RealOf(file)->pMethods->xShmMap(RealOf(file), page, size, extend, memory);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return RealOf(file)->pMethods->xShmLock(RealOf(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) { RealOf(file)->pMethods->xShmBarrier(RealOf(file)); }
int ShmUnmap(sqlite3_file* file, int remove) {
  return RealOf(file)->pMethods->xShmUnmap(RealOf(file), remove);
}

constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         DeviceCharacteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};

int OpenFile(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if ((flags & SQLITE_OPEN_CREATE) != 0) {
    if (const int error = current->Strike()) return ErrorOf(error, SQLITE_CANTOPEN);
  }
  std::memset(Of(file).path, 0, sizeof(File::path));
  std::strncpy(Of(file).path, name != nullptr ? name : "", sizeof(File::path) - 1);
  const int result = Behind(vfs)->xOpen(Behind(vfs), name, RealOf(file), flags, out_flags);
  if (RealOf(file)->pMethods != nullptr) file->pMethods = &kMethods;
  return result;
}
int DeleteFile(sqlite3_vfs* vfs, const char* name, int sync) {
  if (const int error = current->Strike()) return ErrorOf(error, SQLITE_IOERR_DELETE);
  current->Forget(name);
  return Behind(vfs)->xDelete(Behind(vfs), name, sync);
}
int LastError(sqlite3_vfs* vfs, int size, char* text) {
  return current->last_error() != 0 ? current->last_error()
                                    : Behind(vfs)->xGetLastError(Behind(vfs), size, text);
}

sqlite3_vfs& Vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs* const real = sqlite3_vfs_find(nullptr);
    sqlite3_vfs made = *real;
    made.iVersion = 2;
    made.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
    made.zName = "assay-faulty";
    made.pAppData = real;
    made.xOpen = OpenFile;
    made.xDelete = DeleteFile;
    made.xGetLastError = LastError;
    made.xAccess = [](sqlite3_vfs* v, const char* name, int flags, int* result) {
      return Behind(v)->xAccess(Behind(v), name, flags, result);
    };
    made.xFullPathname = [](sqlite3_vfs* v, const char* name, int size, char* path) {
      return Behind(v)->xFullPathname(Behind(v), name, size, path);
    };
    return made;
  }();
  return vfs;
}

}  // namespace

FaultyDisk::FaultyDisk(const std::string& root) : root_(absl::StripSuffix(root, "/")) {
  // What is there, its parents know.
  entries_[root_] = Names(root_);
  sqlite3_initialize();
  sqlite3_vfs_register(&Vfs(), /*makeDflt=*/1);
  current = this;
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&Vfs());
  current = nullptr;
}

int FaultyDisk::Strike(bool write, bool* half) {
  last_error_ = 0;
  if (suspended_) return 0;
  ++calls_;
  const bool now =
      fault_ == Fault::kPowerCut ? strike_ > 0 && calls_ >= strike_ : calls_ == strike_;
  if (!now) return 0;
  has_struck_ = true;
  const bool torn = fault_ == Fault::kTorn && write;
  if (torn && half != nullptr) *half = true;
  last_error_ = fault_ == Fault::kFull || torn ? ENOSPC : EIO;
  errno = last_error_;
  return last_error_;
}

void FaultyDisk::WillChange(const std::string& path) {
  if (synced_.count(path) == 0) synced_[path] = ReadAll(path);
}

int FaultyDisk::Open(const std::string& path, int flags, int mode) {
  if (Strike() != 0) return -1;
  const int fd = FileOps::Open(path, flags, mode);
  if (fd >= 0) paths_[fd] = path;
  return fd;
}

int64_t FaultyDisk::Write(int fd, const void* data, size_t size) {
  bool half = false;
  if (Strike(/*write=*/true, &half) != 0) {
    if (!half) return -1;
    // A short write first; the rest finds the disk full.
    ++strike_;
  }
  WillChange(paths_[fd]);
  return FileOps::Write(fd, data, half ? (size + 1) / 2 : size);
}

int FaultyDisk::Fsync(int fd) {
  if (Strike() != 0) return -1;
  const std::string& path = paths_[fd];
  if (fs::is_directory(path)) {
    entries_[path] = Names(path);
  } else {
    HasSynced(path);
  }
  return FileOps::Fsync(fd);
}

int FaultyDisk::Rename(const std::string& from, const std::string& to) {
  if (Strike() != 0) return -1;
  if (const auto changed = synced_.find(from); changed != synced_.end()) {
    synced_[to] = changed->second;
    synced_.erase(from);
  } else {
    synced_.erase(to);
  }
  return FileOps::Rename(from, to);
}

void FaultyDisk::RestoreDirectory(const std::string& path, bool torn) {
  const auto known = entries_.find(path);
  for (const std::string& name : Names(path)) {
    const std::string child = path + "/" + name;
    // SQLite syncs the directory of its own files, by itself.
    const bool of_sqlite = name.find(".db") != std::string::npos;
    const bool durable = of_sqlite || (known != entries_.end() && known->second.count(name) > 0) ||
                         (torn && random_() % 2 == 0);
    if (!durable) {
      fs::remove_all(child);
    } else if (fs::is_directory(child)) {
      RestoreDirectory(child, torn);
    }
  }
}

void FaultyDisk::RestoreAfterPowerCut(bool torn) {
  if (fault_ == Fault::kPowerCut) strike_ = 0;
  constexpr size_t kSector = 512;
  for (const auto& [path, before] : synced_) {
    if (!fs::exists(path)) continue;
    if (!before.has_value() && !torn) {
      // Made and never synced: there, but empty.
      fs::resize_file(path, 0);
      continue;
    }
    std::string content = before.value_or("");
    if (torn) {
      std::string after = ReadAll(path).value_or("");
      if (random_() % 2 == 0) std::swap(content, after);
      for (size_t at = 0; at < std::min(content.size(), after.size()); at += kSector) {
        if (random_() % 2 == 0) continue;
        const size_t size = std::min({kSector, content.size() - at, after.size() - at});
        content.replace(at, size, after, at, size);
      }
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  }
  synced_.clear();
  RestoreDirectory(root_, torn);
  // Shared memory does not outlive the machine.
  for (const std::string& name : Names(root_)) {
    if (name.size() > 4 && name.substr(name.size() - 4) == "-shm") fs::remove(root_ + "/" + name);
  }
}

}  // namespace assay::store
