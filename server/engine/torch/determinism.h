// Operators that give other bits each time, and what can be done about them.
#ifndef ASSAY_SERVER_ENGINE_TORCH_DETERMINISM_H_
#define ASSAY_SERVER_ENGINE_TORCH_DETERMINISM_H_

#include <functional>
#include <set>
#include <string>

namespace assay::engine {

// From now on, in this process, GPUs compute with operators that give the same bits each time,
// wherever LibTorch has such a form. To be called before the first of them is used. CPUs do anyway.
void ChooseDeterministicOperators();

// Runs `body` and returns what LibTorch says meanwhile, on any thread, to have no deterministic
// form of ("adaptive_avg_pool2d_backward_cuda"). One at a time; not while passes run elsewhere.
std::set<std::string> NondeterministicOperatorsIn(const std::function<void()>& body);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_TORCH_DETERMINISM_H_
