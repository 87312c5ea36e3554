// Outcomes as CSV: one row per condition and sample, columns that do not apply left empty. Columns
// are documented in docs/cli.md.
#ifndef ASSAY_CLIENT_RENDER_OUTCOME_CSV_H_
#define ASSAY_CLIENT_RENDER_OUTCOME_CSV_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "core/statistics/smoothing_certificate.h"

namespace assay::render {

class OutcomeCsv {
 public:
  // `conditions`: those of the evaluation, `samples` and `shape` its data, on which some
  // certificates depend. kInternal when a smoothing condition lacks a parameter.
  static absl::StatusOr<OutcomeCsv> Create(const std::vector<v1::Condition>& conditions,
                                           int64_t samples = 0, const v1::ImageShape& shape = {});

  static std::string Header();
  std::string Rows(const v1::StreamOutcomesResponse& batch) const;

 private:
  std::map<std::string, SmoothingSetting> smoothing_;
};

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_OUTCOME_CSV_H_
