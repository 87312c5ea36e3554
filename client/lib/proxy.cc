#include "client/lib/proxy.h"

#include <arpa/inet.h>

#include <initializer_list>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "net/address.h"

namespace assay::client {
namespace {

// The first that is set; its value may be empty.
std::optional<std::pair<std::string, std::string>> FirstSet(
    const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = environment(name)) return std::pair(std::string(name), value);
  }
  return std::nullopt;
}

// Whether `host` is an address of `network`, "10.0.0.0/8" or "fd00::/8".
bool InNetwork(const std::string& host, absl::string_view network) {
  const size_t slash = network.find('/');
  int bits = 0;
  if (slash == absl::string_view::npos || !absl::SimpleAtoi(network.substr(slash + 1), &bits)) {
    return false;
  }
  const std::string base(network.substr(0, slash));
  const int family = absl::StrContains(base, ":") ? AF_INET6 : AF_INET;
  const int size = family == AF_INET6 ? 128 : 32;
  unsigned char a[16], b[16];
  if (bits < 0 || bits > size || inet_pton(family, host.c_str(), a) != 1 ||
      inet_pton(family, base.c_str(), b) != 1) {
    return false;
  }
  for (int i = 0; i < bits; ++i) {
    if (((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1) != 0) return false;
  }
  return true;
}

bool LeftOut(const std::string& host, absl::string_view list) {
  for (absl::string_view entry : absl::StrSplit(list, ',')) {
    entry = absl::StripAsciiWhitespace(entry);
    if (entry == "*" || InNetwork(host, entry)) return true;
    absl::ConsumePrefix(&entry, "*");
    absl::ConsumePrefix(&entry, ".");
    if (!entry.empty() && absl::EndsWithIgnoreCase(host, entry)) return true;
  }
  return false;
}

}  // namespace

std::string Proxy::Shown() const {
  const size_t scheme = url.find("://");
  const size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  const size_t at = url.substr(0, url.find('/', begin)).rfind('@');
  return at == std::string::npos || at < begin ? url : url.substr(0, begin) + url.substr(at + 1);
}

std::optional<Proxy> ProxyFor(const std::string& host, const Environment& environment) {
  if (host.empty() || IsLoopback(host)) return std::nullopt;
  const auto named = FirstSet(environment, {"grpc_proxy", "https_proxy", "http_proxy"});
  if (!named || named->second.empty()) return std::nullopt;
  const auto without = FirstSet(environment, {"no_grpc_proxy", "no_proxy", "NO_PROXY"});
  if (without && LeftOut(host, without->second)) return std::nullopt;
  return Proxy{named->first, named->second, absl::StartsWithIgnoreCase(named->second, "http://")};
}

}  // namespace assay::client
