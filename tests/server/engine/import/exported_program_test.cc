// The real files (torch-2.6/, torch-2.14/ of models2x) against what the PyTorch that wrote them
// computed, and small programs that are written out here, against what ATen computes.
#include "server/engine/import/exported_program.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/passes/frozen_graph_optimizations.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "server/engine/import/missing_operators.h"
#include "server/engine/import/rewrite_detach.h"
#include "tests/server/engine/import/archives.h"
#include "tests/server/engine/import/expected.h"
#include "tests/test_data.h"

namespace assay::engine {
namespace {

using ::testing::HasSubstr;
namespace jit = torch::jit;

// --- passes

struct Passed {
  at::Tensor logits, gradient;
};

// The gradient by the images of the sum of factors * logits.
Passed Pass(jit::Module module, const at::Tensor& images, const at::Tensor& factors) {
  jit::GraphOptimizerEnabledGuard no_optimizer(false);
  const at::Tensor input = images.clone().requires_grad_(true);
  const at::Tensor logits = module.forward({input.clone()}).toTensor();
  const at::Tensor gradient =
      torch::autograd::grad({(logits * factors).sum()}, {input}, {}, /*retain_graph=*/{},
                            /*create_graph=*/false, /*allow_unused=*/true)[0];
  return {logits.detach(), gradient.defined() ? gradient : at::zeros_like(images)};
}

double Difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return 1e30;
  return (a - b).abs().max().item<double>();
}

// --- the real files

class RealPrograms : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(RealPrograms, GiveTheLogitsAndGradientsOfTheirPyTorch) {
  RegisterMissingOperators();
  const auto [folder, name] = GetParam();
  ASSAY_TEST_DATA_OR_SKIP(path, absl::StrCat("models2x/", folder, "/", name, ".pt2"));
  ASSAY_TEST_DATA_OR_SKIP(expected, absl::StrCat("models2x/", folder, "/expected.npz"));
  ExportedProgramInfo info;
  auto imported = ImportExportedProgram(path, &info);
  ASSERT_TRUE(imported.ok()) << imported.status();
  jit::Module& module = *imported;
  EXPECT_FALSE(module.is_training());
  EXPECT_EQ(info.batch, 0);
  EXPECT_EQ(info.layout, folder == "torch-2.6" ? ProgramLayout::kFlat : ProgramLayout::kPackage);
  EXPECT_THAT(info.writer, HasSubstr(absl::StrReplaceAll(folder, {{"torch-", "PyTorch "}})));

  const at::Tensor images = ReadExpected(expected, "input");
  const at::Tensor logits = ReadExpected(expected, absl::StrCat(name, "_logits"));
  const at::Tensor gradient = ReadExpected(expected, absl::StrCat(name, "_gradient"));
  const at::Tensor factors = GradientWeights(6, 10);
  double logit_difference = 0, gradient_difference = 0;
  const auto compare = [&](const jit::Module& form, int64_t first, int64_t count) {
    const Passed passed =
        Pass(form, images.slice(0, first, first + count), factors.slice(0, first, first + count));
    logit_difference = std::max(logit_difference,
                                Difference(passed.logits, logits.slice(0, first, first + count)));
    gradient_difference = std::max(
        gradient_difference, Difference(passed.gradient, gradient.slice(0, first, first + count)));
  };
  for (const int64_t batch : {6, 1, 2, 3, 4}) {
    for (int64_t first = 0; first + batch <= 6; first += batch) compare(module, first, batch);
  }
  // Forms that the engine runs.
  {
    jit::GraphOptimizerEnabledGuard optimizer(true);
    jit::Module frozen = jit::freeze(module.clone());
    compare(frozen, 0, 6);
    jit::Module copy = module.clone();
    jit::Module optimized = jit::optimize_for_inference(copy);
    c10::InferenceMode no_gradients;
    jit::GraphOptimizerEnabledGuard no_optimizer(false);
    logit_difference = std::max(logit_difference,
                                Difference(optimized.forward({images.clone()}).toTensor(), logits));
  }
  std::stringstream saved;
  module.save(saved);
  jit::Module loaded = jit::load(saved);
  compare(loaded, 0, 6);
  RecordProperty("logit_difference", absl::StrCat(logit_difference));
  std::cout << folder << " " << name << ": logits within " << logit_difference
            << ", gradients within " << gradient_difference << "\n";
  EXPECT_LT(logit_difference, 1e-5);
  EXPECT_LT(gradient_difference, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, RealPrograms,
                         ::testing::Combine(::testing::Values("torch-2.6", "torch-2.14"),
                                            ::testing::Values("resnet", "convnext", "efficientnet",
                                                              "sdpa", "vit")));

// --- programs that are written out

constexpr char kLeaf[] = R"({"type": null, "context": null, "children_spec": []})";
constexpr char kFlatten[] =
    R"({"target": "torch.ops.aten.flatten.using_ints", "metadata": {}, "inputs": [
          {"name": "self", "arg": {"as_tensor": {"name": "x"}}},
          {"name": "start_dim", "arg": {"as_int": 1}}],
        "outputs": [{"as_tensor": {"name": "flat"}}]})";
constexpr char kLinear[] =
    R"({"target": "torch.ops.aten.linear.default", "metadata": {}, "inputs": [
          {"name": "input", "arg": {"as_tensor": {"name": "flat"}}},
          {"name": "weight", "arg": {"as_tensor": {"name": "p_w"}}}],
        "outputs": [{"as_tensor": {"name": "logits"}}]})";

// A node with the inputs and outputs that are given as JSON.
std::string Node(const std::string& target,
                 const std::vector<std::pair<std::string, std::string>>& inputs,
                 const std::string& outputs) {
  return absl::StrCat(R"({"target": ")", target, R"(", "metadata": {}, "inputs": [)",
                      absl::StrJoin(inputs, ", ",
                                    [](std::string* out, const auto& input) {
                                      absl::StrAppend(out, R"({"name": ")", input.first,
                                                      R"(", "arg": )", input.second, "}");
                                    }),
                      R"(], "outputs": [)", outputs, "]}");
}

std::string T(const std::string& name) {
  return absl::StrCat(R"({"as_tensor": {"name": ")", name, R"("}})");
}

std::string Meta(const std::string& sizes, int dtype = 7) {
  return absl::StrCat(R"({"dtype": )", dtype, R"(, "sizes": )", sizes,
                      R"(, "requires_grad": false, "device": {"type": "cpu"}, "strides": [], )"
                      R"("storage_offset": {"as_int": 0}, "layout": 7})");
}

// A program that takes x, N x 3 x 2 x 2, and has the parameter w, 2 x 12, the buffer b, 2, and the
// integer buffer n. Its parts can be replaced.
struct Program {
  std::string nodes = absl::StrCat(kFlatten, ", ", kLinear);
  std::string inputs =
      R"({"parameter": {"arg": {"name": "p_w"}, "parameter_name": "w"}},
         {"buffer": {"arg": {"name": "b_b"}, "buffer_name": "b", "persistent": true}},
         {"buffer": {"arg": {"name": "b_n"}, "buffer_name": "n", "persistent": true}},
         {"user_input": {"arg": {"as_tensor": {"name": "x"}}}})";
  std::string outputs = R"({"user_output": {"arg": {"as_tensor": {"name": "logits"}}}})";
  std::string out_spec = kLeaf;
  std::string batch = "{\"as_expr\": {\"expr_str\": \"Symbol('s0')\"}}";
  int type = 7;
  std::string schema = R"({"major": 8, "minor": 20})";

  std::string Json() const {
    return absl::StrCat(
        R"({"graph_module": {"graph": {"inputs": [], "outputs": [], "nodes": [)", nodes,
        R"(], "tensor_values": {"x": )",
        Meta(absl::StrCat("[", batch, R"(, {"as_int": 3}, {"as_int": 2}, {"as_int": 2}])"), type),
        R"(, "flat": )", Meta("[]"), R"(, "counts": )", Meta("[]", 5),
        R"(}, "sym_int_values": {}, "sym_bool_values": {}}, "signature": {"input_specs": [)",
        inputs, R"(], "output_specs": [)", outputs,
        R"(]}, "module_call_graph": [{"fqn": "", "signature": {"inputs": [], "outputs": [], )",
        R"("in_spec": "", "out_spec": ")",
        absl::StrReplaceAll(absl::StrCat("[1, ", out_spec, "]"), {{"\\", "\\\\"}, {"\"", "\\\""}}),
        R"("}}]}, "opset_version": {"aten": 10}, "range_constraints": {}, )",
        R"("torch_version": "2.14.1", "schema_version": )", schema, "}");
  }
};

std::vector<float> Weight() {
  std::vector<float> weight;
  for (int i = 0; i < 24; ++i) weight.push_back(static_cast<float>((i * 7) % 11) / 11 - 0.5f);
  return weight;
}

at::Tensor WeightTensor() { return at::tensor(Weight()).view({2, 12}); }

std::string Payload(const std::string& file, const std::string& sizes, const std::string& strides,
                    int dtype = 7) {
  return absl::StrCat(R"({"path_name": ")", file,
                      R"(", "is_param": true, "use_pickle": false, "tensor_meta": {"dtype": )",
                      dtype, R"(, "sizes": )", sizes, R"(, "requires_grad": false, "device": )",
                      R"({"type": "cpu"}, "strides": )", strides,
                      R"(, "storage_offset": {"as_int": 0}, "layout": 7}})");
}

Records PackageRecords(const std::string& program) {
  return {
      {"m/archive_format", "pt2"},
      {"m/archive_version", "0"},
      {"m/byteorder", "little"},
      {"m/models/model.json", program},
      {"m/data/weights/model_weights_config.json",
       absl::StrCat(R"({"config": {"w": )",
                    Payload("weight_0", R"([{"as_int": 2}, {"as_int": 12}])",
                            R"([{"as_int": 12}, {"as_int": 1}])"),
                    R"(, "b": )", Payload("weight_1", R"([{"as_int": 2}])", R"([{"as_int": 1}])"),
                    R"(, "n": )", Payload("weight_2", "[]", "[]", 5), "}}")},
      {"m/data/weights/weight_0", BytesOf(Weight())},
      {"m/data/weights/weight_1", BytesOf({0.25, -1})},
      {"m/data/weights/weight_2", std::string(8, '\0')},
      {"m/data/constants/model_constants_config.json", R"({"config": {}})"}};
}

Records FlatRecords(const std::string& program) {
  return {{"serialized_exported_program.json", program},
          {"serialized_state_dict.pt",
           Saved(PickledDict({{"w", PickledTensor("0", 24, 0, {2, 12}, {12, 1})},
                              {"b", PickledTensor("1", 2, 0, {2}, {1})},
                              {"n", PickledTensor("1", 2, 0, {}, {})}}),
                 {{"0", BytesOf(Weight())}, {"1", BytesOf({0.25, -1})}})},
          {"serialized_constants.pt", Saved(PickledDict({}), {})},
          {"version", "8.2"}};
}

absl::StatusOr<jit::Module> Import(const Records& records, ExportedProgramInfo* info = nullptr) {
  const TemporaryFile file(ZipOf(records));
  return ImportExportedProgram(file.path(), info);
}

absl::StatusOr<jit::Module> Import(const Program& program, ExportedProgramInfo* info = nullptr) {
  return Import(PackageRecords(program.Json()), info);
}

std::string ErrorOf(const Records& records) {
  const auto module = Import(records);
  return module.ok() ? "no error" : std::string(module.status().message());
}

std::string ErrorOf(const Program& program) { return ErrorOf(PackageRecords(program.Json())); }

at::Tensor Images(int64_t count) {
  return at::arange(count * 12, at::kFloat).view({count, 3, 2, 2}) / 17 - 1;
}

// The logits of a program that replaces flatten and linear by `nodes`.
at::Tensor LogitsOf(const std::string& nodes, int64_t count = 3) {
  Program program;
  program.nodes = nodes;
  auto module = Import(program);
  if (!module.ok()) {
    ADD_FAILURE() << module.status();
    return at::zeros({0});
  }
  jit::GraphOptimizerEnabledGuard no_optimizer(false);
  return module->forward({Images(count)}).toTensor();
}

TEST(ExportedProgram, BothLayoutsGiveWhatTheProgramSays) {
  for (const Records& records : {PackageRecords(Program().Json()), FlatRecords(Program().Json())}) {
    ExportedProgramInfo info;
    auto module = Import(records, &info);
    ASSERT_TRUE(module.ok()) << module.status();
    EXPECT_EQ(info.writer, "PyTorch 2.14.1");
    EXPECT_EQ(info.schema, "8.20");
    EXPECT_EQ(info.batch, 0);
    const Passed passed = Pass(*module, Images(3), at::ones({3, 2}));
    EXPECT_EQ(Difference(passed.logits, at::linear(Images(3).flatten(1), WeightTensor())), 0);
    EXPECT_LT(Difference(passed.gradient.flatten(1), WeightTensor().sum(0).expand({3, 12})), 1e-6);
    // Unused buffers are not in the module.
    EXPECT_EQ(module->parameters().size(), 1);
    EXPECT_EQ(module->buffers().size(), 0);
  }
}

TEST(ExportedProgram, PickledTensorsInAPackageAreRead) {
  // As the first writers of packages left them.
  const Records flat = FlatRecords("");
  auto module = Import(Records{{"m/archive_format", "pt2"},
                               {"m/models/model.json", Program().Json()},
                               {"m/data/weights/model.pt", flat[1].second},
                               {"m/data/constants/model.pt", flat[2].second}});
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(Difference(Pass(*module, Images(2), at::ones({2, 2})).logits,
                       at::linear(Images(2).flatten(1), WeightTensor())),
            0);
}

TEST(ExportedProgram, FilesAreRecognisedByTheirRecords) {
  const auto layout = [](const Records& records) {
    const TemporaryFile file(ZipOf(records));
    ExportedProgramInfo info;
    ImportExportedProgram(file.path(), &info).IgnoreError();
    return info.layout;
  };
  EXPECT_EQ(layout(PackageRecords("{}")), ProgramLayout::kPackage);
  EXPECT_EQ(layout(FlatRecords("{}")), ProgramLayout::kFlat);
  EXPECT_EQ(layout({{"m/archive_format", "pt2"}, {"m/data/aotinductor/model/a.so", ""}}),
            ProgramLayout::kCompiled);
  EXPECT_EQ(layout({{"data/aotinductor/model/a.so", ""}}), ProgramLayout::kCompiled);
  EXPECT_EQ(layout({{"m/data.pkl", ""}, {"m/constants.pkl", ""}, {"m/version", "3"}}),
            ProgramLayout::kNone);
  EXPECT_FALSE(ImportExportedProgram("/nowhere").ok());
  EXPECT_THAT(ErrorOf(Records{{"m/archive_format", "pt2"}, {"m/data/aotinductor/m/a.so", ""}}),
              HasSubstr("AOTInductor package"));
  EXPECT_THAT(ErrorOf(Records{{"m/data.pkl", ""}}), HasSubstr("not an exported program"));
}

TEST(ExportedProgram, TheFormOfPyTorch21IsRead) {
  // Names in the signature by role, one number for the version of the schema, and pickled tensors
  // in records that end in .json.
  std::string json = absl::StrReplaceAll(
      Program().Json(),
      {{R"({"major": 8, "minor": 20})", "1"}, {R"("torch_version": "2.14.1", )", ""}});
  const size_t signature = json.find(R"("signature": {"input_specs")");
  json.replace(signature, json.find(R"("module_call_graph")") - signature,
               R"("signature": {"inputs_to_parameters": {"p_w": "w"}, "inputs_to_buffers": {},
                  "user_inputs": ["x"], "user_outputs": ["logits"], "buffers_to_mutate": {},
                  "backward_signature": null}, )");
  Records records = FlatRecords(json);
  records[1].first = "serialized_state_dict.json";
  records.erase(records.begin() + 2);
  ExportedProgramInfo info;
  auto module = Import(records, &info);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(info.schema, "1");
  EXPECT_EQ(Difference(Pass(*module, Images(2), at::ones({2, 2})).logits,
                       at::linear(Images(2).flatten(1), WeightTensor())),
            0);
}

TEST(ExportedProgram, ABatchThatWasBuiltInIsTold) {
  Program program;
  program.batch = R"({"as_int": 4})";
  ExportedProgramInfo info;
  auto module = Import(program, &info);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(info.batch, 4);
}

TEST(ExportedProgram, NumbersOfTheSchemaAreNotThoseOfC10) {
  // The schema's double is 8, c10's 7; its channels_last 2 is also c10's, its contiguous 1 is 0.
  const std::string nodes = absl::StrCat(
      Node("torch.ops.aten.to.dtype", {{"self", T("x")}, {"dtype", R"({"as_scalar_type": 8})"}},
           T("wide")),
      ", ",
      Node("torch.ops.aten.clone.default",
           {{"self", T("wide")}, {"memory_format", R"({"as_memory_format": 1})"}}, T("logits")));
  EXPECT_EQ(LogitsOf(nodes).scalar_type(), at::kDouble);
  // A number where a type should be is not taken for one.
  Program program;
  program.nodes = absl::StrReplaceAll(nodes, {{R"("as_scalar_type": 8)", R"("as_int": 7)"}});
  EXPECT_THAT(ErrorOf(program), HasSubstr("argument dtype of aten::to is of kind as_int"));
  program.nodes =
      absl::StrReplaceAll(nodes, {{R"("as_scalar_type": 8)", R"("as_scalar_type": 29)"}});
  EXPECT_THAT(ErrorOf(program), HasSubstr("tensor type 29"));
}

TEST(ExportedProgram, SymbolicSizesAreComputed) {
  const auto operation = [](const std::string& name, const std::string& a, const std::string& b,
                            const std::string& result) {
    return Node("_operator." + name, {{"a", a}, {"b", b}},
                absl::StrCat(R"({"as_sym_int": {"as_name": ")", result, R"("}})"));
  };
  const auto symbol = [](const std::string& name) {
    return absl::StrCat(R"({"as_sym_int": {"as_name": ")", name, R"("}})");
  };
  const std::string nodes = absl::StrCat(
      Node("torch.ops.aten.sym_size.int", {{"self", T("x")}, {"dim", R"({"as_int": 0})"}},
           symbol("n")),
      ", ", operation("mul", symbol("n"), R"({"as_int": 4})", "n4"), ", ",
      operation("floordiv", symbol("n4"), R"({"as_int": 2})", "n2"), ", ",
      operation("add", symbol("n2"), R"({"as_int": 0})", "same"), ", ",
      // Whatever checks sizes has no part in the output.
      operation("ge", symbol("n"), R"({"as_int": 0})", "unused"), ", ",
      Node("torch.ops.aten._assert_scalar.default",
           {{"self", R"({"as_sym_bool": {"as_name": "unused"}})"},
            {"assert_msg", R"({"as_string": "n >= 0"})"}},
           ""),
      ", ",
      Node("torch.ops.aten.view.default",
           {{"self", T("x")}, {"size", R"({"as_sym_ints": [{"as_name": "same"}, {"as_int": 6}]})"}},
           T("logits")));
  EXPECT_EQ(LogitsOf(nodes, 5).sizes(), (std::vector<int64_t>{10, 6}));
  Program program;
  program.nodes = absl::StrReplaceAll(nodes, {{"_operator.add", "_operator.pow"}});
  EXPECT_THAT(ErrorOf(program), HasSubstr("computes a size by _operator.pow"));
}

TEST(ExportedProgram, ListsOfTensorsAreTakenAndReturned) {
  const std::string nodes = absl::StrCat(
      Node("torch.ops.aten.unbind.int", {{"self", T("x")}, {"dim", R"({"as_int": 1})"}},
           R"({"as_tensors": [{"name": "a"}, {"name": "b"}, {"name": "c"}]})"),
      ", ",
      Node("torch.ops.aten.cat.default",
           {{"tensors", R"({"as_tensors": [{"name": "c"}, {"name": "a"}]})"},
            {"dim", R"({"as_int": 1})"}},
           T("joined")),
      ", ",
      Node("torch.ops.aten.index.Tensor",
           {{"self", T("joined")},
            {"indices",
             R"({"as_optional_tensors": [{"as_none": true}, {"as_tensor": {"name": "k"}}]})"}},
           T("logits")));
  const std::string index = Node(
      "torch.ops.aten.arange.default",
      {{"end", R"({"as_int": 2})"}, {"device", R"({"as_device": {"type": "cuda", "index": 0}})"}},
      T("k"));
  const at::Tensor x = Images(3);
  EXPECT_EQ(Difference(LogitsOf(absl::StrCat(index, ", ", nodes)), x.select(1, 2)), 0);
}

TEST(ExportedProgram, NumbersStandForTensors) {
  // 3 - x, x * 0.5, and infinity as Python writes it.
  const std::string nodes =
      absl::StrCat(Node("torch.ops.aten.sub.Tensor",
                        {{"self", R"({"as_int": 3})"}, {"other", T("x")}}, T("flat")),
                   ", ",
                   Node("torch.ops.aten.sub.Tensor",
                        {{"self", R"({"as_int": 3})"}, {"other", T("flat")}}, T("again")),
                   ", ",
                   Node("torch.ops.aten.mul.Tensor",
                        {{"self", T("again")}, {"other", R"({"as_float": 0.5})"}}, T("half")),
                   ", ",
                   Node("torch.ops.aten.clamp.default",
                        {{"self", T("half")},
                         {"min", R"({"as_float": -Infinity})"},
                         {"max", R"({"as_float": "Infinity"})"}},
                        T("logits")));
  EXPECT_LT(Difference(LogitsOf(nodes), Images(3) * 0.5), 1e-6);
}

TEST(ExportedProgram, FunctionalFormsBecomeTheOperatorsThatTheyArePartsOf) {
  Program program;
  const std::string norm = Node("torch.ops.aten.native_layer_norm.default",
                                {{"input", T("flat")},
                                 {"normalized_shape", R"({"as_ints": [12]})"},
                                 {"weight", R"({"as_none": true})"},
                                 {"bias", R"({"as_none": true})"},
                                 {"eps", R"({"as_float": 1e-05})"}},
                                absl::StrCat(T("normed"), ", ", T("mean"), ", ", T("rstd")));
  const std::string softmax = Node("torch.ops.aten._softmax.default",
                                   {{"self", T("normed")},
                                    {"dim", R"({"as_int": 1})"},
                                    {"half_to_float", R"({"as_bool": false})"}},
                                   T("logits"));
  program.nodes = absl::StrCat(kFlatten, ", ", norm, ", ", softmax);
  auto module = Import(program);
  ASSERT_TRUE(module.ok()) << module.status();
  const std::string code = module->get_method("forward").graph()->toString();
  EXPECT_THAT(code, HasSubstr("aten::layer_norm("));
  EXPECT_THAT(code, HasSubstr("aten::softmax("));
  EXPECT_LT(Difference(module->forward({Images(3)}).toTensor(),
                       at::softmax(at::layer_norm(Images(3).flatten(1), {12}), 1)),
            1e-6);
  // Whoever reads the other results gets them.
  program.nodes = absl::StrCat(kFlatten, ", ", norm, ", ",
                               Node("torch.ops.aten.mul.Tensor",
                                    {{"self", T("normed")}, {"other", T("rstd")}}, T("logits")));
  auto whole = Import(program);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_THAT(whole->get_method("forward").graph()->toString(),
              HasSubstr("aten::native_layer_norm("));
}

std::string NoGradRegion(const std::string& nodes, const char* enabled = "false") {
  return Node("torch.ops.higher_order.wrap_with_set_grad_enabled",
              {{"", absl::StrCat(R"({"as_bool": )", enabled, "}")},
               {"", absl::StrCat(R"({"as_graph": {"name": "submod_1", "graph": {"inputs": [)",
                                 T("x"), R"(], "outputs": [)", T("mul"), R"(], "nodes": [)", nodes,
                                 R"(], "tensor_values": {}}}})")},
               {"", T("x")}},
              R"({"as_tensors": [{"name": "twice"}]})");
}

TEST(ExportedProgram, RegionsWithoutGradientsHaveNone) {
  const std::string twice = Node("torch.ops.aten.mul.Scalar",
                                 {{"self", T("x")}, {"other", R"({"as_int": 2})"}}, T("mul"));
  const std::string sum =
      Node("torch.ops.aten.add.Tensor", {{"self", T("x")}, {"other", T("twice")}}, T("logits"));
  for (const bool enabled : {false, true}) {
    Program program;
    program.nodes = absl::StrCat(NoGradRegion(twice, enabled ? "true" : "false"), ", ", sum);
    auto module = Import(program);
    ASSERT_TRUE(module.ok()) << module.status();
    const Passed passed = Pass(*module, Images(2), at::ones({2, 3, 2, 2}));
    EXPECT_LT(Difference(passed.logits, Images(2) * 3), 1e-6);
    EXPECT_LT(Difference(passed.gradient, at::full({2, 3, 2, 2}, enabled ? 3 : 1)), 1e-6);
  }
  Program program;
  program.nodes =
      absl::StrCat(NoGradRegion(Node("torch.ops.aten.mul_.Scalar",
                                     {{"self", T("x")}, {"other", R"({"as_int": 2})"}}, T("mul"))),
                   ", ", sum);
  EXPECT_THAT(ErrorOf(program), HasSubstr("in place (torch.ops.aten.mul_.Scalar) within"));
  program.nodes =
      absl::StrCat(NoGradRegion(twice), ", ",
                   Node("torch.ops.aten.mul_.Scalar",
                        {{"self", T("twice")}, {"other", R"({"as_int": 2})"}}, T("changed")),
                   ", ", sum);
  EXPECT_THAT(ErrorOf(program), HasSubstr("changes in place what it computed without gradients"));
}

TEST(ExportedProgram, WhatIsDetachedHasNoGradient) {
  Program program;
  program.nodes = absl::StrCat(
      Node("torch.ops.aten.detach.default", {{"self", T("x")}}, T("detached")), ", ",
      Node("torch.ops.aten.mul.Tensor", {{"self", T("x")}, {"other", T("detached")}}, T("logits")));
  auto module = Import(program);
  ASSERT_TRUE(module.ok()) << module.status();
  // Nor in a frozen module, as models are read.
  ASSERT_TRUE(RewriteDetach(*module).ok());
  jit::GraphOptimizerEnabledGuard optimizer(true);
  for (const jit::Module& form : {*module, jit::freeze(*module)}) {
    const Passed passed = Pass(form, Images(2), at::ones({2, 3, 2, 2}));
    EXPECT_EQ(Difference(passed.logits, Images(2) * Images(2)), 0);
    EXPECT_EQ(Difference(passed.gradient, Images(2)), 0);
  }
}

TEST(ExportedProgram, ViewsMayBeOfOtherMemoryFormats) {
  Program program;
  program.nodes = Node("torch.ops.aten.view.default",
                       {{"self", T("x")}, {"size", R"({"as_ints": [-1, 12]})"}}, T("logits"));
  auto module = Import(program);
  ASSERT_TRUE(module.ok()) << module.status();
  const at::Tensor images = Images(3).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_EQ(Difference(module->forward({images}).toTensor(), Images(3).flatten(1)), 0);
  // What is changed by a view of it has to be the same memory.
  program.nodes = absl::StrCat(
      Node("torch.ops.aten.clone.default", {{"self", T("x")}}, T("copy")), ", ",
      absl::StrReplaceAll(program.nodes, {{R"("x")", R"("copy")"}, {R"("logits")", R"("view")"}}),
      ", ",
      Node("torch.ops.aten.mul_.Scalar", {{"self", T("view")}, {"other", R"({"as_int": 2})"}},
           T("changed")),
      ", ",
      Node("torch.ops.aten.add.Tensor", {{"self", T("copy")}, {"other", T("x")}}, T("logits")));
  module = Import(program);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(module->get_method("forward").graph()->toString(), HasSubstr("aten::view("));
  EXPECT_LT(Difference(module->forward({Images(3)}).toTensor(), Images(3) * 3), 1e-6);
}

TEST(ExportedProgram, OutputsKeepTheirForm) {
  Program program;
  program.nodes =
      absl::StrCat(program.nodes, ", ",
                   Node("torch.ops.aten.softmax.int",
                        {{"self", T("logits")}, {"dim", R"({"as_int": 1})"}}, T("probabilities")));
  absl::StrAppend(&program.outputs,
                  R"(, {"user_output": {"arg": {"as_tensor": {"name": "probabilities"}}}})");
  program.out_spec = absl::StrCat(
      R"({"type": "builtins.dict", "context": "[\"logits\", \"probabilities\"]", "children_spec": [)",
      kLeaf, ", ", kLeaf, "]}");
  auto module = Import(program);
  ASSERT_TRUE(module.ok()) << module.status();
  const auto dict = module->forward({Images(3)}).toGenericDict();
  EXPECT_EQ(
      Difference(dict.at("logits").toTensor(), at::linear(Images(3).flatten(1), WeightTensor())),
      0);
  EXPECT_LT(Difference(dict.at("probabilities").toTensor().sum(1), at::ones({3})), 1e-6);

  program.out_spec =
      absl::StrCat(R"({"type": "builtins.tuple", "context": "null", "children_spec": [)", kLeaf,
                   ", ", kLeaf, "]}");
  auto tuple = Import(program);
  ASSERT_TRUE(tuple.ok()) << tuple.status();
  EXPECT_EQ(tuple->forward({Images(3)}).toTupleRef().elements().size(), 2);

  program.out_spec = kLeaf;
  EXPECT_THAT(ErrorOf(program), HasSubstr("another number of values"));
}

TEST(ExportedProgram, CountersAreDroppedAndStateThatMattersIsRefused) {
  const std::string count =
      Node("torch.ops.aten.add_.Tensor", {{"self", T("b_n")}, {"other", R"({"as_int": 1})"}},
           T("advanced"));
  Program program;
  program.nodes = absl::StrCat(count, ", ", kFlatten, ", ", kLinear);
  auto module = Import(program);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(module->buffers().size(), 0);

  // The same within torch.no_grad().
  program.nodes = absl::StrCat(
      Node("torch.ops.higher_order.wrap_with_set_grad_enabled",
           {{"", R"({"as_bool": false})"},
            {"", absl::StrCat(R"({"as_graph": {"name": "submod_1", "graph": {"inputs": [)",
                              T("b_n"), R"(], "outputs": [], "nodes": [)", count, "]}}}")},
            {"", T("b_n")}},
           ""),
      ", ", kFlatten, ", ", kLinear);
  EXPECT_EQ(ErrorOf(program), "no error");

  // The logits read what the program changes, by a view of it.
  const std::string add =
      Node("torch.ops.aten.add.Tensor", {{"self", T("plain")}, {"other", T("b_b")}}, T("logits"));
  const std::string linear = absl::StrReplaceAll(kLinear, {{R"("logits")", R"("plain")"}});
  const std::string change =
      absl::StrCat(Node("torch.ops.aten.view.default",
                        {{"self", T("b_b")}, {"size", R"({"as_ints": [2]})"}}, T("view")),
                   ", ",
                   Node("torch.ops.aten.mul_.Tensor",
                        {{"self", T("view")}, {"other", R"({"as_float": 0.5})"}}, T("halved")));
  program.nodes = absl::StrCat(change, ", ", kFlatten, ", ", linear, ", ", add);
  EXPECT_THAT(ErrorOf(program), HasSubstr("depends on b, which the program changes"));
  EXPECT_THAT(ErrorOf(program), HasSubstr("model.eval()"));

  // The functional form returns it.
  Program functional;
  functional.nodes =
      absl::StrCat(kFlatten, ", ", linear, ", ", add, ", ",
                   Node("torch.ops.aten.mul.Tensor",
                        {{"self", T("b_b")}, {"other", R"({"as_float": 0.5})"}}, T("halved")));
  functional.outputs =
      absl::StrCat(R"({"buffer_mutation": {"arg": {"name": "halved"}, "buffer_name": "b"}}, )",
                   functional.outputs);
  EXPECT_THAT(ErrorOf(functional), HasSubstr("depends on b, which the program changes"));
}

TEST(ExportedProgram, WhatIsNotUnderstoodIsRefusedByItsName) {
  const auto with = [](const std::string& target) {
    Program program;
    program.nodes = Node(target, {{"self", T("x")}}, T("logits"));
    return ErrorOf(program);
  };
  EXPECT_THAT(with("torch.ops.aten.not_yet_there.default"),
              HasSubstr("calls aten::not_yet_there, which LibTorch"));
  EXPECT_THAT(with("torch.ops.aten.not_yet_there.default"), HasSubstr("PyTorch 2.14.1 wrote it"));
  EXPECT_THAT(with("torch.ops.aten.add.NoOverload"), HasSubstr("aten::add.NoOverload"));
  EXPECT_THAT(with("torch.ops.mine.op.default"), HasSubstr("torch.ops.mine.op.default"));
  EXPECT_THAT(with("torch.ops.higher_order.cond"), HasSubstr("higher-order operator cond"));
  EXPECT_THAT(with("os.system"), HasSubstr("os.system"));
  EXPECT_THAT(with("torch.ops.aten.from_file.default"), HasSubstr("opens files"));
  EXPECT_THAT(with("torch.ops.aten.save.default"), HasSubstr("opens files"));

  Program program;
  program.nodes = absl::StrReplaceAll(program.nodes, {{R"("start_dim")", R"("begin_dim")"}});
  EXPECT_THAT(ErrorOf(program), HasSubstr("gives aten::flatten an argument begin_dim"));
  program = Program();
  program.nodes = absl::StrReplaceAll(program.nodes, {{R"("weight")", R"("input")"}});
  EXPECT_THAT(ErrorOf(program), HasSubstr("argument input of aten::linear twice"));
  program = Program();
  program.nodes = absl::StrReplaceAll(program.nodes, {{R"("as_int": 1)", R"("as_string": "1")"}});
  EXPECT_THAT(ErrorOf(program),
              HasSubstr("argument start_dim of aten::flatten is of kind as_string"));
  program = Program();
  program.nodes = kLinear;
  EXPECT_THAT(ErrorOf(program), HasSubstr("uses flat before it is computed"));
  program = Program();
  program.nodes = absl::StrCat(kFlatten, ", ", program.nodes);
  EXPECT_THAT(ErrorOf(program), HasSubstr("computes flat twice"));
}

TEST(ExportedProgram, SignaturesOtherThanOneBatchOfImagesAreRefused) {
  Program program;
  absl::StrAppend(&program.inputs, R"(, {"user_input": {"arg": {"as_tensor": {"name": "y"}}}})");
  EXPECT_THAT(ErrorOf(program), HasSubstr("takes two tensors, x and y"));
  program = Program();
  absl::StrAppend(&program.inputs,
                  R"(, {"user_input": {"arg": {"as_sym_int": {"as_name": "y"}}}})");
  EXPECT_THAT(ErrorOf(program), HasSubstr("an argument of kind as_sym_int"));
  program = Program();
  // A constant of the call, as a flag with its default.
  absl::StrAppend(&program.inputs,
                  R"(, {"constant_input": {"name": "flag", "value": {"as_bool": true}}})");
  EXPECT_EQ(ErrorOf(program), "no error");
  absl::StrAppend(&program.inputs, R"(, {"token": {"arg": {"name": "t"}}})");
  EXPECT_THAT(ErrorOf(program), HasSubstr("an input of kind token"));
  program = Program();
  program.inputs = absl::StrCat(R"({"user_input": {"arg": {"as_none": true}}}, )", program.inputs);
  EXPECT_EQ(ErrorOf(program), "no error");
  program = Program();
  program.type = 6;
  EXPECT_THAT(ErrorOf(program), HasSubstr("images of type Half; export model.float()"));
  program = Program();
  program.inputs = absl::StrReplaceAll(program.inputs,
                                       {{R"("parameter_name": "w")", R"("parameter_name": "v")"}});
  EXPECT_THAT(ErrorOf(program), HasSubstr("holds no tensor v"));
  program = Program();
  program.outputs = R"({"loss_output": {"arg": {"name": "logits"}}})";
  EXPECT_THAT(ErrorOf(program), HasSubstr("an output of kind loss_output"));
  program = Program();
  program.outputs = R"({"user_output": {"arg": {"as_int": 3}}})";
  EXPECT_THAT(ErrorOf(program), HasSubstr("returns a value of kind as_int"));
  program = Program();
  program.schema = R"({"major": 9, "minor": 0})";
  EXPECT_THAT(ErrorOf(program), HasSubstr("version 9.0 of its schema"));
}

TEST(ExportedProgram, ArchivesOtherThanPyTorchWritesThemAreRefused) {
  const std::string program = Program().Json();
  const auto replaced = [&](const std::string& name, const std::string& content) {
    Records records = PackageRecords(program);
    for (auto& record : records) {
      if (record.first == name) record.second = content;
    }
    return ErrorOf(records);
  };
  EXPECT_THAT(replaced("m/byteorder", "big"), HasSubstr("big-endian"));
  EXPECT_THAT(replaced("m/archive_version", "1"), HasSubstr("version 1 of its layout"));
  EXPECT_THAT(replaced("m/models/model.json", "{"), HasSubstr("is not JSON"));
  EXPECT_THAT(replaced("m/models/model.json", "[]"), HasSubstr("names no version"));
  EXPECT_THAT(replaced("m/data/weights/weight_0", ""), HasSubstr("larger than what is stored"));
  const std::string config = PackageRecords("")[4].second;
  const auto configured = [&](const std::string& from, const std::string& to) {
    return replaced("m/data/weights/model_weights_config.json",
                    absl::StrReplaceAll(config, {{from, to}}));
  };
  EXPECT_THAT(configured(R"("use_pickle": false)", R"("use_pickle": true)"),
              HasSubstr("a pickled Python object"));
  EXPECT_THAT(configured(R"("layout": 7)", R"("layout": 1)"), HasSubstr("sparse"));
  EXPECT_THAT(configured(R"({"as_int": 12})", R"({"as_int": -12})"), HasSubstr("no valid shape"));
  EXPECT_THAT(configured(R"({"as_int": 12})", R"({"as_int": 1e3})"),
              HasSubstr("no 64-bit integer"));
  EXPECT_THAT(configured(R"({"as_int": 12})", R"({"as_int": 9223372036854775807})"),
              HasSubstr("no valid shape"));
  EXPECT_THAT(configured("weight_0", "../../etc/passwd"), HasSubstr("no record"));
  Records two = PackageRecords(program);
  two.emplace_back("m/models/other.json", program);
  EXPECT_THAT(ErrorOf(two), HasSubstr("2 exported programs"));
  const TemporaryFile compressed(ZipOf(PackageRecords(program), /*compressed=*/true));
  EXPECT_FALSE(ImportExportedProgram(compressed.path()).ok());
}

// --- damage

// Tries what a changed file gives: an error, or a module that runs or throws.
void Try(const std::string& bytes) {
  const TemporaryFile file(bytes);
  auto module = ImportExportedProgram(file.path());
  if (!module.ok()) {
    EXPECT_FALSE(module.status().message().empty());
    return;
  }
  try {
    jit::GraphOptimizerEnabledGuard no_optimizer(false);
    module->forward({Images(2)});
  } catch (const std::exception&) {
  }
}

TEST(DamagedPrograms, GiveErrors) {
  for (const Records& records : {PackageRecords(Program().Json()), FlatRecords(Program().Json())}) {
    const std::string whole = ZipOf(records);
    for (size_t size = 0; size < whole.size(); size += 37) {
      const TemporaryFile file(whole.substr(0, size));
      EXPECT_FALSE(ImportExportedProgram(file.path()).ok()) << size;
    }
    for (size_t at = 0; at < whole.size(); at += 11) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
      Try(changed);
    }
  }
}

TEST(DamagedPrograms, GiveErrorsWhereTheChecksumsAreRight) {
  const std::string program = Program().Json();
  for (size_t at = 0; at < program.size(); at += 3) {
    std::string changed = program;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
    Try(ZipOf(PackageRecords(changed)));
  }
  // Each value another.
  const auto parsed = ::nlohmann::json::parse(program);
  const auto values = parsed.flatten();
  for (const auto& [path, value] : values.items()) {
    for (const ::nlohmann::json& other :
         {::nlohmann::json(nullptr), ::nlohmann::json(-1), ::nlohmann::json("x"),
          ::nlohmann::json::array(), ::nlohmann::json::object(), ::nlohmann::json(1e300)}) {
      auto whole = parsed;
      whole[::nlohmann::json::json_pointer(path)] = other;
      Try(ZipOf(PackageRecords(whole.dump())));
    }
  }
}

TEST(DamagedPrograms, NestingIsBounded) {
  Program program;
  std::string nodes = Node("torch.ops.aten.mul.Scalar",
                           {{"self", T("x")}, {"other", R"({"as_int": 2})"}}, T("mul"));
  for (int i = 0; i < 40; ++i) {
    nodes = absl::StrReplaceAll(NoGradRegion(nodes), {{"twice", "mul"}});
  }
  program.nodes = absl::StrReplaceAll(nodes, {{R"(: "mul")", R"(: "logits")"}});
  EXPECT_THAT(ErrorOf(program), HasSubstr("nested too deeply"));
  program = Program();
  program.nodes = std::string(1000000, '[');
  EXPECT_THAT(ErrorOf(program), HasSubstr("nested too deeply"));
  program = Program();
  // Where the value is copied, at the end of valid JSON.
  program.nodes = absl::StrReplaceAll(
      program.nodes, {{"\"as_int\": 1", absl::StrCat("\"as_ints\": ", std::string(100000, '['),
                                                     std::string(100000, ']'))}});
  EXPECT_THAT(ErrorOf(program), HasSubstr("nested too deeply"));
  program = Program();
  program.out_spec = std::string(100000, '[') + std::string(100000, ']');
  EXPECT_THAT(ErrorOf(program), HasSubstr("nested too deeply"));
  program.out_spec = "[[]]";
  EXPECT_THAT(ErrorOf(program), HasSubstr("malformed"));
  for (int i = 0; i < 30; ++i) {
    program.out_spec =
        absl::StrCat(R"({"type": "builtins.tuple", "context": "null", "children_spec": [)",
                     i == 0 ? std::string(kLeaf) : program.out_spec, "]}");
  }
  EXPECT_THAT(ErrorOf(program), HasSubstr("nested too deeply"));
}

TEST(DamagedPrograms, RealFilesGiveErrorsToo) {
  RegisterMissingOperators();
  for (const char* name : {"torch-2.6/resnet.pt2", "torch-2.14/sdpa.pt2"}) {
    ASSAY_TEST_DATA_OR_SKIP(path, absl::StrCat("models2x/", name));
    std::ifstream file(path, std::ios::binary);
    std::stringstream content;
    content << file.rdbuf();
    const std::string whole = content.str();
    for (size_t i = 0; i < 60; ++i) {
      Try(whole.substr(0, whole.size() * i / 60));
      std::string changed = whole;
      const size_t at = whole.size() * i / 60 + i;
      changed[at] = static_cast<char>(changed[at] ^ (1 << (i % 8)));
      Try(changed);
    }
  }
}

}  // namespace
}  // namespace assay::engine
