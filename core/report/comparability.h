// Whether evaluations can be compared: only what saw the same samples under the same conditions
// can, since every number of a comparison is about pairs of answers.
#ifndef ASSAY_CORE_REPORT_COMPARABILITY_H_
#define ASSAY_CORE_REPORT_COMPARABILITY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "assay/v1/comparison.pb.h"
#include "assay/v1/evaluations.pb.h"

namespace assay::report {

// A comparison has a matrix of all pairs under every condition.
inline constexpr int kMostCompared = 16;

// kInvalidArgument, with every violation, unless the request makes sense by itself: its number of
// names, repeated ones, an oracle that is not among them, a confidence level outside [0.5, 1).
absl::Status CheckRequest(const v1::CompareEvaluationsRequest& request);

struct Candidate {
  v1::Evaluation evaluation;
  // Equal for equal data.
  std::string data_digest;
  // How many of the data's samples it is about.
  int64_t samples = 0;
};

struct ComparedConditions {
  // Of each condition that is compared, its position in the conditions of each candidate; in the
  // order of the first candidate.
  std::vector<std::vector<int>> positions;
  std::vector<v1::LeftOutCondition> left_out;
};

// What to compare of two or more candidates. kWrongState unless all have SUCCEEDED;
// kInvalidArgument, with every violation, for other data, seed or number of samples than the first
// has, and for other conditions unless only the `common` ones are wanted and there are some.
absl::StatusOr<ComparedConditions> CheckComparable(const std::vector<Candidate>& candidates,
                                                   bool common);

}  // namespace assay::report

#endif  // ASSAY_CORE_REPORT_COMPARABILITY_H_
