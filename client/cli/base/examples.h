// Gets what the page of a report shows of single samples: images of the server's dataset, kept
// adversarial examples, and corrupted images, which are made here as the engine makes them.
#ifndef ASSAY_CLIENT_CLI_BASE_EXAMPLES_H_
#define ASSAY_CLIENT_CLI_BASE_EXAMPLES_H_

#include "absl/status/statusor.h"
#include "assay/v1/evaluations.pb.h"
#include "assay/v1/reports.pb.h"
#include "client/cli/base/session.h"
#include "client/render/examples.h"

namespace assay::cli {

// At most `most` of each condition of the report, which is the evaluation's. Reads the outcomes of
// each condition as far as it needs them. Why there are no examples, of a condition or at all, is
// in the result: a page is not lost for its pictures. Only an interrupt is an error.
absl::StatusOr<render::Examples> FetchExamples(Session& session, const v1::Evaluation& evaluation,
                                               const v1::Report& report, int most);

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_EXAMPLES_H_
