#include "server/engine/import/program_values.h"

#include <torch/csrc/jit/ir/ir.h>

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "server/engine/import/base/torch_guard.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;
using c10::IValue;
using c10::TypeKind;

absl::Status Invalid(absl::string_view what) { return Error(Reason::kInvalidModel, what); }

// Operators for which a boolean number means what 0 and 1 mean, whatever the other types.
bool TakesBool(const std::string& operator_name) {
  static const auto* const names = new std::set<std::string>{
      "aten::eq", "aten::fill",        "aten::fill_",        "aten::full_like",
      "aten::ne", "aten::masked_fill", "aten::masked_fill_", "aten::new_full"};
  return names->count(operator_name) > 0;
}

}  // namespace

std::string ThisLibTorch() {
  return absl::StrCat("LibTorch ", LibTorchVersion(), " of this server");
}

absl::StatusOr<jit::Value*> ProgramValues::Find(const std::string& global) {
  const auto found = values_.find(global);
  if (found != values_.end()) return found->second;
  const auto held = signature_.state.find(global);
  if (held == signature_.state.end()) {
    return Invalid(absl::StrCat("the exported program uses ", global, " before it is computed"));
  }
  jit::Value* const value =
      builder_.Tensor(held->second.name, *held->second.tensor, held->second.buffer);
  values_[global] = value;
  return value;
}

absl::StatusOr<jit::Value*> ProgramValues::Named(const Json& argument, const ProgramScope& scope) {
  // PyTorch 2.1 and 2.2 leave the bare name in some places.
  if (argument.is_string()) return Find(scope.Global(argument.get<std::string>()));
  ASSAY_ASSIGN_OR_RETURN(const std::string name, StringIn(argument, "name"));
  return Find(scope.Global(name));
}

absl::StatusOr<jit::Value*> ProgramValues::SymbolicInt(const Json& argument,
                                                       const ProgramScope& scope) {
  ASSAY_ASSIGN_OR_RETURN(const auto kind, Alternative(argument));
  if (kind.first == "as_int") {
    ASSAY_ASSIGN_OR_RETURN(const int64_t number, ToInt(*kind.second));
    return builder_.Constant(number);
  }
  if (kind.first != "as_name" || !kind.second->is_string()) {
    return Invalid("a symbolic number of the exported program is malformed");
  }
  return Find(scope.Global(kind.second->get<std::string>()));
}

// The device of the images: that of the machine that the model was exported on does not matter.
absl::StatusOr<jit::Value*> ProgramValues::Device(const Json& argument) {
  ASSAY_ASSIGN_OR_RETURN(const std::string type, StringIn(argument, "type"));
  if (type != "cpu" && type != "cuda") {
    return Invalid(
        absl::StrCat("the exported program computes on device ", type, "; export it on the CPU"));
  }
  if (device_ == nullptr) device_ = builder_.Call("prim::device", {builder_.images()});
  return device_;
}

absl::Status ProgramValues::Mismatch(const std::string& operator_name, const c10::Argument& formal,
                                     const std::string& kind) const {
  return Invalid(absl::StrCat("argument ", formal.name(), " of ", operator_name, " is of kind ",
                              kind, " in the exported program, which ", ThisLibTorch(),
                              " does not take; ", writer_));
}

absl::StatusOr<jit::Value*> ProgramValues::Argument(const std::string& operator_name,
                                                    const c10::Argument& formal,
                                                    const Json& argument,
                                                    const ProgramScope& scope) {
  ASSAY_ASSIGN_OR_RETURN(auto kind, Alternative(argument));
  c10::TypePtr type = formal.type(), real = formal.real_type();
  if (const auto optional = type->cast<c10::OptionalType>()) {
    if (kind.first == "as_none") return builder_.Constant(IValue());
    type = optional->getElementType();
    if (const auto real_optional = real->cast<c10::OptionalType>()) {
      real = real_optional->getElementType();
    }
  }
  if (kind.first == "as_optional_tensor") {
    ASSAY_ASSIGN_OR_RETURN(kind, Alternative(*kind.second));
    if (kind.first == "as_none") return builder_.Constant(IValue());
  }
  const std::string& name = kind.first;
  const Json& value = *kind.second;
  switch (type->kind()) {
    case TypeKind::TensorType:
      if (name == "as_tensor") return Named(value, scope);
      break;
    case TypeKind::ListType:
      return List(operator_name, formal, *type->castRaw<c10::ListType>(), name, value, scope);
    case TypeKind::NumberType:
      if (name == "as_int") return Int(value);
      if (name == "as_float") return Float(value);
      if (name == "as_sym_int" || name == "as_sym_float") return SymbolicInt(value, scope);
      if (name == "as_bool" && TakesBool(operator_name) && value.is_boolean()) {
        return builder_.Constant(value.get<bool>() ? 1 : 0);
      }
      break;
    case TypeKind::IntType:
      if (real->kind() == TypeKind::ScalarTypeType) {
        if (name != "as_scalar_type") break;
        ASSAY_ASSIGN_OR_RETURN(const c10::ScalarType scalar_type, SchemaScalarType(value));
        return builder_.Constant(static_cast<int64_t>(scalar_type));
      }
      if (real->kind() == TypeKind::LayoutType) {
        if (name == "as_layout") return Layout(value);
        break;
      }
      if (real->kind() == TypeKind::MemoryFormatType) {
        if (name == "as_memory_format") return MemoryFormat(value);
        break;
      }
      if (name == "as_int") return Int(value);
      if (name == "as_sym_int") return SymbolicInt(value, scope);
      // The correction of a variance became a float.
      if (name == "as_float" && (value == 0.0 || value == 1.0)) {
        return builder_.Constant(value == 0.0 ? 0 : 1);
      }
      break;
    case TypeKind::FloatType:
      if (name == "as_float" || name == "as_int") return Float(value);
      if (name == "as_sym_float") return SymbolicInt(value, scope);
      break;
    case TypeKind::BoolType:
      if (name == "as_bool" && value.is_boolean()) return builder_.Constant(value.get<bool>());
      break;
    case TypeKind::StringType:
      if (name == "as_string" && value.is_string()) {
        return builder_.Constant(value.get<std::string>());
      }
      break;
    case TypeKind::DeviceObjType:
      if (name == "as_device") return Device(value);
      break;
    default:
      break;
  }
  return Mismatch(operator_name, formal, name);
}

absl::StatusOr<jit::Value*> ProgramValues::Int(const Json& value) {
  ASSAY_ASSIGN_OR_RETURN(const int64_t number, ToInt(value));
  return builder_.Constant(number);
}

absl::StatusOr<jit::Value*> ProgramValues::Float(const Json& value) {
  ASSAY_ASSIGN_OR_RETURN(const double number, ToDouble(value));
  return builder_.Constant(number);
}

absl::StatusOr<jit::Value*> ProgramValues::Layout(const Json& value) {
  constexpr int kStrided = 7;
  if (value != kStrided) return Invalid("the exported program uses sparse tensors");
  return builder_.Constant(static_cast<int64_t>(c10::Layout::Strided));
}

absl::StatusOr<jit::Value*> ProgramValues::MemoryFormat(const Json& value) {
  static constexpr c10::MemoryFormat kFormats[] = {
      c10::MemoryFormat::Contiguous, c10::MemoryFormat::ChannelsLast,
      c10::MemoryFormat::ChannelsLast3d, c10::MemoryFormat::Preserve};
  ASSAY_ASSIGN_OR_RETURN(const int64_t number, ToInt(value));
  if (number < 1 || number > 4) {
    return Invalid("the exported program uses an unknown memory format");
  }
  return builder_.Constant(static_cast<int64_t>(kFormats[number - 1]));
}

absl::StatusOr<jit::Value*> ProgramValues::List(const std::string& operator_name,
                                                const c10::Argument& formal,
                                                const c10::ListType& type, const std::string& kind,
                                                const Json& value, const ProgramScope& scope) {
  const c10::TypePtr element = type.getElementType();
  const bool empty = value.is_array() && value.empty();
  const auto one_or_all = [&]() -> std::vector<Json> {
    if (value.is_array()) return value.get<std::vector<Json>>();
    // int[2] takes one number for both.
    return std::vector<Json>(static_cast<size_t>(formal.N().value_or(1)), value);
  };
  const bool one = formal.N().has_value() && !value.is_array();
  const bool list = value.is_array();
  switch (element->kind()) {
    case TypeKind::IntType: {
      if ((one && kind == "as_int") || (list && (kind == "as_ints" || empty))) {
        std::vector<int64_t> numbers;
        for (const Json& item : one_or_all()) {
          ASSAY_ASSIGN_OR_RETURN(numbers.emplace_back(), ToInt(item));
        }
        return builder_.Constant(c10::List<int64_t>(numbers));
      }
      if ((one && kind == "as_sym_int") || (list && kind == "as_sym_ints")) {
        std::vector<jit::Value*> numbers;
        for (const Json& item : one_or_all()) {
          ASSAY_ASSIGN_OR_RETURN(numbers.emplace_back(), SymbolicInt(item, scope));
        }
        return builder_.Insert(builder_.graph().createList(element, numbers));
      }
      break;
    }
    case TypeKind::FloatType:
      if ((one && (kind == "as_float" || kind == "as_int")) ||
          (list && (kind == "as_floats" || kind == "as_ints" || empty))) {
        c10::List<double> numbers;
        for (const Json& item : one_or_all()) {
          ASSAY_ASSIGN_OR_RETURN(const double number, ToDouble(item));
          numbers.push_back(number);
        }
        return builder_.Constant(numbers);
      }
      break;
    case TypeKind::BoolType:
      if (list && (kind == "as_bools" || empty)) {
        c10::List<bool> flags;
        for (const Json& item : value) {
          if (!item.is_boolean()) return Mismatch(operator_name, formal, kind);
          flags.push_back(item.get<bool>());
        }
        return builder_.Constant(flags);
      }
      break;
    case TypeKind::TensorType:
    case TypeKind::OptionalType: {
      const bool optional = element->kind() == TypeKind::OptionalType;
      if (!list ||
          !(kind == "as_tensors" || (optional && kind == "as_optional_tensors") || empty)) {
        break;
      }
      std::vector<jit::Value*> tensors;
      for (const Json& item : value) {
        if (kind == "as_tensors") {
          ASSAY_ASSIGN_OR_RETURN(tensors.emplace_back(), Named(item, scope));
          continue;
        }
        ASSAY_ASSIGN_OR_RETURN(const auto alternative, Alternative(item));
        if (alternative.first == "as_none") {
          tensors.push_back(builder_.Constant(IValue()));
        } else {
          ASSAY_ASSIGN_OR_RETURN(tensors.emplace_back(), Named(*alternative.second, scope));
        }
      }
      return builder_.Insert(builder_.graph().createList(element, tensors));
    }
    default:
      break;
  }
  return Mismatch(operator_name, formal, kind);
}

absl::Status ProgramValues::Define(const std::string& name, jit::Value* value) {
  if (signature_.state.count(name) > 0 || !values_.emplace(name, value).second) {
    return Invalid(absl::StrCat("the exported program computes ", name, " twice"));
  }
  return absl::OkStatus();
}

}  // namespace assay::engine
