// A tree of files that exists in memory.
#ifndef ASSAY_TESTS_SERVER_REPOSITORY_FAKE_TREE_H_
#define ASSAY_TESTS_SERVER_REPOSITORY_FAKE_TREE_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/clock.h"
#include "server/repository/file_tree.h"

namespace assay::repository {

class FakeTree final : public FileTree {
 public:
  explicit FakeTree(const Clock& clock) : clock_(clock) {}

  // Written to now, as by cp.
  void Write(const std::string& path, const std::string& content) {
    File& file = files_[path];
    if (file.stamp.inode == 0) file.stamp.inode = ++inodes_;
    file.content = content;
    file.stamp.size = static_cast<int64_t>(content.size());
    file.stamp.modified_nanos = file.stamp.changed_nanos = clock_.NowMicros() * 1000;
  }
  // Another file is renamed into this place, which was written to just now.
  void RenameInto(const std::string& path, const std::string& content) {
    files_.erase(path);
    Write(path, content);
    ++files_[path].stamp.changed_nanos;
  }
  void Remove(const std::string& path) { files_.erase(path); }
  void MakeDirectory(const std::string& path) { directories_.insert(path); }
  // What is there is refused so.
  void Refuse(const std::string& path, const std::string& reason) { refused_[path] = reason; }
  FileStamp& stamp(const std::string& path) { return files_.at(path).stamp; }
  // Every call fails.
  absl::Status failure = absl::OkStatus();

  absl::StatusOr<std::vector<Entry>> List(const std::string& directory,
                                          size_t /*most*/) const override {
    if (!failure.ok()) return failure;
    const std::string prefix = directory.empty() ? "" : directory + "/";
    std::map<std::string, Entry> entries;
    const auto add = [&](const std::string& path, Entry::Kind kind, const std::string& reason) {
      if (path.compare(0, prefix.size(), prefix) != 0 || path.size() == prefix.size()) return;
      const std::string rest = path.substr(prefix.size());
      const std::string name = rest.substr(0, rest.find('/'));
      if (name[0] == '.') return;
      entries[name] =
          name == rest ? Entry{name, kind, reason} : Entry{name, Entry::Kind::kDirectory, ""};
    };
    for (const std::string& path : directories_) add(path, Entry::Kind::kDirectory, "");
    for (const auto& [path, file] : files_) add(path, Entry::Kind::kFile, "");
    for (const auto& [path, reason] : refused_) add(path, Entry::Kind::kRefused, reason);
    std::vector<Entry> listed;
    for (auto& [name, entry] : entries) listed.push_back(std::move(entry));
    return listed;
  }
  absl::StatusOr<std::optional<FileStamp>> Stamp(const std::string& path) const override {
    const auto file = files_.find(path);
    if (file == files_.end()) return std::nullopt;
    return file->second.stamp;
  }
  absl::StatusOr<std::unique_ptr<OpenedFile>> Open(const std::string& path) const override {
    const auto file = files_.find(path);
    if (file == files_.end()) return absl::NotFoundError(path);
    return std::unique_ptr<OpenedFile>(std::make_unique<Opened>(file->second));
  }

 private:
  struct File {
    std::string content;
    FileStamp stamp;
  };
  class Opened final : public OpenedFile {
   public:
    explicit Opened(const File& file) : file_(file) {}
    absl::StatusOr<FileStamp> Stamp() const override { return file_.stamp; }
    absl::StatusOr<std::string> Read(int64_t offset, size_t size) const override {
      return file_.content.substr(static_cast<size_t>(offset), size);
    }
    std::string path() const override { return "/nowhere"; }

   private:
    const File file_;
  };

  const Clock& clock_;
  int64_t inodes_ = 0;
  std::map<std::string, File> files_;
  std::set<std::string> directories_;
  std::map<std::string, std::string> refused_;
};

}  // namespace assay::repository

#endif  // ASSAY_TESTS_SERVER_REPOSITORY_FAKE_TREE_H_
