// Deletions give their space back, and take nothing from uploads.
#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/blob_sweeper.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::IsEmpty;

class FreeSpaceTest : public ApiFixture {
 protected:
  FreeSpaceTest() : sweeper_(hooked(), *blobs_, clock_, reserve()) {
    context().sweeper = &sweeper_;
  }
  ~FreeSpaceTest() override { context().sweeper = nullptr; }

  void Upload(const std::string& content, const std::string& upload_id) {
    grpc::ClientContext client;
    v1::UploadChunksResponse response;
    const auto stream = chunks()->UploadChunks(&client, &response);
    v1::UploadChunksRequest request;
    request.mutable_header()->set_digest(Sha256Hex(content));
    request.mutable_header()->set_size_bytes(static_cast<int64_t>(content.size()));
    request.mutable_header()->set_upload_id(upload_id);
    stream->Write(request);
    request.set_data(content);
    stream->Write(request);
    stream->WritesDone();
    ASSERT_THAT(FromGrpcStatus(stream->Finish()), IsOk());
  }
  std::vector<std::string> Missing(const std::string& content, const std::string& upload_id) {
    v1::FindMissingChunksRequest request;
    request.add_digests(Sha256Hex(content));
    request.set_upload_id(upload_id);
    v1::FindMissingChunksResponse response;
    EXPECT_THAT(Call(&v1::ChunkService::Stub::FindMissingChunks, request, &response), IsOk());
    return {response.missing().begin(), response.missing().end()};
  }
  absl::Status CreateModel(const std::string& id, const std::vector<std::string>& parts,
                           const std::string& upload_id) {
    v1::CreateModelRequest request;
    std::string whole;
    for (const std::string& part : parts) {
      whole += part;
      request.add_chunks(Sha256Hex(part));
    }
    request.set_model_id(id);
    request.set_digest(Sha256Hex(whole));
    request.set_request_id(upload_id);
    v1::Model model;
    return ApiFixture::CreateModel(request, &model);
  }
  absl::Status CreateDataset(const std::string& id, const std::string& chunk,
                             const std::string& upload_id) {
    v1::CreateDatasetRequest request;
    request.set_dataset_id(id);
    request.set_request_id(upload_id);
    *request.mutable_manifest()->mutable_shape() = MakeShape(1, 1, 1);
    request.mutable_manifest()->set_pixel_type(v1::UINT8);
    request.mutable_manifest()->add_chunks()->set_digest(Sha256Hex(chunk));
    request.mutable_manifest()->mutable_chunks(0)->set_samples(10);
    v1::Dataset dataset;
    return Call(&v1::DatasetService::Stub::CreateDataset, request, &dataset);
  }
  template <typename Service, typename Request>
  void Delete(grpc::Status (Service::*method)(grpc::ClientContext*, const Request&,
                                              google::protobuf::Empty*),
              const std::string& name) {
    Request request;
    request.set_name(name);
    google::protobuf::Empty nothing;
    ASSERT_THAT(Call(method, request, &nothing), IsOk());
  }
  void DeleteModel(const std::string& id) {
    Delete(&v1::ModelService::Stub::DeleteModel, "models/" + id);
  }
  void DeleteDataset(const std::string& id) {
    Delete(&v1::DatasetService::Stub::DeleteDataset, "datasets/" + id);
  }
  std::string reserve() const { return directory_.File("reserve"); }
  bool IsThere(const std::string& content) const {
    return std::filesystem::exists(blobs_->Path(Sha256Hex(content)));
  }
  // Waits until whatever may go has gone.
  void AwaitSweep() {
    const std::string content = ModelFile(absl::StrCat("marker=", ++markers_));
    Upload(content, "marker");
    ASSERT_THAT(CreateModel("marker", {content}, "marker"), IsOk());
    DeleteModel("marker");
    ASSERT_TRUE(Eventually([&] { return !IsThere(content); }));
  }

  store::BlobSweeper sweeper_;
  int markers_ = 0;
};

TEST_F(FreeSpaceTest, ADeletedModelIsGoneFromTheDisk) {
  const std::string content = ModelFile("");
  Upload(content, "upload");
  ASSERT_THAT(CreateModel("m", {content}, "upload"), IsOk());
  AwaitSweep();
  EXPECT_TRUE(IsThere(content));
  DeleteModel("m");
  EXPECT_TRUE(Eventually([&] { return !IsThere(content); }));
}

TEST_F(FreeSpaceTest, TheChunksOfAJoinedModelGoWhenItIsStored) {
  const std::string content = ModelFile("");
  const std::vector<std::string> parts = {content.substr(0, 20), content.substr(20)};
  for (const std::string& part : parts) Upload(part, "upload");
  ASSERT_THAT(CreateModel("m", parts, "upload"), IsOk());
  EXPECT_TRUE(Eventually([&] { return !IsThere(parts[0]) && !IsThere(parts[1]); }));
  EXPECT_TRUE(IsThere(content));
  DeleteModel("m");
  EXPECT_TRUE(Eventually([&] { return !IsThere(content); }));
}

TEST_F(FreeSpaceTest, AnUploadThatWasToldPresentJustBeforeTheDeletionSucceeds) {
  const std::string chunk = ChunkBytes(10);
  // With names of uploads; and without, where the connection counts.
  for (const char* name : {"second", ""}) {
    SCOPED_TRACE(name);
    Upload(chunk, "first");
    ASSERT_THAT(CreateDataset("d", chunk, "first"), IsOk());
    EXPECT_THAT(Missing(chunk, name), IsEmpty());
    DeleteDataset("d");
    AwaitSweep();
    ASSERT_TRUE(IsThere(chunk));
    ASSERT_THAT(CreateDataset("e", chunk, name), IsOk());
    AwaitSweep();
    ASSERT_TRUE(IsThere(chunk));
    DeleteDataset("e");
    EXPECT_TRUE(Eventually([&] { return !IsThere(chunk); }));
  }
}

TEST_F(FreeSpaceTest, TwoUploadsOverOneConnectionDoNotEndEachOther) {
  const std::string chunk = ChunkBytes(10);
  Upload(chunk, "first");
  EXPECT_THAT(Missing(chunk, "second"), IsEmpty());
  ASSERT_THAT(CreateDataset("d", chunk, "first"), IsOk());
  DeleteDataset("d");
  AwaitSweep();
  ASSERT_THAT(CreateDataset("e", chunk, "second"), IsOk());
  DeleteDataset("e");
  EXPECT_TRUE(Eventually([&] { return !IsThere(chunk); }));
}

TEST_F(FreeSpaceTest, AnUploadIsAskedOftenAndEndsOnce) {
  const std::string chunk = ChunkBytes(10);
  EXPECT_THAT(Missing(chunk, "upload"), ::testing::SizeIs(1));
  Upload(chunk, "upload");
  Upload(chunk, "upload");
  EXPECT_THAT(Missing(chunk, "upload"), IsEmpty());
  ASSERT_THAT(CreateDataset("d", chunk, "upload"), IsOk());
  ASSERT_THAT(CreateDataset("d", chunk, "upload"), IsOk()) << "a repeated call";
  DeleteDataset("d");
  EXPECT_TRUE(Eventually([&] { return !IsThere(chunk); }));
}

TEST_F(FreeSpaceTest, OnAFullDiskEvaluationsCanBeCancelledAndEverythingBeDeleted) {
  Submit("e");
  for (const char* change :
       {"CancelEvaluation", "DeleteEvaluation", "DeleteDataset", "DeleteModel"}) {
    SCOPED_TRACE(change);
    ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(reserve()); }));
    const auto hook = hooked().Install([&](const std::string& method) -> absl::Status {
      if (method != change || !std::filesystem::exists(reserve())) return absl::OkStatus();
      return Error(Reason::kStorageFull, "no space");
    });
    if (change == std::string("CancelEvaluation")) {
      v1::CancelEvaluationRequest request;
      request.set_name("evaluations/e");
      v1::Evaluation evaluation;
      EXPECT_THAT(Call(&v1::EvaluationService::Stub::CancelEvaluation, request, &evaluation),
                  IsOk());
      EXPECT_EQ(evaluation.state(), v1::Evaluation::CANCELLED);
    } else if (change == std::string("DeleteEvaluation")) {
      Delete(&v1::EvaluationService::Stub::DeleteEvaluation, "evaluations/e");
    } else if (change == std::string("DeleteDataset")) {
      DeleteDataset("e");
    } else {
      DeleteModel("e");
    }
  }
}

TEST_F(FreeSpaceTest, ADeletedEvaluationLetsItsStreamGo) {
  // What a stream brought belongs to its evaluation, and to the dataset that it became.
  const std::string content = ModelFile("");
  Upload(content, "upload");
  ASSERT_THAT(CreateModel("m", {content}, "upload"), IsOk());
  grpc::ClientContext client;
  const auto stream = evaluations()->Evaluate(&client);
  v1::EvaluateRequest request;
  auto& start = *request.mutable_start();
  start.set_evaluation_id("e");
  start.set_model("models/m");
  start.add_conditions("clean");
  *start.mutable_shape() = MakeShape(1, 1, 1);
  start.set_pixel_type(v1::UINT8);
  ASSERT_TRUE(stream->Write(request));
  auto& batch = *request.mutable_batch();
  for (int i = 0; i < 10; ++i) batch.add_labels(i);
  batch.set_images(std::string(10, '\x7f'));
  ASSERT_TRUE(stream->Write(request));
  const std::string chunk = ChunkBytes(10);
  EXPECT_TRUE(Eventually([&] { return IsThere(chunk); }));
  EXPECT_TRUE(Eventually([&] {
    const auto manifest = store_->GetStreamManifest("evaluations/e");
    return manifest.ok() && manifest->chunks_size() == 1;
  }));
  client.TryCancel();
  stream->Finish();
  AwaitSweep();
  EXPECT_TRUE(IsThere(chunk));
  v1::CancelEvaluationRequest cancel;
  cancel.set_name("evaluations/e");
  v1::Evaluation evaluation;
  ASSERT_THAT(Call(&v1::EvaluationService::Stub::CancelEvaluation, cancel, &evaluation), IsOk());
  Delete(&v1::EvaluationService::Stub::DeleteEvaluation, "evaluations/e");
  EXPECT_TRUE(Eventually([&] { return !IsThere(chunk); }));
}

}  // namespace
}  // namespace assay::api
