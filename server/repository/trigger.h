// What is done with every new version (--on-new-version): an evaluation file as that of `assay
// evaluate -f`, read for a server.
#ifndef ASSAY_SERVER_REPOSITORY_TRIGGER_H_
#define ASSAY_SERVER_REPOSITORY_TRIGGER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/models.pb.h"
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

// kInvalidArgument with the line of whatever cannot be right for any model and any data.
absl::StatusOr<Trigger> ReadTrigger(const std::string& text, const std::string& path);

// assay.yaml: how a model wants its images and gives its answer.
absl::StatusOr<v1::ModelInterface> ReadModelOptions(const std::string& text,
                                                    const std::string& path);

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_TRIGGER_H_
