#include "server/engine/import/program_signature.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"

namespace assay::engine {
namespace {

absl::Status Invalid(absl::string_view what) { return Error(Reason::kInvalidModel, what); }

class Reader {
 public:
  explicit Reader(const ProgramArchive& archive) : archive_(archive) {}

  absl::StatusOr<ProgramSignature> Read() {
    ASSAY_ASSIGN_OR_RETURN(const Json* const module, ObjectIn(archive_.program, "graph_module"));
    ASSAY_ASSIGN_OR_RETURN(const Json* const graph, ObjectIn(*module, "graph"));
    ASSAY_ASSIGN_OR_RETURN(const Json* const signature, ObjectIn(*module, "signature"));
    ASSAY_RETURN_IF_ERROR(ReadInputs(*signature));
    ASSAY_RETURN_IF_ERROR(ReadOutputs(*signature));
    ASSAY_RETURN_IF_ERROR(CheckImages(*graph));
    return std::move(result_);
  }

 private:
  absl::Status ReadInputs(const Json& signature) {
    if (const Json* const specs = Member(signature, "input_specs"); specs != nullptr) {
      if (!specs->is_array()) return Invalid("the signature of the exported program is malformed");
      for (const Json& spec : *specs) ASSAY_RETURN_IF_ERROR(ReadInput(spec));
      return absl::OkStatus();
    }
    // PyTorch 2.1.
    ASSAY_ASSIGN_OR_RETURN(const Json* const parameters,
                           ObjectIn(signature, "inputs_to_parameters"));
    for (const auto& [value, name] : parameters->items()) {
      ASSAY_RETURN_IF_ERROR(Hold(value, name, /*buffer=*/false));
    }
    ASSAY_ASSIGN_OR_RETURN(const Json* const buffers, ObjectIn(signature, "inputs_to_buffers"));
    for (const auto& [value, name] : buffers->items()) {
      ASSAY_RETURN_IF_ERROR(Hold(value, name, /*buffer=*/true));
    }
    ASSAY_ASSIGN_OR_RETURN(const Json* const inputs, ArrayIn(signature, "user_inputs"));
    for (const Json& input : *inputs) {
      if (!input.is_string()) return Invalid("the exported program takes something unnamed");
      ASSAY_RETURN_IF_ERROR(TakeImages(input.get<std::string>()));
    }
    return absl::OkStatus();
  }

  absl::Status ReadInput(const Json& spec) {
    ASSAY_ASSIGN_OR_RETURN(const auto kind, Alternative(spec));
    const Json& about = *kind.second;
    // Its value stands where it is used.
    if (kind.first == "constant_input") return absl::OkStatus();
    const char* target = nullptr;
    if (kind.first == "parameter") target = "parameter_name";
    if (kind.first == "buffer") target = "buffer_name";
    if (kind.first == "tensor_constant") target = "tensor_constant_name";
    if (target == nullptr && kind.first != "user_input") {
      return Invalid(absl::StrCat("the exported program has an input of kind ", kind.first,
                                  ", which is not supported; export the model without it"));
    }
    ASSAY_ASSIGN_OR_RETURN(const Json* const argument, ObjectIn(about, "arg"));
    if (target != nullptr) {
      ASSAY_ASSIGN_OR_RETURN(const std::string value, StringIn(*argument, "name"));
      const Json* const name = Member(about, target);
      return Hold(value, name == nullptr ? Json() : *name, kind.first != "parameter");
    }
    ASSAY_ASSIGN_OR_RETURN(const auto input, Alternative(*argument));
    static const auto* const constants =
        new std::set<std::string>{"as_none", "as_bool", "as_int", "as_float", "as_string"};
    if (constants->count(input.first) > 0) return absl::OkStatus();
    if (input.first != "as_tensor") {
      return Invalid(absl::StrCat("the exported program takes an argument of kind ", input.first,
                                  "; a model must take one batch of images"));
    }
    ASSAY_ASSIGN_OR_RETURN(const std::string name, StringIn(*input.second, "name"));
    return TakeImages(name);
  }

  absl::Status TakeImages(const std::string& name) {
    if (!result_.images.empty()) {
      return Invalid(absl::StrCat("the exported program takes two tensors, ", result_.images,
                                  " and ", name, "; a model must take one batch of images"));
    }
    result_.images = name;
    return absl::OkStatus();
  }

  absl::Status Hold(const std::string& value, const Json& name, bool buffer) {
    if (!name.is_string()) return Invalid("a parameter of the exported program has no name");
    const std::string qualified = name.get<std::string>();
    for (const auto* tensors : {&archive_.state, &archive_.constants}) {
      const auto found = tensors->find(qualified);
      if (found == tensors->end()) continue;
      result_.state[value] = {qualified, &found->second, buffer};
      return absl::OkStatus();
    }
    return Invalid(absl::StrCat("the file holds no tensor ", qualified,
                                ", which the exported program uses; export it again"));
  }

  absl::Status ReadOutputs(const Json& signature) {
    if (const Json* const specs = Member(signature, "output_specs"); specs != nullptr) {
      if (!specs->is_array()) return Invalid("the signature of the exported program is malformed");
      for (const Json& spec : *specs) ASSAY_RETURN_IF_ERROR(ReadOutputSpec(spec));
      return absl::OkStatus();
    }
    // PyTorch 2.1.
    ASSAY_ASSIGN_OR_RETURN(const Json* const outputs, ArrayIn(signature, "user_outputs"));
    for (const Json& output : *outputs) {
      if (!output.is_string()) return Invalid("the exported program returns something unnamed");
      result_.outputs.push_back(output.get<std::string>());
    }
    ASSAY_ASSIGN_OR_RETURN(const Json* const changes, ObjectIn(signature, "buffers_to_mutate"));
    for (const auto& [value, name] : changes->items()) Change(name);
    return absl::OkStatus();
  }

  absl::Status ReadOutputSpec(const Json& spec) {
    ASSAY_ASSIGN_OR_RETURN(const auto kind, Alternative(spec));
    const Json& about = *kind.second;
    if (kind.first == "user_output") {
      ASSAY_ASSIGN_OR_RETURN(const Json* const argument, ObjectIn(about, "arg"));
      ASSAY_ASSIGN_OR_RETURN(const auto output, Alternative(*argument));
      if (output.first == "as_none") {
        result_.outputs.emplace_back();
      } else if (output.first == "as_tensor") {
        ASSAY_ASSIGN_OR_RETURN(result_.outputs.emplace_back(), StringIn(*output.second, "name"));
      } else {
        return Invalid(absl::StrCat("the exported program returns a value of kind ", output.first,
                                    "; a model must return tensors"));
      }
      return absl::OkStatus();
    }
    // What became of the images after they were changed in place: the caller's are not to change.
    if (kind.first == "user_input_mutation") return absl::OkStatus();
    for (const char* name : {"buffer_name", "parameter_name"}) {
      const Json* const changed = Member(about, name);
      if (changed == nullptr || !absl::EndsWith(kind.first, "_mutation")) continue;
      Change(*changed);
      return absl::OkStatus();
    }
    return Invalid(absl::StrCat("the exported program has an output of kind ", kind.first,
                                ", which is not supported; export the model without it"));
  }

  void Change(const Json& name) {
    for (const auto& [value, held] : result_.state) {
      if (name == held.name) result_.changed.insert(value);
    }
  }

  absl::Status CheckImages(const Json& graph) {
    if (result_.images.empty()) return Invalid("the exported program takes no tensor");
    const Json* const metas = Member(graph, "tensor_values");
    const Json* meta = metas == nullptr ? nullptr : Member(*metas, result_.images.c_str());
    // PyTorch 2.1 wraps it.
    if (meta != nullptr && Member(*meta, "meta") != nullptr) meta = Member(*meta, "meta");
    const Json* const type = meta == nullptr ? nullptr : Member(*meta, "dtype");
    if (type == nullptr) return Invalid("the exported program does not tell what it takes");
    ASSAY_ASSIGN_OR_RETURN(const c10::ScalarType scalar_type, SchemaScalarType(*type));
    if (scalar_type != c10::kFloat) {
      return Invalid(absl::StrCat("the exported program takes images of type ",
                                  c10::toString(scalar_type),
                                  "; export model.float() with an example in float32"));
    }
    return absl::OkStatus();
  }

  const ProgramArchive& archive_;
  ProgramSignature result_;
};

}  // namespace

absl::StatusOr<ProgramSignature> ReadProgramSignature(const ProgramArchive& archive) {
  return Reader(archive).Read();
}

}  // namespace assay::engine
