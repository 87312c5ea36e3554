// What is spelled otherwise in one LibTorch than in another, in one place.
#ifndef ASSAY_SERVER_ENGINE_TORCH_TORCH_VERSIONS_H_
#define ASSAY_SERVER_ENGINE_TORCH_TORCH_VERSIONS_H_

#include <ATen/Context.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#include <string>

namespace assay::engine {

// Hears LibTorch's warnings.
#if TORCH_VERSION_MAJOR < 2
namespace torch_warnings = c10::Warning;

class TorchWarningHandler : public c10::WarningHandler {
 public:
  void process(const c10::SourceLocation&, const std::string& text, const bool) final {
    Hear(text);
  }
  virtual void Hear(const std::string& text) = 0;
};
#else
namespace torch_warnings = c10::WarningUtils;

class TorchWarningHandler : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) final { Hear(warning.msg()); }
  virtual void Hear(const std::string& text) = 0;
};
#endif

// LibTorch 2 fills what at::empty() allocates with NaN where algorithms are to be deterministic,
// unless told not to: every pass would be slower.
#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 2)
inline void LeaveNewMemoryAsItIs() {}
#else
inline void LeaveNewMemoryAsItIs() {
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}
#endif

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_TORCH_VERSIONS_H_
