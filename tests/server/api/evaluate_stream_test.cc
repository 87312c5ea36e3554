#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/base/manifest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// One call of Evaluate. Reads what comes back as far as each question needs.
class Stream {
 public:
  explicit Stream(v1::EvaluationService::Stub& stub) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    stream_ = stub.Evaluate(&context_);
  }

  bool Start(const v1::EvaluateRequest::Start& start) {
    v1::EvaluateRequest request;
    *request.mutable_start() = start;
    return stream_->Write(request);
  }
  bool Resume(const std::string& name) {
    v1::EvaluateRequest::Start start;
    start.set_resume(name);
    return Start(start);
  }
  // `samples` one-pixel images with the labels first_label, first_label + 1, ...
  bool Batch(int64_t index, int samples, int first_label = 0, int images = -1) {
    v1::EvaluateRequest request;
    v1::EvaluateRequest::Batch& batch = *request.mutable_batch();
    batch.set_index(index);
    for (int i = 0; i < samples; ++i) batch.add_labels((first_label + i) % 10);
    batch.set_images(std::string(static_cast<size_t>(images < 0 ? samples : images), '\x7f'));
    return stream_->Write(request);
  }
  bool Finish(int64_t batches) {
    v1::EvaluateRequest request;
    request.mutable_finish()->set_batches(batches);
    return stream_->Write(request);
  }
  bool Empty() { return stream_->Write(v1::EvaluateRequest()); }
  void WritesDone() { stream_->WritesDone(); }
  void Break() { context_.TryCancel(); }

  // Waits for the acceptance.
  v1::EvaluateResponse::Accepted Accepted() {
    while (Next()) {
      if (response_.has_accepted()) return response_.accepted();
    }
    ADD_FAILURE() << "not accepted";
    return {};
  }
  // Waits for the acknowledgement of a batch.
  bool Acknowledged(int64_t batch) {
    while (acknowledged_ < batch && Next()) {
    }
    return acknowledged_ >= batch;
  }
  int64_t acknowledged() const { return acknowledged_; }
  // Reads everything that is left.
  absl::Status End() {
    while (Next()) {
    }
    return FromGrpcStatus(stream_->Finish());
  }
  // The last event that was read.
  const v1::EvaluationEvent& event() const { return event_; }

 private:
  bool Next() {
    if (!stream_->Read(&response_)) return false;
    if (response_.has_acknowledged()) {
      EXPECT_GE(response_.acknowledged().batch(), 0);
      acknowledged_ = std::max(acknowledged_, response_.acknowledged().batch());
    }
    if (response_.has_event()) event_ = response_.event();
    return true;
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::EvaluateRequest, v1::EvaluateResponse>> stream_;
  v1::EvaluateResponse response_;
  v1::EvaluationEvent event_;
  int64_t acknowledged_ = -1;
};

class EvaluateStreamTest : public ApiFixture {
 protected:
  v1::EvaluateRequest::Start StartOf(const std::string& id, const std::string& behaviour = "") {
    EXPECT_THAT(CreateModel(id, ModelFile(behaviour + " name=" + id)), IsOk());
    v1::EvaluateRequest::Start start;
    start.set_model("models/" + id);
    start.add_conditions("clean");
    start.set_seed(42);
    *start.mutable_shape() = MakeShape(1, 1, 1);
    start.set_pixel_type(v1::UINT8);
    start.set_evaluation_id(id);
    return start;
  }
  v1::Evaluation Get(const std::string& id) {
    const auto evaluation = GetEvaluation("evaluations/" + id);
    EXPECT_THAT(evaluation, IsOk());
    return evaluation.ok() ? *evaluation : v1::Evaluation();
  }
};

TEST_F(EvaluateStreamTest, BatchesBecomeADatasetAndAReport) {
  StartWorker();
  Stream stream(*evaluations());
  stream.Start(StartOf("e"));
  const auto accepted = stream.Accepted();
  EXPECT_EQ(accepted.evaluation().name(), "evaluations/e");
  EXPECT_EQ(accepted.evaluation().state(), v1::Evaluation::RECEIVING);
  EXPECT_EQ(accepted.next_batch(), 0);
  stream.Batch(0, 7);
  stream.Batch(1, 5, 7);
  EXPECT_TRUE(stream.Acknowledged(1));
  stream.Batch(2, 1, 12);
  stream.Finish(3);
  ASSERT_THAT(stream.End(), IsOk());
  EXPECT_EQ(stream.acknowledged(), 2);
  EXPECT_EQ(stream.event().evaluation().state(), v1::Evaluation::SUCCEEDED);
  ASSERT_TRUE(stream.event().has_report());
  EXPECT_TRUE(stream.event().report().complete());
  EXPECT_EQ(stream.event().report().conditions(0).samples(), 13);
  EXPECT_EQ(stream.event().report().conditions(0).accuracy().value(), 1);
  EXPECT_EQ(stream.event().report().seed(), 42);

  v1::GetDatasetRequest request;
  request.set_name(Get("e").spec().dataset());
  v1::Dataset dataset;
  ASSERT_THAT(Call(&v1::DatasetService::Stub::GetDataset, request, &dataset), IsOk());
  EXPECT_EQ(dataset.samples(), 13);
  EXPECT_EQ(dataset.digest(), ManifestDigest(dataset.manifest()));
}

TEST_F(EvaluateStreamTest, WorkBeginsBeforeTheDataIsComplete) {
  StartWorker();
  Stream stream(*evaluations());
  stream.Start(StartOf("e"));
  stream.Batch(0, 7);
  EXPECT_TRUE(stream.Acknowledged(0));
  EXPECT_TRUE(Eventually([&] { return Get("e").progress().samples_done() == 7; }));
  EXPECT_EQ(Get("e").state(), v1::Evaluation::RECEIVING);
  stream.Batch(1, 3);
  stream.Finish(2);
  ASSERT_THAT(stream.End(), IsOk());
  EXPECT_EQ(stream.event().evaluation().progress().samples_done(), 10);
}

TEST_F(EvaluateStreamTest, EqualBatchesAreTwoPartsOfTheDataset) {
  StartWorker();
  Stream stream(*evaluations());
  stream.Start(StartOf("e"));
  stream.Batch(0, 7);
  stream.Batch(1, 7);
  stream.Finish(2);
  ASSERT_THAT(stream.End(), IsOk());
  EXPECT_EQ(stream.event().report().conditions(0).samples(), 14);
}

TEST_F(EvaluateStreamTest, WithoutAStartNothingIsTaken) {
  for (int kind = 0; kind < 4; ++kind) {
    SCOPED_TRACE(kind);
    Stream stream(*evaluations());
    if (kind == 0) stream.Batch(0, 1);
    if (kind == 1) stream.Finish(0);
    if (kind == 2) stream.Empty();
    stream.WritesDone();
    EXPECT_THAT(Fields(stream.End()), ElementsAre(kind == 2 ? "payload" : "start"));
  }
}

TEST_F(EvaluateStreamTest, OnlyOneStartIsTaken) {
  Stream stream(*evaluations());
  const auto start = StartOf("e");
  stream.Start(start);
  stream.Accepted();
  stream.Start(start);
  EXPECT_THAT(Fields(stream.End()), ElementsAre("start"));
}

TEST_F(EvaluateStreamTest, EveryViolationOfTheStartIsToldAtOnce) {
  v1::EvaluateRequest::Start start;
  start.set_model("models/no");
  start.add_conditions("nonsense");
  start.set_evaluation_id("Not An Id");
  *start.mutable_shape() = MakeShape(1, 1, 1);
  Stream stream(*evaluations());
  stream.Start(start);
  EXPECT_THAT(Fields(stream.End()), UnorderedElementsAre("start.model", "start.conditions[0]",
                                                         "start.pixel_type", "evaluation_id"));
}

TEST_F(EvaluateStreamTest, BatchesMustComeInOrder) {
  Stream stream(*evaluations());
  stream.Start(StartOf("e"));
  stream.Batch(0, 3);
  EXPECT_TRUE(stream.Acknowledged(0));
  stream.Batch(2, 3);
  const absl::Status status = stream.End();
  EXPECT_THAT(Fields(status), ElementsAre("batch.index"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("number 1; got 2"));
  EXPECT_EQ(Get("e").state(), v1::Evaluation::RECEIVING) << "it can go on with batch 1";
}

TEST_F(EvaluateStreamTest, ABatchSentTwiceIsAcknowledgedAgainAndCountsOnce) {
  StartWorker();
  Stream stream(*evaluations());
  stream.Start(StartOf("e"));
  stream.Batch(0, 3);
  stream.Batch(1, 3, 3);
  EXPECT_TRUE(stream.Acknowledged(1));
  stream.Batch(0, 3);
  stream.Batch(1, 3, 3);
  stream.Finish(2);
  ASSERT_THAT(stream.End(), IsOk());
  EXPECT_EQ(stream.event().report().conditions(0).samples(), 6);
}

TEST_F(EvaluateStreamTest, ABatchSentAgainWithOtherContentIsRefused) {
  Stream stream(*evaluations());
  stream.Start(StartOf("e"));
  stream.Batch(0, 3);
  stream.Batch(0, 3, 5);
  EXPECT_THAT(stream.End(), HasReason(Reason::kInvalidArgument));
}

TEST_F(EvaluateStreamTest, BatchesThatDoNotFitAreRefused) {
  struct Case {
    int samples, images, first_label;
    Reason reason;
  };
  const Case cases[] = {{3, 2, 0, Reason::kInvalidDataset},
                        {3, 4, 0, Reason::kInvalidDataset},
                        {3, 0, 0, Reason::kInvalidDataset},
                        {0, 0, 0, Reason::kInvalidArgument},
                        {1, 1, -3, Reason::kInvalidDataset}};
  int number = 0;
  for (const Case& c : cases) {
    const std::string id = absl::StrCat("e", ++number);
    SCOPED_TRACE(id);
    Stream stream(*evaluations());
    stream.Start(StartOf(id));
    stream.Batch(0, c.samples, c.first_label, c.images);
    EXPECT_THAT(stream.End(), HasReason(c.reason));
    EXPECT_EQ(Get(id).state(), v1::Evaluation::RECEIVING);
  }
}

TEST_F(EvaluateStreamTest, LabelsThatTheModelDoesNotHaveAreRefused) {
  v1::EvaluateRequest::Start start = StartOf("e");
  v1::ModelValidation validation;
  *validation.mutable_input_shape() = MakeShape(1, 1, 1);
  validation.set_num_classes(4);
  ASSERT_THAT(store_->SetModelValidation("models/e", validation), IsOk());
  Stream stream(*evaluations());
  stream.Start(start);
  stream.Batch(0, 4);
  EXPECT_TRUE(stream.Acknowledged(0));
  stream.Batch(1, 5);
  const absl::Status status = stream.End();
  EXPECT_THAT(status, HasReason(Reason::kLabelOutOfRange));
  EXPECT_THAT(std::string(status.message()), HasSubstr("label 4"));
}

TEST_F(EvaluateStreamTest, ClassNamesMustBeAsManyAsLogitsUnlessThatIsAllowed) {
  StartWorker();
  v1::EvaluateRequest::Start start = StartOf("e");
  for (int i = 0; i < 12; ++i) start.add_class_names(absl::StrCat("c", i));
  // Nobody has looked at the model yet.
  Stream early(*evaluations());
  early.Start(start);
  early.Batch(0, 4);
  early.Finish(1);
  early.End().IgnoreError();
  ASSERT_TRUE(Eventually([&] { return Get("e").state() == v1::Evaluation::FAILED; }));
  EXPECT_EQ(Get("e").failure().reason(), "INVALID_DATASET");
  // Now its ten logits are known.
  start.set_evaluation_id("f");
  Stream late(*evaluations());
  late.Start(start);
  EXPECT_THAT(Fields(late.End()), ElementsAre("start.class_names"));
  start.set_allow_missing_classes(true);
  start.set_no_cache(true);
  Stream allowed(*evaluations());
  allowed.Start(start);
  allowed.Batch(0, 4);
  allowed.Finish(1);
  ASSERT_THAT(allowed.End(), IsOk());
  EXPECT_EQ(allowed.event().evaluation().state(), v1::Evaluation::SUCCEEDED);
  EXPECT_TRUE(allowed.event().evaluation().spec().allow_missing_classes());
  EXPECT_TRUE(allowed.event().evaluation().spec().no_cache());
  EXPECT_THAT(allowed.event().report().notes(0), HasSubstr("12 classes"));
}

TEST_F(EvaluateStreamTest, ABatchThatIsTooLargeForAChunkIsRefusedBeforeItIsStored) {
  v1::EvaluateRequest::Start start = StartOf("e");
  *start.mutable_shape() = MakeShape(1, 1024, 1024);
  Stream stream(*evaluations());
  stream.Start(start);
  stream.Accepted();
  stream.Batch(0, 64, 0, 64 << 20);  // the labels are too much
  EXPECT_THAT(stream.End(), HasReason(Reason::kTooLarge));
}

TEST_F(EvaluateStreamTest, TheCountOfTheFinishMustBeThatOfTheBatches) {
  for (const int64_t count : {0, 2, -1}) {
    const std::string id = absl::StrCat("e", count + 1);
    Stream stream(*evaluations());
    stream.Start(StartOf(id));
    stream.Batch(0, 3);
    stream.Finish(count);
    const absl::Status status = stream.End();
    EXPECT_THAT(Fields(status), ElementsAre("finish.batches"));
    EXPECT_EQ(Get(id).state(), v1::Evaluation::RECEIVING);
  }
  Stream nothing(*evaluations());
  nothing.Start(StartOf("nothing"));
  nothing.Finish(0);
  EXPECT_THAT(nothing.End(), HasReason(Reason::kInvalidDataset)) << "a dataset needs samples";
}

TEST_F(EvaluateStreamTest, AStreamThatEndsWithoutFinishStaysAndCanBeResumed) {
  StartWorker();
  {
    Stream stream(*evaluations());
    stream.Start(StartOf("e"));
    stream.Batch(0, 3);
    stream.WritesDone();
    const absl::Status status = stream.End();
    EXPECT_THAT(status, HasReason(Reason::kUploadIncomplete));
    EXPECT_THAT(std::string(status.message()), HasSubstr("evaluations/e"));
    EXPECT_EQ(stream.acknowledged(), 0);
  }
  EXPECT_EQ(Get("e").state(), v1::Evaluation::RECEIVING);
  Stream stream(*evaluations());
  stream.Resume("evaluations/e");
  EXPECT_EQ(stream.Accepted().next_batch(), 1);
  stream.Batch(1, 3, 3);
  stream.Finish(2);
  ASSERT_THAT(stream.End(), IsOk());
  EXPECT_EQ(stream.event().report().conditions(0).samples(), 6);
}

TEST_F(EvaluateStreamTest, AClientThatVanishesLeavesAnEvaluationThatCanBeResumed) {
  StartWorker();
  {
    Stream stream(*evaluations());
    stream.Start(StartOf("e"));
    stream.Batch(0, 3);
    EXPECT_TRUE(stream.Acknowledged(0));
    stream.Break();
    EXPECT_TRUE(absl::IsCancelled(stream.End()));
  }
  // What it left is worked on.
  EXPECT_TRUE(Eventually([&] { return Get("e").progress().samples_done() == 3; }));
  EXPECT_EQ(Get("e").state(), v1::Evaluation::RECEIVING);
  Stream stream(*evaluations());
  stream.Resume("evaluations/e");
  EXPECT_EQ(stream.Accepted().next_batch(), 1);
  stream.Batch(0, 3);  // a batch whose acknowledgement got lost
  stream.Batch(1, 3, 3);
  stream.Finish(2);
  ASSERT_THAT(stream.End(), IsOk());
  EXPECT_EQ(stream.event().report().conditions(0).samples(), 6);
}

TEST_F(EvaluateStreamTest, AResumedStreamWhoseDataIsCompleteOnlyWatches) {
  {
    Stream stream(*evaluations());
    stream.Start(StartOf("e"));
    stream.Batch(0, 3);
    stream.Finish(1);
    EXPECT_TRUE(stream.Acknowledged(0));
    EXPECT_TRUE(Eventually([&] { return Get("e").state() == v1::Evaluation::QUEUED; }));
    stream.Break();
    EXPECT_TRUE(absl::IsCancelled(stream.End()));
  }
  Stream stream(*evaluations());
  stream.Resume("evaluations/e");
  EXPECT_EQ(stream.Accepted().next_batch(), 1);
  StartWorker();
  ASSERT_THAT(stream.End(), IsOk());
  EXPECT_EQ(stream.event().evaluation().state(), v1::Evaluation::SUCCEEDED);
  EXPECT_TRUE(stream.event().has_report());
}

TEST_F(EvaluateStreamTest, OnlyStreamsThatExistCanBeResumed) {
  Submit("no-stream");
  Stream ordinary(*evaluations());
  ordinary.Resume("evaluations/no-stream");
  EXPECT_THAT(ordinary.End(), HasReason(Reason::kWrongState));
  Stream missing(*evaluations());
  missing.Resume("evaluations/no");
  EXPECT_THAT(missing.End(), HasReason(Reason::kNotFound));
  Stream malformed(*evaluations());
  malformed.Resume("no");
  EXPECT_THAT(Fields(malformed.End()), ElementsAre("start.resume"));
}

TEST_F(EvaluateStreamTest, AFailureWhileDataArrivesEndsTheStreamWithTheFailure) {
  StartWorker();
  Stream stream(*evaluations());
  stream.Start(StartOf("e", "run=error"));
  stream.Batch(0, 3);
  EXPECT_TRUE(stream.Acknowledged(0));
  EXPECT_TRUE(Eventually([&] { return Get("e").state() == v1::Evaluation::FAILED; }));
  // A client that does not read yet goes on sending.
  stream.Batch(1, 3);
  stream.Finish(2);
  ASSERT_THAT(stream.End(), IsOk());
  EXPECT_EQ(stream.event().evaluation().state(), v1::Evaluation::FAILED);
  EXPECT_EQ(stream.event().evaluation().failure().reason(), "MODEL_FAILED");
}

TEST_F(EvaluateStreamTest, ACancelledEvaluationEndsItsStream) {
  Stream stream(*evaluations());
  stream.Start(StartOf("e"));
  stream.Accepted();
  v1::CancelEvaluationRequest request;
  request.set_name("evaluations/e");
  v1::Evaluation evaluation;
  ASSERT_THAT(Call(&v1::EvaluationService::Stub::CancelEvaluation, request, &evaluation), IsOk());
  ASSERT_THAT(stream.End(), IsOk());
  EXPECT_EQ(stream.event().evaluation().state(), v1::Evaluation::CANCELLED);
}

TEST_F(EvaluateStreamTest, ATakenNameIsRefused) {
  Submit("e");
  v1::EvaluateRequest::Start start = StartOf("f");
  start.set_evaluation_id("e");
  Stream stream(*evaluations());
  stream.Start(start);
  EXPECT_THAT(stream.End(), HasReason(Reason::kAlreadyExists));
}

TEST_F(EvaluateStreamTest, QuotaAndShutdownRefuseNewStreams) {
  const v1::EvaluateRequest::Start start = StartOf("e");
  context().max_queued_evaluations = 0;
  Stream over(*evaluations());
  over.Start(start);
  EXPECT_THAT(over.End(), HasReason(Reason::kQuotaExceeded));
  context().max_queued_evaluations = 10;
  context().draining = true;
  Stream late(*evaluations());
  late.Start(start);
  const absl::Status status = late.End();
  EXPECT_THAT(status, HasReason(Reason::kShuttingDown));
  EXPECT_TRUE(HasDetail(status, "RetryInfo"));
}

TEST_F(EvaluateStreamTest, AStreamThatCannotBeStoredIsNotBegun) {
  const v1::EvaluateRequest::Start start = StartOf("e");
  {
    const auto hook = hooked().Install([](const std::string& method) -> absl::Status {
      if (method != "CreateStream") return absl::OkStatus();
      return Error(Reason::kStorageFull, "no room");
    });
    Stream stream(*evaluations());
    stream.Start(start);
    EXPECT_THAT(stream.End(), HasReason(Reason::kStorageFull));
    EXPECT_THAT(GetEvaluation("evaluations/e"), HasReason(Reason::kNotFound));
  }
  Stream again(*evaluations());
  again.Start(start);
  EXPECT_EQ(again.Accepted().next_batch(), 0);
}

TEST_F(EvaluateStreamTest, AFullDiskEndsTheStreamAndNothingAcknowledgedIsLost) {
  Stream stream(*evaluations());
  stream.Start(StartOf("e"));
  stream.Batch(0, 3);
  EXPECT_TRUE(stream.Acknowledged(0));
  {
    const auto hook = hooked().Install([](const std::string& method) -> absl::Status {
      if (method != "AppendStreamChunk") return absl::OkStatus();
      return Error(Reason::kStorageFull, "no room");
    });
    stream.Batch(1, 3, 3);
    EXPECT_THAT(stream.End(), HasReason(Reason::kStorageFull));
    EXPECT_EQ(stream.acknowledged(), 0);
  }
  Stream again(*evaluations());
  again.Resume("evaluations/e");
  EXPECT_EQ(again.Accepted().next_batch(), 1);
}

}  // namespace
}  // namespace assay::api
