#include "client/data/open_dataset.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/data/byte_source.h"
#include "client/data/cifar_reader.h"
#include "client/data/folder_reader.h"
#include "client/data/idx_format.h"
#include "client/data/idx_reader.h"
#include "client/data/npy_format.h"
#include "client/data/npy_reader.h"
#include "client/data/npz_archive.h"
#include "client/data/reader_base.h"
#include "client/data/ready_made.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

using OpenFunction = std::function<absl::StatusOr<std::unique_ptr<ReaderBase>>(
    const std::string& path, const OpenOptions& options)>;

struct Format {
  std::string name;
  // Whether labels may be in a file of their own.
  bool separate_labels = false;
  OpenFunction open;
};

const std::vector<Format>& Formats() {
  static const auto* const formats = new std::vector<Format>{
      {"cifar10", false,
       [](const std::string& path, const OpenOptions& options) {
         return OpenCifar(path, CifarKind::kCifar10, options);
       }},
      {"cifar100", false,
       [](const std::string& path, const OpenOptions& options) {
         return OpenCifar(path, CifarKind::kCifar100, options);
       }},
      {"idx", true, OpenIdx},
      {"npy", true, OpenNpyOrBlock},
      {"npz", true, OpenNpz},
      {"folder", false, OpenFolder},
  };
  return *formats;
}

// The name of the format of a path. Names decide before contents, because a CIFAR file may begin
// with any bytes.
absl::StatusOr<std::string> DetectFormat(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return std::string("folder");
  if (SplitSeverityBlock(path).severity > 0) return std::string("npy");
  const MemberPath parts = SplitMemberPath(path);
  ASSAY_ASSIGN_OR_RETURN(const ByteSource source, ByteSource::Open(parts.path));
  if (!parts.member.empty() || absl::EndsWithIgnoreCase(path, ".npz")) return std::string("npz");
  if (absl::EndsWithIgnoreCase(path, ".npy")) return std::string("npy");
  if (absl::EndsWithIgnoreCase(path, ".bin")) {
    ASSAY_ASSIGN_OR_RETURN(const CifarKind kind, CifarKindOfSize(path, source.size()));
    return std::string(kind == CifarKind::kCifar10 ? "cifar10" : "cifar100");
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string head, source.Head(8));
  if (absl::StartsWith(head, kNpyMagic)) return std::string("npy");
  if (absl::StartsWith(head, kZipMagic)) return std::string("npz");
  if (absl::StartsWith(head, kGzipMagic) || absl::StartsWith(head, kIdxMagic) ||
      absl::StrContains(path, "-ubyte")) {
    return std::string("idx");
  }
  if (absl::StartsWith(head, "\x80\x02") || absl::StartsWith(head, "\x80\x03") ||
      absl::StartsWith(head, "\x80\x04")) {
    return Unreadable(path,
                      "is a Python pickle, which is not read because it can run code; use "
                      "the binary version of the dataset, or save it as NPZ");
  }
  return Unreadable(path,
                    "is in no format that is recognised (CIFAR binary, IDX, NPY, NPZ, or a "
                    "folder of class folders); tell which with --format");
}

absl::StatusOr<const Format*> FindFormat(const OpenOptions& options) {
  std::string name = options.format;
  if (name == "auto") {
    ASSAY_ASSIGN_OR_RETURN(name, DetectFormat(options.paths[0]));
    for (const std::string& path : options.paths) {
      ASSAY_ASSIGN_OR_RETURN(const std::string other, DetectFormat(path));
      if (other != name) {
        return Unreadable(path, absl::StrCat("is ", other, ", but ", options.paths[0], " is ", name,
                                             "; files of one dataset have one format"));
      }
    }
  }
  std::vector<std::string> names = {"auto"};
  for (const Format& format : Formats()) {
    if (format.name == name) return &format;
    names.push_back(format.name);
  }
  const std::string nearest = Nearest(name, names);
  return Error(Reason::kInvalidArgument,
               absl::StrCat("there is no format '", name, "'; ",
                            nearest.empty() ? "" : absl::StrCat("did you mean ", nearest, "? "),
                            "Formats are ", absl::StrJoin(names, ", ")))
      .ToStatus();
}

// Several readers one after the other.
class JoinedReader final : public ReaderBase {
 public:
  JoinedReader(DatasetInfo info, std::vector<std::unique_ptr<ReaderBase>> parts)
      : ReaderBase(std::move(info)), parts_(std::move(parts)) {}

  absl::Status ReadInto(int64_t first, int64_t count, int32_t* labels, char* pixels) override {
    for (const auto& part : parts_) {
      if (count == 0) break;
      if (first >= part->size()) {
        first -= part->size();
        continue;
      }
      const int64_t here = std::min(count, part->size() - first);
      ASSAY_RETURN_IF_ERROR(part->ReadInto(first, here, labels, pixels));
      labels += here;
      pixels += here * image_bytes();
      count -= here;
      first = 0;
    }
    return absl::OkStatus();
  }

 private:
  void AddNotes(std::vector<std::string>* notes) const override {
    for (const auto& part : parts_) {
      for (std::string& note : part->Notes()) notes->push_back(std::move(note));
    }
  }

  const std::vector<std::unique_ptr<ReaderBase>> parts_;
};

std::string Describe(const DatasetReader& reader) {
  return absl::StrCat(v1::PixelType_Name(reader.pixel_type()), " ", reader.shape().channels(), "x",
                      reader.shape().height(), "x", reader.shape().width());
}

}  // namespace

absl::StatusOr<std::unique_ptr<DatasetReader>> OpenDataset(const OpenOptions& options) {
  if (options.paths.empty()) {
    return Error(Reason::kInvalidArgument, "no path of a dataset was given").ToStatus();
  }
  ASSAY_ASSIGN_OR_RETURN(const Format* format, FindFormat(options));
  if (!options.labels_path.empty() && !format->separate_labels) {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("--labels does not go with ", format->name,
                              ", which brings its own labels; leave it out"))
        .ToStatus();
  }
  if (!options.labels_path.empty() && options.paths.size() > 1) {
    return Error(Reason::kInvalidArgument,
                 "--labels goes with one file of images; join the files, or place labels beside "
                 "each under its usual name")
        .ToStatus();
  }
  std::vector<std::unique_ptr<ReaderBase>> parts;
  DatasetInfo info;
  for (const std::string& path : options.paths) {
    ASSAY_ASSIGN_OR_RETURN(auto part, format->open(path, options));
    if (parts.empty()) {
      info = {part->shape(), part->pixel_type(), part->class_names(), 0, {}};
    } else if (Describe(*part) != Describe(*parts[0])) {
      return Unreadable(path, absl::StrCat("holds images of ", Describe(*part), ", but ",
                                           options.paths[0], " holds ", Describe(*parts[0]),
                                           "; images of one dataset have one shape and type"));
    } else if (part->class_names() != info.class_names) {
      return Unreadable(path, absl::StrCat("has other classes than ", options.paths[0],
                                           "; files of one dataset have the same classes"));
    }
    info.size += part->size();
    parts.push_back(std::move(part));
  }
  if (parts.size() == 1) return std::move(parts[0]);
  return std::make_unique<JoinedReader>(std::move(info), std::move(parts));
}

}  // namespace assay::client
