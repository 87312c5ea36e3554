#include "server/store/s3_client.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "tests/server/store/s3_fixture.h"

namespace assay::store {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class S3ClientTest : public ::testing::Test {
 protected:
  S3ClientTest() : options_(OptionsFor(server_)), credentials_(CredentialsIn(directory_)) {}
  S3Client& client() {
    if (!client_) client_.emplace(options_, credentials_);
    return *client_;
  }
  absl::StatusOr<std::string> Read(const std::string& key, int64_t offset = 0,
                                   std::optional<int64_t> length = std::nullopt) {
    std::string bytes;
    ASSAY_RETURN_IF_ERROR(client().Get(key, offset, length, [&](absl::string_view piece) {
      bytes.append(piece.data(), piece.size());
      return absl::OkStatus();
    }));
    return bytes;
  }
  absl::Status PutFile(const std::string& key, const std::string& content) {
    const std::string path = directory_.File("content");
    std::ofstream(path, std::ios::binary) << content;
    const int fd = ::open(path.c_str(), O_RDONLY);
    const absl::Status status =
        client().PutFile(key, fd, static_cast<int64_t>(content.size()), Sha256Hex(content));
    ::close(fd);
    return status;
  }
  static std::string Large(size_t size) {
    std::string content(size, '\0');
    for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7 ^ i >> 8);
    return content;
  }
  int64_t Failed(const std::string& name) {
    for (const auto& operation : client().Traffic().operations) {
      if (operation.name == name) return operation.failed;
    }
    return -1;
  }

  TempDirectory directory_;
  S3Server server_;
  S3Options options_;
  std::shared_ptr<AwsCredentials> credentials_;
  std::optional<S3Client> client_;
};

TEST_F(S3ClientTest, PutsGetsLooksListsCopiesAndDeletes) {
  const std::string content = Large(3'000'000);
  ASSERT_THAT(PutFile("a/large", content), IsOk());
  ASSERT_THAT(client().Put("a/small", "abc"), IsOk());
  ASSERT_THAT(client().Put("b/empty", ""), IsOk());
  EXPECT_EQ(*Read("a/large"), content);
  EXPECT_EQ(*Read("a/small"), "abc");
  EXPECT_EQ(*Read("b/empty"), "");
  EXPECT_EQ(*Read("a/large", 2'999'998), content.substr(2'999'998));
  EXPECT_EQ(*Read("a/large", 1'000'000, 5), content.substr(1'000'000, 5));
  EXPECT_EQ(*Read("a/small", 3), "") << "nothing is there from the end on";
  EXPECT_EQ(client().Head("a/large")->bytes, 3'000'000);
  ASSERT_THAT(client().Copy("a/small", "c/copy"), IsOk());
  EXPECT_EQ(*Read("c/copy"), "abc");
  ASSERT_THAT(client().Delete("a/small"), IsOk());
  ASSERT_THAT(client().Delete("a/small"), IsOk());
  EXPECT_THAT(client().Head("a/small"), HasReason(Reason::kNotFound));
  EXPECT_THAT(Read("a/small"), HasReason(Reason::kNotFound));
  const S3Traffic traffic = client().Traffic();
  EXPECT_EQ(traffic.sent_bytes, 3'000'003);
  EXPECT_GE(traffic.received_bytes, 3'000'003 + 2 + 5 + 3);
  EXPECT_EQ(traffic.repeated, 0);
}

TEST_F(S3ClientTest, ListsInPagesWithAgesByTheStoragesClock) {
  for (const char* key : {"x/1", "x/2", "x/3", "y/1"}) ASSERT_THAT(client().Put(key, key), IsOk());
  server_.AdvanceSeconds(100'000);
  ASSERT_THAT(client().Put("x/4", ""), IsOk());
  const auto first = client().List("x/", "", 2);
  ASSERT_THAT(first, IsOk());
  EXPECT_TRUE(first->more);
  ASSERT_EQ(first->objects.size(), 2u);
  const auto second = client().List("x/", "x/2", 2);
  ASSERT_THAT(second, IsOk());
  EXPECT_FALSE(second->more);
  ASSERT_EQ(second->objects.size(), 2u);
  EXPECT_EQ(second->objects[0].key, "x/3");
  EXPECT_EQ(second->objects[0].bytes, 3);
  EXPECT_NEAR(static_cast<double>(second->objects[0].age_seconds), 100'000, 60);
  EXPECT_LT(second->objects[1].age_seconds, 60);
  EXPECT_NEAR(static_cast<double>(client().Head("x/3")->age_seconds), 100'000, 60);
}

TEST_F(S3ClientTest, TemporaryKeysBringTheirToken) {
  credentials_ = CredentialsIn(directory_, "token-id", "token/secret", "a+session/token==");
  EXPECT_THAT(client().Put("key", "abc"), IsOk());
  EXPECT_EQ(*Read("key"), "abc");
}

TEST_F(S3ClientTest, ARefusalSaysWhatTheStorageSaidAndNoSecret) {
  credentials_ = CredentialsIn(directory_, S3Server::kId, "another-secret");
  const absl::Status refused = client().Put("key", "abc");
  EXPECT_THAT(refused, HasReason(Reason::kUnavailable));
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("HTTP 403 SignatureDoesNotMatch"), HasSubstr("key"),
                    Not(HasSubstr("another-secret"))));
  EXPECT_EQ(server_.Requests().size(), 1u) << "asking again would not help";
  EXPECT_FALSE(client().Traffic().answers);
}

TEST_F(S3ClientTest, KeysThatHaveBeenRenewedAreTaken) {
  credentials_ = CredentialsIn(directory_, S3Server::kId, "old-secret");
  EXPECT_FALSE(client().Put("key", "abc").ok());
  std::filesystem::rename(directory_.File("credentials"), directory_.File("old"));
  EXPECT_THAT(client().Put("key", "abc"), HasReason(Reason::kUnavailable)) << "between the two";
  CredentialsIn(directory_);
  EXPECT_THAT(client().Put("key", "abc"), IsOk());
}

TEST_F(S3ClientTest, ABucketThatIsNotThereIsNoMissingObject) {
  options_.bucket = "another-bucket";
  EXPECT_THAT(client().List(""), HasReason(Reason::kUnavailable));
  EXPECT_THAT(std::string(client().List("").status().message()), HasSubstr("NoSuchBucket"));
}

TEST_F(S3ClientTest, WhatFailsForTheMomentIsRepeated) {
  for (const char* kind : {"status", "lost"}) {
    server_.Fail("PUT", kind, 2, {{"status", 503}});
    server_.Fail("HEAD", kind, 2, {{"status", 500}});
    server_.Fail("GET .*list-type", kind, 2, {{"status", 429}});
    server_.Fail("DELETE", kind, 2, {{"status", 502}});
    EXPECT_THAT(client().Put("key", "abc"), IsOk()) << kind;
    EXPECT_THAT(PutFile("file", Large(2'000'000)), IsOk()) << kind;
    EXPECT_THAT(client().Head("key"), IsOk()) << kind;
    EXPECT_THAT(client().List("k"), IsOk()) << kind;
    EXPECT_THAT(client().Delete("key"), IsOk()) << kind;
    server_.Heal();
  }
  // Of connections that were used before, libcurl repeats some by itself.
  EXPECT_GE(client().Traffic().repeated, 8);
  EXPECT_EQ(Failed("put"), 0);
  EXPECT_EQ(*Read("file"), Large(2'000'000));
}

TEST_F(S3ClientTest, AfterTooManyAttemptsTheErrorIsTheLastOne) {
  options_.attempts = 3;
  server_.Fail("PUT", "status", 100, {{"status", 503}, {"code", "SlowDown"}});
  const absl::Status failed = client().Put("key", "abc");
  EXPECT_THAT(failed, HasReason(Reason::kUnavailable));
  EXPECT_THAT(std::string(failed.message()), HasSubstr("HTTP 503 SlowDown"));
  EXPECT_EQ(server_.Requests().size(), 3u);
  EXPECT_EQ(Failed("put"), 1);
  EXPECT_FALSE(client().Traffic().answers);
  server_.Heal();
  EXPECT_THAT(client().Put("key", "abc"), IsOk());
  EXPECT_TRUE(client().Traffic().answers);
}

TEST_F(S3ClientTest, AStorageThatIsAwayIsUnavailableAndComesBack) {
  options_.attempts = 2;
  ASSERT_THAT(client().Put("key", "abc"), IsOk());
  server_.SetAway(true);
  EXPECT_THAT(client().Put("key", "abc"), HasReason(Reason::kUnavailable));
  EXPECT_THAT(Read("key"), HasReason(Reason::kUnavailable));
  EXPECT_FALSE(client().Traffic().answers);
  server_.SetAway(false);
  EXPECT_EQ(*Read("key"), "abc");
  EXPECT_TRUE(client().Traffic().answers);
  options_.endpoint = "http://127.0.0.1:1";
  client_.reset();
  EXPECT_THAT(client().Put("key", "abc"), HasReason(Reason::kUnavailable));
}

TEST_F(S3ClientTest, ABrokenDownloadGoesOnWhereItBroke) {
  const std::string content = Large(4'000'000);
  ASSERT_THAT(client().Put("key", content), IsOk());
  server_.Requests();
  // Half of what is left each time.
  server_.Fail("GET", "cut", 10);
  options_.attempts = 2;
  client_.reset();
  EXPECT_EQ(*Read("key"), content) << "progress is no failure, however often it ends";
  EXPECT_EQ(server_.Requests().size(), 11u);
  EXPECT_LT(client().Traffic().received_bytes, 4'100'000);
}

TEST_F(S3ClientTest, ADeafStorageIsGivenUpAndAskedAgain) {
  options_.stall_seconds = 1;
  ASSERT_THAT(client().Put("key", "abc"), IsOk());
  server_.Fail("GET|HEAD", "deaf", 2);
  EXPECT_EQ(*Read("key"), "abc");
  EXPECT_EQ(client().Head("key")->bytes, 3);
  EXPECT_EQ(client().Traffic().repeated, 2);
}

TEST_F(S3ClientTest, WhoTakesTheBytesCanEndTheDownload) {
  ASSERT_THAT(client().Put("key", "abc"), IsOk());
  const absl::Status full = client().Get("key", 0, std::nullopt, [](absl::string_view) {
    return Error(Reason::kStorageFull, "full").ToStatus();
  });
  EXPECT_THAT(full, HasReason(Reason::kStorageFull));
  EXPECT_TRUE(client().Traffic().answers);
}

TEST_F(S3ClientTest, ADownloadCanBeCancelledWhileItWaits) {
  options_.attempts = 1000;
  options_.first_wait_seconds = 5;
  server_.SetAway(true);
  const auto begin = std::chrono::steady_clock::now();
  const absl::Status cancelled = client().Get(
      "key", 0, std::nullopt, [](absl::string_view) { return absl::OkStatus(); },
      [&] { return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(50); });
  EXPECT_THAT(cancelled, HasReason(Reason::kCancelled));
}

TEST_F(S3ClientTest, AStorageWithoutRoomSaysSo) {
  server_.Fail("PUT", "status", 1, {{"status", 507}, {"code", "XMinioStorageFull"}});
  EXPECT_THAT(client().Put("key", "abc"), HasReason(Reason::kStorageFull));
}

TEST_F(S3ClientTest, LargeObjectsGoInParts) {
  options_.part_bytes = 1 << 20;
  const std::string content = Large(3'500'000);
  server_.Fail("PUT .*partNumber=2", "status", 1, {{"status", 500}});
  server_.Fail("PUT .*partNumber=3", "lost", 1);
  ASSERT_THAT(PutFile("large", content), IsOk());
  EXPECT_EQ(*Read("large"), content);
  EXPECT_EQ(server_.Uploads(), 0);
  EXPECT_THAT(server_.Requests(), Contains(HasSubstr("partNumber=4")));
}

TEST_F(S3ClientTest, AnUploadInPartsIsCompleteOrNotThere) {
  options_.part_bytes = 1 << 20;
  options_.attempts = 2;
  server_.Fail("PUT .*partNumber=3", "status", 2, {{"status", 500}});
  EXPECT_THAT(PutFile("large", Large(3'500'000)), HasReason(Reason::kUnavailable));
  EXPECT_THAT(client().Head("large"), HasReason(Reason::kNotFound));
  EXPECT_EQ(server_.Uploads(), 0) << "what was sent is dropped";
  // The answer to the last request is lost: when that is repeated, the upload is no more.
  server_.Fail("POST .*uploadId=", "lost", 1);
  EXPECT_THAT(PutFile("large", Large(3'500'000)), IsOk());
  EXPECT_EQ(*Read("large"), Large(3'500'000));
}

TEST_F(S3ClientTest, WhatAKilledProcessLeftOfUploadsIsDroppedWhenItIsOld) {
  options_.part_bytes = 1 << 20;
  options_.attempts = 1;
  server_.Fail("PUT .*partNumber=2", "status", 1, {{"status", 500}});
  server_.Fail("DELETE", "status", 1, {{"status", 500}});
  EXPECT_FALSE(PutFile("large", Large(3'500'000)).ok());
  ASSERT_EQ(server_.Uploads(), 1);
  ASSERT_THAT(client().DropUploads("", 3600), IsOk());
  EXPECT_EQ(server_.Uploads(), 1);
  server_.AdvanceSeconds(4000);
  ASSERT_THAT(client().DropUploads("other/", 3600), IsOk());
  EXPECT_EQ(server_.Uploads(), 1);
  ASSERT_THAT(client().DropUploads("", 3600), IsOk());
  EXPECT_EQ(server_.Uploads(), 0);
}

TEST_F(S3ClientTest, WhatIsDamagedOnTheWayIsRefusedByTheStorage) {
  const std::string path = directory_.File("content");
  std::ofstream(path) << "abd";
  const int fd = ::open(path.c_str(), O_RDONLY);
  const absl::Status refused = client().PutFile("key", fd, 3, Sha256Hex("abc"));
  ::close(fd);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("XAmzContentSHA256Mismatch"));
  EXPECT_THAT(client().Head("key"), HasReason(Reason::kNotFound));
}

TEST(S3LocationTest, IsABucketAndAPrefix) {
  const auto plain = ParseS3Uri("s3://bucket"), deep = ParseS3Uri("s3://my.bucket-1/a/b_c/");
  ASSERT_THAT(plain, IsOk());
  EXPECT_EQ(plain->bucket, "bucket");
  EXPECT_EQ(plain->prefix, "");
  ASSERT_THAT(deep, IsOk());
  EXPECT_EQ(deep->bucket, "my.bucket-1");
  EXPECT_EQ(deep->prefix, "a/b_c");
  for (const char* wrong : {"s3:/bucket", "s3://", "s3://ab", "s3://bucket/a b", "s3://bucket/a//b",
                            "s3://bucket/../a", "s3://bucket/a?b", "s3://user@bucket/"}) {
    EXPECT_THAT(ParseS3Uri(wrong), HasReason(Reason::kInvalidArgument)) << wrong;
  }
  EXPECT_THAT(CheckS3Endpoint("http://minio:9000"), IsOk());
  EXPECT_THAT(CheckS3Endpoint(""), IsOk());
  for (const char* wrong : {"minio:9000", "https://", "http://minio/path", "http://a@b"}) {
    EXPECT_THAT(CheckS3Endpoint(wrong), HasReason(Reason::kInvalidArgument)) << wrong;
  }
}

TEST(AwsCredentialsTest, AFileHasProfiles) {
  constexpr char kText[] =
      "# keys\n[default]\naws_access_key_id=one\naws_secret_access_key = a=b \n\n[other]\n"
      "aws_access_key_id=two\naws_secret_access_key=c\naws_session_token=d\n[half]\n"
      "aws_access_key_id=three\n";
  const auto usual = ParseAwsCredentials(kText, "default");
  ASSERT_THAT(usual, IsOk());
  EXPECT_EQ(usual->id, "one");
  EXPECT_EQ(usual->secret, "a=b");
  EXPECT_EQ(usual->session_token, "");
  EXPECT_EQ(ParseAwsCredentials(kText, "other")->session_token, "d");
  EXPECT_THAT(ParseAwsCredentials(kText, "half"), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(ParseAwsCredentials(kText, "none"), HasReason(Reason::kInvalidArgument));
}

TEST(AwsCredentialsTest, WithoutAnyTheErrorSaysWhatIsWanted) {
  TempDirectory directory;
  const absl::Status none = AwsCredentials(directory.File("none")).Get().status();
  EXPECT_THAT(none, HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(std::string(none.message()),
              AllOf(HasSubstr("AWS_ACCESS_KEY_ID"), HasSubstr(directory.File("none"))));
}

}  // namespace
}  // namespace assay::store
