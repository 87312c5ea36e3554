// A disk one of whose calls fails, for tests that try each call in turn: under the blobs (FileOps)
// and under SQLite (a VFS, in the place of the default one).
//
// It also knows what a power cut leaves: of files, what was synced; of directories of blobs, the
// entries that were there when they were synced.
#ifndef ASSAY_TESTS_SERVER_FAULTS_FAULTY_DISK_H_
#define ASSAY_TESTS_SERVER_FAULTS_FAULTY_DISK_H_

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "server/store/directory_blobs.h"

struct sqlite3_file;
struct sqlite3_vfs;

namespace assay::store {

// One at a time. Not thread-safe.
class FaultyDisk final : public FileOps {
 public:
  enum class Fault {
    kBroken,    // EIO
    kFull,      // ENOSPC
    kTorn,      // a write that puts half of its bytes there and says ENOSPC; others: EIO
    kPowerCut,  // this call and all later ones fail
  };
  // Of files below `root`.
  explicit FaultyDisk(const std::string& root);
  ~FaultyDisk() override;
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  // The call of this number, from 1, fails; 0: none.
  void Plan(Fault fault, int64_t strike) {
    fault_ = fault;
    strike_ = strike;
  }
  // Whether a planned fault has come about, before a power cut too.
  bool has_struck() const { return has_struck_; }
  // Calls are neither counted nor fail while it is suspended.
  void Suspend(bool suspended) { suspended_ = suspended; }
  // Files that have been written to since they were last synced.
  std::vector<std::string> Unsynced() const {
    std::vector<std::string> paths;
    for (const auto& [path, content] : synced_) paths.push_back(path);
    return paths;
  }
  // To be called when nobody has a file open: what a power cut leaves. `torn`: each sector of a
  // file and each entry of a directory that was not synced is the new or the old one, by chance.
  // Calls succeed again.
  void RestoreAfterPowerCut(bool torn);

  // --- FileOps
  int Open(const std::string& path, int flags, int mode) override;
  int64_t Write(int fd, const void* data, size_t size) override;
  int Fsync(int fd) override;
  int Rename(const std::string& from, const std::string& to) override;

  // --- for the VFS
  // 0, or the errno with which the call is to fail. `write`: torn writes are possible.
  int Strike(bool write = false, bool* half = nullptr);
  // Before a change of the file's bytes; after its sync.
  void WillChange(const std::string& path);
  void HasSynced(const std::string& path) { synced_.erase(path); }
  void Forget(const std::string& path) { synced_.erase(path); }
  int last_error() const { return last_error_; }

 private:
  void RestoreDirectory(const std::string& path, bool torn);

  const std::string root_;
  Fault fault_ = Fault::kBroken;
  int64_t strike_ = 0;
  int64_t calls_ = 0;
  bool has_struck_ = false;
  bool suspended_ = false;
  int last_error_ = 0;
  std::map<int, std::string> paths_;  // by descriptor
  // Content as of the last sync, of files that were changed since; nullopt: it was not there.
  std::map<std::string, std::optional<std::string>> synced_;
  // Entries of directories when they were last synced; those that never were are not here.
  std::map<std::string, std::set<std::string>> entries_;
  std::mt19937 random_{7};
};

}  // namespace assay::store

#endif  // ASSAY_TESTS_SERVER_FAULTS_FAULTY_DISK_H_
