// Gates of evaluations that the repository started: kept with the evaluation as its labels, so that
// they are those that it was started with for ever, and judged of what is stored, at any time.
#ifndef ASSAY_SERVER_REPOSITORY_VERDICTS_H_
#define ASSAY_SERVER_REPOSITORY_VERDICTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/repository.pb.h"
#include "core/base/labels.h"
#include "server/api/context.h"
#include "server/repository/trigger.h"
#include "server/store/evaluations.h"

namespace assay::repository {

// Labels of models and evaluations: which version.
inline constexpr char kModelLabel[] = "repository";
inline constexpr char kVersionLabel[] = "version";
// Of evaluations: the first digits of the trigger's digest.
inline constexpr char kTriggerLabel[] = "repository/trigger";

// All labels of an evaluation by the trigger, but for the trigger's own. `baseline` is the
// evaluation that gates compare with; empty: there is none.
Labels EvaluationLabels(const Trigger& trigger, const std::string& model, int64_t version,
                        const std::string& baseline);

// What is told of the trigger in labels and names.
std::string ShortDigest(const Trigger& trigger);

struct Verdicts {
  // "passed", "failed", "undecided" or "error".
  std::string overall;
  std::vector<v1::RepositoryGate> gates;
  // evaluations/{evaluation}; empty: none.
  std::string baseline;
};

// Whether the evaluation has gates among its labels.
bool HasGates(const v1::Evaluation& evaluation);
// evaluations/{evaluation} that its gates compare with; empty: none.
std::string BaselineOf(const v1::Evaluation& evaluation);

// Of an evaluation that has SUCCEEDED. nullopt while its baseline has not ended.
absl::StatusOr<std::optional<Verdicts>> Judge(api::Context& context,
                                              const store::EvaluationRecord& evaluation);

}  // namespace assay::repository

#endif  // ASSAY_SERVER_REPOSITORY_VERDICTS_H_
