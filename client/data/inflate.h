// Decompresses gzip files and deflated zip members into a temporary file that has no name any more,
// so that samples can be read at any position without holding them in memory. The file goes in
// TMPDIR (default /tmp).
#ifndef ASSAY_CLIENT_DATA_INFLATE_H_
#define ASSAY_CLIENT_DATA_INFLATE_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "client/data/byte_source.h"

namespace assay::client {

// Data that would decompress to more than this is refused.
inline constexpr int64_t kMaxInflatedBytes = int64_t{64} << 30;
// Beyond the first kFreeInflatedBytes, data that grows by more than this factor is taken for a
// bomb. (Deflate reaches 1,030; photographs 1 to 3, MNIST 5.)
inline constexpr int64_t kMaxInflateRatio = 250;
inline constexpr int64_t kFreeInflatedBytes = int64_t{64} << 20;

// What an archive's directory says of a member.
struct InflateExpectation {
  int64_t size = 0;
  uint32_t crc = 0;
};

// All members of a gzip file, with their checksums verified.
absl::StatusOr<ByteSource> Gunzip(const ByteSource& compressed);
// A raw deflate stream, verified against what is expected.
absl::StatusOr<ByteSource> InflateMember(const ByteSource& compressed,
                                         const InflateExpectation& expected);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_DATA_INFLATE_H_
