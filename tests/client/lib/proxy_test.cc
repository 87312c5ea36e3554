#include "client/lib/proxy.h"

#include <map>
#include <optional>
#include <string>

#include "gmock/gmock.h"

namespace assay::client {
namespace {

using Variables = std::map<std::string, std::string>;

std::optional<Proxy> Find(const std::string& host, const Variables& variables) {
  return ProxyFor(host, [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

const char* const kUrl = "http://proxy:3128";

TEST(ProxyTest, TheFirstVariableThatIsSetDecides) {
  EXPECT_FALSE(Find("gpu-3", {}).has_value());
  EXPECT_EQ(Find("gpu-3", {{"http_proxy", kUrl}})->variable, "http_proxy");
  EXPECT_EQ(Find("gpu-3", {{"http_proxy", "http://b"}, {"https_proxy", kUrl}})->url, kUrl);
  EXPECT_EQ(Find("gpu-3", {{"https_proxy", "http://b"}, {"grpc_proxy", kUrl}})->url, kUrl);
  EXPECT_FALSE(Find("gpu-3", {{"https_proxy", ""}, {"http_proxy", kUrl}}).has_value());
}

TEST(ProxyTest, LoopbackHasNone) {
  for (const char* host : {"127.0.0.1", "127.3.2.1", "localhost", "::1", ""}) {
    const Variables all = {{"grpc_proxy", kUrl}, {"https_proxy", kUrl}, {"http_proxy", kUrl}};
    EXPECT_FALSE(Find(host, all).has_value()) << host;
  }
}

TEST(ProxyTest, HostsThatAreLeftOutHaveNone) {
  const auto left_out = [](const std::string& host, const std::string& list) {
    return !Find(host, {{"http_proxy", kUrl}, {"no_proxy", list}}).has_value();
  };
  EXPECT_TRUE(left_out("gpu-3", "gpu-3"));
  EXPECT_TRUE(left_out("gpu-3.lab.example", "other, .lab.example"));
  EXPECT_TRUE(left_out("gpu-3.lab.example", "*.lab.example"));
  EXPECT_TRUE(left_out("gpu-3.LAB.example", "lab.Example"));
  EXPECT_TRUE(left_out("gpu-3", "*"));
  EXPECT_TRUE(left_out("10.1.2.3", "192.168.0.0/16,10.0.0.0/8"));
  EXPECT_TRUE(left_out("10.1.2.3", "10.1.2.3"));
  EXPECT_TRUE(left_out("fd00::7", "fd00::/8"));
  EXPECT_FALSE(left_out("11.1.2.3", "10.0.0.0/8"));
  EXPECT_FALSE(left_out("10.1.2.3", "10.0.0.0/33,10.0.0.0/x,/8"));
  EXPECT_FALSE(left_out("gpu-3", ""));
  EXPECT_FALSE(left_out("gpu-3", ", ,"));
  EXPECT_FALSE(left_out("gpu-3", "gpu-4"));
  EXPECT_FALSE(Find("gpu-3", {{"http_proxy", kUrl}, {"no_grpc_proxy", "gpu-3"}}).has_value());
  EXPECT_FALSE(Find("gpu-3", {{"http_proxy", kUrl}, {"NO_PROXY", "gpu-3"}}).has_value());
}

TEST(ProxyTest, UserAndPasswordAreNotShown) {
  const auto shown = [](const std::string& url) {
    return Find("a", {{"http_proxy", url}})->Shown();
  };
  EXPECT_EQ(shown("http://me:se@cret@proxy:3128/x@y"), "http://proxy:3128/x@y");
  EXPECT_EQ(shown(kUrl), kUrl);
  EXPECT_EQ(shown("me:secret@proxy:3128"), "proxy:3128");
}

TEST(ProxyTest, OnlyHttpIsUnderstood) {
  EXPECT_TRUE(Find("a", {{"http_proxy", "HTTP://proxy:1"}})->usable);
  for (const char* url : {"socks5://proxy:1", "https://proxy:1", "proxy:1"}) {
    EXPECT_FALSE(Find("a", {{"http_proxy", url}})->usable) << url;
  }
}

}  // namespace
}  // namespace assay::client
