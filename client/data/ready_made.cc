#include "client/data/ready_made.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "client/data/ignored_names.h"
#include "client/data/npy_reader.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

namespace fs = std::filesystem;

constexpr int kSeverities = 5;
constexpr char kLabelsFile[] = "labels.npy";

// A severity as it is written in names; 0 for anything else.
int SeverityOf(const std::string& text) {
  const bool digit = text.size() == 1 && text[0] >= '1' && text[0] <= '0' + kSeverities;
  return digit ? text[0] - '0' : 0;
}

// The path of a folder without a slash at its end, which would leave no name.
fs::path Folder(const std::string& path) {
  const fs::path whole = fs::path(path).lexically_normal();
  return whole.filename().empty() ? whole.parent_path() : whole;
}

// What lies in a folder, sorted by name, without what is ignored; nothing if it cannot be listed.
std::vector<fs::path> Entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!IsIgnoredName(entry->path().filename().string())) entries.push_back(entry->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::vector<fs::path> Folders(const fs::path& folder) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (const fs::path& entry : Entries(folder)) {
    if (fs::is_directory(entry, error)) folders.push_back(entry);
  }
  return folders;
}

// Whether a folder has nothing but folders of severities, and those have folders of classes.
bool IsCorruption(const fs::path& folder) {
  const std::vector<fs::path> severities = Folders(folder);
  return !severities.empty() &&
         std::all_of(severities.begin(), severities.end(), [](const fs::path& severity) {
           return SeverityOf(severity.filename().string()) > 0 && !Folders(severity).empty();
         });
}

void AddFolders(const fs::path& corruption, std::vector<ReadyMadeBlock>* blocks) {
  for (const fs::path& severity : Folders(corruption)) {
    blocks->push_back({corruption.filename().string(), SeverityOf(severity.filename().string()),
                       severity.string()});
  }
}

absl::StatusOr<std::vector<ReadyMadeBlock>> NpyBlocks(const fs::path& folder) {
  std::vector<ReadyMadeBlock> blocks;
  for (const fs::path& file : Entries(folder)) {
    if (!absl::EndsWithIgnoreCase(file.string(), ".npy") || file.filename() == kLabelsFile)
      continue;
    const std::string corruption = file.stem().string();
    if (corruption.find_first_of("0123456789") != std::string::npos) {
      return Unreadable(file.string(),
                        "is not named after a corruption; a folder with labels.npy is taken for a "
                        "set like CIFAR-10-C, of files such as fog.npy with the five severities "
                        "one after the other. Name other files themselves");
    }
    for (int severity = 1; severity <= kSeverities; ++severity) {
      blocks.push_back({corruption, severity, absl::StrCat(file.string(), ":", severity)});
    }
  }
  return blocks;
}

class BlockReader final : public ReaderBase {
 public:
  BlockReader(DatasetInfo info, std::unique_ptr<ReaderBase> whole, int64_t first)
      : ReaderBase(std::move(info)), whole_(std::move(whole)), first_(first) {}

  absl::Status ReadInto(int64_t first, int64_t count, int32_t* labels, char* pixels) override {
    return whole_->ReadInto(first_ + first, count, labels, pixels);
  }

 private:
  void AddNotes(std::vector<std::string>* notes) const override {
    for (std::string& note : whole_->Notes()) notes->push_back(std::move(note));
  }

  const std::unique_ptr<ReaderBase> whole_;
  const int64_t first_;
};

}  // namespace

SeverityBlock SplitSeverityBlock(const std::string& path) {
  std::error_code error;
  const size_t colon = path.rfind(':');
  if (colon == std::string::npos || fs::exists(path, error)) return {path, 0};
  const int severity = SeverityOf(path.substr(colon + 1));
  const std::string file = path.substr(0, colon);
  if (severity == 0 || !absl::EndsWithIgnoreCase(file, ".npy")) return {path, 0};
  return {file, severity};
}

absl::StatusOr<std::unique_ptr<ReaderBase>> OpenNpyOrBlock(const std::string& path,
                                                           const OpenOptions& options) {
  const SeverityBlock block = SplitSeverityBlock(path);
  ASSAY_ASSIGN_OR_RETURN(auto whole, OpenNpy(block.path, options));
  if (block.severity == 0) return whole;
  if (whole->size() % kSeverities != 0) {
    return Unreadable(block.path, absl::StrCat("holds ", whole->size(),
                                               " images, which is no multiple of ", kSeverities,
                                               "; a file of CIFAR-10-C has the images of each "
                                               "severity one after the other"));
  }
  const int64_t size = whole->size() / kSeverities;
  DatasetInfo info{whole->shape(), whole->pixel_type(), whole->class_names(), size, {}};
  return std::make_unique<BlockReader>(std::move(info), std::move(whole),
                                       (block.severity - 1) * size);
}

std::string DatasetStem(const std::string& path) {
  const SeverityBlock block = SplitSeverityBlock(path);
  const fs::path whole = Folder(block.path);
  const auto named = [](const std::string& set, const std::string& corruption, int severity) {
    return absl::StrCat(set, set.empty() ? "" : ".", corruption, ".", severity);
  };
  if (block.severity > 0) {
    return named(whole.parent_path().filename().string(), whole.stem().string(), block.severity);
  }
  const int severity = SeverityOf(whole.filename().string());
  const std::string corruption = whole.parent_path().filename().string();
  if (severity > 0 && !corruption.empty()) {
    return named(whole.parent_path().parent_path().filename().string(), corruption, severity);
  }
  return whole.stem().string();
}

absl::StatusOr<std::vector<ReadyMadeBlock>> ReadyMadeBlocks(const std::string& path) {
  const fs::path folder = Folder(path);
  std::error_code error;
  std::vector<ReadyMadeBlock> blocks;
  if (!fs::is_directory(folder, error)) return blocks;
  if (fs::exists(folder / kLabelsFile, error)) return NpyBlocks(folder);
  if (IsCorruption(folder)) {
    AddFolders(folder, &blocks);
    return blocks;
  }
  for (const fs::path& inner : Folders(folder)) {
    if (IsCorruption(inner)) {
      AddFolders(inner, &blocks);
      continue;
    }
    for (const fs::path& corruption : Folders(inner)) {
      if (IsCorruption(corruption)) AddFolders(corruption, &blocks);
    }
  }
  std::sort(blocks.begin(), blocks.end(), [](const ReadyMadeBlock& a, const ReadyMadeBlock& b) {
    return std::tie(a.corruption, a.severity, a.path) < std::tie(b.corruption, b.severity, b.path);
  });
  for (size_t i = 1; i < blocks.size(); ++i) {
    if (blocks[i].corruption == blocks[i - 1].corruption &&
        blocks[i].severity == blocks[i - 1].severity) {
      return Unreadable(blocks[i].path, absl::StrCat("is there twice: ", blocks[i - 1].path,
                                                     " is the same severity"));
    }
  }
  return blocks;
}

std::string ReadyMadeName(const std::string& path) { return Folder(path).filename().string(); }

}  // namespace assay::client
