#include "server/engine/import/select_output.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/engine/import/base/torch_guard.h"

namespace assay::engine {
namespace {

namespace jit = torch::jit;

std::string Quoted(const std::string& text) { return absl::StrCat("'", text, "'"); }

// What is known of an output before it has been computed.
class Output {
 public:
  explicit Output(jit::Value* value) : value_(value), type_(value->type()) {
    if (const auto tuple = type_->cast<c10::TupleType>()) {
      size_ = tuple->elements().size();
      if (tuple->schema() != nullptr) {
        for (const c10::Argument& field : tuple->schema()->arguments()) {
          keys_.push_back(field.name());
        }
      }
    } else if (!IsOnlyReturned()) {
      // It may have got other entries after it was made.
      return;
    } else if (value->node()->kind() == c10::prim::DictConstruct) {
      // Keys and values take turns.
      for (size_t i = 0; i + 1 < value->node()->inputs().size(); i += 2) {
        const auto key = jit::toIValue(value->node()->input(i));
        keys_.push_back(key.has_value() && key->isString() ? key->toStringRef() : std::string());
      }
    } else if (value->node()->kind() == c10::prim::ListConstruct) {
      size_ = value->node()->inputs().size();
    }
  }

  bool IsTensor() const { return type_->kind() == c10::TypeKind::TensorType; }

  std::string Describe() const {
    if (IsTensor()) return std::string();
    const std::string keys = absl::StrJoin(keys_, ", ", [](std::string* text, const auto& key) {
      absl::StrAppend(text, Quoted(key));
    });
    switch (type_->kind()) {
      case c10::TypeKind::DictType:
        return keys.empty() ? "a dict" : absl::StrCat("a dict of ", keys);
      case c10::TypeKind::TupleType:
        if (!keys.empty()) return absl::StrCat("a named tuple of ", keys);
        return absl::StrCat("a tuple of ", *size_, " entries");
      case c10::TypeKind::ListType:
        return size_.has_value() ? absl::StrCat("a list of ", *size_, " entries") : "a list";
      default:
        return type_->repr_str();
    }
  }

  // Puts the choice of the entry at the end of the graph; nullptr if there is no such entry.
  jit::Value* Select(const OutputChoice& choice) const {
    jit::Graph& graph = *value_->owningGraph();
    const jit::WithInsertPoint end(graph.return_node());
    const std::string* const key = std::get_if<std::string>(&choice);
    const auto named = key == nullptr ? keys_.end() : std::find(keys_.begin(), keys_.end(), *key);
    switch (type_->kind()) {
      case c10::TypeKind::DictType: {
        if (key == nullptr || (!keys_.empty() && named == keys_.end())) return nullptr;
        // The last of equal keys counts, as in a dict.
        const auto last = std::find(keys_.rbegin(), keys_.rend(), *key);
        if (last != keys_.rend()) {
          return value_->node()->input(2 * static_cast<size_t>(keys_.rend() - last - 1) + 1);
        }
        return graph.insert(c10::aten::__getitem__, {value_, graph.insertConstant(*key)});
      }
      case c10::TypeKind::TupleType: {
        if (key != nullptr && named == keys_.end()) return nullptr;
        const int64_t index = key != nullptr ? named - keys_.begin() : std::get<int64_t>(choice);
        if (index < 0 || index >= static_cast<int64_t>(*size_)) return nullptr;
        return jit::createTupleUnpack(value_)[static_cast<size_t>(index)];
      }
      case c10::TypeKind::ListType: {
        const int64_t* const index = std::get_if<int64_t>(&choice);
        if (index == nullptr || *index < 0 ||
            (size_.has_value() && *index >= static_cast<int64_t>(*size_))) {
          return nullptr;
        }
        if (size_.has_value()) {
          return value_->node()->input(static_cast<size_t>(*index));
        }
        return graph.insert(c10::aten::__getitem__, {value_, graph.insertConstant(*index)});
      }
      default:
        return nullptr;
    }
  }

 private:
  bool IsOnlyReturned() const { return value_->uses().size() == 1; }

  jit::Value* const value_;
  const c10::TypePtr type_;
  std::vector<std::string> keys_;
  std::optional<size_t> size_;
};

std::string Chosen(const OutputChoice& choice) {
  if (const std::string* const key = std::get_if<std::string>(&choice)) return Quoted(*key);
  return absl::StrCat("number ", std::get<int64_t>(choice));
}

}  // namespace

absl::Status SelectOutput(jit::Module& module, const OutputChoice& choice) {
  return Guarded(
      Reason::kModelOutputInvalid, "its output cannot be selected", [&]() -> absl::Status {
        jit::Function& function = module.get_method("forward").function();
        const std::shared_ptr<jit::Graph> graph = jit::toGraphFunction(function).graph();
        const Output output(graph->outputs().at(0));
        if (output.IsTensor()) {
          return Error(Reason::kModelOutputInvalid,
                       absl::StrCat("the model returns one tensor, of which no entry ",
                                    Chosen(choice), " can be selected; leave the selection out"));
        }
        jit::Value* const entry = output.Select(choice);
        if (entry == nullptr) {
          return Error(Reason::kModelOutputInvalid,
                       absl::StrCat("the model returns ", output.Describe(),
                                    ", which has no entry ", Chosen(choice)));
        }
        if (entry->type()->kind() != c10::TypeKind::TensorType) {
          return Error(Reason::kModelOutputInvalid,
                       absl::StrCat("entry ", Chosen(choice), " of what the model returns is ",
                                    entry->type()->repr_str(), ", not a tensor"));
        }
        graph->eraseOutput(0);
        graph->registerOutput(entry);
        function.setSchema(
            function.getSchema().cloneWithReturns({c10::Argument("", c10::TensorType::get())}));
        jit::EliminateDeadCode(graph);
        return absl::OkStatus();
      });
}

std::string DescribeOutput(const jit::Module& module) {
  return Output(module.get_method("forward").graph()->outputs().at(0)).Describe();
}

}  // namespace assay::engine
