// `assay dataset ...`.
#include <fstream>
#include <string>

#include "client/data/npy_format.h"
#include "gmock/gmock.h"
#include "tests/client/cli/program_fixture.h"

namespace assay::cli {
namespace {

using ::testing::HasSubstr;

class DatasetTest : public ProgramTest {
 protected:
  DatasetTest() { state()->datasets["datasets/d"].set_name("datasets/d"); }
};

TEST_F(DatasetTest, UploadJoinsFilesOfOneFormat) {
  const Result result =
      Run({"dataset", "upload", data_, data_, "--format", "cifar10", "--id", "both"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(state()->datasets["datasets/both"].samples(), 4);
}

TEST_F(DatasetTest, UploadTakesTheFormatThatIsNamed) {
  EXPECT_EQ(Run({"dataset", "upload", data_, "--format", "npy"}).code, 2);
  EXPECT_EQ(state()->calls["CreateDataset"], 0);
}

TEST_F(DatasetTest, IsListedShownAndDeleted) {
  EXPECT_THAT(Run({"dataset", "list"}).out, HasSubstr("datasets/d"));
  EXPECT_EQ(state()->calls["ListDatasets"], 1);
  EXPECT_THAT(Run({"dataset", "show", "d"}).out, HasSubstr("datasets/d"));
  EXPECT_EQ(state()->calls["GetDataset"], 1);
  EXPECT_EQ(Run({"dataset", "delete", "d"}).err, "deleted datasets/d\n");
  EXPECT_EQ(state()->datasets.count("datasets/d"), 0u);
}

}  // namespace
}  // namespace assay::cli
