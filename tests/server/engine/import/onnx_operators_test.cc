// Each ONNX operator against ONNX Runtime.
//
// onnx_operators_golden.txt has, for each case, what ONNX Runtime 1.32.0 (CPU, no optimisations)
// makes of three images, one at a time. To make it anew after adding a case: run this program with
// ASSAY_WRITE_ONNX=DIRECTORY, then onnx_operators_golden.py DIRECTORY, and read the difference.
#include <torch/csrc/autograd/autograd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "server/engine/import/onnx/onnx.h"
#include "tests/server/engine/import/onnx_builder.h"

namespace assay::engine {
namespace {

constexpr int kImages = 3;

struct Case {
  std::string name;
  int64_t opset;
  std::function<void(OnnxBuilder&)> build;
  // Of one image; every size is greater than one, so that a confusion of axes shows.
  std::vector<int64_t> image = {4, 5, 6};
};

// A node of one input and one output.
std::function<void(OnnxBuilder&)> Unary(const std::string& type) {
  return [type](OnnxBuilder& b) { b.Node(type, {"x"}, {"y"}); };
}
// Of numbers between 0.5 and 2.5.
std::function<void(OnnxBuilder&)> OfPositive(const std::string& type) {
  return [type](OnnxBuilder& b) {
    b.Floats("shift", {}, {1.5f});
    b.Node("Add", {"x", "shift"}, {"p"});
    b.Node(type, {"p"}, {"y"});
  };
}
// Along axes that are an attribute or an input.
std::function<void(OnnxBuilder&)> Reduce(const std::string& type, bool input, bool keep) {
  return [=](OnnxBuilder& b) {
    if (input) b.Ints("axes", {-1, 1});
    OnnxNode node = b.Node(
        type, input ? std::vector<std::string>{"x", "axes"} : std::vector<std::string>{"x"}, {"y"});
    if (!input) node.Ints("axes", {-1, 1});
    node.Int("keepdims", keep ? 1 : 0);
  };
}
std::function<void(OnnxBuilder&)> Resize(const std::string& mode, const std::string& coordinates,
                                         std::vector<float> scales,
                                         const std::string& nearest = "round_prefer_floor") {
  return [=](OnnxBuilder& b) {
    b.Floats("scales", {4}, scales);
    b.Node("Resize", {"x", "", "scales"}, {"y"})
        .Text("mode", mode)
        .Text("coordinate_transformation_mode", coordinates)
        .Text("nearest_mode", nearest);
  };
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const char* type : {"Abs",           "Neg",         "Exp",
                           "Erf",           "Floor",       "Ceil",
                           "Round",         "Sign",        "Sin",
                           "Cos",           "Relu",        "LeakyRelu",
                           "Elu",           "Selu",        "Celu",
                           "Sigmoid",       "HardSigmoid", "HardSwish",
                           "Tanh",          "Softplus",    "Softsign",
                           "Mish",          "Identity",    "GlobalAveragePool",
                           "GlobalMaxPool", "Shrink",      "ThresholdedRelu"}) {
    cases.push_back({type, 18, Unary(type)});
  }
  for (const char* type : {"Log", "Sqrt", "Reciprocal"}) {
    cases.push_back({type, 18, OfPositive(type)});
  }
  for (const char* type : {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1",
                           "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare", "ReduceSum"}) {
    cases.push_back({std::string(type) + "_9", 9, Reduce(type, false, true)});
    cases.push_back({std::string(type) + "_18", 18, Reduce(type, true, false)});
  }
  const auto add = [&](const std::string& name, int64_t opset,
                       std::function<void(OnnxBuilder&)> build,
                       std::vector<int64_t> image = {4, 5, 6}) {
    cases.push_back({name, opset, std::move(build), std::move(image)});
  };

  // --- arithmetic
  for (const char* type : {"Add", "Sub", "Mul", "Div"}) {
    add(std::string(type) + "_scalar_left", 13, [=](OnnxBuilder& b) {
      b.Floats("c", {}, {0.7f});
      b.Node("Abs", {"x"}, {"a"});
      b.Node("Add", {"a", "c"}, {"d"});
      b.Node(type, {"c", "d"}, {"y"});
    });
    add(std::string(type) + "_channels_and_itself", 13, [=](OnnxBuilder& b) {
      b.Floats("c", {4, 1, 1}, {0.5f, 1, -2, 3});
      b.Node(type, {"x", "c"}, {"z"});
      b.Node("Exp", {"x"}, {"e"});
      b.Node(type, {"z", "e"}, {"y"});
    });
  }
  add("Pow", 15, [](OnnxBuilder& b) {
    b.Floats("c", {1}, {3});
    b.Node("Pow", {"x", "c"}, {"y"});
  });
  add("Mod_fmod", 13, [](OnnxBuilder& b) {
    b.Floats("c", {1}, {0.3f});
    b.Node("Mod", {"x", "c"}, {"y"}).Int("fmod", 1);
  });
  add("MaxMinMeanSum", 13, [](OnnxBuilder& b) {
    b.Weights("w", {4, 5, 6});
    b.Floats("c", {1}, {0.25f});
    b.Node("Neg", {"x"}, {"n"});
    b.Node("Max", {"x", "w", "n"}, {"a"});
    b.Node("Min", {"a", "w"}, {"m"});
    b.Node("Mean", {"a", "m", "x"}, {"d"});
    b.Node("Max", {"d", "c"}, {"e"});
    b.Node("Min", {"c", "n"}, {"f"});
    b.Node("Sum", {"e", "f", "x"}, {"y"});
  });
  add("ComparisonsAndLogic", 16, [](OnnxBuilder& b) {
    b.Floats("c", {}, {0.1f});
    b.Node("Neg", {"x"}, {"n"});
    b.Node("Less", {"x", "c"}, {"less"});
    b.Node("GreaterOrEqual", {"x", "n"}, {"ge"});
    b.Node("And", {"less", "ge"}, {"and"});
    b.Node("Not", {"and"}, {"not"});
    b.Node("Greater", {"n", "c"}, {"greater"});
    b.Node("Or", {"greater", "and"}, {"or"});
    b.Node("Xor", {"or", "not"}, {"xor"});
    b.Node("Where", {"xor", "x", "c"}, {"a"});
    b.Node("Where", {"or", "a", "n"}, {"y"});
  });
  add("CastAndEqual", 13, [](OnnxBuilder& b) {
    b.Floats("c", {}, {4});
    b.Node("Mul", {"x", "c"}, {"z"});
    b.Node("Cast", {"z"}, {"i"}).Int("to", 6);
    b.Int("zero", 0);
    b.Node("Cast", {"i"}, {"j"}).Int("to", 7);
    b.Node("Equal", {"j", "zero"}, {"e"});
    b.Node("Cast", {"e"}, {"y"}).Int("to", 1);
  });

  // --- activations
  add("PRelu_channels", 16, [](OnnxBuilder& b) {
    b.Floats("slope", {4, 1, 1}, {0.5f, -1, 2, 0.1f});
    b.Node("PRelu", {"x", "slope"}, {"y"});
  });
  add("Gelu", 20, Unary("Gelu"));
  add("Gelu_tanh", 20,
      [](OnnxBuilder& b) { b.Node("Gelu", {"x"}, {"y"}).Text("approximate", "tanh"); });
  add("Selu_Elu_Celu_alpha", 12, [](OnnxBuilder& b) {
    b.Node("Selu", {"x"}, {"a"}).Float("alpha", 1.2f).Float("gamma", 0.8f);
    b.Node("Elu", {"a"}, {"c"}).Float("alpha", 0.5f);
    b.Node("Celu", {"c"}, {"y"}).Float("alpha", 2);
  });
  add("Clip_6", 6 + 3,
      [](OnnxBuilder& b) { b.Node("Clip", {"x"}, {"y"}).Float("min", -0.25f).Float("max", 0.5f); });
  add("Clip_13_upper_only", 13, [](OnnxBuilder& b) {
    b.Floats("max", {}, {0.5f});
    b.Node("Clip", {"x", "", "max"}, {"y"});
  });
  for (const char* type : {"Softmax", "LogSoftmax", "Hardmax"}) {
    add(std::string(type) + "_9", 9,
        [=](OnnxBuilder& b) { b.Node(type, {"x"}, {"y"}).Int("axis", 2); });
    add(std::string(type) + "_9_default", 9, Unary(type));
    add(std::string(type) + "_13", 13,
        [=](OnnxBuilder& b) { b.Node(type, {"x"}, {"y"}).Int("axis", 1); });
  }

  // --- matrices
  add("Gemm_layer", 11, [](OnnxBuilder& b) {
    b.Node("Flatten", {"x"}, {"f"});
    b.Weights("w", {7, 120});
    b.Weights("c", {7});
    b.Node("Gemm", {"f", "w", "c"}, {"y"}).Int("transB", 1).Float("alpha", 0.5f).Float("beta", 2);
  });
  add("Gemm_not_transposed_no_bias", 11, [](OnnxBuilder& b) {
    b.Node("Flatten", {"x"}, {"f"});
    b.Weights("w", {120, 7});
    b.Node("Gemm", {"f", "w"}, {"y"});
  });
  add("Gemm_scalar_bias", 11, [](OnnxBuilder& b) {
    b.Node("Flatten", {"x"}, {"f"});
    b.Weights("w", {120, 7});
    b.Floats("c", {}, {0.5f});
    b.Node("Gemm", {"f", "w", "c"}, {"y"});
  });
  add("MatMul_weights_left", 13, [](OnnxBuilder& b) {
    b.Weights("w", {3, 5});
    b.Node("MatMul", {"w", "x"}, {"y"});
  });
  add("MatMul_of_images_and_vector", 13, [](OnnxBuilder& b) {
    b.Node("Transpose", {"x"}, {"t"}).Ints("perm", {0, 1, 3, 2});
    b.Node("MatMul", {"x", "t"}, {"m"});
    b.Weights("v", {5});
    b.Node("MatMul", {"m", "v"}, {"y"});
  });
  add("MatMul_batch_in_the_middle", 13, [](OnnxBuilder& b) {
    b.Node("Transpose", {"x"}, {"t"}).Ints("perm", {1, 2, 0, 3});
    b.Weights("w", {6, 2});
    b.Node("MatMul", {"t", "w"}, {"m"});
    b.Node("Transpose", {"m"}, {"y"}).Ints("perm", {2, 0, 1, 3});
  });
  add("Einsum", 12, [](OnnxBuilder& b) {
    b.Weights("w", {4, 3});
    b.Node("Einsum", {"x", "w", "x"}, {"y"}).Text("equation", "nchw,ck,ncvw->nkhv");
  });

  // --- convolutions
  add("Conv_stride_pad_dilation_groups", 11, [](OnnxBuilder& b) {
    b.Weights("w", {6, 2, 3, 2});
    b.Weights("c", {6});
    b.Node("Conv", {"x", "w", "c"}, {"y"})
        .Ints("strides", {2, 1})
        .Ints("pads", {2, 1, 2, 1})
        .Ints("dilations", {1, 2})
        .Int("group", 2)
        .Ints("kernel_shape", {3, 2});
  });
  add("Conv_asymmetric", 11, [](OnnxBuilder& b) {
    b.Weights("w", {3, 4, 3, 3});
    b.Node("Conv", {"x", "w"}, {"y"}).Ints("pads", {0, 2, 1, 0});
  });
  for (const char* pad : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    add(std::string("Conv_") + pad, 11, [=](OnnxBuilder& b) {
      b.Weights("w", {3, 4, 2, 3});
      b.Node("Conv", {"x", "w"}, {"y"}).Text("auto_pad", pad).Ints("strides", {1, 2});
    });
    add(std::string("MaxPool_") + pad, 12, [=](OnnxBuilder& b) {
      b.Node("MaxPool", {"x"}, {"y"})
          .Ints("kernel_shape", {2, 3})
          .Ints("strides", {1, 2})
          .Text("auto_pad", pad);
    });
    add(std::string("AveragePool_") + pad, 11, [=](OnnxBuilder& b) {
      b.Node("AveragePool", {"x"}, {"y"})
          .Ints("kernel_shape", {2, 3})
          .Ints("strides", {1, 2})
          .Text("auto_pad", pad);
    });
  }
  add("Conv1d", 11, [](OnnxBuilder& b) {
    b.Ints("shape", {0, 4, -1});
    b.Node("Reshape", {"x", "shape"}, {"r"});
    b.Weights("w", {2, 4, 5});
    b.Node("Conv", {"r", "w"}, {"y"}).Ints("pads", {1, 2});
  });
  add("ConvTranspose", 11, [](OnnxBuilder& b) {
    b.Weights("w", {4, 2, 3, 2});
    b.Weights("c", {4});
    b.Node("ConvTranspose", {"x", "w", "c"}, {"y"})
        .Ints("strides", {2, 3})
        .Ints("pads", {1, 0, 1, 0})
        .Ints("output_padding", {1, 0})
        .Ints("dilations", {2, 1})
        .Int("group", 2);
  });
  add("ConvTranspose_asymmetric", 11, [](OnnxBuilder& b) {
    b.Weights("w", {4, 2, 3, 3});
    b.Node("ConvTranspose", {"x", "w"}, {"y"}).Ints("strides", {2, 2}).Ints("pads", {0, 1, 2, 1});
  });
  add("ConvTranspose_output_shape", 11, [](OnnxBuilder& b) {
    b.Weights("w", {4, 2, 3, 3});
    b.Node("ConvTranspose", {"x", "w"}, {"y"})
        .Ints("strides", {2, 2})
        .Ints("output_shape", {9, 11});
  });

  // --- pooling
  add("MaxPool_ceil_dilated", 12, [](OnnxBuilder& b) {
    b.Node("MaxPool", {"x"}, {"y"})
        .Ints("kernel_shape", {2, 2})
        .Ints("strides", {2, 2})
        .Ints("dilations", {2, 1})
        .Int("ceil_mode", 1);
  });
  add("MaxPool_asymmetric", 12, [](OnnxBuilder& b) {
    b.Node("MaxPool", {"x"}, {"y"})
        .Ints("kernel_shape", {3, 3})
        .Ints("pads", {0, 1, 2, 0})
        .Ints("strides", {2, 2});
  });
  for (const int count : {0, 1}) {
    add("AveragePool_padded_" + std::to_string(count), 11, [=](OnnxBuilder& b) {
      b.Node("AveragePool", {"x"}, {"y"})
          .Ints("kernel_shape", {3, 3})
          .Ints("pads", {1, 1, 1, 1})
          .Ints("strides", {2, 2})
          .Int("count_include_pad", count);
    });
    add("AveragePool_asymmetric_" + std::to_string(count), 11, [=](OnnxBuilder& b) {
      b.Node("AveragePool", {"x"}, {"y"})
          .Ints("kernel_shape", {3, 3})
          .Ints("pads", {0, 1, 2, 0})
          .Int("count_include_pad", count);
    });
  }
  add("AveragePool_ceil", 19, [](OnnxBuilder& b) {
    b.Node("AveragePool", {"x"}, {"y"})
        .Ints("kernel_shape", {2, 4})
        .Ints("strides", {2, 3})
        .Int("ceil_mode", 1);
  });

  // --- normalisation
  add("BatchNormalization", 9, [](OnnxBuilder& b) {
    b.Weights("s", {4});
    b.Weights("b", {4});
    b.Weights("m", {4});
    b.Floats("v", {4}, {0.5f, 1, 2, 0.1f});
    b.Node("BatchNormalization", {"x", "s", "b", "m", "v"}, {"y"}).Float("epsilon", 0.01f);
  });
  add("InstanceNormalization", 6 + 3, [](OnnxBuilder& b) {
    b.Weights("s", {4});
    b.Weights("b", {4});
    b.Node("InstanceNormalization", {"x", "s", "b"}, {"y"});
  });
  add("GroupNormalization_18", 18, [](OnnxBuilder& b) {
    b.Weights("s", {2});
    b.Weights("b", {2});
    b.Node("GroupNormalization", {"x", "s", "b"}, {"y"}).Int("num_groups", 2);
  });
  add("GroupNormalization_21", 21, [](OnnxBuilder& b) {
    b.Weights("s", {4});
    b.Weights("b", {4});
    b.Node("GroupNormalization", {"x", "s", "b"}, {"y"}).Int("num_groups", 2);
  });
  add("LayerNormalization", 17, [](OnnxBuilder& b) {
    b.Weights("s", {5, 6});
    b.Weights("b", {5, 6});
    b.Node("LayerNormalization", {"x", "s", "b"}, {"y"}).Int("axis", 2).Float("epsilon", 0.001f);
  });
  add("LayerNormalization_broadcast", 17, [](OnnxBuilder& b) {
    b.Weights("s", {6});
    b.Node("LayerNormalization", {"x", "s"}, {"y"}).Int("axis", 1);
  });
  add("RMSNormalization", 23, [](OnnxBuilder& b) {
    b.Weights("s", {6});
    b.Node("RMSNormalization", {"x", "s"}, {"y"});
  });
  add("LRN", 13, [](OnnxBuilder& b) {
    b.Node("LRN", {"x"}, {"y"})
        .Int("size", 3)
        .Float("alpha", 0.5f)
        .Float("beta", 0.6f)
        .Float("bias", 2);
  });
  add("LpNormalization", 9 + 4,
      [](OnnxBuilder& b) { b.Node("LpNormalization", {"x"}, {"y"}).Int("axis", 1).Int("p", 2); });
  add("Attention", 23, [](OnnxBuilder& b) {
    b.Ints("shape", {0, 5, 24});
    b.Node("Reshape", {"x", "shape"}, {"q"});
    b.Weights("w", {24, 12});
    b.Node("MatMul", {"q", "w"}, {"k"});
    b.Node("Tanh", {"k"}, {"v"});
    b.Node("Attention", {"q", "k", "v"}, {"y"})
        .Int("q_num_heads", 4)
        .Int("kv_num_heads", 2)
        .Int("is_causal", 1)
        .Float("softcap", 3);
  });

  // --- indices and running sums
  for (const int last : {0, 1}) {
    add("ArgMax_" + std::to_string(last), 13, [=](OnnxBuilder& b) {
      b.Node("Round", {"x"}, {"r"});
      b.Node("ArgMax", {"r"}, {"i"})
          .Int("axis", 2)
          .Int("keepdims", last)
          .Int("select_last_index", last);
      b.Node("Cast", {"i"}, {"y"}).Int("to", 1);
    });
  }
  add("CumSum_reverse_exclusive", 14, [](OnnxBuilder& b) {
    b.Int("axis", -1);
    b.Node("CumSum", {"x", "axis"}, {"y"}).Int("reverse", 1).Int("exclusive", 1);
  });

  // --- movement
  add("Transpose_Reshape_zero", 13, [](OnnxBuilder& b) {
    b.Node("Transpose", {"x"}, {"t"}).Ints("perm", {0, 2, 3, 1});
    b.Ints("shape", {0, 0, -1});
    b.Node("Reshape", {"t", "shape"}, {"y"});
  });
  add("Squeeze_Unsqueeze_attributes", 11, [](OnnxBuilder& b) {
    b.Node("Unsqueeze", {"x"}, {"u"}).Ints("axes", {-1, 1});
    b.Node("Relu", {"u"}, {"r"});
    b.Node("Squeeze", {"r"}, {"y"}).Ints("axes", {1});
  });
  add("Squeeze_Unsqueeze_inputs", 13, [](OnnxBuilder& b) {
    b.Ints("axes", {-1, 1});
    b.Node("Unsqueeze", {"x", "axes"}, {"u"});
    b.Node("Relu", {"u"}, {"r"});
    b.Node("Squeeze", {"r", "axes"}, {"y"});
  });
  add("Concat_of_shape_and_token", 13, [](OnnxBuilder& b) {
    // As PyTorch exports a class token: expanded to the batch, which is computed.
    b.Weights("token", {1, 1, 5, 6});
    b.Node("Shape", {"x"}, {"s"});
    b.Int("zero", 0);
    b.Node("Gather", {"s", "zero"}, {"n"});
    b.Ints("axis", {0});
    b.Node("Unsqueeze", {"n", "axis"}, {"n1"});
    b.Ints("rest", {-1, -1, -1});
    b.Node("Concat", {"n1", "rest"}, {"shape"}).Int("axis", 0);
    b.Ints("minus", {-1, -1, -1, -1});
    b.Node("Equal", {"shape", "minus"}, {"is"});
    b.Ints("ones", {1, 1, 1, 1});
    b.Node("Where", {"is", "ones", "shape"}, {"sizes"});
    b.Node("Expand", {"token", "sizes"}, {"t"});
    b.Node("Concat", {"t", "x"}, {"c"}).Int("axis", 1);
    b.Ints("flat", {30});
    b.Node("Concat", {"n1", "axis2", "flat"}, {"target"}).Int("axis", 0);
    b.Ints("axis2", {-1});
    b.Node("Reshape", {"c", "target"}, {"y"});
  });
  add("Slice_9", 9, [](OnnxBuilder& b) {
    b.Node("Slice", {"x"}, {"y"})
        .Ints("starts", {1, -3})
        .Ints("ends", {100, -1})
        .Ints("axes", {1, 3});
  });
  add("Slice_steps", 13, [](OnnxBuilder& b) {
    b.Ints("starts", {-1, 0});
    b.Ints("ends", {-100, 6});
    b.Ints("axes", {2, 3});
    b.Ints("steps", {-2, 4});
    b.Node("Slice", {"x", "starts", "ends", "axes", "steps"}, {"y"});
  });
  add("Split_and_Concat", 11, [](OnnxBuilder& b) {
    b.Node("Split", {"x"}, {"a", "c"}).Int("axis", 3).Ints("split", {2, 4});
    b.Node("Concat", {"c", "a"}, {"y"}).Int("axis", -1);
  });
  add("Split_18_unequal", 18, [](OnnxBuilder& b) {
    b.Node("Split", {"x"}, {"a", "c", "d"}).Int("axis", 2).Int("num_outputs", 3);
    b.Node("Concat", {"d", "a", "c"}, {"y"}).Int("axis", 2);
  });
  add("Gather_matrix_of_indices", 13, [](OnnxBuilder& b) {
    auto* const tensor = b.graph().add_initializer();
    tensor->set_name("i");
    tensor->set_data_type(7);
    for (const int64_t size : {2, 2}) tensor->add_dims(size);
    for (const int64_t index : {0, -1, 2, 2}) tensor->add_int64_data(index);
    b.Node("Gather", {"x", "i"}, {"y"}).Int("axis", 2);
  });
  add("Gather_one", 13, [](OnnxBuilder& b) {
    b.Int("i", -2);
    b.Node("Gather", {"x", "i"}, {"y"}).Int("axis", 1);
  });
  add("GatherElements", 13, [](OnnxBuilder& b) {
    auto* const tensor = b.graph().add_initializer();
    tensor->set_name("i");
    tensor->set_data_type(7);
    for (const int64_t size : {1, 4, 2, 6}) tensor->add_dims(size);
    for (int i = 0; i < 48; ++i) tensor->add_int64_data((i * 7) % 5 - 2);
    b.Node("GatherElements", {"x", "i"}, {"y"}).Int("axis", 2);
  });
  add("Tile", 13, [](OnnxBuilder& b) {
    b.Ints("repeats", {1, 2, 1, 3});
    b.Node("Tile", {"x", "repeats"}, {"y"});
  });
  add("Expand", 13, [](OnnxBuilder& b) {
    b.Node("ReduceMean", {"x"}, {"m"}).Ints("axes", {2});
    b.Ints("shape", {3, 1});
    b.Node("Expand", {"m", "shape"}, {"y"});
  });
  add("Pad_2", 10, [](OnnxBuilder& b) {
    b.Node("Pad", {"x"}, {"y"}).Ints("pads", {0, 1, 2, 0, 0, 0, 1, -2}).Float("value", 0.5f);
  });
  for (const char* mode : {"reflect", "edge", "wrap"}) {
    add(std::string("Pad_") + mode, 19, [=](OnnxBuilder& b) {
      b.Ints("pads", {2, 1, 0, 3});
      b.Ints("axes", {-1, 2});
      b.Node("Pad", {"x", "pads", "", "axes"}, {"y"}).Text("mode", mode);
    });
  }
  for (const char* mode : {"DCR", "CRD"}) {
    add(std::string("DepthToSpace_") + mode, 13,
        [=](OnnxBuilder& b) {
          b.Node("DepthToSpace", {"x"}, {"y"}).Int("blocksize", 2).Text("mode", mode);
        },
        {8, 3, 2});
  }
  add("SpaceToDepth", 13,
      [](OnnxBuilder& b) { b.Node("SpaceToDepth", {"x"}, {"y"}).Int("blocksize", 2); }, {3, 4, 6});
  add("Trilu", 14, [](OnnxBuilder& b) {
    b.Int("k", 1);
    b.Node("Trilu", {"x", "k"}, {"y"}).Int("upper", 0);
  });

  // --- resizing
  add("Upsample_9", 9, [](OnnxBuilder& b) {
    b.Floats("scales", {4}, {1, 1, 2, 3});
    b.Node("Upsample", {"x", "scales"}, {"y"});
  });
  add("Resize_10_linear", 10, [](OnnxBuilder& b) {
    b.Floats("scales", {4}, {1, 1, 2, 1.5f});
    b.Node("Resize", {"x", "scales"}, {"y"}).Text("mode", "linear");
  });
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates :
         {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"}) {
      add(std::string("Resize_") + mode + "_" + coordinates, 13,
          Resize(mode, coordinates, {1, 1, 2, 0.5f}));
    }
  }
  for (const char* nearest : {"round_prefer_ceil", "floor", "ceil"}) {
    add(std::string("Resize_nearest_") + nearest, 13,
        Resize("nearest", "half_pixel", {1, 1, 2, 0.5f}, nearest));
  }
  add("Resize_sizes", 18, [](OnnxBuilder& b) {
    b.Ints("sizes", {7, 9});
    b.Node("Resize", {"x", "", "", "sizes"}, {"y"}).Text("mode", "linear").Ints("axes", {2, 3});
  });

  // --- constants
  add("If_and_Range", 13, [](OnnxBuilder& b) {
    ::assay::onnx::GraphProto branches[2];
    for (int i = 0; i < 2; ++i) {
      branches[i].set_name(i == 0 ? "yes" : "no");
      auto* const node = branches[i].add_node();
      node->set_op_type(i == 0 ? "Relu" : "Tanh");
      node->add_input("x");
      node->add_output("out");
      branches[i].add_output()->set_name("out");
    }
    b.Bools("condition", {}, {false});
    b.Node("If", {"condition"}, {"r"})
        .Graph("then_branch", branches[0])
        .Graph("else_branch", branches[1]);
    b.Floats("start", {}, {0});
    b.Floats("limit", {}, {3});
    b.Floats("delta", {}, {0.5f});
    b.Node("Range", {"start", "limit", "delta"}, {"range"});
    b.Node("Add", {"r", "range"}, {"y"});
  });
  add("ConstantOfShape_Size", 13, [](OnnxBuilder& b) {
    b.Node("Shape", {"x"}, {"s"});
    b.Ints("from", {2});
    b.Ints("to", {4});
    b.Node("Slice", {"s", "from", "to"}, {"hw"});
    b.Node("ConstantOfShape", {"hw"}, {"zeros"});
    b.Node("Size", {"zeros"}, {"size"});
    b.Node("Cast", {"size"}, {"f"}).Int("to", 1);
    b.Node("Add", {"x", "zeros"}, {"z"});
    b.Node("Div", {"z", "f"}, {"y"});
  });
  return cases;
}

// The model of a case, whose output is flattened to one row for each image.
OnnxBuilder Model(const Case& c, bool batch_of_one) {
  std::vector<int64_t> input = {batch_of_one ? 1 : -1};
  input.insert(input.end(), c.image.begin(), c.image.end());
  OnnxBuilder builder(c.opset, input);
  c.build(builder);
  for (auto& node : *builder.graph().mutable_node()) {
    for (auto& output : *node.mutable_output()) {
      if (output == "y") output = "result";
    }
  }
  builder.Node("Flatten", {"result"}, {"y"});
  return builder;
}

std::vector<float> Images(const Case& c) {
  size_t size = kImages;
  for (const int64_t axis : c.image) size *= static_cast<size_t>(axis);
  return OnnxBuilder::Numbers(size, 99);
}

// "NAME: number number ..." a line.
std::map<std::string, std::vector<float>> Golden() {
  std::map<std::string, std::vector<float>> golden;
  std::ifstream file(ASSAY_SOURCE_DIR "/tests/server/engine/import/onnx_operators_golden.txt");
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    std::vector<float>& numbers = golden[line.substr(0, line.find(':'))];
    for (std::string word; words >> word;) numbers.push_back(std::strtof(word.c_str(), nullptr));
  }
  return golden;
}

class OnnxOperators : public ::testing::TestWithParam<Case> {};

TEST_P(OnnxOperators, GiveOnnxRuntimesNumbersForAnyNumberOfImages) {
  const Case& c = GetParam();
  const std::vector<float> pixels = Images(c);
  if (const char* directory = std::getenv("ASSAY_WRITE_ONNX")) {
    const std::string path = std::string(directory) + "/" + c.name;
    std::ofstream model(path + ".onnx", std::ios::binary);
    ASSERT_TRUE(Model(c, false).model().SerializeToOstream(&model));
    std::ofstream images(path + ".images", std::ios::binary);
    images.write(reinterpret_cast<const char*>(pixels.data()),
                 static_cast<std::streamsize>(pixels.size() * sizeof(float)));
    GTEST_SKIP() << "written";
  }
  const std::vector<float> expected = Golden()[c.name];
  ASSERT_FALSE(expected.empty()) << "no golden numbers";
  for (const bool batch_of_one : {false, true}) {
    const std::string path = Model(c, batch_of_one).Save(c.name);
    auto imported = ImportOnnx(path);
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_EQ(imported->batch, batch_of_one ? OnnxBatch::kFreed : OnnxBatch::kFree);
    const at::Tensor images =
        at::tensor(pixels).view({kImages, c.image[0], c.image[1], c.image[2]});
    for (const int batch : {kImages, 1}) {
      std::vector<at::Tensor> parts;
      for (int i = 0; i < kImages; i += batch) {
        parts.push_back(imported->module.forward({images.slice(0, i, i + batch)}).toTensor());
      }
      const at::Tensor logits = at::cat(parts).contiguous();
      ASSERT_EQ(static_cast<size_t>(logits.numel()), expected.size());
      EXPECT_EQ(logits.size(1), imported->num_classes);
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(logits.data_ptr<float>()[i], expected[i], 1e-5 + 1e-5 * std::abs(expected[i]))
            << "number " << i << " of batches of " << batch;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, OnnxOperators, ::testing::ValuesIn(Cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace assay::engine
