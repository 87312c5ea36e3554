// `assay token new`.
#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <string>

#include "core/base/digest.h"
#include "gmock/gmock.h"
#include "net/tokens.h"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;

using TokenTest = ProgramTest;

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

TEST_F(TokenTest, TheSecretComesOnceAndTheLineHasItsDigest) {
  const auto run = Run({"token", "new", "ci", "--scopes", "read,submit", "--expires", "90d",
                        "--max-uploads", "2", "--max-stored-bytes", "50000000000"});
  ASSERT_EQ(run.code, 0) << run.err;
  const std::string secret = FirstLine(run.out);
  const auto entries = ParseTokens(run.out.substr(secret.size()), "out");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().name, "ci");
  EXPECT_EQ(entries->front().scopes, kScopeRead | kScopeSubmit);
  EXPECT_EQ(entries->front().sha256, Sha256Hex(secret));
  EXPECT_TRUE(entries->front().expires_micros.has_value());
  EXPECT_EQ(entries->front().max_uploads, 2);
  EXPECT_EQ(entries->front().max_stored_bytes, 50'000'000'000);
  EXPECT_FALSE(entries->front().max_unfinished_evaluations.has_value());
  EXPECT_NE(Run({"token", "new", "ci", "--scopes", "read"}).out, run.out);
}

TEST_F(TokenTest, ASecretGoesIntoAFileOfItsOwnerAlone) {
  const std::string path = directory_ + "/ci.token";
  const auto run = Run({"token", "new", "ci", "--scopes", "admin", "--secret", path});
  ASSERT_EQ(run.code, 0) << run.err;
  struct stat facts {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_THAT(run.out, HasSubstr(Sha256Hex(FirstLine(text.str()))));
  EXPECT_EQ(run.out.find(FirstLine(text.str())), std::string::npos);
  EXPECT_EQ(Run({"token", "new", "ci", "--scopes", "admin", "--secret", path}).code, 2);
}

TEST_F(TokenTest, MistakesAreNamed) {
  const auto error = [&](const std::vector<std::string>& words) {
    const auto run = Run(words);
    EXPECT_EQ(run.code, 2);
    EXPECT_EQ(run.out, "");
    return run.err;
  };
  EXPECT_THAT(error({"token", "new", "a b", "--scopes", "read"}), HasSubstr("name: must be"));
  EXPECT_THAT(error({"token", "new", "a", "--scopes", "read", "--max-stored-bytes", "much"}),
              HasSubstr("--max-stored-bytes: must be a number of bytes"));
  EXPECT_THAT(error({"token", "new", "a", "--scopes", "root"}), HasSubstr("--scopes: must be"));
  EXPECT_THAT(error({"token", "new", "a"}), HasSubstr("--scopes is required"));
  for (const char* when : {"tomorrow", "0d", "-1d", "90", "d", "99999999999999999999d"}) {
    EXPECT_THAT(error({"token", "new", "a", "--scopes", "read", std::string("--expires=") + when}),
                HasSubstr("--expires: must be like 90d"))
        << when;
  }
  EXPECT_THAT(error({"token", "new", "a", "--scopes", "read", "--expires", "2020-01-01T00:00:00Z"}),
              HasSubstr("is over already"));
}

}  // namespace
}  // namespace assay::cli
