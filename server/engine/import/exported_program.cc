#include "server/engine/import/exported_program.h"

#include <initializer_list>
#include <utility>

#include "core/base/errors.h"
#include "server/engine/import/base/torch_guard.h"
#include "server/engine/import/program_graph.h"

namespace assay::engine {
namespace {

// The number of images that the program was exported for; 0: any, or it does not say.
int64_t BatchOf(const Json& program) {
  const auto at = [&program](std::initializer_list<const char*> names) {
    const Json* node = &program;
    for (const char* name : names) node = node == nullptr ? nullptr : Member(*node, name);
    return node;
  };
  const Json* const specs = at({"graph_module", "signature", "input_specs"});
  const Json* const metas = at({"graph_module", "graph", "tensor_values"});
  if (metas == nullptr || specs == nullptr || !specs->is_array()) return 0;
  for (const Json& spec : *specs) {
    const Json* argument = Member(spec, "user_input");
    for (const char* name : {"arg", "as_tensor", "name"}) {
      if (argument != nullptr) argument = Member(*argument, name);
    }
    if (argument == nullptr || !argument->is_string()) continue;
    const Json* const meta = Member(*metas, argument->get_ref<const std::string&>().c_str());
    const Json* const sizes = meta == nullptr ? nullptr : Member(*meta, "sizes");
    if (sizes == nullptr || !sizes->is_array() || sizes->empty()) return 0;
    const Json* const size = Member(sizes->front(), "as_int");
    return size == nullptr ? 0 : ToInt(*size).value_or(0);
  }
  return 0;
}

}  // namespace

absl::StatusOr<torch::jit::Module> ImportExportedProgram(const std::string& path,
                                                         ExportedProgramInfo* info) {
  absl::StatusOr<torch::jit::Module> module;
  const absl::Status status =
      Guarded(Reason::kInvalidModel, "the exported program cannot be built", [&] {
        ProgramArchive archive;
        const absl::Status read = ReadProgramArchive(path, &archive);
        if (info != nullptr) {
          *info = {archive.layout, archive.writer, archive.schema, BatchOf(archive.program)};
        }
        ASSAY_RETURN_IF_ERROR(read);
        module = BuildProgramGraph(archive);
        return module.status();
      });
  ASSAY_RETURN_IF_ERROR(status);
  return module;
}

}  // namespace assay::engine
