// The graph of an exported program as a flat list of steps: regions such as torch.no_grad() are
// unfolded, and steps that have no part in the output are gone.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_STEPS_H_
#define ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_STEPS_H_

#include <ATen/core/function_schema.h>

#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/import/json_access.h"

namespace assay::engine {

// A graph and what its names mean. Regions have names of their own.
struct ProgramScope {
  // Of all graphs, the name that a value of this one has.
  std::string Global(const std::string& name) const;

  const Json* graph = nullptr;
  std::string prefix;
  std::map<std::string, std::string> inputs;  // names of this graph to global ones
  bool no_grad = false;
};

struct ProgramStep {
  // "torch.ops.aten.conv2d.default"; at the end of a region "same" or, where it has no gradients,
  // "detach".
  std::string target;
  const ProgramScope* scope = nullptr;
  // Name and Argument of the schema, in order. Owned by the program.
  std::vector<std::pair<std::string, const Json*>> arguments;
  // Global names of the values that it reads; at the end of a region the one.
  std::vector<std::string> reads;
  // What it returns: a value, a list of values, or nothing that is named.
  struct Output {
    std::vector<std::string> names;
    bool list = false;
  };
  std::vector<Output> outputs;
  // The operator; without, the target is no operator of this LibTorch.
  std::optional<c10::FunctionSchema> schema;
  // Whether a later step changes in place what this one returns, by whatever name, so that it may
  // not be a copy of it.
  bool changed_in_place = false;
};

// An operator by the name that programs give it, "torch.ops.aten.add.Tensor"; without, this
// LibTorch does not have it.
std::optional<c10::FunctionSchema> FindOperator(const std::string& target);

class ProgramSteps {
 public:
  // `program` must outlive this. kInvalidModel names what is not understood.
  static absl::StatusOr<ProgramSteps> Read(const Json& program_graph);

  // Keeps the steps that `outputs` need. `state` names the values that are parameters, buffers and
  // constants, and `changed` those of them that the program says to change. An error if outputs
  // depend on one that a step changes.
  absl::Status KeepNeeded(const std::set<std::string>& outputs,
                          const std::map<std::string, std::string>& state,
                          std::set<std::string> changed);

  const std::vector<ProgramStep>& steps() const { return steps_; }
  // Of all values, after KeepNeeded, those that something reads.
  const std::set<std::string>& needed() const { return needed_; }

 private:
  absl::Status Flatten(const ProgramScope& scope, int depth);
  absl::Status FlattenRegion(const Json& node, const ProgramScope& scope, size_t graph_at,
                             bool no_grad, int depth);

  std::list<ProgramScope> scopes_;
  std::vector<ProgramStep> steps_;
  std::set<std::string> needed_;
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_STEPS_H_
