// The NPY format (numpy.lib.format, versions 1 to 3): the header of an array, read and written.
#ifndef ASSAY_CLIENT_DATA_NPY_FORMAT_H_
#define ASSAY_CLIENT_DATA_NPY_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/data/byte_source.h"

namespace assay::client {

inline constexpr char kNpyMagic[] = "\x93NUMPY";
// As in numpy.
inline constexpr size_t kMaxNpyDimensions = 32;
// The type of arrays of Python objects, which are not read: that could run code.
inline constexpr char kNpyObjects[] = "|O";

// An array in C order whose bytes are all there, unless it is one of Python objects.
struct NpyArray {
  explicit NpyArray(ByteSource file) : source(std::move(file)) {}

  // Of the whole file.
  ByteSource source;
  // "|u1", "<f4" and so on, and its parts: text is of kind 'U' or 'S', objects are of kind 'O'.
  std::string dtype;
  char kind = 0;
  int item_bytes = 0;
  bool big_endian = false;
  std::vector<int64_t> shape;
  int64_t data_offset = 0;

  // "(1000, 32, 32, 3)".
  std::string ShapeText() const;
};

// Reads the header and checks that exactly the array follows it. Fortran order and structured types
// are refused.
absl::StatusOr<NpyArray> OpenNpyArray(ByteSource source);

// Shape as Python writes it: "(3,)", "(1000, 28, 28)".
std::string NpyShapeText(const std::vector<int64_t>& shape);

// A version 1 header, magic number included: a multiple of 64 bytes, and at least `min_bytes`.
std::string FormatNpyHeader(absl::string_view dtype, const std::vector<int64_t>& shape,
                            size_t min_bytes);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_NPY_FORMAT_H_
