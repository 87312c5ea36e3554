// ONNX models built in tests, operator by operator.
#ifndef ASSAY_TESTS_SERVER_ENGINE_IMPORT_ONNX_BUILDER_H_
#define ASSAY_TESTS_SERVER_ENGINE_IMPORT_ONNX_BUILDER_H_

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "assay/import/onnx.pb.h"
#include "gtest/gtest.h"

namespace assay::engine {

// The attributes of a node, one after the other.
class OnnxNode {
 public:
  explicit OnnxNode(::assay::onnx::NodeProto* node) : node_(node) {}

  OnnxNode& Int(const std::string& name, int64_t value) {
    Add(name, 2)->set_i(value);
    return *this;
  }
  OnnxNode& Float(const std::string& name, float value) {
    Add(name, 1)->set_f(value);
    return *this;
  }
  OnnxNode& Text(const std::string& name, const std::string& value) {
    Add(name, 3)->set_s(value);
    return *this;
  }
  OnnxNode& Ints(const std::string& name, const std::vector<int64_t>& values) {
    auto* const attribute = Add(name, 7);
    for (const int64_t value : values) attribute->add_ints(value);
    return *this;
  }
  OnnxNode& Graph(const std::string& name, const ::assay::onnx::GraphProto& graph) {
    *Add(name, 5)->mutable_g() = graph;
    return *this;
  }
  ::assay::onnx::NodeProto& proto() { return *node_; }

 private:
  ::assay::onnx::AttributeProto* Add(const std::string& name, int32_t type) {
    auto* const attribute = node_->add_attribute();
    attribute->set_name(name);
    attribute->set_type(type);
    return attribute;
  }

  ::assay::onnx::NodeProto* node_;
};

// A model with the input "x" and the output "y".
class OnnxBuilder {
 public:
  // -1 is a size that the file leaves open.
  explicit OnnxBuilder(int64_t opset, const std::vector<int64_t>& input = {-1, 2, 3, 4}) {
    model_.set_ir_version(8);
    model_.set_producer_name("test");
    model_.set_producer_version("1");
    model_.add_opset_import()->set_version(opset);
    graph().set_name("graph");
    auto* const x = graph().add_input();
    x->set_name("x");
    x->mutable_type()->mutable_tensor_type()->set_elem_type(1);
    auto* const shape = x->mutable_type()->mutable_tensor_type()->mutable_shape();
    for (const int64_t size : input) {
      auto* const dimension = shape->add_dim();
      if (size < 0) {
        dimension->set_dim_param("N");
      } else {
        dimension->set_dim_value(size);
      }
    }
    auto* const y = graph().add_output();
    y->set_name("y");
    y->mutable_type()->mutable_tensor_type()->set_elem_type(1);
  }

  ::assay::onnx::ModelProto& model() { return model_; }
  ::assay::onnx::GraphProto& graph() { return *model_.mutable_graph(); }

  OnnxNode Node(const std::string& type, const std::vector<std::string>& inputs,
                const std::vector<std::string>& outputs) {
    auto* const node = graph().add_node();
    node->set_op_type(type);
    node->set_name(absl::StrCat(type, "_", graph().node_size()));
    for (const std::string& input : inputs) node->add_input(input);
    for (const std::string& output : outputs) node->add_output(output);
    return OnnxNode(node);
  }

  void Floats(const std::string& name, const std::vector<int64_t>& dims,
              const std::vector<float>& values) {
    auto* const tensor = Add(name, 1, dims);
    for (const float value : values) tensor->add_float_data(value);
  }
  // As many numbers as the shape has, between -1 and 1, in no order.
  void Weights(const std::string& name, const std::vector<int64_t>& dims) {
    size_t count = 1;
    for (const int64_t size : dims) count *= static_cast<size_t>(size);
    Floats(name, dims, Numbers(count, ++seed_));
  }
  void Ints(const std::string& name, const std::vector<int64_t>& values) {
    auto* const tensor = Add(name, 7, {static_cast<int64_t>(values.size())});
    for (const int64_t value : values) tensor->add_int64_data(value);
  }
  void Int(const std::string& name, int64_t value) { Add(name, 7, {})->add_int64_data(value); }
  void Bools(const std::string& name, const std::vector<int64_t>& dims,
             const std::vector<bool>& values) {
    auto* const tensor = Add(name, 9, dims);
    for (const bool value : values) tensor->add_int32_data(value ? 1 : 0);
  }

  static std::vector<float> Numbers(size_t count, uint32_t seed) {
    std::vector<float> numbers;
    uint32_t state = seed * 2654435761u + 12345u;
    for (size_t i = 0; i < count; ++i) {
      state = state * 1664525u + 1013904223u;
      numbers.push_back(static_cast<float>(state >> 8) / 8388608.0F - 1);
    }
    return numbers;
  }

  // The path of the file.
  std::string Save(const std::string& name = "model") const {
    const std::string path =
        absl::StrCat(::testing::TempDir(), "/assay_onnx_", getpid(), "_", name, ".onnx");
    std::ofstream file(path, std::ios::binary);
    EXPECT_TRUE(model_.SerializeToOstream(&file)) << path;
    return path;
  }

 private:
  ::assay::onnx::TensorProto* Add(const std::string& name, int32_t type,
                                  const std::vector<int64_t>& dims) {
    auto* const tensor = graph().add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(type);
    for (const int64_t size : dims) tensor->add_dims(size);
    return tensor;
  }

  ::assay::onnx::ModelProto model_;
  uint32_t seed_ = 0;
};

}  // namespace assay::engine

#endif  // ASSAY_TESTS_SERVER_ENGINE_IMPORT_ONNX_BUILDER_H_
