// The HTTP proxy that the environment names for a server (grpc_proxy, https_proxy, http_proxy),
// found here and not by gRPC, so that an error can name it and loopback never meets one.
#ifndef ASSAY_CLIENT_LIB_PROXY_H_
#define ASSAY_CLIENT_LIB_PROXY_H_

#include <functional>
#include <optional>
#include <string>

namespace assay::client {

struct Proxy {
  // The variable that names it, and its value.
  std::string variable;
  std::string url;
  // Only http:// is understood; others are passed by.
  bool usable = true;

  // The URL without user and password.
  std::string Shown() const;
};

// A variable's value; null when it is not set.
using Environment = std::function<const char*(const char* name)>;

// The first variable that is set decides, as gRPC does it. None for loopback, for an empty value,
// and for what no_grpc_proxy, no_proxy or NO_PROXY leaves out: a list of ends of host names,
// networks (10.0.0.0/8), or *.
std::optional<Proxy> ProxyFor(const std::string& host, const Environment& environment);

}  // namespace assay::client

#endif  // ASSAY_CLIENT_LIB_PROXY_H_
