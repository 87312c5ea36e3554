#include "client/lib/request_id.h"

#include <cstdint>
#include <random>

#include "absl/strings/str_format.h"

namespace assay::client {

std::string NewRequestId() {
  std::random_device device;
  const auto bits = [&device] { return (uint64_t{device()} << 32) | device(); };
  const uint64_t high = (bits() & ~uint64_t{0xf000}) | 0x4000;                 // version 4
  const uint64_t low = (bits() & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62);  // variant 1
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high >> 32, (high >> 16) & 0xffff,
                         high & 0xffff, low >> 48, low & 0xffffffffffff);
}

}  // namespace assay::client
