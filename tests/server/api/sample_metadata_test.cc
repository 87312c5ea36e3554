// Metadata of samples on its way from a chunk to the slices of a report.
#include "core/base/sample_metadata.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/api/dataset_commit.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Datasets = v1::DatasetService::Stub;
using Evaluations = v1::EvaluationService::Stub;

class SampleMetadataTest : public ApiFixture {
 protected:
  static MetadataTable Table(const std::string& csv) {
    const auto table = ReadMetadata(csv);
    EXPECT_TRUE(table.ok()) << table.status();
    return table.ok() ? *table : MetadataTable();
  }
  // `rows` rows: every second sample is at night.
  static MetadataTable Lighting(int rows) {
    std::string csv = "lighting\n";
    for (int i = 0; i < rows; ++i) absl::StrAppend(&csv, i % 2 == 0 ? "night\n" : "day\n");
    return Table(csv);
  }
  v1::SampleMetadata Put(const MetadataTable& table) {
    const std::string csv = MetadataCsv(table);
    EXPECT_THAT(blobs_->Put(csv), IsOk());
    return DeclareMetadata(table, csv);
  }
  // 20 samples with the labels 0 to 9.
  v1::CreateDatasetRequest Request(const std::string& id) {
    v1::CreateDatasetRequest request;
    request.set_dataset_id(id);
    v1::DatasetManifest& manifest = *request.mutable_manifest();
    *manifest.mutable_shape() = MakeShape(1, 1, 1);
    manifest.set_pixel_type(v1::UINT8);
    const auto digest = blobs_->Put(ChunkBytes(20, 0));
    EXPECT_THAT(digest, IsOk());
    manifest.add_chunks()->set_digest(*digest);
    manifest.mutable_chunks(0)->set_samples(20);
    return request;
  }
  absl::StatusOr<v1::Dataset> Create(const v1::CreateDatasetRequest& request) {
    v1::Dataset dataset;
    ASSAY_RETURN_IF_ERROR(Call(&Datasets::CreateDataset, request, &dataset));
    return dataset;
  }
  absl::StatusOr<v1::Dataset> CreateWith(const std::string& id,
                                         const v1::SampleMetadata& metadata) {
    v1::CreateDatasetRequest request = Request(id);
    *request.mutable_manifest()->mutable_metadata() = metadata;
    return Create(request);
  }
  v1::Report Report(const std::string& evaluation) {
    v1::GetReportRequest request;
    request.set_name(evaluation);
    v1::Report report;
    EXPECT_THAT(Call(&Evaluations::GetReport, request, &report), IsOk());
    return report;
  }
  static std::vector<std::string> Names(const v1::Report& report) {
    std::vector<std::string> names;
    for (const v1::SliceColumn& column : report.conditions(0).slices()) {
      names.push_back(column.name());
    }
    return names;
  }
  void Evaluate(const std::string& id, const std::string& dataset, int64_t limit = 0) {
    v1::CreateEvaluationRequest request;
    request.set_evaluation_id(id);
    request.mutable_spec()->set_model("models/half");
    request.mutable_spec()->set_dataset("datasets/" + dataset);
    request.mutable_spec()->add_conditions("clean");
    request.mutable_spec()->set_limit(limit);
    v1::Evaluation evaluation;
    ASSERT_THAT(Call(&Evaluations::CreateEvaluation, request, &evaluation), IsOk());
    ASSERT_TRUE(Ends(evaluation.name(), v1::Evaluation::SUCCEEDED));
  }
};

TEST_F(SampleMetadataTest, ReportsHaveSlicesByIt) {
  StartWorker();
  ASSERT_THAT(CreateModel("half", ModelFile("wrong=2 name=half")), IsOk());
  ASSERT_THAT(CreateWith("d", Put(Lighting(20))), IsOk());
  ASSERT_NO_FATAL_FAILURE(Evaluate("e", "d"));
  const v1::Report report = Report("evaluations/e");
  ASSERT_THAT(Names(report), ElementsAre("lighting", "brightness", "contrast", "confidence"));
  const v1::SliceColumn& lighting = report.conditions(0).slices(0);
  EXPECT_FALSE(lighting.built_in());
  ASSERT_EQ(lighting.slices_size(), 2);
  // The model is wrong on every second sample, from the first.
  EXPECT_EQ(lighting.slices(0).value(), "night");
  EXPECT_EQ(lighting.slices(0).samples(), 10);
  EXPECT_EQ(lighting.slices(0).correct(), 0);
  EXPECT_EQ(lighting.slices(1).correct(), 10);
  // scipy 1.17: fisher_exact([[0, 10], [10, 0]]), and twice that by Holm's correction at least.
  EXPECT_GE(lighting.slices(0).adjusted_p_value(), 2 * 1.0825088224469026e-05 * (1 - 1e-9));
  EXPECT_LT(lighting.slices(0).adjusted_p_value(), 1e-3);
  EXPECT_TRUE(report.conditions(0).slices(1).built_in());
  EXPECT_GT(report.conditions(0).slices(1).slices_size(), 0);
  // The same again: it is a function of what is stored.
  context().reports.Forget("evaluations/e");
  EXPECT_EQ(Report("evaluations/e").SerializeAsString(), report.SerializeAsString());

  ASSERT_NO_FATAL_FAILURE(Evaluate("first", "d", 11));
  const v1::SliceColumn limited = Report("evaluations/first").conditions(0).slices(0);
  // All too few to be ranked, and so in the order of their values.
  EXPECT_EQ(limited.slices(0).value(), "day");
  EXPECT_EQ(limited.slices(0).samples(), 5);
  EXPECT_EQ(limited.slices(1).samples(), 6);
  EXPECT_TRUE(limited.slices(0).few());
}

TEST_F(SampleMetadataTest, ADatasetKeepsItsChunk) {
  const v1::SampleMetadata metadata = Put(Lighting(20));
  const auto dataset = CreateWith("d", metadata);
  ASSERT_THAT(dataset, IsOk());
  EXPECT_EQ(dataset->size_bytes(), 20 * 5 + metadata.size_bytes());
  EXPECT_THAT(*context().catalog.BlobsInUse(), Contains(metadata.digest()));
  EXPECT_THAT(Create(Request("plain")), IsOk());
  v1::GetDatasetRequest get;
  get.set_name("datasets/d");
  v1::Dataset again;
  ASSERT_THAT(Call(&Datasets::GetDataset, get, &again), IsOk());
  EXPECT_EQ(again.manifest().metadata().SerializeAsString(), metadata.SerializeAsString());
  v1::DeleteDatasetRequest remove;
  remove.set_name("datasets/d");
  google::protobuf::Empty nothing;
  ASSERT_THAT(Call(&Datasets::DeleteDataset, remove, &nothing), IsOk());
  EXPECT_THAT(*context().catalog.BlobsInUse(), Not(Contains(metadata.digest())));
}

TEST_F(SampleMetadataTest, WhatDoesNotFitIsRefused) {
  const auto refused = [&](const v1::SampleMetadata& metadata) {
    const auto dataset = CreateWith("d", metadata);
    EXPECT_FALSE(dataset.ok());
    return std::string(dataset.status().message());
  };
  EXPECT_THAT(refused(Put(Lighting(19))), HasSubstr("has 19 rows, but there are 20 samples"));
  v1::SampleMetadata metadata = Put(Lighting(20));
  metadata.mutable_columns(0)->set_numeric(true);
  EXPECT_THAT(refused(metadata), HasSubstr("'night' is no number"));
  metadata = Put(Lighting(20));
  metadata.mutable_columns(0)->set_name("dark");
  EXPECT_THAT(refused(metadata), HasSubstr("not what was declared"));
  metadata = Put(Lighting(20));
  metadata.set_size_bytes(metadata.size_bytes() + 1);
  EXPECT_THAT(refused(metadata), HasSubstr("bytes; declared are"));
  metadata = Put(Lighting(20));
  metadata.set_digest(std::string(64, '0'));
  EXPECT_THAT(CreateWith("d", metadata), HasReason(Reason::kChunkMissing));
  metadata.set_digest("x");
  EXPECT_THAT(Fields(CreateWith("d", metadata).status()), ElementsAre("manifest.metadata.digest"));
  metadata = Put(Lighting(20));
  metadata.mutable_columns(0)->set_name("confidence");
  EXPECT_THAT(Fields(CreateWith("d", metadata).status()),
              ElementsAre("manifest.metadata.columns[0].name"));
}

TEST_F(SampleMetadataTest, TheSameSamplesCanBeComparedWhateverIsKnownOfThem) {
  StartWorker();
  ASSERT_THAT(CreateModel("half", ModelFile("wrong=2 name=half")), IsOk());
  const auto with = CreateWith("with", Put(Lighting(20)));
  const auto without = Create(Request("without"));
  ASSERT_THAT(with, IsOk());
  ASSERT_THAT(without, IsOk());
  EXPECT_NE(with->digest(), without->digest());
  ASSERT_NO_FATAL_FAILURE(Evaluate("a", "with"));
  ASSERT_NO_FATAL_FAILURE(Evaluate("b", "without"));
  v1::CompareEvaluationsRequest request;
  request.add_names("evaluations/a");
  request.add_names("evaluations/b");
  v1::Comparison comparison;
  EXPECT_THAT(Call(&Evaluations::CompareEvaluations, request, &comparison), IsOk());
}

TEST_F(SampleMetadataTest, AStreamHasIt) {
  StartWorker();
  ASSERT_THAT(CreateModel("half", ModelFile("wrong=2 name=half")), IsOk());
  const v1::SampleMetadata metadata = Put(Lighting(20));
  const auto stream = [&](const std::string& id, const v1::SampleMetadata& declared, int samples) {
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    const auto both = evaluations()->Evaluate(&call);
    v1::EvaluateRequest request;
    v1::EvaluateRequest::Start& start = *request.mutable_start();
    start.set_model("models/half");
    start.add_conditions("clean");
    *start.mutable_shape() = MakeShape(1, 1, 1);
    start.set_pixel_type(v1::UINT8);
    start.set_evaluation_id(id);
    *start.mutable_metadata() = declared;
    both->Write(request);
    v1::EvaluateRequest::Batch& batch = *request.mutable_batch();
    batch.set_index(0);
    for (int i = 0; i < samples; ++i) batch.add_labels(i % 10);
    batch.set_images(std::string(static_cast<size_t>(samples), '\x7f'));
    both->Write(request);
    request.mutable_finish()->set_batches(1);
    both->Write(request);
    v1::EvaluateResponse response;
    while (both->Read(&response)) {
    }
    return FromGrpcStatus(both->Finish());
  };
  ASSERT_THAT(stream("s", metadata, 20), IsOk());
  const v1::Report report = Report("evaluations/s");
  ASSERT_THAT(Names(report), ElementsAre("lighting", "brightness", "contrast", "confidence"));
  EXPECT_EQ(report.conditions(0).slices(0).slices(0).samples(), 10);
  // All images are the same.
  EXPECT_EQ(report.conditions(0).slices(1).slices_size(), 1);
  EXPECT_THAT(*context().catalog.BlobsInUse(), Contains(metadata.digest()));

  const absl::Status shorter = stream("shorter", metadata, 19);
  EXPECT_THAT(shorter, HasReason(Reason::kInvalidDataset));
  EXPECT_THAT(std::string(shorter.message()), HasSubstr("has 20 rows, but there are 19 samples"));
  v1::SampleMetadata missing = metadata;
  missing.set_digest(std::string(64, '0'));
  EXPECT_THAT(stream("missing", missing, 20), HasReason(Reason::kChunkMissing));
  missing.set_digest("x");
  EXPECT_THAT(Fields(stream("bad", missing, 20)), ElementsAre("start.metadata.digest"));
}

}  // namespace
}  // namespace assay::api
