#include "client/data/ready_made.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/data/byte_source.h"
#include "client/data/npy_reader.h"
#include "common/errors.h"

namespace assay::client {
namespace {

namespace fs = std::filesystem;

constexpr int kSeverities = 5;

// A severity as it is written in names; 0 for anything else.
int SeverityOf(const std::string& text) {
  const bool digit = text.size() == 1 && text[0] >= '1' && text[0] <= '0' + kSeverities;
  return digit ? text[0] - '0' : 0;
}

class BlockReader final : public ReaderBase {
 public:
  BlockReader(DatasetInfo info, std::unique_ptr<ReaderBase> whole, int64_t first)
      : ReaderBase(std::move(info)), whole_(std::move(whole)), first_(first) {}

  absl::Status ReadInto(int64_t first, int64_t count, int32_t* labels, char* pixels) override {
    return whole_->ReadInto(first_ + first, count, labels, pixels);
  }

 private:
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
                                                           const std::string& labels_path) {
  const SeverityBlock block = SplitSeverityBlock(path);
  ASSAY_ASSIGN_OR_RETURN(auto whole, OpenNpy(block.path, labels_path));
  if (block.severity == 0) return whole;
  if (whole->size() % kSeverities != 0) {
    return Unreadable(block.path, absl::StrCat("holds ", whole->size(),
                                               " images, which is no multiple of ", kSeverities,
                                               "; a file of CIFAR-10-C has the images of each "
                                               "severity one after the other"));
  }
  const int64_t size = whole->size() / kSeverities;
  DatasetInfo info{whole->shape(), whole->pixel_type(), whole->class_names(), size};
  return std::make_unique<BlockReader>(std::move(info), std::move(whole),
                                       (block.severity - 1) * size);
}

std::string DatasetStem(const std::string& path) {
  const SeverityBlock block = SplitSeverityBlock(path);
  fs::path whole = fs::path(block.path).lexically_normal();
  // A folder's name may end in a slash, which leaves no stem.
  if (whole.filename().empty()) whole = whole.parent_path();
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

}  // namespace assay::client
