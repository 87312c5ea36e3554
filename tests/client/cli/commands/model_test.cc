// `assay model ...`.
#include <string>

#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class ModelTest : public ProgramTest {
 protected:
  ModelTest() { state()->models["models/x"].set_name("models/x"); }
};

TEST_F(ModelTest, ListsAreAvailableInEveryFormat) {
  state()->models["models/m"].set_name("models/m");
  state()->models["models/m"].set_state(v1::Model::READY);
  EXPECT_THAT(Run({"model", "list"}).out, HasSubstr("models/m  READY"));
  EXPECT_EQ(nlohmann::json::parse(Run({"model", "list", "-o", "json"}).out)[0]["state"], "READY");
  EXPECT_THAT(Run({"model", "list", "-o", "csv"}).out, HasSubstr("\nmodels/m,READY,"));
  EXPECT_THAT(Run({"model", "list", "-o", "markdown"}).out, HasSubstr("| models/m | READY |"));
}

TEST_F(ModelTest, UploadTakesAnId) {
  const Result result = Run({"model", "upload", model_, "--id", "y", "-o", "json"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["name"], "models/y");
  EXPECT_EQ(state()->models.count("models/y"), 1u);
}

TEST_F(ModelTest, ANameMayBeShortenedToItsId) {
  for (const char* name : {"x", "models/x"}) {
    EXPECT_THAT(Run({"model", "show", name}).out, HasSubstr("models/x"));
  }
  EXPECT_EQ(state()->calls["GetModel"], 2);
}

TEST_F(ModelTest, LoadTakesAShape) {
  EXPECT_EQ(Run({"model", "load", "x", "--shape", "3x32x48"}).code, 0);
  EXPECT_EQ(Run({"model", "load", "x"}).code, 0);
  ASSERT_THAT(state()->loads, SizeIs(2));
  EXPECT_EQ(state()->loads[0].input_shape().width(), 48);
  EXPECT_FALSE(state()->loads[1].has_input_shape());
}

TEST_F(ModelTest, IsUnloadedAndDeleted) {
  EXPECT_THAT(Run({"model", "unload", "x"}).out, HasSubstr("models/x"));
  EXPECT_EQ(state()->calls["UnloadModel"], 1);
  const Result result = Run({"model", "delete", "x"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "deleted models/x\n");
  EXPECT_EQ(state()->models.count("models/x"), 0u);
}

TEST_F(ModelTest, SyncTellsWhatWasFound) {
  v1::SyncModelRepositoryResponse sync;
  sync.set_found(2);
  sync.set_created(1);
  sync.set_failed(1);
  auto& created = *sync.add_items();
  created.set_path("resnet/3/model.pt");
  created.set_outcome(v1::SyncModelRepositoryResponse::Item::CREATED);
  created.set_model("models/resnet-v3");
  auto& failed = *sync.add_items();
  failed.set_path("resnet/4/model.pt");
  failed.set_outcome(v1::SyncModelRepositoryResponse::Item::FAILED);
  failed.set_reason("the file is empty");
  state()->sync = sync;
  const Result result = Run({"model", "sync"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("2 versions: 1 new, 0 changed, 0 removed, 0 being copied, 1 "
                                    "not taken"));
  EXPECT_THAT(result.out, HasSubstr("resnet/3/model.pt  created  models/resnet-v3"));
  EXPECT_THAT(result.out, HasSubstr("the file is empty"));
}

TEST_F(ModelTest, VersionsAreShownWithAccuraciesAndGates) {
  v1::RepositoryVersion version;
  version.set_model("resnet");
  version.set_version(3);
  version.set_name("models/resnet-v3");
  version.set_state(v1::Model::READY);
  version.set_evaluation("evaluations/resnet-v3-1a2b3c");
  version.set_evaluation_state(v1::Evaluation::SUCCEEDED);
  version.set_verdict("failed");
  auto& accuracy = *version.add_accuracies();
  accuracy.set_condition("clean");
  accuracy.mutable_accuracy()->set_value(0.5);
  accuracy.mutable_accuracy()->set_lower(0.4);
  accuracy.mutable_accuracy()->set_upper(0.6);
  auto& gate = *version.add_gates();
  gate.set_verdict("failed");
  gate.set_text("FAILED accuracy(clean) >= 0.9: 0.5 [0.4, 0.6]");
  state()->versions = {version};
  const Result result = Run({"model", "versions", "resnet"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("models/resnet-v3"));
  EXPECT_THAT(result.out, HasSubstr("50.0 [40.0, 60.0]"));
  EXPECT_THAT(result.out, HasSubstr("FAILED accuracy(clean) >= 0.9"));
  EXPECT_EQ(nlohmann::json::parse(Run({"model", "versions", "-o", "json"}).out)[0]["verdict"],
            "failed");
  EXPECT_THAT(Run({"model", "versions", "other", "-o", "csv"}).out, Not(HasSubstr("resnet")));
}

}  // namespace
}  // namespace assay::cli
