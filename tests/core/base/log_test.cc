#include "core/base/log.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "core/base/uri.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"

namespace assay {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::json;

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { SetLog(LogFormat::kText, LogLevel::kInfo); }

  template <typename Function>
  static std::vector<std::string> Lines(const Function& function) {
    ::testing::internal::CaptureStderr();
    function();
    return absl::StrSplit(::testing::internal::GetCapturedStderr(), '\n', absl::SkipEmpty());
  }
};

TEST_F(LogTest, TextHasTimeLevelTextAndFields) {
  const auto lines = Lines([] {
    LogInfo("model created", {{"model", "models/m"}, {"bytes", int64_t{12}}, {"nothing", ""}});
    LogWarning("odd", {{"error", "two words, \"quoted\"\nand\tmore"}});
    LogError("a\nb, got 'c' \"d\"");
    LogDebug("not shown");
  });
  EXPECT_THAT(
      lines, ElementsAre(ContainsRegex(
                             "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z INFO model created "
                             "model=models/m bytes=12$"),
                         EndsWith(" WARNING odd error=\"two words, \\\"quoted\\\"\\nand\\tmore\""),
                         EndsWith(" ERROR a\\nb, got 'c' \"d\"")));
}

TEST_F(LogTest, JsonLinesParseWhateverIsInThem) {
  SetLog(LogFormat::kJson, LogLevel::kDebug);
  const auto lines = Lines([] {
    LogDebug("a\n\"b\"\xff\x01\xe2\x82\xac", {{"error", "\xc3("}, {"milliseconds", 7}});
  });
  ASSERT_EQ(lines.size(), 1U);
  const Json line = Json::parse(lines[0]);
  EXPECT_EQ(line["level"], "debug");
  EXPECT_EQ(line["message"], "a\n\"b\"\xef\xbf\xbd\x01\xe2\x82\xac");
  EXPECT_EQ(line["error"], "\xef\xbf\xbd(");
  EXPECT_EQ(line["milliseconds"], 7);
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, line["time"].get<std::string>(), &time, &error))
      << error;
}

TEST_F(LogTest, LevelsLeaveOutWhatIsLessBad) {
  const auto count = [](LogLevel level) {
    SetLog(LogFormat::kText, level);
    return Lines([] {
             LogError("e");
             LogWarning("w");
             LogInfo("i");
             LogDebug("d");
           })
        .size();
  };
  EXPECT_EQ(count(LogLevel::kError), 1U);
  EXPECT_EQ(count(LogLevel::kWarning), 2U);
  EXPECT_EQ(count(LogLevel::kInfo), 3U);
  EXPECT_EQ(count(LogLevel::kDebug), 4U);
}

TEST_F(LogTest, AScopeAddsItsFieldsUntilItGoes) {
  const auto lines = Lines([] {
    EXPECT_THAT(LogScope::Current(), IsEmpty());
    const LogScope outer(LogFields{{"request_id", "r"}});
    LogInfo("one", {{"model", "m"}});
    {
      const LogScope inner(LogFields{{"request_id", "s"}});
      LogInfo("two");
    }
    LogInfo("three");
  });
  EXPECT_THAT(lines, ElementsAre(EndsWith("one model=m request_id=r"), EndsWith("two request_id=s"),
                                 EndsWith("three request_id=r")));
}

TEST_F(LogTest, PasswordsOfUrisAreLeftOut) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    SetLog(format, LogLevel::kInfo);
    const auto lines = Lines([] {
      LogInfo("cannot reach https://me:secret@host/x, 'http://me:secret@b'",
              {{"error", "see http://me:secret@host:1/ab"}});
    });
    EXPECT_THAT(lines, ElementsAre(AllOf(HasSubstr("https://host/x, "), HasSubstr("http://b"),
                                         HasSubstr("http://host:1/ab"), Not(HasSubstr("secret")))));
  }
}

TEST(Uri, OnlyTheUserGoes) {
  EXPECT_EQ(WithoutUser("https://u:secret@h:5000/x"), "https://h:5000/x");
  EXPECT_EQ(WithoutUser("https://u@h"), "https://h");
  EXPECT_EQ(WithoutUser("https://h/a@b"), "https://h/a@b");
  EXPECT_EQ(WithoutUser("https://h:5000/a@b"), "https://h:5000/a@b");
  EXPECT_EQ(WithoutUser("http://ci:ab/c#d@host/x"), "http://host/x");
  EXPECT_EQ(WithoutUser("me@host"), "me@host");
  EXPECT_EQ(WithoutUser("postgresql://u@h/d?a=b&password=secret&sslpassword=secret&c=d"),
            "postgresql://h/d?a=b&password=&sslpassword=&c=d");
  EXPECT_EQ(WithoutUsers("a  b\t'c'\n"), "a  b\t'c'\n");
  EXPECT_EQ(WithoutUsers("x://u:p@h y\tz://u:p@h"), "x://h y\tz://h");
}

}  // namespace
}  // namespace assay
