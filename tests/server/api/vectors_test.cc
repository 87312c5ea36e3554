// Kept vectors from a task's events to their readers: the table of a comparison, and StreamVectors.
#include "server/api/vectors.h"

#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/api/api_fixture.h"

namespace assay::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Stub = v1::EvaluationService::Stub;

// 20 samples in tasks of 7. The fake engine keeps (1/4, 3/4) and (1/3 + sample, -2, 1), of every
// sample but number 3 of each 5.
class VectorsTest : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    ASSERT_THAT(CreateDataset("d", {12, 8}), IsOk());
  }

  v1::Evaluation Evaluate(const std::string& id, bool probabilities, const std::string& features,
                          const std::string& behaviour = "") {
    EXPECT_THAT(CreateModel(id, ModelFile(behaviour + " name=" + id)), IsOk());
    v1::CreateEvaluationRequest request;
    request.set_evaluation_id(id);
    v1::EvaluationSpec& spec = *request.mutable_spec();
    spec.set_model("models/" + id);
    spec.set_dataset("datasets/d");
    spec.add_conditions("clean");
    spec.add_conditions("corruption/fog:severity=1");
    spec.set_task_samples(7);
    spec.set_keep_probabilities(probabilities);
    spec.set_keep_features(features);
    v1::Evaluation evaluation;
    EXPECT_THAT(Call(&Stub::CreateEvaluation, request, &evaluation), IsOk());
    return evaluation;
  }

  absl::Status Stream(const std::string& id, v1::VectorKind kind,
                      std::vector<v1::StreamVectorsResponse>* all,
                      const std::vector<std::string>& conditions = {}) {
    v1::StreamVectorsRequest request;
    request.set_name("evaluations/" + id);
    request.set_kind(kind);
    for (const std::string& condition : conditions) request.add_conditions(condition);
    grpc::ClientContext client;
    client.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    const auto reader = evaluations()->StreamVectors(&client, request);
    v1::StreamVectorsResponse response;
    while (reader->Read(&response)) all->push_back(response);
    return FromGrpcStatus(reader->Finish());
  }

  absl::StatusOr<std::optional<report::Vectors>> Read(const std::string& id, int condition,
                                                      v1::VectorKind kind,
                                                      const report::WantedVectors& wanted = {}) {
    return ReadVectors(context().evaluations, context().blobs, "evaluations/" + id, condition, kind,
                       wanted);
  }
};

TEST_F(VectorsTest, ATableHasWhatTheEngineKeptOfAllTasks) {
  StartWorker();
  ASSERT_TRUE(Ends(Evaluate("e", true, "fc").name(), v1::Evaluation::SUCCEEDED));
  for (const int condition : {0, 1}) {
    const auto probabilities = Read("e", condition, v1::PROBABILITIES);
    ASSERT_THAT(probabilities, IsOk());
    ASSERT_TRUE(probabilities->has_value());
    EXPECT_THAT((*probabilities)->samples,
                ElementsAre(0, 1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17, 19));
    EXPECT_EQ((*probabilities)->size, 2);
    ASSERT_THAT((*probabilities)->values, SizeIs(32));
    EXPECT_EQ((*probabilities)->values[30], 0.25F);
    EXPECT_EQ((*probabilities)->values[31], 0.75F);
    const auto features = Read("e", condition, v1::FEATURES);
    ASSERT_THAT(features, IsOk());
    ASSERT_TRUE(features->has_value());
    EXPECT_EQ((*features)->samples, (*probabilities)->samples);
    ASSERT_THAT((*features)->values, SizeIs(48));
    for (size_t i = 0; i < 16; ++i) {
      const float expected = 1.0F / 3 + static_cast<float>((*features)->samples[i]);
      EXPECT_NEAR((*features)->values[3 * i], expected, expected / 2048);
      EXPECT_EQ((*features)->values[3 * i + 1], -2);
    }
  }
  // Only what is wanted.
  const auto all = Read("e", 0, v1::FEATURES);
  const auto samples = Read("e", 0, v1::FEATURES, {std::nullopt, /*values=*/false});
  ASSERT_THAT(samples, IsOk());
  EXPECT_EQ((*samples)->samples, (*all)->samples);
  EXPECT_EQ((*samples)->size, 3);
  EXPECT_THAT((*samples)->values, IsEmpty());
  const auto two = Read("e", 0, v1::FEATURES, {{{1, 3, 17}}});
  ASSERT_THAT(two, IsOk());
  EXPECT_THAT((*two)->samples, ElementsAre(1, 17));
  const std::vector<float>& values = (*all)->values;
  EXPECT_THAT((*two)->values,
              ElementsAre(values[3], values[4], values[5], values[42], values[43], values[44]));
  EXPECT_THAT(Read("nobody", 0, v1::FEATURES), HasReason(Reason::kNotFound));
}

TEST_F(VectorsTest, NothingIsThereOfWhatWasNotAskedFor) {
  StartWorker();
  ASSERT_TRUE(Ends(Evaluate("e", false, "fc").name(), v1::Evaluation::SUCCEEDED));
  const auto probabilities = Read("e", 0, v1::PROBABILITIES);
  ASSERT_THAT(probabilities, IsOk());
  EXPECT_FALSE(probabilities->has_value());
  std::vector<v1::StreamVectorsResponse> all;
  const absl::Status refused = Stream("e", v1::PROBABILITIES, &all);
  EXPECT_THAT(refused, HasReason(Reason::kWrongState));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("keep_probabilities"));
}

TEST_F(VectorsTest, TheStreamHasTheTableConditionByCondition) {
  StartWorker();
  // Out of what a half holds: every bit is kept.
  ASSERT_TRUE(Ends(Evaluate("e", true, "fc", "run=large").name(), v1::Evaluation::SUCCEEDED));
  std::vector<v1::StreamVectorsResponse> all;
  ASSERT_THAT(Stream("e", v1::FEATURES, &all), IsOk());
  std::map<std::string, std::vector<float>> values;
  std::map<std::string, std::vector<int64_t>> samples;
  for (const v1::StreamVectorsResponse& response : all) {
    EXPECT_EQ(response.size(), 3);
    ASSERT_EQ(response.values().size(), static_cast<size_t>(response.samples_size()) * 12);
    std::vector<float> part(response.values().size() / 4);
    std::memcpy(part.data(), response.values().data(), response.values().size());
    auto& own = values[response.condition()];
    own.insert(own.end(), part.begin(), part.end());
    auto& positions = samples[response.condition()];
    positions.insert(positions.end(), response.samples().begin(), response.samples().end());
  }
  ASSERT_THAT(values, SizeIs(2));
  const auto table = Read("e", 0, v1::FEATURES);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(values["clean"], (*table)->values);
  EXPECT_EQ(samples["clean"], (*table)->samples);
  EXPECT_EQ(values["clean"][0], 1.0F / 3);
  EXPECT_EQ(values["clean"][2], 1e6F);
  all.clear();
  ASSERT_THAT(Stream("e", v1::FEATURES, &all, {"clean"}), IsOk());
  for (const auto& response : all) EXPECT_EQ(response.condition(), "clean");
  EXPECT_THAT(Fields(Stream("e", v1::FEATURES, &all, {"fog"})), ElementsAre("conditions"));
  EXPECT_THAT(Fields(Stream("e", v1::VECTOR_KIND_UNSPECIFIED, &all)), ElementsAre("kind"));
}

TEST_F(VectorsTest, ALayerThatTheModelIsKnownNotToHaveIsRefusedBeforeAnyWork) {
  ASSERT_THAT(CreateModel("m", ModelFile("name=m")), IsOk());
  v1::ModelValidation validation;
  validation.set_num_classes(10);
  *validation.mutable_input_shape() = MakeShape(1, 1, 1);
  for (const char* name : {"penultimate", "conv", "fc"}) {
    validation.mutable_details()->add_layers()->set_name(name);
  }
  ASSERT_THAT(context().catalog.SetModelValidation("models/m", validation), IsOk());
  v1::CreateEvaluationRequest request;
  request.mutable_spec()->set_model("models/m");
  request.mutable_spec()->set_dataset("datasets/d");
  request.mutable_spec()->add_conditions("clean");
  request.mutable_spec()->set_keep_features("fcc");
  v1::Evaluation evaluation;
  const absl::Status refused = Call(&Stub::CreateEvaluation, request, &evaluation);
  EXPECT_THAT(Fields(refused), ElementsAre("spec.keep_features"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("did you mean 'fc'? It has penultimate"));
  request.mutable_spec()->set_keep_features("fc");
  EXPECT_THAT(Call(&Stub::CreateEvaluation, request, &evaluation), IsOk());
}

}  // namespace
}  // namespace assay::api
