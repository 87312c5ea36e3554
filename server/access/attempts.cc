#include "server/access/attempts.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "net/address.h"

namespace assay::access {
namespace {

// "10.0.0.7" of "ipv4:10.0.0.7:4711", "fe80::1" of "ipv6:%5Bfe80::1%5D:4711"; empty: no such peer.
std::string HostOfPeer(const std::string& peer) {
  const bool ipv6 = absl::StartsWith(peer, "ipv6:");
  if (!ipv6 && !absl::StartsWith(peer, "ipv4:")) return "";
  std::string host = peer.substr(5, peer.rfind(':') - 5);
  if (ipv6) host = absl::StrReplaceAll(host, {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}});
  return host;
}

}  // namespace

std::string AddressOfPeer(const std::string& peer) {
  const std::string host = HostOfPeer(peer);
  if (host.empty()) return peer;
  in6_addr address;
  // Without the zone of fe80::1%eth0.
  if (inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &address) != 1) return host;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address.s6_addr[12], text, sizeof(text));
    return text;
  }
  std::memset(&address.s6_addr[8], 0, 8);
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, &address, text, sizeof(text));
  return absl::StrCat(text, "/64");
}

bool IsLoopbackPeer(const std::string& peer) {
  return absl::StartsWith(peer, "unix:") || IsLoopback(HostOfPeer(peer));
}

double Attempts::Failed(const std::string& address, int64_t now_micros) {
  MutexLock lock(mutex_);
  auto found = buckets_.find(address);
  if (found == buckets_.end()) {
    if (buckets_.size() >= limits_.addresses) {
      buckets_.erase(order_.back());
      order_.pop_back();
    }
    order_.push_front(address);
    found = buckets_.emplace(address, Bucket{limits_.burst, now_micros, order_.begin()}).first;
  } else {
    order_.splice(order_.begin(), order_, found->second.place);
  }
  Bucket& bucket = found->second;
  const double passed = static_cast<double>(std::max<int64_t>(0, now_micros - bucket.at_micros));
  bucket.left = std::min(limits_.burst, bucket.left + passed * 1e-6 / limits_.seconds_for_one);
  bucket.at_micros = now_micros;
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return 0;
  }
  return (1 - bucket.left) * limits_.seconds_for_one;
}

size_t Attempts::size() const {
  MutexLock lock(mutex_);
  return buckets_.size();
}

}  // namespace assay::access
