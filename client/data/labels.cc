#include "client/data/labels.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/data/idx_format.h"
#include "client/data/npy_format.h"
#include "client/data/npz_archive.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

// Items converted at a time.
constexpr int64_t kBlock = 64 << 10;
constexpr uint64_t kMaxLabel = std::numeric_limits<int32_t>::max();

absl::Status CheckCount(const std::string& name, int64_t labels, int64_t images) {
  if (labels == images) return absl::OkStatus();
  return Unreadable(name,
                    absl::StrCat("holds ", labels, " labels, but there are ", images,
                                 " images; give the labels that belong to them with --labels"));
}

uint64_t LoadUnsigned(const char* item, int bytes, bool big_endian) {
  switch (bytes) {
    case 1:
      return LoadLittle<uint8_t>(item);
    case 2:
      return big_endian ? LoadBig<uint16_t>(item) : LoadLittle<uint16_t>(item);
    case 4:
      return big_endian ? LoadBig<uint32_t>(item) : LoadLittle<uint32_t>(item);
    default:
      return big_endian ? LoadBig<uint64_t>(item) : LoadLittle<uint64_t>(item);
  }
}

absl::StatusOr<std::vector<int32_t>> LoadIdxLabels(const ByteSource& source, int64_t images) {
  ASSAY_ASSIGN_OR_RETURN(const IdxArray array, OpenIdxArray(source));
  if (array.shape.size() != 1) {
    return Unreadable(source.name(), absl::StrCat("holds an array of ", array.shape.size(),
                                                  " dimensions, but labels have one; give an "
                                                  "idx1-ubyte file with --labels"));
  }
  ASSAY_RETURN_IF_ERROR(CheckCount(source.name(), array.shape[0], images));
  ASSAY_ASSIGN_OR_RETURN(const std::string bytes,
                         array.source.ReadAt(array.data_offset, array.shape[0]));
  std::vector<int32_t> labels(bytes.size());
  std::transform(bytes.begin(), bytes.end(), labels.begin(),
                 [](char byte) { return static_cast<unsigned char>(byte); });
  return labels;
}

}  // namespace

absl::StatusOr<std::vector<int32_t>> LoadNpyLabels(ByteSource source, int64_t images) {
  ASSAY_ASSIGN_OR_RETURN(const NpyArray array, OpenNpyArray(std::move(source)));
  const std::string& name = array.source.name();
  if (array.kind == 'U' || array.kind == 'S' || array.kind == 'O') {
    return Unreadable(
        name, absl::StrCat("holds labels that are ", array.kind == 'O' ? "Python objects" : "text",
                           " (elements of type '", array.dtype,
                           "'), but labels are the numbers of the model's logits; save those: "
                           "names, labels = numpy.unique(array, return_inverse=True) numbers the "
                           "classes in sorted order; if the model has them in this order, write "
                           "the names into classes.txt, one a line"));
  }
  // Keras keeps its labels as (n, 1).
  const bool column = array.shape.size() == 2 && array.shape[1] == 1;
  if (array.shape.size() != 1 && !column) {
    return Unreadable(name, absl::StrCat("has the shape ", array.ShapeText(),
                                         ", but labels have (n,); of scores or one-hot rows save "
                                         "array.argmax(axis=1)"));
  }
  const int bytes = array.item_bytes;
  if ((array.kind != 'i' && array.kind != 'u') ||
      (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)) {
    return Unreadable(name, absl::StrCat("holds elements of type '", array.dtype,
                                         "', but labels are integers; if they are whole numbers, "
                                         "save array.astype('int64')"));
  }
  ASSAY_RETURN_IF_ERROR(CheckCount(name, array.shape[0], images));
  std::vector<int32_t> labels;
  labels.reserve(static_cast<size_t>(images));
  for (int64_t first = 0; first < images; first += kBlock) {
    const int64_t count = std::min(kBlock, images - first);
    ASSAY_ASSIGN_OR_RETURN(const std::string block,
                           array.source.ReadAt(array.data_offset + first * bytes, count * bytes));
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t value =
          LoadUnsigned(&block[static_cast<size_t>(i * bytes)], bytes, array.big_endian);
      const int unused_bits = 64 - 8 * bytes;
      // Signed types of any width, as 64 bits.
      const int64_t extended = static_cast<int64_t>(value << unused_bits) >> unused_bits;
      if (array.kind == 'i' && extended < 0) {
        return Unreadable(name, absl::StrCat("the label of sample ", first + i, " is ", extended,
                                             ", but labels are not negative; number the classes "
                                             "from 0"));
      }
      if (value > kMaxLabel) {
        return Unreadable(name, absl::StrCat("the label of sample ", first + i, " is ", value,
                                             "; labels are class numbers up to ", kMaxLabel));
      }
      labels.push_back(static_cast<int32_t>(value));
    }
  }
  return labels;
}

absl::StatusOr<std::vector<int32_t>> LoadLabels(const std::string& path, int64_t images) {
  const MemberPath parts = SplitMemberPath(path);
  ASSAY_ASSIGN_OR_RETURN(ByteSource source, ByteSource::Open(parts.path));
  ASSAY_ASSIGN_OR_RETURN(const std::string head, source.Head(4));
  if (!parts.member.empty() || absl::StartsWith(head, kZipMagic)) {
    ASSAY_ASSIGN_OR_RETURN(const NpzArchive archive, NpzArchive::Open(std::move(source)));
    ASSAY_ASSIGN_OR_RETURN(const std::string key, parts.member.empty()
                                                      ? archive.LabelsKey("")
                                                      : absl::StatusOr<std::string>(parts.member));
    ASSAY_ASSIGN_OR_RETURN(ByteSource member, archive.OpenArray(key));
    return LoadNpyLabels(std::move(member), images);
  }
  if (absl::StartsWith(head, kGzipMagic) || absl::StartsWith(head, kIdxMagic)) {
    return LoadIdxLabels(source, images);
  }
  if (absl::StartsWith(head, absl::string_view(kNpyMagic).substr(0, 4))) {
    return LoadNpyLabels(std::move(source), images);
  }
  return Unreadable(path,
                    "is not a file of labels that can be read; give NPY, a member of an NPZ "
                    "(FILE.npz::MEMBER), or IDX (gzip too)");
}

absl::StatusOr<std::string> FindLabelFile(const std::string& images_path,
                                          const std::vector<std::string>& candidates) {
  for (const std::string& candidate : candidates) {
    std::error_code error;
    if (std::filesystem::exists(candidate, error)) return candidate;
  }
  return Unreadable(images_path,
                    absl::StrCat("no labels beside it (tried ", absl::StrJoin(candidates, ", "),
                                 "); give them with --labels"));
}

}  // namespace assay::client
