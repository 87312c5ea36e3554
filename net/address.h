// HOST:PORT as people write it, read and checked in one place for all that listens or connects.
#ifndef ASSAY_NET_ADDRESS_H_
#define ASSAY_NET_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assay {

inline constexpr int kDefaultPort = 8001;

struct Address {
  // A name, an IPv4 address, or an IPv6 address without its brackets.
  std::string host;
  int port = 0;

  // As it is written: IPv6 in brackets.
  std::string ToString() const;
};

// What the address is for. Port 0, any free one, can only be listened on.
enum class AddressUse { kListen, kConnect };

// kInvalidArgument, naming `field` and what would be right, for anything but HOST:PORT.
absl::StatusOr<Address> ParseAddress(absl::string_view text, absl::string_view field,
                                     AddressUse use);

// Whether the host means this machine alone: localhost, 127.0.0.0/8, ::1.
bool IsLoopback(const std::string& host);

}  // namespace assay

#endif  // ASSAY_NET_ADDRESS_H_
