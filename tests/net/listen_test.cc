#include "net/listen.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

std::string Message(const Address& address, const std::string& purpose = "") {
  const auto sockets = Listen(address, "--flag", purpose);
  EXPECT_EQ(ReasonOf(sockets.status()), Reason::kUnavailable);
  return std::string(sockets.status().message());
}

// Whether something listens at the numeric address.
bool Answers(const char* host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(host, absl::StrCat(port).c_str(), &hints, &found) != 0) return false;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  if (fd >= 0) close(fd);
  freeaddrinfo(found);
  return connected;
}

bool HasIpv6() {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound =
      fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  if (fd >= 0) close(fd);
  return bound;
}

TEST(ListenTest, AFreePortOfIpv4IsFound) {
  const auto sockets = Listen({"127.0.0.1", 0}, "--flag");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  ASSERT_EQ(sockets->size(), 1u);
  EXPECT_GT(sockets->front().port(), 0);
  EXPECT_TRUE(Answers("127.0.0.1", sockets->front().port()));
}

TEST(ListenTest, Ipv6IsListenedOn) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  const auto sockets = Listen({"::1", 0}, "--flag");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_TRUE(Answers("::1", sockets->front().port()));
  EXPECT_FALSE(Answers("127.0.0.1", sockets->front().port()));
}

TEST(ListenTest, TheIpv6WildcardIsForIpv4Too) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  const auto sockets = Listen({"::", 0}, "--flag");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_TRUE(Answers("::1", sockets->front().port()));
  EXPECT_TRUE(Answers("127.0.0.1", sockets->front().port()));
}

TEST(ListenTest, AllAddressesOfANameHaveOnePort) {
  addrinfo* found = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &found) != 0) {
    GTEST_SKIP() << "this machine does not know localhost (/etc/hosts)";
  }
  freeaddrinfo(found);
  const auto sockets = Listen({"localhost", 0}, "--flag");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  for (const ListeningSocket& socket : *sockets) {
    EXPECT_EQ(socket.port(), sockets->front().port());
  }
}

TEST(ListenTest, WhatIsInTheWayIsSaid) {
  const auto taken = Listen({"127.0.0.1", 0}, "--flag");
  ASSERT_TRUE(taken.ok());
  const int port = taken->front().port();
  EXPECT_EQ(
      Message({"127.0.0.1", port}, " for metrics"),
      absl::StrCat("cannot listen on 127.0.0.1:", port,
                   " for metrics: another program uses the port; choose another with --flag"));
  EXPECT_THAT(Message({"192.0.2.1", 0}), HasSubstr("no interface of this machine"));
  EXPECT_THAT(Message({"nobody.invalid", 0}), HasSubstr("'nobody.invalid' is no host"));
}

}  // namespace
}  // namespace assay
