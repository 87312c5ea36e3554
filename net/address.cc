#include "net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay {
namespace {

constexpr int kMaxPort = 65535;

bool IsIpv4(const std::string& host) {
  in_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

// With or without a zone: fe80::1%eth0.
bool IsIpv6(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &address) == 1;
}

// False for a sign or a space, too, which number parsers let pass.
bool ParsePort(absl::string_view text, int* port) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(text, port) && *port <= kMaxPort;
}

std::string WithDefaultPort(const std::string& host) {
  return Address{host, kDefaultPort}.ToString();
}

// The address that stands without brackets, in its right form; empty if it is none.
std::string Bracketed(const std::string& text) {
  const size_t colon = text.rfind(':');
  const std::string host = text.substr(0, colon);
  int port = 0;
  if (IsIpv6(host) && ParsePort(text.substr(colon + 1), &port)) {
    return Address{host, port}.ToString();
  }
  return IsIpv6(text) ? WithDefaultPort(text) : "";
}

// What stands where the address should: "gpu-3:8001" of "http://gpu-3:8001/path".
std::string AddressOfUrl(const std::string& url) {
  std::string rest = url.substr(url.find("://") + 3);
  rest = rest.substr(0, rest.find('/'));
  const size_t colon = rest.rfind(':');
  int port = 0;
  const bool has_port = colon != std::string::npos && ParsePort(rest.substr(colon + 1), &port);
  if (rest.empty()) return WithDefaultPort("127.0.0.1");
  return has_port ? rest : absl::StrCat(rest, ":", kDefaultPort);
}

// What is wrong with the host; empty if nothing is.
std::string HostProblem(const std::string& host, AddressUse use) {
  if (host.empty()) {
    std::string problem =
        absl::StrCat("has no host: write ", WithDefaultPort("127.0.0.1"), " for this machine");
    if (use == AddressUse::kListen) {
      absl::StrAppend(&problem, " alone, ", WithDefaultPort("0.0.0.0"), " or ",
                      WithDefaultPort("::"), " for all that reach it");
    }
    return problem;
  }
  const bool name = std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::strchr("-._", c) != nullptr;
  });
  if (!name) return absl::StrCat("must be HOST:PORT, and '", host, "' is no host");
  if (host.find_first_not_of("0123456789.") == std::string::npos && !IsIpv4(host)) {
    return absl::StrCat("must be HOST:PORT, and '", host,
                        "' is no IPv4 address (127.0.0.1 is one)");
  }
  return "";
}

// What is wrong with `text` before it can be taken apart; empty if nothing is.
std::string FormProblem(const std::string& text) {
  const auto blank = [](char c) { return !absl::ascii_isgraph(static_cast<unsigned char>(c)); };
  const std::string form =
      absl::StrCat("must be HOST:PORT, for example ", WithDefaultPort("127.0.0.1"));
  if (text.empty()) return form;
  if (std::any_of(text.begin(), text.end(), blank)) return absl::StrCat(form, ", without spaces");
  if (absl::StrContains(text, "://")) {
    return absl::StrCat("must be HOST:PORT, not a URL: write ", AddressOfUrl(text));
  }
  if (absl::StartsWith(text, "unix:"))
    return absl::StrCat(form, "; a Unix socket does not do here");
  if (text.find(':') == std::string::npos) {
    int port = 0;
    return absl::StrCat("must be HOST:PORT: write ", ParsePort(text, &port)
                                                         ? absl::StrCat("127.0.0.1:", text)
                                                         : absl::StrCat(text, ":", kDefaultPort));
  }
  if (text[0] == '[') {
    const size_t end = text.find(']');
    if (end == std::string::npos || !IsIpv6(text.substr(1, end - 1))) {
      return absl::StrCat("must be HOST:PORT, with an IPv6 address in the brackets, for example ",
                          WithDefaultPort("::1"));
    }
    if (text.substr(end + 1, 1) != ":") {
      return absl::StrCat("must be HOST:PORT: write ", WithDefaultPort(text.substr(1, end - 1)));
    }
    return "";
  }
  if (std::count(text.begin(), text.end(), ':') > 1) {
    const std::string right = Bracketed(text);
    return absl::StrCat("must be HOST:PORT, with an IPv6 address in brackets: write ",
                        right.empty() ? WithDefaultPort("::1") : right);
  }
  return "";
}

}  // namespace

std::string Address::ToString() const {
  return absl::StrContains(host, ":") ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

absl::StatusOr<Address> ParseAddress(absl::string_view text, absl::string_view field,
                                     AddressUse use) {
  const std::string whole(text);
  Address address;
  std::string problem = FormProblem(whole);
  if (problem.empty()) {
    const size_t colon = whole.rfind(':');
    address.host = whole.substr(0, colon);
    if (address.host[0] == '[') {
      address.host = address.host.substr(1, address.host.size() - 2);
    } else {
      problem = HostProblem(address.host, use);
    }
    const int least = use == AddressUse::kConnect ? 1 : 0;
    if (problem.empty() &&
        (!ParsePort(whole.substr(colon + 1), &address.port) || address.port < least)) {
      problem = absl::StrCat("must be HOST:PORT with a port from ", least, " to ", kMaxPort,
                             ", for example ", WithDefaultPort(address.host));
    }
  }
  if (problem.empty()) return address;
  return InvalidFields({{std::string(field), absl::StrCat(problem, "; got '", whole, "'")}});
}

bool IsLoopback(const std::string& host) {
  in_addr ipv4;
  if (inet_pton(AF_INET, host.c_str(), &ipv4) == 1) return ntohl(ipv4.s_addr) >> 24 == 127;
  in6_addr ipv6;
  if (inet_pton(AF_INET6, host.c_str(), &ipv6) == 1) {
    return IN6_IS_ADDR_LOOPBACK(&ipv6) || (IN6_IS_ADDR_V4MAPPED(&ipv6) && ipv6.s6_addr[12] == 127);
  }
  const std::string name = absl::AsciiStrToLower(host);
  return name == "localhost" || absl::EndsWith(name, ".localhost");
}

}  // namespace assay
