#include "server/access/attempts.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace assay::access {
namespace {

constexpr int64_t kSecond = 1'000'000;

TEST(AttemptsTest, ABurstIsLetThroughAndThenOneEachInterval) {
  Attempts attempts({/*burst=*/3, /*seconds_for_one=*/10, /*addresses=*/100});
  int64_t now = 1000 * kSecond;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(attempts.Failed("a", now), 0);
  EXPECT_DOUBLE_EQ(attempts.Failed("a", now), 10);
  now += 4 * kSecond;
  EXPECT_DOUBLE_EQ(attempts.Failed("a", now), 6);
  EXPECT_EQ(attempts.Failed("b", now), 0);
  now += 6 * kSecond;
  EXPECT_EQ(attempts.Failed("a", now), 0);
  EXPECT_GT(attempts.Failed("a", now), 0);
  // Full again, and not more than that; a clock that goes back does no harm.
  now += 10'000 * kSecond;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(attempts.Failed("a", now), 0);
  EXPECT_GT(attempts.Failed("a", now - 5000 * kSecond), 0);
}

TEST(AttemptsTest, TheTableIsBoundedAndForgetsWhoHasFailedLeastRecently) {
  Attempts attempts({/*burst=*/1, /*seconds_for_one=*/10, /*addresses=*/100});
  EXPECT_EQ(attempts.Failed("first", 0), 0);
  for (int i = 0; i < 99; ++i) EXPECT_EQ(attempts.Failed(absl::StrCat(i), 0), 0);
  EXPECT_GT(attempts.Failed("first", 0), 0);
  for (int i = 100; i < 10'000; ++i) {
    attempts.Failed(absl::StrCat(i), 0);
    // Still trying: never forgotten.
    EXPECT_GT(attempts.Failed("first", 0), 0);
  }
  EXPECT_EQ(attempts.size(), 100u);
}

TEST(AttemptsTest, PeersAreTakenByTheirAddressAndIpv6ByItsNetwork) {
  EXPECT_EQ(AddressOfPeer("ipv4:10.0.0.7:4711"), "10.0.0.7");
  EXPECT_EQ(AddressOfPeer("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:4711"), "2001:db8:1:2::/64");
  EXPECT_EQ(AddressOfPeer("ipv6:[2001:db8:1:2:ffff::1]:9"), "2001:db8:1:2::/64");
  EXPECT_EQ(AddressOfPeer("ipv6:[::ffff:10.0.0.7]:9"), "10.0.0.7");
  EXPECT_EQ(AddressOfPeer("ipv6:[fe80::1%eth0]:9"), "fe80::/64");
  EXPECT_EQ(AddressOfPeer("unix:/run/assay"), "unix:/run/assay");
}

TEST(AttemptsTest, ThisMachineIsKnown) {
  for (const char* peer : {"ipv4:127.0.0.1:1", "ipv4:127.9.9.9:1", "ipv6:%5B::1%5D:1",
                           "ipv6:[::ffff:127.0.0.1]:1", "unix:", "unix:/run/assay"}) {
    EXPECT_TRUE(IsLoopbackPeer(peer)) << peer;
  }
  for (const char* peer : {"ipv4:10.0.0.7:1", "ipv4:128.0.0.1:1", "ipv6:[2001:db8::1]:1", "unknown",
                           "", "127.0.0.1:1"}) {
    EXPECT_FALSE(IsLoopbackPeer(peer)) << peer;
  }
}

}  // namespace
}  // namespace assay::access
