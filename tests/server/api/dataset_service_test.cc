#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/manifest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using Stub = v1::DatasetService::Stub;

class DatasetServiceTest : public ApiFixture {
 protected:
  // A request for one chunk of samples whose bytes are there.
  v1::CreateDatasetRequest Request(const std::string& id, int samples) {
    v1::CreateDatasetRequest request;
    request.set_dataset_id(id);
    v1::DatasetManifest& manifest = *request.mutable_manifest();
    *manifest.mutable_shape() = MakeShape(1, 1, 1);
    manifest.set_pixel_type(v1::UINT8);
    const auto digest = blobs_->Put(ChunkBytes(samples));
    EXPECT_THAT(digest, IsOk());
    manifest.add_chunks()->set_digest(*digest);
    manifest.mutable_chunks(0)->set_samples(samples);
    return request;
  }
  absl::StatusOr<v1::Dataset> Create(const v1::CreateDatasetRequest& request) {
    v1::Dataset dataset;
    ASSAY_RETURN_IF_ERROR(Call(&Stub::CreateDataset, request, &dataset));
    return dataset;
  }
  absl::StatusOr<v1::Dataset> Get(const std::string& name) {
    v1::GetDatasetRequest request;
    request.set_name(name);
    v1::Dataset dataset;
    ASSAY_RETURN_IF_ERROR(Call(&Stub::GetDataset, request, &dataset));
    return dataset;
  }
  absl::Status Delete(const std::string& name) {
    v1::DeleteDatasetRequest request;
    request.set_name(name);
    google::protobuf::Empty nothing;
    return Call(&Stub::DeleteDataset, request, &nothing);
  }
};

TEST_F(DatasetServiceTest, ADatasetIsCommittedAndReadBack) {
  const auto created = Create(Request("d", 7));
  ASSERT_THAT(created, IsOk());
  EXPECT_EQ(created->name(), "datasets/d");
  EXPECT_EQ(created->samples(), 7);
  EXPECT_EQ(created->max_label(), 6);
  const auto got = Get("datasets/d");
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(got->SerializeAsString(), created->SerializeAsString());
}

TEST_F(DatasetServiceTest, TheSameManifestUnderTheSameNameIsTheSameDataset) {
  ASSERT_THAT(Create(Request("d", 7)), IsOk());
  EXPECT_THAT(Create(Request("d", 7)), IsOk());
  const auto other = Create(Request("d", 8));
  EXPECT_THAT(other, HasReason(Reason::kAlreadyExists));
  EXPECT_EQ(ResourceOf(other.status()), "datasets/d");
}

TEST_F(DatasetServiceTest, ARepeatedRequestReturnsTheFirstResult) {
  v1::CreateDatasetRequest request = Request("d", 7);
  request.set_request_id("uuid");
  ASSERT_THAT(Create(request), IsOk());
  request.set_dataset_id("another-name");
  const auto again = Create(request);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->name(), "datasets/d");
}

TEST_F(DatasetServiceTest, ValidateOnlyChecksEverythingAndStoresNothing) {
  v1::CreateDatasetRequest request = Request("d", 7);
  request.set_validate_only(true);
  const auto checked = Create(request);
  ASSERT_THAT(checked, IsOk());
  EXPECT_EQ(checked->samples(), 7);
  EXPECT_THAT(Get("datasets/d"), HasReason(Reason::kNotFound));
  ASSERT_THAT(Create(Request("d", 8)), IsOk());
  EXPECT_THAT(Create(request), HasReason(Reason::kAlreadyExists));
  request.mutable_manifest()->add_chunks()->set_digest(Sha256Hex("never uploaded"));
  request.mutable_manifest()->mutable_chunks(1)->set_samples(1);
  EXPECT_THAT(Create(request), HasReason(Reason::kChunkMissing));
}

TEST_F(DatasetServiceTest, EveryViolationIsToldAtOnce) {
  v1::CreateDatasetRequest request;
  request.set_dataset_id("Not An Id");
  *request.mutable_manifest()->mutable_shape() = MakeShape(1, 1, 1);
  const auto dataset = Create(request);
  EXPECT_THAT(dataset, HasReason(Reason::kInvalidDataset));
  EXPECT_THAT(Fields(dataset.status()),
              UnorderedElementsAre("dataset_id", "manifest.pixel_type", "manifest.chunks"));
  request.mutable_manifest()->mutable_shape()->set_height(0);
  EXPECT_THAT(Fields(Create(request).status()),
              UnorderedElementsAre("dataset_id", "manifest.shape"));
}

TEST_F(DatasetServiceTest, WhatDoesNotExistIsNamed) {
  for (const absl::Status& status : {Get("datasets/no").status(), Delete("datasets/no")}) {
    EXPECT_THAT(status, HasReason(Reason::kNotFound));
    EXPECT_EQ(ResourceOf(status), "datasets/no");
  }
  for (const absl::Status& status : {Get("models/no").status(), Delete("")}) {
    EXPECT_THAT(Fields(status), ElementsAre("name"));
  }
}

TEST_F(DatasetServiceTest, DatasetsAreListedInPagesWithoutTheirChunks) {
  for (const char* id : {"b", "a", "c"}) ASSERT_THAT(Create(Request(id, 7)), IsOk());
  std::vector<std::string> names;
  v1::ListDatasetsRequest request;
  request.set_page_size(2);
  do {
    v1::ListDatasetsResponse response;
    ASSERT_THAT(Call(&Stub::ListDatasets, request, &response), IsOk());
    for (const auto& dataset : response.datasets()) {
      names.push_back(dataset.name());
      EXPECT_EQ(dataset.manifest().chunks_size(), 0);
      EXPECT_EQ(dataset.samples(), 7);
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(names, ElementsAre("datasets/a", "datasets/b", "datasets/c"));
}

TEST_F(DatasetServiceTest, SamplesAreReadBack) {
  // Sample i has the label i and the pixel 100 + i.
  v1::CreateDatasetRequest created = Request("d", 1);
  created.mutable_manifest()->clear_chunks();
  std::vector<std::string> all;
  for (const int samples : {9, 1, 7}) {
    const int first = static_cast<int>(all.size());
    std::string bytes = ChunkBytes(samples);
    for (int i = 0; i < samples; ++i) {
      bytes[static_cast<size_t>(4 * i)] = static_cast<char>(first + i);
      bytes[static_cast<size_t>(4 * samples + i)] = static_cast<char>(100 + first + i);
      all.push_back(absl::StrCat(first + i, " ", first + i, " ", 100 + first + i));
    }
    v1::DatasetManifest::Chunk& chunk = *created.mutable_manifest()->add_chunks();
    chunk.set_digest(*blobs_->Put(bytes));
    chunk.set_samples(samples);
  }
  ASSERT_THAT(Create(created), IsOk());
  const auto read = [&](const std::vector<int64_t>& samples) {
    v1::StreamSamplesRequest request;
    request.set_name("datasets/d");
    for (const int64_t sample : samples) request.add_samples(sample);
    grpc::ClientContext client;
    const auto stream = datasets_->StreamSamples(&client, request);
    std::vector<std::string> found;  // "position label byte"
    v1::StreamSamplesResponse batch;
    while (stream->Read(&batch)) {
      EXPECT_EQ(batch.pixel_type(), v1::UINT8);
      EXPECT_EQ(batch.shape().width(), 1);
      EXPECT_EQ(batch.images().size(), static_cast<size_t>(batch.samples_size()));
      for (int i = 0; i < batch.samples_size(); ++i) {
        found.push_back(absl::StrCat(batch.samples(i), " ", batch.labels(i), " ",
                                     static_cast<int>(batch.images()[static_cast<size_t>(i)])));
      }
    }
    EXPECT_TRUE(stream->Finish().ok());
    return found;
  };
  EXPECT_EQ(read({}), all);
  EXPECT_THAT(read({0, 8, 9, 10, 16}), ElementsAre(all[0], all[8], all[9], all[10], all[16]));
  EXPECT_THAT(read({15}), ElementsAre(all[15]));
}

TEST_F(DatasetServiceTest, SamplesThatAreNotThereAreRefused) {
  ASSERT_THAT(Create(Request("d", 7)), IsOk());
  const auto end = [&](const std::string& name, const std::vector<int64_t>& samples) {
    v1::StreamSamplesRequest request;
    request.set_name(name);
    for (const int64_t sample : samples) request.add_samples(sample);
    grpc::ClientContext client;
    const auto stream = datasets_->StreamSamples(&client, request);
    v1::StreamSamplesResponse batch;
    while (stream->Read(&batch)) {
    }
    return FromGrpcStatus(stream->Finish());
  };
  EXPECT_THAT(end("datasets/no", {}), HasReason(Reason::kNotFound));
  EXPECT_THAT(Fields(end("models/d", {})), ElementsAre("name"));
  EXPECT_THAT(Fields(end("datasets/d", {0, 7})), ElementsAre("samples[1]"));
  EXPECT_THAT(Fields(end("datasets/d", {-1})), ElementsAre("samples[0]"));
  EXPECT_THAT(Fields(end("datasets/d", {3, 3})), ElementsAre("samples[1]"));
  EXPECT_THAT(end("datasets/d", {6}), IsOk());
}

TEST_F(DatasetServiceTest, ADatasetIsDeletedOnceNoEvaluationNamesIt) {
  Submit("d");
  EXPECT_THAT(Delete("datasets/d"), HasReason(Reason::kInUse));
  v1::CancelEvaluationRequest cancel;
  cancel.set_name("evaluations/d");
  v1::Evaluation evaluation;
  ASSERT_THAT(Call(&v1::EvaluationService::Stub::CancelEvaluation, cancel, &evaluation), IsOk());
  EXPECT_THAT(Delete("datasets/d"), HasReason(Reason::kInUse)) << "its report needs the names";
  v1::DeleteEvaluationRequest request;
  request.set_name("evaluations/d");
  google::protobuf::Empty nothing;
  ASSERT_THAT(Call(&v1::EvaluationService::Stub::DeleteEvaluation, request, &nothing), IsOk());
  EXPECT_THAT(Delete("datasets/d"), IsOk());
  EXPECT_THAT(Get("datasets/d"), HasReason(Reason::kNotFound));
}

TEST_F(DatasetServiceTest, AStoppingServerTakesNoDatasets) {
  context().draining = true;
  const auto dataset = Create(Request("d", 7));
  EXPECT_THAT(dataset, HasReason(Reason::kShuttingDown));
  EXPECT_TRUE(HasDetail(dataset.status(), "RetryInfo"));
}

}  // namespace
}  // namespace assay::api
