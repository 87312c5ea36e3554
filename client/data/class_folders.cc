#include "client/data/class_folders.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/data/byte_source.h"
#include "client/data/class_names.h"
#include "client/data/ignored_names.h"
#include "client/data/text_file.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

namespace fs = std::filesystem;

constexpr char kAllow[] = "--allow-missing-classes";

bool HasExtension(const fs::path& path, std::initializer_list<const char*> extensions) {
  const std::string extension = absl::AsciiStrToLower(path.extension().string());
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

bool IsImage(const fs::path& path) { return HasExtension(path, {".png", ".jpg", ".jpeg"}); }

struct Entry {
  fs::path path;
  bool folder = false;
};

// A folder of a class as it was found.
struct Found : ClassFolder {
  // Whether images lie in it directly, and how many of its folders have some, at any depth.
  bool direct = false;
  int inner_folders = 0;
};

class Scanner {
 public:
  explicit Scanner(const OpenOptions& options) : options_(options) {}

  // The entries of `folder` that count, sorted; links are followed. Every folder once only.
  absl::StatusOr<std::vector<Entry>> List(const fs::path& folder) {
    ASSAY_RETURN_IF_ERROR(Visit(folder));
    std::error_code error;
    std::vector<Entry> entries;
    fs::directory_iterator entry(folder, error);
    for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
      if (options_.check) ASSAY_RETURN_IF_ERROR(options_.check());
      const fs::path& path = entry->path();
      if (IsIgnoredName(path.filename().string())) continue;
      std::error_code unknown;
      const bool is_folder = entry->is_directory(unknown);
      if (entry->is_symlink(error) && !entry->exists(unknown)) {
        return Unreadable(
            path.string(),
            absl::StrCat("is a link that leads nowhere (",
                         unknown ? unknown.message() : ErrnoText(ENOENT), "); mend or remove it"));
      }
      if (unknown) {
        return Unreadable(path.string(), absl::StrCat("cannot be examined: ", unknown.message()));
      }
      entries.push_back({path, is_folder});
    }
    if (error) {
      return Unreadable(folder.string(), absl::StrCat("cannot be listed: ", error.message()));
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.path < b.path; });
    return entries;
  }

  absl::StatusOr<Found> ScanClass(const fs::path& folder) {
    Found found;
    found.name = folder.filename().string();
    ASSAY_ASSIGN_OR_RETURN(const auto entries, List(folder));
    for (const Entry& entry : entries) {
      const size_t before = found.images.size();
      ASSAY_RETURN_IF_ERROR(Collect(entry, &found.images));
      if (found.images.size() == before) continue;
      if (entry.folder) {
        ++found.inner_folders;
      } else {
        found.direct = true;
      }
    }
    std::sort(found.images.begin(), found.images.end());
    return found;
  }

 private:
  absl::Status Visit(const fs::path& folder) {
    struct stat info;
    if (stat(folder.c_str(), &info) != 0) {
      return Unreadable(folder.string(), absl::StrCat("cannot be listed: ", ErrnoText(errno)));
    }
    const auto [place, fresh] =
        visited_.emplace(std::make_pair(info.st_dev, info.st_ino), folder.string());
    if (fresh) return absl::OkStatus();
    return Unreadable(folder.string(),
                      absl::StrCat("is the folder ", place->second,
                                   " once more, by a link; remove the link: its images would "
                                   "count twice"));
  }

  absl::Status Collect(const Entry& entry, std::vector<std::string>* images) {
    if (entry.folder) {
      ASSAY_ASSIGN_OR_RETURN(const auto inner, List(entry.path));
      for (const Entry& one : inner) ASSAY_RETURN_IF_ERROR(Collect(one, images));
    } else if (IsImage(entry.path)) {
      images->push_back(entry.path.string());
    } else if (HasExtension(entry.path, {".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
                                         ".avif", ".heic", ".jp2", ".jxl", ".npy"})) {
      return Unreadable(entry.path.string(),
                        "is an image that is not read; convert it to PNG or JPEG");
    }
    return absl::OkStatus();
  }

  const OpenOptions& options_;
  // Device and inode, and the path by which the folder was reached first.
  std::map<std::pair<dev_t, ino_t>, std::string> visited_;
};

bool IsNumber(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return absl::ascii_isdigit(c); });
}

// By number, of any length; 01 comes after 1.
bool NumberLess(const std::string& a, const std::string& b) {
  const auto digits = [](const std::string& text) {
    return text.substr(std::min(text.find_first_not_of('0'), text.size()));
  };
  const std::string x = digits(a), y = digits(b);
  if (x.size() != y.size()) return x.size() < y.size();
  return x != y ? x < y : a.size() < b.size();
}

bool IsSplitName(const std::string& name) {
  static const std::set<std::string> kNames = {"train",      "training", "val",     "valid",
                                               "validation", "test",     "testing", "dev"};
  return kNames.count(absl::AsciiStrToLower(name)) > 0;
}

// The folders that hold images are no classes: they are splits, or every image lies in a folder of
// one of them. Folders of one folder each (CLASS/images/x.jpg, as Tiny ImageNet has) are classes.
absl::Status CheckLevels(const std::string& root, const std::vector<Found>& found) {
  const auto holds = [](const Found& one) { return !one.images.empty(); };
  const bool splits = std::all_of(found.begin(), found.end(), [&](const Found& one) {
    return !holds(one) || IsSplitName(one.name);
  });
  const bool groups =
      std::none_of(found.begin(), found.end(), [](const Found& one) { return one.direct; }) &&
      std::any_of(found.begin(), found.end(),
                  [](const Found& one) { return one.inner_folders > 1; });
  if (!splits && !groups) return absl::OkStatus();
  // What a model is measured on is rather the last split than the first.
  const Found* named = nullptr;
  for (const Found& one : found) {
    if (holds(one) && (named == nullptr || absl::AsciiStrToLower(named->name) == "train")) {
      named = &one;
    }
  }
  const std::string example = (fs::path(root) / named->name).string();
  return Unreadable(
      root,
      absl::StrCat(splits ? "holds splits of the data, not classes ("
                          : "has no image in its class folders, only in folders in those (",
                   named->images[0],
                   "); name the folder that holds the class folders, such "
                   "as ",
                   example, ", or write the names of the classes into ",
                   (fs::path(root) / kClassesFile).string(), " if ", named->name, " is a class"));
}

std::string Listing(const std::vector<std::string>& names) {
  constexpr size_t kMost = 10;
  std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(kMost, names.size())));
  return absl::StrCat(absl::StrJoin(first, ", "), names.size() > kMost ? ", ..." : "");
}

// Orders the folders by their names alone.
absl::Status OrderByName(const std::string& root, bool allow_missing, std::vector<Found>* found,
                         std::vector<std::string>* notes) {
  ASSAY_RETURN_IF_ERROR(CheckLevels(root, *found));
  std::vector<std::string> names, empty;
  for (const Found& one : *found) {
    names.push_back(one.name);
    if (one.images.empty()) empty.push_back(one.name);
  }
  const std::string file = (fs::path(root) / kClassesFile).string();
  if (!empty.empty() && !allow_missing) {
    return Unreadable(root, absl::StrCat("has class folders without images (", Listing(empty),
                                         "); remove them if they are no classes, or keep them as "
                                         "classes without samples with ",
                                         kAllow));
  }
  if (!std::all_of(names.begin(), names.end(), IsNumber)) return absl::OkStatus();
  std::sort(found->begin(), found->end(),
            [](const Found& a, const Found& b) { return NumberLess(a.name, b.name); });
  const std::vector<std::string> bytewise = names;
  for (size_t i = 0; i < names.size(); ++i) names[i] = (*found)[i].name;
  // A class that is missing in the middle would shift those behind it.
  const std::string past = absl::StrCat(names.size()), last = absl::StrCat(names.size() - 1);
  if (allow_missing && NumberLess(last, names.back()) &&
      !(names[0] == "1" && names.back() == past)) {
    return Unreadable(root, absl::StrCat("has class folders whose numbers leave some out (",
                                         Listing(names), "), and which label ", names.back(),
                                         " has is not clear then; list all "
                                         "classes in ",
                                         file, ", one name a line, the first for label 0"));
  }
  if (names != bytewise) {
    notes->push_back(absl::StrCat(
        root, ": the class folders are in the order of their numbers (", Listing(names),
        "); torchvision's ImageFolder sorts them as text (", Listing(bytewise),
        "): for a model that was trained that way, list them so in ", file));
  }
  return absl::OkStatus();
}

// Orders the folders as the list in `file` has them.
absl::Status OrderByList(const std::string& root, const std::string& file, bool allow_missing,
                         std::vector<Found>* found) {
  ASSAY_ASSIGN_OR_RETURN(const std::vector<std::string> names, ReadClassNames(file));
  std::map<std::string, size_t> line_of;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto [first, fresh] = line_of.emplace(names[i], i);
    if (!fresh) {
      return Unreadable(file,
                        absl::StrCat("has the class ", names[i], " in line ", first->second + 1,
                                     " and in line ", i + 1, "; every class has one line"));
    }
  }
  std::vector<Found> ordered(names.size());
  for (size_t i = 0; i < names.size(); ++i) ordered[i].name = names[i];
  std::set<std::string> here;
  for (Found& one : *found) {
    const auto line = line_of.find(one.name);
    if (line == line_of.end()) {
      const std::string nearest = Nearest(one.name, names);
      return Unreadable(
          (fs::path(root) / one.name).string(),
          absl::StrCat("is a class folder that is not in ", file,
                       nearest.empty() ? "" : absl::StrCat(" (which has ", nearest, ")"),
                       "; a line there is the exact name of a class folder"));
    }
    here.insert(one.name);
    ordered[line->second] = std::move(one);
  }
  std::vector<std::string> missing;
  for (const Found& one : ordered) {
    if (one.images.empty()) missing.push_back(one.name);
  }
  if (!missing.empty() && !allow_missing) {
    return Unreadable(
        root, absl::StrCat("has no images of classes that ", file, " lists (", Listing(missing),
                           "); with ", kAllow, " they are classes without samples"));
  }
  *found = std::move(ordered);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ClassFolders> FindClassFolders(const std::string& root, const OpenOptions& options) {
  Scanner scanner(options);
  ASSAY_ASSIGN_OR_RETURN(const std::vector<Entry> entries, scanner.List(root));
  std::vector<Found> found;
  std::string binary;
  int64_t images = 0, outside = 0;
  for (const Entry& entry : entries) {
    const std::string name = entry.path.filename().string();
    if (!entry.folder) {
      outside += IsImage(entry.path) ? 1 : 0;
      const bool other = HasExtension(entry.path, {".bin", ".gz", ".npy", ".npz"});
      if (other && binary.empty()) binary = name;
      continue;
    }
    if (!IsUtf8(name)) {
      return Unreadable(root, absl::StrCat("the class folder ", absl::CHexEscape(name),
                                           " has a name that is not UTF-8; rename it"));
    }
    ASSAY_ASSIGN_OR_RETURN(Found one, scanner.ScanClass(entry.path));
    images += static_cast<int64_t>(one.images.size());
    found.push_back(std::move(one));
  }
  if (found.empty()) {
    return Unreadable(
        root, absl::StrCat("has no class folders (one folder for each class, with "
                           "its PNG and JPEG files)",
                           binary.empty() ? "" : "; name the file itself, such as ", binary));
  }
  if (images == 0) return Unreadable(root, "has no PNG or JPEG files in its class folders");

  ClassFolders result;
  if (outside > 0) {
    result.notes.push_back(absl::StrCat(
        root, ": ", outside, outside == 1 ? " image lies" : " images lie",
        " outside of the class folders and ", outside == 1 ? "is" : "are", " left out"));
  }
  std::string list = options.classes_path;
  const fs::path own_list = fs::path(root) / kClassesFile;
  std::error_code error;
  if (list.empty() && fs::exists(fs::symlink_status(own_list, error))) list = own_list.string();
  ASSAY_RETURN_IF_ERROR(
      list.empty() ? OrderByName(root, options.allow_missing_classes, &found, &result.notes)
                   : OrderByList(root, list, options.allow_missing_classes, &found));
  for (Found& one : found) result.classes.push_back(std::move(one));
  return result;
}

}  // namespace assay::client
