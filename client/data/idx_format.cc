#include "client/data/idx_format.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/data/inflate.h"
#include "core/base/errors.h"

namespace assay::client {
namespace {

constexpr int64_t kMagicBytes = 4;
constexpr int64_t kDimensionBytes = 4;

}  // namespace

absl::StatusOr<IdxArray> OpenIdxArray(const ByteSource& source) {
  const std::string& name = source.name();
  ASSAY_ASSIGN_OR_RETURN(const std::string first_bytes, source.Head(kMagicBytes));
  IdxArray array(source);
  if (absl::StartsWith(first_bytes, kGzipMagic)) {
    ASSAY_ASSIGN_OR_RETURN(array.source, Gunzip(source));
  }
  ASSAY_ASSIGN_OR_RETURN(const std::string magic, array.source.Head(kMagicBytes));
  if (magic.size() < 4) {
    return Unreadable(name, "ends within its magic number; it is truncated: fetch it again");
  }
  if (magic[0] == 0 && magic[1] == 0 && magic[2] >= 0x09 && magic[2] <= 0x0e) {
    return Unreadable(name, absl::StrCat("holds IDX elements of type ", int{magic[2]},
                                         ", but only unsigned bytes (8) are read; convert it"));
  }
  if (!absl::StartsWith(magic, kIdxMagic) || magic[3] < 1) {
    return Unreadable(name, absl::StrCat("does not begin as an IDX file (00 00 08 and the number "
                                         "of dimensions)",
                                         source.size() == array.source.size()
                                             ? ""
                                             : " once it is decompressed; unpack archives first"));
  }
  const int64_t dimensions = magic[3];
  array.data_offset = kMagicBytes + dimensions * kDimensionBytes;
  ASSAY_ASSIGN_OR_RETURN(const std::string header, array.source.Head(array.data_offset));
  if (static_cast<int64_t>(header.size()) < array.data_offset) {
    return Unreadable(name, "ends within its header; it is truncated: fetch it again");
  }
  int64_t bytes = 1;
  bool fits = true;
  for (int64_t i = 0; i < dimensions; ++i) {
    array.shape.push_back(
        LoadBig<uint32_t>(&header[static_cast<size_t>(kMagicBytes + i * kDimensionBytes)]));
    fits = fits && !__builtin_mul_overflow(bytes, array.shape.back(), &bytes);
  }
  const std::string shape = absl::StrJoin(array.shape, "x");
  if (!fits) {
    return Unreadable(
        name, absl::StrCat("claims ", shape, " elements, which no file can hold; it is damaged"));
  }
  if (bytes == 0) return Unreadable(name, absl::StrCat("is empty (", shape, " elements)"));
  const int64_t present = array.source.size() - array.data_offset;
  if (present != bytes) {
    return Unreadable(
        name,
        absl::StrCat("should hold ", bytes, " bytes of data (", shape, "), but has ", present,
                     "; it is ", present < bytes ? "truncated" : "damaged", ": fetch it again"));
  }
  return array;
}

}  // namespace assay::client
