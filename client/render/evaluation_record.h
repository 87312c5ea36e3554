// What outcomes.csv carries beside its readable columns, so that a report can be computed of the
// file alone: outcomes and the facts of their evaluation as base64 of protobuf messages, which lose
// no bit of a number and no field that a later version knows of.
#ifndef ASSAY_CLIENT_RENDER_EVALUATION_RECORD_H_
#define ASSAY_CLIENT_RENDER_EVALUATION_RECORD_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "assay/v1/outcomes.pb.h"
#include "core/report/recomputation.h"

namespace assay::render {

// How many outcomes there are of an evaluation that has ended. Of one that stopped early, those that
// it is about.
int64_t OutcomesOf(const v1::Evaluation& evaluation);

std::string OutcomeRecord(const v1::Outcome& outcome);
// kUnreadableInput for a text that is none.
absl::StatusOr<v1::Outcome> ParseOutcomeRecord(absl::string_view text);

// "evaluation:... dataset:... model:... report:... asked:...", of characters that CSV need not quote.
std::string EvaluationRecord(const report::EvaluationFacts& facts);
// kUnreadableInput for a text that is none.
absl::StatusOr<report::EvaluationFacts> ParseEvaluationRecord(absl::string_view text);

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_EVALUATION_RECORD_H_
