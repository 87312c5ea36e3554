// Amounts as people write them on a command line: "30d", "200GB".
#ifndef ASSAY_CORE_BASE_QUANTITIES_H_
#define ASSAY_CORE_BASE_QUANTITIES_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay {

// Seconds of "90s", "30m", "12h", "30d" or "8w"; of a number without unit only 0 is clear.
absl::StatusOr<int64_t> ParseDuration(absl::string_view text);

// Bytes of "500MB" (powers of 1000: kB, MB, GB, TB) or "500MiB" (of 1024: KiB, MiB, GiB, TiB), or
// of a number of bytes ("4096", "4096B").
absl::StatusOr<int64_t> ParseBytes(absl::string_view text);

}  // namespace assay

#endif  // ASSAY_CORE_BASE_QUANTITIES_H_
