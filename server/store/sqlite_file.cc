#include "server/store/sqlite_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/store/sql_schema.h"
#include "server/store/sqlite.h"

namespace assay::store {
namespace {

// Held while a file is opened and made: the switch to a write-ahead log does not wait for others
// who are doing the same. On the directory, because closing another descriptor of the file itself
// would give up SQLite's locks. A file system without such locks is none that several open at once.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& file) {
    const std::string parent = std::filesystem::path(file).parent_path().string();
    fd_ = open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd_ >= 0 && flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~DirectoryLock() {
    if (fd_ >= 0) close(fd_);
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int fd_ = -1;
};

absl::Status UseWriteAheadLog(Database& database, const std::string& path) {
  Statement mode = database.Query("PRAGMA journal_mode = WAL");
  if (!mode.Next()) {
    return mode.ErrorOr(Database::NoRow());
  }
  if (mode.Text(0) != "wal") {
    return Error(Reason::kStorageFailed,
                 absl::StrCat("the file system of ", path, " does not allow a write-ahead log"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> OpenSqliteFile(const std::string& path,
                                                         const Clock& clock) {
  const DirectoryLock one_at_a_time(path);
  ASSAY_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, SqliteDatabase::Open(path, clock));
  // Before anything is written: a file that is not ours to change stays as it is.
  ASSAY_RETURN_IF_ERROR(CheckSchema(*database, path));
  // Has effect on a file that is empty yet.
  ASSAY_RETURN_IF_ERROR(database->RunScript("PRAGMA auto_vacuum = INCREMENTAL"));
  ASSAY_RETURN_IF_ERROR(UseWriteAheadLog(*database, path));
  ASSAY_RETURN_IF_ERROR(
      database->RunScript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"));
  // Overwriting what is deleted, which some builds of SQLite do, would take as much space in the
  // log.
  ASSAY_RETURN_IF_ERROR(database->RunScript("PRAGMA secure_delete = OFF"));
  ASSAY_RETURN_IF_ERROR(BringUpToDate(*database, path));
  return database;
}

}  // namespace assay::store
