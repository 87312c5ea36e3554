// Operators of newer LibTorches that this one lacks and that are compositions of ones it has: they
// are registered with their definition, so that a model of PyTorch 2.x runs here too, with
// gradients.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_MISSING_OPERATORS_H_
#define ASSAY_SERVER_ENGINE_IMPORT_MISSING_OPERATORS_H_

#include <string>
#include <vector>

namespace assay::engine {

// Afterwards code that is loaded and graphs that are built find them. To be called before either;
// only the first call of a process does something. Returns the operators that were registered
// ("aten::rms_norm"), in the order of their names; empty where LibTorch has them all.
const std::vector<std::string>& RegisterMissingOperators();

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_MISSING_OPERATORS_H_
