// Outcomes as CSV: one row per condition and sample, columns that do not apply left empty. Columns
// are documented in docs/cli.md.
#ifndef ASSAY_CLIENT_RENDER_OUTCOME_CSV_H_
#define ASSAY_CLIENT_RENDER_OUTCOME_CSV_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"

namespace assay::render {

class OutcomeCsv {
 public:
  // `conditions`: those of the evaluation. kInvalidArgument when a smoothing condition lacks a
  // parameter.
  static absl::StatusOr<OutcomeCsv> Create(const std::vector<v1::Condition>& conditions);

  static std::string Header();
  std::string Rows(const v1::StreamOutcomesResponse& batch) const;

 private:
  struct Smoothing {
    double sigma = 0;
    int64_t n = 0;
    double alpha = 0;
  };
  std::map<std::string, Smoothing> smoothing_;
};

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_OUTCOME_CSV_H_
