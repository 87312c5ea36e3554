#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ChunkServiceTest : public ApiFixture {
 protected:
  // One call of UploadChunks.
  class Upload {
   public:
    explicit Upload(v1::ChunkService::Stub& stub)
        : stream_(stub.UploadChunks(&context_, &response_)) {}
    // Each is false once the server has refused.
    bool Header(const std::string& digest, int64_t size) {
      v1::UploadChunksRequest request;
      request.mutable_header()->set_digest(digest);
      request.mutable_header()->set_size_bytes(size);
      return stream_->Write(request);
    }
    bool Data(const std::string& data) {
      v1::UploadChunksRequest request;
      request.set_data(data);
      return stream_->Write(request);
    }
    bool Empty() { return stream_->Write(v1::UploadChunksRequest()); }
    void Chunk(const std::string& content) {
      Header(Sha256Hex(content), static_cast<int64_t>(content.size()));
      for (size_t at = 0; at < content.size(); at += 1000) Data(content.substr(at, 1000));
    }
    void Break() { context_.TryCancel(); }
    absl::Status End() {
      stream_->WritesDone();
      return FromGrpcStatus(stream_->Finish());
    }
    const v1::UploadChunksResponse& response() const { return response_; }

   private:
    grpc::ClientContext context_;
    v1::UploadChunksResponse response_;
    std::unique_ptr<grpc::ClientWriter<v1::UploadChunksRequest>> stream_;
  };

  bool Has(const std::string& content) { return *blobs_->Has(Sha256Hex(content)); }
};

TEST_F(ChunkServiceTest, ChunksArriveInPiecesAndAreCounted) {
  const std::string first(2500, 'a'), second(10, 'b');
  Upload upload(*chunks());
  upload.Chunk(first);
  upload.Chunk(second);
  ASSERT_THAT(upload.End(), IsOk());
  EXPECT_EQ(upload.response().stored_chunks(), 2);
  EXPECT_EQ(upload.response().stored_bytes(), 2510);
  EXPECT_EQ(upload.response().deduplicated_chunks(), 0);
  const auto read = blobs_->Read(Sha256Hex(first));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(*read, first);
  EXPECT_THAT(metrics_.Render(), HasSubstr("assay_upload_bytes_total 2510"));
}

TEST_F(ChunkServiceTest, AChunkThatIsThereAlreadyPassesAndIsCountedAsSuch) {
  const std::string content(2500, 'a');
  ASSERT_THAT(blobs_->Put(content), IsOk());
  Upload upload(*chunks());
  upload.Chunk(content);
  upload.Chunk("new");
  ASSERT_THAT(upload.End(), IsOk());
  EXPECT_EQ(upload.response().deduplicated_chunks(), 1);
  EXPECT_EQ(upload.response().deduplicated_bytes(), 2500);
  EXPECT_EQ(upload.response().stored_chunks(), 1);
}

TEST_F(ChunkServiceTest, AStreamOfNothingIsFine) {
  Upload upload(*chunks());
  EXPECT_THAT(upload.End(), IsOk());
}

TEST_F(ChunkServiceTest, TwoClientsCanUploadTheSameChunkAtOnce) {
  const std::string content(5000, 'x');
  Upload one(*chunks()), other(*chunks());
  const auto size = static_cast<int64_t>(content.size());
  one.Header(Sha256Hex(content), size);
  other.Header(Sha256Hex(content), size);
  one.Data(content.substr(0, 2000));
  other.Data(content.substr(0, 3000));
  other.Data(content.substr(3000));
  ASSERT_THAT(other.End(), IsOk());
  one.Data(content.substr(2000));
  ASSERT_THAT(one.End(), IsOk());
  const auto read = blobs_->Read(Sha256Hex(content));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(*read, content);
}

TEST_F(ChunkServiceTest, BytesOfAnotherDigestAreRefusedAndNotKept) {
  Upload upload(*chunks());
  upload.Header(Sha256Hex("what was announced"), 3);
  upload.Data("bad");
  EXPECT_THAT(upload.End(), HasReason(Reason::kDigestMismatch));
  EXPECT_FALSE(Has("what was announced"));
  EXPECT_FALSE(Has("bad"));
}

TEST_F(ChunkServiceTest, MoreBytesThanAnnouncedAreRefused) {
  for (const bool there_already : {false, true}) {
    SCOPED_TRACE(there_already);
    if (there_already) {
      ASSERT_THAT(blobs_->Put("abc"), IsOk());
    }
    Upload upload(*chunks());
    upload.Header(Sha256Hex("abc"), 3);
    upload.Data("abcd");
    EXPECT_THAT(upload.End(), HasReason(Reason::kTooLarge));
    EXPECT_EQ(Has("abc"), there_already);
  }
}

TEST_F(ChunkServiceTest, AHeaderInTheMiddleOfAChunkIsRefused) {
  Upload upload(*chunks());
  upload.Header(Sha256Hex("abc"), 3);
  upload.Data("ab");
  upload.Header(Sha256Hex("def"), 3);
  const absl::Status status = upload.End();
  EXPECT_THAT(status, HasReason(Reason::kUploadIncomplete));
  EXPECT_THAT(std::string(status.message()), HasSubstr(Sha256Hex("abc")));
}

TEST_F(ChunkServiceTest, AStreamThatEndsInTheMiddleOfAChunkKeepsTheChunksBefore) {
  Upload upload(*chunks());
  upload.Chunk("first");
  upload.Header(Sha256Hex("abc"), 3);
  upload.Data("ab");
  EXPECT_THAT(upload.End(), HasReason(Reason::kUploadIncomplete));
  EXPECT_TRUE(Has("first"));
  EXPECT_FALSE(Has("abc"));
}

TEST_F(ChunkServiceTest, AClientThatVanishesLeavesNothingBehindAndCanGoOn) {
  {
    Upload upload(*chunks());
    upload.Chunk("first");
    upload.Header(Sha256Hex("abc"), 3);
    upload.Data("ab");
    ASSERT_TRUE(Eventually([&] { return Has("first"); }));
    upload.Break();
    EXPECT_TRUE(absl::IsCancelled(upload.End()));
  }
  v1::FindMissingChunksRequest request;
  request.add_digests(Sha256Hex("first"));
  request.add_digests(Sha256Hex("abc"));
  v1::FindMissingChunksResponse response;
  ASSERT_THAT(Call(&v1::ChunkService::Stub::FindMissingChunks, request, &response), IsOk());
  EXPECT_THAT(response.missing(), ElementsAre(Sha256Hex("abc")));
  Upload again(*chunks());
  again.Chunk("abc");
  EXPECT_THAT(again.End(), IsOk());
}

TEST_F(ChunkServiceTest, MalformedMessagesAreRefused) {
  {
    Upload upload(*chunks());
    upload.Data("data before any header");
    EXPECT_THAT(Fields(upload.End()), ElementsAre("data"));
  }
  {
    Upload upload(*chunks());
    upload.Chunk("abc");
    upload.Data("data after the end of a chunk");
    EXPECT_THAT(Fields(upload.End()), ElementsAre("data"));
  }
  {
    Upload upload(*chunks());
    upload.Empty();
    EXPECT_THAT(Fields(upload.End()), ElementsAre("payload"));
  }
  for (const std::string& digest : {std::string(""), std::string("abc"), std::string(64, 'A'),
                                    std::string("../../../../etc/passwd")}) {
    Upload upload(*chunks());
    upload.Header(digest, 3);
    EXPECT_THAT(Fields(upload.End()), ElementsAre("header.digest")) << digest;
  }
  for (const int64_t size : {int64_t{0}, int64_t{-1}, int64_t{65} << 20, int64_t{1} << 62}) {
    Upload upload(*chunks());
    upload.Header(Sha256Hex("abc"), size);
    EXPECT_THAT(upload.End(), HasReason(Reason::kTooLarge)) << size;
  }
}

TEST_F(ChunkServiceTest, MissingChunksAreNamedOnceAndInOrder) {
  ASSERT_THAT(blobs_->Put("there"), IsOk());
  v1::FindMissingChunksRequest request;
  for (const char* content : {"z", "there", "a", "z"}) request.add_digests(Sha256Hex(content));
  v1::FindMissingChunksResponse response;
  ASSERT_THAT(Call(&v1::ChunkService::Stub::FindMissingChunks, request, &response), IsOk());
  EXPECT_THAT(response.missing(), ElementsAre(Sha256Hex("z"), Sha256Hex("a")));
}

TEST_F(ChunkServiceTest, QuestionsForMissingChunksAreChecked) {
  v1::FindMissingChunksRequest request;
  request.add_digests(Sha256Hex("a"));
  request.add_digests("nonsense");
  v1::FindMissingChunksResponse response;
  EXPECT_THAT(Fields(Call(&v1::ChunkService::Stub::FindMissingChunks, request, &response)),
              ElementsAre("digests[1]"));
  request.clear_digests();
  for (int i = 0; i <= 10'000; ++i) request.add_digests(Sha256Hex("a"));
  EXPECT_THAT(Fields(Call(&v1::ChunkService::Stub::FindMissingChunks, request, &response)),
              ElementsAre("digests"));
}

TEST_F(ChunkServiceTest, AStoppingServerTakesNoNewChunks) {
  Upload upload(*chunks());
  upload.Chunk("first");
  ASSERT_TRUE(Eventually([&] { return Has("first"); }));
  context().draining = true;
  upload.Chunk("second");
  const absl::Status status = upload.End();
  EXPECT_THAT(status, HasReason(Reason::kShuttingDown));
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_TRUE(HasDetail(status, "RetryInfo"));
  EXPECT_FALSE(Has("second"));
}

}  // namespace
}  // namespace assay::api
