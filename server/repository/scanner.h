// Looks through a model repository, Triton's layout: <model>/<version>/model.pt (or model.pt2,
// model.onnx). Says which files are complete, which are still being copied, and what is refused and
// why. Reads no file.
//
// A file is complete when nobody has written to it for two seconds: by its own time of
// modification, or because it has looked the same for that long. One that was renamed into its
// place (or whose times or mode were set after the last write, as cp -p, rsync and tar do) is
// complete at once. Whoever reads it must see that it has not changed meanwhile.
#ifndef ASSAY_SERVER_REPOSITORY_SCANNER_H_
#define ASSAY_SERVER_REPOSITORY_SCANNER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "server/repository/file_tree.h"

namespace assay::repository {

inline constexpr int64_t kSettleMicros = 2'000'000;
inline constexpr size_t kMostModels = 1000;
inline constexpr size_t kMostVersions = 10'000;

struct FoundVersion {
  enum class State { kComplete, kCopying, kRefused };
  // Names of its directories.
  std::string model;
  int64_t version = 0;
  State state = State::kRefused;
  // Of kCopying and kRefused.
  std::string reason;
  // The model's file, "resnet/3/model.pt"; empty: there is none that could be meant.
  std::string file;
  FileStamp stamp;
  // What says how it wants its images, "resnet/3/assay.yaml" or "resnet/assay.yaml"; empty: none.
  std::string options_file;
  FileStamp options_stamp;
  // "resnet/config.pbtxt"; empty: none.
  std::string config_file;

  // "resnet/3", or the file where there is one.
  std::string path() const;
};

struct Problem {
  std::string path;
  // As in "PATH REASON".
  std::string reason;
};

struct Scan {
  // By model and version.
  std::vector<FoundVersion> versions;
  // What is no version and looks as if it was meant to be one.
  std::vector<Problem> problems;
  // Models that could not be looked into: what they have is not known.
  std::set<std::string> unread;
  // Whether there is more than is looked at.
  bool truncated = false;
};

class Scanner {
 public:
  // Both must outlive it.
  Scanner(const FileTree& tree, const Clock& clock) : tree_(tree), clock_(clock) {}

  // An error when the directory itself cannot be read. Not thread-safe.
  absl::StatusOr<Scan> Look();

 private:
  struct Seen {
    FileStamp stamp;
    int64_t since_micros = 0;
  };
  void LookIntoModel(const std::string& model, Scan* scan);
  void LookIntoVersion(FoundVersion* version);
  // Whether the file is complete. The stamp is set where it is there.
  absl::StatusOr<bool> IsComplete(const std::string& path, FileStamp* stamp);

  const FileTree& tree_;
  const Clock& clock_;
  // By path: since when a file has looked as it does, at this look and at the one before.
  std::map<std::string, Seen> seen_, seen_before_;
};

// The id of the model that a version becomes: "resnet-v3".
std::string VersionId(const std::string& model, int64_t version);

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_SCANNER_H_
