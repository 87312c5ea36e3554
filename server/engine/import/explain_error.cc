#include "server/engine/import/explain_error.h"

#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/engine/import/base/torch_guard.h"

namespace assay::engine {
namespace {

// LibTorch's texts go on with where in its code an error was, and in the model's.
std::string FirstLine(const std::string& text) {
  const absl::string_view stripped = absl::StripLeadingAsciiWhitespace(text);
  return std::string(absl::StripTrailingAsciiWhitespace(
      stripped.substr(0, std::min<size_t>(stripped.find('\n'), 300))));
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

// The word that follows `marker`; empty without.
std::string WordAfter(const std::string& text, absl::string_view marker) {
  const size_t found = text.find(std::string(marker));
  if (found == std::string::npos) return std::string();
  const size_t begin = found + marker.size();
  std::string word = text.substr(begin, text.find_first_of(" \n'\"", begin) - begin);
  while (!word.empty() && (word.back() == '.' || word.back() == ',' || word.back() == ':')) {
    word.pop_back();
  }
  return word;
}

// The namespace of an operator that comes with a library of its own; empty for those of LibTorch.
std::string LibraryOf(const std::string& op) {
  const size_t end = op.find("::");
  if (end == std::string::npos) return std::string();
  const std::string name = op.substr(0, end);
  for (const char* own : {"aten", "prim", "prims", "quantized", "quantized_decomposed", "prepacked",
                          "mkldnn", "mkldnn_prepacked", "inductor", "sparse", "onednn", "cuda"}) {
    if (name == own) return std::string();
  }
  return name;
}

}  // namespace

std::optional<std::string> ExplainLoadError(const std::string& path, const std::string& text) {
  const std::string here = absl::StrCat("LibTorch ", LibTorchVersion());
  if (const std::string op = WordAfter(text, "Unknown builtin op: "); !op.empty()) {
    if (const std::string library = LibraryOf(op); !library.empty()) {
      return absl::StrCat("it calls ", op, ", an operator of the library '", library,
                          "' that LibTorch does not have; export the model without it (as code of "
                          "PyTorch's own operators)");
    }
    return absl::StrCat(
        "it calls ", op, ", which ", here, " of this server does not have; ", WriterOf(path),
        " wrote it. Use a server with a LibTorch as new as that PyTorch, or export the model "
        "without ",
        op);
  }
  if (absl::StrContains(text, "__torch__.torch.classes.")) {
    return absl::StrCat("it holds an object of the class ",
                        WordAfter(text, "__torch__.torch.classes."),
                        ", of a library that LibTorch does not have; export the model without it");
  }
  // A constant that has no value in the file.
  if (absl::StrContains(text, "required keyword attribute 'value'") ||
      absl::StrContains(text, "MKLDNN")) {
    return std::string(
        "it is a module that torch.jit.optimize_for_inference had changed before it was saved, and "
        "its weights were not saved with it; save the module from before (the server optimizes by "
        "itself)");
  }
  for (const char* part : {"maximum supported version", "Unknown type name",
                           "Unknown qualified name", "is not supported in this version",
                           "Arguments for call are not valid", "Unknown keyword argument"}) {
    if (!absl::StrContains(text, part)) continue;
    return absl::StrCat(
        here, " of this server cannot read what ", WriterOf(path), " wrote (", FirstLine(text),
        "). Use a server with a LibTorch as new as that PyTorch, or save it with an older one");
  }
  return std::nullopt;
}

std::optional<std::string> ExplainRunError(const std::string& text) {
  for (const auto& [type, name] :
       {std::pair{"'Half'", "float16"}, std::pair{"'BFloat16'", "bfloat16"}}) {
    if (!absl::StrContains(text, "not implemented for") || !absl::StrContains(text, type)) continue;
    return absl::StrCat("it computes in ", name, ", for which LibTorch ", LibTorchVersion(),
                        " has not all operators on this device; export model.float(), or use a "
                        "server with a newer LibTorch or with a GPU");
  }
  if (const std::string op = WordAfter(text, "derivative for "); !op.empty()) {
    return absl::StrCat("its ", op,
                        " has no derivative; export the model without it, or use "
                        "attacks that need no gradients");
  }
  if (absl::StrContains(text, "'CUDA' backend") || absl::StrContains(text, "CUDA driver") ||
      absl::StrContains(text, "not linked with support for cuda") ||
      absl::StrContains(text, "Found no NVIDIA driver")) {
    return std::string(
        "its code names a GPU (a device was written into it when it was traced), and it runs on "
        "another device here; export the model on the CPU");
  }
  return std::nullopt;
}

}  // namespace assay::engine
