// The values of an exported program in the TorchScript graph that is built of it.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_VALUES_H_
#define ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_VALUES_H_

#include <torch/script.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/import/base/module_builder.h"
#include "server/engine/import/json_access.h"
#include "server/engine/import/program_signature.h"
#include "server/engine/import/program_steps.h"

namespace assay::engine {

// "LibTorch 2.6.0 of this server"
std::string ThisLibTorch();

// Errors are kInvalidModel.
class ProgramValues {
 public:
  // All must outlive this. `writer`, in error texts, says who wrote the program.
  ProgramValues(const ProgramSignature& signature, const std::string& writer,
                ModuleBuilder& builder)
      : signature_(signature), writer_(writer), builder_(builder) {}

  // By its global name: one that was defined, or a parameter, buffer or constant.
  absl::StatusOr<torch::jit::Value*> Find(const std::string& global);
  absl::Status Define(const std::string& name, torch::jit::Value* value);

  // The value of an Argument of the schema, as `formal` of an operator wants it.
  absl::StatusOr<torch::jit::Value*> Argument(const std::string& operator_name,
                                              const c10::Argument& formal, const Json& argument,
                                              const ProgramScope& scope);
  absl::StatusOr<torch::jit::Value*> Int(const Json& value);
  absl::StatusOr<torch::jit::Value*> Float(const Json& value);
  // A SymIntArgument: a number, or the name of one that is computed. In constants the number.
  absl::StatusOr<torch::jit::Value*> SymbolicInt(const Json& argument, const ProgramScope& scope);

 private:
  absl::StatusOr<torch::jit::Value*> Named(const Json& argument, const ProgramScope& scope);
  absl::StatusOr<torch::jit::Value*> Device(const Json& argument);
  absl::StatusOr<torch::jit::Value*> Layout(const Json& value);
  absl::StatusOr<torch::jit::Value*> MemoryFormat(const Json& value);
  absl::StatusOr<torch::jit::Value*> List(const std::string& operator_name,
                                          const c10::Argument& formal, const c10::ListType& type,
                                          const std::string& kind, const Json& value,
                                          const ProgramScope& scope);
  absl::Status Mismatch(const std::string& operator_name, const c10::Argument& formal,
                        const std::string& kind) const;

  const ProgramSignature& signature_;
  const std::string& writer_;
  ModuleBuilder& builder_;
  std::map<std::string, torch::jit::Value*> values_;  // by global names
  torch::jit::Value* device_ = nullptr;               // once it was asked for
};

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_PROGRAM_VALUES_H_
