#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "gmock/gmock.h"
#include "net/grpc_status.h"
#include "tests/client/lib/client_fixture.h"
#include "tests/core/models/fake_models.h"

namespace assay::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "away");

class UploadTest : public ClientFixture {
 protected:
  ~UploadTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  // What passes for a model of `size` bytes, and a few, that differ from chunk to chunk.
  std::string WriteFile(const std::string& name, int64_t size, int salt = 0) {
    std::string bytes(static_cast<size_t>(size), '\0');
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>((i >> 20) * 31 + i * 7 + static_cast<size_t>(salt));
    }
    return WriteModel(name, bytes);
  }
  std::string WriteModel(const std::string& name, const std::string& code) {
    std::filesystem::create_directories(directory_);
    const std::string path = directory_ + "/" + name;
    content_ = FakeTorchScript(code);
    std::ofstream(path, std::ios::binary) << content_;
    return path;
  }

  const std::string directory_ = ::testing::TempDir() + "/upload_test_" +
                                 ::testing::UnitTest::GetInstance()->current_test_info()->name() +
                                 absl::StrCat(getpid());
  std::string content_;
};

// Three chunks: 4 MiB, 4 MiB, and the rest.
constexpr int64_t kModelBytes = 2 * kTargetChunkBytes + 12345;

TEST_F(UploadTest, ModelArrivesWholeUnderItsSlugAndDigest) {
  const std::string path = WriteFile("My Model.pt", kModelBytes);
  const auto uploaded = client_->UploadModel(path, "", {});
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  const std::string digest = Sha256Hex(content_);
  EXPECT_EQ(uploaded->resource.name(), "models/my-model-" + digest.substr(0, 12));
  EXPECT_EQ(uploaded->resource.digest(), digest);
  EXPECT_THAT(state()->received_chunks, SizeIs(3));
  EXPECT_LE(state()->largest_piece, size_t{1} << 20);
  EXPECT_EQ(uploaded->stats.sent_bytes, static_cast<int64_t>(content_.size()));
}

TEST_F(UploadTest, OnlyMissingChunksAreSent) {
  const std::string path = WriteFile("model.pt", kModelBytes);
  const std::string second = content_.substr(kTargetChunkBytes, kTargetChunkBytes);
  state()->chunks[Sha256Hex(second)] = second;
  const auto uploaded = client_->UploadModel(path, "given", {});
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(uploaded->resource.name(), "models/given");
  EXPECT_THAT(state()->received_chunks,
              ElementsAre(Sha256Hex(content_.substr(0, kTargetChunkBytes)),
                          Sha256Hex(content_.substr(2 * kTargetChunkBytes))));
  EXPECT_EQ(uploaded->stats.sent_chunks, 2);
  EXPECT_EQ(uploaded->stats.chunks, 3);
}

TEST_F(UploadTest, ModelThatIsThereIsNotSentAgain) {
  const std::string path = WriteFile("model.pt", kModelBytes);
  const auto uploaded = client_->UploadModel(path, "", {});
  ASSERT_TRUE(uploaded.ok());
  // Its parts have no use any more.
  const std::string digest = uploaded->resource.digest();
  const std::string whole = state()->chunks[digest];
  state()->chunks = {{digest, whole}};
  state()->received_chunks.clear();
  const auto again = client_->UploadModel(path, "", {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(state()->received_chunks, SizeIs(0));
  EXPECT_EQ(state()->calls["CreateModel"], 1);
}

TEST_F(UploadTest, WhatTheServerHasLostIsSentAgainUnderTheSameName) {
  const std::string path = WriteFile("model.pt", kModelBytes);
  CountingReader reader(10, 1000);
  ASSERT_TRUE(client_->UploadModel(path, "m", {}).ok());
  ASSERT_TRUE(client_->UploadDataset(reader, {"d", "", 0}, {}).ok());
  state()->chunks.clear();
  state()->received_chunks.clear();
  ASSERT_TRUE(client_->UploadModel(path, "m", {}).ok());
  EXPECT_THAT(state()->received_chunks, SizeIs(3));
  EXPECT_EQ(state()->calls["CreateModel"], 2);
  ASSERT_TRUE(client_->UploadDataset(reader, {"d", "", 0}, {}).ok());
  EXPECT_THAT(state()->received_chunks, SizeIs(6));
}

TEST_F(UploadTest, WhoeverMayNotAskTakesWhatIsThereForWhole) {
  const std::string path = WriteFile("model.pt", kModelBytes);
  ASSERT_TRUE(client_->UploadModel(path, "m", {}).ok());
  state()->failures["FindMissingChunks"] = {
      grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "the token lacks the scope upload")};
  const auto again = client_->UploadModel(path, "m", {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(state()->calls["CreateModel"], 1);
}

TEST_F(UploadTest, TakenNameIsRefusedBeforeAnythingIsSent) {
  ASSERT_TRUE(client_->UploadModel(WriteFile("a.pt", 1000), "taken", {}).ok());
  state()->received_chunks.clear();
  const auto other = client_->UploadModel(WriteFile("b.pt", 1000, 1), "taken", {});
  EXPECT_EQ(other.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(other.status()), Reason::kAlreadyExists);
  EXPECT_THAT(state()->received_chunks, SizeIs(0));
}

TEST_F(UploadTest, BrokenStreamGoesOnWithWhatIsMissing) {
  state()->upload_breaks_after = 1;
  const auto uploaded = client_->UploadModel(WriteFile("model.pt", kModelBytes), "", {});
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(state()->calls["UploadChunks"], 2);
  // No chunk twice.
  EXPECT_THAT(state()->received_chunks, SizeIs(3));
  EXPECT_THAT(waits_, SizeIs(1));
}

TEST_F(UploadTest, EqualChunksAreSentOnce) {
  const std::string path = WriteModel("model.pt", std::string(4 * kTargetChunkBytes, 'x'));
  const auto uploaded = client_->UploadModel(path, "", {});
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  // The first and the last have the archive's own bytes, too.
  EXPECT_THAT(state()->received_chunks, SizeIs(3));
  EXPECT_EQ(uploaded->resource.size_bytes(), static_cast<int64_t>(content_.size()));
}

TEST_F(UploadTest, RefusedUploadIsNotRepeated) {
  state()->failures["UploadChunks"] = {
      ToGrpcStatus(Error(Reason::kStorageFull, "no space left for chunks"))};
  const auto uploaded = client_->UploadModel(WriteFile("model.pt", 1000), "", {});
  EXPECT_EQ(ReasonOf(uploaded.status()), Reason::kStorageFull);
  EXPECT_THAT(std::string(uploaded.status().message()), HasSubstr("no space left"));
  EXPECT_EQ(state()->calls["UploadChunks"], 1);
}

TEST_F(UploadTest, UploadWithoutProgressIsGivenUp) {
  state()->failures["UploadChunks"] = std::vector<grpc::Status>(100, kUnavailable);
  const auto uploaded = client_->UploadModel(WriteFile("model.pt", 1000), "", {});
  EXPECT_EQ(uploaded.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(uploaded.status().message()), HasSubstr("gave up after"));
  EXPECT_LT(state()->calls["UploadChunks"], 40);
}

TEST_F(UploadTest, UnreadableModelsAreNamed) {
  WriteFile("model.pt", 10);
  const auto missing = client_->UploadModel(directory_ + "/nothing.pt", "", {});
  EXPECT_EQ(ReasonOf(missing.status()), Reason::kUnreadableInput);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("nothing.pt"));
  std::ofstream(directory_ + "/empty.pt").flush();
  const auto empty = client_->UploadModel(directory_ + "/empty.pt", "", {});
  EXPECT_EQ(ReasonOf(empty.status()), Reason::kUnreadableInput);
  const auto folder = client_->UploadModel(directory_, "", {});
  EXPECT_EQ(ReasonOf(folder.status()), Reason::kUnreadableInput);
  const auto id = client_->UploadModel(directory_ + "/model.pt", "Not An Id", {});
  EXPECT_EQ(id.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UploadTest, WhatIsNoModelIsSaidBeforeAnythingIsSent) {
  WriteFile("model.pt", 10);
  const std::string path = directory_ + "/weights.safetensors";
  const std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  std::ofstream(path, std::ios::binary)
      << static_cast<char>(header.size()) << std::string(7, '\0') << header << "1234";
  const auto uploaded = client_->UploadModel(path, "", {});
  EXPECT_EQ(ReasonOf(uploaded.status()), Reason::kInvalidModel);
  EXPECT_THAT(std::string(uploaded.status().message()), HasSubstr("weights.safetensors: "));
  EXPECT_THAT(std::string(uploaded.status().message()), HasSubstr("a file of safetensors"));
  EXPECT_EQ(state()->calls["FindMissingChunks"], 0);
  EXPECT_EQ(state()->calls["CreateModel"], 0);
}

TEST_F(UploadTest, CreationIsRepeatedWithTheSameRequestId) {
  state()->failures["CreateModel"] = {kUnavailable, kUnavailable};
  ASSERT_TRUE(client_->UploadModel(WriteFile("model.pt", 10), "", {}).ok());
  ASSERT_THAT(state()->request_ids, SizeIs(3));
  const std::vector<std::string> ids = state()->request_ids;
  EXPECT_EQ(ids[0], ids[2]);
  EXPECT_EQ(ids[0].size(), 36u);
}

// 1000 x 1000 pixels: 4 samples of 1,000,004 bytes make a chunk.
TEST_F(UploadTest, DatasetChunksHoldLabelsThenImages) {
  CountingReader reader(10, 1000);
  DatasetUpload upload;
  upload.stem = "Test Batch";
  const auto uploaded = client_->UploadDataset(reader, upload, {});
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  const v1::DatasetManifest& manifest = uploaded->resource.manifest();
  ASSERT_EQ(manifest.chunks_size(), 3);
  EXPECT_EQ(manifest.chunks(2).samples(), 2);
  EXPECT_EQ(manifest.class_names_size(), 2);
  EXPECT_EQ(uploaded->resource.name(),
            "datasets/test-batch-" + ManifestDigest(manifest).substr(0, 12));
  const std::string& chunk = state()->chunks[manifest.chunks(1).digest()];
  ASSERT_EQ(chunk.size(), 4u * 1'000'004);
  // Sample 4 comes first; sample 5 is the second image.
  EXPECT_EQ(chunk.substr(0, 8), std::string("\4\0\0\0\5\0\0\0", 8));
  EXPECT_EQ(chunk[16], 4);
  EXPECT_EQ(chunk[16 + 1'000'000], 5);
}

TEST_F(UploadTest, SubsetSharesTheChunksOfTheWhole) {
  CountingReader reader(10, 1000);
  ASSERT_TRUE(client_->UploadDataset(reader, {"whole", "", 0}, {}).ok());
  state()->received_chunks.clear();
  const auto subset = client_->UploadDataset(reader, {"part", "", 8}, {});
  ASSERT_TRUE(subset.ok()) << subset.status();
  EXPECT_EQ(subset->resource.samples(), 8);
  EXPECT_THAT(state()->received_chunks, SizeIs(0));
}

TEST_F(UploadTest, OnlyMissingChunksAreReadASecondTime) {
  CountingReader reader(10, 1000);
  ASSERT_TRUE(client_->UploadDataset(reader, {"first", "", 4}, {}).ok());
  reader.reads_.clear();
  ASSERT_TRUE(client_->UploadDataset(reader, {"all", "", 0}, {}).ok());
  EXPECT_THAT(reader.reads_,
              ElementsAre(std::make_pair(0, 4), std::make_pair(4, 4), std::make_pair(8, 2),
                          std::make_pair(4, 4), std::make_pair(8, 2)));
}

TEST_F(UploadTest, DataThatChangesBetweenThePassesIsRefused) {
  CountingReader reader(4, 1000);
  const auto uploaded = client_->UploadDataset(reader, {"changing", "", 0},
                                               [&](TransferPhase phase, int64_t, int64_t) {
                                                 reader.salt_ = phase == TransferPhase::kSending;
                                               });
  EXPECT_EQ(ReasonOf(uploaded.status()), Reason::kUnreadableInput);
  EXPECT_THAT(std::string(uploaded.status().message()), HasSubstr("changed"));
}

TEST_F(UploadTest, ListenerSeesBothPassesReachTheirEnd) {
  CountingReader reader(10, 1000);
  int64_t read = 0, sent = 0;
  const auto uploaded = client_->UploadDataset(
      reader, {"listened", "", 0}, [&](TransferPhase phase, int64_t done, int64_t total) {
        EXPECT_LE(done, total);
        EXPECT_EQ(total, 10'000'040);
        (phase == TransferPhase::kReading ? read : sent) = done;
      });
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(read, 10'000'040);
  EXPECT_EQ(sent, 10'000'040);
}

TEST_F(UploadTest, AStreamThatAStoppingServerCancelsIsSentAgain) {
  // What gRPC's server answers of itself when it stops, without a reason of ours.
  state()->failures["UploadChunks"] = {grpc::Status(grpc::StatusCode::CANCELLED, "CANCELLED")};
  CountingReader reader(10, 1000);
  const auto uploaded = client_->UploadDataset(reader, {"again", "", 0}, {});
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(state()->calls["UploadChunks"], 2);
}

TEST_F(UploadTest, InterruptEndsAnUpload) {
  CountingReader reader(10, 1000);
  const auto uploaded = client_->UploadDataset(
      reader, {"stopped", "", 0}, [&](TransferPhase, int64_t, int64_t) { interrupt_.Trigger(); });
  EXPECT_EQ(uploaded.status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(reader.reads_, SizeIs(1));
}

}  // namespace
}  // namespace assay::client
