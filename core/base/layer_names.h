// Names of the layers of a model (EvaluationSpec.keep_features).
#ifndef ASSAY_CORE_BASE_LAYER_NAMES_H_
#define ASSAY_CORE_BASE_LAYER_NAMES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace assay {

// The input of the last linear layer, found by itself (docs/models.md).
inline constexpr char kPenultimate[] = "penultimate";

// Why a layer cannot be had, and which can: "the model has no layer 'fv'; did you mean 'fc'? It has
// penultimate, conv and fc". Without `why` it is that there is none.
std::string RefuseLayer(absl::string_view layer, std::vector<std::string> names,
                        std::string why = "");

}  // namespace assay

#endif  // ASSAY_CORE_BASE_LAYER_NAMES_H_
