// The keys of evaluation files: every option of `assay evaluate` (-f), and which of them mean
// something without a command line, to a server that starts evaluations by itself. A test compares
// the table with the command's options.
#ifndef ASSAY_CORE_OPTIONS_EVALUATION_KEYS_H_
#define ASSAY_CORE_OPTIONS_EVALUATION_KEYS_H_

#include <vector>

#include "core/options/option_file.h"

namespace assay {

enum class EvaluationKeyUse {
  // Says what is evaluated, how, and what is required of it.
  kEvaluation,
  // How the model wants its images.
  kModel,
  // Of who calls: files that are read and written there, what is shown, which server.
  kCaller,
};

struct EvaluationKey {
  options::Key key;
  EvaluationKeyUse use;
};

// In the order of the help.
const std::vector<EvaluationKey>& EvaluationKeys();
// Those of this use alone.
std::vector<options::Key> EvaluationKeysOf(EvaluationKeyUse use);

}  // namespace assay

#endif  // ASSAY_CORE_OPTIONS_EVALUATION_KEYS_H_
