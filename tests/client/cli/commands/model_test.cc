// `assay model ...`.
#include <string>

#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;
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

}  // namespace
}  // namespace assay::cli
