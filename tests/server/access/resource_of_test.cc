#include "server/access/resource_of.h"

#include "assay/v1/chunks.pb.h"
#include "assay/v1/comparison.pb.h"
#include "assay/v1/datasets.pb.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"
#include "gmock/gmock.h"

namespace assay::access {
namespace {

TEST(ResourceOfTest, RequestsSayWhatTheyAreAbout) {
  v1::DeleteModelRequest by_name;
  by_name.set_name("models/m");
  EXPECT_EQ(ResourceOf(by_name).name, "models/m");

  v1::CreateModelRequest by_id;
  by_id.set_model_id("m");
  by_id.set_request_id("r");
  EXPECT_EQ(ResourceOf(by_id).name, "models/m");
  EXPECT_EQ(ResourceOf(by_id).request_id, "r");

  v1::CompareEvaluationsRequest several;
  several.add_names("evaluations/a");
  several.add_names("evaluations/b");
  EXPECT_EQ(ResourceOf(several).name, "evaluations/a evaluations/b");

  v1::EvaluateRequest stream;
  stream.mutable_start()->set_evaluation_id("e");
  stream.mutable_start()->set_model("models/m");
  EXPECT_EQ(ResourceOf(stream).name, "evaluations/e");

  v1::UploadChunksRequest upload;
  upload.mutable_header()->set_upload_id("u");
  EXPECT_EQ(ResourceOf(upload).name, "uploads/u");
}

TEST(ResourceOfTest, OfContentNothingIsTold) {
  v1::UploadChunksRequest upload;
  upload.set_data("secret pixels");
  EXPECT_EQ(ResourceOf(upload).name, "");
  v1::CreateEvaluationRequest create;
  create.mutable_spec()->set_model("models/m");
  EXPECT_EQ(ResourceOf(create).name, "");
  v1::Evaluation created;
  created.set_name("evaluations/e");
  EXPECT_EQ(ResourceOf(created).name, "evaluations/e");
}

}  // namespace
}  // namespace assay::access
