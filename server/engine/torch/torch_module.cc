#include "server/engine/torch/torch_module.h"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace assay::engine {
namespace {

constexpr char kNotTorchScript[] = "not a TorchScript model (save it with torch.jit.save)";

// The part of LibTorch's error texts that a user can use: from "RuntimeError: " on, or the first
// line.
std::string Shorten(const std::string& text) {
  std::string best;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    if (best.empty()) best = std::string(line);
    for (const char* marker :
         {"RuntimeError: ", "torch.jit.Error: ", "builtins.RuntimeError: ", "Exception: "}) {
      const size_t at = line.find(marker);
      if (at != absl::string_view::npos) best = std::string(line.substr(at + strlen(marker)));
    }
  }
  return best.substr(0, 300);
}

bool LooksLikeOutOfMemory(const std::string& text) {
  return absl::StrContains(text, "out of memory") || absl::StrContains(text, "not enough memory") ||
         absl::StrContains(text, "bad_alloc") || absl::StrContains(text, "can't allocate memory");
}

// What the archive tells of the PyTorch that wrote it: it records no version, but newer ones write
// more records.
std::string WriterOf(const std::string& path) {
  try {
    caffe2::serialize::PyTorchStreamReader reader(path);
    return absl::StrCat(reader.hasRecord("byteorder") ? "PyTorch 2 or later" : "PyTorch",
                        " (file format ", reader.version(), ")");
  } catch (const std::exception&) {
    return "PyTorch";
  }
}

// Why a file that is a TorchScript archive does not load here; nothing if there is no more to say
// than LibTorch does.
std::optional<std::string> ExplainLoadError(const std::string& path, const std::string& text) {
  const std::string here = absl::StrCat("LibTorch ", LibTorchVersion());
  constexpr char kUnknown[] = "Unknown builtin op: ";
  if (const size_t at = text.find(kUnknown); at != std::string::npos) {
    const size_t begin = at + strlen(kUnknown);
    std::string op = text.substr(begin, text.find_first_of(" \n", begin) - begin);
    while (!op.empty() && op.back() == '.') op.pop_back();
    return absl::StrCat(
        "it calls ", op, ", which ", here, " of this server does not have; ", WriterOf(path),
        " wrote it. Use a server with a LibTorch as new as that PyTorch, or export the model "
        "without ",
        op);
  }
  for (const char* part : {"maximum supported version", "Unknown type name",
                           "Unknown qualified name", "is not supported in this version"}) {
    if (!absl::StrContains(text, part)) continue;
    return absl::StrCat(
        here, " of this server cannot read what ", WriterOf(path), " wrote (", Shorten(text),
        "). Use a server with a LibTorch as new as that PyTorch, or save it with an older one");
  }
  return std::nullopt;
}

// The first node of `block`, at any depth, that `is` picks; nullptr without.
template <typename Is>
const torch::jit::Node* FindNode(const torch::jit::Block& block, const Is& is) {
  for (const torch::jit::Node* node : block.nodes()) {
    if (is(*node)) return node;
    for (const torch::jit::Block* inner : node->blocks()) {
      if (const torch::jit::Node* found = FindNode(*inner, is)) return found;
    }
  }
  return nullptr;
}

bool CallsAutograd(const torch::jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  return kind == "aten::grad" || kind == "aten::backward";
}

// Batch norm, dropout and their like take whether they train as an argument. In a script it is an
// attribute that eval() sets; a trace has the constant that it saw.
bool AlwaysTrains(const torch::jit::Node& node) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return false;
  for (const char* name : {"training", "train"}) {
    const auto index = schema->argumentIndexWithName(name);
    if (!index.has_value() || *index >= static_cast<int>(node.inputs().size())) continue;
    const auto value = torch::jit::toIValue(node.input(static_cast<size_t>(*index)));
    if (value.has_value() && value->isBool() && value->toBool()) return true;
  }
  return false;
}

absl::Status ReadCode(TorchModule& file) {
  return Guarded(Reason::kInvalidModel, "its code cannot be read", [&] {
    for (torch::jit::Function* function :
         file.module._ivalue()->compilation_unit()->get_functions()) {
      if (!function->isGraphFunction()) continue;
      const auto graph = torch::jit::toGraphFunction(*function).graph();
      if (FindNode(*graph->block(), CallsAutograd) == nullptr) continue;
      file.autograd_in = function->name();
      break;
    }
    const std::shared_ptr<torch::jit::Graph> graph =
        file.module.get_method("forward").graph()->copy();
    torch::jit::Inline(*graph);
    if (const torch::jit::Node* node = FindNode(*graph->block(), AlwaysTrains)) {
      file.training_in = node->kind().toQualString();
    }
    // The first input is the module.
    file.writes_to_input =
        graph->inputs().size() > 1 && torch::jit::AliasDb(graph).hasWriters(graph->inputs()[1]);
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<TorchModule> ReadTorchModule(const std::string& path, const at::Device& device) {
  TorchModule file;
  try {
    file.module = torch::jit::load(path, device);
  } catch (const std::exception& error) {
    const auto explained = ExplainLoadError(path, error.what());
    return explained.has_value()
               ? Error(Reason::kInvalidModel, *explained).ToStatus()
               : FromTorchError(Reason::kInvalidModel, kNotTorchScript, error.what());
  }
  if (!file.module.find_method("forward")) {
    return Error(Reason::kInvalidModel, "the TorchScript module has no method 'forward'")
        .ToStatus();
  }
  file.saved_in_training_mode = file.module.is_training();
  file.module.eval();
  for (at::Tensor parameter : file.module.parameters()) parameter.requires_grad_(false);
  ASSAY_RETURN_IF_ERROR(ReadCode(file));
  return file;
}

std::string LibTorchVersion() { return ASSAY_LIBTORCH_VERSION; }

absl::Status FromTorchError(Reason reason, absl::string_view what, const std::string& text) {
  if (LooksLikeOutOfMemory(text)) return Error(Reason::kOutOfMemory, "the device is out of memory");
  return Error(reason, absl::StrCat(what, ": ", Shorten(text)));
}

}  // namespace assay::engine
