// Where a model ends its gradients on purpose: detach(), as in a straight-through estimator.
#ifndef ASSAY_SERVER_ENGINE_IMPORT_REWRITE_DETACH_H_
#define ASSAY_SERVER_ENGINE_IMPORT_REWRITE_DETACH_H_

#include <torch/script.h>

#include "absl/status/status.h"

namespace assay::engine {

// Freezing takes aten::detach for an operation without effect and removes it, and so gives other
// gradients. This puts a copy that is detached in its place, which freezing leaves alone, in all
// functions of `module`; but not where the result is changed in place, since the copy would not
// pass that on. To be called before the module runs.
absl::Status RewriteDetach(torch::jit::Module& module);

}  // namespace assay::engine

#endif  // ASSAY_SERVER_ENGINE_IMPORT_REWRITE_DETACH_H_
