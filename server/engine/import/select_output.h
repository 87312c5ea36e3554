// Models that return several tensors: the one with the logits is chosen within the code, so that
// what comes after sees a model that returns one tensor.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_SELECT_OUTPUT_H_
#define ASSAY_SERVER_ENGINE_IMPORT_SELECT_OUTPUT_H_

#include <torch/script.h>

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/status.h"

namespace assay::engine {

// The key of an entry of a dict or a field of a named tuple, or the index of one of a tuple or
// list.
using OutputChoice = std::variant<std::string, int64_t>;

// Makes `forward` return that entry alone. To be called before the module runs.
// kModelOutputInvalid, with the entries that there are, where the output has no such entry or the
// entry is no tensor.
absl::Status SelectOutput(torch::jit::Module& module, const OutputChoice& choice);

// What `forward` returns that is not one tensor: "a dict of 'logits', 'probabilities'", "a tuple of
// 2 entries"; empty if it is a tensor.
std::string DescribeOutput(const torch::jit::Module& module);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_SELECT_OUTPUT_H_
