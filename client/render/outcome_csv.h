// Outcomes as CSV: one row per condition and sample, columns that do not apply left empty. Columns
// are documented in docs/cli.md. The last two hold the outcome itself, and in the first rows what
// is known of the evaluation, so that a report can be computed of the file (outcome_csv_reader.h).
#ifndef ASSAY_CLIENT_RENDER_OUTCOME_CSV_H_
#define ASSAY_CLIENT_RENDER_OUTCOME_CSV_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "assay/v1/evaluations.pb.h"
#include "core/statistics/smoothing_certificate.h"

namespace assay::render {

class OutcomeCsv {
 public:
  // `conditions`: those of the evaluation, `samples` and `shape` its data, on which some
  // certificates depend. kInternal when a smoothing condition lacks a parameter.
  static absl::StatusOr<OutcomeCsv> Create(const std::vector<v1::Condition>& conditions,
                                           int64_t samples = 0, const v1::ImageShape& shape = {});

  // What the rows to come are to carry of their evaluation: a record (evaluation_record.h), in
  // pieces over the first of them; `rows` is how many there will be.
  void Carry(std::string record, int64_t rows);

  static std::string Header();
  std::string Rows(const v1::StreamOutcomesResponse& batch);
  // One row, with that piece of a record.
  std::string Row(const std::string& condition, const v1::Outcome& outcome,
                  absl::string_view piece) const;

 private:
  std::string record_;
  size_t carried_ = 0;
  size_t piece_ = 0;
  std::map<std::string, SmoothingSetting> smoothing_;
};

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_OUTCOME_CSV_H_
