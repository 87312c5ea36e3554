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
using ::testing::UnorderedElementsAre;
using Stub = v1::ModelService::Stub;

class ModelServiceTest : public ApiFixture {
 protected:
  // A request for content whose chunks are there.
  v1::CreateModelRequest Request(const std::string& id, const std::string& content) {
    v1::CreateModelRequest request;
    request.set_model_id(id);
    request.set_digest(Sha256Hex(content));
    for (size_t at = 0; at < content.size(); at += 100) {
      const auto digest = blobs_->Put(content.substr(at, 100));
      EXPECT_THAT(digest, IsOk());
      request.add_chunks(*digest);
    }
    return request;
  }
  absl::StatusOr<v1::Model> Get(const std::string& name) {
    v1::GetModelRequest request;
    request.set_name(name);
    v1::Model model;
    ASSAY_RETURN_IF_ERROR(Call(&Stub::GetModel, request, &model));
    return model;
  }
  absl::StatusOr<v1::Model> Load(const std::string& name, bool shape = true) {
    v1::LoadModelRequest request;
    request.set_name(name);
    if (shape) *request.mutable_input_shape() = MakeShape(1, 1, 1);
    v1::Model model;
    ASSAY_RETURN_IF_ERROR(Call(&Stub::LoadModel, request, &model));
    return model;
  }
  absl::StatusOr<v1::Model> Unload(const std::string& name) {
    v1::UnloadModelRequest request;
    request.set_name(name);
    v1::Model model;
    ASSAY_RETURN_IF_ERROR(Call(&Stub::UnloadModel, request, &model));
    return model;
  }
  absl::Status Delete(const std::string& name) {
    v1::DeleteModelRequest request;
    request.set_name(name);
    google::protobuf::Empty nothing;
    return Call(&Stub::DeleteModel, request, &nothing);
  }
};

TEST_F(ModelServiceTest, AModelIsMadeOfItsChunks) {
  const std::string content = ModelFile("");
  v1::Model model;
  ASSERT_THAT(ApiFixture::CreateModel(Request("m", content), &model), IsOk());
  EXPECT_EQ(model.name(), "models/m");
  EXPECT_EQ(model.digest(), Sha256Hex(content));
  EXPECT_EQ(model.size_bytes(), static_cast<int64_t>(content.size()));
  EXPECT_EQ(model.state(), v1::Model::UNLOADED);
  const auto read = blobs_->Read(Sha256Hex(content));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(*read, content);
  const auto got = Get("models/m");
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(got->SerializeAsString(), model.SerializeAsString());
}

TEST_F(ModelServiceTest, WithoutAnIdTheDigestNamesTheModel) {
  const std::string content = ModelFile("");
  v1::Model model;
  ASSERT_THAT(ApiFixture::CreateModel(Request("", content), &model), IsOk());
  EXPECT_EQ(model.name(), "models/" + Sha256Hex(content).substr(0, 12));
}

TEST_F(ModelServiceTest, EveryViolationIsToldAtOnce) {
  v1::CreateModelRequest request;
  request.set_model_id("Not An Id");
  request.set_digest("nonsense");
  request.add_chunks(Sha256Hex("fine"));
  request.add_chunks("bad");
  v1::Model model;
  const absl::Status status = ApiFixture::CreateModel(request, &model);
  EXPECT_THAT(status, HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(Fields(status), UnorderedElementsAre("model_id", "digest", "chunks[1]"));
  request.clear_chunks();
  EXPECT_THAT(Fields(ApiFixture::CreateModel(request, &model)),
              UnorderedElementsAre("model_id", "digest", "chunks"));
}

TEST_F(ModelServiceTest, ContentIsCheckedBeforeAnythingIsStored) {
  v1::Model model;
  v1::CreateModelRequest request = Request("m", ModelFile(""));
  request.add_chunks(Sha256Hex("never uploaded"));
  EXPECT_THAT(ApiFixture::CreateModel(request, &model), HasReason(Reason::kChunkMissing));
  request = Request("m", ModelFile(""));
  request.set_digest(Sha256Hex("something else"));
  EXPECT_THAT(ApiFixture::CreateModel(request, &model), HasReason(Reason::kDigestMismatch));
  EXPECT_THAT(ApiFixture::CreateModel(Request("m", "import torch"), &model),
              HasReason(Reason::kInvalidModel));
  EXPECT_THAT(Get("models/m"), HasReason(Reason::kNotFound));
}

TEST_F(ModelServiceTest, TheSameContentUnderTheSameNameIsTheSameModel) {
  v1::Model first, second;
  ASSERT_THAT(ApiFixture::CreateModel(Request("m", ModelFile("")), &first), IsOk());
  clock_.AdvanceSeconds(10);
  ASSERT_THAT(ApiFixture::CreateModel(Request("m", ModelFile("")), &second), IsOk());
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
  const absl::Status other = ApiFixture::CreateModel(Request("m", ModelFile("x=y")), &second);
  EXPECT_THAT(other, HasReason(Reason::kAlreadyExists));
  EXPECT_EQ(ResourceOf(other), "models/m");
}

TEST_F(ModelServiceTest, ARepeatedRequestReturnsTheFirstResult) {
  v1::CreateModelRequest request = Request("m", ModelFile(""));
  request.set_request_id("uuid");
  v1::Model first, second;
  ASSERT_THAT(ApiFixture::CreateModel(request, &first), IsOk());
  request.set_model_id("another-name");
  ASSERT_THAT(ApiFixture::CreateModel(request, &second), IsOk());
  EXPECT_EQ(second.name(), "models/m");
  EXPECT_THAT(Get("models/another-name"), HasReason(Reason::kNotFound));
}

TEST_F(ModelServiceTest, ValidateOnlyChecksEverythingAndStoresNothing) {
  v1::CreateModelRequest request = Request("m", ModelFile(""));
  request.set_validate_only(true);
  v1::Model model;
  ASSERT_THAT(ApiFixture::CreateModel(request, &model), IsOk());
  EXPECT_EQ(model.name(), "models/m");
  EXPECT_THAT(Get("models/m"), HasReason(Reason::kNotFound));
  v1::CreateModelRequest invalid = Request("m", "import torch");
  invalid.set_validate_only(true);
  EXPECT_THAT(ApiFixture::CreateModel(invalid, &model), HasReason(Reason::kInvalidModel));
  ASSERT_THAT(ApiFixture::CreateModel("m", ModelFile("")), IsOk());
  EXPECT_THAT(ApiFixture::CreateModel(request, &model), IsOk()) << "the same content";
  v1::CreateModelRequest taken = Request("m", ModelFile("x=y"));
  taken.set_validate_only(true);
  EXPECT_THAT(ApiFixture::CreateModel(taken, &model), HasReason(Reason::kAlreadyExists));
}

TEST_F(ModelServiceTest, WhatDoesNotExistIsNamed) {
  for (const absl::Status& status : {Get("models/no").status(), Load("models/no").status(),
                                     Unload("models/no").status(), Delete("models/no")}) {
    EXPECT_THAT(status, HasReason(Reason::kNotFound));
    EXPECT_EQ(ResourceOf(status), "models/no");
  }
  for (const absl::Status& status : {Get("no").status(), Load("").status(),
                                     Unload("datasets/no").status(), Delete("models/Not An Id")}) {
    EXPECT_THAT(status, HasReason(Reason::kInvalidArgument));
    EXPECT_THAT(Fields(status), ElementsAre("name"));
  }
}

TEST_F(ModelServiceTest, ModelsAreListedInPages) {
  for (const char* id : {"b", "d", "a", "c"}) {
    ASSERT_THAT(ApiFixture::CreateModel(id, ModelFile(id)), IsOk());
  }
  ASSERT_THAT(Load("models/c"), IsOk());
  std::vector<std::string> names;
  v1::ListModelsRequest request;
  request.set_page_size(3);
  int pages = 0;
  do {
    v1::ListModelsResponse response;
    ASSERT_THAT(Call(&Stub::ListModels, request, &response), IsOk());
    EXPECT_LE(response.models_size(), 3);
    for (const auto& model : response.models()) {
      names.push_back(model.name());
      EXPECT_EQ(model.state(), model.name() == "models/c" ? v1::Model::READY : v1::Model::UNLOADED);
    }
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 2);
  EXPECT_THAT(names, ElementsAre("models/a", "models/b", "models/c", "models/d"));
  request.set_page_token("nonsense");
  v1::ListModelsResponse response;
  EXPECT_THAT(Fields(Call(&Stub::ListModels, request, &response)), ElementsAre("page_token"));
}

TEST_F(ModelServiceTest, AModelIsLoadedAndUnloaded) {
  ASSERT_THAT(ApiFixture::CreateModel("m", ModelFile("")), IsOk());
  EXPECT_THAT(Fields(Load("models/m", /*shape=*/false).status()), ElementsAre("input_shape"));
  auto model = Load("models/m");
  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(model->state(), v1::Model::READY);
  EXPECT_EQ(model->validation().num_classes(), 10);
  model = Unload("models/m");
  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(model->state(), v1::Model::UNLOADED);
  model = Load("models/m", /*shape=*/false);
  ASSERT_THAT(model, IsOk()) << "the shape is known from the first time";
  EXPECT_EQ(model->state(), v1::Model::READY);
}

TEST_F(ModelServiceTest, AModelThatDoesNotLoadSaysWhyAndStaysUnavailable) {
  ASSERT_THAT(ApiFixture::CreateModel("m", ModelFile("load=nan")), IsOk());
  EXPECT_THAT(Load("models/m"), HasReason(Reason::kModelNotFinite));
  const auto model = Get("models/m");
  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(model->state(), v1::Model::UNAVAILABLE);
  EXPECT_THAT(model->state_reason(), HasSubstr("not finite"));
  ASSERT_THAT(ApiFixture::CreateModel("crashes", ModelFile("load=abort")), IsOk());
  const auto crashed = Load("models/crashes");
  EXPECT_THAT(crashed, HasReason(Reason::kEngineLost));
  EXPECT_THAT(std::string(crashed.status().message()), HasSubstr("signal 6"));
}

TEST_F(ModelServiceTest, AModelIsDeletedOnceNoUnfinishedEvaluationUsesIt) {
  Submit("m", "run=error");
  const absl::Status used = Delete("models/m");
  EXPECT_THAT(used, HasReason(Reason::kInUse));
  EXPECT_TRUE(absl::IsFailedPrecondition(used));
  StartWorker();
  ASSERT_TRUE(Ends("evaluations/m", v1::Evaluation::FAILED));
  EXPECT_THAT(Delete("models/m"), IsOk());
  EXPECT_THAT(Get("models/m"), HasReason(Reason::kNotFound));
  EXPECT_THAT(metrics_.Render(), HasSubstr("assay_models{state=\"READY\"} 0"))
      << "its engine ended";
}

TEST_F(ModelServiceTest, AStoppingServerTakesNoWorkAndStillAnswers) {
  ASSERT_THAT(ApiFixture::CreateModel("m", ModelFile("")), IsOk());
  context().draining = true;
  v1::Model model;
  for (const absl::Status& status :
       {ApiFixture::CreateModel(Request("n", ModelFile("")), &model), Load("models/m").status()}) {
    EXPECT_THAT(status, HasReason(Reason::kShuttingDown));
    EXPECT_TRUE(absl::IsUnavailable(status));
    EXPECT_TRUE(HasDetail(status, "RetryInfo"));
  }
  EXPECT_THAT(Get("models/m"), IsOk());
  EXPECT_THAT(Unload("models/m"), IsOk());
}

TEST_F(ModelServiceTest, AFailingStoreIsAnInternalErrorWithoutDetails) {
  const auto hook = hooked().Install([](const std::string& method) -> absl::Status {
    if (method != "GetModel") return absl::OkStatus();
    return Error(Reason::kStorageFailed, "cannot read /secret/place/jobs.db");
  });
  const auto model = Get("models/m");
  EXPECT_TRUE(absl::IsInternal(model.status()));
  EXPECT_THAT(model, HasReason(Reason::kStorageFailed));
  EXPECT_THAT(std::string(model.status().message()), ::testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace assay::api
