#include "server/engine/torch/determinism.h"

#include <ATen/Context.h>

#include <cstdlib>
#include <utility>

#include "core/base/mutex.h"
#include "server/engine/torch/torch_versions.h"

namespace assay::engine {
namespace {

// "put_ does not have a deterministic implementation, but you set ..."
constexpr char kNoSuchForm[] = " does not have a deterministic implementation";

class Collector : public TorchWarningHandler {
 public:
  void Hear(const std::string& text) override {
    const size_t end = text.find(kNoSuchForm);
    if (end == std::string::npos) return;
    const size_t begin = text.rfind(' ', end - 1);
    MutexLock lock(mutex_);
    operators_.insert(begin == std::string::npos || end == 0
                          ? text.substr(0, end)
                          : text.substr(begin + 1, end - begin - 1));
  }
  std::set<std::string> Take() {
    MutexLock lock(mutex_);
    return std::move(operators_);
  }

 private:
  Mutex mutex_;
  std::set<std::string> operators_ ABSL_GUARDED_BY(mutex_);
};

// `warn_only`: what has no deterministic form is run all the same.
void SetDeterministic(bool on) {
  at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/true);
  if (on) LeaveNewMemoryAsItIs();
}

}  // namespace

void ChooseDeterministicOperators() {
  // Without it cuBLAS chooses among its kernels by what else runs.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  SetDeterministic(true);
}

std::set<std::string> NondeterministicOperatorsIn(const std::function<void()>& body) {
  const bool was = at::globalContext().deterministicAlgorithms();
  Collector collector;
  // The handler is the thread's own where that is where warnings are raised; backward passes pass
  // theirs on to it.
  torch_warnings::WarningHandlerGuard guard(&collector);
  const bool always = torch_warnings::get_warnAlways();
  torch_warnings::set_warnAlways(true);
  SetDeterministic(true);
  body();
  at::globalContext().setDeterministicAlgorithms(was, /*warn_only=*/true);
  torch_warnings::set_warnAlways(always);
  return collector.Take();
}

}  // namespace assay::engine
