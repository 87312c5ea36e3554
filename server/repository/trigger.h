// What is done with every new version: an evaluation, and gates.
#ifndef ASSAY_SERVER_REPOSITORY_TRIGGER_H_
#define ASSAY_SERVER_REPOSITORY_TRIGGER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "assay/v1/evaluations.pb.h"
#include "core/report/gate_expression.h"

namespace assay::repository {

// They are kept as labels of the evaluation, of which there are 64.
inline constexpr size_t kMostGates = 24;
// What the baseline is when it is the evaluation of the version before.
inline constexpr char kPrevious[] = "previous";

inline constexpr double kDefaultLevel = 0.95;

struct Trigger {
  // Of the options of the file, whatever their order and its comments.
  std::string digest;
  // Without a model.
  v1::EvaluationSpec spec;
  std::vector<report::GateExpression> gates;
  // "previous", "evaluations/ID", or empty.
  std::string baseline;
  bool undecided_passes = false;
  double confidence_level = kDefaultLevel;
};

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_TRIGGER_H_
