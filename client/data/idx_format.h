// The IDX format of MNIST: a big-endian header, then bytes. Plain or gzip.
// Format: "THE IDX FILE FORMAT" on the page of the MNIST database (LeCun, Cortes, Burges).
#ifndef ASSAY_CLIENT_DATA_IDX_FORMAT_H_
#define ASSAY_CLIENT_DATA_IDX_FORMAT_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/data/byte_source.h"

namespace assay::client {

inline constexpr absl::string_view kGzipMagic("\x1f\x8b", 2);
// Two zero bytes, then the type: unsigned bytes.
inline constexpr absl::string_view kIdxMagic("\0\0\x08", 3);

// An array of unsigned bytes, all of which are there.
struct IdxArray {
  explicit IdxArray(ByteSource file) : source(std::move(file)) {}

  // Decompressed.
  ByteSource source;
  // At least one dimension, none of them 0.
  std::vector<int64_t> shape;
  int64_t data_offset = 0;
};

absl::StatusOr<IdxArray> OpenIdxArray(const ByteSource& source);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_IDX_FORMAT_H_
