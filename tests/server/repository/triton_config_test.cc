#include "server/repository/triton_config.h"

#include "gmock/gmock.h"
#include "tests/manual_clock.h"
#include "tests/server/repository/fake_tree.h"

namespace assay::repository {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TritonConfigTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  FakeTree tree_{clock_};
};

TEST_F(TritonConfigTest, LabelFilesOfOutputsNameTheClasses) {
  tree_.Write("m/config.pbtxt", R"(
name: "m"
platform: "pytorch_libtorch"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, 32, 32 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 2 ] label_filename: "labels.txt" } ]
instance_group [ { count: 1 kind: KIND_GPU gpus: [ 0 ] } ]
parameters { key: "a" value: { string_value: "b" } }
)");
  tree_.Write("m/labels.txt", "cat\r\ndog\n");
  const auto named = ReadNamedClasses(tree_, "m/config.pbtxt");
  ASSERT_TRUE(named.ok()) << named.status();
  ASSERT_THAT(*named, SizeIs(1));
  EXPECT_EQ((*named)[0].file, "m/labels.txt");
  EXPECT_THAT((*named)[0].names, ElementsAre("cat", "dog"));
}

TEST_F(TritonConfigTest, WithoutThemThereAreNone) {
  tree_.Write("m/config.pbtxt", "backend: \"onnxruntime\"");
  EXPECT_THAT(ReadNamedClasses(tree_, "m/config.pbtxt").value(), IsEmpty());
}

TEST_F(TritonConfigTest, WhatCannotBeReadIsAnError) {
  tree_.Write("m/config.pbtxt", "output [ {");
  EXPECT_THAT(ReadNamedClasses(tree_, "m/config.pbtxt").status().message(), HasSubstr("line 1"));
  tree_.Write("m/config.pbtxt", "output { label_filename: \"../other/labels.txt\" }");
  EXPECT_THAT(ReadNamedClasses(tree_, "m/config.pbtxt").status().message(),
              HasSubstr("without a path"));
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "a{";
  tree_.Write("m/config.pbtxt", deep);
  EXPECT_THAT(ReadNamedClasses(tree_, "m/config.pbtxt").status().message(), HasSubstr("too deep"));
}

TEST_F(TritonConfigTest, OtherClassesThanTheDatasetsAreRefused) {
  const NamedClasses classes{"m/labels.txt", {"cat", "dog"}};
  v1::Dataset dataset;
  dataset.set_name("datasets/d");
  EXPECT_TRUE(CheckNamedClasses(classes, dataset).ok());
  dataset.mutable_manifest()->add_class_names("cat");
  EXPECT_THAT(CheckNamedClasses(classes, dataset).message(), HasSubstr("names 2 classes"));
  dataset.mutable_manifest()->add_class_names("horse");
  EXPECT_THAT(CheckNamedClasses(classes, dataset).message(),
              HasSubstr("class 1 is 'dog' in m/labels.txt and 'horse' in datasets/d"));
  dataset.mutable_manifest()->set_class_names(1, "dog");
  EXPECT_TRUE(CheckNamedClasses(classes, dataset).ok());
}

}  // namespace
}  // namespace assay::repository
