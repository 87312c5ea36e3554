#include "server/repository/scanner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/resource_names.h"

namespace assay::repository {
namespace {

constexpr const char* kModelFiles[] = {"model.pt", "model.pt2", "model.onnx"};
constexpr char kOptionsFile[] = "assay.yaml";
constexpr char kConfigFile[] = "config.pbtxt";
// Entries of one directory.
constexpr size_t kMostEntries = 20'000;
// All numbers of so many digits fit.
constexpr size_t kMostDigits = 18;

const Entry* Find(const std::vector<Entry>& entries, const std::string& name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

bool ReadVersion(const std::string& name, int64_t* version) {
  return !name.empty() && name.size() <= kMostDigits && name[0] != '0' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }) &&
         absl::SimpleAtoi(name, version);
}

// What is wrong with the name of a model; empty: nothing.
std::string NameProblem(const std::string& name) {
  // "-v" and a version of any length.
  constexpr size_t kMost = 80 - 2 - kMostDigits;
  if (IsValidId(name) && name.size() <= kMost) return "";
  const std::string slug = Slug(name).substr(0, kMost);
  return absl::StrCat("is no name of a model: these are 1 to ", kMost,
                      " of lower-case letters, digits, '.', '_' and '-', starting with a letter or "
                      "digit",
                      slug.empty() || slug == name ? "" : absl::StrCat("; rename it to ", slug));
}

}  // namespace

std::string VersionId(const std::string& model, int64_t version) {
  return absl::StrCat(model, "-v", version);
}

std::string FoundVersion::path() const {
  return file.empty() ? absl::StrCat(model, "/", version) : file;
}

absl::StatusOr<Scan> Scanner::Look() {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Entry> entries, tree_.List("", kMostEntries));
  seen_before_ = std::move(seen_);
  seen_.clear();
  Scan scan;
  size_t models = 0;
  for (const Entry& entry : entries) {
    if (entry.kind == Entry::Kind::kRefused) {
      scan.problems.push_back({entry.name, entry.reason});
      scan.unread.insert(entry.name);
      continue;
    }
    // README.md and the like.
    if (entry.kind != Entry::Kind::kDirectory) continue;
    if (const std::string problem = NameProblem(entry.name); !problem.empty()) {
      scan.problems.push_back({entry.name, problem});
      continue;
    }
    if (++models > kMostModels) {
      scan.problems.push_back(
          {entry.name, absl::StrCat("is one model too many: at most ", kMostModels, " are read")});
      scan.truncated = true;
      break;
    }
    LookIntoModel(entry.name, &scan);
  }
  return scan;
}

void Scanner::LookIntoModel(const std::string& model, Scan* scan) {
  const auto entries = tree_.List(model, kMostEntries);
  if (!entries.ok()) {
    scan->problems.push_back({model, std::string(entries.status().message())});
    scan->unread.insert(model);
    return;
  }
  std::vector<FoundVersion> versions;
  for (const Entry& entry : *entries) {
    const std::string path = absl::StrCat(model, "/", entry.name);
    FoundVersion version;
    version.model = model;
    const bool is_version = ReadVersion(entry.name, &version.version);
    if (entry.kind == Entry::Kind::kRefused) {
      scan->problems.push_back({path, entry.reason});
      continue;
    }
    if (entry.kind == Entry::Kind::kFile) {
      // A file beside the versions is Triton's or somebody's own, but for one that is misplaced.
      const bool model_file = std::any_of(std::begin(kModelFiles), std::end(kModelFiles),
                                          [&](const char* name) { return entry.name == name; });
      if (model_file) {
        scan->problems.push_back({path, absl::StrCat("is not in the directory of a version; move "
                                                     "it to ",
                                                     model, "/1/", entry.name)});
      } else if (is_version) {
        scan->problems.push_back(
            {path, absl::StrCat("is a file; the model's file of a version is in a directory: ",
                                path, "/model.pt")});
      }
      continue;
    }
    if (!is_version) {
      scan->problems.push_back(
          {path, absl::StrCat("is no version: these are numbers from 1 on without leading zeros, "
                              "of up to ",
                              kMostDigits, " digits; such as ", model, "/1")});
      continue;
    }
    if (scan->versions.size() + versions.size() >= kMostVersions) {
      scan->problems.push_back(
          {path, absl::StrCat("is one version too many: at most ", kMostVersions, " are read")});
      scan->truncated = true;
      break;
    }
    versions.push_back(std::move(version));
  }
  std::sort(versions.begin(), versions.end(),
            [](const FoundVersion& a, const FoundVersion& b) { return a.version < b.version; });
  const Entry* const config = Find(*entries, kConfigFile);
  const Entry* const options = Find(*entries, kOptionsFile);
  for (FoundVersion& version : versions) {
    if (config != nullptr && config->kind == Entry::Kind::kFile) {
      version.config_file = absl::StrCat(model, "/", kConfigFile);
    }
    if (options != nullptr && options->kind == Entry::Kind::kFile) {
      version.options_file = absl::StrCat(model, "/", kOptionsFile);
    }
    LookIntoVersion(&version);
    scan->versions.push_back(std::move(version));
  }
}

void Scanner::LookIntoVersion(FoundVersion* version) {
  const std::string directory = version->path();
  const auto entries = tree_.List(directory, kMostEntries);
  const auto refuse = [version](std::string reason) {
    version->state = FoundVersion::State::kRefused;
    version->reason = std::move(reason);
  };
  const auto copying = [version](std::string reason) {
    version->state = FoundVersion::State::kCopying;
    version->reason = std::move(reason);
  };
  if (!entries.ok()) return refuse(std::string(entries.status().message()));
  if (entries->empty())
    return copying("is empty; a file model.pt, model.pt2 or model.onnx is missing");
  std::vector<std::string> found;
  for (const char* name : kModelFiles) {
    const Entry* const entry = Find(*entries, name);
    if (entry == nullptr) continue;
    found.push_back(name);
    version->file = absl::StrCat(directory, "/", name);
    if (entry->kind == Entry::Kind::kDirectory) {
      return refuse("is a directory; the model is one file");
    }
    if (entry->kind == Entry::Kind::kRefused) return refuse(entry->reason);
  }
  if (found.size() > 1) {
    version->file.clear();
    return refuse(absl::StrCat("has ", absl::StrJoin(found, " and "), "; leave one of them"));
  }
  if (found.empty()) {
    return refuse(absl::StrCat(
        "has no file model.pt, model.pt2 or model.onnx; it has ", entries->front().name,
        entries->size() > 1 ? absl::StrCat(" and ", entries->size() - 1, " more") : ""));
  }
  if (const Entry* const own = Find(*entries, kOptionsFile);
      own != nullptr && own->kind == Entry::Kind::kFile) {
    version->options_file = absl::StrCat(directory, "/", kOptionsFile);
  }
  auto complete = IsComplete(version->file, &version->stamp);
  if (complete.ok() && *complete && !version->options_file.empty()) {
    complete = IsComplete(version->options_file, &version->options_stamp);
  }
  if (!complete.ok()) return refuse(std::string(complete.status().message()));
  if (!*complete) return copying("is still being copied");
  version->state = FoundVersion::State::kComplete;
}

absl::StatusOr<bool> Scanner::IsComplete(const std::string& path, FileStamp* stamp) {
  ASSAY_ASSIGN_OR_RETURN(const std::optional<FileStamp> now, tree_.Stamp(path));
  // It goes while we look: the next look tells.
  if (!now.has_value()) return false;
  *stamp = *now;
  const int64_t now_micros = clock_.NowMicros();
  const auto before = seen_before_.find(path);
  const bool same = before != seen_before_.end() && before->second.stamp == *now;
  const Seen seen{*now, same ? before->second.since_micros : now_micros};
  seen_[path] = seen;
  // The time of modification is that of the file's own clock, which can be ahead.
  return now->changed_nanos > now->modified_nanos ||
         now->modified_nanos / 1000 + kSettleMicros <= now_micros ||
         seen.since_micros + kSettleMicros <= now_micros;
}

}  // namespace assay::repository
