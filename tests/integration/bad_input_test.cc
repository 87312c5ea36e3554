// Bad input: each a clear error that says what was wrong, nothing lost, the server alive.
#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <fstream>

#include "assay/v1/chunks.grpc.pb.h"
#include "assay/v1/evaluations.grpc.pb.h"
#include "client/data/npy_writer.h"
#include "core/base/digest.h"
#include "core/base/manifest.h"
#include "net/grpc_status.h"
#include "tests/integration/zoo_fixture.h"

namespace assay::testing {
namespace {

using ::testing::HasSubstr;

class BadInputTest : public ZooFixture {
 protected:
  void SetUp() override { StartServer(); }

  // After every test the server still does its work.
  void TearDown() override {
    GeneratedData data(16, 3, 8, 4);
    const v1::Evaluation end = Run(Spec(Upload("linear"), Upload(data), {"clean"}));
    EXPECT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  }

  absl::Status UploadFile(const std::string& path) {
    return client_->UploadModel(path, "", nullptr).status();
  }

  v1::Failure FailureOf(const std::string& model, client::DatasetReader& data,
                        const std::string& condition = "clean") {
    const v1::Evaluation end = Run(Spec(Upload(model), Upload(data), {condition}));
    EXPECT_EQ(end.state(), v1::Evaluation::FAILED);
    return end.failure();
  }

  absl::Status Create(const std::vector<std::string>& conditions) {
    GeneratedData data(16, 3, 8, 4);
    return client_->CreateEvaluation(Spec(Upload("linear"), Upload(data), conditions), "").status();
  }

  std::shared_ptr<grpc::Channel> Channel() const {
    return grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  }
};

TEST_F(BadInputTest, AFileThatIsNoModel) {
  const absl::Status random = UploadFile(ASSAY_BINARY_DIR "/tests/zoo/not_torchscript.pt");
  EXPECT_EQ(ReasonOf(random), Reason::kInvalidModel);
  EXPECT_THAT(random.message(), HasSubstr("torch.export.save"));
  const absl::Status truncated = UploadFile(ASSAY_BINARY_DIR "/tests/zoo/truncated.pt");
  EXPECT_EQ(ReasonOf(truncated), Reason::kInvalidModel);
  EXPECT_THAT(truncated.message(), HasSubstr("cut off"));
}

TEST_F(BadInputTest, ATruncatedUploadLeavesNothingAndCanBeRepeated) {
  const std::string bytes(1000, 'x');
  const auto stub = v1::ChunkService::NewStub(Channel());
  {
    grpc::ClientContext context;
    v1::UploadChunksResponse response;
    const auto writer = stub->UploadChunks(&context, &response);
    v1::UploadChunksRequest request;
    request.mutable_header()->set_digest(Sha256Hex(bytes));
    request.mutable_header()->set_size_bytes(1000);
    writer->Write(request);
    request.set_data(bytes.substr(0, 600));
    writer->Write(request);
    writer->WritesDone();
    const absl::Status status = FromGrpcStatus(writer->Finish());
    EXPECT_EQ(ReasonOf(status), Reason::kUploadIncomplete) << status;
  }
  v1::FindMissingChunksRequest find;
  find.add_digests(Sha256Hex(bytes));
  v1::FindMissingChunksResponse missing;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->FindMissingChunks(&context, find, &missing).ok());
  EXPECT_EQ(missing.missing_size(), 1);
}

TEST_F(BadInputTest, BytesThatDoNotHaveTheAnnouncedDigest) {
  const auto stub = v1::ChunkService::NewStub(Channel());
  grpc::ClientContext context;
  v1::UploadChunksResponse response;
  const auto writer = stub->UploadChunks(&context, &response);
  v1::UploadChunksRequest request;
  request.mutable_header()->set_digest(Sha256Hex("announced"));
  request.mutable_header()->set_size_bytes(4);
  writer->Write(request);
  request.set_data("sent");
  writer->Write(request);
  writer->WritesDone();
  EXPECT_EQ(ReasonOf(FromGrpcStatus(writer->Finish())), Reason::kDigestMismatch);
}

TEST_F(BadInputTest, ImagesOfAShapeThatTheModelDoesNotTake) {
  GeneratedData gray(16, 1, 8, 4);
  const v1::Failure channels = FailureOf("tiny_cnn", gray);
  EXPECT_EQ(channels.reason(), "MODEL_INPUT_MISMATCH");
  EXPECT_THAT(channels.message(), HasSubstr("expects 3 channels"));
  GeneratedData large(16, 3, 16, 4);
  EXPECT_EQ(FailureOf("linear", large).reason(), "MODEL_INPUT_MISMATCH");
}

TEST_F(BadInputTest, LabelsAboveTheModelsClasses) {
  GeneratedData data(16, 3, 8, 7);
  const v1::Failure failure = FailureOf("linear", data);
  EXPECT_EQ(failure.reason(), "LABEL_OUT_OF_RANGE");
  EXPECT_THAT(failure.message(), HasSubstr("sample 4 has label 4"));
  // Now that the model is known, the same mistake is caught at once.
  const absl::Status again =
      client_->CreateEvaluation(Spec(Upload("linear"), Upload(data), {"clean"}), "").status();
  EXPECT_EQ(ReasonOf(again), Reason::kInvalidArgument);
  EXPECT_THAT(again.message(), HasSubstr("the model has 4 classes"));
}

TEST_F(BadInputTest, ModelsThatBreakTheRules) {
  GeneratedData data(16, 3, 8, 4);
  EXPECT_EQ(FailureOf("wrong_shape", data).reason(), "MODEL_OUTPUT_INVALID");
  EXPECT_EQ(FailureOf("wrong_count", data).reason(), "MODEL_OUTPUT_INVALID");
  EXPECT_EQ(FailureOf("tuple_output", data).reason(), "MODEL_OUTPUT_INVALID");
  EXPECT_EQ(FailureOf("nan", data).reason(), "MODEL_NOT_FINITE");
  EXPECT_EQ(FailureOf("raises", data).reason(), "MODEL_FAILED");
  EXPECT_EQ(FailureOf("hungry", data).reason(), "OUT_OF_MEMORY");
  data.bright_sample = 3;
  EXPECT_THAT(FailureOf("raises_later", data).message(), HasSubstr("first pixel too bright"));
}

TEST_F(BadInputTest, AModelThatCrashesItsEngineHurtsOnlyItself) {
  GeneratedData data(16, 3, 8, 4);
  const v1::Failure failure = FailureOf("crash", data);
  EXPECT_EQ(failure.reason(), "ENGINE_LOST");
  EXPECT_THAT(failure.message(), HasSubstr("signal 11"));
}

TEST_F(BadInputTest, WhatAModelPrintsIsInItsEnginesLogAndBounded) {
  // 20 kB a pass, some 1,000 passes.
  GeneratedData data(500, 3, 8, 4);
  const v1::Evaluation end =
      Run(Spec(Upload("prints"), Upload(data), {"clean", "attack/pgd:steps=20"}));
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  const std::string path = directory_.path() + "/data/engines/engine-0.log";
  EXPECT_TRUE(Eventually([&] {
    std::ifstream log(path);
    std::string line;
    while (std::getline(log, line)) {
      if (line == std::string(99, '#')) return true;
    }
    return false;
  }));
  EXPECT_LT(std::filesystem::file_size(path), 9u << 20);
}

TEST_F(BadInputTest, NanForSomeImagesMakesThoseUndecided) {
  GeneratedData data(40, 3, 8, 4);
  data.brightest = 255;
  const v1::Evaluation end = Run(Spec(Upload("nan_some"), Upload(data), {"clean"}));
  ASSERT_EQ(end.state(), v1::Evaluation::SUCCEEDED) << end.failure().message();
  const auto report = ReportOf(end.name());
  ASSERT_TRUE(report.ok());
  const auto& clean = report->conditions(0);
  EXPECT_GT(clean.undecided(), 0);
  EXPECT_LT(clean.undecided(), 40);
  int64_t in_matrix = 0;
  for (const auto& row : clean.confusion_matrix()) {
    for (const int64_t count : row.counts()) in_matrix += count;
  }
  EXPECT_EQ(in_matrix + clean.undecided() + clean.ties(), 40);
}

TEST_F(BadInputTest, ConditionsAreRefusedWithTheNearestValidOne) {
  const std::pair<const char*, const char*> kCases[] = {
      {"atack/pgd", "attack/pgd"},
      {"attack/pgd:epsilon=8/255", "did you mean 'eps'"},
      {"corruption/contrast:severity=6", "from 0 to 5"},
      {"attack/pgd:eps=-8/255", "above 0"},
      {"smoothing/gaussian:alpha=0", "above 0"},
      {"smoothing/gaussian:n=5", "smallest n that can certify is 10"}};
  for (const auto& [condition, text] : kCases) {
    const absl::Status status = Create({condition});
    EXPECT_EQ(ReasonOf(status), Reason::kInvalidCondition) << condition;
    EXPECT_THAT(status.message(), HasSubstr(text));
  }
  EXPECT_EQ(ViolationsOf(Create({"a", "b", "clean", "c"})).size(), 3u);
  EXPECT_EQ(client_->ListEvaluations()->size(), 0u) << "nothing is stored of a refused evaluation";
}

TEST_F(BadInputTest, EveryProblemOfARequestComesAtOnce) {
  v1::EvaluationSpec spec = Spec("models/none", "datasets/none", {"nonsense"});
  spec.set_limit(-1);
  const absl::Status status = client_->CreateEvaluation(spec, "").status();
  std::vector<std::string> fields;
  for (const auto& violation : ViolationsOf(status)) fields.push_back(violation.field);
  EXPECT_THAT(fields, ::testing::ElementsAre("spec.model", "spec.dataset", "spec.limit",
                                             "spec.conditions[0]"));
}

TEST_F(BadInputTest, AnEmptyDataSet) {
  GeneratedData empty(0, 3, 8, 4);
  client::DatasetUpload upload;
  upload.stem = "empty";
  const absl::Status status = client_->UploadDataset(empty, upload, nullptr).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("at least one sample"));
}

TEST_F(BadInputTest, AClientThatVanishesInMidStreamCanComeBack) {
  GeneratedData data(40, 3, 8, 4);
  const std::string model = Upload("linear");
  const auto stub = v1::EvaluationService::NewStub(Channel());
  std::vector<int32_t> labels;
  const auto send = [&](auto& stream, int64_t index) {
    v1::EvaluateRequest request;
    labels.clear();
    request.mutable_batch()->set_index(index);
    ASSERT_TRUE(data.Read(index * 10, 10, &labels, request.mutable_batch()->mutable_images()).ok());
    request.mutable_batch()->mutable_labels()->Assign(labels.begin(), labels.end());
    stream->Write(request);
  };
  v1::EvaluateRequest start;
  start.mutable_start()->set_model(model);
  start.mutable_start()->add_conditions("clean");
  start.mutable_start()->set_seed(7);
  *start.mutable_start()->mutable_shape() = data.shape();
  start.mutable_start()->set_pixel_type(v1::UINT8);
  std::string name;
  {
    grpc::ClientContext context;
    const auto stream = stub->Evaluate(&context);
    stream->Write(start);
    v1::EvaluateResponse response;
    ASSERT_TRUE(stream->Read(&response));
    name = response.accepted().evaluation().name();
    EXPECT_EQ(response.accepted().next_batch(), 0);
    send(stream, 0);
    send(stream, 1);
    while (stream->Read(&response) && response.acknowledged().batch() < 1) {
    }
    context.TryCancel();  // gone without a word
  }
  // What arrived is being worked on, but the data is not taken for complete.
  ASSERT_TRUE(
      Eventually([&] { return client_->GetEvaluation(name)->progress().samples_done() == 20; }));
  EXPECT_EQ(client_->GetEvaluation(name)->state(), v1::Evaluation::RECEIVING);
  {
    grpc::ClientContext context;
    const auto stream = stub->Evaluate(&context);
    v1::EvaluateRequest resume;
    resume.mutable_start()->set_resume(name);
    stream->Write(resume);
    v1::EvaluateResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.accepted().next_batch(), 2);
    send(stream, 1);  // again: acknowledged again
    send(stream, 2);
    send(stream, 3);
    v1::EvaluateRequest finish;
    finish.mutable_finish()->set_batches(4);
    stream->Write(finish);
    stream->WritesDone();
    while (stream->Read(&response)) {
    }
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(response.event().evaluation().state(), v1::Evaluation::SUCCEEDED);
  }
  const v1::Evaluation whole = Run(Spec(model, Upload(data), {"clean"}));
  EXPECT_EQ(Outcomes(name), Outcomes(whole.name()));
}

TEST_F(BadInputTest, ResourcesInUseAndUnknownOnes) {
  EXPECT_EQ(ReasonOf(client_->GetModel("models/none").status()), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(client_->GetEvaluation("evaluations/none").status()), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(client_->GetModel("nonsense").status()), Reason::kInvalidArgument);
  GeneratedData data(16, 3, 8, 4);
  const std::string dataset = Upload(data);
  Run(Spec(Upload("linear"), dataset, {"clean"}));
  EXPECT_EQ(ReasonOf(client_->DeleteDataset(dataset)), Reason::kInUse);
}

// A file size limit on the server stands for a full disk: writes fail in the middle.
TEST_F(BadInputTest, AFullDiskFailsUploadsAndLosesNothing) {
  GeneratedData data(16, 3, 8, 4);
  const std::string kept = Upload(data);
  ASSERT_TRUE(server_->LimitFileSize(1 << 20));
  GeneratedData large(20000, 3, 8, 4);
  client::DatasetUpload upload;
  upload.stem = "large";
  const absl::Status status = client_->UploadDataset(large, upload, nullptr).status();
  EXPECT_EQ(ReasonOf(status), Reason::kStorageFull) << status;
  EXPECT_TRUE(client_->GetDataset(kept).ok());
  ASSERT_TRUE(server_->LimitFileSize(-1));
  EXPECT_TRUE(client_->UploadDataset(large, upload, nullptr).ok());
}

}  // namespace
}  // namespace assay::testing
