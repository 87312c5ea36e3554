// ONNX files as a whole: what they declare, how their batch is treated, and what is refused.
#include "server/engine/import/onnx/onnx.h"

#include <torch/csrc/autograd/autograd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/base/errors.h"
#include "gmock/gmock.h"
#include "server/engine/import/onnx/tensor.h"
#include "tests/server/engine/import/onnx_builder.h"

namespace assay::engine {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string Write(const std::string& name, const std::string& bytes) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/assay_onnx_", getpid(), "_", name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

at::Tensor Images(int64_t count, int64_t channels, int64_t height, int64_t width) {
  return at::tensor(OnnxBuilder::Numbers(static_cast<size_t>(count * channels * height * width), 5))
      .view({count, channels, height, width});
}

// A small convolutional network with layers of most kinds.
OnnxBuilder Network(const std::vector<int64_t>& input = {-1, 3, 8, 8}) {
  OnnxBuilder b(13, input);
  b.Floats("mean", {1, 3, 1, 1}, {0.4f, 0.5f, 0.6f});
  b.Floats("std", {1, 3, 1, 1}, {0.2f, 0.25f, 0.3f});
  b.Node("Sub", {"x", "mean"}, {"centred"});
  b.Node("Div", {"centred", "std"}, {"normal"});
  b.Weights("conv1.weight", {6, 3, 3, 3});
  b.Weights("conv1.bias", {6});
  b.Node("Conv", {"normal", "conv1.weight", "conv1.bias"}, {"c1"}).Ints("pads", {1, 1, 1, 1});
  b.Weights("scale", {6});
  b.Weights("shift", {6});
  b.Weights("average", {6});
  b.Floats("variance", {6}, {1, 2, 0.5f, 1, 1.5f, 3});
  b.Node("BatchNormalization", {"c1", "scale", "shift", "average", "variance"}, {"n1"});
  b.Node("Relu", {"n1"}, {"r1"});
  b.Node("MaxPool", {"r1"}, {"p1"}).Ints("kernel_shape", {2, 2}).Ints("strides", {2, 2});
  b.Weights("conv2.weight", {6, 6, 3, 3});
  b.Node("Conv", {"p1", "conv2.weight"}, {"c2"}).Ints("pads", {1, 1, 1, 1});
  b.Node("Add", {"c2", "p1"}, {"s2"});
  b.Node("LeakyRelu", {"s2"}, {"r2"}).Float("alpha", 0.1f);
  b.Node("GlobalAveragePool", {"r2"}, {"g"});
  b.Node("Flatten", {"g"}, {"f"});
  b.Weights("fc.weight", {10, 6});
  b.Weights("fc.bias", {10});
  b.Node("Gemm", {"f", "fc.weight", "fc.bias"}, {"y"}).Int("transB", 1);
  return b;
}

// The logits of images in one batch.
at::Tensor Logits(ImportedOnnx& model, const at::Tensor& images) {
  return model.module.forward({images}).toTensor();
}

std::string WhyNot(const OnnxBuilder& builder) {
  const auto imported = ImportOnnx(builder.Save());
  return imported.ok() ? "imported" : std::string(imported.status().message());
}

TEST(Onnx, SaysWhatTheFileDeclares) {
  const auto imported = ImportOnnx(Network().Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->producer, "test 1");
  EXPECT_EQ(imported->opset, 13);
  EXPECT_EQ(imported->ir_version, 8);
  EXPECT_EQ(imported->input_name, "x");
  EXPECT_THAT(imported->input_sizes, ElementsAre(-1, 3, 8, 8));
  EXPECT_EQ(imported->shape.channels, 3);
  EXPECT_EQ(imported->shape.height, 8);
  EXPECT_EQ(imported->num_classes, 10);
  EXPECT_EQ(imported->batch, OnnxBatch::kFree);
  EXPECT_FALSE(imported->nhwc);
  EXPECT_THAT(imported->converted_types, ::testing::IsEmpty());
  EXPECT_FALSE(imported->module.is_training());
  for (const at::Tensor& parameter : imported->module.parameters()) {
    EXPECT_FALSE(parameter.requires_grad());
    EXPECT_EQ(parameter.scalar_type(), at::kFloat);
  }
}

TEST(Onnx, FreezesOptimizesAndHasTheGradientOfFiniteDifferences) {
  auto imported = ImportOnnx(Network().Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  const at::Tensor images = Images(2, 3, 8, 8).abs();
  const at::Tensor logits = Logits(*imported, images);
  torch::jit::Module frozen = torch::jit::freeze(imported->module);
  EXPECT_TRUE(at::allclose(frozen.forward({images}).toTensor(), logits, 1e-5, 1e-5));
  torch::jit::Module copy = frozen.clone();
  torch::jit::Module fast = torch::jit::optimize_for_inference(copy);
  {
    c10::InferenceMode no_gradients;
    EXPECT_TRUE(at::allclose(fast.forward({images}).toTensor(), logits, 1e-4, 1e-4));
  }
  const at::Tensor input = images.clone().requires_grad_(true);
  const at::Tensor gradient =
      torch::autograd::grad({frozen.forward({input}).toTensor().square().sum()}, {input})[0];
  const at::Tensor direction = Images(2, 3, 8, 8);
  const double step = 1e-3;
  const auto value = [&](double t) {
    return Logits(*imported, images + t * direction).to(at::kDouble).square().sum().item<double>();
  };
  const double along = (gradient * direction).sum().item<double>();
  EXPECT_NEAR((value(step) - value(-step)) / (2 * step), along, 0.02 * std::abs(along));
}

// --- the batch

TEST(Onnx, FreesABatchThatTheFileFixesToOne) {
  // Constants have the one of the batch in them: shapes of reshapes, a token that is joined.
  OnnxBuilder b(13, {1, 3, 4, 4});
  b.Ints("tokens", {1, 3, 16});
  b.Node("Reshape", {"x", "tokens"}, {"t"});
  b.Weights("token", {1, 1, 16});
  b.Node("Concat", {"token", "t"}, {"joined"}).Int("axis", 1);
  b.Ints("heads", {1, 4, 2, 8});
  b.Node("Reshape", {"joined", "heads"}, {"h"});
  b.Node("Transpose", {"h"}, {"q"}).Ints("perm", {0, 2, 1, 3});
  b.Node("Transpose", {"h"}, {"k"}).Ints("perm", {0, 2, 3, 1});
  b.Node("MatMul", {"q", "k"}, {"scores"});
  b.Node("Softmax", {"scores"}, {"attention"}).Int("axis", 3);
  b.Node("MatMul", {"attention", "q"}, {"mixed"});
  // Windows: two for each image.
  b.Ints("windows", {2, 4, 8});
  b.Node("Reshape", {"mixed", "windows"}, {"w"});
  b.Node("ReduceMean", {"w"}, {"m"}).Ints("axes", {2}).Int("keepdims", 0);
  b.Ints("logits", {1, 8});
  b.Node("Reshape", {"m", "logits"}, {"y"});
  auto imported = ImportOnnx(b.Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->batch, OnnxBatch::kFreed);
  const at::Tensor images = Images(5, 3, 4, 4);
  const at::Tensor together = Logits(*imported, images);
  ASSERT_EQ(together.size(0), 5);
  for (int64_t i = 0; i < 5; ++i) {
    const at::Tensor alone = Logits(*imported, images.slice(0, i, i + 1));
    EXPECT_TRUE(at::allclose(together.slice(0, i, i + 1), alone, 1e-6, 1e-6)) << i;
  }
}

// As PyTorch's attention does it: S x N x E, flattened to rows for a layer and taken apart again,
// so that the rows of an image are not beside each other.
TEST(Onnx, FreesABatchThatIsInsideOfTheRows) {
  const auto build = [](bool add_rows) {
    OnnxBuilder b(13, {1, 3, 2, 4});
    b.Ints("tokens", {1, 6, 4});
    b.Node("Reshape", {"x", "tokens"}, {"t"});
    b.Node("Transpose", {"t"}, {"s"}).Ints("perm", {1, 0, 2});
    b.Ints("rows", {6, 4});
    b.Node("Reshape", {"s", "rows"}, {"r"});
    b.Weights("w", {4, 4});
    b.Weights("c", {4});
    b.Node("Gemm", {"r", "w", "c"}, {"g"});
    b.Weights("each", {6, 4});
    if (add_rows) b.Node("Add", {"g", "each"}, {"h"});
    b.Ints("apart", {6, 1, 4});
    b.Node("Reshape", {add_rows ? "h" : "g", "apart"}, {"a"});
    b.Node("Transpose", {"a"}, {"n"}).Ints("perm", {1, 0, 2});
    b.Node("Add", {"n", "t"}, {"sum"});
    b.Node("ReduceMax", {"sum"}, {"y"}).Ints("axes", {1}).Int("keepdims", 0);
    return b;
  };
  auto imported = ImportOnnx(build(false).Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->batch, OnnxBatch::kFreed) << imported->fixed_because;
  const at::Tensor images = Images(3, 3, 2, 4);
  const at::Tensor together = Logits(*imported, images);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(at::allclose(together.slice(0, i, i + 1),
                             Logits(*imported, images.slice(0, i, i + 1)), 1e-6, 1e-6))
        << i;
  }
  // A constant with a row for each row of one image would have to be taken apart too.
  imported = ImportOnnx(build(true).Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->batch, OnnxBatch::kFixed);
}

TEST(Onnx, RunsImageByImageWhatWorksAcrossTheBatch) {
  // The axis of the batch is lost, so that probabilities would be over all images.
  const auto build = [](int64_t batch) {
    OnnxBuilder b(13, {batch, 2, 2, 2});
    b.Ints("flat", {-1});
    b.Node("Reshape", {"x", "flat"}, {"f"});
    b.Node("Softmax", {"f"}, {"p"});
    b.Weights("w", {8, 3});
    b.Node("MatMul", {"p", "w"}, {"y"});
    return b;
  };
  for (const int64_t batch : {1, -1}) {
    auto imported = ImportOnnx(build(batch).Save());
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_EQ(imported->batch, OnnxBatch::kFixed);
    EXPECT_EQ(imported->fixed_batch, 1);
    EXPECT_THAT(imported->fixed_because,
                AllOf(HasSubstr("Softmax"), HasSubstr("across the batch")));
    EXPECT_EQ(Logits(*imported, Images(1, 2, 2, 2)).sizes(), at::IntArrayRef({1, 3}));
    EXPECT_ANY_THROW(Logits(*imported, Images(2, 2, 2, 2)));
  }
}

TEST(Onnx, MixesNoImagesWhereTheSecondAxisIsOneToo) {
  // Squeezing all axes of size one takes that of the batch as well, and putting one back in front
  // gives it back.
  OnnxBuilder b(11, {1, 3, 4, 4});
  b.Node("GlobalAveragePool", {"x"}, {"g"});
  b.Node("Squeeze", {"g"}, {"s"});
  b.Node("Unsqueeze", {"s"}, {"u"}).Ints("axes", {0});
  b.Weights("w", {3, 5});
  b.Node("Gemm", {"u", "w"}, {"y"});
  auto imported = ImportOnnx(b.Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->batch, OnnxBatch::kFreed);
  const at::Tensor images = Images(3, 3, 4, 4);
  const at::Tensor together = Logits(*imported, images);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(at::allclose(together.slice(0, i, i + 1),
                             Logits(*imported, images.slice(0, i, i + 1)), 1e-6, 1e-6));
  }
}

TEST(Onnx, FixesTheBatchForOperatorsAlongItsAxis) {
  struct Row {
    const char* what;
    std::function<void(OnnxBuilder&)> build;
  };
  const Row rows[] = {
      {"Softmax", [](OnnxBuilder& b) { b.Node("Softmax", {"x"}, {"z"}).Int("axis", 0); }},
      {"ReduceMean", [](OnnxBuilder& b) { b.Node("ReduceMean", {"x"}, {"z"}).Ints("axes", {0}); }},
      {"Concat",
       [](OnnxBuilder& b) {
         b.Node("Concat", {"x", "x"}, {"z"}).Int("axis", 0);
       }},
      {"Add of a constant that has images",
       [](OnnxBuilder& b) {
         b.Weights("w", {2, 2, 2, 2});
         b.Node("Add", {"x", "w"}, {"z"});
       }},
      {"Transpose of the batch into the product",
       [](OnnxBuilder& b) {
         b.Node("Transpose", {"x"}, {"t"}).Ints("perm", {1, 2, 3, 0});
         b.Weights("w", {1, 2});
         b.Node("MatMul", {"t", "w"}, {"z"});
       }},
      {"CumSum",
       [](OnnxBuilder& b) {
         b.Int("axis", 0);
         b.Node("CumSum", {"x", "axis"}, {"z"});
       }},
      {"Tile",
       [](OnnxBuilder& b) {
         b.Ints("repeats", {2, 1, 1, 1});
         b.Node("Tile", {"x", "repeats"}, {"z"});
       }},
      {"Expand",
       [](OnnxBuilder& b) {
         b.Ints("shape", {2, 2, 2, 2});
         b.Node("Expand", {"x", "shape"}, {"z"});
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    OnnxBuilder b(13, {1, 2, 2, 2});
    row.build(b);
    b.Ints("flat", {1, -1});
    b.Node("Reshape", {"z", "flat"}, {"y"});
    const auto imported = ImportOnnx(b.Save());
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_EQ(imported->batch, OnnxBatch::kFixed);
  }
}

TEST(Onnx, KeepsALargerBatchThatTheFileFixes) {
  auto imported = ImportOnnx(Network({4, 3, 8, 8}).Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->batch, OnnxBatch::kFixed);
  EXPECT_EQ(imported->fixed_batch, 4);
  EXPECT_EQ(imported->fixed_because, "");
  EXPECT_EQ(Logits(*imported, Images(4, 3, 8, 8)).size(0), 4);
  EXPECT_ANY_THROW(Logits(*imported, Images(2, 3, 8, 8)));
}

// --- inputs and outputs

TEST(Onnx, TakesImagesWithTheirChannelsLast) {
  OnnxBuilder plain = Network({-1, 3, 8, 8});
  auto expected = ImportOnnx(plain.Save("plain"));
  ASSERT_TRUE(expected.ok()) << expected.status();
  OnnxBuilder b(13, {-1, 8, 8, 3});
  b.Node("Transpose", {"x"}, {"nchw"}).Ints("perm", {0, 3, 1, 2});
  for (auto node : plain.graph().node()) {
    for (auto& input : *node.mutable_input()) {
      if (input == "x") input = "nchw";
    }
    *b.graph().add_node() = node;
  }
  *b.graph().mutable_initializer() = plain.graph().initializer();
  auto imported = ImportOnnx(b.Save("nhwc"));
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_TRUE(imported->nhwc);
  EXPECT_EQ(imported->shape.channels, 3);
  EXPECT_EQ(imported->shape.width, 8);
  const at::Tensor images = Images(2, 3, 8, 8);
  EXPECT_TRUE(at::equal(Logits(*imported, images), Logits(*expected, images)));
  // The two permutations are none.
  EXPECT_EQ(imported->module.get_method("forward").graph()->toString().find("aten::permute"),
            std::string::npos);
}

TEST(Onnx, NeedsTheShapeOfImagesWhereTheFileLeavesItOpen) {
  EXPECT_THAT(WhyNot(Network({-1, 3, -1, -1})), HasSubstr("leaves open"));
  const std::string path = Network({-1, 3, -1, -1}).Save();
  const auto imported = ImportOnnx(path, Shape{3, 16, 8});
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->shape.height, 16);
  const auto other = ImportOnnx(path, Shape{1, 16, 8});
  EXPECT_EQ(ReasonOf(other.status()), Reason::kModelInputMismatch);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("not images of 1x16x8"));
}

TEST(Onnx, TakesFlatImages) {
  for (const std::vector<int64_t>& input :
       {std::vector<int64_t>{-1, 12}, {1, 12}, {1, 1, 12}, {12}, {1, 12, 1, 1, 1}, {1, 1, 12, 1}}) {
    OnnxBuilder b(13, input);
    b.Ints("flat", {1, -1});
    b.Node("Reshape", {"x", "flat"}, {"f"});
    b.Weights("w", {12, 3});
    b.Node("MatMul", {"f", "w"}, {"y"});
    // Four axes would be images of their own.
    if (input.size() != 4) {
      EXPECT_THAT(WhyNot(b), HasSubstr("give the shape of the images"));
    }
    auto imported = ImportOnnx(b.Save(), Shape{3, 2, 2});
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_EQ(Logits(*imported, Images(1, 3, 2, 2)).sizes(), at::IntArrayRef({1, 3}));
    EXPECT_FALSE(ImportOnnx(b.Save(), Shape{3, 2, 3}).ok());
  }
}

TEST(Onnx, TakesOneInputAndOneRowOfLogits) {
  OnnxBuilder two = Network();
  *two.graph().add_input() = two.graph().input(0);
  two.graph().mutable_input(1)->set_name("mask");
  EXPECT_THAT(WhyNot(two), AllOf(HasSubstr("2 inputs"), HasSubstr("'mask'")));
  // Files of old name weights among the inputs.
  OnnxBuilder old = Network();
  old.graph().add_input()->set_name("fc.weight");
  EXPECT_EQ(WhyNot(old), "imported");

  OnnxBuilder integers(13, {-1, 3, 4, 4});
  integers.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(2);
  integers.Node("Cast", {"x"}, {"y"}).Int("to", 1);
  EXPECT_THAT(WhyNot(integers), AllOf(HasSubstr("UINT8"), HasSubstr("floating point")));

  OnnxBuilder map(13, {-1, 3, 4, 4});
  map.Node("Relu", {"x"}, {"y"});
  EXPECT_THAT(WhyNot(map), HasSubstr("one row of logits"));

  OnnxBuilder labels(13, {-1, 3, 4, 4});
  labels.Node("GlobalMaxPool", {"x"}, {"g"});
  labels.Node("Flatten", {"g"}, {"f"});
  labels.Node("ArgMax", {"f"}, {"y"}).Int("axis", 1);
  EXPECT_THAT(WhyNot(labels), HasSubstr("predicted labels"));

  OnnxBuilder constant(13, {-1, 3, 4, 4});
  constant.Weights("y", {1, 3});
  constant.Node("Relu", {"x"}, {"unused"});
  EXPECT_THAT(WhyNot(constant), HasSubstr("does not depend on its input"));
}

TEST(Onnx, LeavesOutWhatTheFirstOutputDoesNotNeed) {
  OnnxBuilder b = Network();
  b.Node("RandomNormalLike", {"x"}, {"noise"});
  b.graph().add_output()->set_name("noise");
  auto imported = ImportOnnx(b.Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(imported->output_names, ElementsAre("y", "noise"));
}

TEST(Onnx, LosesTheLastAxesOfLogitsThatAreOne) {
  OnnxBuilder b(13, {-1, 3, 4, 4});
  b.Node("GlobalAveragePool", {"x"}, {"y"});
  auto imported = ImportOnnx(b.Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(Logits(*imported, Images(2, 3, 4, 4)).sizes(), at::IntArrayRef({2, 3}));
}

// --- types

TEST(Onnx, ComputesInFloat32WhatTheFileHasInOtherPrecisions) {
  OnnxBuilder b(13, {-1, 1, 1, 2});
  b.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(10);
  // 1.5 and -2 in float16, as integers of their bits.
  auto* const half = b.graph().add_initializer();
  half->set_name("half");
  half->set_data_type(10);
  half->add_dims(2);
  half->add_int32_data(0x3e00);
  half->add_int32_data(0xc000);
  auto* const wide = b.graph().add_initializer();
  wide->set_name("wide");
  wide->set_data_type(11);
  wide->add_double_data(0.1);
  b.Node("Mul", {"x", "half"}, {"m"});
  b.Node("Cast", {"m"}, {"d"}).Int("to", 11);
  b.Node("Add", {"d", "wide"}, {"s"});
  b.Node("Flatten", {"s"}, {"y"});
  auto imported = ImportOnnx(b.Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_THAT(imported->converted_types, ElementsAre("DOUBLE", "FLOAT16"));
  const at::Tensor logits = Logits(*imported, at::tensor({1.0f, 2.0f}).view({1, 1, 1, 2}));
  EXPECT_FLOAT_EQ(logits[0][0].item<float>(), 1.6f);
  EXPECT_FLOAT_EQ(logits[0][1].item<float>(), -3.9f);
}

TEST(Onnx, ReadsNumbersOfEveryTypeRawAndTyped) {
  struct Row {
    int32_t type;
    std::string raw;  // of the numbers 1 and 3
    at::ScalarType expected;
  };
  const auto bytes = [](auto one, auto three) {
    std::string text(sizeof(one) * 2, '\0');
    std::memcpy(text.data(), &one, sizeof(one));
    std::memcpy(text.data() + sizeof(one), &three, sizeof(three));
    return text;
  };
  const Row rows[] = {
      {1, bytes(1.0f, 3.0f), at::kFloat},
      {11, bytes(1.0, 3.0), at::kFloat},
      {10, bytes(uint16_t{0x3c00}, uint16_t{0x4200}), at::kFloat},
      {16, bytes(uint16_t{0x3f80}, uint16_t{0x4040}), at::kFloat},
      {2, bytes(uint8_t{1}, uint8_t{3}), at::kByte},
      {3, bytes(int8_t{1}, int8_t{3}), at::kChar},
      {5, bytes(int16_t{1}, int16_t{3}), at::kShort},
      {6, bytes(int32_t{1}, int32_t{3}), at::kInt},
      {7, bytes(int64_t{1}, int64_t{3}), at::kLong},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(onnx::ElementTypeName(row.type));
    ::assay::onnx::TensorProto proto;
    proto.set_data_type(row.type);
    proto.add_dims(2);
    proto.set_raw_data(row.raw);
    const auto tensor = onnx::ToTensor(proto);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->scalar_type(), row.expected);
    EXPECT_TRUE(at::equal(tensor->to(at::kLong), at::tensor({1, 3}, at::kLong)));
    proto.mutable_raw_data()->pop_back();
    EXPECT_THAT(std::string(onnx::ToTensor(proto).status().message()), HasSubstr("damaged"));
  }
}

// --- refusals

TEST(Onnx, NamesTheOperatorThatItDoesNotHaveAndWhatToDo) {
  const auto why = [](const std::string& type) {
    OnnxBuilder b(13, {-1, 2, 2, 2});
    b.Node(type, {"x"}, {"y"});
    return WhyNot(b);
  };
  EXPECT_THAT(why("GridSample"),
              AllOf(HasSubstr("GridSample (node 'GridSample_1')"), HasSubstr("not supported")));
  EXPECT_THAT(why("RandomNormalLike"), HasSubstr("random"));
  EXPECT_THAT(why("QuantizeLinear"), HasSubstr("quantized"));
  EXPECT_THAT(why("QLinearConv"), HasSubstr("quantized"));
  EXPECT_THAT(why("Loop"), HasSubstr("loops"));

  OnnxBuilder custom(13, {-1, 2, 2, 2});
  custom.Node("FusedConv", {"x"}, {"y"}).proto().set_domain("com.microsoft");
  EXPECT_THAT(WhyNot(custom), HasSubstr("domain 'com.microsoft'"));

  OnnxBuilder newer(99, {-1, 2, 2, 2});
  newer.Node("Relu", {"x"}, {"y"});
  EXPECT_THAT(WhyNot(newer), HasSubstr("opset 99"));
}

TEST(Onnx, RefusesAttributesThatItDoesNotKnow) {
  OnnxBuilder unknown(13, {-1, 2, 2, 2});
  unknown.Node("Relu", {"x"}, {"y"}).Float("leak", 0.1f);
  EXPECT_THAT(WhyNot(unknown), HasSubstr("'leak' is not supported"));
  OnnxBuilder wrong(13, {-1, 2, 2, 2});
  wrong.Node("LeakyRelu", {"x"}, {"y"}).Int("alpha", 1);
  EXPECT_THAT(WhyNot(wrong), HasSubstr("'alpha' is not of the type"));
  OnnxBuilder missing(13, {-1, 2, 2, 2});
  missing.Node("MaxPool", {"x"}, {"y"});
  EXPECT_THAT(WhyNot(missing), HasSubstr("'kernel_shape' is missing"));
  // A unit of the training that an exporter left in.
  OnnxBuilder training(13, {-1, 2, 2, 2});
  training.Floats("ratio", {}, {0.5f});
  training.Bools("on", {}, {true});
  training.Node("Dropout", {"x", "ratio", "on"}, {"y"});
  EXPECT_THAT(WhyNot(training), HasSubstr("training mode"));
}

TEST(Onnx, RefusesWeightsInOtherFiles) {
  OnnxBuilder b = Network();
  auto* const weight = b.graph().mutable_initializer(2);
  weight->clear_float_data();
  weight->set_data_location(1);
  auto* const location = weight->add_external_data();
  location->set_key("location");
  location->set_value("/etc/passwd");
  EXPECT_THAT(WhyNot(b), AllOf(HasSubstr("external data"), HasSubstr("one file")));
}

TEST(Onnx, RefusesGraphsThatAreNoGraphs) {
  OnnxBuilder unordered(13, {-1, 2, 2, 2});
  unordered.Node("Relu", {"later"}, {"y"});
  unordered.Node("Tanh", {"x"}, {"later"});
  EXPECT_THAT(WhyNot(unordered), HasSubstr("nothing before it makes"));
  OnnxBuilder twice(13, {-1, 2, 2, 2});
  twice.Node("Relu", {"x"}, {"y"});
  twice.Node("Tanh", {"x"}, {"y"});
  EXPECT_THAT(WhyNot(twice), HasSubstr("twice"));
  OnnxBuilder empty(13);
  EXPECT_THAT(WhyNot(empty), HasSubstr("no graph"));
  // The indices of the maxima are not made.
  OnnxBuilder indices(13, {-1, 2, 2, 2});
  indices.Node("MaxPool", {"x"}, {"m", "i"}).Ints("kernel_shape", {2, 2});
  indices.Node("Cast", {"i"}, {"c"}).Int("to", 1);
  indices.Node("Flatten", {"c"}, {"y"});
  EXPECT_THAT(WhyNot(indices), HasSubstr("output 1 of MaxPool"));
}

// --- functions

TEST(Onnx, TakesFunctionsApart) {
  OnnxBuilder b(13, {-1, 2, 2, 2});
  auto* const function = b.model().add_functions();
  function->set_name("Scaled");
  function->set_domain("my");
  function->add_input("a");
  function->add_output("r");
  function->add_attribute("slope");
  function->add_opset_import()->set_version(13);
  auto* const inner = function->add_node();
  inner->set_op_type("LeakyRelu");
  inner->add_input("a");
  inner->add_output("r");
  auto* const slope = inner->add_attribute();
  slope->set_name("alpha");
  slope->set_type(1);
  slope->set_ref_attr_name("slope");
  b.Node("Scaled", {"x"}, {"z"}).Float("slope", 0.5f).proto().set_domain("my");
  b.Node("Flatten", {"z"}, {"y"});
  auto imported = ImportOnnx(b.Save());
  ASSERT_TRUE(imported.ok()) << imported.status();
  const at::Tensor logits = Logits(*imported, at::full({1, 2, 2, 2}, -2.0));
  EXPECT_FLOAT_EQ(logits[0][0].item<float>(), -1);

  // Each calls itself twice.
  OnnxBuilder endless(13, {-1, 2, 2, 2});
  auto* const self = endless.model().add_functions();
  self->set_name("Self");
  self->set_domain("my");
  self->add_input("a");
  self->add_output("r");
  for (const auto& [from, to] : {std::pair{"a", "m"}, std::pair{"m", "r"}}) {
    auto* const call = self->add_node();
    call->set_op_type("Self");
    call->set_domain("my");
    call->add_input(from);
    call->add_output(to);
  }
  endless.Node("Self", {"x"}, {"y"}).proto().set_domain("my");
  EXPECT_THAT(WhyNot(endless), HasSubstr("too deep"));
}

// --- hostile and damaged files

TEST(Onnx, MakesNoTensorsWithoutBound) {
  const auto why = [](const std::function<void(OnnxBuilder&)>& build) {
    OnnxBuilder b(13, {-1, 1, 2, 2});
    build(b);
    return WhyNot(b);
  };
  const int64_t huge = int64_t{1} << 62;
  EXPECT_THAT(why([&](OnnxBuilder& b) {
                b.Ints("shape", {huge, huge, huge});
                b.Node("ConstantOfShape", {"shape"}, {"y"});
              }),
              HasSubstr("elements"));
  EXPECT_THAT(why([&](OnnxBuilder& b) {
                b.Ints("shape", {1 << 20, 1 << 20, 1, 1, 1});
                b.Node("Expand", {"x", "shape"}, {"y"});
              }),
              HasSubstr("too large"));
  EXPECT_THAT(why([&](OnnxBuilder& b) {
                b.Ints("repeats", {1, 1, huge, 1});
                b.Node("Tile", {"x", "repeats"}, {"y"});
              }),
              HasSubstr("too often"));
  EXPECT_THAT(why([&](OnnxBuilder& b) {
                b.Ints("pads", {0, 0, huge, 0, 0, 0, huge, 0});
                b.Node("Pad", {"x", "pads"}, {"y"});
              }),
              HasSubstr("padding"));
  EXPECT_THAT(why([&](OnnxBuilder& b) {
                b.Int("a", 0);
                b.Int("b", huge);
                b.Int("c", 1);
                b.Node("Range", {"a", "b", "c"}, {"y"});
              }),
              HasSubstr("such numbers"));
  EXPECT_THAT(why([&](OnnxBuilder& b) {
                b.Floats("scales", {4}, {1, 1, 1e6f, 1e6f});
                b.Node("Resize", {"x", "", "scales"}, {"y"});
              }),
              HasSubstr("elements"));
  EXPECT_THAT(why([&](OnnxBuilder& b) {
                b.Weights("w", {1, 1, 1, 1});
                b.Node("Conv", {"x", "w"}, {"y"}).Ints("pads", {huge, 0, huge, 0});
              }),
              HasSubstr("pads"));
  // Many constants that are each small enough.
  EXPECT_THAT(why([&](OnnxBuilder& b) {
                b.Ints("shape", {1 << 14, 1 << 14});
                b.Node("ConstantOfShape", {"shape"}, {"c0"});
                for (int i = 0; i < 8; ++i) {
                  b.Node("Neg", {absl::StrCat("c", i)}, {absl::StrCat("c", i + 1)});
                }
                b.Node("Add", {"x", "c8"}, {"y"});
              }),
              HasSubstr("4 GiB"));
}

TEST(Onnx, DividesNoIntegersByZero) {
  for (const auto& [type, left, right] :
       {std::tuple{"Div", int64_t{1}, int64_t{0}}, std::tuple{"Mod", int64_t{1}, int64_t{0}},
        std::tuple{"Div", std::numeric_limits<int64_t>::min(), int64_t{-1}},
        std::tuple{"Mod", std::numeric_limits<int64_t>::min(), int64_t{-1}}}) {
    OnnxBuilder b(13, {-1, 2, 2, 2});
    b.Int("a", left);
    b.Int("b", right);
    b.Node(type, {"a", "b"}, {"c"});
    b.Node("Cast", {"c"}, {"d"}).Int("to", 1);
    b.Node("Add", {"x", "d"}, {"y"});
    EXPECT_THAT(WhyNot(b), HasSubstr("division")) << type;
  }
}

TEST(Onnx, AnswersAMissingFileWithAnError) { EXPECT_FALSE(ImportOnnx("/nowhere/at/all").ok()); }

TEST(Onnx, AnswersEveryTruncationWithAnError) {
  const std::string bytes = ReadAll(Network().Save());
  for (size_t size = 0; size < bytes.size(); size += 97) {
    EXPECT_FALSE(ImportOnnx(Write("truncated", bytes.substr(0, size))).ok()) << size;
  }
}

// What a flipped bit makes may be a model; whatever it is, it is imported or refused.
TEST(Onnx, SurvivesFlippedBits) {
  OnnxBuilder small(13, {-1, 2, 4, 4});
  small.Weights("w", {2, 2, 3, 3});
  small.Node("Conv", {"x", "w"}, {"c"}).Ints("pads", {1, 1, 1, 1});
  small.Node("MaxPool", {"c"}, {"p"}).Ints("kernel_shape", {2, 2}).Ints("strides", {2, 2});
  small.Node("Shape", {"p"}, {"s"});
  small.Int("zero", 0);
  small.Node("Gather", {"s", "zero"}, {"n"});
  small.Ints("front", {0});
  small.Node("Unsqueeze", {"n", "front"}, {"n1"});
  small.Ints("rest", {-1});
  small.Node("Concat", {"n1", "rest"}, {"target"}).Int("axis", 0);
  small.Node("Reshape", {"p", "target"}, {"f"});
  small.Floats("scales", {2}, {1, 1});
  small.Node("Softmax", {"f"}, {"m"}).Int("axis", 1);
  small.Ints("pads", {0, 1, 0, 1});
  small.Node("Pad", {"m", "pads"}, {"q"});
  small.Ints("repeats", {1, 2});
  small.Node("Tile", {"q", "repeats"}, {"y"});
  const std::string bytes = ReadAll(small.Save());
  int imported = 0, refused = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    const auto result = ImportOnnx(Write("flipped", damaged));
    result.ok() ? ++imported : ++refused;
    // What was inferred of a tensor and what LibTorch made of it are the same.
    EXPECT_THAT(std::string(result.status().message()), Not(HasSubstr(" gave "))) << at;
  }
  EXPECT_GT(imported, 0);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace assay::engine
