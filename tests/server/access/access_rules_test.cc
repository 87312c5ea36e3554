// Who is let in, without a network.
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "server/access/access.h"
#include "tests/manual_clock.h"

namespace assay::access {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kSecret[] = "secret-0123456789-0123456789";

class AccessRulesTest : public ::testing::Test {
 protected:
  AccessRulesTest()
      : path_(absl::StrCat(::testing::TempDir(), "/access_rules_test_", getpid(), "_",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    TokenEntry entry;
    entry.name = "ci";
    entry.scopes = kScopeRead;
    entry.sha256 = Sha256Hex(kSecret);
    std::ofstream(path_) << TokenLine(entry) << "\n";
  }
  ~AccessRulesTest() override { std::remove(path_.c_str()); }

  std::unique_ptr<Access> Open(bool encrypted) {
    AccessOptions options;
    options.tokens_path = path_;
    options.encrypted = encrypted;
    auto access = Access::Open(options, clock_, metrics_);
    EXPECT_TRUE(access.ok()) << access.status();
    return *std::move(access);
  }
  static CallFacts Facts(const std::string& peer) {
    CallFacts facts;
    facts.method = "/assay.v1.ModelService/ListModels";
    facts.peer = peer;
    facts.authorization = {absl::StrCat("Bearer ", kSecret)};
    return facts;
  }

  const std::string path_;
  ManualClock clock_;
  monitoring::Metrics metrics_;
};

TEST_F(AccessRulesTest, ATokenIsTakenEncryptedFromAnywhereAndInClearFromThisMachine) {
  const auto encrypted = Open(true);
  const auto plain = Open(false);
  for (const char* peer : {"ipv4:10.0.0.7:1", "ipv6:[2001:db8::1]:1", "ipv4:127.0.0.1:1"}) {
    EXPECT_TRUE(encrypted->Authenticate(Facts(peer)).ok()) << peer;
  }
  EXPECT_TRUE(plain->Authenticate(Facts("ipv4:127.0.0.1:1")).ok());
  EXPECT_TRUE(plain->Authenticate(Facts("unix:")).ok());
  for (const char* peer : {"ipv4:10.0.0.7:1", "ipv6:[2001:db8::1]:1", "unknown"}) {
    const auto caller = plain->Authenticate(Facts(peer));
    EXPECT_EQ(ReasonOf(caller.status()), Reason::kUnauthenticated) << peer;
    EXPECT_THAT(std::string(caller.status().message()),
                AllOf(HasSubstr("burnt"), HasSubstr("grpcs://")));
  }
}

TEST_F(AccessRulesTest, ACallWithoutARowNeedsAnAdmin) {
  const auto access = Open(true);
  Caller caller;
  caller.scopes = kAllScopes & ~kScopeAdmin;
  EXPECT_EQ(ReasonOf(access->Authorize(caller, "/assay.v1.NewService/New")),
            Reason::kPermissionDenied);
  caller.scopes = kScopeAdmin;
  EXPECT_TRUE(access->Authorize(caller, "/assay.v1.NewService/New").ok());
}

TEST_F(AccessRulesTest, AMissingFileIsAnErrorThatNamesTheFlag) {
  AccessOptions options;
  options.tokens_path = "/nonexistent/tokens";
  const auto access = Access::Open(options, clock_, metrics_);
  EXPECT_THAT(std::string(access.status().message()),
              AllOf(HasSubstr("--tokens"), HasSubstr("No such file")));
}

}  // namespace
}  // namespace assay::access
