// Reads what OutcomeCsv wrote, with all that a report comes from.
#ifndef ASSAY_CLIENT_RENDER_OUTCOME_CSV_READER_H_
#define ASSAY_CLIENT_RENDER_OUTCOME_CSV_READER_H_

#include <functional>
#include <istream>
#include <string>

#include "absl/status/status.h"
#include "assay/v1/outcomes.pb.h"
#include "core/report/recomputation.h"

namespace assay::render {

// Calls `on_facts` once, then `on_outcome` for every row. kUnreadableInput, with the line, for a
// file that is none of these, that is not complete, or whose readable columns are not those of its
// records: it has been edited, or rewritten by another program.
absl::Status ReadOutcomeCsv(std::istream& in,
                            const std::function<absl::Status(report::EvaluationFacts)>& on_facts,
                            const std::function<absl::Status(const std::string& condition,
                                                             v1::Outcome outcome)>& on_outcome);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_OUTCOME_CSV_READER_H_
