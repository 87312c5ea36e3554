#include "net/tokens.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "gmock/gmock.h"

namespace assay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string& Digest() {
  static const auto* const digest = new std::string(Sha256Hex("secret"));
  return *digest;
}

std::string Line(const std::string& rest = "") {
  return absl::StrCat(R"({"name": "ci", "scopes": ["read"], "sha256": ")", Digest(), "\"", rest,
                      "}");
}

std::string Problem(const std::string& text) {
  const auto entries = ParseTokens(text, "t");
  EXPECT_FALSE(entries.ok()) << text;
  return std::string(entries.status().message());
}

TEST(TokensTest, ALineThatIsWrittenIsReadBack) {
  TokenEntry entry;
  entry.name = "ci@example.org";
  entry.scopes = kScopeRead | kScopeSubmit;
  entry.sha256 = Digest();
  entry.expires_micros = *ParseTimeMicros("2027-03-01T00:00:00+02:00", "e");
  entry.max_uploads = 0;
  entry.max_unfinished_evaluations = 7;
  entry.max_stored_bytes = 50'000'000'000;
  const std::string line = TokenLine(entry);
  EXPECT_THAT(line, AllOf(HasSubstr(R"("expires":"2027-02-28T22:00:00Z")"),
                          HasSubstr(R"("scopes":["read","submit"])")));
  const auto entries = ParseTokens(absl::StrCat("# who\n\n", line, "\r\n"), "t");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 1u);
  const TokenEntry& read = entries->front();
  EXPECT_EQ(read.name, entry.name);
  EXPECT_EQ(read.scopes, entry.scopes);
  EXPECT_EQ(read.sha256, entry.sha256);
  EXPECT_EQ(read.expires_micros, entry.expires_micros);
  EXPECT_EQ(read.max_uploads, 0);
  EXPECT_EQ(read.max_unfinished_evaluations, 7);
  EXPECT_EQ(read.max_stored_bytes, 50'000'000'000);
}

TEST(TokensTest, WhatIsWrongIsNamedWithItsLine) {
  EXPECT_THAT(Problem("# fine\n" + Line() + "\nsecret\n"),
              AllOf(StartsWith("t:3: "), HasSubstr("must be a JSON object")));
  EXPECT_THAT(Problem("[1]"), HasSubstr("must be a JSON object"));
  EXPECT_THAT(Problem(Line() + "}"), HasSubstr("must be a JSON object"));
  EXPECT_THAT(Problem(Line(R"(, "scope": [])")), HasSubstr("did you mean scopes?"));
  EXPECT_THAT(Problem(Line(R"(, "scopes": ["admin"])")), HasSubstr("has \"scopes\" twice"));
  EXPECT_THAT(Problem(Line(R"(, "certificate": "x")")), HasSubstr("not both"));
  EXPECT_THAT(Problem(R"({"name": "a", "scopes": ["read"]})"), HasSubstr("\"sha256\" or"));
  EXPECT_THAT(Problem(R"({"name": "a b", "scopes": ["read"]})"), HasSubstr("\"name\" must be"));
  EXPECT_THAT(Problem(R"({"name": 7})"), HasSubstr("\"name\" must be a text"));
  for (const char* scopes : {"[]", "\"read\"", "[\"root\"]", "[7]", "[[\"read\"]]", "null"}) {
    EXPECT_THAT(Problem(absl::StrCat(R"({"name": "a", "sha256": ")", Digest(), R"(", "scopes": )",
                                     scopes, "}")),
                ::testing::AnyOf(HasSubstr("\"scopes\" must be a list of one or more of read"),
                                 HasSubstr("must be a JSON object")))
        << scopes;
  }
  EXPECT_THAT(Problem(R"({"name": "a", "scopes": ["read"], "sha256": "secret"})"),
              HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(Problem(Line(R"(, "expires": "tomorrow")")), HasSubstr("2027-03-01T00:00:00Z"));
  EXPECT_THAT(Problem(Line(R"(, "expires": "")")), HasSubstr("2027-03-01T00:00:00Z"));
  EXPECT_THAT(Problem(Line(R"(, "expires": "infinite-future")")), HasSubstr("must be a time"));
  for (const char* limit : {"-1", "1.5", "\"9\"", "18446744073709551615", "1e300"}) {
    EXPECT_THAT(Problem(Line(absl::StrCat(R"(, "max_uploads": )", limit))),
                HasSubstr("must be a whole number"))
        << limit;
  }
  EXPECT_THAT(Problem(Line(R"(, "max_stored_bytes": 1000000000000001)")),
              HasSubstr("must be a whole number"));
}

TEST(TokensTest, NamesAndSecretsAreOfOneTokenOnly) {
  EXPECT_THAT(Problem(Line() + "\n" + Line()), HasSubstr("t:2: is the second token"));
  EXPECT_THAT(Problem(Line() + absl::StrCat("\n{\"name\": \"b\", \"scopes\": [\"admin\"], "
                                            "\"sha256\": \"",
                                            Digest(), "\"}")),
              AllOf(StartsWith("t:2: "), HasSubstr("has the same sha256")));
}

TEST(TokensTest, HostileFilesAreRefusedAndHurtNobody) {
  EXPECT_THAT(Problem(std::string(100'000, '[')), HasSubstr("longer than"));
  EXPECT_THAT(Problem(std::string(4000, '[')), HasSubstr("must be a JSON object"));
  EXPECT_THAT(Problem(std::string("{\"name\": \"\0\"}", 13)), HasSubstr("t:1: "));
  EXPECT_THAT(Problem("{\"name\": \"\xff\xfe\"}"), HasSubstr("t:1: "));
  EXPECT_THAT(Problem("{\"\x1b[31m\": 1}"), HasSubstr("t:1: "));
  std::string many;
  for (size_t i = 0; i <= kMaxTokens; ++i) {
    absl::StrAppend(&many, R"({"name": "n)", i, R"(", "scopes": ["read"], "certificate": "c)", i,
                    "\"}\n");
  }
  EXPECT_THAT(Problem(many), HasSubstr("one too many"));
  // Every line cut short somewhere.
  const std::string line = Line(R"(, "expires": "2027-03-01T00:00:00Z")");
  for (size_t size = 1; size < line.size(); ++size) {
    EXPECT_FALSE(ParseTokens(line.substr(0, size), "t").ok()) << size;
  }
  EXPECT_TRUE(ParseTokens("", "t").ok());
}

TEST(TokensTest, AdminMayAllAndTheOthersWhatTheySay) {
  for (const Scopes needed : {kScopeRead, kScopeUpload, kScopeSubmit, kScopeAdmin}) {
    EXPECT_TRUE(Allows(kScopeAdmin, needed));
    EXPECT_TRUE(Allows(needed, needed));
    EXPECT_FALSE(Allows(kAllScopes & ~kScopeAdmin & ~needed, needed));
    EXPECT_TRUE(Allows(kScopeNone, kScopeNone));
  }
  EXPECT_FALSE(Allows(kScopeSubmit, kScopeSubmit | kScopeUpload));
  EXPECT_EQ(*ParseScopes("read, submit", "f"), kScopeRead | kScopeSubmit);
  EXPECT_THAT(std::string(ParseScopes("read,all", "--scopes").status().message()),
              HasSubstr("--scopes: must be a list of read, upload, submit, admin"));
}

TEST(TokensTest, SecretsAreLongAndNeverTheSame) {
  std::set<std::string> secrets;
  for (int i = 0; i < 1000; ++i) secrets.insert(NewTokenSecret());
  EXPECT_EQ(secrets.size(), 1000u);
  EXPECT_EQ(secrets.begin()->size(), 6u + 43u);
  EXPECT_EQ(*TokenOfText(" \n" + *secrets.begin() + "\r\n", "f"), *secrets.begin());
  for (const std::string text : {"", " \n", "two words", "a\nb", "caf\xc3\xa9"}) {
    EXPECT_THAT(std::string(TokenOfText(text, "f").status().message()), HasSubstr("f: "));
  }
}

}  // namespace
}  // namespace assay
