#include "net/address.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

TEST(AddressTest, HostAndPortAreTakenApartAndPutTogether) {
  const std::vector<std::pair<std::string, Address>> cases = {
      {"127.0.0.1:8001", {"127.0.0.1", 8001}},
      {"gpu-3:1", {"gpu-3", 1}},
      {"gpu_3.lab.example:65535", {"gpu_3.lab.example", 65535}},
      {"[::1]:8001", {"::1", 8001}},
      {"[::]:9", {"::", 9}},
      {"[fe80::1%eth0]:8001", {"fe80::1%eth0", 8001}}};
  for (const auto& [text, expected] : cases) {
    for (const AddressUse use : {AddressUse::kListen, AddressUse::kConnect}) {
      const auto address = ParseAddress(text, "server", use);
      ASSERT_TRUE(address.ok()) << address.status();
      EXPECT_EQ(address->host, expected.host);
      EXPECT_EQ(address->port, expected.port);
      EXPECT_EQ(address->ToString(), text);
    }
  }
}

TEST(AddressTest, AnyFreePortCanOnlyBeListenedOn) {
  EXPECT_EQ(ParseAddress("[::1]:0", "--listen", AddressUse::kListen)->port, 0);
  EXPECT_EQ(ParseAddress("localhost:0", "--listen", AddressUse::kListen)->port, 0);
  EXPECT_FALSE(ParseAddress("localhost:0", "server", AddressUse::kConnect).ok());
}

// What is wrong, and what the error says would be right.
TEST(AddressTest, AnythingElseIsRefusedWithTheRightForm) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "for example 127.0.0.1:8001"},
      {"127.0.0.1", "write 127.0.0.1:8001"},
      {"gpu-3", "write gpu-3:8001"},
      {"8001", "write 127.0.0.1:8001"},
      {":8001", "0.0.0.0:8001"},
      {":70000", "has no host"},
      {"127.0.0.1:70000", "a port from 0 to 65535"},
      {"127.0.0.1:4294975297", "a port from 0 to 65535"},
      {"127.0.0.1:", "a port from 0 to 65535"},
      {"127.0.0.1:+5", "a port from 0 to 65535"},
      {"127.0.0.1:-1", "a port from 0 to 65535"},
      {"127.0.0.1:http", "a port from 0 to 65535"},
      {"127.0.0.1:80a", "a port from 0 to 65535"},
      {"::1", "write [::1]:8001"},
      {"::", "write [::]:8001"},
      {"::1:9000", "write [::1]:9000"},
      {"fe80::1", "write [fe80::1]:8001"},
      {"2001:db8::7:8001", "write [2001:db8::7]:8001"},
      {"a:b:c", "in brackets: write [::1]:8001"},
      {"[::1]", "write [::1]:8001"},
      {"[::1]8001", "write [::1]:8001"},
      {"[::1:8001", "in the brackets"},
      {"[127.0.0.1]:8001", "in the brackets"},
      {"http://gpu-3:9000/x", "write gpu-3:9000"},
      {"https://gpu-3", "write gpu-3:8001"},
      {"http://[::1]:9000", "write [::1]:9000"},
      {" 127.0.0.1:8001", "without spaces"},
      {"127.0.0.1:8001\r", "without spaces"},
      {"127.0.0.1 :8001", "without spaces"},
      {"unix:/run/assay", "a Unix socket does not do here"},
      {"300.1.1.1:8001", "'300.1.1.1' is no IPv4 address"},
      {"127.1:8001", "'127.1' is no IPv4 address"},
      {"gpu/3:8001", "'gpu/3' is no host"}};
  for (const auto& [text, right] : cases) {
    const auto address = ParseAddress(text, "--listen", AddressUse::kListen);
    EXPECT_EQ(ReasonOf(address.status()), Reason::kInvalidArgument) << text;
    const std::string message(address.status().message());
    EXPECT_THAT(message, HasSubstr(right)) << text;
    EXPECT_THAT(message, HasSubstr("--listen")) << text;
    EXPECT_THAT(message, HasSubstr(absl::StrCat("got '", text, "'")));
  }
}

TEST(AddressTest, LoopbackIsThisMachineAlone) {
  for (const char* host : {"127.0.0.1", "127.8.9.1", "localhost", "LocalHost", "a.localhost", "::1",
                           "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "127.example.com", "localhost.example.com",
                           "gpu-3", "::ffff:10.0.0.1", ""}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

}  // namespace
}  // namespace assay
