#include "server/engine/import/program_steps.h"

#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"

namespace assay::engine {
namespace {

// Regions in regions.
constexpr int kMaxDepth = 16;

absl::Status Invalid(absl::string_view what) { return Error(Reason::kInvalidModel, what); }

// Adds the global names of the values that an argument names.
void CollectReads(const Json& argument, const ProgramScope& scope, int depth,
                  std::vector<std::string>* reads) {
  // Arguments are lists of lists at most.
  if (depth > 4) return;
  if (argument.is_array()) {
    for (const Json& item : argument) CollectReads(item, scope, depth + 1, reads);
    return;
  }
  if (!argument.is_object()) return;
  for (const auto& [kind, value] : argument.items()) {
    if ((kind == "as_name" || kind == "name" || kind == "as_tensor") && value.is_string()) {
      reads->push_back(scope.Global(value.get_ref<const std::string&>()));
    } else if (kind != "as_string" && kind != "as_strings" && kind != "as_graph") {
      CollectReads(value, scope, depth + 1, reads);
    }
  }
}

// The name that a value of an output, or an input of a graph, has; "" if it has none.
std::string NameOf(const Json& value) {
  for (const char* key : {"name", "as_name"}) {
    if (const Json* const name = Member(value, key); name != nullptr && name->is_string()) {
      return name->get<std::string>();
    }
  }
  return "";
}

absl::StatusOr<ProgramStep::Output> ReadOutput(const Json& argument, const ProgramScope& scope) {
  ASSAY_ASSIGN_OR_RETURN(const auto kind, Alternative(argument));
  ProgramStep::Output output;
  if (kind.first == "as_none") return output;
  if (kind.first == "as_tensors") {
    output.list = true;
    if (!kind.second->is_array()) return Invalid("a list of outputs of the program is none");
    for (const Json& tensor : *kind.second) output.names.push_back(NameOf(tensor));
  } else if (kind.first == "as_tensor" || absl::StartsWith(kind.first, "as_sym_")) {
    output.names.push_back(NameOf(*kind.second));
  } else {
    return Invalid(absl::StrCat("an operator of the exported program returns ", kind.first,
                                ", which is not supported"));
  }
  for (std::string& name : output.names) {
    if (name.empty()) return Invalid("an output of the exported program has no name");
    name = scope.Global(name);
  }
  return output;
}

// Whether an operator of that name writes to its first argument, where its schema is not known.
bool LooksInPlace(const std::string& target) {
  const std::vector<std::string> parts = absl::StrSplit(target, '.');
  if (parts.size() < 2) return false;
  const std::string& name = parts[parts.size() - 2];
  return absl::EndsWith(name, "_") && !absl::EndsWith(name, "__");
}

// Which storages values may share, by the annotations of schemas: the names of the values that
// they were first computed as.
class Aliases {
 public:
  const std::set<std::string>& Of(const std::string& value) {
    std::set<std::string>& roots = roots_[value];
    if (roots.empty()) roots.insert(value);
    return roots;
  }

  // The storages that `step` writes to. To be called in the order of the steps.
  std::set<std::string> Follow(const ProgramStep& step) {
    std::set<std::string> written, shared;
    if (!step.schema.has_value()) {
      if (LooksInPlace(step.target)) {
        for (const std::string& value : step.reads) Add(value, &written);
        shared = written;
      } else if (step.target == "detach" || step.target == "same") {
        for (const std::string& value : step.reads) Add(value, &shared);
      }
    } else {
      // dropout() returns its argument in eval mode, without an annotation.
      const bool dropout = absl::StrContains(step.schema->name(), "dropout");
      for (const auto& [name, argument] : step.arguments) {
        const auto index = step.schema->argumentIndexWithName(name);
        if (!index.has_value()) continue;
        const auto* const alias =
            step.schema->arguments()[static_cast<size_t>(*index)].alias_info();
        if (alias == nullptr && !(dropout && name == "input")) continue;
        std::vector<std::string> values;
        CollectReads(*argument, *step.scope, 0, &values);
        for (const std::string& value : values) {
          Add(value, &shared);
          if (alias != nullptr && alias->isWrite()) Add(value, &written);
        }
      }
    }
    for (const ProgramStep::Output& output : step.outputs) {
      for (const std::string& name : output.names) roots_[name] = shared;
    }
    return written;
  }

 private:
  void Add(const std::string& value, std::set<std::string>* roots) {
    const std::set<std::string>& of = Of(value);
    roots->insert(of.begin(), of.end());
  }

  std::map<std::string, std::set<std::string>> roots_;
};

}  // namespace

std::string ProgramScope::Global(const std::string& name) const {
  const auto input = inputs.find(name);
  return input == inputs.end() ? absl::StrCat(prefix, name) : input->second;
}

std::optional<c10::FunctionSchema> FindOperator(const std::string& target) {
  const std::vector<std::string> parts = absl::StrSplit(target, '.');
  if (parts.size() != 5 || parts[0] != "torch" || parts[1] != "ops" || parts[2] != "aten") {
    return std::nullopt;
  }
  const std::string name = absl::StrCat("aten::", parts[3]);
  const std::string overload = parts[4] == "default" ? "" : parts[4];
  // Where this LibTorch has an older form of an operator, missing_operators.h registers the one
  // that programs mean beside it.
  for (const char* suffix : {"_newer", ""}) {
    const auto found = torch::jit::findOperatorFor({name, absl::StrCat(overload, suffix)});
    if (found != nullptr) return found->schema();
  }
  return std::nullopt;
}

absl::StatusOr<ProgramSteps> ProgramSteps::Read(const Json& program_graph) {
  ProgramSteps result;
  result.scopes_.emplace_back().graph = &program_graph;
  ASSAY_RETURN_IF_ERROR(result.Flatten(result.scopes_.front(), 0));
  return result;
}

absl::Status ProgramSteps::Flatten(const ProgramScope& scope, int depth) {
  ASSAY_ASSIGN_OR_RETURN(const Json* const nodes, ArrayIn(*scope.graph, "nodes"));
  for (const Json& node : *nodes) {
    ASSAY_ASSIGN_OR_RETURN(const std::string target, StringIn(node, "target"));
    if (target == "torch.ops.higher_order.wrap_with_set_grad_enabled") {
      // (enabled, graph, its arguments...)
      ASSAY_ASSIGN_OR_RETURN(const Json* const inputs, ArrayIn(node, "inputs"));
      const Json* const argument = inputs->empty() ? nullptr : Member(inputs->front(), "arg");
      const Json* const enabled = argument == nullptr ? nullptr : Member(*argument, "as_bool");
      if (enabled == nullptr || !enabled->is_boolean()) {
        return Invalid("a region of torch.set_grad_enabled of the program is malformed");
      }
      if (*enabled == true && scope.no_grad) {
        return Invalid(
            "the exported program enables gradients within torch.no_grad(), which is not "
            "supported; export it without one of the two");
      }
      ASSAY_RETURN_IF_ERROR(FlattenRegion(node, scope, 1, *enabled == false, depth));
      continue;
    }
    if (target == "torch.ops.higher_order.wrap_with_autocast") {
      // (device, type, enabled, cache, graph, its arguments...)
      ASSAY_ASSIGN_OR_RETURN(const Json* const inputs, ArrayIn(node, "inputs"));
      const Json* const argument = inputs->size() < 3 ? nullptr : Member((*inputs)[2], "arg");
      const Json* const enabled = argument == nullptr ? nullptr : Member(*argument, "as_bool");
      if (enabled == nullptr || *enabled != false) {
        return Invalid(
            "the exported program computes a part under torch.autocast, in another precision than "
            "its weights have, which is not supported; export it without autocast");
      }
      ASSAY_RETURN_IF_ERROR(FlattenRegion(node, scope, 4, /*no_grad=*/false, depth));
      continue;
    }
    ProgramStep step;
    step.target = target;
    step.scope = &scope;
    step.schema = FindOperator(target);
    ASSAY_ASSIGN_OR_RETURN(const Json* const inputs, ArrayIn(node, "inputs"));
    for (const Json& input : *inputs) {
      ASSAY_ASSIGN_OR_RETURN(std::string name, StringIn(input, "name"));
      ASSAY_ASSIGN_OR_RETURN(const Json* const argument, ObjectIn(input, "arg"));
      CollectReads(*argument, scope, 0, &step.reads);
      step.arguments.emplace_back(std::move(name), argument);
    }
    ASSAY_ASSIGN_OR_RETURN(const Json* const outputs, ArrayIn(node, "outputs"));
    for (const Json& output : *outputs) {
      ASSAY_ASSIGN_OR_RETURN(step.outputs.emplace_back(), ReadOutput(output, scope));
    }
    steps_.push_back(std::move(step));
  }
  return absl::OkStatus();
}

// A graph that is an argument of `node`, at `graph_at`, with its own arguments behind it.
absl::Status ProgramSteps::FlattenRegion(const Json& node, const ProgramScope& scope,
                                         size_t graph_at, bool no_grad, int depth) {
  if (depth >= kMaxDepth) return Invalid("the exported program is nested too deeply");
  const Json& arguments = node["inputs"];
  const Json* const argument =
      arguments.size() <= graph_at ? nullptr : Member(arguments[graph_at], "arg");
  const Json* const wrapped = argument == nullptr ? nullptr : Member(*argument, "as_graph");
  const Json* const graph = wrapped == nullptr ? nullptr : Member(*wrapped, "graph");
  if (graph == nullptr) return Invalid("a region of the exported program has no graph");
  ProgramScope& inner = scopes_.emplace_back();
  inner.graph = graph;
  inner.prefix = absl::StrCat(scopes_.size(), "/");
  inner.no_grad = no_grad || scope.no_grad;

  ASSAY_ASSIGN_OR_RETURN(const Json* const formals, ArrayIn(*graph, "inputs"));
  if (formals->size() != arguments.size() - graph_at - 1) {
    return Invalid("a region of the exported program takes another number of arguments");
  }
  std::set<std::string> from_outside;
  for (size_t i = 0; i < formals->size(); ++i) {
    ASSAY_ASSIGN_OR_RETURN(const auto formal, Alternative((*formals)[i]));
    // A constant has no name; it stands in the region itself.
    if (NameOf(*formal.second).empty()) continue;
    ASSAY_ASSIGN_OR_RETURN(const Json* const actual, ObjectIn(arguments[graph_at + 1 + i], "arg"));
    std::vector<std::string> reads;
    CollectReads(*actual, scope, 0, &reads);
    if (reads.size() != 1) {
      return Invalid("a region of the exported program takes something else than tensors");
    }
    inner.inputs[NameOf(*formal.second)] = reads.front();
    from_outside.insert(reads.front());
  }
  ASSAY_RETURN_IF_ERROR(Flatten(inner, depth + 1));

  std::vector<std::string> results, names;
  ASSAY_ASSIGN_OR_RETURN(const Json* const inner_outputs, ArrayIn(*graph, "outputs"));
  for (const Json& output : *inner_outputs) {
    ASSAY_ASSIGN_OR_RETURN(const ProgramStep::Output read, ReadOutput(output, inner));
    results.insert(results.end(), read.names.begin(), read.names.end());
  }
  ASSAY_ASSIGN_OR_RETURN(const Json* const outputs, ArrayIn(node, "outputs"));
  for (const Json& output : *outputs) {
    ASSAY_ASSIGN_OR_RETURN(const ProgramStep::Output read, ReadOutput(output, scope));
    names.insert(names.end(), read.names.begin(), read.names.end());
  }
  if (results.size() != names.size()) {
    return Invalid("a region of the exported program returns another number of values");
  }
  for (size_t i = 0; i < names.size(); ++i) {
    ProgramStep step;
    // What the region only hands through keeps its gradient.
    step.target = no_grad && from_outside.count(results[i]) == 0 ? "detach" : "same";
    step.scope = &scope;
    step.reads = {results[i]};
    step.outputs.push_back({{names[i]}, false});
    steps_.push_back(std::move(step));
  }
  return absl::OkStatus();
}

absl::Status ProgramSteps::KeepNeeded(const std::set<std::string>& outputs,
                                      const std::map<std::string, std::string>& state,
                                      std::set<std::string> changed) {
  Aliases aliases;
  // Storages that a step writes to; empty for most.
  std::vector<std::set<std::string>> written;
  // Where the values of a region without gradients begin.
  std::map<std::string, const ProgramScope*> made_in;
  for (const ProgramStep& step : steps_) {
    written.push_back(aliases.Follow(step));
    for (const ProgramStep::Output& output : step.outputs) {
      for (const std::string& name : output.names) made_in[name] = step.scope;
    }
    for (const std::string& root : written.back()) {
      if (state.count(root) > 0) {
        changed.insert(root);
        continue;
      }
      const auto maker = made_in.find(root);
      if (step.scope->no_grad && (maker == made_in.end() || !maker->second->no_grad)) {
        return Invalid(absl::StrCat("the exported program changes a tensor in place (", step.target,
                                    ") within torch.no_grad(), which is not supported; export it "
                                    "without changes in place"));
      }
    }
  }

  // From the end to the beginning: a step is needed if something reads what it returns, or if it
  // changes something else than state.
  needed_ = outputs;
  std::set<std::string> written_later;
  std::vector<ProgramStep> kept;
  for (size_t i = steps_.size(); i-- > 0;) {
    ProgramStep& step = steps_[i];
    bool keep = std::any_of(written[i].begin(), written[i].end(),
                            [&](const std::string& root) { return state.count(root) == 0; });
    for (const ProgramStep::Output& output : step.outputs) {
      for (const std::string& name : output.names) {
        keep = keep || needed_.count(name) > 0;
        for (const std::string& root : aliases.Of(name)) {
          step.changed_in_place = step.changed_in_place || written_later.count(root) > 0;
        }
      }
    }
    written_later.insert(written[i].begin(), written[i].end());
    if (!keep) continue;
    needed_.insert(step.reads.begin(), step.reads.end());
    kept.push_back(std::move(step));
  }
  std::reverse(kept.begin(), kept.end());
  steps_ = std::move(kept);

  for (const std::string& value : needed_) {
    for (const std::string& root : aliases.Of(value)) {
      if (changed.count(root) == 0) continue;
      const auto named = state.find(root);
      return Invalid(absl::StrCat(
          "the output of the exported program depends on ",
          named == state.end() ? root : named->second,
          ", which the program changes whenever it runs, so that it would depend on what was asked "
          "before; call model.eval() before torch.export.export"));
    }
  }
  return absl::OkStatus();
}

}  // namespace assay::engine
