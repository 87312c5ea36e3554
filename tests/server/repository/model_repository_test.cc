#include "server/repository/model_repository.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "tests/server/repository/repository_fixture.h"

namespace assay::repository {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Item = v1::SyncModelRepositoryResponse::Item;

class ModelRepositoryTest : public RepositoryFixture {};

constexpr char kGates[] =
    "data: datasets/d\ncondition: clean\nrequire:\n  - accuracy(clean) >= 50%\n"
    "  - accuracy(clean) >= baseline - 10%\nbaseline: previous\n";

TEST_F(ModelRepositoryTest, FilesBecomeModels) {
  Start();
  PutModel("resnet/3");
  const auto found = Look();
  EXPECT_EQ(found.found(), 1);
  EXPECT_EQ(found.created(), 1);
  const auto model = store_->GetModel("models/resnet-v3");
  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(model->labels().at("repository"), "resnet");
  EXPECT_EQ(model->labels().at("version"), "3");
  EXPECT_EQ(Version("resnet", 3).state(), v1::Model::UNLOADED);
  // The stored copy stays whatever becomes of the file.
  fs::remove_all(File("resnet"));
  EXPECT_TRUE(*blobs_->Has(model->digest()));
  EXPECT_EQ(Look().removed(), 1);
  EXPECT_TRUE(Version("resnet", 3).removed());
  EXPECT_EQ(Look().removed(), 0);
  PutModel("resnet/3");
  EXPECT_EQ(Look().created(), 0);
  EXPECT_FALSE(Version("resnet", 3).removed());
}

TEST_F(ModelRepositoryTest, ABrokenFileStopsNoOther) {
  Start();
  Put("broken/1/model.pt", "<html>not found</html>");
  PutModel("resnet/1");
  const auto found = Look();
  EXPECT_EQ(found.created(), 1);
  EXPECT_EQ(found.failed(), 1);
  const auto broken = Version("broken", 1);
  EXPECT_EQ(broken.state(), v1::Model::UNAVAILABLE);
  EXPECT_THAT(broken.state_reason(), HasSubstr("not a model that can be loaded"));
  EXPECT_THAT(broken.name(), IsEmpty());
  EXPECT_TRUE(Shows("assay_repository_errors{kind=\"file\"} 1"));
  EXPECT_TRUE(Shows("assay_repository_versions{state=\"stored\"} 1"));
  // A better file takes its place.
  PutModel("broken/1");
  EXPECT_EQ(Look().created(), 1);
  EXPECT_EQ(Version("broken", 1).state(), v1::Model::UNLOADED);
  EXPECT_TRUE(Shows("assay_repository_errors{kind=\"file\"} 0"));
}

TEST_F(ModelRepositoryTest, AVersionIsOneContent) {
  Start();
  PutModel("resnet/1");
  Look();
  const std::string digest = Version("resnet", 1).digest();
  PutModel("resnet/1", /*wrong=*/2);
  for (int i = 0; i < 2; ++i) {
    const auto found = Look();
    EXPECT_EQ(found.changed(), 1);
    EXPECT_EQ(found.items(0).outcome(), Item::CHANGED);
    EXPECT_THAT(found.items(0).reason(), HasSubstr("copy it as the next version"));
  }
  EXPECT_EQ(Version("resnet", 1).digest(), digest);
  EXPECT_EQ(Version("resnet", 1).state(), v1::Model::UNAVAILABLE);
  // As the reason says.
  ASSERT_THAT(store_->DeleteModel("models/resnet-v1"), IsOk());
  EXPECT_EQ(Look().created(), 1);
  EXPECT_NE(Version("resnet", 1).digest(), digest);
}

TEST_F(ModelRepositoryTest, OptionsAreAPartOfTheModel) {
  Start();
  PutModel("plain/1");
  Put("bgr/assay.yaml", "channels: bgr\n");
  Put("bgr/1/model.pt", api::ModelFile("wrong=0 name=plain/1"));
  EXPECT_EQ(Look().created(), 2);
  EXPECT_NE(Version("plain", 1).digest(), Version("bgr", 1).digest());
  // Versions keep what they were stored with.
  Put("bgr/assay.yaml", "channels: rgb\n");
  EXPECT_EQ(Look().changed(), 1);
  EXPECT_EQ(Version("bgr", 1).state(), v1::Model::UNLOADED);
  EXPECT_THAT(Version("bgr", 1).state_reason(), HasSubstr("keeps the options"));
  Put("bgr/assay.yaml", "channels: gbr\n");
  Put("bgr/2/model.pt", api::ModelFile("wrong=0 name=plain/1"));
  EXPECT_EQ(Look().failed(), 1);
  EXPECT_THAT(Version("bgr", 2).state_reason(), HasSubstr("'channels' must be rgb or bgr"));
}

TEST_F(ModelRepositoryTest, AnUploadedModelIsNotReplaced) {
  ASSERT_THAT(CreateModel("resnet-v1", api::ModelFile("name=other")), IsOk());
  Start();
  PutModel("resnet/1");
  EXPECT_EQ(Look().failed(), 1);
  v1::ListRepositoryModelsRequest request;
  const auto listed = repository_->List(request);
  ASSERT_THAT(listed, IsOk());
  EXPECT_THAT(listed->versions(0).state_reason(),
              HasSubstr("has been uploaded with other content"));
  ASSERT_THAT(store_->DeleteModel("models/resnet-v1"), IsOk());
  EXPECT_EQ(Look().created(), 1);
}

TEST_F(ModelRepositoryTest, NewVersionsAreEvaluatedAndThoseOfTheFirstLookAreNot) {
  ASSERT_THAT(CreateDataset("d", {20}), IsOk());
  PutModel("resnet/1");
  Start(kTrigger);
  Look();
  EXPECT_EQ(CountEvaluations(), 0u);
  EXPECT_THAT(Version("resnet", 1).evaluation_reason(), HasSubstr("--evaluate-existing"));
  PutModel("resnet/2");
  Look();
  EXPECT_EQ(CountEvaluations(), 1u);
  EXPECT_THAT(Version("resnet", 2).evaluation(), HasSubstr("evaluations/resnet-v2-"));
  // Not again, after a restart neither, which is no first look any more.
  Look();
  Start(kTrigger);
  PutModel("resnet/3");
  Look();
  EXPECT_EQ(CountEvaluations(), 2u);
  // Another file is for new versions, unless it is said to be for all.
  const std::string other = absl::StrCat(kTrigger, "seed: 1\n");
  Start(other);
  Look();
  EXPECT_EQ(CountEvaluations(), 2u);
  Start(other, /*evaluate_existing=*/true);
  Look();
  Look();
  EXPECT_EQ(CountEvaluations(), 5u);
}

TEST_F(ModelRepositoryTest, ACrashBetweenEvaluationAndItsMarkStartsNoSecondOne) {
  ASSERT_THAT(CreateDataset("d", {20}), IsOk());
  Start(kTrigger);
  Look();
  PutModel("resnet/1");
  {
    const auto hook = hooked().Install([](const std::string& method) -> absl::Status {
      if (method == "SetModelLabels") return Error(Reason::kStorageFailed, "power failure");
      return absl::OkStatus();
    });
    Look();
  }
  EXPECT_EQ(CountEvaluations(), 1u);
  Start(kTrigger);
  Look();
  EXPECT_EQ(CountEvaluations(), 1u);
}

TEST_F(ModelRepositoryTest, AnEvaluationThatWasDeletedIsNotStartedAgain) {
  ASSERT_THAT(CreateDataset("d", {20}), IsOk());
  Start(kTrigger);
  Look();
  PutModel("resnet/1");
  Look();
  const std::string name = Version("resnet", 1).evaluation();
  ASSERT_THAT(store_->CancelEvaluation(name), IsOk());
  ASSERT_THAT(store_->DeleteEvaluation(name), IsOk());
  Look();
  EXPECT_EQ(CountEvaluations(), 0u);
}

TEST_F(ModelRepositoryTest, WhatCannotBeEvaluatedIsTriedAgain) {
  Start(kTrigger);
  EXPECT_THAT(repository_->CheckTrigger(), HasReason(Reason::kNotFound));
  Look();
  PutModel("resnet/1");
  Look();
  EXPECT_THAT(Version("resnet", 1).evaluation_reason(), HasSubstr("datasets/d"));
  EXPECT_TRUE(Shows("assay_repository_errors{kind=\"evaluation\"} 1"));
  ASSERT_THAT(CreateDataset("d", {20}), IsOk());
  EXPECT_THAT(repository_->CheckTrigger(), IsOk());
  // Another server, which finds the version as it was left.
  Start(kTrigger);
  Look();
  EXPECT_EQ(CountEvaluations(), 1u);
  EXPECT_TRUE(Shows("assay_repository_errors{kind=\"evaluation\"} 0"));
}

TEST_F(ModelRepositoryTest, OtherClassesThanTritonsAreNotEvaluated) {
  AddDataset("d", {20}, /*class_names=*/10);
  Start(kTrigger);
  Look();
  Put("resnet/config.pbtxt", "output { name: \"y\" label_filename: \"labels.txt\" }");
  Put("resnet/labels.txt", "c0\nc1\nc3\nc2\nc4\nc5\nc6\nc7\nc8\nc9\n");
  PutModel("resnet/1");
  Look();
  EXPECT_EQ(CountEvaluations(), 0u);
  EXPECT_THAT(Version("resnet", 1).evaluation_reason(), HasSubstr("class 2 is 'c3'"));
  Put("resnet/labels.txt", "c0\nc1\nc2\nc3\nc4\nc5\nc6\nc7\nc8\nc9\n");
  Look();
  EXPECT_EQ(CountEvaluations(), 1u);
}

TEST_F(ModelRepositoryTest, GatesAreJudgedAgainstTheVersionBefore) {
  ASSERT_THAT(CreateDataset("d", {100, 100}), IsOk());
  Start(kGates);
  Look();
  StartWorker();
  PutModel("resnet/1");
  Look();
  const auto first = Judged("resnet", 1);
  // There is nothing to compare with.
  EXPECT_EQ(first.verdict(), "undecided");
  ASSERT_THAT(first.gates(), SizeIs(2));
  EXPECT_EQ(first.gates(0).verdict(), "passed");
  EXPECT_THAT(first.gates(1).text(), HasSubstr("no earlier version"));
  EXPECT_TRUE(
      Shows("assay_gate_undecided{model=\"resnet-v1\",dataset=\"d\",gate=\"accuracy(clean)"
            " >= baseline - 10%\"} 1"));

  PutModel("resnet/2");
  Look();
  EXPECT_EQ(Judged("resnet", 2).verdict(), "passed");
  EXPECT_EQ(Judged("resnet", 2).baseline(), first.evaluation());

  PutModel("resnet/3", /*wrong=*/3);
  Look();
  const auto third = Judged("resnet", 3);
  EXPECT_EQ(third.verdict(), "failed");
  EXPECT_EQ(third.gates(0).verdict(), "passed");
  EXPECT_EQ(third.gates(1).verdict(), "failed");
  EXPECT_THAT(third.gates(1).text(), HasSubstr("paired on 200 samples"));
  ASSERT_THAT(third.accuracies(), SizeIs(1));
  EXPECT_NEAR(third.accuracies(0).accuracy().value(), 2.0 / 3, 0.01);
  const std::string gauge =
      "assay_gate_passed{model=\"resnet-v3\",dataset=\"d\",gate=\"accuracy(clean) >= baseline - "
      "10%\"} 0";
  EXPECT_TRUE(Shows(gauge));
  EXPECT_EQ(store_->GetModel("models/resnet-v3")->labels().at("gates"), "failed");

  // A restart judges the same, also when the baseline is gone.
  const std::string baseline = third.baseline();
  ASSERT_THAT(store_->DeleteEvaluation(baseline), IsOk());
  Start(kGates);
  Look();
  EXPECT_EQ(Judged("resnet", 3).gates(1).verdict(), "failed");
  EXPECT_THAT(Judged("resnet", 3).gates(1).text(), HasSubstr("has been deleted"));

  v1::DeleteEvaluationRequest request;
  request.set_name(third.evaluation());
  google::protobuf::Empty nothing;
  ASSERT_THAT(Call(&v1::EvaluationService::Stub::DeleteEvaluation, request, &nothing), IsOk());
  EXPECT_FALSE(Shows(gauge));
}

TEST_F(ModelRepositoryTest, AFailedEvaluationIsNoBaseline) {
  ASSERT_THAT(CreateDataset("d", {100}), IsOk());
  Start(kGates);
  Look();
  StartWorker();
  PutModel("resnet/1");
  Look();
  const std::string first = Judged("resnet", 1).evaluation();
  Put("resnet/2/model.pt", api::ModelFile("run=error name=bad"));
  Look();
  EXPECT_TRUE(api::Eventually(
      [&] { return Version("resnet", 2).evaluation_state() == v1::Evaluation::FAILED; }));
  EXPECT_THAT(Version("resnet", 2).evaluation_reason(), Not(IsEmpty()));
  PutModel("resnet/3");
  Look();
  EXPECT_EQ(Judged("resnet", 3).baseline(), first);
}

TEST_F(ModelRepositoryTest, ADirectoryThatIsGoneRemovesNothing) {
  Start();
  PutModel("resnet/1");
  Look();
  fs::rename(directory_.File("models"), directory_.File("elsewhere"));
  EXPECT_FALSE(repository_->Look().ok());
  EXPECT_TRUE(Shows("assay_repository_errors{kind=\"directory\"} 1"));
  EXPECT_FALSE(Version("resnet", 1).removed());
  fs::rename(directory_.File("elsewhere"), directory_.File("models"));
  EXPECT_EQ(Look().found(), 1);
  EXPECT_TRUE(Shows("assay_repository_errors{kind=\"directory\"} 0"));
}

TEST_F(ModelRepositoryTest, ListsComeInPages) {
  Start();
  for (const char* version : {"a/1", "a/2", "b/1"}) PutModel(version);
  Look();
  v1::ListRepositoryModelsRequest request;
  request.set_page_size(2);
  auto page = repository_->List(request);
  ASSERT_THAT(page, IsOk());
  ASSERT_THAT(page->versions(), SizeIs(2));
  request.set_page_token(page->next_page_token());
  page = repository_->List(request);
  ASSERT_THAT(page, IsOk());
  ASSERT_THAT(page->versions(), SizeIs(1));
  EXPECT_EQ(page->versions(0).model(), "b");
  EXPECT_THAT(page->next_page_token(), IsEmpty());
  request.set_model("c");
  request.clear_page_token();
  EXPECT_THAT(repository_->List(request), HasReason(Reason::kNotFound));
}

}  // namespace
}  // namespace assay::repository
